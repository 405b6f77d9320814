//! The tree against a sorted map.

use std::{collections::BTreeMap, sync::Arc};

use oasis_primitives::{hash::Hash, namespace::Namespace};
use proptest::prelude::*;

use crate::{Error, KeyValue, MemoryStore, NodeStore, Overlay, Root, RootType, Tree};

type Model = BTreeMap<Vec<u8>, Vec<u8>>;

#[derive(Clone, Debug)]
enum Op {
    Insert(Vec<u8>, Vec<u8>),
    Remove(Vec<u8>),
    Commit,
    Unload,
    /// Changes a clone, which must not be seen.
    Clone(Vec<u8>),
}

fn key() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(prop_oneof![3 => Just(0u8), 3 => Just(1), 3 => Just(0x80), 1 => Just(0xff), 1 => any::<u8>()], 0..6)
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        8 => (key(), proptest::collection::vec(any::<u8>(), 0..3)).prop_map(|(k, v)| Op::Insert(k, v)),
        5 => key().prop_map(Op::Remove),
        1 => Just(Op::Commit),
        1 => Just(Op::Unload),
        1 => key().prop_map(Op::Clone),
    ]
}

fn empty() -> Tree {
    Tree::empty(Namespace::default(), RootType::STATE)
}

fn stored(store: &Arc<MemoryStore>) -> Tree {
    Tree::with_root(store.clone(), Root::empty(Namespace::default(), 0, RootType::STATE))
}

fn contents(tree: &Tree) -> Model {
    tree.iter().map(|i| i.map(|(k, v)| (k.to_vec(), v.to_vec())).unwrap()).collect()
}

/// The root hash by the definition: a recursive split of the sorted keys, without any of the tree's code.
fn naive_root(keys: &[(&Vec<u8>, &Vec<u8>)], depth: usize) -> Hash {
    let bit = |k: &[u8], at: usize| k[at / 8] >> (7 - at % 8) & 1 == 1;
    match keys {
        [] => Hash::EMPTY,
        [(k, v)] => Hash::of_parts(&[&[0], &(k.len() as u32).to_le_bytes(), k, &(v.len() as u32).to_le_bytes(), v]),
        _ => {
            let (first, last) = (keys[0].0, keys[keys.len() - 1].0);
            let mut end = depth;
            while end < first.len() * 8 && end < last.len() * 8 && bit(first, end) == bit(last, end) {
                end += 1;
            }
            let here: Vec<_> = keys.iter().copied().filter(|(k, _)| k.len() * 8 == end).collect();
            let left: Vec<_> = keys.iter().copied().filter(|(k, _)| k.len() * 8 > end && !bit(k, end)).collect();
            let right: Vec<_> = keys.iter().copied().filter(|(k, _)| k.len() * 8 > end && bit(k, end)).collect();
            let mut label = vec![0u8; (end - depth).div_ceil(8)];
            for at in depth..end {
                if bit(first, at) {
                    label[(at - depth) / 8] |= 0x80 >> ((at - depth) % 8);
                }
            }
            let bits = u16::try_from(end - depth).unwrap().to_le_bytes();
            let hashes = [naive_root(&here, end), naive_root(&left, end), naive_root(&right, end)];
            Hash::of_parts(&[&[1], &bits, &label, hashes[0].as_ref(), hashes[1].as_ref(), hashes[2].as_ref()])
        }
    }
}

