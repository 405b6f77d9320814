//! What a node says of itself.

use oasis_consensus_types::{
    node::Node,
    registry::{NodeStatus, Runtime},
    roothash::Timestamp as BlockTime,
    scheduler::Role,
    upgrade::PendingUpgrade,
};
use oasis_mkvs::Root;
use oasis_primitives::{
    cbor::{Cbor, NilMap, NilVec, OrNil},
    hash::Hash,
    json::{self, FromJson, Json, ToJson},
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

/// A runtime that the node supports. Source: go/control/api/api.go, `RuntimeStatus`.
#[derive(Clone, Debug, Default, PartialEq, Cbor, Json)]
pub struct RuntimeStatus {
    /// What is registered; none where it is not known.
    pub descriptor: Option<Runtime>,
    /// Round of the last block.
    pub latest_round: u64,
    /// Hash of the last block.
    pub latest_hash: Hash,
    /// Time of the last block.
    pub latest_time: BlockTime,
    /// Root of the runtime's state.
    pub latest_state_root: Root,
    /// Round of the first block.
    pub genesis_round: u64,
    /// Hash of the first block.
    pub genesis_hash: Hash,
    /// Round of the oldest block that the node has.
    pub last_retained_round: u64,
    /// Hash of that block.
    pub last_retained_hash: Hash,
    /// The node's part in the runtime's committees; none without one.
    pub committee: Option<CommitteeStatus>,
    /// What the node stores for the runtime; none where it does not.
    pub storage: Option<StorageStatus>,
}

/// A node's part in the committees of a runtime. Source: go/worker/common/api/api.go, `Status`.
#[derive(Clone, Debug, Default, PartialEq, Cbor, Json)]
pub struct CommitteeStatus {
    /// Round that the node is at.
    pub latest_round: u64,
    /// Height of the block with that round.
    pub latest_height: i64,
    /// Height of the last change of committees.
    pub last_committee_update_height: i64,
    /// Its parts in the executor committee.
    pub executor_roles: RoleList,
    /// Its parts in the storage committee.
    pub storage_roles: RoleList,
    /// Whether it orders the transactions of this round.
    pub is_txn_scheduler: bool,
    /// Peers of the runtime's network.
    pub peers: NilVec<String>,
}

/// What a node stores for a runtime. Source: go/worker/storage/api/api.go, `Status`.
#[derive(Clone, Debug, Default, PartialEq, Cbor, Json)]
pub struct StorageStatus {
    /// The last round that is whole.
    pub last_finalized_round: u64,
}

/// Parts in a committee: bytes in CBOR, names in JSON.
#[derive(Clone, Debug, Default, PartialEq, Cbor)]
#[cbor(transparent)]
pub struct RoleList(pub NilVec<u8>);

impl ToJson for RoleList {
    fn to_json(&self) -> json::Value {
        if self.0.is_nil() {
            return json::Value::Null;
        }
        json::Value::Array(self.0.iter().map(|role| Role(*role).to_json()).collect())
    }
}

impl FromJson for RoleList {
    fn from_json(value: &json::Value) -> Result<Self, json::Error> {
        if value.is_null() {
            return Ok(Self::default());
        }
        let roles = value.as_array().ok_or_else(|| json::Error::expected("roles", value))?;
        let roles = roles.iter().map(|role| Role::from_json(role).map(|role| role.0)).collect::<Result<Vec<_>, _>>()?;
        Ok(Self(roles.into()))
    }
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

#[cfg(test)]
mod tests {
    use oasis_primitives::cbor;

    use super::*;

    #[test]
    fn roles_are_bytes_in_cbor_and_names_in_json() {
        let roles = RoleList(vec![1, 2].into());
        assert_eq!(cbor::to_vec(&roles), [0x42, 1, 2]);
        assert_eq!(roles.to_json().to_string(), "[\"worker\",\"backup-worker\"]");
        assert_eq!(RoleList::from_json(&roles.to_json()).unwrap(), roles);
        assert_eq!((cbor::to_vec(&RoleList::default()), RoleList::default().to_json()), (vec![0xf6], json::Value::Null));
    }
}
