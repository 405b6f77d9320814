//! Whatever the bytes, decoders of proofs, requests, write logs and chunks return.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use oasis_mkvs::{
    LogEntry, Root, RootType, Tree,
    checkpoint::{ChunkMetadata, Creator, GetCheckpointsRequest, Metadata, Restorer, restore_chunk},
    proof::{GetPrefixesRequest, GetRequest, IterateRequest, Proof, ProofError, ProofResponse, TreeId, verify},
};
use oasis_primitives::{
    cbor::{self, NilVec},
    hash::Hash,
    namespace::Namespace,
};
use proptest::prelude::*;

/// A committed tree of some keys.
fn tree(keys: &[Vec<u8>]) -> Tree {
    let mut tree = Tree::empty(Namespace::default(), RootType::STATE);
    for (i, key) in keys.iter().enumerate() {
        tree.insert(key, &[i as u8; 3]).unwrap();
    }
    tree.commit(1).unwrap();
    tree
}

/// Checks a proof against its own root and against the root that its nodes give, and reads from what comes of it.
fn read_proof(proof: &Proof) {
    let mut root = Root { hash: proof.untrusted_root, ..Root::default() };
    let mut checked = verify(&root, proof);
    if let Err(ProofError::BadRoot { got, .. }) = checked {
        root.hash = got;
        checked = verify(&root, &Proof { untrusted_root: got, entries: proof.entries.clone() });
    }
    if let Ok(tree) = checked {
        let _ = (tree.get(b""), tree.get(b"key"), tree.get(&[0xff; 40]));
    }
}

fn read_all(bytes: &[u8]) {
    let _ = cbor::from_slice::<ProofResponse>(bytes).map(|response| read_proof(&response.proof));
    let _ = cbor::from_slice::<Metadata>(bytes).map(|metadata| {
        let mut restorer = Restorer::new();
        (restorer.start(metadata), restorer.restore(0, bytes).is_ok())
    });
    let _ = cbor::from_slice::<GetCheckpointsRequest>(bytes);
    let mut answering = tree(&[vec![1], vec![1, 2], vec![9]]);
    let _ = cbor::from_slice::<GetRequest>(bytes).map(|request| answering.sync_get(&request).is_ok());
    let _ = cbor::from_slice::<GetPrefixesRequest>(bytes).map(|request| answering.sync_get_prefixes(&request).is_ok());
    let _ = cbor::from_slice::<IterateRequest>(bytes).map(|request| answering.sync_iterate(&request).is_ok());
    let _ = cbor::from_slice::<NilVec<LogEntry>>(bytes).map(|log| (answering.apply_write_log(&log), answering.commit(2).is_ok()));
    let _ = restore_chunk(&ChunkMetadata { digest: Hash::of(bytes), ..ChunkMetadata::default() }, bytes);
}

fn keys() -> impl Strategy<Value = Vec<Vec<u8>>> {
    prop::collection::vec(prop::collection::vec(any::<u8>(), 0..6), 1..12)
}

proptest! {
    #[test]
    fn decoders_return_on_any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        read_all(&bytes);
    }

    #[test]
    fn proofs_of_any_entries_are_judged(entries in prop::collection::vec(
        prop_oneof![
            Just(None),
            prop::collection::vec(any::<u8>(), 0..40).prop_map(Some),
            // An internal node without leaf, a leaf, a hash.
            (any::<u8>(), any::<[u8; 2]>()).prop_map(|(bits, label)| Some(vec![1, 1, bits % 17, 0, label[0], label[1], 2])),
            any::<[u8; 2]>().prop_map(|key| Some(vec![1, 0, 2, 0, key[0], key[1], 1, 0, 0, 0, 7])),
            any::<[u8; 32]>().prop_map(|hash| Some([&[2][..], &hash].concat())),
        ],
        0..12,
    )) {
        let entries: Vec<NilVec<u8>> = entries.into_iter().map(NilVec).collect();
        read_proof(&Proof { untrusted_root: Hash::EMPTY, entries: entries.into() });
    }

    #[test]
    fn damaged_proofs_are_judged(keys in keys(), wanted in any::<prop::sample::Index>(), at in any::<prop::sample::Index>(), flip in 1..=255_u8) {
        let tree = tree(&keys);
        let root = *tree.root();
        let key = keys[wanted.index(keys.len())].clone();
        let request = GetRequest { tree: TreeId { root, position: root.hash }, key: key.into(), include_siblings: true };
        let mut bytes = cbor::to_vec(&tree.sync_get(&request).unwrap());
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        read_all(&bytes);
        if let Ok(response) = cbor::from_slice::<ProofResponse>(&bytes) {
            // Whatever was changed, either the proof fails or it proves the same root.
            if let Ok(proven) = verify(&root, &response.proof) {
                prop_assert_eq!(proven.root().hash, root.hash);
            }
        }
    }

    #[test]
    fn damaged_chunks_are_refused(keys in keys(), at in any::<prop::sample::Index>(), flip in 1..=255_u8) {
        let tree = tree(&keys);
        let chunk = Creator::new(&tree, 1 << 20).unwrap().next_chunk().unwrap().expect("a tree with keys has a chunk");
        let metadata = |data: &[u8]| ChunkMetadata { version: 1, root: *tree.root(), index: 0, digest: Hash::of(data) };
        prop_assert!(restore_chunk(&metadata(&chunk.data), &chunk.data).is_ok());
        let mut data = chunk.data;
        let at = at.index(data.len());
        data[at] ^= flip;
        // The digest is that of the damaged bytes, so that they are looked at.
        let _ = restore_chunk(&metadata(&data), &data);
    }
}
