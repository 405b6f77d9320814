//! The peer-to-peer network of Tendermint 0.34, as Oasis sets it up.
//!
//! From the inside out: bytes of messages ([`wire`]), encrypted connections ([`secret`]), channels over one connection
//! ([`mux`]), what nodes say of themselves ([`NodeInfo`]), whom we know of ([`book`]), and the whole ([`Network`]).
//! Codecs and rules are written without sockets; only few modules touch one.

#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

mod address;
pub mod book;
mod manager;
pub mod mux;
mod network;
mod node_info;
mod pex;
mod reason;
mod redial;
mod rng;
pub mod secret;
mod upgrade;
pub mod wire;

pub use address::{AddressError, NetAddress, PeerAddress};
pub use mux::{ChannelDescriptor, ConnectionConfig, SendError};
pub use network::{NetConfig, NetEvent, NetEvents, Network, NetworkHandle, PeerSnapshot, StartError};
pub use node_info::{MAX_NODE_INFO, NodeInfo, NodeInfoError, P2P_PROTOCOL};
pub use oasis_consensus_engine::PeerId;
pub use pex::{Exchange, PEX_CHANNEL, PEX_DESCRIPTOR, PexFault};
pub use reason::Reason;
pub use rng::Rng;
pub use upgrade::UpgradeError;
