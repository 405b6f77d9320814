//! Many channels over one connection.
//!
//! Source: tendermint `p2p/conn/connection.go`, `MConnection`.

mod drive;
mod limiter;
mod packet;
mod receive;
mod send;

use std::time::Duration;

pub(crate) use drive::{Link, Stop, run};
pub use limiter::Limiter;
pub use packet::{Packet, PacketError, max_packet_size};
pub use receive::{Assembler, ReceiveError};
pub use send::{SendError, SendQueues};

/// A channel: what a kind of messages may take up.
///
/// Source: `ChannelDescriptor`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChannelDescriptor {
    /// Its number.
    pub id: u8,
    /// Its share of the connection, against the others'; at least 1.
    pub priority: u32,
    /// Messages that the original lets wait; here bytes bound what waits, see [`ConnectionConfig::send_queue_bytes`].
    pub send_queue_capacity: usize,
    /// Bytes set aside for a message that comes in pieces.
    pub recv_buffer_capacity: usize,
    /// Most bytes of a message.
    pub recv_message_capacity: usize,
}

impl ChannelDescriptor {
    /// A channel with the original's defaults: 4,096 bytes set aside, messages up to 22,020,096 bytes. Source: `FillDefaults`.
    pub const fn new(id: u8, priority: u32) -> Self {
        Self { id, priority, send_queue_capacity: 1, recv_buffer_capacity: 4096, recv_message_capacity: 22_020_096 }
    }
}

/// How connections behave.
///
/// Source: `MConnConfig`.
#[derive(Clone, Debug)]
pub struct ConnectionConfig {
    /// Most bytes sent in a second; 0 for any.
    pub send_rate: u64,
    /// Most bytes received in a second; 0 for any.
    pub recv_rate: u64,
    /// Most bytes of a message in one packet.
    pub max_packet_payload: usize,
    /// Least time between two writes of less than a whole buffer. What comes after a quiet time is written at once.
    ///
    /// The original waits 100 ms before every such write; that only delays votes, so it is 10 ms here.
    pub flush_throttle: Duration,
    /// Time between two pings.
    pub ping_interval: Duration,
    /// Most time that a pong, or a single write, may take.
    pub pong_timeout: Duration,
    /// Most time from the first to the last piece of a message.
    pub message_timeout: Duration,
    /// Most bytes of messages that wait to be sent to one peer; over it the peer is dropped.
    pub send_queue_bytes: usize,
    /// Most bytes of one peer's messages that wait for the engine; beyond them nothing more is read from it.
    pub recv_queue_bytes: usize,
}

impl Default for ConnectionConfig {
    fn default() -> Self {
        Self {
            send_rate: 5_120_000,
            recv_rate: 5_120_000,
            max_packet_payload: 1024,
            flush_throttle: Duration::from_millis(10),
            ping_interval: Duration::from_secs(60),
            pong_timeout: Duration::from_secs(45),
            message_timeout: Duration::from_secs(300),
            send_queue_bytes: 32 << 20,
            recv_queue_bytes: 32 << 20,
        }
    }
}
