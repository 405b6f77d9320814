//! What can go wrong in a tree.

use oasis_primitives::hash::Hash;

use crate::store::{NodeKey, StoreError};

/// An error of a tree.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A node is neither in memory nor in the store. In a tree made from a proof: the proof does not reach there.
    #[error("mkvs: node {0} not found")]
    NodeNotFound(NodeKey),
    /// The store failed.
    #[error("mkvs: {0}")]
    Store(#[from] StoreError),
    /// What the store holds is not the node that was asked for.
    #[error("mkvs: node {key} is damaged: {reason}")]
    Damaged {
        /// The node asked for.
        key: NodeKey,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A key is longer than [`crate::MAX_KEY_LEN`].
    #[error("mkvs: key of {0} bytes is too long")]
    KeyTooLong(usize),
    /// A commit gave another root than the one expected.
    ///
    /// Source: go/storage/mkvs/mkvs.go, `ErrKnownRootMismatch`.
    #[error("mkvs: known root mismatch (expected: {expected} got: {got})")]
    KnownRootMismatch {
        /// The root hash that was to come out.
        expected: Hash,
        /// The root hash that came out.
        got: Hash,
    },
    /// Source: go/storage/mkvs/syncer/syncer.go, `ErrDirtyRoot`.
    #[error("mkvs: root is dirty")]
    DirtyRoot,
    /// Source: go/storage/mkvs/syncer/syncer.go, `ErrInvalidRoot`.
    #[error("mkvs: invalid root")]
    InvalidRoot,
    /// A proof does not show what it should.
    #[error("{0}")]
    Proof(#[from] crate::proof::ProofError),
    /// A commit would hold more nodes than 2³² - 1.
    #[error("mkvs: too many nodes in one commit")]
    CommitTooLarge,
}