fn model_root(model: &Model) -> Hash {
    naive_root(&model.iter().collect::<Vec<_>>(), 0)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn a_tree_holds_what_a_sorted_map_holds(ops in proptest::collection::vec(op(), 0..120), seek in key(), budget in prop_oneof![Just(0usize), Just(2000), Just(1 << 20)]) {
        let store = Arc::new(MemoryStore::new());
        let mut tree = stored(&store).with_budget(budget);
        let (mut model, mut committed) = (Model::new(), Model::new());
        let mut version = 0;
        for op in ops {
            match op {
                Op::Insert(k, v) => {
                    tree.insert(&k, &v).unwrap();
                    model.insert(k, v);
                }
                Op::Remove(k) => {
                    let removed = tree.remove_existing(&k).unwrap();
                    prop_assert_eq!(removed.map(|v| v.to_vec()), model.remove(&k));
                }
                Op::Commit => {
                    version += 1;
                    let commit = tree.commit(version).unwrap();
                    store.apply(&commit, true);
                    prop_assert_eq!(commit.root.hash, model_root(&model));
                    // The write log leads from the last version to this one.
                    for entry in commit.write_log {
                        match entry.value {
                            Some(v) => { committed.insert(entry.key.into_vec(), v); }
                            None => prop_assert!(committed.remove(entry.key.as_slice()).is_some()),
                        }
                    }
                    prop_assert_eq!(&committed, &model);
                }
                Op::Unload => tree.unload(),
                Op::Clone(k) => {
                    let mut other = tree.clone();
                    other.insert(&k, b"other").unwrap();
                    other.remove(&[]).unwrap();
                    other.root_hash();
                }
            }
        }
        prop_assert_eq!(contents(&tree), model.clone());
        let found: Vec<_> = tree.iter_from(&seek).unwrap().map(|i| i.unwrap().0.to_vec()).collect();
        prop_assert_eq!(found, model.range(seek.clone()..).map(|(k, _)| k.clone()).collect::<Vec<_>>());
        prop_assert_eq!(tree.get(&seek).unwrap().map(|v| v.to_vec()), model.get(&seek).cloned());
        prop_assert_eq!(tree.root_hash(), model_root(&model));
        // Pruned of what commits made obsolete, the store has exactly the nodes of the last commit.
        version += 1;
        let commit = tree.commit(version).unwrap();
        store.apply(&commit, true);
        let mut fresh = empty();
        for (k, v) in &model {
            fresh.insert(k, v).unwrap();
        }
        prop_assert_eq!(store.len(), fresh.commit(1).unwrap().nodes.len());
        let place = commit.root_place.unwrap_or_default();
        prop_assert_eq!(contents(&Tree::with_root_at(store, commit.root, place)), model);
    }

    #[test]
    fn an_overlay_looks_like_the_tree_that_it_makes(before in proptest::collection::btree_map(key(), proptest::collection::vec(any::<u8>(), 0..3), 0..20), changes in proptest::collection::vec((key(), proptest::option::of(proptest::collection::vec(any::<u8>(), 0..3))), 0..20), seek in key()) {
        let mut tree = empty();
        let mut model = before.clone();
        for (k, v) in &before {
            tree.insert(k, v).unwrap();
        }
        let mut overlay = Overlay::new(Overlay::new(&mut tree));
        for (k, v) in changes {
            match v {
                Some(v) => {
                    overlay.insert(&k, &v).unwrap();
                    model.insert(k, v);
                }
                None => {
                    overlay.remove(&k).unwrap();
                    model.remove(&k);
                }
            }
        }
        let seen: Vec<_> = overlay.iter_from(&seek).unwrap().map(|i| i.unwrap()).map(|(k, v)| (k.to_vec(), v.to_vec())).collect();
        prop_assert_eq!(seen, model.range(seek.clone()..).map(|(k, v)| (k.clone(), v.clone())).collect::<Vec<_>>());
        prop_assert_eq!(overlay.get(&seek).unwrap().map(|v| v.to_vec()), model.get(&seek).cloned());
        overlay.commit().unwrap().commit().unwrap();
        prop_assert_eq!(contents(&tree), model);
    }
}

#[test]
fn a_deep_tree_needs_no_deep_stack() {
    std::thread::Builder::new().stack_size(128 << 10).spawn(work_on_a_deep_tree).unwrap().join().unwrap();
}

