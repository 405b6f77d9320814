//! Keys and values of the registry in the state.
//!
//! Source: go/consensus/tendermint/apps/registry/state/state.go.

use oasis_consensus_types::{
    entity::{Entity, SignedEntity},
    node::{MultiSignedNode, Node},
    registry::{ConsensusParameters, ERR_NO_SUCH_ENTITY, ERR_NO_SUCH_NODE, ERR_NO_SUCH_RUNTIME, NodeStatus, Runtime},
};
use oasis_primitives::{cbor, hash::Hash, namespace::Namespace, pvss::Point, signature::PublicKey};
use sha2::{Digest, Sha256};

use crate::{
    context::missing,
    error::{Error, Result},
    store::{Store, Value, decode},
};

/// Entities by hash of the identity key; values are signed entities.
const PREFIX_ENTITY: u8 = 0x10;
/// Nodes by hash of the identity key; values are signed nodes.
const PREFIX_NODE: u8 = 0x11;
/// Nodes by hash of the entity's and hash of their own identity key; values are empty.
const PREFIX_NODE_BY_ENTITY: u8 = 0x12;
/// Active runtimes by hash of the identifier.
const PREFIX_RUNTIME: u8 = 0x13;
/// Node identity keys by Tendermint address.
const PREFIX_NODE_BY_CONSENSUS_ADDRESS: u8 = 0x14;
/// Node statuses by hash of the identity key.
const PREFIX_NODE_STATUS: u8 = 0x15;
/// The parameters.
const KEY_PARAMETERS: &[u8] = &[0x16];
/// Node identity keys by hash of the consensus, P2P and TLS key.
const PREFIX_KEY_MAP: u8 = 0x17;
/// Suspended runtimes by hash of the identifier.
const PREFIX_SUSPENDED_RUNTIME: u8 = 0x18;
/// Runtimes by hash of the entity's identity key and hash of the identifier; values are empty.
const PREFIX_RUNTIME_BY_ENTITY: u8 = 0x19;
/// Node identity keys by hash of the beacon point.
const PREFIX_BEACON_POINT_MAP: u8 = 0x1a;

fn key(prefix: u8, parts: &[&[u8]]) -> Vec<u8> {
    let mut out = vec![prefix];
    for part in parts {
        out.extend_from_slice(part);
    }
    out
}

/// Source: go/common/keyformat/key_format.go, `H`: the part is the hash of its bytes.
fn hashed(prefix: u8, bytes: impl AsRef<[u8]>) -> Vec<u8> {
    key(prefix, &[&Hash::of(bytes.as_ref()).0])
}

fn hashed_pair(prefix: u8, first: impl AsRef<[u8]>, second: impl AsRef<[u8]>) -> Vec<u8> {
    key(prefix, &[&Hash::of(first.as_ref()).0, &Hash::of(second.as_ref()).0])
}

/// None for a missing point, which has no bytes.
fn point_key(point: &Point) -> Option<Vec<u8>> {
    point.to_bytes().map(|bytes| hashed(PREFIX_BEACON_POINT_MAP, bytes))
}

/// The address by which Tendermint knows a validator: the first 20 bytes of the key's SHA-256.
///
/// Source: go/consensus/tendermint/crypto/keys.go, `PublicKeyToTendermint`.
pub fn tendermint_address(key: &PublicKey) -> [u8; 20] {
    let hash: [u8; 32] = Sha256::digest(key.0).into();
    hash.first_chunk().copied().unwrap_or_default()
}

/// The parameters.
pub fn params(store: &Store) -> Result<ConsensusParameters> {
    store.get_cbor(KEY_PARAMETERS)?.ok_or_else(|| missing("registry parameters"))
}

/// Sets the parameters.
pub fn set_params(store: &mut Store, params: &ConsensusParameters) {
    store.insert_cbor(KEY_PARAMETERS, params);
}

fn open_entity(signed: &SignedEntity) -> Result<Entity> {
    signed.untrusted().map_err(|e| Error::fatal(format!("entity: {e}")))
}

fn open_node(signed: &MultiSignedNode) -> Result<Node> {
    signed.untrusted().map_err(|e| Error::fatal(format!("node: {e}")))
}

