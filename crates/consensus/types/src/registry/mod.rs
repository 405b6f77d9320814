//! The registry of entities, nodes and runtimes.
//!
//! Source: go/registry/api.

mod parameters;
mod runtime;
mod stake;

use std::collections::BTreeMap;

use oasis_primitives::{
    cbor::{Cbor, NilVec, OrNil},
    hash::Hash,
    json::Json,
    namespace::Namespace,
    signature::{Context, PublicKey},
};

pub use parameters::{
    AdmissionPolicy, AnyNodePolicy, EntityWhitelistConfig, EntityWhitelistPolicy, ExecutorParameters, LimitConstraint,
    RuntimeStakingParameters, SchedulingConstraints, StorageParameters, TXN_SCHEDULER_SIMPLE, TxnSchedulerParameters,
    ValidatorSetConstraint,
};
pub use runtime::{GovernanceModel, LATEST_RUNTIME_DESCRIPTOR_VERSION, LogEntry, Runtime, RuntimeGenesis, RuntimeKind, VersionInfo};
pub use stake::{
    STAKE_CLAIM_REGISTER_ENTITY, stake_claim_for_node, stake_claim_for_runtime, stake_thresholds_for_node, stake_thresholds_for_runtime,
};

use crate::{
    entity::{Entity, SignedEntity},
    errors::Code,
    node::{MultiSignedNode, Node, Roles},
    transaction::Costs,
};

/// The module of the registry's errors and methods.
pub const MODULE_NAME: &str = "registry";

macro_rules! errors {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $text:literal;)*) => {$(
        $(#[$doc])*
        pub const $name: Code = Code::new(MODULE_NAME, $code, concat!("registry: ", $text));
    )*};
}

errors! {
    /// An argument is malformed.
    ERR_INVALID_ARGUMENT = 1, "invalid argument";
    /// A signature is wrong.
    ERR_INVALID_SIGNATURE = 2, "invalid signature";
    /// The node's entity is not the one that may act.
    ERR_BAD_ENTITY_FOR_NODE = 3, "unknown entity in node registration";
    /// The runtime's entity is unknown.
    ERR_BAD_ENTITY_FOR_RUNTIME = 4, "unknown entity in runtime registration";
    /// A runtime for a trusted environment names no enclaves.
    ERR_NO_ENCLAVE_FOR_RUNTIME = 5, "no enclaves for TEE runtime registration";
    /// A node has an enclave that the runtime does not allow.
    ERR_BAD_ENCLAVE_IDENTITY = 6, "bad enclave id";
    /// A node's trusted environment is of a bad kind.
    ERR_BAD_CAPABILITIES_TEE_HARDWARE = 7, "bad capabilities.TEE.Hardware";
    /// A node's trusted environment is not of the runtime's kind.
    ERR_TEE_HARDWARE_MISMATCH = 8, "runtime TEE.Hardware mismatches the one in registry";
    /// There is no such entity.
    ERR_NO_SUCH_ENTITY = 9, "no such entity";
    /// There is no such node.
    ERR_NO_SUCH_NODE = 10, "no such node";
    /// There is no such runtime.
    ERR_NO_SUCH_RUNTIME = 11, "no such runtime";
    /// The transaction has another signer than it must have.
    ERR_INCORRECT_TX_SIGNER = 12, "incorrect tx signer";
    /// The node's registration has ended.
    ERR_NODE_EXPIRED = 13, "node expired";
    /// The node is frozen for longer.
    ERR_NODE_CANNOT_BE_UNFROZEN = 14, "node cannot be unfrozen yet";
    /// The entity has nodes.
    ERR_ENTITY_HAS_NODES = 15, "entity still has nodes";
    /// The policy forbids it.
    ERR_FORBIDDEN = 16, "forbidden by policy";
    /// The node changed something that must stay.
    ERR_NODE_UPDATE_NOT_ALLOWED = 17, "node update not allowed";
    /// The runtime changed something that must stay.
    ERR_RUNTIME_UPDATE_NOT_ALLOWED = 18, "runtime update not allowed";
    /// The entity has runtimes.
    ERR_ENTITY_HAS_RUNTIMES = 19, "entity still has runtimes";
}

/// Context of the signature of an entity's descriptor, also at genesis.
pub const REGISTER_ENTITY_SIGNATURE_CONTEXT: Context = Context::new("oasis-core/registry: register entity");
/// Context of the signatures of a node's descriptor, also at genesis.
pub const REGISTER_NODE_SIGNATURE_CONTEXT: Context = Context::new("oasis-core/registry: register node");

