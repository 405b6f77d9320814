//! What a node says of itself.

use oasis_consensus_types::{node::Node, registry::NodeStatus, upgrade::PendingUpgrade};
use oasis_mkvs::Root;
use oasis_primitives::{
    cbor::{Cbor, NilMap, NilVec, OrNil},
    hash::Hash,
    json::Json,
    namespace::Namespace,
    signature::PublicKey,
    time::Timestamp,
    version::Version,
};

/// The node's part in its network is followed by services.
///
/// Source: go/consensus/api/api.go, `FeatureServices`.
pub const FEATURE_SERVICES: u8 = 1;
/// The node verifies every block itself. Source: go/consensus/api/api.go, `FeatureFullNode`.
pub const FEATURE_FULL_NODE: u8 = 2;

/// The state of a node. Source: go/control/api/api.go, `Status`.
#[derive(Clone, Debug, Default, PartialEq, Cbor, Json)]
pub struct Status {
    /// Version of the program.
    pub software_version: String,
    /// The node's keys.
    pub identity: IdentityStatus,
    /// The consensus layer.
    pub consensus: ConsensusStatus,
    /// The runtimes that the node supports.
    pub runtimes: NilMap<Namespace, RuntimeStatus>,
    /// The node's registration.
    pub registration: RegistrationStatus,
    /// Upgrades that the node knows of.
    pub pending_upgrades: NilVec<OrNil<PendingUpgrade>>,
}

/// The keys of a node. Source: go/control/api/api.go, `IdentityStatus`.
#[derive(Clone, Debug, Default, PartialEq, Cbor, Json)]
pub struct IdentityStatus {
    /// The node's key.
    pub node: PublicKey,
    /// The key of its connections.
    pub p2p: PublicKey,
    /// The key of its votes.
    pub consensus: PublicKey,
    /// Keys of its TLS certificates.
    pub tls: NilVec<PublicKey>,
}

/// The registration of a node. Source: go/control/api/api.go, `RegistrationStatus`.
#[derive(Clone, Debug, Default, PartialEq, Cbor, Json)]
pub struct RegistrationStatus {
    /// When it last succeeded; the zero time for never.
    pub last_registration: Timestamp,
    /// What was registered.
    #[cbor(omitempty)]
    pub descriptor: Option<Node>,
    /// What the registry knows of the node besides.
    #[cbor(omitempty)]
    pub node_status: Option<NodeStatus>,
}

/// A runtime, as far as a node without runtimes reads it. Source: go/control/api/api.go, `RuntimeStatus`.
#[derive(Clone, Debug, Default, PartialEq, Cbor, Json)]
pub struct RuntimeStatus {
    /// Round of the last block.
    pub latest_round: u64,
    /// Hash of the last block.
    pub latest_hash: Hash,
    /// Round of the first block.
    pub genesis_round: u64,
    /// Hash of the first block.
    pub genesis_hash: Hash,
}

/// The consensus layer. Source: go/consensus/api/api.go, `Status`.
#[derive(Clone, Debug, Default, PartialEq, Cbor, Json)]
pub struct ConsensusStatus {
    /// The protocol.
    pub version: Version,
    /// The engine.
    pub backend: String,
    /// `full` or `archive`.
    pub mode: String,
    /// What the node can do, of the `FEATURE_…` constants.
    pub features: u8,
    /// Peers, ID@IP:port.
    pub node_peers: NilVec<String>,
    /// Height of the last block.
    pub latest_height: i64,
    /// Hash of the last block.
    pub latest_hash: Hash,
    /// Time of the last block.
    pub latest_time: Timestamp,
    /// Epoch of the last block.
    pub latest_epoch: u64,
    /// Root of the state before the last block.
    pub latest_state_root: Root,
    /// Height of the first block.
    pub genesis_height: i64,
    /// Hash of the first block; empty where the node does not have it.
    pub genesis_hash: Hash,
    /// Height of the oldest block that the node has.
    pub last_retained_height: i64,
    /// Hash of that block.
    pub last_retained_hash: Hash,
    /// The network: hash of its genesis document.
    pub chain_context: String,
    /// Whether the node is one of the validators of the next block.
    pub is_validator: bool,
}
