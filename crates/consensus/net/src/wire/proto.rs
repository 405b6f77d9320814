//! The protobuf messages of Tendermint's network, as the Go node writes them.
//!
//! Source: tendermint `proto/tendermint/p2p/{conn,types,pex}.proto`.

use bytes::Bytes;
use oasis_consensus_engine::proto::PublicKey;
use prost::{Message, Oneof};

/// The ephemeral key at the start of a handshake. Source: `google.protobuf.BytesValue`.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct BytesValue {
    /// 32 bytes.
    #[prost(bytes = "bytes", tag = "1")]
    pub value: Bytes,
}

/// Who a node is, with the proof.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct AuthSigMessage {
    /// The node's P2P key.
    #[prost(message, required, tag = "1")]
    pub pub_key: PublicKey,
    /// Signature of the challenge, 64 bytes.
    #[prost(bytes = "vec", tag = "2")]
    pub sig: Vec<u8>,
}

/// A message without fields: a ping, a pong, a request for addresses.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct PingPong {}

/// A piece of a message.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct PacketMsg {
    /// The channel, 0 to 255.
    #[prost(int32, tag = "1")]
    pub channel_id: i32,
    /// Whether the message ends with this piece.
    #[prost(bool, tag = "2")]
    pub eof: bool,
    /// The piece.
    #[prost(bytes = "bytes", tag = "3")]
    pub data: Bytes,
}

/// A packet of any kind.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct PacketMessage {
    /// The kind.
    #[prost(oneof = "PacketSum", tags = "1, 2, 3")]
    pub sum: Option<PacketSum>,
}

/// Kinds of packets.
#[derive(Clone, PartialEq, Eq, Oneof)]
pub enum PacketSum {
    /// Are you there?
    #[prost(message, tag = "1")]
    Ping(PingPong),
    /// Yes.
    #[prost(message, tag = "2")]
    Pong(PingPong),
    /// A piece of a message.
    #[prost(message, tag = "3")]
    Msg(PacketMsg),
}

/// Versions of the protocols that a node speaks.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct ProtocolVersion {
    /// The network's, 8.
    #[prost(uint64, tag = "1")]
    pub p2p: u64,
    /// The blocks', 11.
    #[prost(uint64, tag = "2")]
    pub block: u64,
    /// The application's.
    #[prost(uint64, tag = "3")]
    pub app: u64,
}

/// What a node says of itself.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct NodeInfoMessage {
    /// Versions.
    #[prost(message, required, tag = "1")]
    pub protocol_version: ProtocolVersion,
    /// The node's name, 40 hexadecimal digits.
    #[prost(string, tag = "2")]
    pub default_node_id: String,
    /// Where it listens.
    #[prost(string, tag = "3")]
    pub listen_addr: String,
    /// The chain.
    #[prost(string, tag = "4")]
    pub network: String,
    /// Version of the software.
    #[prost(string, tag = "5")]
    pub version: String,
    /// Channels that it knows, a byte each.
    #[prost(bytes = "vec", tag = "6")]
    pub channels: Vec<u8>,
    /// Its operator's name for it.
    #[prost(string, tag = "7")]
    pub moniker: String,
    /// More.
    #[prost(message, required, tag = "8")]
    pub other: NodeInfoOther,
}

/// More of what a node says of itself.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct NodeInfoOther {
    /// Whether transactions are indexed: `on`, `off` or nothing.
    #[prost(string, tag = "1")]
    pub tx_index: String,
    /// Where its RPC listens.
    #[prost(string, tag = "2")]
    pub rpc_address: String,
}

/// Where a node may be found.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct NetAddressMessage {
    /// Its name, 40 hexadecimal digits.
    #[prost(string, tag = "1")]
    pub id: String,
    /// Its IP address.
    #[prost(string, tag = "2")]
    pub ip: String,
    /// Its port.
    #[prost(uint32, tag = "3")]
    pub port: u32,
}

/// Addresses, as an answer.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct PexAddrs {
    /// The addresses.
    #[prost(message, repeated, tag = "1")]
    pub addrs: Vec<NetAddressMessage>,
}

/// A message of the exchange of addresses.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct PexMessage {
    /// The kind.
    #[prost(oneof = "PexSum", tags = "1, 2")]
    pub sum: Option<PexSum>,
}

/// Kinds of messages of the exchange of addresses.
#[derive(Clone, PartialEq, Eq, Oneof)]
pub enum PexSum {
    /// Whom do you know?
    #[prost(message, tag = "1")]
    Request(PingPong),
    /// These.
    #[prost(message, tag = "2")]
    Addrs(PexAddrs),
}
