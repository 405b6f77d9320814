//! Node databases on every engine, against a model.

use std::{collections::BTreeMap, fs, path::Path};

use oasis_mkvs::{
    Root, RootType, Tree,
    checkpoint::{Creator, Restorer},
};
use oasis_primitives::hash::Hash;
use proptest::prelude::*;

use super::*;
use crate::{CheckpointDir, engine};

type Model = BTreeMap<Vec<u8>, Vec<u8>>;

fn options(kind: EngineKind) -> Options {
    Options { context: "test".to_owned(), engine: kind, write_logs: true, ..Options::default() }
}

fn contents(tree: &Tree) -> Model {
    tree.iter().map(|i| i.map(|(k, v)| (k.to_vec(), v.to_vec())).unwrap()).collect()
}

fn stored_nodes(db: &NodeDb) -> usize {
    db.node_keys(&[]).unwrap().len()
}

/// Commits some keys as the next version.
fn advance(db: &NodeDb, tree: &mut Tree, version: u64, keys: std::ops::Range<u32>) -> Root {
    let base = *tree.root();
    for i in keys {
        tree.insert(Hash::of(&i.to_le_bytes()).as_ref(), &(version + u64::from(i)).to_le_bytes()).unwrap();
    }
    let commit = tree.commit(version).unwrap();
    let app = [(b"height".to_vec(), Some(version.to_le_bytes().to_vec()))];
    db.commit_final(&base, &commit, &app, Durability::Process).unwrap();
    commit.root
}

fn engine_orders_and_batches(kind: EngineKind, path: &Path) {
    let engine = engine::open(kind, path, 1 << 20).unwrap();
    let mut batch = Batch::default();
    for key in ["b", "ab", "a", "c", "aa"] {
        batch.put(Table::App, key, format!("value of {key}"));
        batch.put(Table::Index, key, "other table");
    }
    batch.put(Table::App, "c", "twice");
    batch.delete(Table::App, "b");
    batch.delete(Table::App, "never there");
    engine.write(batch, Durability::Process).unwrap();
    let seen = |prefix: &[u8], limit: usize| {
        let mut out = Vec::new();
        engine
            .scan(Table::App, prefix, &mut |k, _| {
                out.push(String::from_utf8(k.to_vec()).unwrap());
                out.len() < limit
            })
            .unwrap();
        out
    };
    assert_eq!(seen(b"", 9), ["a", "aa", "ab", "c"]);
    assert_eq!(seen(b"a", 9), ["a", "aa", "ab"]);
    assert_eq!(seen(b"a", 2), ["a", "aa"]);
    assert_eq!(engine.get(Table::App, b"c").unwrap().as_deref(), Some(&b"twice"[..]));
    assert_eq!(engine.get(Table::App, b"b").unwrap(), None);
    assert_eq!(engine.get(Table::Index, b"b").unwrap().as_deref(), Some(&b"other table"[..]));
    engine.sync().unwrap();
}

fn versions_come_back_after_reopening(kind: EngineKind, path: &Path) {
    let db = NodeDb::open(path, options(kind)).unwrap();
    let mut tree = db.latest_tree(RootType::STATE).unwrap();
    let first = advance(&db, &mut tree, 1, 0..500);
    let expected = contents(&tree);
    let second = advance(&db, &mut tree, 2, 250..750);
    drop((db, tree));
    let db = NodeDb::open(path, options(kind)).unwrap();
    assert_eq!((db.earliest_version(), db.latest_version()), (Some(1), Some(2)));
    assert_eq!(contents(&db.tree(&first).unwrap()), expected);
    assert_eq!(db.latest_tree(RootType::STATE).unwrap().iter().count(), 750);
    assert_eq!(db.get_app(b"height").unwrap(), Some(2u64.to_le_bytes().to_vec()));
    assert_eq!(db.write_log(&second).unwrap().unwrap().len(), 500);
    assert_eq!(db.check().unwrap().roots, 2);
    db.prune(1).unwrap();
    assert!(matches!(db.tree(&first), Err(Error::RootNotFound(_))));
    let mut count = 0;
    db.tree(&second).unwrap().node_keys().for_each(|k| {
        k.unwrap();
        count += 1;
    });
    assert_eq!(stored_nodes(&db), count);
}

