//! Proofs: the nodes on the way to some keys, with which a root hash can be recomputed.
//!
//! Source: go/storage/mkvs/syncer.

mod builder;
mod sync;
mod verify;
mod walk;

use oasis_primitives::{
    cbor::{Cbor, NilVec},
    hash::Hash,
};

pub(crate) use builder::{ProofBuilder, full_entry, hash_entry};
pub use verify::verify;
pub(crate) use verify::verify_link;
pub(crate) use walk::ProofIter;

use crate::Root;

/// Source: go/storage/mkvs/syncer/proof.go, `proofEntryFull`.
const ENTRY_FULL: u8 = 0x01;
/// Source: go/storage/mkvs/syncer/proof.go, `proofEntryHash`.
const ENTRY_HASH: u8 = 0x02;

/// A proof for a tree or a subtree.
///
/// Source: go/storage/mkvs/syncer/proof.go, `Proof`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor)]
pub struct Proof {
    /// The root hash that the prover claims; the verifier has to know the right one.
    pub untrusted_root: Hash,
    /// Nodes in pre-order: nil for none, else a tag and either a node or the hash of a subtree.
    pub entries: NilVec<NilVec<u8>>,
}

/// A tree and a place in it.
///
/// Source: go/storage/mkvs/syncer/syncer.go, `TreeID`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor)]
pub struct TreeId {
    /// The tree's root.
    pub root: Root,
    /// The hash of the node from which the proof may start.
    pub position: Hash,
}

/// Asks for one key.
///
/// Source: go/storage/mkvs/syncer/syncer.go, `GetRequest`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor)]
pub struct GetRequest {
    /// Where to look.
    pub tree: TreeId,
    /// The key.
    pub key: NilVec<u8>,
    /// Whether the proof has the siblings of nodes on the way, too.
    #[cbor(omitempty)]
    pub include_siblings: bool,
}

/// Asks for the keys with some prefixes.
///
/// Source: go/storage/mkvs/syncer/syncer.go, `GetPrefixesRequest`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor)]
pub struct GetPrefixesRequest {
    /// Where to look.
    pub tree: TreeId,
    /// The prefixes.
    pub prefixes: NilVec<NilVec<u8>>,
    /// How many keys at most, over all prefixes.
    pub limit: u16,
}

/// Asks for a key and those that follow.
///
/// Source: go/storage/mkvs/syncer/syncer.go, `IterateRequest`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor)]
pub struct IterateRequest {
    /// Where to look.
    pub tree: TreeId,
    /// The key to start at.
    pub key: NilVec<u8>,
    /// How many keys more.
    pub prefetch: u16,
}

/// Answers the requests above.
///
/// Source: go/storage/mkvs/syncer/syncer.go, `ProofResponse`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor)]
pub struct ProofResponse {
    /// The proof.
    pub proof: Proof,
}

/// What is wrong with a proof.
///
/// Source: go/storage/mkvs/syncer/proof.go, `ProofVerifier`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// It claims another root.
    #[error("verifier: got proof for unexpected root (expected: {expected} got: {got})")]
    UnexpectedRoot {
        /// The root hash wanted.
        expected: Hash,
        /// The root hash claimed.
        got: Hash,
    },
    /// It has no entries.
    #[error("verifier: empty proof")]
    Empty,
    /// It ends early or has an empty entry.
    #[error("verifier: malformed proof")]
    Malformed,
    /// An entry's tag has no meaning.
    #[error("verifier: unexpected entry in proof ({0:x})")]
    UnexpectedEntry(u8),
    /// A node cannot be decoded.
    #[error("mkvs: malformed node")]
    MalformedNode,
    /// A hash does not have 32 bytes.
    #[error("hash: malformed hash")]
    MalformedHash,
    /// The nodes give another root.
    #[error("verifier: bad root (expected: {expected} got: {got})")]
    BadRoot {
        /// The root hash wanted.
        expected: Hash,
        /// The root hash of the nodes.
        got: Hash,
    },
}

#[cfg(test)]
mod tests;
