//! What the application answers.

use prost::Message;

use super::types::{EvidenceParams, PublicKey, ValidatorParams, VersionParams};

/// Everything the application answered for a block. Source: state/types.proto, `ABCIResponses`.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct AbciResponses {
    /// One a transaction.
    #[prost(message, repeated, tag = "1")]
    pub deliver_txs: Vec<ResponseDeliverTx>,
    /// At the block's end.
    #[prost(message, optional, tag = "2")]
    pub end_block: Option<ResponseEndBlock>,
    /// At the block's beginning.
    #[prost(message, optional, tag = "3")]
    pub begin_block: Option<ResponseBeginBlock>,
}

/// Source: abci/types.proto.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct ResponseBeginBlock {
    /// Events, in order.
    #[prost(message, repeated, tag = "1")]
    pub events: Vec<Event>,
}

/// The result of a transaction. Source: abci/types.proto.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct ResponseDeliverTx {
    /// 0 for success, otherwise the error's code in its codespace.
    #[prost(uint32, tag = "1")]
    pub code: u32,
    /// What the transaction returned, in CBOR.
    #[prost(bytes = "vec", tag = "2")]
    pub data: Vec<u8>,
    /// Text for people, not the same everywhere.
    #[prost(bytes = "vec", tag = "3")]
    pub log: Vec<u8>,
    /// Text for people, not used.
    #[prost(bytes = "vec", tag = "4")]
    pub info: Vec<u8>,
    /// Gas limit.
    #[prost(int64, tag = "5")]
    pub gas_wanted: i64,
    /// Gas used.
    #[prost(int64, tag = "6")]
    pub gas_used: i64,
    /// Events, in order.
    #[prost(message, repeated, tag = "7")]
    pub events: Vec<Event>,
    /// The error's module.
    #[prost(string, tag = "8")]
    pub codespace: String,
}

/// Source: abci/types.proto.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct ResponseEndBlock {
    /// Changes of the validator set, in force from the block after the next.
    #[prost(message, repeated, tag = "1")]
    pub validator_updates: Vec<ValidatorUpdate>,
    /// Changes of the parameters, in force from the next block.
    #[prost(message, optional, tag = "2")]
    pub consensus_param_updates: Option<AbciConsensusParams>,
    /// Events, in order.
    #[prost(message, repeated, tag = "3")]
    pub events: Vec<Event>,
}

/// Changes of the parameters; what is absent stays. Source: abci/types.proto, `ConsensusParams`.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct AbciConsensusParams {
    /// Limits on blocks.
    #[prost(message, optional, tag = "1")]
    pub block: Option<AbciBlockParams>,
    /// Limits on evidence.
    #[prost(message, optional, tag = "2")]
    pub evidence: Option<EvidenceParams>,
    /// Kinds of keys.
    #[prost(message, optional, tag = "3")]
    pub validator: Option<ValidatorParams>,
    /// The application's protocol.
    #[prost(message, optional, tag = "4")]
    pub version: Option<VersionParams>,
}

/// Limits on blocks. Source: abci/types.proto, `BlockParams`.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct AbciBlockParams {
    /// Largest block, in bytes.
    #[prost(int64, tag = "1")]
    pub max_bytes: i64,
    /// Most gas in a block, -1 for no limit.
    #[prost(int64, tag = "2")]
    pub max_gas: i64,
}

/// Something that happened. Source: abci/types.proto.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Event {
    /// The application's event type.
    #[prost(string, tag = "1")]
    pub r#type: String,
    /// Its attributes, in order.
    #[prost(message, repeated, tag = "2")]
    pub attributes: Vec<EventAttribute>,
}

/// Source: abci/types.proto.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct EventAttribute {
    /// Name of the attribute.
    #[prost(bytes = "vec", tag = "1")]
    pub key: Vec<u8>,
    /// Its value, mostly CBOR.
    #[prost(bytes = "vec", tag = "2")]
    pub value: Vec<u8>,
    /// Whether an indexer should keep it.
    #[prost(bool, tag = "3")]
    pub index: bool,
}

/// A change of a validator. Source: abci/types.proto.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct ValidatorUpdate {
    /// The key.
    #[prost(message, required, tag = "1")]
    pub pub_key: PublicKey,
    /// The new power, 0 to remove it.
    #[prost(int64, tag = "2")]
    pub power: i64,
}
