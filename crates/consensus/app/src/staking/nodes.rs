//! What the ledger asks of the registry.
//!
//! Source: go/consensus/tendermint/apps/registry/state/state.go.

use oasis_consensus_types::{node::Node, registry::NodeStatus};
use oasis_primitives::{
    cbor,
    hash::Hash,
    signature::{MultiSigned, PublicKey},
};

use crate::{
    error::{Error, Result},
    store::Store,
};

pub(super) use oasis_consensus_types::registry::FREEZE_FOREVER;

fn hashed(prefix: u8, id: &PublicKey) -> Vec<u8> {
    [&[prefix], Hash::of(&id.0).0.as_slice()].concat()
}

/// The node of a Tendermint address, if one is registered.
pub(super) fn by_consensus_address(store: &Store, address: &[u8]) -> Result<Option<Node>> {
    let Some(id) = store.get(&[&[0x14], address].concat())? else { return Ok(None) };
    let id = PublicKey::from_slice(&id).ok_or_else(|| Error::fatal("registry: malformed node of a consensus address"))?;
    let Some(signed) = store.get_cbor::<MultiSigned>(&hashed(0x11, &id))? else { return Ok(None) };
    cbor::from_slice(&signed.blob).map(Some).map_err(|e| Error::fatal(format!("registry: node {id}: {e}")))
}

/// The status of a node.
pub(super) fn status(store: &Store, id: &PublicKey) -> Result<Option<NodeStatus>> {
    store.get_cbor(&hashed(0x15, id))
}

/// Sets the status of a node.
pub(super) fn set_status(store: &mut Store, id: &PublicKey, status: &NodeStatus) {
    store.insert_cbor(&hashed(0x15, id), status);
}
