//! Which registrations are accepted.
//!
//! The order of the checks decides which error a client sees.
//!
//! Source: go/registry/api/api.go, the functions `VerifyRegister…` and what they call.

use std::collections::BTreeSet;

use oasis_consensus_types::{
    entity::{Entity, SignedEntity},
    node::{Address, Capabilities, MultiSignedNode, Node, Roles, Runtime as NodeRuntime},
    registry::{
        COMPUTE_RUNTIME_ALLOWED_ROLES, CONSENSUS_ADDRESS_REQUIRED_ROLES, ConsensusParameters, ERR_INVALID_ARGUMENT, ERR_INVALID_SIGNATURE,
        ERR_NO_SUCH_RUNTIME, ERR_NODE_UPDATE_NOT_ALLOWED, ERR_TEE_HARDWARE_MISMATCH, KEY_MANAGER_RUNTIME_ALLOWED_ROLES,
        P2P_ADDRESS_REQUIRED_ROLES, REGISTER_ENTITY_SIGNATURE_CONTEXT, REGISTER_NODE_SIGNATURE_CONTEXT, RUNTIMES_REQUIRED_ROLES, Runtime,
        RuntimeKind, TLS_ADDRESS_REQUIRED_ROLES,
    },
};
use oasis_primitives::{
    cbor::OrNil,
    namespace::Namespace,
    pvss::Point,
    sgx::{self, Policy},
    signature::{PublicKey, SignatureRules},
};

use super::state;
use crate::{
    context::{BlockTime, Context},
    error::{CodedError, Error, Result},
    store::Store,
};

/// Where nodes and runtimes are looked up: the state, or a genesis document.
pub trait Lookup {
    /// An active or suspended runtime.
    fn any_runtime(&self, id: &Namespace) -> Result<Option<Runtime>>;
    /// The identity of the node with a consensus, P2P or TLS key.
    fn node_id_by_sub_key(&self, key: &PublicKey) -> Result<Option<PublicKey>>;
    /// The identity of the node with a beacon point.
    fn node_id_by_beacon_point(&self, point: &Point) -> Result<Option<PublicKey>>;
}

impl Lookup for Store {
    fn any_runtime(&self, id: &Namespace) -> Result<Option<Runtime>> {
        state::find_any_runtime(self, id)
    }

    fn node_id_by_sub_key(&self, key: &PublicKey) -> Result<Option<PublicKey>> {
        Ok(state::find_node_by_sub_key(self, key)?.map(|node| node.id))
    }

    fn node_id_by_beacon_point(&self, point: &Point) -> Result<Option<PublicKey>> {
        Ok(state::find_node_by_beacon_point(self, point)?.map(|node| node.id))
    }
}

/// What all checks go by.
#[derive(Clone, Debug)]
pub struct Rules {
    /// Which signatures count.
    pub signatures: SignatureRules,
    /// Which attestations count.
    pub sgx: Policy,
    /// Whether settings that only tests use are allowed.
    pub debug: bool,
    /// The block's time.
    pub now: BlockTime,
    /// Whether this is about the genesis document.
    pub is_genesis: bool,
    /// Whether this looks at registrations that were accepted before.
    pub is_sanity_check: bool,
}

impl Rules {
    /// The rules for an operation of the state machine.
    pub fn of(ctx: &Context<'_>) -> Self {
        Self {
            signatures: ctx.env.rules.clone(),
            sgx: ctx.env.options.sgx.clone(),
            debug: ctx.env.options.debug,
            now: ctx.now(),
            is_genesis: ctx.is_init_chain(),
            is_sanity_check: false,
        }
    }

    /// New descriptors must have the latest version.
    pub(super) fn strict_version(&self) -> bool {
        !self.is_genesis && !self.is_sanity_check
    }

    pub(super) fn is_valid(&self, key: &PublicKey) -> bool {
        key.is_valid(&self.signatures.blacklist)
    }
}

/// An invalid argument with details.
pub(super) fn invalid(details: &str) -> Error {
    ERR_INVALID_ARGUMENT.with(details).into()
}

/// The same failure, its message led in by `text`.
pub(super) fn wrap(text: &str, error: Error) -> Error {
    match error {
        Error::Failed(CodedError { module, code, message }) => {
            Error::Failed(CodedError { module, code, message: format!("{text}: {message}").into() })
        }
        Error::Fatal(message) => Error::Fatal(format!("{text}: {message}")),
    }
}

/// Source: go/registry/api/api.go, `VerifyRegisterEntityArgs`.
pub fn verify_register_entity(rules: &Rules, signed: &SignedEntity) -> Result<Entity> {
    let entity: Entity =
        signed.0.open(&rules.signatures, &REGISTER_ENTITY_SIGNATURE_CONTEXT).map_err(|_| Error::from(ERR_INVALID_SIGNATURE))?;
    if signed.0.signature.public_key != entity.id {
        return Err(ERR_INVALID_ARGUMENT.into());
    }
    entity.validate_basic(rules.strict_version()).map_err(|_| Error::from(ERR_INVALID_ARGUMENT))?;

    let mut seen = BTreeSet::new();
    for node in &entity.nodes {
        if !rules.is_valid(node) {
            return Err(invalid("malformed node id"));
        }
        if !seen.insert(node) {
            return Err(invalid("duplicate nodes"));
        }
    }
    Ok(entity)
}

