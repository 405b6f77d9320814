//! What clients ask of the registry at a height.
//!
//! Source: go/consensus/tendermint/apps/registry/query.go.

use oasis_consensus_types::{
    entity::Entity,
    node::Node,
    registry::{ConsensusParameters, ERR_NO_SUCH_NODE, NodeStatus, Runtime},
};
use oasis_primitives::{namespace::Namespace, signature::PublicKey};

use super::state;
use crate::{epoch, error::Result, store::Store};

/// An entity.
pub fn entity(store: &Store, id: &PublicKey) -> Result<Entity> {
    state::entity(store, id)
}

/// All entities.
pub fn entities(store: &Store) -> Result<Vec<Entity>> {
    state::entities(store)
}

/// A node whose registration has not ended.
pub fn node(store: &Store, id: &PublicKey) -> Result<Node> {
    let epoch = epoch::current(store)?.epoch;
    let node = state::node(store, id)?;
    if node.is_expired(epoch) {
        return Err(ERR_NO_SUCH_NODE.into());
    }
    Ok(node)
}

/// A node by Tendermint address, whether or not its registration has ended.
pub fn node_by_consensus_address(store: &Store, address: &[u8]) -> Result<Node> {
    state::node_by_consensus_address(store, address)
}

/// What is known of a node.
pub fn node_status(store: &Store, id: &PublicKey) -> Result<NodeStatus> {
    state::node_status(store, id)
}

/// All nodes whose registrations have not ended.
pub fn nodes(store: &Store) -> Result<Vec<Node>> {
    let epoch = epoch::current(store)?.epoch;
    let mut out = state::nodes(store)?;
    out.retain(|node| !node.is_expired(epoch));
    Ok(out)
}

/// An active runtime.
pub fn runtime(store: &Store, id: &Namespace) -> Result<Runtime> {
    state::runtime(store, id)
}

/// All active runtimes, followed by the suspended ones where wanted.
pub fn runtimes(store: &Store, include_suspended: bool) -> Result<Vec<Runtime>> {
    if include_suspended { state::all_runtimes(store) } else { state::runtimes(store) }
}

/// The parameters.
pub fn consensus_parameters(store: &Store) -> Result<ConsensusParameters> {
    state::params(store)
}
