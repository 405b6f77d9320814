//! Parts of blocks, proposals, and what a node keeps of a block apart from its parts.
//!
//! Source: tendermint `proto/tendermint/types/types.proto`, `proto/tendermint/crypto/proof.proto`.

use prost::Message;

use super::types::{BlockId, Header, Timestamp};

/// A Merkle proof of one leaf.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Proof {
    /// Count of leaves.
    #[prost(int64, tag = "1")]
    pub total: i64,
    /// Place of the leaf.
    #[prost(int64, tag = "2")]
    pub index: i64,
    /// SHA-256 of the leaf.
    #[prost(bytes = "vec", tag = "3")]
    pub leaf_hash: Vec<u8>,
    /// Hashes of the siblings, from the leaf up.
    #[prost(bytes = "vec", repeated, tag = "4")]
    pub aunts: Vec<Vec<u8>>,
}

/// A part of a block's encoding with its proof.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Part {
    /// Place among the parts.
    #[prost(uint32, tag = "1")]
    pub index: u32,
    /// Up to 65,536 bytes.
    #[prost(bytes = "vec", tag = "2")]
    pub bytes: Vec<u8>,
    /// That it belongs to the part set.
    #[prost(message, required, tag = "3")]
    pub proof: Proof,
}

/// A proposer's word for a block.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Proposal {
    /// Always [`super::SignedMsgType::PROPOSAL`].
    #[prost(int32, tag = "1")]
    pub r#type: i32,
    /// Height of the block.
    #[prost(int64, tag = "2")]
    pub height: i64,
    /// Round of the proposal.
    #[prost(int32, tag = "3")]
    pub round: i32,
    /// Round in which the block got two thirds of the prevotes, -1 for none.
    #[prost(int32, tag = "4")]
    pub pol_round: i32,
    /// Name of the block.
    #[prost(message, required, tag = "5")]
    pub block_id: BlockId,
    /// When it was proposed.
    #[prost(message, required, tag = "6")]
    pub timestamp: Timestamp,
    /// The proposer's signature, 64 bytes.
    #[prost(bytes = "vec", tag = "7")]
    pub signature: Vec<u8>,
}

/// What is kept of a block beside its parts.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct BlockMeta {
    /// Name of the block.
    #[prost(message, required, tag = "1")]
    pub block_id: BlockId,
    /// Bytes of the block's encoding.
    #[prost(int64, tag = "2")]
    pub block_size: i64,
    /// The header.
    #[prost(message, required, tag = "3")]
    pub header: Header,
    /// Count of transactions.
    #[prost(int64, tag = "4")]
    pub num_txs: i64,
}
