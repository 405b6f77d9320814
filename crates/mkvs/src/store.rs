//! Where nodes are kept that are not in memory.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Mutex, PoisonError},
};

use oasis_primitives::hash::Hash;

/// Where a store keeps a node.
///
/// Nodes are numbered as they are committed, so that a store can append them; ordered by version, batch and index.
/// Nodes that came in a checkpoint have no number and are found by their hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The version whose commit made the node.
    pub version: u64,
    /// Tells commits of one version apart (roots of several types, or several candidates); [`Place::BY_HASH`]'s value
    /// means that there is no number.
    pub batch: u32,
    /// Position of the node within its commit.
    pub index: u32,
}

impl Place {
    /// The node is kept under its hash, among those of all versions.
    pub const BY_HASH: Self = Self { version: u64::MAX, batch: u32::MAX, index: u32::MAX };

    /// The node is kept under its hash, among those that came with a version.
    pub fn by_hash(version: u64) -> Self {
        Self { version, ..Self::BY_HASH }
    }

    /// Whether the node is kept under its hash.
    pub fn is_by_hash(&self) -> bool {
        self.batch == u32::MAX
    }
}

/// The name of a node in a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NodeKey {
    /// Where it is.
    pub place: Place,
    /// Its hash, with which what is read there is checked.
    pub hash: Hash,
}

impl fmt::Display for NodeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Place { version, batch, index } = self.place;
        if self.place.is_by_hash() {
            write!(f, "{}", self.hash)
        } else {
            write!(f, "{} (version {version}, batch {batch}, index {index})", self.hash)
        }
    }
}

/// A node that a commit made, to be kept by the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewNode {
    /// Its name.
    pub key: NodeKey,
    /// Its bytes, which only this crate reads.
    pub data: Vec<u8>,
}

/// A failure of a store.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct StoreError(pub String);

/// Keeps nodes.
pub trait NodeStore: Send + Sync {
    /// The bytes of a node, or none if the store does not have it.
    fn node(&self, key: &NodeKey) -> Result<Option<Vec<u8>>, StoreError>;
}

/// A store in memory, for tests and for short-lived trees.
#[derive(Debug, Default)]
pub struct MemoryStore {
    nodes: Mutex<BTreeMap<NodeKey, Vec<u8>>>,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// Keeps the nodes of a commit and drops those that it made obsolete, where `prune` says so.
    pub fn apply(&self, commit: &crate::Commit, prune: bool) {
        let mut nodes = self.nodes.lock().unwrap_or_else(PoisonError::into_inner);
        for node in &commit.nodes {
            nodes.insert(node.key, node.data.clone());
        }
        if prune {
            for key in &commit.removed {
                nodes.remove(key);
            }
        }
    }

    /// Keeps nodes.
    pub fn insert(&self, new: impl IntoIterator<Item = NewNode>) {
        let mut nodes = self.nodes.lock().unwrap_or_else(PoisonError::into_inner);
        nodes.extend(new.into_iter().map(|n| (n.key, n.data)));
    }

    /// How many nodes there are.
    pub fn len(&self) -> usize {
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Whether there are no nodes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl NodeStore for MemoryStore {
    fn node(&self, key: &NodeKey) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.nodes.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned())
    }
}
