//! Recorded calls of the original's API, answered by an archive that replayed the chain of the same name.

#![allow(missing_docs)]

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use anyhow::{Context, Result, bail, ensure};
use oasis_consensus_abci::{Config, Disk, DiskOptions, Machine, Network};
use oasis_consensus_engine::{
    ChainState, CheckedBlock, decode_responses,
    ports::{Application, Store},
    proto,
};
use oasis_consensus_types::{consensus::TENDERMINT_APP_VERSION, genesis::Document, scheduler::Validator, upgrade::Descriptor};
use oasis_node_service::{
    api::{
        query::{self, Source},
        source::DiskSource,
    },
    grpc::ApiError,
};
use oasis_primitives::{
    cbor::{self, Cbor},
    json::FromJson,
    signature::PublicKey,
    time::Timestamp,
};
use oasis_storage::{BlockDb, BlockOptions, EngineKind, engine};
use prost::Message;

/// A recorded call.
#[derive(Default, Cbor)]
struct Call {
    method: String,
    request: Vec<u8>,
    response: Vec<u8>,
    code: u32,
    error: String,
    status: Vec<u8>,
}

/// An archive in memory of a recorded chain: executed as a node does, blocks and state kept by a node's databases.
fn archive(chain: &Path) -> Result<DiskSource> {
    let upgrades = match oasis_test_vectors::beside_chain(chain, ".upgrades.json")? {
        Some(bytes) => Vec::<Descriptor>::from_json(&serde_json::from_slice(&bytes)?).map_err(|e| anyhow::anyhow!("{e}"))?,
        None => Vec::new(),
    };
    let mut reader = oasis_replay::open(chain)?;
    let mut document: Document = cbor::from_slice_higher_limits(&reader.header().genesis_doc)?;
    // In CBOR the document has lost the fraction of its second; it is that of the first block, whose time it is.
    let first = reader.first_time().map_err(|e| anyhow::anyhow!("{e}"))?.context("a block")?;
    if first.seconds == document.time.seconds() {
        document.time = Timestamp::from_unix(first.seconds, u32::try_from(first.nanos)?);
    }
    let network = Network::new(document, true, true)?;
    let context = network.chain_context.clone();
    let open = || engine::open(EngineKind::Memory, Path::new("memory"), 0);
    let tree = Disk::on(open()?, Path::new("memory"), DiskOptions::new(context.clone()))?;
    let state_reader = tree.reader();
    let mut blocks = BlockDb::on(open()?, Path::new("memory"), BlockOptions { context, ..BlockOptions::default() })?;
    let config = Config { upgrades, disable_checkpointer: true, ..Config::default() };
    let mut machine = Machine::open(tree, network.clone(), config)?;
    let response = machine.init_chain(&network.engine)?;
    let mut state = ChainState::from_genesis(&network.engine, TENDERMINT_APP_VERSION, &response)?;
    blocks.save_genesis(&state)?;
    while let Some(recorded) = reader.next_block().map_err(|e| anyhow::anyhow!("{e}"))? {
        let block = CheckedBlock::decode(&recorded.block)?;
        let seen = proto::Commit::decode(recorded.seen_commit.as_slice())?;
        blocks.save_fetched(&block, &recorded.block, &seen)?;
        let responses = machine.execute(&block, &state.vote_infos(&block), &block.evidence().byzantine_validators())?;
        let texts = |responses: &proto::AbciResponses| responses.deliver_txs.iter().map(|tx| tx.log.clone()).collect::<Vec<_>>();
        ensure!(texts(&responses) == texts(&decode_responses(&recorded.results)?), "block {}: other texts", recorded.height);
        blocks.save_responses(recorded.height, &responses)?;
        let commit = machine.commit()?;
        ensure!(commit.app_hash == recorded.state_root.0, "block {}: another state", recorded.height);
        state = state.after_block(&block, &responses, &commit.app_hash)?;
        blocks.save_applied(&state, &block.evidence().evidence)?;
    }
    Ok(DiskSource::new(Arc::new(network), true, state_reader, blocks))
}

/// Whether an answer is the recorded one. The original gives validators in no order of its own.
fn is_equal(call: &Call, answer: &[u8]) -> Result<bool> {
    if call.method != "Scheduler/GetValidators" {
        return Ok(answer == call.response);
    }
    let sorted = |bytes: &[u8]| -> Result<Vec<(PublicKey, i64)>> {
        let mut list: Vec<_> = cbor::from_slice::<Vec<Validator>>(bytes)?.into_iter().map(|v| (v.id, v.voting_power)).collect();
        list.sort_unstable();
        Ok(list)
    };
    Ok(sorted(answer)? == sorted(&call.response)?)
}

