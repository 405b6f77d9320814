//! Proofs of trees and of damaged proofs.

use std::collections::BTreeMap;

use oasis_primitives::namespace::Namespace;
use proptest::prelude::*;

use super::*;
use crate::{Error, RootType, Tree};

fn tree_of(keys: &BTreeMap<Vec<u8>, Vec<u8>>) -> Tree {
    let mut tree = Tree::empty(Namespace::default(), RootType::STATE);
    for (key, value) in keys {
        tree.insert(key, value).unwrap();
    }
    tree.commit(1).unwrap();
    tree
}

fn small_key() -> impl Strategy<Value = Vec<u8>> {
    // Few different bytes, so that keys share prefixes and are prefixes of each other.
    proptest::collection::vec(prop_oneof![Just(0u8), Just(1), Just(0x80), Just(0xff), any::<u8>()], 0..5)
}

proptest! {
    #[test]
    fn the_proof_walk_goes_through_the_same_keys_as_a_sorted_map(keys in proptest::collection::btree_map(small_key(), proptest::collection::vec(any::<u8>(), 0..4), 0..40), start in small_key()) {
        let tree = tree_of(&keys);
        let mut iter = ProofIter::new(&tree);
        iter.seek(&start).unwrap();
        let mut seen = Vec::new();
        while let Some(key) = iter.key() {
            seen.push(key.to_vec());
            iter.advance().unwrap();
        }
        let expected: Vec<_> = keys.range(start..).map(|(k, _)| k.clone()).collect();
        prop_assert_eq!(seen, expected);
    }

    #[test]
    fn a_proof_of_a_key_shows_its_value_or_absence(keys in proptest::collection::btree_map(small_key(), proptest::collection::vec(any::<u8>(), 0..4), 0..40), key in small_key(), siblings: bool) {
        let tree = tree_of(&keys);
        let request = GetRequest { tree: TreeId { root: *tree.root(), position: tree.root().hash }, key: key.clone().into(), include_siblings: siblings };
        let response = tree.sync_get(&request).unwrap();
        let partial = verify(tree.root(), &response.proof).unwrap();
        prop_assert_eq!(partial.get(&key).unwrap().map(|v| v.to_vec()), keys.get(&key).cloned());
    }

    #[test]
    fn a_changed_proof_never_shows_another_value(keys in proptest::collection::btree_map(small_key(), proptest::collection::vec(any::<u8>(), 0..4), 1..20), key in small_key(), entry: usize, at: usize, xor in 1u8.., cut: bool) {
        let tree = tree_of(&keys);
        let request = GetRequest { tree: TreeId { root: *tree.root(), position: tree.root().hash }, key: key.clone().into(), include_siblings: false };
        let mut proof = tree.sync_get(&request).unwrap().proof;
        let entries = proof.entries.0.as_mut().unwrap();
        let entry = entry % entries.len();
        match entries[entry].0.as_mut() {
            None => entries[entry] = vec![xor].into(),
            Some(bytes) if cut => bytes.truncate(at % bytes.len()),
            Some(bytes) => {
                let at = at % bytes.len();
                bytes[at] ^= xor;
            }
        }
        if let Ok(partial) = verify(tree.root(), &proof) {
            match partial.get(&key) {
                Ok(value) => prop_assert_eq!(value.map(|v| v.to_vec()), keys.get(&key).cloned()),
                Err(error) => prop_assert!(matches!(error, Error::NodeNotFound(_))),
            }
        }
    }

    #[test]
    fn any_bytes_as_proof_are_refused(entries in proptest::collection::vec(proptest::option::of(proptest::collection::vec(prop_oneof![Just(0u8), Just(1), Just(2), any::<u8>()], 0..40)), 0..20)) {
        let proof = Proof { untrusted_root: Hash::of(b"root"), entries: entries.into_iter().map(NilVec).collect::<Vec<_>>().into() };
        let root = Root { hash: Hash::of(b"root"), ..Root::default() };
        prop_assert!(verify(&root, &proof).is_err());
    }
}

#[test]
fn a_proof_as_deep_as_it_is_long_is_refused_without_overflow() {
    // Internal nodes without label or leaf, each the left child of the one before.
    let node: NilVec<u8> = vec![ENTRY_FULL, 1, 0, 0, 2].into();
    let mut entries = vec![node; 200_000];
    entries.extend(vec![NilVec::NIL; 200_001]);
    let root = Root { hash: Hash::of(b"root"), ..Root::default() };
    let proof = Proof { untrusted_root: root.hash, entries: entries.into() };
    assert!(matches!(verify(&root, &proof), Err(ProofError::BadRoot { .. })));
}

#[test]
fn requests_for_another_root_or_for_a_changed_tree_are_refused() {
    let mut tree = tree_of(&BTreeMap::from([(b"a".to_vec(), b"b".to_vec())]));
    let mut request =
        GetRequest { tree: TreeId { root: *tree.root(), position: Hash::EMPTY }, key: b"a".to_vec().into(), include_siblings: false };
    tree.insert(b"c", b"d").unwrap();
    assert_eq!(tree.sync_get(&request), Err(Error::DirtyRoot));
    request.tree.root.version = 7;
    assert_eq!(tree.sync_get(&request), Err(Error::InvalidRoot));
}
