//! What nodes say of themselves, and whether they fit together.
//!
//! Source: tendermint `p2p/node_info.go`.

use bytes::{Bytes, BytesMut};
use oasis_consensus_engine::PeerId;
use thiserror::Error;

use crate::{
    address::{NetAddress, split_host_port},
    wire::{NodeInfoMessage, NodeInfoOther, ProtocolVersion, WireError, decode, put_delimited},
};

/// Version of the network's protocol. Source: tendermint `version/version.go`, `P2PProtocol`.
pub const P2P_PROTOCOL: u64 = 8;
/// Most bytes of what a node says of itself. Source: `maxNodeInfoSize`.
pub const MAX_NODE_INFO: usize = 10_240;
/// Most channels of a node. Source: `maxNumChannels`.
const MAX_CHANNELS: usize = 16;

/// What a node says of itself.
///
/// Source: `DefaultNodeInfo`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeInfo {
    /// Version of the network's protocol, 8.
    pub p2p_version: u64,
    /// Version of the blocks' protocol, 11.
    pub block_version: u64,
    /// Version of the application's protocol.
    pub app_version: u64,
    /// The node's name.
    pub id: PeerId,
    /// Where it says that it listens, such as `tcp://1.2.3.4:26656`; nobody checked that.
    pub listen_addr: String,
    /// The chain: the first 50 characters of the chain context.
    pub network: String,
    /// Version of the software, may be empty.
    pub version: String,
    /// Its channels.
    pub channels: Vec<u8>,
    /// Its operator's name for it.
    pub moniker: String,
    /// Whether transactions are indexed: `on`, `off` or nothing.
    pub tx_index: String,
    /// Where its RPC listens, may be empty.
    pub rpc_address: String,
}

/// Why what a node says of itself was refused.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum NodeInfoError {
    /// Not what it should be.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// The ID is none.
    #[error("the node's ID has not 40 hexadecimal digits in lower case")]
    Id,
    /// A field is not what it should be.
    #[error("{field} of the node: {problem}")]
    Field {
        /// The field.
        field: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// Another protocol for blocks.
    #[error("block protocol {found}, expected {expected}")]
    BlockVersion {
        /// The peer's.
        found: u64,
        /// Ours.
        expected: u64,
    },
    /// Another chain.
    #[error("chain {found:?}, expected {expected:?}")]
    Network {
        /// The peer's.
        found: String,
        /// Ours.
        expected: String,
    },
    /// No channel in common.
    #[error("no channel in common: we have {ours:02x?}, the peer {theirs:02x?}")]
    Channels {
        /// Ours.
        ours: Vec<u8>,
        /// The peer's.
        theirs: Vec<u8>,
    },
}

impl NodeInfo {
    /// As bytes behind their length.
    pub fn encode(&self) -> Bytes {
        let message = NodeInfoMessage {
            protocol_version: ProtocolVersion { p2p: self.p2p_version, block: self.block_version, app: self.app_version },
            default_node_id: self.id.to_string(),
            listen_addr: self.listen_addr.clone(),
            network: self.network.clone(),
            version: self.version.clone(),
            channels: self.channels.clone(),
            moniker: self.moniker.clone(),
            other: NodeInfoOther { tx_index: self.tx_index.clone(), rpc_address: self.rpc_address.clone() },
        };
        let mut out = BytesMut::new();
        put_delimited(&message, &mut out);
        out.freeze()
    }

    /// From a message, without its length; the fields are checked.
    pub fn decode(bytes: &Bytes) -> Result<Self, NodeInfoError> {
        let m: NodeInfoMessage = decode(bytes, "node information")?;
        let id: PeerId = m.default_node_id.parse().map_err(|_| NodeInfoError::Id)?;
        if id.to_string() != m.default_node_id {
            return Err(NodeInfoError::Id);
        }
        let info = Self {
            p2p_version: m.protocol_version.p2p,
            block_version: m.protocol_version.block,
            app_version: m.protocol_version.app,
            id,
            listen_addr: m.listen_addr,
            network: m.network,
            version: m.version,
            channels: m.channels,
            moniker: m.moniker,
            tx_index: m.other.tx_index,
            rpc_address: m.other.rpc_address,
        };
        info.check()?;
        Ok(info)
    }

    /// Checks the fields for themselves.
    ///
    /// Source: `DefaultNodeInfo.Validate`; hosts that a peer names are not looked up here.
    pub fn check(&self) -> Result<(), NodeInfoError> {
        let bad = |field, problem| Err(NodeInfoError::Field { field, problem });
        if split_host_port(host_port(&self.listen_addr)).is_none() {
            return bad("listen address", "expected host:port");
        }
        if !self.version.is_empty() && !is_text(&self.version) {
            return bad("version", "expected printable ASCII");
        }
        if self.channels.len() > MAX_CHANNELS {
            return bad("channels", "more than 16");
        }
        if self.channels.iter().enumerate().any(|(at, channel)| self.channels.iter().take(at).any(|c| c == channel)) {
            return bad("channels", "one of them twice");
        }
        if !is_text(&self.moniker) {
            return bad("moniker", "expected printable ASCII");
        }
        if !matches!(self.tx_index.as_str(), "" | "on" | "off") {
            return bad("transaction index", "expected on, off or nothing");
        }
        if !self.rpc_address.is_empty() && !is_text(&self.rpc_address) {
            return bad("RPC address", "expected printable ASCII");
        }
        Ok(())
    }

