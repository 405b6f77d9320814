//! Random transactions, answered by the original's apps and by ours.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects, missing_docs)]

use anyhow::{Context as _, Result, bail, ensure};
use oasis_consensus_app::{
    beacon,
    block::{BeginBlock, Misbehaviour, MisbehaviourKind, Vote},
    context::{BlockTime, Options},
    event::Event,
    executor::{Config, Executor, MemoryVersions, PreparedTx},
    governance, keymanager, registry, roothash, scheduler, staking,
};
use oasis_consensus_types::genesis::Document;
use oasis_primitives::{
    cbor::{self, Cbor, Decoder, Encode, Mode, NilVec},
    sgx::Policy,
    signature::{Blacklist, ChainContext, SignatureRules},
};

#[derive(Clone, Debug, Default, Cbor)]
struct Header {
    chain_context: String,
    genesis_doc: Vec<u8>,
}

#[derive(Clone, Debug, Default, Cbor)]
#[cbor(as_array)]
struct RecordedVote {
    address: Vec<u8>,
    power: i64,
    signed: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor)]
#[cbor(as_array)]
struct RecordedAttribute {
    key: NilVec<u8>,
    value: NilVec<u8>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor)]
#[cbor(as_array)]
struct RecordedEvent {
    kind: String,
    attributes: NilVec<RecordedAttribute>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Cbor)]
#[cbor(as_array)]
struct RecordedUpdate {
    key: NilVec<u8>,
    power: i64,
}

#[derive(Clone, Debug, Default, Cbor)]
struct RecordedResult {
    code: u32,
    space: String,
    wanted: i64,
    used: i64,
    data: NilVec<u8>,
    events: NilVec<RecordedEvent>,
    log: String,
}

/// A block, or at the end the genesis document that the original exports.
#[derive(Clone, Debug, Default, Cbor)]
struct Item {
    height: i64,
    time: i64,
    nanos: u32,
    proposer: Vec<u8>,
    votes: NilVec<RecordedVote>,
    evidence: NilVec<RecordedVote>,
    hash: Vec<u8>,
    last_commit_hash: Vec<u8>,
    begin: NilVec<RecordedEvent>,
    txs: NilVec<Vec<u8>>,
    results: NilVec<RecordedResult>,
    end: NilVec<RecordedEvent>,
    updates: NilVec<RecordedUpdate>,
    root: Vec<u8>,
    export: Option<Vec<u8>>,
}

fn same_events(expected: &[RecordedEvent], actual: &[Event]) -> Result<()> {
    let attribute = |(key, value): &(Vec<u8>, Vec<u8>)| RecordedAttribute { key: key.clone().into(), value: value.clone().into() };
    let event = |e: &Event| RecordedEvent { kind: e.kind.clone(), attributes: e.attributes.iter().map(attribute).collect() };
    // The difference between nil and empty is that of the recorder.
    let plain = |list: &[RecordedEvent]| -> Vec<(String, Vec<(Vec<u8>, Vec<u8>)>)> {
        let attribute = |a: &RecordedAttribute| (a.key.to_vec(), a.value.to_vec());
        list.iter().map(|e| (e.kind.clone(), e.attributes.iter().map(attribute).collect())).collect()
    };
    let actual: Vec<_> = actual.iter().map(event).collect();
    ensure!(plain(expected) == plain(&actual), "events: expected {expected:?}, found {actual:?}");
    Ok(())
}

fn begin_block(item: &Item) -> BeginBlock {
    let time = BlockTime { seconds: item.time, nanos: item.nanos };
    let address = |v: &RecordedVote| v.address.clone().try_into().unwrap();
    let misbehaviour = |v: &RecordedVote| Misbehaviour {
        kind: MisbehaviourKind::DuplicateVote,
        address: address(v),
        power: v.power,
        height: item.height - 1,
        time,
        total_power: 10,
    };
    BeginBlock {
        height: item.height,
        time,
        hash: item.hash.clone(),
        last_commit_hash: item.last_commit_hash.clone(),
        proposer: item.proposer.clone(),
        votes: item.votes.iter().map(|v| Vote { address: address(v), power: v.power, signed: v.signed }).collect(),
        misbehaviour: item.evidence.iter().map(misbehaviour).collect(),
    }
}

