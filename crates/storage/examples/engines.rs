//! Measures engines: `cargo run --release -p oasis-storage --features redb --example engines -- DIRECTORY [KEYS]`.
//!
//! For each engine: filling a tree with keys, commits of 1,000 changes, many small commits with and without sync, reads
//! after reopening with an empty cache, size on disk, and the highest memory in use.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use oasis_mkvs::{RootType, Tree};
use oasis_primitives::hash::Hash;
use oasis_storage::{Durability, EngineKind, NodeDb, Options};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let directory = arguments.next().ok_or("usage: engines DIRECTORY [KEYS] [ENGINE]")?;
    let keys: u64 = arguments.next().map_or(Ok(1_000_000), |n| n.parse())?;
    let only = arguments.next();
    let engines = [
        ("fjall", EngineKind::Fjall),
        #[cfg(feature = "redb")]
        ("redb", EngineKind::Redb),
    ];
    for (name, kind) in engines {
        if only.as_ref().is_some_and(|only| only != name) {
            continue;
        }
        let path = Path::new(&directory).join(name);
        if path.exists() {
            fs::remove_dir_all(&path)?;
        }
        measure(name, kind, &path, keys)?;
    }
    Ok(())
}

fn options(engine: EngineKind) -> Options {
    Options { context: "bench".to_owned(), engine, ..Options::default() }
}

fn key(i: u64) -> [u8; 32] {
    Hash::of(&i.to_le_bytes()).0
}

/// Commits changes of some keys as the next version.
fn commit(db: &NodeDb, tree: &mut Tree, keys: impl Iterator<Item = u64>, durability: Durability) -> Result<()> {
    let base = *tree.root();
    let version = db.latest_version().map_or(1, |v| v + 1);
    for i in keys {
        let value: Vec<u8> = [key(i ^ version), key(version)].concat();
        tree.insert(&key(i), &value)?;
    }
    let commit = tree.commit(version)?;
    db.commit_final(&base, &commit, &[(b"v".to_vec(), Some(version.to_le_bytes().to_vec()))], durability)?;
    Ok(())
}

/// Numbers that look random, the same in each run.
fn scattered(seed: u64, count: u64, below: u64) -> impl Iterator<Item = u64> {
    (0..count).map(move |i| (seed.wrapping_mul(1_000_003).wrapping_add(i)).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29) % below)
}

fn measure(name: &str, kind: EngineKind, path: &Path, keys: u64) -> Result<()> {
    println!("== {name}, {keys} keys");
    let db = NodeDb::open(path, options(kind))?;
    let mut tree = db.latest_tree(RootType::STATE)?.without_write_log();
    let (start, before) = (Instant::now(), processor());
    for part in 0..keys.div_ceil(10_000) {
        commit(&db, &mut tree, part * 10_000..((part + 1) * 10_000).min(keys), Durability::Process)?;
    }
    db.sync()?;
    let (time, used) = (start.elapsed().as_secs_f64(), (processor() - before) / 1e3);
    println!(
        "fill in commits of 10,000: {time:.1} s, processor {used:.1} s, on disk {} MB, highest memory {} MB",
        disk(path)? >> 20,
        memory()
    );
    while db.earliest_version() < db.latest_version() {
        db.prune(db.earliest_version().unwrap_or_default())?;
    }
    println!("pruned to one version: {:.1} s in all, on disk {} MB", start.elapsed().as_secs_f64(), disk(path)? >> 20);
    for (what, changes, count, durability) in [
        ("commits of 1,000 changes, synced", 1000, 50, Durability::Sync),
        ("commits of 1,000 changes", 1000, 50, Durability::Process),
        ("commits of 10 changes, synced", 10, 500, Durability::Sync),
        ("commits of 10 changes", 10, 2000, Durability::Process),
    ] {
        let mut times: Vec<Duration> = Vec::new();
        let before = processor();
        for n in 0..count {
            let seed = n + db.latest_version().unwrap_or_default() * 7;
            let start = Instant::now();
            commit(&db, &mut tree, scattered(seed, changes, keys), durability)?;
            times.push(start.elapsed());
        }
        report(what, times, (processor() - before) / f64::from(count as u32));
    }
    println!("on disk {} MB, highest memory {} MB", disk(path)? >> 20, memory());
    drop((db, tree));
    let start = Instant::now();
    let db = NodeDb::open(path, options(kind))?;
    println!("open: {:.1} ms", start.elapsed().as_secs_f64() * 1e3);
    let tree = db.latest_tree(RootType::STATE)?;
    let start = Instant::now();
    let mut found = 0;
    for i in scattered(99, 20_000, keys) {
        found += u64::from(tree.get(&key(i))?.is_some());
    }
    println!("20,000 reads of random keys after opening: {:.1} µs each ({found} found)", start.elapsed().as_secs_f64() * 1e6 / 20_000.0);
    let start = Instant::now();
    let earliest = db.earliest_version().unwrap_or_default();
    for version in earliest..earliest + 100 {
        db.prune(version)?;
    }
    println!("prune of 100 versions: {:.1} ms each, highest memory {} MB", start.elapsed().as_secs_f64() * 10.0, memory());
    Ok(())
}

fn report(what: &str, mut times: Vec<Duration>, processor: f64) {
    times.sort();
    let sum: Duration = times.iter().sum();
    let mean = sum.as_secs_f64() * 1e3 / times.len() as f64;
    let at = |share: usize| times.get(times.len() * share / 100).copied().unwrap_or_default().as_secs_f64() * 1e3;
    println!("{what}: mean {mean:.2} ms, median {:.2} ms, 99th of 100 {:.2} ms, processor {processor:.2} ms", at(50), at(99));
}

/// Processor time used so far by all threads, in milliseconds; it says more than the clock on a busy machine.
fn processor() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // After the name in parentheses; user and system time are the 12th and 13th fields there, in ticks of 10 ms.
    let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace();
    fields.skip(11).take(2).filter_map(|n| n.parse::<f64>().ok()).sum::<f64>() * 10.0
}

fn disk(path: &Path) -> Result<u64> {
    use std::os::unix::fs::MetadataExt;
    let mut sum = 0;
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        // Blocks in use, not the length: files may have been given room in advance.
        sum += if entry.file_type()?.is_dir() { disk(&entry.path())? } else { entry.metadata()?.blocks() * 512 };
    }
    Ok(sum)
}

/// The most memory that the process had in use so far, in megabytes.
fn memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:")).unwrap_or_default();
    line.split_whitespace().next().and_then(|n| n.parse::<u64>().ok()).unwrap_or(0) >> 10
}