    /// Whether a peer is of the same network. Source: `CompatibleWith`.
    pub fn check_compatible(&self, peer: &Self) -> Result<(), NodeInfoError> {
        if peer.block_version != self.block_version {
            return Err(NodeInfoError::BlockVersion { found: peer.block_version, expected: self.block_version });
        }
        if peer.network != self.network {
            let found = peer.network.chars().take(100).collect();
            return Err(NodeInfoError::Network { found, expected: self.network.clone() });
        }
        if !self.channels.is_empty() && !self.channels.iter().any(|c| peer.channels.contains(c)) {
            return Err(NodeInfoError::Channels { ours: self.channels.clone(), theirs: peer.channels.clone() });
        }
        Ok(())
    }

    /// Where the node says that it listens, where that is an IP address.
    pub fn address(&self) -> Option<NetAddress> {
        let (host, port) = split_host_port(host_port(&self.listen_addr))?;
        let ip: std::net::IpAddr = host.parse().ok()?;
        Some(NetAddress { id: self.id, ip: ip.to_canonical(), port })
    }
}

/// Drops the protocol. Source: tendermint `p2p/netaddress.go`, `removeProtocolIfDefined`.
fn host_port(address: &str) -> &str {
    address.split_once("://").map_or(address, |(_, rest)| rest)
}

/// Printable ASCII with something to see. Source: tendermint `libs/strings`, `IsASCIIText`, `ASCIITrim`.
fn is_text(text: &str) -> bool {
    text.bytes().all(|b| (32..=126).contains(&b)) && text.bytes().any(|b| b != 32)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn info() -> NodeInfo {
        NodeInfo {
            p2p_version: 8,
            block_version: 11,
            app_version: 4,
            id: PeerId([7; 20]),
            listen_addr: "tcp://0.0.0.0:26656".into(),
            network: "c".repeat(50),
            version: String::new(),
            channels: vec![0x40, 0x20, 0],
            moniker: "node".into(),
            tx_index: "off".into(),
            rpc_address: String::new(),
        }
    }

    fn again(info: &NodeInfo) -> Result<NodeInfo, NodeInfoError> {
        let mut bytes = BytesMut::from(&info.encode()[..]);
        NodeInfo::decode(&crate::wire::take_delimited(&mut bytes, MAX_NODE_INFO).unwrap().unwrap())
    }

    #[test]
    fn what_a_node_says_comes_back() {
        assert_eq!(again(&info()), Ok(info()));
        assert_eq!(info().address(), Some(format!("{}@0.0.0.0:26656", info().id).parse().unwrap()));
        let by_name = NodeInfo { listen_addr: "tcp://node.example.org:26656".into(), ..info() };
        assert_eq!(again(&by_name).unwrap().address(), None);
    }

    #[test]
    fn fields_that_make_no_sense_are_refused() {
        let bad: [fn(&mut NodeInfo); 9] = [
            |i| i.listen_addr = String::new(),
            |i| i.listen_addr = "tcp://0.0.0.0".into(),
            |i| i.version = "\u{1}".into(),
            |i| i.channels = (0..17).collect(),
            |i| i.channels = vec![1, 2, 1],
            |i| i.moniker = "  ".into(),
            |i| i.moniker = "m\u{fc}ller".into(),
            |i| i.tx_index = "maybe".into(),
            |i| i.rpc_address = "\t".into(),
        ];
        for change in bad {
            let mut info = info();
            change(&mut info);
            assert!(matches!(again(&info), Err(NodeInfoError::Field { .. })), "{info:?}");
        }
    }

    #[test]
    fn nodes_of_other_networks_are_refused() {
        let ours = info();
        assert_eq!(ours.check_compatible(&NodeInfo { app_version: 9, p2p_version: 7, channels: vec![0], ..info() }), Ok(()));
        let other = NodeInfo { network: "d".repeat(50), ..info() };
        assert!(matches!(ours.check_compatible(&other), Err(NodeInfoError::Network { .. })));
        let other = NodeInfo { block_version: 10, ..info() };
        assert!(matches!(ours.check_compatible(&other), Err(NodeInfoError::BlockVersion { found: 10, expected: 11 })));
        let other = NodeInfo { channels: vec![0x99], ..info() };
        assert!(matches!(ours.check_compatible(&other), Err(NodeInfoError::Channels { .. })));
    }

    proptest! {
        #[test]
        fn any_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = NodeInfo::decode(&bytes.into());
        }

        #[test]
        fn changed_bytes_are_answered(at in 0usize..150, byte: u8) {
            let mut bytes = info().encode()[1..].to_vec();
            let len = bytes.len();
            bytes[at % len] = byte;
            if let Ok(info) = NodeInfo::decode(&bytes.clone().into()) {
                prop_assert_eq!(&again(&info).unwrap(), &info);
            }
        }
    }
}
