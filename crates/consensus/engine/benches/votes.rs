//! How long it takes to add a vote, with its signature, among 100 validators.

#![allow(missing_docs, reason = "what the macros of the library make")]

use std::{hint::black_box, sync::Arc};

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use oasis_consensus_engine::{
    ValidatorSet,
    proto::{BlockId, PartSetHeader, SignedMsgType, Timestamp, Validator, Vote},
    votes::HeightVoteSet,
};
use oasis_primitives::signature::{ChainContext, MemorySigner, Signer, TENDERMINT_CONTEXT};

const CHAIN: &str = "bench";

fn votes() -> (Arc<ValidatorSet>, Vec<Vote>) {
    let signers: Vec<_> = (0..100).map(|i| MemorySigner::for_test(&format!("bench {i}"))).collect();
    let set = ValidatorSet::new(signers.iter().map(|s| Validator::new(&s.public_key().0, 10)).collect()).expect("a set");
    let block_id = BlockId { hash: vec![1; 32], part_set_header: PartSetHeader { total: 1, hash: vec![2; 32] } };
    let vote = |(i, v): (usize, &Validator)| {
        let signer = signers.iter().find(|s| Some(s.public_key().0) == v.key().ok()).expect("a signer");
        let mut vote = Vote {
            r#type: SignedMsgType::PREVOTE,
            height: 5,
            block_id: block_id.clone(),
            timestamp: Timestamp { seconds: 1, nanos: 0 },
            validator_address: v.address.clone(),
            validator_index: i as i32,
            ..Default::default()
        };
        let signed = signer.sign(&TENDERMINT_CONTEXT, &ChainContext::UNSET, &vote.sign_bytes(CHAIN)).expect("a signature");
        vote.signature = signed.signature.0.to_vec();
        vote
    };
    let votes = set.validators().iter().enumerate().map(vote).collect();
    (Arc::new(set), votes)
}

fn bench(c: &mut Criterion) {
    let (set, votes) = votes();
    let empty = HeightVoteSet::new(CHAIN.into(), 5, set);
    let add_all = |mut height: HeightVoteSet| {
        for vote in &votes {
            let _ = black_box(height.add(vote.clone(), None));
        }
        height
    };
    let mut group = c.benchmark_group("votes");
    group.sample_size(20);
    group.bench_function("add 100 votes", |b| b.iter_batched(|| empty.clone(), add_all, BatchSize::SmallInput));
    let full = add_all(empty);
    group.bench_function("see 100 votes again", |b| b.iter_batched(|| full.clone(), add_all, BatchSize::SmallInput));
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