/// Method: registers an entity; the body is a [`SignedEntity`].
pub const METHOD_REGISTER_ENTITY: &str = "registry.RegisterEntity";
/// Method: removes an entity; the body is a [`DeregisterEntity`].
pub const METHOD_DEREGISTER_ENTITY: &str = "registry.DeregisterEntity";
/// Method: registers a node; the body is a [`MultiSignedNode`].
pub const METHOD_REGISTER_NODE: &str = "registry.RegisterNode";
/// Method: ends a node's freeze; the body is an [`UnfreezeNode`].
pub const METHOD_UNFREEZE_NODE: &str = "registry.UnfreezeNode";
/// Method: registers or changes a runtime; the body is a [`Runtime`].
pub const METHOD_REGISTER_RUNTIME: &str = "registry.RegisterRuntime";
/// All methods.
pub const METHODS: [&str; 5] =
    [METHOD_REGISTER_ENTITY, METHOD_DEREGISTER_ENTITY, METHOD_REGISTER_NODE, METHOD_UNFREEZE_NODE, METHOD_REGISTER_RUNTIME];

/// Gas operation: an entity is registered.
pub const GAS_OP_REGISTER_ENTITY: &str = "register_entity";
/// Gas operation: an entity is removed.
pub const GAS_OP_DEREGISTER_ENTITY: &str = "deregister_entity";
/// Gas operation: a node is listed by its entity.
pub const GAS_OP_REGISTER_NODE: &str = "register_node";
/// Gas operation: a node's freeze ends.
pub const GAS_OP_UNFREEZE_NODE: &str = "unfreeze_node";
/// Gas operation: a runtime is registered or changed.
pub const GAS_OP_REGISTER_RUNTIME: &str = "register_runtime";
/// Gas operation: an epoch of a node's registration for a runtime.
pub const GAS_OP_RUNTIME_EPOCH_MAINTENANCE: &str = "runtime_epoch_maintenance";
/// Gas operation: a key manager's policy changes.
pub const GAS_OP_UPDATE_KEY_MANAGER: &str = "update_keymanager";

/// Roles for which a node must name runtimes.
pub const RUNTIMES_REQUIRED_ROLES: Roles = Roles::COMPUTE_WORKER.with(Roles::STORAGE_WORKER).with(Roles::KEY_MANAGER);
/// Roles that let a node name a compute runtime.
pub const COMPUTE_RUNTIME_ALLOWED_ROLES: Roles = Roles::COMPUTE_WORKER.with(Roles::STORAGE_WORKER);
/// Roles that let a node name a key manager runtime.
pub const KEY_MANAGER_RUNTIME_ALLOWED_ROLES: Roles = Roles::KEY_MANAGER;
/// Roles for which a node must have a consensus address.
pub const CONSENSUS_ADDRESS_REQUIRED_ROLES: Roles = Roles::VALIDATOR;
/// Roles for which a node must have a TLS address.
pub const TLS_ADDRESS_REQUIRED_ROLES: Roles = RUNTIMES_REQUIRED_ROLES.with(Roles::CONSENSUS_RPC);
/// Roles for which a node must have a peer-to-peer address.
pub const P2P_ADDRESS_REQUIRED_ROLES: Roles = Roles::COMPUTE_WORKER;

/// The epoch until which a node is frozen that is frozen for ever.
///
/// Source: go/registry/api/status.go, `FreezeForever`.
pub const FREEZE_FOREVER: u64 = u64::MAX;

/// A query by key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct IdQuery {
    /// The height; 0 for the latest.
    pub height: i64,
    /// The entity's or node's key.
    pub id: PublicKey,
}

/// A query by runtime.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct NamespaceQuery {
    /// The height; 0 for the latest.
    pub height: i64,
    /// The runtime.
    pub id: Namespace,
}

/// A query for all runtimes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct GetRuntimesQuery {
    /// The height; 0 for the latest.
    pub height: i64,
    /// Whether suspended runtimes are wanted too.
    pub include_suspended: bool,
}

/// A query by consensus address.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct ConsensusAddressQuery {
    /// The height; 0 for the latest.
    pub height: i64,
    /// The address, 20 bytes.
    pub address: NilVec<u8>,
}