fn only_finalized_roots_stay(kind: EngineKind, path: &Path) {
    let db = NodeDb::open(path, options(kind)).unwrap();
    let mut tree = db.latest_tree(RootType::STATE).unwrap();
    let base = advance(&db, &mut tree, 5, 0..100);
    let before = stored_nodes(&db);
    // Three candidates, the third made from the second, and an I/O root.
    let mut roots = Vec::new();
    let mut third = tree.clone();
    for (batch, keys) in [(0, 0..10u8), (1, 50..90)] {
        let mut candidate = tree.clone();
        for i in keys {
            candidate.insert(&[i], b"candidate").unwrap();
        }
        let commit = candidate.commit_batch(6, batch).unwrap();
        assert_eq!(db.commit(&base, &commit, &[], Durability::Process).unwrap(), Committed::New);
        assert_eq!(db.commit(&base, &commit, &[], Durability::Process).unwrap(), Committed::Existing);
        roots.push(commit.root);
        third = candidate;
    }
    for i in 70..90u8 {
        third.remove(&[i]).unwrap();
    }
    assert_eq!(db.next_batch(6).unwrap(), 2);
    let commit = third.commit_batch(6, 2).unwrap();
    db.commit(&roots[1], &commit, &[], Durability::Process).unwrap();
    roots.push(commit.root);
    let empty = Root::empty(db.namespace(), 6, RootType::IO);
    let mut io = db.tree(&empty).unwrap();
    io.insert(b"in", b"out").unwrap();
    let commit = io.commit_batch(6, 3).unwrap();
    db.commit(&empty, &commit, &[], Durability::Process).unwrap();
    let kept = [roots[2], commit.root];
    assert!(matches!(db.finalize(6, &[roots[0], roots[2]], Durability::Process), Err(Error::SeveralRoots(_))));
    assert_eq!(db.finalize(7, &[], Durability::Process), Err(Error::NotFinalized));
    db.finalize(6, &kept, Durability::Process).unwrap();
    assert_eq!(db.finalize(6, &kept, Durability::Process), Err(Error::AlreadyFinalized));
    assert_eq!(db.roots(6).unwrap().len(), 2);
    assert!(!db.has_root(&roots[0]).unwrap() && !db.has_root(&roots[1]).unwrap());
    assert_eq!(contents(&db.tree(&base).unwrap()).len(), 100);
    assert_eq!(contents(&db.tree(&roots[2]).unwrap()).len(), 120);
    assert!(stored_nodes(&db) > before);
    let mut tree = db.tree(&roots[2]).unwrap();
    advance(&db, &mut tree, 7, 0..0);
    assert_eq!(db.prune(6), Err(Error::NotEarliest));
    db.prune(5).unwrap();
    assert_eq!(db.prune(7), Err(Error::NotEarliest));
    db.prune(6).unwrap();
    assert_eq!(db.prune(7), Err(Error::LatestVersion));
    assert_eq!(contents(&db.latest_tree(RootType::STATE).unwrap()).len(), 120);
    let nodes = db.tree(&db.roots(7).unwrap()[0]).unwrap().node_keys().count();
    assert_eq!(stored_nodes(&db), nodes);
}

fn checkpoints_restore_part_by_part(kind: EngineKind, path: &Path) {
    let source = NodeDb::in_memory(options(EngineKind::Memory)).unwrap();
    let mut tree = source.latest_tree(RootType::STATE).unwrap();
    let root = advance(&source, &mut tree, 9, 0..300);
    let mut creator = Creator::new(&tree, 1000).unwrap();
    let mut chunks = Vec::new();
    while let Some(chunk) = creator.next_chunk().unwrap() {
        chunks.push(chunk.data);
    }
    let metadata = creator.metadata();
    assert!(chunks.len() > 5);

    let db = NodeDb::open(path, options(kind)).unwrap();
    let import = |db: &NodeDb, range: std::ops::Range<usize>| {
        let mut restorer = Restorer::new();
        restorer.start(metadata.clone()).unwrap();
        for index in range {
            let restored = restorer.restore(index as u64, &chunks[index]).unwrap();
            db.import(&root, &restored.nodes).unwrap();
        }
    };
    db.start_multipart(9).unwrap();
    assert_eq!(db.start_multipart(10), Err(Error::MultipartInProgress));
    import(&db, 0..3);
    assert!(db.finish_multipart(9, &[root]).is_err(), "chunks are missing");
    drop(db);
    // An unfinished restoration is undone when the database is opened.
    let db = NodeDb::open(path, options(kind)).unwrap();
    assert_eq!(stored_nodes(&db), 0);
    assert_eq!(db.import(&root, &[]), Err(Error::InvalidMultipartVersion));
    db.start_multipart(9).unwrap();
    import(&db, 0..chunks.len());
    db.finish_multipart(9, &[root]).unwrap();
    let mut copy = db.latest_tree(RootType::STATE).unwrap();
    assert_eq!(contents(&copy), contents(&tree));
    // Life goes on, and restored nodes are pruned like others.
    advance(&db, &mut copy, 10, 100..400);
    db.prune(9).unwrap();
    assert_eq!(stored_nodes(&db), db.tree(&db.roots(10).unwrap()[0]).unwrap().node_keys().count());
    let files = CheckpointDir::new(path.join("checkpoints"));
    let made = files.create(&copy, 5000).unwrap();
    assert_eq!(files.create(&copy, 5000).unwrap(), made);
    assert_eq!(files.get(1, copy.root()).unwrap(), made);
    let request = oasis_mkvs::checkpoint::GetCheckpointsRequest { version: 1, ..Default::default() };
    assert_eq!(files.list(&request).unwrap(), std::slice::from_ref(&made));
    let chunk = made.chunk(0).unwrap();
    assert_eq!(Hash::of(&files.chunk(&chunk).unwrap()), chunk.digest);
    files.delete(1, copy.root()).unwrap();
    assert!(files.list(&request).unwrap().is_empty());
    assert!(files.get(1, copy.root()).is_err());
}

