//! Kills a process in the middle of its commits, again and again, and looks at what is left.
//!
//! The number of kills is `$OASIS_KILL_ROUNDS`, 8 unless it is set. The engine is `$OASIS_KILL_ENGINE`, `fjall` unless
//! it is set; `redb` needs the feature of that name.

use std::path::Path;

use oasis_mkvs::{Root, RootType, Tree};
use oasis_primitives::hash::Hash;
use oasis_storage::{Durability, EngineKind, NodeDb, Options};

mod common;

/// Keys changed by each commit.
const CHANGES: u64 = 200;
/// Keys that there are.
const KEYS: u64 = 2000;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    match arguments.get(1).map(String::as_str) {
        Some("--victim") => commit_for_ever(Path::new(&arguments[2])),
        // What `cargo test -- --list` and runners that ask for it want to see.
        Some("--list") => println!("a_killed_process_loses_nothing_it_committed: test"),
        _ => a_killed_process_loses_nothing_it_committed(),
    }
}

fn options() -> Options {
    let engine = match std::env::var("OASIS_KILL_ENGINE").as_deref() {
        #[cfg(feature = "redb")]
        Ok("redb") => EngineKind::Redb,
        Ok("fjall") | Err(_) => EngineKind::Fjall,
        Ok(other) => panic!("no engine {other}"),
    };
    Options { context: "kill".to_owned(), engine, ..Options::default() }
}

/// What version `version` writes.
fn changes(version: u64) -> impl Iterator<Item = ([u8; 32], Option<[u8; 8]>)> {
    (0..CHANGES).map(move |i| {
        let mix = version.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(i * i * 31) >> 7;
        let key = Hash::of(&(mix % KEYS).to_le_bytes()).0;
        (key, (!mix.is_multiple_of(5)).then(|| (version + i).to_le_bytes()))
    })
}

fn apply(tree: &mut Tree, version: u64) {
    for (key, value) in changes(version) {
        match value {
            Some(value) => tree.insert(&key, &value).expect("insert"),
            None => tree.remove(&key).expect("remove"),
        }
    }
}

/// Commits versions, each announced when it is done; old ones are pruned and every tenth is synced.
fn commit_for_ever(path: &Path) {
    let db = NodeDb::open(path, options()).expect("open");
    let mut tree = db.latest_tree(RootType::STATE).expect("tree");
    loop {
        let base = *tree.root();
        let version = db.latest_version().map_or(1, |v| v + 1);
        apply(&mut tree, version);
        let commit = tree.commit(version).expect("commit");
        let app = [(b"version".to_vec(), Some(version.to_le_bytes().to_vec()))];
        let durability = if version.is_multiple_of(10) { Durability::Sync } else { Durability::Process };
        db.commit_final(&base, &commit, &app, durability).expect("commit");
        println!("{version}");
        while let Some(earliest) = db.earliest_version().filter(|e| e + 20 < version) {
            db.prune(earliest).expect("prune");
        }
    }
}

fn a_killed_process_loses_nothing_it_committed() {
    let rounds = common::rounds();
    let dir = tempfile::tempdir().expect("directory");
    let mut model = Tree::empty(options().namespace, RootType::STATE).without_write_log();
    let mut reached = 0u64;
    for round in 0..rounds {
        let announced = common::kill_one(dir.path(), round);
        let db = NodeDb::open(dir.path(), options()).unwrap_or_else(|e| panic!("round {round}: {e}"));
        let latest = db.latest_version().expect("versions");
        assert!(latest >= announced, "round {round}: version {announced} was committed, {latest} is left");
        assert_eq!(db.get_app(b"version").expect("app"), Some(latest.to_le_bytes().to_vec()), "round {round}");
        let mut expected = Root::empty(options().namespace, 0, RootType::STATE);
        while reached < latest {
            reached += 1;
            apply(&mut model, reached);
            expected = model.commit(reached).expect("model").root;
        }
        assert_eq!(db.roots(latest).expect("roots"), [expected], "round {round}");
        let report = db.check().unwrap_or_else(|e| panic!("round {round}: {e}"));
        assert!(report.versions >= 1);
        println!("round {round}: killed after version {announced}, {latest} is left, {} nodes checked", report.nodes);
    }
    println!("test a_killed_process_loses_nothing_it_committed ... ok ({rounds} kills, {reached} versions)");
}