fn values<T: cbor::Decode>(store: &Store, prefix: u8) -> Result<Vec<T>> {
    store.iter_from(&[prefix], &[]).map(|entry| entry.and_then(|(k, v): (Vec<u8>, Value)| decode(&k, &v))).collect()
}

/// An entity, where there is one.
pub fn find_entity(store: &Store, id: &PublicKey) -> Result<Option<Entity>> {
    store.get_cbor(&hashed(PREFIX_ENTITY, id))?.as_ref().map(open_entity).transpose()
}

/// An entity; without one the error is [`ERR_NO_SUCH_ENTITY`].
pub fn entity(store: &Store, id: &PublicKey) -> Result<Entity> {
    find_entity(store, id)?.ok_or_else(|| ERR_NO_SUCH_ENTITY.into())
}

/// All entities, in the order of their keys' hashes.
pub fn entities(store: &Store) -> Result<Vec<Entity>> {
    signed_entities(store)?.iter().map(open_entity).collect()
}

/// All entities with their signatures, in the order of their keys' hashes.
pub fn signed_entities(store: &Store) -> Result<Vec<SignedEntity>> {
    values(store, PREFIX_ENTITY)
}

/// Sets an entity.
pub fn set_entity(store: &mut Store, id: &PublicKey, signed: &SignedEntity) {
    store.insert_cbor(&hashed(PREFIX_ENTITY, id), signed);
}

/// Removes an entity and returns it; without one the error is [`ERR_NO_SUCH_ENTITY`].
pub fn remove_entity(store: &mut Store, id: &PublicKey) -> Result<Entity> {
    let found = entity(store, id)?;
    store.remove(&hashed(PREFIX_ENTITY, id));
    Ok(found)
}

/// A node, also an expired one, where there is one.
pub fn find_node(store: &Store, id: &PublicKey) -> Result<Option<Node>> {
    store.get_cbor(&hashed(PREFIX_NODE, id))?.as_ref().map(open_node).transpose()
}

/// A node, also an expired one; without one the error is [`ERR_NO_SUCH_NODE`].
pub fn node(store: &Store, id: &PublicKey) -> Result<Node> {
    find_node(store, id)?.ok_or_else(|| ERR_NO_SUCH_NODE.into())
}

/// All nodes, also expired ones, sorted by identity key.
pub fn nodes(store: &Store) -> Result<Vec<Node>> {
    let mut out = signed_nodes(store)?.iter().map(open_node).collect::<Result<Vec<_>>>()?;
    out.sort_by_key(|node| node.id);
    Ok(out)
}

/// All nodes with their signatures, in the order of their keys' hashes.
pub fn signed_nodes(store: &Store) -> Result<Vec<MultiSignedNode>> {
    values(store, PREFIX_NODE)
}

fn node_id(store: &Store, key: &[u8]) -> Result<Option<PublicKey>> {
    let Some(raw) = store.get(key)? else { return Ok(None) };
    PublicKey::from_slice(&raw).map(Some).ok_or_else(|| Error::fatal("malformed node identifier in an index"))
}

/// The identity key of the node with a Tendermint address.
pub fn find_node_id_by_consensus_address(store: &Store, address: &[u8]) -> Result<Option<PublicKey>> {
    node_id(store, &key(PREFIX_NODE_BY_CONSENSUS_ADDRESS, &[address]))
}

/// The node with a Tendermint address; without one the error is [`ERR_NO_SUCH_NODE`].
pub fn node_by_consensus_address(store: &Store, address: &[u8]) -> Result<Node> {
    let id = find_node_id_by_consensus_address(store, address)?.ok_or(ERR_NO_SUCH_NODE)?;
    node(store, &id)
}

/// The node with a consensus, P2P or TLS key.
pub fn find_node_by_sub_key(store: &Store, sub_key: &PublicKey) -> Result<Option<Node>> {
    match node_id(store, &hashed(PREFIX_KEY_MAP, sub_key))? {
        Some(id) => find_node(store, &id),
        None => Ok(None),
    }
}

/// The node with a beacon point.
pub fn find_node_by_beacon_point(store: &Store, point: &Point) -> Result<Option<Node>> {
    let Some(key) = point_key(point) else { return Ok(None) };
    match node_id(store, &key)? {
        Some(id) => find_node(store, &id),
        None => Ok(None),
    }
}

