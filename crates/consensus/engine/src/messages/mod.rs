//! Messages between nodes: what each channel carries, how it is read, and what no honest node sends.
//!
//! Reading is as lenient as the original's: unknown fields, other orders and long integers pass. What a message may cost is
//! bounded by the largest message of its channel, which is checked here as well as by the connection.

mod blocksync;
mod channels;
mod consensus;
mod evidence;
mod mempool;
mod statesync;

use prost::Message;
use thiserror::Error;

use crate::{
    error::VerifyError,
    proto::{Lenient, decode_lenient},
};

pub use blocksync::{BlockRequest, BlockResponse, BlockSyncMessage, NoBlockResponse, StatusRequest, StatusResponse};
pub use channels::{CHANNELS, ChannelId, ChannelInfo, MAX_TX_BYTES, channel};
pub use consensus::{
    BlockPartMessage, ConsensusMessage, HasVoteMessage, MAX_VOTES, NewRoundStepMessage, NewValidBlockMessage, ProposalMessage,
    ProposalPolMessage, RoundStep, VoteMessage, VoteSetBitsMessage, VoteSetMaj23Message,
};
pub use evidence::EvidenceMessage;
pub use mempool::TxsMessage;
pub use statesync::{ChunkRequest, ChunkResponse, SnapshotsRequest, SnapshotsResponse, StateSyncMessage};

/// Why a message of a peer was refused: the peer is to be dropped.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum MessageError {
    /// Longer than any message of its channel.
    #[error("message of {found} bytes, at most {limit} are expected")]
    TooLong {
        /// Most bytes.
        limit: usize,
        /// Bytes that came.
        found: usize,
    },
    /// Not protobuf of this type.
    #[error("malformed message: {0}")]
    Malformed(String),
    /// None of the kinds that this channel carries.
    #[error("a message of no known kind")]
    UnknownKind,
    /// Something that no honest node sends.
    #[error("invalid message: {0}")]
    Invalid(#[from] VerifyError),
}

/// Reads protobuf as the original does, up to a length.
pub(crate) fn lenient<M: Message + Default>(bytes: &[u8], limit: usize) -> Result<M, MessageError> {
    if bytes.len() > limit {
        return Err(MessageError::TooLong { limit, found: bytes.len() });
    }
    M::decode(bytes).map_err(|e| MessageError::Malformed(e.to_string()))
}

/// Like [`lenient`], for messages with times or evidence, of which the original reads odd encodings in its own way.
pub(crate) fn lenient_as_original<M: Lenient>(bytes: &[u8], limit: usize) -> Result<M, MessageError> {
    if bytes.len() > limit {
        return Err(MessageError::TooLong { limit, found: bytes.len() });
    }
    decode_lenient(bytes).map_err(|e| MessageError::Malformed(e.to_string()))
}

#[cfg(test)]
mod tests;