/// Returns the node and the registered runtimes that it names, in its order.
///
/// Source: go/registry/api/api.go, `VerifyRegisterNodeArgs`.
pub fn verify_register_node(
    rules: &Rules,
    params: &ConsensusParameters,
    signed: &MultiSignedNode,
    entity: &Entity,
    epoch: u64,
    lookup: &dyn Lookup,
) -> Result<(Node, Vec<Runtime>)> {
    let node: Node = signed.0.open(&rules.signatures, &REGISTER_NODE_SIGNATURE_CONTEXT).map_err(|_| Error::from(ERR_INVALID_SIGNATURE))?;
    node.validate_basic(rules.strict_version()).map_err(|_| Error::from(ERR_INVALID_ARGUMENT))?;
    if entity.id != node.entity_id {
        return Err(ERR_INVALID_ARGUMENT.into());
    }
    if !signed.0.is_signed_by(&node.id) {
        return Err(invalid("registration not signed by node identity"));
    }
    if !entity.nodes.contains(&node.id) && (!rules.is_sanity_check || rules.is_genesis) {
        return Err(invalid("node public key not found in entity's node list"));
    }
    // Ended registrations pass: the state has them until the debonding period is over.
    let max_expiration = epoch.wrapping_add(params.max_node_expiration);
    if params.max_node_expiration > 0 && node.expiration > max_expiration {
        return Err(invalid("expiration period greater than allowed"));
    }
    if node.roles == Roles::default() {
        return Err(invalid("no roles specified"));
    }
    if node.has_roles(Roles::RESERVED) {
        return Err(invalid("invalid role specified"));
    }
    let runtimes = verify_runtimes(rules, &node, lookup)?;
    verify_keys_and_addresses(rules, params, signed, &node)?;
    verify_unique(&node, lookup)?;
    let signers = [node.id, node.consensus.id, node.tls.pub_key, node.p2p.id];
    if !signed.0.is_only_signed_by(&signers) {
        return Err(invalid("unexpected number of signatures"));
    }
    Ok((node, runtimes))
}

fn verify_runtimes(rules: &Rules, node: &Node, lookup: &dyn Lookup) -> Result<Vec<Runtime>> {
    if node.runtimes.is_empty() && node.has_roles(RUNTIMES_REQUIRED_ROLES) {
        return Err(invalid("missing runtimes"));
    }
    let mut seen = BTreeSet::new();
    let mut out = Vec::new();
    for runtime in &node.runtimes {
        if runtime.is_nil() {
            // The original panics here.
            return Err(invalid("missing runtime"));
        }
        if !seen.insert(runtime.id) {
            return Err(invalid("duplicate runtime IDs"));
        }
        let registered = lookup
            .any_runtime(&runtime.id)
            .and_then(|found| found.ok_or_else(|| ERR_NO_SUCH_RUNTIME.into()))
            .map_err(|e| wrap("failed to lookup runtime", e))?;
        verify_node_runtime_enclave_ids(rules, runtime, &registered)?;
        if registered.kind == RuntimeKind::KEY_MANAGER && !node.has_roles(KEY_MANAGER_RUNTIME_ALLOWED_ROLES) {
            return Err(invalid("key manager runtime not allowed"));
        }
        if registered.kind == RuntimeKind::COMPUTE && !node.has_roles(COMPUTE_RUNTIME_ALLOWED_ROLES) {
            return Err(invalid("compute runtime not allowed"));
        }
        out.push(registered);
    }
    Ok(out)
}

fn verify_keys_and_addresses(rules: &Rules, params: &ConsensusParameters, signed: &MultiSignedNode, node: &Node) -> Result<()> {
    let Node { consensus, tls, p2p, .. } = node;
    if !rules.is_valid(&consensus.id) {
        return Err(invalid("invalid consensus ID"));
    }
    if !signed.0.is_signed_by(&consensus.id) {
        return Err(invalid("registration not signed by consensus ID"));
    }
    if consensus.addresses.is_empty() && node.has_roles(CONSENSUS_ADDRESS_REQUIRED_ROLES) {
        return Err(invalid("missing consensus address"));
    }
    for address in &consensus.addresses {
        if !rules.is_valid(&address.id) {
            return Err(invalid("consensus address ID invalid"));
        }
        verify_address(params, &address.address)?;
    }

    if !rules.is_valid(&tls.pub_key) {
        return Err(invalid("invalid TLS public key"));
    }
    if tls.addresses.is_empty() && node.has_roles(TLS_ADDRESS_REQUIRED_ROLES) {
        return Err(invalid("missing TLS address"));
    }
    for address in &tls.addresses {
        if !rules.is_valid(&address.pub_key) {
            return Err(invalid("TLS address public key invalid"));
        }
        verify_address(params, &address.address)?;
    }
    if !signed.0.is_signed_by(&tls.pub_key) {
        return Err(invalid("registration not signed by TLS certificate key"));
    }

    if !rules.is_valid(&p2p.id) {
        return Err(invalid("invalid P2P ID"));
    }
    if !signed.0.is_signed_by(&p2p.id) {
        return Err(invalid("registration not signed by P2P ID"));
    }
    if p2p.addresses.is_empty() && node.has_roles(P2P_ADDRESS_REQUIRED_ROLES) {
        return Err(invalid("missing node address"));
    }
    p2p.addresses.iter().try_for_each(|address| verify_address(params, address))
}

