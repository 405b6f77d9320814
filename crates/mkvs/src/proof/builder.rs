//! Putting proofs together.

use std::collections::BTreeMap;

use oasis_primitives::{cbor::NilVec, hash::Hash};

use super::{ENTRY_FULL, ENTRY_HASH, Proof};
use crate::node::{Link, Node};

/// The entry of a node.
pub(crate) fn full_entry(node: &Node) -> NilVec<u8> {
    let mut entry = Vec::with_capacity(node.compact_len().saturating_add(1));
    entry.push(ENTRY_FULL);
    node.compact(&mut entry);
    entry.into()
}

/// The entry of a subtree that is not part of the proof.
pub(crate) fn hash_entry(hash: &Hash) -> NilVec<u8> {
    if hash.is_empty() {
        return NilVec::default();
    }
    let mut entry = Vec::with_capacity(33);
    entry.push(ENTRY_HASH);
    entry.extend_from_slice(hash.as_ref());
    entry.into()
}

/// Collects nodes for a proof.
///
/// Source: go/storage/mkvs/syncer/proof.go, `ProofBuilder`.
pub(crate) struct ProofBuilder {
    root: Hash,
    subtree: Hash,
    included: BTreeMap<Hash, Included>,
    size: u64,
}

struct Included {
    /// The entry, its tag included.
    entry: NilVec<u8>,
    /// Of internal nodes: left and right.
    children: Option<[Hash; 2]>,
}

impl ProofBuilder {
    /// A proof for the tree of `root`, or only for a subtree of it if that is all there is in the end.
    pub fn new(root: Hash, subtree: Hash) -> Self {
        Self { root, subtree, included: BTreeMap::new(), size: 0 }
    }

    /// Adds the node of a link, whose hash is known.
    ///
    /// Source: go/storage/mkvs/syncer/proof.go, `ProofBuilder.Include`.
    pub fn include(&mut self, link: &Link, node: &Node) {
        if let Some(hash) = link.hash() {
            self.include_hashed(hash, node);
        }
    }

    /// Adds a node.
    pub fn include_hashed(&mut self, hash: Hash, node: &Node) {
        if self.included.contains_key(&hash) {
            return;
        }
        let entry = full_entry(node);
        self.size = self.size.saturating_add(entry.len() as u64);
        let children = node.as_internal().map(|n| n.child_hashes());
        self.included.insert(hash, Included { entry, children });
    }

    /// The size so far in bytes, counted as the original does: leaves that travel inside their internal node count
    /// twice if they were visited.
    ///
    /// Source: go/storage/mkvs/syncer/proof.go, `ProofBuilder.Size`.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The proof.
    ///
    /// Source: go/storage/mkvs/syncer/proof.go, `ProofBuilder.Build`.
    pub fn build(mut self) -> Proof {
        let root = if self.included.contains_key(&self.subtree) { self.subtree } else { self.root };
        let mut entries = Vec::with_capacity(self.included.len().saturating_mul(2));
        let mut todo = vec![root];
        while let Some(hash) = todo.pop() {
            // A node stands in one place of a tree only, so its entry can be given away.
            match self.included.remove(&hash) {
                Some(Included { entry, children }) => {
                    entries.push(entry);
                    if let Some([left, right]) = children {
                        todo.extend([right, left]);
                    }
                }
                None => entries.push(hash_entry(&hash)),
            }
        }
        Proof { untrusted_root: root, entries: entries.into() }
    }
}
