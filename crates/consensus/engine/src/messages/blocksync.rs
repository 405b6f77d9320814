//! Channel 0x40: blocks of the past.

use prost::{Message, Oneof};

use super::{ChannelId, MessageError, channels::max_message, consensus::not_negative, lenient};
use crate::error::{VerifyError, ensure};

/// Asks for a block.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct BlockRequest {
    /// Its height.
    #[prost(int64, tag = "1")]
    pub height: i64,
}

/// The block that was asked for is not there.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct NoBlockResponse {
    /// Its height.
    #[prost(int64, tag = "1")]
    pub height: i64,
}

/// A block.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct BlockResponse {
    /// The block's encoding, not yet looked at.
    #[prost(bytes = "vec", optional, tag = "1")]
    pub block: Option<Vec<u8>>,
}

/// Asks which blocks a node has.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct StatusRequest {}

/// Which blocks a node has.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct StatusResponse {
    /// The last.
    #[prost(int64, tag = "1")]
    pub height: i64,
    /// The first.
    #[prost(int64, tag = "2")]
    pub base: i64,
}

/// A message of block sync. Source: tendermint `proto/tendermint/blockchain/types.proto`, `Message`.
#[derive(Clone, PartialEq, Eq, Oneof)]
pub enum BlockSyncMessage {
    /// Asks for a block.
    #[prost(message, tag = "1")]
    BlockRequest(BlockRequest),
    /// There is no such block.
    #[prost(message, tag = "2")]
    NoBlockResponse(NoBlockResponse),
    /// A block.
    #[prost(message, tag = "3")]
    BlockResponse(BlockResponse),
    /// Asks which blocks there are.
    #[prost(message, tag = "4")]
    StatusRequest(StatusRequest),
    /// Which blocks there are.
    #[prost(message, tag = "5")]
    StatusResponse(StatusResponse),
}

#[derive(Clone, PartialEq, Message)]
struct Envelope {
    #[prost(oneof = "BlockSyncMessage", tags = "1, 2, 3, 4, 5")]
    sum: Option<BlockSyncMessage>,
}

impl BlockSyncMessage {
    /// Reads and checks a message; a block in it is left as bytes, for [`crate::CheckedBlock`] to read.
    ///
    /// Source: tendermint `blockchain/msgs.go`, `DecodeMsg`, `ValidateMsg`.
    pub fn decode(bytes: &[u8]) -> Result<Self, MessageError> {
        let envelope: Envelope = lenient(bytes, max_message(ChannelId::BLOCKCHAIN))?;
        let message = envelope.sum.ok_or(MessageError::UnknownKind)?;
        message.check_basic()?;
        Ok(message)
    }

    /// The bytes to send.
    pub fn to_bytes(self) -> Vec<u8> {
        Envelope { sum: Some(self) }.encode_to_vec()
    }

    fn check_basic(&self) -> Result<(), VerifyError> {
        match self {
            Self::BlockRequest(BlockRequest { height }) | Self::NoBlockResponse(NoBlockResponse { height }) => {
                not_negative("height", *height)
            }
            Self::BlockResponse(m) => ensure(m.block.is_some(), "block", "a block", "nothing"),
            Self::StatusRequest(_) => Ok(()),
            Self::StatusResponse(m) => {
                not_negative("base", m.base)?;
                not_negative("height", m.height)?;
                ensure(m.base <= m.height, "base", format_args!("up to {}", m.height), m.base)
            }
        }
    }
}