/// Removes the signer's entity.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct DeregisterEntity {}

/// Ends a node's freeze.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct UnfreezeNode {
    /// The node.
    pub node_id: PublicKey,
}

/// An entity was registered or removed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct EntityEvent {
    /// The entity.
    pub entity: Option<Entity>,
    /// Whether it was registered.
    pub is_registration: bool,
}

/// A node was registered or expired.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct NodeEvent {
    /// The node.
    pub node: Option<Node>,
    /// Whether it was registered.
    pub is_registration: bool,
}

/// A runtime was registered, changed or resumed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct RuntimeEvent {
    /// The runtime.
    pub runtime: Option<Runtime>,
}

/// A node's freeze ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct NodeUnfrozenEvent {
    /// The node.
    pub node_id: PublicKey,
}

/// An event, as clients get it: exactly one of the kinds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct Event {
    /// The height of the block.
    #[cbor(omitempty)]
    pub height: i64,
    /// The transaction; the empty hash for events of the block.
    #[cbor(omitempty)]
    pub tx_hash: Hash,
    /// About a runtime.
    #[cbor(omitempty)]
    pub runtime: Option<RuntimeEvent>,
    /// About an entity.
    #[cbor(omitempty)]
    pub entity: Option<EntityEvent>,
    /// About a node.
    #[cbor(omitempty)]
    pub node: Option<NodeEvent>,
    /// About a node's freeze.
    #[cbor(omitempty)]
    pub node_unfrozen: Option<NodeUnfrozenEvent>,
}

/// The nodes of an epoch.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct NodeList {
    /// The nodes, sorted by identity key.
    pub nodes: NilVec<OrNil<Node>>,
}

/// What is known of a node besides its descriptor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct NodeStatus {
    /// Whether the end of the registration was noticed.
    pub expiration_processed: bool,
    /// The epoch after which the node may ask to be no longer frozen; 0 where it is not frozen.
    pub freeze_end_time: u64,
    /// The epoch after which committees other than the validators may have the node; 0 for never.
    pub election_eligible_after: u64,
}

impl NodeStatus {
    /// Whether the node is kept out of committees.
    pub fn is_frozen(&self) -> bool {
        self.freeze_end_time > 0
    }

    /// Ends the freeze.
    pub fn unfreeze(&mut self) {
        self.freeze_end_time = 0;
    }
}

/// The registry's section of the genesis document.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct Genesis {
    /// The parameters.
    #[cbor(rename = "params")]
    pub parameters: ConsensusParameters,
    /// The entities.
    #[cbor(omitempty)]
    pub entities: Vec<OrNil<SignedEntity>>,
    /// The runtimes.
    #[cbor(omitempty)]
    pub runtimes: Vec<OrNil<Runtime>>,
    /// The suspended runtimes.
    #[cbor(omitempty)]
    pub suspended_runtimes: Vec<OrNil<Runtime>>,
    /// The nodes.
    #[cbor(omitempty)]
    pub nodes: Vec<OrNil<MultiSignedNode>>,
    /// What is known of nodes.
    #[cbor(omitempty)]
    pub node_statuses: BTreeMap<PublicKey, OrNil<NodeStatus>>,
}

/// The registry's parameters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct ConsensusParameters {
    /// Allows addresses that are not reachable from everywhere.
    #[cbor(omitempty)]
    pub debug_allow_unroutable_addresses: bool,
    /// Allows test runtimes.
    #[cbor(omitempty)]
    pub debug_allow_test_runtimes: bool,
    /// Skips everything about stake.
    #[cbor(omitempty)]
    pub debug_bypass_stake: bool,
    /// Forbids runtime registrations after genesis.
    #[cbor(omitempty)]
    pub disable_runtime_registration: bool,
    /// Forbids registrations of key manager runtimes after genesis.
    #[cbor(omitempty, rename = "disable_km_runtime_registration")]
    pub disable_key_manager_runtime_registration: bool,
    /// Gas costs by operation.
    #[cbor(omitempty)]
    pub gas_costs: Costs,
    /// How many epochs ahead a node may register; 0 for no limit.
    #[cbor(omitempty)]
    pub max_node_expiration: u64,
    /// Allowed governance models.
    #[cbor(omitempty)]
    pub enable_runtime_governance_models: BTreeMap<GovernanceModel, bool>,
}
