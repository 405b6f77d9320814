//! The beacon against recorded networks: from each block's state before it, the beacon's keys, events and results after it.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use anyhow::{Context as _, Result, bail, ensure};
use oasis_consensus_app::{
    beacon,
    block::BeginBlock,
    context::{BlockContext, BlockTime, Context, Env, Mode, Options},
    epoch,
    event::Event,
    store::{Store, Value as Stored},
};
use oasis_consensus_engine::{CheckedBlock, decode_responses, proto};
use oasis_consensus_types::{
    consensus::Parameters,
    genesis::Document,
    transaction::{SignedTransaction, Transaction},
};
use oasis_primitives::{
    cbor::{self, Decoder, Mode as CborMode, Value},
    signature::SignatureRules,
};

type State = BTreeMap<Vec<u8>, Stored>;

fn bytes<'a>(value: &'a Value, key: &str) -> Result<&'a [u8]> {
    match value.get(key) {
        Some(Value::Bytes(b)) => Ok(b),
        other => bail!("field {key}: {other:?}"),
    }
}

fn apply(state: &mut State, diff: &Value) -> Result<()> {
    let Value::Array(changes) = diff else { bail!("diff") };
    for change in changes {
        match change {
            Value::Array(pair) => match pair.as_slice() {
                [Value::Bytes(key), Value::Bytes(value)] => drop(state.insert(key.clone(), value.as_slice().into())),
                [Value::Bytes(key), Value::Null] => drop(state.remove(key)),
                other => bail!("change {other:?}"),
            },
            other => bail!("change {other:?}"),
        }
    }
    Ok(())
}

/// The beacon's keys.
fn part(state: &State) -> BTreeMap<Vec<u8>, Stored> {
    state.iter().filter(|(k, _)| matches!(k.first(), Some(0x40..=0x45))).map(|(k, v)| (k.clone(), v.clone())).collect()
}

fn events(recorded: &proto::AbciResponses) -> Vec<Event> {
    let ours = recorded.begin_block.iter().flat_map(|b| &b.events).filter(|e| e.r#type == "oasis-event-000_beacon");
    ours.map(|e| Event { kind: e.r#type.clone(), attributes: e.attributes.iter().map(|a| (a.key.clone(), a.value.clone())).collect() })
        .collect()
}

#[derive(Default)]
struct Counts {
    blocks: usize,
    txs: usize,
    failed: usize,
    rounds: usize,
}

fn replay(path: &Path, counts: &mut Counts) -> Result<()> {
    let chain = oasis_test_vectors::read(path)?;
    let mut decoder = Decoder::new(&chain, CborMode::Trusted)?;
    let header: Value = decoder.value()?;
    let document = Document::from_cbor(bytes(&header, "genesis_doc")?)?;
    let rules = SignatureRules::default();
    let initial_height = document.height;
    let mut state = State::new();
    let mut rest = decoder.rest();
    let mut height = initial_height;
    while !rest.is_empty() {
        let mut decoder = Decoder::new(rest, CborMode::Trusted)?;
        let item: Value = decoder.value()?;
        rest = decoder.rest();
        let block = CheckedBlock::decode(bytes(&item, "block")?)?;
        let results = decode_responses(bytes(&item, "results")?)?;
        let mut after = state.clone();
        apply(&mut after, item.get("diff").context("diff")?)?;

        let mut store = Store::new(Arc::new(state.clone()));
        let env = Env {
            initial_height,
            last_height: height - 1,
            now: BlockTime::default(),
            params: Arc::new(Parameters::default()),
            base_epoch: document.beacon.base,
            last_epoch: epoch::current(&store)?.epoch,
            rules: rules.clone(),
            options: Arc::new(Options { debug: true, ..Options::default() }),
        };
        let at = |what: &str| format!("{what} of block {height}");
        if height == initial_height {
            let mut genesis = BlockContext::default();
            let mut ctx = Context::new(&mut store, &mut genesis, &env, Mode::InitChain);
            beacon::init_chain(&mut ctx, &document)?;
            // The rest of the genesis state, which the beacon reads.
            for (key, value) in after.iter().filter(|(k, _)| matches!(k.first(), Some(0x10..=0x1f | 0x60..=0x6f))) {
                ctx.store.insert(key, value.clone());
            }
        }
        let mut block_context = BlockContext { proposer: block.header().proposer_address.clone(), ..BlockContext::default() };
        let request = BeginBlock {
            height,
            hash: block.header().hash().to_vec(),
            last_commit_hash: block.header().last_commit_hash.clone(),
            proposer: block.header().proposer_address.clone(),
            ..BeginBlock::default()
        };
        let mut ctx = Context::new(&mut store, &mut block_context, &env, Mode::BeginBlock);
        beacon::begin_block(&mut ctx, &request).with_context(|| at("begin"))?;
        let expected = events(&results);
        if height != initial_height {
            ensure!(ctx.events == expected, "{}: expected {expected:?}, found {:?}", at("events"), ctx.events);
        }
        counts.rounds += expected.len();

        for (raw, result) in block.txs().iter().zip(&results.deliver_txs) {
            let Ok(signed) = cbor::from_slice::<SignedTransaction>(raw) else { continue };
            let Ok(tx) = cbor::from_slice::<Transaction>(&signed.0.blob) else { continue };
            if !beacon::METHODS.contains(&tx.method.as_str()) {
                continue;
            }
            let mut ctx = Context::new(&mut store, &mut block_context, &env, Mode::DeliverTx);
            ctx.set_tx_signer(signed.0.signature.public_key);
            let found = beacon::execute_tx(&mut ctx, &tx);
            ensure!(found.is_ok() == (result.code == 0), "{} {}: recorded code {}, found {found:?}", at("tx"), tx.method, result.code);
            counts.txs += 1;
            counts.failed += usize::from(found.is_err());
        }

        let mut ours = state.clone();
        for (key, change) in store.take_changes() {
            match change {
                Some(value) => drop(ours.insert(key, value)),
                None => drop(ours.remove(&key)),
            }
        }
        let (found, expected) = (part(&ours), part(&after));
        if found != expected {
            let keys: std::collections::BTreeSet<_> = found.keys().chain(expected.keys()).collect();
            if let Some(key) = keys.into_iter().find(|k| found.get(*k) != expected.get(*k)) {
                let show = |v: Option<&Stored>| v.map(|v| format!("{:?}", cbor::from_slice_trusted::<Value>(v))).unwrap_or_default();
                bail!("{} {key:?}: expected {:.400}, found {:.400}", at("state"), show(expected.get(key)), show(found.get(key)));
            }
        }
        state = after;
        height += 1;
        counts.blocks += 1;
    }
    Ok(())
}

#[test]
fn the_beacon_of_recorded_vectors_comes_out_equal() {
    let files = oasis_test_vectors::files("chains/", ".cbor.gz").unwrap();
    assert!(!files.is_empty());
    let mut counts = Counts::default();
    for file in files {
        replay(&file, &mut counts).with_context(|| format!("{}", file.display())).unwrap();
    }
    println!("{} blocks, {} transactions, {} of them failed, {} events", counts.blocks, counts.txs, counts.failed, counts.rounds);
}
