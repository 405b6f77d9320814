//! Roots and their types.

use std::fmt;

use oasis_primitives::{cbor::Cbor, hash::Hash, json::Json, namespace::Namespace};

/// What a tree is used for.
///
/// Source: go/storage/mkvs/node/node.go, `RootType`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Cbor, Json)]
#[cbor(transparent)]
pub struct RootType(pub u8);

impl RootType {
    /// No type.
    pub const INVALID: Self = Self(0);
    /// State: every version follows from the one before.
    pub const STATE: Self = Self(1);
    /// Inputs and outputs: every version starts from an empty tree.
    pub const IO: Self = Self(2);
}

impl fmt::Display for RootType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::INVALID => f.write_str("invalid"),
            Self::STATE => f.write_str("state-root"),
            Self::IO => f.write_str("io-root"),
            Self(other) => write!(f, "[unknown root type: {other}]"),
        }
    }
}

/// A root: the name of one version of one tree.
///
/// Source: go/storage/mkvs/node/node.go, `Root`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Cbor, Json)]
pub struct Root {
    /// Whose tree it is.
    #[cbor(rename = "ns")]
    pub namespace: Namespace,
    /// The version, for the consensus layer the block height, for a runtime the round.
    pub version: u64,
    /// What the tree is used for.
    pub root_type: RootType,
    /// The hash of the root node; [`Hash::EMPTY`] for a tree without keys.
    pub hash: Hash,
}

impl Root {
    /// The root of a tree without keys at a version.
    pub fn empty(namespace: Namespace, version: u64, root_type: RootType) -> Self {
        Self { namespace, version, root_type, hash: Hash::EMPTY }
    }

    /// Whether `self` may come after `other`: the same tree at the same or the next version.
    ///
    /// Source: go/storage/mkvs/node/node.go, `Root.Follows`.
    pub fn follows(&self, other: &Self) -> bool {
        self.root_type == other.root_type
            && self.namespace == other.namespace
            && (self.version == other.version || Some(self.version) == other.version.checked_add(1))
    }

    /// The hash of the root's encoding.
    ///
    /// Source: go/storage/mkvs/node/node.go, `Root.EncodedHash`.
    pub fn encoded_hash(&self) -> Hash {
        Hash::of_cbor(self)
    }
}

impl fmt::Display for Root {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<Root ns={} version={} type={} hash={}>", self.namespace, self.version, self.root_type, self.hash)
    }
}
