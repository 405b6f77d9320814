//! Inserting, committing, reading and proving at ten thousand and a million keys.
//!
//! The keys and values are those of the same measurements of the original: 32 bytes each.

#![allow(missing_docs, reason = "criterion's macros make public functions")]

use std::{hint::black_box, sync::Arc};

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use oasis_mkvs::{
    MemoryStore, RootType, Tree,
    checkpoint::Creator,
    proof::{GetRequest, TreeId, verify},
};
use oasis_primitives::{hash::Hash, namespace::Namespace};

fn key(i: u64) -> [u8; 32] {
    Hash::of(&i.to_le_bytes()).0
}

fn filled(keys: u64) -> Tree {
    let mut tree = Tree::empty(Namespace::default(), RootType::STATE).without_write_log().without_nodes();
    for i in 0..keys {
        tree.insert(&key(i), &key(i + 1)).expect("in memory");
    }
    tree.commit(1).expect("in memory");
    tree
}

/// Numbers that look random, the same in each run.
fn scattered(seed: u64, count: u64, below: u64) -> impl Iterator<Item = u64> {
    (0..count).map(move |i| (seed.wrapping_mul(1_000_003).wrapping_add(i)).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29) % below)
}

fn benches(c: &mut Criterion) {
    let mut group = c.benchmark_group("10 thousand");
    group.sample_size(10).throughput(Throughput::Elements(10_000));
    group.bench_function("insert all and commit", |b| b.iter(|| filled(10_000)));
    group.finish();
    for (name, keys) in [("10 thousand", 10_000), ("1 million", 1_000_000)] {
        let tree = filled(keys);
        let mut group = c.benchmark_group(name);
        group.sample_size(10);
        let mut seed = 0;
        let mut change = || {
            seed += 1;
            let mut tree = tree.clone();
            for i in scattered(seed, 1000, keys) {
                tree.insert(&key(i), &key(i + seed)).expect("in memory");
            }
            tree
        };
        group.throughput(Throughput::Elements(1000));
        group.bench_function("insert 1,000", |b| b.iter_batched(|| (), |()| change(), BatchSize::PerIteration));
        group.bench_function("commit 1,000", |b| {
            b.iter_batched(&mut change, |mut tree| tree.commit(2).expect("in memory"), BatchSize::PerIteration);
        });
        group.throughput(Throughput::Elements(1));
        let mut at = 0;
        group.bench_function("get", |b| {
            b.iter(|| {
                at += 1;
                tree.get(black_box(&key(at * 7919 % keys))).expect("in memory")
            });
        });
        let request = |i: u64| GetRequest {
            tree: TreeId { root: *tree.root(), position: tree.root().hash },
            key: key(i % keys).to_vec().into(),
            include_siblings: false,
        };
        group.bench_function("prove", |b| {
            b.iter(|| {
                at += 1;
                tree.sync_get(&request(at * 7919)).expect("in memory")
            });
        });
        let proof = tree.sync_get(&request(5)).expect("in memory").proof;
        group.bench_function("verify", |b| b.iter(|| verify(tree.root(), black_box(&proof)).expect("right")));
        group.finish();
        if keys <= 10_000 {
            let mut group = c.benchmark_group(name);
            group.sample_size(10).throughput(Throughput::Elements(keys));
            group.bench_function("checkpoint", |b| {
                b.iter(|| {
                    let mut creator = Creator::new(&tree, 1 << 20).expect("clean");
                    while let Some(chunk) = creator.next_chunk().expect("in memory") {
                        black_box(chunk);
                    }
                });
            });
            group.bench_function("iterate", |b| b.iter(|| tree.iter().count()));
            group.finish();
        }
    }
    let mut group = c.benchmark_group("from a store");
    let store = Arc::new(MemoryStore::new());
    let mut fresh = Tree::empty(Namespace::default(), RootType::STATE);
    for i in 0..10_000 {
        fresh.insert(&key(i), &key(i + 1)).expect("in memory");
    }
    let commit = fresh.commit(1).expect("in memory");
    store.apply(&commit, false);
    group.bench_function("get, nothing in memory", |b| {
        let mut at = 0;
        b.iter_batched(
            || Tree::with_root_at(store.clone(), commit.root, commit.root_place.expect("has keys")),
            |tree| {
                at += 1;
                tree.get(&key(at * 7919 % 10_000)).expect("in the store")
            },
            BatchSize::SmallInput,
        );
    });
    group.finish();
}

criterion_group!(mkvs, benches);
criterion_main!(mkvs);
