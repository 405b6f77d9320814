//! Keys of the scheduler's state.
//!
//! Source: go/consensus/tendermint/apps/scheduler/state/state.go.

use std::collections::BTreeMap;

use oasis_consensus_types::scheduler::{Committee, CommitteeKind, ConsensusParameters};
use oasis_primitives::{hash::Hash, namespace::Namespace, signature::PublicKey};

use crate::{
    context::missing,
    error::Result,
    store::{Store, decode},
};

/// Committees: kind (1 byte), hash of the runtime (32 bytes); the committee.
const PREFIX_COMMITTEE: u8 = 0x60;
/// Voting power by consensus key of the validators.
const KEY_VALIDATORS_CURRENT: &[u8] = &[0x61];
/// Voting power by consensus key of the validators after this block.
const KEY_VALIDATORS_PENDING: &[u8] = &[0x62];
/// The parameters.
const KEY_PARAMETERS: &[u8] = &[0x63];

fn committee_key(kind: CommitteeKind, runtime_id: &Namespace) -> Vec<u8> {
    [&[PREFIX_COMMITTEE, kind.0][..], &Hash::of(&runtime_id.0).0].concat()
}

/// A runtime's committee.
pub fn committee(store: &Store, kind: CommitteeKind, runtime_id: &Namespace) -> Result<Option<Committee>> {
    store.get_cbor(&committee_key(kind, runtime_id))
}

/// All committees.
pub fn all_committees(store: &Store) -> Result<Vec<Committee>> {
    store.iterate(&[PREFIX_COMMITTEE])?.into_iter().map(|(key, value)| decode(&key, &value)).collect()
}

/// The committees of some kinds.
pub fn committees_of_kinds(store: &Store, kinds: &[CommitteeKind]) -> Result<Vec<Committee>> {
    let mut out = Vec::new();
    for kind in kinds {
        for (key, value) in store.iterate(&[PREFIX_COMMITTEE, kind.0])? {
            out.push(decode(&key, &value)?);
        }
    }
    Ok(out)
}

/// Sets a runtime's committee.
pub fn set_committee(store: &mut Store, committee: &Committee) {
    store.insert_cbor(&committee_key(committee.kind, &committee.runtime_id), committee);
}

/// Removes a runtime's committee, if there is one.
pub fn remove_committee(store: &mut Store, kind: CommitteeKind, runtime_id: &Namespace) {
    store.remove(&committee_key(kind, runtime_id));
}

/// Voting power by consensus key.
pub fn current_validators(store: &Store) -> Result<BTreeMap<PublicKey, i64>> {
    Ok(store.get_cbor(KEY_VALIDATORS_CURRENT)?.unwrap_or_default())
}

/// Sets the validators.
pub fn set_current_validators(store: &mut Store, validators: &BTreeMap<PublicKey, i64>) {
    store.insert_cbor(KEY_VALIDATORS_CURRENT, validators);
}

/// Voting power by consensus key after this block, where an election was held in it.
pub fn pending_validators(store: &Store) -> Result<Option<BTreeMap<PublicKey, i64>>> {
    store.get_cbor(KEY_VALIDATORS_PENDING)
}

/// Sets the validators after this block.
pub fn set_pending_validators(store: &mut Store, validators: &BTreeMap<PublicKey, i64>) {
    store.insert_cbor(KEY_VALIDATORS_PENDING, validators);
}

/// Removes the validators after this block.
pub fn remove_pending_validators(store: &mut Store) {
    store.remove(KEY_VALIDATORS_PENDING);
}

/// The parameters.
pub fn consensus_parameters(store: &Store) -> Result<ConsensusParameters> {
    store.get_cbor(KEY_PARAMETERS)?.ok_or_else(|| missing("scheduler parameters"))
}

/// Sets the parameters.
pub fn set_consensus_parameters(store: &mut Store, params: &ConsensusParameters) {
    store.insert_cbor(KEY_PARAMETERS, params);
}

/// The name of a key of this app, for people; none for other keys.
pub fn key_name(key: &[u8]) -> Option<String> {
    let (prefix, rest) = key.split_first()?;
    Some(match *prefix {
        PREFIX_COMMITTEE => {
            let (kind, hash) = rest.split_first()?;
            format!("scheduler {} committee of runtime H({})", CommitteeKind(*kind), Hash::from_slice(hash)?)
        }
        0x61 => "scheduler current validators".to_owned(),
        0x62 => "scheduler pending validators".to_owned(),
        0x63 => "scheduler parameters".to_owned(),
        _ => return None,
    })
}