fn run_block(executor: &mut Executor<MemoryVersions>, item: &Item) -> Result<()> {
    same_events(&item.begin, &executor.begin_block(&begin_block(item))?).context("begin")?;
    ensure!(item.txs.len() == item.results.len());
    for (i, (raw, recorded)) in item.txs.iter().zip(&item.results).enumerate() {
        let tx = PreparedTx::new(raw, executor.rules());
        let result = executor.deliver_tx(&tx)?;
        let expected = (recorded.code, recorded.space.as_str(), recorded.wanted, recorded.used);
        let actual = (result.code, result.module.as_str(), result.gas_wanted.cast_signed(), result.gas_used.cast_signed());
        ensure!(expected == actual, "transaction {i}: expected {expected:?} {}, found {actual:?} {}", recorded.log, result.message);
        ensure!(recorded.data[..] == result.data[..], "transaction {i}: data");
        same_events(&recorded.events, &result.events).with_context(|| format!("transaction {i}"))?;
    }
    let end = executor.end_block()?;
    same_events(&item.end, &end.events).context("end")?;
    let mut expected = item.updates.to_vec();
    let update = |u: &oasis_consensus_app::block::ValidatorUpdate| RecordedUpdate { key: u.public_key.0.to_vec().into(), power: u.power };
    let mut actual: Vec<_> = end.validator_updates.iter().map(update).collect();
    expected.sort();
    actual.sort();
    ensure!(expected == actual, "validator updates: expected {expected:?}, found {actual:?}");
    ensure!(executor.commit()?.root.0[..] == item.root[..], "state root");
    Ok(())
}

fn same_export(executor: &Executor<MemoryVersions>, document: &Document, expected: &[u8]) -> Result<()> {
    fn same<T: Encode>(what: &str, expected: &T, actual: &T) -> Result<()> {
        let (expected, actual) = (cbor::to_vec(expected), cbor::to_vec(actual));
        ensure!(expected == actual, "{what}: expected {}, found {}", hex::encode(expected), hex::encode(actual));
        Ok(())
    }
    let expected: Document = cbor::from_slice_higher_limits(expected)?;
    let store = executor.query(0)?;
    let mut staking = staking::export(&store)?;
    staking.token_symbol.clone_from(&document.staking.token_symbol);
    staking.token_value_exponent = document.staking.token_value_exponent;
    same("staking", &expected.staking, &staking)?;
    same("registry", &expected.registry, &registry::export(&store)?)?;
    same("roothash", &expected.roothash, &roothash::export(&store)?)?;
    same("keymanager", &expected.keymanager, &keymanager::export(&store)?)?;
    same("scheduler", &expected.scheduler, &scheduler::export(&store)?)?;
    same("beacon", &expected.beacon, &beacon::genesis::export(&store)?)?;
    same("governance", &expected.governance, &governance::export(&store)?)
}

fn run(recording: &[u8]) -> Result<()> {
    let mut decoder = Decoder::new(recording, Mode::HigherLimits)?;
    let header: Header = decoder.value()?;
    let document: Document = cbor::from_slice_higher_limits(&header.genesis_doc)?;
    ensure!(document.hash().to_string() == header.chain_context);
    let config = Config {
        initial_height: document.height,
        rules: SignatureRules::new(ChainContext::new(&header.chain_context)?, Blacklist::new(true)),
        base_epoch: document.beacon.base,
        halt_epoch: document.halt_epoch,
        options: Options { debug: true, sgx: Policy::new(true), ..Options::default() },
    };
    let time = BlockTime { seconds: document.time.seconds(), nanos: document.time.nanos() };
    let mut executor = Executor::new(MemoryVersions::new(2), config, None, time)?;
    executor.init_chain(&document)?;
    let mut rest = decoder.rest();
    while !rest.is_empty() {
        let mut decoder = Decoder::new(rest, Mode::HigherLimits)?;
        let item: Item = decoder.value()?;
        rest = decoder.rest();
        match &item.export {
            Some(expected) => same_export(&executor, &document, expected).context("export")?,
            None => run_block(&mut executor, &item).with_context(|| format!("height {}", item.height))?,
        }
    }
    if executor.last_height() < document.height {
        bail!("no blocks");
    }
    Ok(())
}

#[test]
fn the_original_answers_every_transaction_of_the_vectors_alike() -> Result<()> {
    let files = oasis_test_vectors::files("apps/", ".cbor.gz")?;
    ensure!(!files.is_empty(), "no recordings");
    for path in files {
        run(&oasis_test_vectors::read(&path)?).with_context(|| path.display().to_string())?;
    }
    Ok(())
}
