//! What the ledger asks of the registry.

use oasis_consensus_types::{
    node::Node,
    registry::{ERR_NO_SUCH_NODE, NodeStatus},
};
use oasis_primitives::signature::PublicKey;

use crate::{
    error::{Error, Result},
    registry::state,
    store::Store,
};

/// None where the registry has no such node.
fn if_any<T>(found: Result<T>) -> Result<Option<T>> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(e) if e.is(ERR_NO_SUCH_NODE) => Ok(None),
        Err(e) => Err(Error::fatal(e)),
    }
}

/// The node of a Tendermint address, if one is registered.
pub(super) fn by_consensus_address(store: &Store, address: &[u8]) -> Result<Option<Node>> {
    if_any(state::node_by_consensus_address(store, address))
}

/// The status of a node, if one is registered.
pub(super) fn status(store: &Store, id: &PublicKey) -> Result<Option<NodeStatus>> {
    if_any(state::node_status(store, id))
}