/// The recording's node may have had blocks that are not in the chain, such as one that it stopped before for an upgrade.
fn with_last(text: &str, last: i64) -> String {
    match text.rsplit_once("the current blockchain height ") {
        Some((before, found)) if found.parse::<i64>().is_ok_and(|found| found > last) => {
            format!("{before}the current blockchain height {last}")
        }
        _ => text.to_owned(),
    }
}

fn compare(source: &DiskSource, call: &Call) -> Result<()> {
    let (service, method) = call.method.split_once('/').context("a service and a method")?;
    let answer = query::answer(source, service, method, &call.request).context("no such method")?;
    match answer {
        Ok(answer) => {
            ensure!(call.code == 0, "answers, and the original fails with {}", call.error);
            ensure!(is_equal(call, &answer)?, "answers\n{}\ninstead of\n{}", hex::encode(&answer), hex::encode(&call.response));
        }
        Err(error) => {
            ensure!(call.code != 0, "fails with {error:?}, and the original answers");
            ensure!(error.grpc as u32 == call.code, "gRPC code {:?} instead of {}", error.grpc, call.code);
            let theirs = with_last(&call.error, source.last_height());
            ensure!(error.message == theirs, "fails with {:?} instead of {theirs:?}", error.message);
            let status = error.status_bytes();
            ensure!(
                status == call.status || theirs != call.error,
                "status {} instead of {}",
                hex::encode(status),
                hex::encode(&call.status)
            );
        }
    }
    Ok(())
}

/// Answers all calls of a chain; returns how many there were of each method.
fn check_chain(chain: &Path, calls: &Path) -> Result<BTreeMap<String, usize>> {
    let calls: Vec<Call> = cbor::sequence_from_slice(&oasis_test_vectors::read(calls)?)?;
    let source = archive(chain)?;
    let mut methods: BTreeMap<String, usize> = BTreeMap::new();
    let mut wrong = Vec::new();
    for call in calls {
        if let Err(error) = compare(&source, &call) {
            wrong.push(format!("{} of {}: {error:#}", call.method, hex::encode(&call.request)));
        }
        *methods.entry(call.method).or_default() += 1;
    }
    if let Some(first) = wrong.first() {
        let kinds: BTreeSet<_> = wrong.iter().filter_map(|text| text.split(' ').next()).collect();
        bail!("{} calls differ, of {kinds:?}; the first: {first}", wrong.len());
    }
    Ok(methods)
}

#[test]
fn every_recorded_call_is_answered_byte_for_byte_api_vectors() {
    let files = oasis_test_vectors::files("api/", ".cbor.gz").unwrap();
    assert!(!files.is_empty(), "no recorded calls");
    let (next, all, wrong) = (AtomicUsize::new(0), Mutex::new(BTreeMap::<String, usize>::new()), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..2 {
            let work = || {
                while let Some(file) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let name = file.file_name().unwrap().to_string_lossy().into_owned();
                    let chains = oasis_test_vectors::files("chains/", &name).unwrap();
                    // A directory may hold the calls without their chain; those of the repository have it.
                    let Some(chain) = chains.iter().find(|path| path.ends_with(format!("chains/{name}"))) else { continue };
                    match check_chain(chain, file) {
                        Ok(methods) => {
                            methods.into_iter().for_each(|(method, count)| *all.lock().unwrap().entry(method).or_default() += count)
                        }
                        Err(error) => wrong.lock().unwrap().push(format!("{}: {error:#}", file.display())),
                    }
                }
            };
            thread::Builder::new().stack_size(16 << 20).spawn_scoped(scope, work).unwrap();
        }
    });
    let (all, wrong) = (all.into_inner().unwrap(), wrong.into_inner().unwrap());
    println!("{} calls of {} methods answered", all.values().sum::<usize>(), all.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(all.len() >= 60, "{} methods: {all:?}", all.len());
}

#[test]
fn errors_have_the_status_of_the_original() {
    let plain = ApiError::unknown("no");
    assert_eq!(hex::encode(plain.status_bytes()), "080212026e6f");
}
