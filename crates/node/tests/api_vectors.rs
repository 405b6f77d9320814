//! Recorded calls of the original's API, answered by an archive that replayed the chain of the same name.

#![allow(missing_docs)]

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use anyhow::{Context, Result, bail, ensure};
use oasis_consensus_types::{node::Node, registry, roothash, scheduler, scheduler::Validator};
use oasis_node_service::{
    api::{
        notices::{Feed, Notice},
        query::{self, Source},
        source::DiskSource,
    },
    grpc::ApiError,
};
use oasis_primitives::{
    cbor::{self, Encode, NilVec, OrNil, RawCbor},
    signature::PublicKey,
};

mod common;

use common::{archive::archive, call::Call};

/// The chain of recorded calls: the one beside them, else one of the same name.
fn chain_of(calls: &Path) -> Result<PathBuf> {
    let name = calls.file_name().context("a name")?;
    let beside = calls.parent().and_then(Path::parent).context("a directory")?.join("chains").join(name);
    let all = oasis_test_vectors::files("chains/", &name.to_string_lossy())?;
    let named = |path: &&PathBuf| path.ends_with(Path::new("chains").join(name));
    if beside.exists() { Ok(beside) } else { all.iter().find(named).cloned().context("no chain of this name") }
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
    let source = archive(chain, |_, _| Ok(()))?;
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
                    match chain_of(file).and_then(|chain| check_chain(&chain, file)) {
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

/// What a query answers, item by item.
fn items(source: &DiskSource, method: &str, request: &impl Encode) -> Result<Vec<Vec<u8>>> {
    let (service, method) = method.split_once('/').context("a service and a method")?;
    let answer = query::answer(source, service, method, &cbor::to_vec(request)).context("no such method")??;
    Ok(cbor::from_slice_higher_limits::<NilVec<RawCbor>>(&answer)?.into_vec().into_iter().map(|item| item.0).collect())
}

fn encoded<T: Encode>(items: impl IntoIterator<Item = T>) -> Vec<Vec<u8>> {
    items.into_iter().map(|item| cbor::to_vec(&item)).collect()
}

/// Compares what subscribers are told of a block with what queries answer at its height.
fn compare_notice(source: &DiskSource, notice: &Notice, counts: &mut BTreeMap<&'static str, usize>) -> Result<()> {
    let height = notice.height();
    let mut check = |what: &'static str, told: &[Vec<u8>], known: Vec<Vec<u8>>| {
        *counts.entry(what).or_default() += told.len();
        ensure!(told == known, "{what}: subscribers are told of {} and queries of {}", told.len(), known.len());
        Ok(())
    };
    let told = |feed| notice.messages(feed, source);
    let one = |method| {
        let (service, method) = str::split_once(method, '/').context("a service and a method")?;
        anyhow::Ok(vec![query::answer(source, service, method, &cbor::to_vec(&height)).context("no such method")??])
    };
    check("blocks", &told(Feed::Blocks), one("Consensus/GetBlock")?)?;
    check("epochs", &told(Feed::Epochs), one("Beacon/GetEpoch")?)?;
    check("staking", &told(Feed::Staking), items(source, "Staking/GetEvents", &height)?)?;
    check("governance", &told(Feed::Governance), items(source, "Governance/GetEvents", &height)?)?;
    let registry: Vec<registry::Event> =
        items(source, "Registry/GetEvents", &height)?.iter().map(|e| cbor::from_slice(e)).collect::<Result<_, _>>()?;
    check("entities", &told(Feed::Entities), encoded(registry.iter().filter_map(|e| e.entity.clone())))?;
    check("nodes", &told(Feed::Nodes), encoded(registry.iter().filter_map(|e| e.node.clone())))?;
    check("runtimes", &told(Feed::Runtimes), encoded(registry.iter().filter_map(|e| e.runtime.clone()?.runtime)))?;
    let lists = told(Feed::NodeLists);
    if !lists.is_empty() {
        let mut nodes: Vec<Node> =
            items(source, "Registry/GetNodes", &height)?.iter().map(|n| cbor::from_slice(n)).collect::<Result<_, _>>()?;
        nodes.sort_by_key(|node| node.id);
        check("node lists", &lists, encoded([registry::NodeList { nodes: nodes.into_iter().map(OrNil::from).collect() }]))?;
    }
    let committees = told(Feed::Committees);
    if !committees.is_empty() {
        let mut known = Vec::new();
        let runtimes = items(source, "Registry/GetRuntimes", &registry::GetRuntimesQuery { height, include_suspended: true })?;
        for runtime in runtimes {
            let runtime_id = cbor::from_slice::<registry::Runtime>(&runtime)?.id;
            known.extend(items(source, "Scheduler/GetCommittees", &scheduler::GetCommitteesRequest { height, runtime_id })?);
        }
        let mut told = committees.to_vec();
        told.sort();
        known.sort();
        check("committees", &told, known)?;
    }
    let of_runtimes = notice.of_runtimes(source);
    let (rounds, events): (Vec<_>, Vec<_>) = of_runtimes.iter().cloned().partition(|item| item.round.is_some());
    let known: Vec<roothash::Event> =
        items(source, "RootHash/GetEvents", &height)?.iter().map(|e| cbor::from_slice(e)).collect::<Result<_, _>>()?;
    let (finalized, others): (Vec<_>, Vec<_>) = known.into_iter().partition(|e| e.finalized.is_some());
    check("events of runtimes", &events.iter().map(|e| e.message.clone()).collect::<Vec<_>>(), encoded(others))?;
    let mut blocks = Vec::new();
    for event in &finalized {
        let request = roothash::RuntimeRequest { runtime_id: event.runtime_id, height };
        let block = query::answer(source, "RootHash", "GetLatestBlock", &cbor::to_vec(&request)).context("no such method")??;
        blocks.push(roothash::AnnotatedBlock { height, block: cbor::from_slice(&block)? });
    }
    check("rounds", &rounds.iter().map(|round| round.message.clone()).collect::<Vec<_>>(), encoded(blocks))
}

#[test]
fn subscribers_are_told_of_a_block_what_queries_answer_api_vectors() {
    let mut counts = BTreeMap::new();
    for name in ["runtime-message.cbor.gz", "validator-equivocation.cbor.gz", "governance-upgrade.cbor.gz"] {
        let Some(chain) = oasis_test_vectors::files("chains/", name).unwrap().into_iter().next() else { continue };
        archive(&chain, |source, notice| {
            compare_notice(source, notice, &mut counts).with_context(|| format!("{name}: block {}", notice.height()))
        })
        .unwrap();
    }
    println!("{counts:?}");
    for what in ["blocks", "epochs", "staking", "nodes", "runtimes", "node lists", "committees", "events of runtimes", "rounds"] {
        assert!(counts.get(what).is_some_and(|count| *count > 0), "{what}: {counts:?}");
    }
}
