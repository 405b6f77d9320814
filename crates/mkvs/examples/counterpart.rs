//! Measures a tree in memory with the operations of the program that measures the original, in processor time.
//!
//! `cargo run --release -p oasis-mkvs --example counterpart -- 10000`

#![allow(clippy::cast_precision_loss, reason = "times")]

use std::{hint::black_box, time::Duration};

use oasis_mkvs::{
    RootType, Tree,
    proof::{GetRequest, TreeId, verify},
};
use oasis_primitives::{hash::Hash, namespace::Namespace};
use rustix::time::{ClockId, clock_gettime};

fn cpu() -> Duration {
    let now = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).unwrap_or(0))
}

fn scattered(seed: u64, count: u64, below: u64) -> Vec<usize> {
    let at = |i: u64| seed.wrapping_mul(1_000_003).wrapping_add(i).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29) % below;
    (0..count).map(|i| at(i) as usize).collect()
}

fn report(what: &str, mut times: Vec<Duration>) {
    times.sort();
    let sum: Duration = times.iter().sum();
    let ms = |d: Duration| d.as_secs_f64() * 1e3;
    println!("{what}: mean {:.4} ms, median {:.4} ms", ms(sum) / times.len() as f64, ms(times[times.len() / 2]));
}

fn each(what: &str, start: Duration, count: u64) {
    println!("{what}: {:.4} us", (cpu() - start).as_secs_f64() * 1e6 / count as f64);
}

fn main() -> anyhow::Result<()> {
    let n: u64 = std::env::args().nth(1).map_or(Ok(10_000), |n| n.parse())?;
    println!("== in memory, {n} keys");
    let keys: Vec<[u8; 32]> = (0..n + 64).map(|i| Hash::of(&i.to_le_bytes()).0).collect();
    let start = cpu();
    let mut tree = Tree::empty(Namespace::default(), RootType::STATE).without_write_log().without_nodes();
    for (key, value) in keys.iter().zip(&keys[1..]).take(n as usize) {
        tree.insert(key, value)?;
    }
    tree.commit(1)?;
    println!("insert all and commit: {:.3} ms", (cpu() - start).as_secs_f64() * 1e3);
    let (mut insert, mut commit) = (Vec::new(), Vec::new());
    // More rounds with a second argument, to look at commits alone.
    let rounds: u64 = std::env::args().nth(2).map_or(Ok(40), |n| n.parse())?;
    for s in 1..=rounds {
        let list = scattered(s, 1000, n);
        let start = cpu();
        for i in list {
            tree.insert(&keys[i], &keys[i + s as usize % 64])?;
        }
        insert.push(cpu() - start);
        let start = cpu();
        tree.commit(s + 1)?;
        commit.push(cpu() - start);
    }
    report("insert 1,000", insert);
    report("commit 1,000", commit);
    let count = 100_000;
    let some = |i: u64| &keys[(i * 7919 % n) as usize];
    let start = cpu();
    for i in 0..count {
        black_box(tree.get_ref(some(i))?);
    }
    each("get", start, count);
    let request = |i| GetRequest {
        tree: TreeId { root: *tree.root(), position: tree.root().hash },
        key: some(i).to_vec().into(),
        include_siblings: false,
    };
    let start = cpu();
    for i in 0..count {
        black_box(tree.sync_get(&request(i))?);
    }
    each("prove", start, count);
    let proof = tree.sync_get(&request(count - 1))?.proof;
    let start = cpu();
    for _ in 0..count {
        black_box(verify(tree.root(), black_box(&proof))?);
    }
    each("verify", start, count);
    let start = cpu();
    let rounds = 2_000_000 / n;
    let mut seen = 0;
    for _ in 0..rounds {
        for item in tree.iter() {
            black_box(item?);
            seen += 1;
        }
    }
    each("iterate, a key", start, rounds * n);
    let start = cpu();
    let mut block = [0; 100];
    for _ in 0..1_000_000 {
        let hash = Hash::of(black_box(&block));
        block[..32].copy_from_slice(&hash.0);
    }
    each("hash of 100 bytes", start, 1_000_000);
    println!("root {}, {seen} keys seen", tree.root().hash);
    Ok(())
}
