//! What clients ask of the key managers at a height.
//!
//! Source: go/consensus/tendermint/apps/keymanager/query.go.

use oasis_consensus_types::keymanager::Status;
use oasis_primitives::namespace::Namespace;

use super::state;
use crate::{error::Result, store::Store};

/// The status of a key manager.
pub fn status(store: &Store, id: &Namespace) -> Result<Status> {
    state::status(store, id)
}

/// All statuses.
pub fn statuses(store: &Store) -> Result<Vec<Status>> {
    state::statuses(store)
}