/// Sets a node and its indices; `existing` is what was there before.
pub fn set_node(store: &mut Store, existing: Option<&Node>, node: &Node, signed: &MultiSignedNode) {
    let id = node.id.0.to_vec();
    store.insert_cbor(&hashed(PREFIX_NODE, node.id), signed);
    store.insert(&hashed_pair(PREFIX_NODE_BY_ENTITY, node.entity_id, node.id), Vec::new());

    if let Some(old) = existing.filter(|old| old.consensus.id != node.consensus.id) {
        store.remove(&key(PREFIX_NODE_BY_CONSENSUS_ADDRESS, &[&tendermint_address(&old.consensus.id)]));
        store.remove(&hashed(PREFIX_KEY_MAP, old.consensus.id));
    }
    store.insert(&key(PREFIX_NODE_BY_CONSENSUS_ADDRESS, &[&tendermint_address(&node.consensus.id)]), id.clone());
    store.insert(&hashed(PREFIX_KEY_MAP, node.consensus.id), id.clone());

    // The order counts where a key moves from one place of the descriptor to another.
    if let Some(old) = existing.filter(|old| old.p2p.id != node.p2p.id) {
        store.remove(&hashed(PREFIX_KEY_MAP, old.p2p.id));
    }
    store.insert(&hashed(PREFIX_KEY_MAP, node.p2p.id), id.clone());
    if let Some(old) = existing.filter(|old| old.tls.pub_key != node.tls.pub_key) {
        store.remove(&hashed(PREFIX_KEY_MAP, old.tls.pub_key));
    }
    store.insert(&hashed(PREFIX_KEY_MAP, node.tls.pub_key), id.clone());

    let new_point = node.beacon.as_ref().and_then(|b| point_key(&b.point));
    let old_point = existing.and_then(|old| old.beacon.as_ref()).and_then(|b| point_key(&b.point));
    if let Some(old) = old_point.filter(|old| Some(old) != new_point.as_ref()) {
        store.remove(&old);
    }
    if let Some(new) = new_point {
        store.insert(&new, id);
    }
}

/// Removes a node with its indices and status.
pub fn remove_node(store: &mut Store, node: &Node) {
    store.remove(&hashed(PREFIX_NODE, node.id));
    store.remove(&hashed_pair(PREFIX_NODE_BY_ENTITY, node.entity_id, node.id));
    store.remove(&hashed(PREFIX_NODE_STATUS, node.id));
    store.remove(&key(PREFIX_NODE_BY_CONSENSUS_ADDRESS, &[&tendermint_address(&node.consensus.id)]));
    for sub_key in [node.consensus.id, node.p2p.id, node.tls.pub_key] {
        store.remove(&hashed(PREFIX_KEY_MAP, sub_key));
    }
    if let Some(point) = node.beacon.as_ref().and_then(|b| point_key(&b.point)) {
        store.remove(&point);
    }
}

/// The nodes of an entity, also expired ones, sorted by identity key.
pub fn entity_nodes(store: &Store, id: &PublicKey) -> Result<Vec<Node>> {
    let prefix = hashed(PREFIX_NODE_BY_ENTITY, id);
    let mut out = Vec::new();
    for entry in store.iter_from(&prefix, &[]) {
        let (index, _) = entry?;
        let hash = index.get(prefix.len()..).unwrap_or_default();
        let signed = store.get_cbor(&key(PREFIX_NODE, &[hash]))?.ok_or_else(|| missing("node of an entity"))?;
        out.push(open_node(&signed)?);
    }
    out.sort_by_key(|node| node.id);
    Ok(out)
}

fn any_below(store: &Store, prefix: &[u8]) -> Result<bool> {
    let first = store.iter_from(prefix, &[]).next();
    Ok(first.transpose()?.is_some())
}

/// Whether an entity has nodes, also expired ones.
pub fn has_entity_nodes(store: &Store, id: &PublicKey) -> Result<bool> {
    any_below(store, &hashed(PREFIX_NODE_BY_ENTITY, id))
}

/// Whether an entity ever registered a runtime.
pub fn has_entity_runtimes(store: &Store, id: &PublicKey) -> Result<bool> {
    any_below(store, &hashed(PREFIX_RUNTIME_BY_ENTITY, id))
}

/// An active runtime, where there is one.
pub fn find_runtime(store: &Store, id: &Namespace) -> Result<Option<Runtime>> {
    store.get_cbor(&hashed(PREFIX_RUNTIME, id))
}

