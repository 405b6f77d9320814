//! A runtime's blocks.
//!
//! Source: go/roothash/api/block/{block,header}.go.

use oasis_primitives::{
    cbor::{Cbor, NilVec},
    hash::Hash,
    json::{self, FromJson, Json, ToJson},
    namespace::Namespace,
    signature::Signature,
    time,
};

use super::receipt::{ReceiptBody, RootType};

/// The kind of a block.
///
/// Source: go/roothash/api/block/header.go, `HeaderType`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Cbor, Json)]
#[cbor(transparent)]
pub struct HeaderType(pub u8);

impl HeaderType {
    /// Never stored.
    pub const INVALID: Self = Self(0);
    /// A round with results.
    pub const NORMAL: Self = Self(1);
    /// A round that failed: no transactions.
    pub const ROUND_FAILED: Self = Self(2);
    /// An epoch began with a new committee: no transactions.
    pub const EPOCH_TRANSITION: Self = Self(3);
    /// The runtime was suspended: no transactions.
    pub const SUSPENDED: Self = Self(4);
}

/// Seconds since 1970; in JSON the time as RFC 3339 has it.
///
/// Source: go/roothash/api/block/header.go, `Timestamp`. The original writes local time into JSON, this writes UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Cbor)]
#[cbor(transparent)]
pub struct Timestamp(pub u64);

impl ToJson for Timestamp {
    fn to_json(&self) -> json::Value {
        time::Timestamp::from_unix(self.0.cast_signed(), 0).to_json()
    }
}

impl FromJson for Timestamp {
    fn from_json(value: &json::Value) -> Result<Self, json::Error> {
        time::Timestamp::from_json(value).map(|t| Self(t.seconds().cast_unsigned()))
    }
}

/// The header of a runtime's block.
///
/// Source: go/roothash/api/block/header.go, `Header`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct Header {
    /// Version of the format.
    pub version: u16,
    /// The runtime.
    pub namespace: Namespace,
    /// The round, from the genesis round on.
    pub round: u64,
    /// Time of the consensus block that made this one.
    pub timestamp: Timestamp,
    /// The kind of block.
    pub header_type: HeaderType,
    /// Hash of the previous header.
    pub previous_hash: Hash,
    /// Root of the inputs and outputs.
    pub io_root: Hash,
    /// Root of the state.
    pub state_root: Hash,
    /// Hash of the messages to the consensus layer.
    pub messages_hash: Hash,
    /// Receipts of storage nodes; nil in all blocks after genesis, which the hash depends on.
    pub storage_signatures: NilVec<Signature>,
}

impl Header {
    /// Whether `child` is the block before this one.
    ///
    /// Source: go/roothash/api/block/header.go, `Header.IsParentOf`; the names are the original's, the wrong way round.
    pub fn is_parent_of(&self, child: &Header) -> bool {
        self.previous_hash == child.encoded_hash()
    }

    /// Whether two headers are equal but for the storage receipts.
    ///
    /// Source: go/roothash/api/block/header.go, `Header.MostlyEqual`.
    pub fn mostly_equal(&self, other: &Header) -> bool {
        let bare = |h: &Header| Header { storage_signatures: NilVec::NIL, ..h.clone() };
        bare(self) == bare(other)
    }

    /// The hash of the encoded header.
    pub fn encoded_hash(&self) -> Hash {
        Hash::of_cbor(self)
    }

    /// What storage nodes sign for this block.
    ///
    /// Source: go/roothash/api/block/header.go, `Header.RootsForStorageReceipt`, `RootTypesForStorageReceipt`.
    pub fn receipt_body(&self) -> ReceiptBody {
        ReceiptBody::new(self.namespace, self.round, &[(RootType::IO, self.io_root), (RootType::STATE, self.state_root)])
    }
}

/// A runtime's block.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct Block {
    /// The header.
    pub header: Header,
}

impl Block {
    /// The first block of a runtime.
    ///
    /// Source: go/roothash/api/block/block.go, `NewGenesisBlock`.
    pub fn genesis(namespace: Namespace, timestamp: u64) -> Self {
        Self {
            header: Header {
                namespace,
                timestamp: Timestamp(timestamp),
                header_type: HeaderType::NORMAL,
                previous_hash: Hash::EMPTY,
                io_root: Hash::EMPTY,
                state_root: Hash::EMPTY,
                messages_hash: Hash::EMPTY,
                ..Header::default()
            },
        }
    }

    /// A block without transactions after `previous`: the state stays.
    ///
    /// Source: go/roothash/api/block/block.go, `NewEmptyBlock`.
    pub fn empty(previous: &Block, timestamp: u64, header_type: HeaderType) -> Self {
        let before = &previous.header;
        Self {
            header: Header {
                version: before.version,
                namespace: before.namespace,
                round: before.round.wrapping_add(1),
                timestamp: Timestamp(timestamp),
                header_type,
                previous_hash: before.encoded_hash(),
                io_root: Hash::EMPTY,
                state_root: before.state_root,
                messages_hash: Hash::EMPTY,
                storage_signatures: NilVec::NIL,
            },
        }
    }
}

/// A block and the height of the consensus block that made it.
///
/// Source: go/roothash/api/api.go, `AnnotatedBlock`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct AnnotatedBlock {
    /// Height of the consensus block.
    #[cbor(rename = "consensus_height")]
    pub height: i64,
    /// The block.
    pub block: Option<Block>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(text: &str) -> Hash {
        Hash::from_hex(text).unwrap()
    }

    #[test]
    fn header_hashes_are_those_of_the_runtime_library() {
        let empty_hash = hash("f7f340550630426b4962c3054cb7f21cf3662bd916642daff4efc9a00b4aab3f");
        assert_eq!(Header::default().encoded_hash(), empty_hash);
        let populated = Header {
            version: 42,
            namespace: Namespace(Hash::EMPTY.0),
            round: 1000,
            timestamp: Timestamp(1_560_257_841),
            header_type: HeaderType::ROUND_FAILED,
            previous_hash: empty_hash,
            io_root: Hash::EMPTY,
            state_root: Hash::EMPTY,
            messages_hash: Hash::EMPTY,
            storage_signatures: NilVec::NIL,
        };
        assert_eq!(populated.encoded_hash(), hash("e5f8d6958fdedf15e705cb8fc8e2515d870c79d80dd2fa17f35c9e307ca4215a"));
    }

    #[test]
    fn nil_and_empty_receipts_hash_differently_and_are_mostly_equal() {
        let nil = Header::default();
        let empty = Header { storage_signatures: Vec::new().into(), ..Header::default() };
        assert_ne!(nil.encoded_hash(), empty.encoded_hash());
        assert!(nil.mostly_equal(&empty));
    }

    #[test]
    fn an_empty_block_follows_and_keeps_the_state() {
        let mut genesis = Block::genesis(Namespace([0; 32]), 7);
        genesis.header.state_root = Hash::of(b"state");
        let next = Block::empty(&genesis, 9, HeaderType::EPOCH_TRANSITION);
        assert!(next.header.is_parent_of(&genesis.header));
        assert_eq!((next.header.round, next.header.state_root), (1, Hash::of(b"state")));
        assert_eq!(next.header.io_root, Hash::EMPTY);
    }
}