fn another_chain_is_refused(kind: EngineKind, path: &Path) {
    drop(NodeDb::open(path, options(kind)).unwrap());
    let error = NodeDb::open(path, Options { context: "other".to_owned(), ..options(kind) }).unwrap_err();
    assert!(matches!(error, Error::WrongContext { .. }));
    assert!(error.to_string().contains(&path.display().to_string()));
}

/// Flips bytes in every file: what is read then is what was written, or an error, or an earlier whole version.
fn damage_is_never_taken_for_data(kind: EngineKind, path: &Path) {
    let good = path.join("good");
    let mut expected = BTreeMap::new();
    {
        let db = NodeDb::open(&good, options(kind)).unwrap();
        let mut tree = db.latest_tree(RootType::STATE).unwrap();
        for version in 1..=20 {
            advance(&db, &mut tree, version, 0..200);
            expected.insert(version, contents(&tree));
        }
        db.sync().unwrap();
    }
    let mut files = Vec::new();
    list(&good, &mut files);
    let (mut found, mut harmless) = (0, 0);
    for file in files {
        let size = fs::metadata(&file).unwrap().len();
        for part in 0..6u64 {
            let bad = path.join("bad");
            let _ = fs::remove_dir_all(&bad);
            copy(&good, &bad);
            let victim = bad.join(file.strip_prefix(&good).unwrap());
            let mut bytes = fs::read(&victim).unwrap();
            if bytes.is_empty() {
                continue;
            }
            let at = usize::try_from(size.saturating_sub(1) * part / 5).unwrap();
            bytes[at] ^= 0x55;
            fs::write(&victim, bytes).unwrap();
            let outcome = NodeDb::open(&bad, options(kind)).and_then(|db| {
                db.check()?;
                let tree = db.latest_tree(RootType::STATE)?;
                let all: BTreeMap<_, _> = tree.iter().map(|i| i.map(|(k, v)| (k.to_vec(), v.to_vec()))).collect::<Result<_, _>>()?;
                Ok((db.latest_version(), all))
            });
            match outcome {
                Ok((None, all)) => assert!(all.is_empty()),
                Ok((Some(version), all)) => {
                    assert_eq!(Some(&all), expected.get(&version), "{} byte {at}", victim.display());
                    harmless += 1;
                }
                Err(error) => {
                    assert!(error.to_string().contains(&bad.display().to_string()), "{error}");
                    found += 1;
                }
            }
        }
    }
    assert!(found > 0 && harmless > 0);
}

fn list(dir: &Path, out: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { list(&path, out) } else { out.push(path) }
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap().path();
        let target = to.join(entry.file_name().unwrap());
        if entry.is_dir() {
            copy(&entry, &target);
        } else {
            fs::copy(&entry, &target).unwrap();
        }
    }
}

macro_rules! contract {
    ($name:ident, $kind:expr, [$($test:ident),*]) => {
        mod $name {
            use super::*;
            $(#[test]
            fn $test() {
                let dir = tempfile::tempdir().unwrap();
                super::$test($kind, dir.path());
            })*
        }
    };
}

contract!(
    fjall,
    EngineKind::Fjall,
    [
        engine_orders_and_batches,
        versions_come_back_after_reopening,
        only_finalized_roots_stay,
        checkpoints_restore_part_by_part,
        another_chain_is_refused,
        damage_is_never_taken_for_data
    ]
);
#[cfg(feature = "redb")]
contract!(
    redb,
    EngineKind::Redb,
    [
        engine_orders_and_batches,
        versions_come_back_after_reopening,
        only_finalized_roots_stay,
        checkpoints_restore_part_by_part,
        another_chain_is_refused
    ]
);
contract!(memory, EngineKind::Memory, [engine_orders_and_batches, only_finalized_roots_stay]);