/// A suspended runtime, where there is one.
pub fn find_suspended_runtime(store: &Store, id: &Namespace) -> Result<Option<Runtime>> {
    store.get_cbor(&hashed(PREFIX_SUSPENDED_RUNTIME, id))
}

/// An active or else suspended runtime, where there is one.
pub fn find_any_runtime(store: &Store, id: &Namespace) -> Result<Option<Runtime>> {
    match find_runtime(store, id)? {
        Some(runtime) => Ok(Some(runtime)),
        None => find_suspended_runtime(store, id),
    }
}

/// An active runtime; without one the error is [`ERR_NO_SUCH_RUNTIME`].
pub fn runtime(store: &Store, id: &Namespace) -> Result<Runtime> {
    find_runtime(store, id)?.ok_or_else(|| ERR_NO_SUCH_RUNTIME.into())
}

/// A suspended runtime; without one the error is [`ERR_NO_SUCH_RUNTIME`].
pub fn suspended_runtime(store: &Store, id: &Namespace) -> Result<Runtime> {
    find_suspended_runtime(store, id)?.ok_or_else(|| ERR_NO_SUCH_RUNTIME.into())
}

/// An active or suspended runtime; without one the error is [`ERR_NO_SUCH_RUNTIME`].
pub fn any_runtime(store: &Store, id: &Namespace) -> Result<Runtime> {
    find_any_runtime(store, id)?.ok_or_else(|| ERR_NO_SUCH_RUNTIME.into())
}

/// The active runtimes, in the order of their identifiers' hashes.
pub fn runtimes(store: &Store) -> Result<Vec<Runtime>> {
    values(store, PREFIX_RUNTIME)
}

/// The suspended runtimes, in the order of their identifiers' hashes.
pub fn suspended_runtimes(store: &Store) -> Result<Vec<Runtime>> {
    values(store, PREFIX_SUSPENDED_RUNTIME)
}

/// The active runtimes, then the suspended ones.
pub fn all_runtimes(store: &Store) -> Result<Vec<Runtime>> {
    let mut out = runtimes(store)?;
    out.extend(suspended_runtimes(store)?);
    Ok(out)
}

/// Sets a runtime, active or suspended.
pub fn set_runtime(store: &mut Store, runtime: &Runtime, suspended: bool) {
    store.insert(&hashed_pair(PREFIX_RUNTIME_BY_ENTITY, runtime.entity_id, runtime.id), Vec::new());
    let prefix = if suspended { PREFIX_SUSPENDED_RUNTIME } else { PREFIX_RUNTIME };
    store.insert_cbor(&hashed(prefix, runtime.id), runtime);
}

fn move_runtime(store: &mut Store, id: &Namespace, from: u8, to: u8) -> Result<bool> {
    let old = hashed(from, id);
    let Some(value) = store.get(&old)? else { return Ok(false) };
    store.remove(&old);
    store.insert(&hashed(to, id), value);
    Ok(true)
}

/// Makes an active runtime a suspended one; without one the error is [`ERR_NO_SUCH_RUNTIME`].
pub fn suspend_runtime(store: &mut Store, id: &Namespace) -> Result<()> {
    let moved = move_runtime(store, id, PREFIX_RUNTIME, PREFIX_SUSPENDED_RUNTIME)?;
    if moved { Ok(()) } else { Err(ERR_NO_SUCH_RUNTIME.into()) }
}

/// Makes a suspended runtime an active one; false where there is none.
pub fn resume_runtime(store: &mut Store, id: &Namespace) -> Result<bool> {
    move_runtime(store, id, PREFIX_SUSPENDED_RUNTIME, PREFIX_RUNTIME)
}

/// What is known of a node; without a status the error is [`ERR_NO_SUCH_NODE`].
pub fn node_status(store: &Store, id: &PublicKey) -> Result<NodeStatus> {
    store.get_cbor(&hashed(PREFIX_NODE_STATUS, id))?.ok_or_else(|| ERR_NO_SUCH_NODE.into())
}

/// Sets what is known of a node.
pub fn set_node_status(store: &mut Store, id: &PublicKey, status: &NodeStatus) {
    store.insert_cbor(&hashed(PREFIX_NODE_STATUS, id), status);
}
