//! Channels 0x60 and 0x61: snapshots of the state.

use prost::{Message, Oneof};

use super::{ChannelId, MessageError, channels::max_message, lenient};
use crate::error::{VerifyError, ensure};

/// Asks which snapshots a node has.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct SnapshotsRequest {}

/// A snapshot that a node has.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct SnapshotsResponse {
    /// Height of the state.
    #[prost(uint64, tag = "1")]
    pub height: u64,
    /// Format, 1 in the original.
    #[prost(uint32, tag = "2")]
    pub format: u32,
    /// Count of chunks.
    #[prost(uint32, tag = "3")]
    pub chunks: u32,
    /// Hash, chosen by the application.
    #[prost(bytes = "vec", tag = "4")]
    pub hash: Vec<u8>,
    /// What the application needs to know of it.
    #[prost(bytes = "vec", tag = "5")]
    pub metadata: Vec<u8>,
}

/// Asks for a chunk of a snapshot.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct ChunkRequest {
    /// Height of the snapshot.
    #[prost(uint64, tag = "1")]
    pub height: u64,
    /// Its format.
    #[prost(uint32, tag = "2")]
    pub format: u32,
    /// The chunk.
    #[prost(uint32, tag = "3")]
    pub index: u32,
}

/// A chunk of a snapshot.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct ChunkResponse {
    /// Height of the snapshot.
    #[prost(uint64, tag = "1")]
    pub height: u64,
    /// Its format.
    #[prost(uint32, tag = "2")]
    pub format: u32,
    /// The chunk.
    #[prost(uint32, tag = "3")]
    pub index: u32,
    /// Its bytes.
    #[prost(bytes = "vec", tag = "4")]
    pub chunk: Vec<u8>,
    /// Whether there is no such chunk.
    #[prost(bool, tag = "5")]
    pub missing: bool,
}

/// A message of state sync. Source: tendermint `proto/tendermint/statesync/types.proto`, `Message`.
#[derive(Clone, PartialEq, Eq, Oneof)]
pub enum StateSyncMessage {
    /// Asks for snapshots.
    #[prost(message, tag = "1")]
    SnapshotsRequest(SnapshotsRequest),
    /// A snapshot.
    #[prost(message, tag = "2")]
    SnapshotsResponse(SnapshotsResponse),
    /// Asks for a chunk.
    #[prost(message, tag = "3")]
    ChunkRequest(ChunkRequest),
    /// A chunk.
    #[prost(message, tag = "4")]
    ChunkResponse(ChunkResponse),
}

#[derive(Clone, PartialEq, Message)]
struct Envelope {
    #[prost(oneof = "StateSyncMessage", tags = "1, 2, 3, 4")]
    sum: Option<StateSyncMessage>,
}

impl StateSyncMessage {
    /// Reads and checks a message. Source: tendermint `statesync/messages.go`, `decodeMsg`, `validateMsg`.
    pub fn decode(bytes: &[u8]) -> Result<Self, MessageError> {
        let envelope: Envelope = lenient(bytes, max_message(ChannelId::CHUNK))?;
        let message = envelope.sum.ok_or(MessageError::UnknownKind)?;
        message.check_basic()?;
        Ok(message)
    }

    /// The bytes to send.
    pub fn to_bytes(self) -> Vec<u8> {
        Envelope { sum: Some(self) }.encode_to_vec()
    }

    /// The channel it goes over.
    pub fn channel(&self) -> ChannelId {
        match self {
            Self::SnapshotsRequest(_) | Self::SnapshotsResponse(_) => ChannelId::SNAPSHOT,
            Self::ChunkRequest(_) | Self::ChunkResponse(_) => ChannelId::CHUNK,
        }
    }

    /// An empty chunk is refused like a missing one: on the wire the original tells them apart no better.
    fn check_basic(&self) -> Result<(), VerifyError> {
        let not_zero = |field: &str, zero: bool| ensure(!zero, field, "something", "nothing");
        match self {
            Self::SnapshotsRequest(_) => Ok(()),
            Self::SnapshotsResponse(m) => {
                not_zero("height", m.height == 0)?;
                not_zero("hash", m.hash.is_empty())?;
                not_zero("chunks", m.chunks == 0)
            }
            Self::ChunkRequest(m) => not_zero("height", m.height == 0),
            Self::ChunkResponse(m) => {
                not_zero("height", m.height == 0)?;
                ensure(m.missing == m.chunk.is_empty(), "chunk", "bytes, unless it is missing", m.chunk.len())
            }
        }
    }
}
