//! How fast recorded networks are computed again.
#![allow(missing_docs, reason = "criterion's macros")]

use std::{fs, hint::black_box, path::Path};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use oasis_consensus_app::{executor::MemoryVersions, upgrade::Upgrader};
use oasis_replay::{AppMachine, ChainReader, Replay, Summary};

/// The largest chain where it is there, else the largest that the repository carries.
const CHAINS: [&str; 2] = ["chains/staking-rewards.cbor.gz", "chains/runtime.cbor.gz"];

fn replay(gz: &[u8]) -> Summary {
    let mut reader = ChainReader::new(gz).expect("chain");
    let first_time = reader.first_time().expect("first block");
    let network = oasis_replay::network(reader.header(), first_time, true).expect("genesis");
    let mut machine = AppMachine::new(MemoryVersions::new(1), &network, Upgrader::default()).expect("machine");
    let replay = Replay { file: "chain".into(), network: &network, to: None, known: Vec::new(), progress: &mut |_| {} };
    replay.run(reader, &mut machine).expect("all equal")
}

fn bench(c: &mut Criterion) {
    let paths = CHAINS.iter().flat_map(|name| oasis_test_vectors::files(name, "").unwrap_or_default());
    let Some(path) = paths.into_iter().next() else { return };
    let gz = fs::read(Path::new(&path)).expect("chain file");
    let blocks = replay(&gz).blocks;
    let mut group = c.benchmark_group("replay");
    group.sample_size(10).throughput(Throughput::Elements(blocks));
    group.bench_function(path.file_stem().and_then(|s| s.to_str()).unwrap_or("chain"), |b| b.iter(|| black_box(replay(&gz))));
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
