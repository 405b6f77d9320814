//! Keys and values of the key managers in the state.
//!
//! Source: go/consensus/tendermint/apps/keymanager/state/state.go.

use oasis_consensus_types::keymanager::{ERR_NO_SUCH_STATUS, Status};
use oasis_primitives::{hash::Hash, namespace::Namespace};

use crate::{
    error::Result,
    store::{Store, decode},
};

/// Statuses by hash of the runtime's identifier.
const PREFIX_STATUS: u8 = 0x70;

fn key(id: &Namespace) -> Vec<u8> {
    [&[PREFIX_STATUS], Hash::of(&id.0).0.as_slice()].concat()
}

/// The status of a key manager, where there is one.
pub fn find_status(store: &Store, id: &Namespace) -> Result<Option<Status>> {
    store.get_cbor(&key(id))
}

/// The status of a key manager; without one the error is [`ERR_NO_SUCH_STATUS`].
pub fn status(store: &Store, id: &Namespace) -> Result<Status> {
    find_status(store, id)?.ok_or_else(|| ERR_NO_SUCH_STATUS.into())
}

/// All statuses, in the order of their identifiers' hashes.
pub fn statuses(store: &Store) -> Result<Vec<Status>> {
    store.iter_from(&[PREFIX_STATUS], &[]).map(|entry| entry.and_then(|(k, v)| decode(&k, &v))).collect()
}

/// Sets the status of a key manager.
pub fn set_status(store: &mut Store, status: &Status) {
    store.insert_cbor(&key(&status.id), status);
}