fn work_on_a_deep_tree() {
    let store = Arc::new(MemoryStore::new());
    let mut tree = stored(&store);
    // Each key is a prefix of the next, and half of them part from it at their last bit.
    let long = vec![0u8; 600];
    for len in 1..=600 {
        tree.insert(&long[..len], b"x").unwrap();
        let mut other = long[..len].to_vec();
        other[len - 1] = 1;
        tree.insert(&other, b"y").unwrap();
    }
    let commit = tree.commit(1).unwrap();
    store.apply(&commit, false);
    let copy = tree.clone();
    tree.insert(&long, b"z").unwrap();
    assert_ne!(tree.commit(2).unwrap().root.hash, commit.root.hash);
    drop(tree);
    drop(copy);
    let fresh = Tree::with_root_at(store, commit.root, commit.root_place.unwrap());
    assert_eq!(fresh.iter().count(), 1200);
    assert_eq!(fresh.get(&long).unwrap().as_deref(), Some(&b"x"[..]));
}

#[test]
fn keys_longer_than_the_format_allows_are_refused() {
    let mut tree = empty();
    tree.insert(&[7; 8191], b"").unwrap();
    assert_eq!(tree.insert(&[7; 8192], b""), Err(Error::KeyTooLong(8192)));
    assert_eq!(tree.get(&[7; 8192]), Err(Error::KeyTooLong(8192)));
}

#[test]
fn a_damaged_or_missing_node_is_an_error_that_names_it() {
    let store = Arc::new(MemoryStore::new());
    let mut tree = stored(&store);
    for i in 0..100u8 {
        tree.insert(&[i], &[i]).unwrap();
    }
    let commit = tree.commit(1).unwrap();
    for victim in &commit.nodes {
        let broken = Arc::new(MemoryStore::new());
        broken.insert(commit.nodes.iter().filter(|n| n.key != victim.key).cloned());
        let place = commit.root_place.unwrap();
        let error = Tree::with_root_at(broken.clone(), commit.root, place).iter().find_map(Result::err).unwrap();
        assert_eq!(error, Error::NodeNotFound(victim.key));
        let mut bad = victim.clone();
        *bad.data.last_mut().unwrap() ^= 1;
        // The last byte of an internal node is part of a place, so that it is another node that is not found.
        broken.insert([bad]);
        assert!(broken.node(&victim.key).unwrap().is_some());
        let error = Tree::with_root_at(broken, commit.root, place).iter().find_map(Result::err).unwrap();
        assert!(matches!(error, Error::Damaged { .. } | Error::NodeNotFound(_)), "{error}");
    }
}

#[test]
fn a_commit_of_a_root_that_does_not_come_out_changes_nothing() {
    let mut tree = empty();
    tree.insert(b"k", b"v").unwrap();
    let wrong = Root { version: 1, hash: Hash::of(b"wrong"), root_type: RootType::STATE, ..Root::default() };
    assert!(matches!(tree.commit_known(&wrong, 0), Err(Error::KnownRootMismatch { .. })));
    let commit = tree.commit(1).unwrap();
    assert_eq!((commit.nodes.len(), commit.write_log.len()), (1, 1));
}

#[test]
fn a_key_that_came_and_went_is_not_in_the_write_log() {
    let mut tree = empty();
    tree.insert(b"gone", b"v").unwrap();
    tree.remove(b"gone").unwrap();
    tree.remove(b"never").unwrap();
    assert!(tree.commit(1).unwrap().write_log.is_empty());
}

#[test]
fn memory_of_clean_nodes_stays_within_the_budget() {
    let store = Arc::new(MemoryStore::new());
    let mut tree = stored(&store).with_budget(1 << 20);
    for version in 1..=50u64 {
        for i in 0..500u64 {
            tree.insert(Hash::of(&(version * 1000 + i).to_le_bytes()).as_ref(), &[1; 40]).unwrap();
        }
        store.apply(&tree.commit(version).unwrap(), true);
        // What the last commit brought may stand above the budget until the next.
        assert!(tree.loaded_bytes() < (1 << 20) + 3_000_000, "{}", tree.loaded_bytes());
    }
    tree.trim();
    assert!(tree.loaded_bytes() <= 1 << 20);
    assert_eq!(tree.iter().count(), 25_000);
}