/// Source: go/registry/api/api.go, `VerifyAddress`.
fn verify_address(params: &ConsensusParameters, address: &Address) -> Result<()> {
    if params.debug_allow_unroutable_addresses {
        return Ok(());
    }
    if !address.is_global_unicast() {
        return Err(invalid("address not global unicast"));
    }
    if !address.is_routable() {
        return Err(invalid("address not routable"));
    }
    Ok(())
}

/// No two of a node's keys are the same, and no other node has one of them.
fn verify_unique(node: &Node, lookup: &dyn Lookup) -> Result<()> {
    let (consensus, p2p, tls) = (node.consensus.id, node.p2p.id, node.tls.pub_key);
    if consensus == p2p || consensus == tls || p2p == tls {
        return Err(invalid("P2P, consensus and TLS keys not unique"));
    }
    let is_other = |found: Option<PublicKey>| found.is_some_and(|id| id != node.id);
    let by_key = [(consensus, "duplicate node consensus ID"), (p2p, "duplicate node P2P ID"), (tls, "duplicate node TLS public key")];
    for (key, text) in by_key {
        let found = lookup.node_id_by_sub_key(&key).map_err(|e| wrap("failed to lookup node by subkey", e))?;
        if is_other(found) {
            return Err(invalid(text));
        }
    }
    let Some(beacon) = &node.beacon else { return Ok(()) };
    if beacon.point.is_missing() {
        // The original panics here.
        return Err(invalid("missing beacon point"));
    }
    let found = lookup.node_id_by_beacon_point(&beacon.point).map_err(|e| wrap("failed to lookup node by point", e))?;
    if is_other(found) {
        return Err(invalid("duplicate node beacon point"));
    }
    Ok(())
}

/// Checks a node's trusted environment for a runtime, where it has one.
///
/// Source: go/registry/api/api.go, `VerifyNodeRuntimeEnclaveIDs`.
pub fn verify_node_runtime_enclave_ids(rules: &Rules, runtime: &NodeRuntime, registered: &Runtime) -> Result<()> {
    let Some(tee) = &runtime.capabilities.tee else { return Ok(()) };
    if registered.tee_hardware != tee.hardware {
        return Err(ERR_TEE_HARDWARE_MISMATCH.into());
    }
    let at = sgx::Time { seconds: rules.now.seconds, nanos: rules.now.nanos };
    tee.verify(at, registered.version.tee.0.as_deref(), &rules.sgx).map_err(|e| Error::unknown(e.to_string()))
}

/// What may change in a node's descriptor.
///
/// Source: go/registry/api/api.go, `VerifyNodeUpdate`.
pub fn verify_node_update(current: &Node, new: &Node, epoch: u64) -> Result<()> {
    let same = current.id == new.id && current.entity_id == new.entity_id && current.consensus.id == new.consensus.id;
    if !same {
        return Err(ERR_NODE_UPDATE_NOT_ALLOWED.into());
    }
    if current.is_expired(epoch) {
        return Ok(());
    }
    // Any one of the roles that the node had is enough.
    if !runtimes_kept(&current.runtimes, &new.runtimes) || !new.has_roles(current.roles) {
        return Err(ERR_NODE_UPDATE_NOT_ALLOWED.into());
    }
    Ok(())
}

/// Source: go/registry/api/api.go, `verifyNodeRuntimeChanges`, `verifyRuntimeCapabilities`.
fn runtimes_kept(current: &[OrNil<NodeRuntime>], new: &[OrNil<NodeRuntime>]) -> bool {
    let same_tee = |a: &Capabilities, b: &Capabilities| match (&a.tee, &b.tee) {
        (None, None) => true,
        (Some(a), Some(b)) => a.hardware == b.hardware,
        _ => false,
    };
    new.len() >= current.len()
        && current
            .iter()
            .all(|old| new.iter().rev().find(|rt| rt.id == old.id).is_some_and(|rt| same_tee(&old.capabilities, &rt.capabilities)))
}