#[test]
fn a_missing_node_is_an_error_that_names_database_and_node() {
    let engine = engine::open(EngineKind::Memory, Path::new("x"), 0).unwrap();
    let db = NodeDb::on(engine.clone(), Path::new("the/database"), options(EngineKind::Memory)).unwrap();
    let mut tree = db.latest_tree(RootType::STATE).unwrap();
    advance(&db, &mut tree, 1, 0..50);
    let victims = db.node_keys(&[]).unwrap();
    let mut batch = Batch::default();
    batch.delete(Table::Nodes, victims[3].clone());
    engine.write(batch, Durability::Process).unwrap();
    let text = db.check().unwrap_err().to_string();
    assert!(text.contains("the/database") && text.contains("index 3") && text.contains("not found"), "{text}");
    let mut batch = Batch::default();
    batch.delete(Table::Index, record::META);
    engine.write(batch, Durability::Process).unwrap();
    let error = NodeDb::on(engine, Path::new("the/database"), options(EngineKind::Memory)).unwrap_err();
    assert_eq!(error, Error::damaged(Path::new("the/database"), "the record about the database is missing"));
}

#[derive(Clone, Debug)]
enum Step {
    /// Commits candidates with these changes, of which one, or with an odd number the last made from another, stays.
    Version(Vec<Vec<(u8, Option<u8>)>>, usize),
    Prune,
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    let changes = proptest::collection::vec((0u8..40, proptest::option::of(any::<u8>())), 0..12);
    prop_oneof![
        4 => (proptest::collection::vec(changes, 1..4), any::<usize>()).prop_map(|(c, n)| Step::Version(c, n)),
        2 => Just(Step::Prune),
        1 => Just(Step::Reopen),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn versions_hold_what_the_model_holds_and_nothing_is_left_behind(steps in proptest::collection::vec(step(), 1..25)) {
        let engine = engine::open(EngineKind::Memory, Path::new("x"), 0).unwrap();
        let mut db = NodeDb::on(engine.clone(), Path::new("x"), options(EngineKind::Memory)).unwrap();
        let mut model: BTreeMap<u64, Model> = BTreeMap::new();
        let mut version = 0u64;
        for step in steps {
            match step {
                Step::Version(candidates, choice) => {
                    let base = *db.latest_tree(RootType::STATE).unwrap().root();
                    let base_model = model.get(&version).cloned().unwrap_or_default();
                    version += 1;
                    let mut made: Vec<(Root, Model)> = Vec::new();
                    for (number, changes) in candidates.iter().enumerate() {
                        // Every second candidate is made from the one before.
                        let (from, mut expected) = match made.last() {
                            Some(last) if number % 2 == 1 => last.clone(),
                            _ => (base, base_model.clone()),
                        };
                        let mut tree = db.tree(&from).unwrap();
                        for (key, value) in changes {
                            match value {
                                Some(value) => {
                                    tree.insert(&[*key], &[*value]).unwrap();
                                    expected.insert(vec![*key], vec![*value]);
                                }
                                None => {
                                    tree.remove(&[*key]).unwrap();
                                    expected.remove(&vec![*key]);
                                }
                            }
                        }
                        let commit = tree.commit_batch(version, db.next_batch(version).unwrap()).unwrap();
                        db.commit(&from, &commit, &[], Durability::Process).unwrap();
                        made.push((commit.root, expected));
                    }
                    let (root, expected) = made.swap_remove(choice % made.len());
                    db.finalize(version, &[root], Durability::Process).unwrap();
                    model.insert(version, expected);
                }
                Step::Prune => {
                    let earliest = db.earliest_version().unwrap_or(0);
                    if earliest < version {
                        db.prune(earliest).unwrap();
                        model.remove(&earliest);
                    }
                }
                Step::Reopen => db = NodeDb::on(engine.clone(), Path::new("x"), options(EngineKind::Memory)).unwrap(),
            }
            for (version, expected) in &model {
                let root = db.root_for(*version, RootType::STATE).unwrap().unwrap();
                prop_assert_eq!(&contents(&db.tree(&root).unwrap()), expected);
            }
        }
        while db.earliest_version() < db.latest_version() {
            db.prune(db.earliest_version().unwrap()).unwrap();
        }
        let nodes = db.latest_tree(RootType::STATE).unwrap().node_keys().count();
        prop_assert_eq!(stored_nodes(&db), nodes);
    }
}
