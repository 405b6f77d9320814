//! Block sync without network and execution: how fast blocks are decoded, ordered and proven.
#![allow(missing_docs, reason = "the macros make public functions without any")]

use std::{collections::VecDeque, time::Duration};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use oasis_consensus_engine::{
    PeerId,
    blocksync::{BlockSync, Config, Effect, Input},
    messages::{BlockResponse, BlockSyncMessage, StatusResponse},
};

#[path = "../tests/common/mod.rs"]
mod common;
use common::{Chain, Plan, at};

/// Syncs a whole chain from four peers that answer at once; gives the count of blocks.
fn sync(chain: &Chain) -> i64 {
    let mut sync = BlockSync::new(Config::default(), chain.first_state.clone(), at(0));
    let mut queue = VecDeque::new();
    for i in 0..4 {
        let peer = PeerId::of_key(&[i; 32]);
        let status = BlockSyncMessage::StatusResponse(StatusResponse { height: chain.height(), base: 1 });
        queue.extend([Input::Connected(peer), Input::Message { peer, message: status }]);
    }
    let mut applied = 0;
    while let Some(input) = queue.pop_front() {
        for effect in sync.handle(at(0), input) {
            match effect {
                Effect::Send { peer, message: BlockSyncMessage::BlockRequest(m) } => {
                    let block = chain.get(m.height).map(|m| m.encoded.clone());
                    let message = BlockSyncMessage::BlockResponse(BlockResponse { block });
                    queue.push_back(Input::Message { peer, message });
                }
                Effect::Verify(batch) => queue.push_back(Input::Verified(batch.verify())),
                Effect::Apply(_) => {
                    applied += 1;
                    queue.push_back(Input::Applied(Box::new(chain.get(applied).unwrap().state.clone())));
                }
                _ => {}
            }
        }
    }
    assert_eq!(applied, chain.height() - 1);
    applied
}

fn bench(c: &mut Criterion) {
    let mut group = c.benchmark_group("block_sync");
    group.sample_size(10).measurement_time(Duration::from_secs(8));
    for (validators, blocks, tx_bytes) in [(4, 1000, 200), (4, 200, 50_000), (100, 200, 200)] {
        let chain = Chain::new(&Plan { validators, blocks, tx_bytes, ..Plan::default() });
        group.throughput(Throughput::Elements(blocks as u64 - 1));
        let name = BenchmarkId::from_parameter(format!("{validators} validators, {tx_bytes} bytes"));
        group.bench_function(name, |b| b.iter(|| sync(&chain)));
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
