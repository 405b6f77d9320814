//! Keys of the root hash state.
//!
//! Source: go/consensus/tendermint/apps/roothash/state/state.go.

use oasis_consensus_types::roothash::{ConsensusParameters, ERR_INVALID_RUNTIME, RuntimeState};
use oasis_primitives::{hash::Hash, namespace::Namespace};

use crate::{
    context::missing,
    error::{Error, Result},
    store::{Store, decode},
};

/// Runtimes: hash of the identifier (32 bytes); the state.
const PREFIX_RUNTIME: u8 = 0x20;
/// The parameters.
const KEY_PARAMETERS: &[u8] = &[0x21];
/// Timeouts: height (8 bytes), hash of the runtime (32 bytes); the runtime's identifier.
const PREFIX_ROUND_TIMEOUT: u8 = 0x22;
/// Set while the beacon's failure disables all transactions.
const KEY_REJECT_TRANSACTIONS: &[u8] = &[0x23];
/// Evidence: hash of the runtime (32 bytes), round (8 bytes), hash of the evidence (32 bytes); empty.
const PREFIX_EVIDENCE: u8 = 0x24;
/// State roots: hash of the runtime (32 bytes); the root.
const PREFIX_STATE_ROOT: u8 = 0x25;
/// Roots of inputs and outputs: hash of the runtime (32 bytes); the root.
const PREFIX_IO_ROOT: u8 = 0x26;

fn runtime_key(prefix: u8, runtime_id: &Namespace) -> Vec<u8> {
    [&[prefix][..], &Hash::of(&runtime_id.0).0].concat()
}

fn timeout_key(height: i64, runtime_id: &Namespace) -> Vec<u8> {
    [&[PREFIX_ROUND_TIMEOUT][..], &height.to_be_bytes(), &Hash::of(&runtime_id.0).0].concat()
}

fn evidence_key(runtime_id: &Namespace, round: u64, hash: &Hash) -> Vec<u8> {
    [&runtime_key(PREFIX_EVIDENCE, runtime_id)[..], &round.to_be_bytes(), &hash.0].concat()
}

/// The parameters.
pub fn consensus_parameters(store: &Store) -> Result<ConsensusParameters> {
    store.get_cbor(KEY_PARAMETERS)?.ok_or_else(|| missing("root hash parameters"))
}

/// Sets the parameters.
pub fn set_consensus_parameters(store: &mut Store, params: &ConsensusParameters) {
    store.insert_cbor(KEY_PARAMETERS, params);
}

/// A runtime's state, where there is one.
pub fn find_runtime_state(store: &Store, id: &Namespace) -> Result<Option<RuntimeState>> {
    store.get_cbor(&runtime_key(PREFIX_RUNTIME, id))
}

/// A runtime's state; without one the error is [`ERR_INVALID_RUNTIME`].
pub fn runtime_state(store: &Store, id: &Namespace) -> Result<RuntimeState> {
    find_runtime_state(store, id)?.ok_or_else(|| ERR_INVALID_RUNTIME.into())
}

/// The states of all runtimes, in the order of their identifiers' hashes.
pub fn runtime_states(store: &Store) -> Result<Vec<RuntimeState>> {
    store.iterate(&[PREFIX_RUNTIME])?.into_iter().map(|(key, value)| decode(&key, &value)).collect()
}

/// Sets a runtime's state, and its roots, which are proven to runtimes.
///
/// Source: go/consensus/tendermint/apps/roothash/state/state.go, `SetRuntimeState`.
pub fn set_runtime_state(store: &mut Store, state: &RuntimeState) {
    let (id, header) = (&state.runtime.id, &state.current_block.header);
    store.insert_cbor(&runtime_key(PREFIX_RUNTIME, id), state);
    store.insert(&runtime_key(PREFIX_STATE_ROOT, id), &header.state_root.0[..]);
    store.insert(&runtime_key(PREFIX_IO_ROOT, id), &header.io_root.0[..]);
}

fn root(store: &Store, prefix: u8, id: &Namespace) -> Result<Hash> {
    let value = store.get(&runtime_key(prefix, id))?.ok_or(ERR_INVALID_RUNTIME)?;
    Hash::from_slice(&value).ok_or_else(|| Error::fatal("root hash: malformed root"))
}

/// A runtime's state root.
pub fn state_root(store: &Store, id: &Namespace) -> Result<Hash> {
    root(store, PREFIX_STATE_ROOT, id)
}

/// The root of a runtime's last inputs and outputs.
pub fn io_root(store: &Store, id: &Namespace) -> Result<Hash> {
    root(store, PREFIX_IO_ROOT, id)
}

/// The runtimes whose round times out at a height, in the order of their identifiers' hashes.
pub fn runtimes_with_round_timeouts(store: &Store, height: i64) -> Result<Vec<Namespace>> {
    let prefix = [&[PREFIX_ROUND_TIMEOUT][..], &height.to_be_bytes()].concat();
    let read = |value: &[u8]| Namespace::from_slice(value).ok_or_else(|| Error::fatal("root hash: malformed runtime of a timeout"));
    store.iterate(&prefix)?.into_iter().map(|(_, value)| read(&value)).collect()
}

/// All timeouts of rounds: heights and runtimes.
pub fn round_timeouts(store: &Store) -> Result<Vec<(i64, Namespace)>> {
    let read = |key: &[u8], value: &[u8]| {
        let height = key.get(1..9).and_then(|b| b.try_into().ok()).map(i64::from_be_bytes);
        height.zip(Namespace::from_slice(value)).ok_or_else(|| Error::fatal("root hash: malformed timeout"))
    };
    store.iterate(&[PREFIX_ROUND_TIMEOUT])?.into_iter().map(|(key, value)| read(&key, &value)).collect()
}

/// Schedules a timeout of a runtime's round.
pub fn schedule_round_timeout(store: &mut Store, runtime_id: &Namespace, height: i64) {
    store.insert(&timeout_key(height, runtime_id), &runtime_id.0[..]);
}

/// Removes a timeout of a runtime's round.
pub fn clear_round_timeout(store: &mut Store, runtime_id: &Namespace, height: i64) {
    store.remove(&timeout_key(height, runtime_id));
}

/// Whether all transactions are refused.
pub fn reject_transactions(store: &Store) -> Result<bool> {
    store.contains(KEY_REJECT_TRANSACTIONS)
}

/// Lets all transactions be refused, or not.
pub fn set_reject_transactions(store: &mut Store, reject: bool) {
    if reject {
        store.insert_cbor(KEY_REJECT_TRANSACTIONS, &true);
    } else {
        store.remove(KEY_REJECT_TRANSACTIONS);
    }
}

/// Whether evidence of a round is known.
pub fn evidence_exists(store: &Store, runtime_id: &Namespace, round: u64, hash: &Hash) -> Result<bool> {
    store.contains(&evidence_key(runtime_id, round, hash))
}

/// Notes evidence of a round.
pub fn set_evidence(store: &mut Store, runtime_id: &Namespace, round: u64, hash: &Hash) {
    store.insert(&evidence_key(runtime_id, round, hash), Vec::new());
}

/// Removes evidence of rounds up to `last_round`, starting with this runtime's and going on, as the original does, with
/// those of the runtimes that follow it until one is too new.
///
/// Source: go/consensus/tendermint/apps/roothash/state/state.go, `RemoveExpiredEvidence`, which does not compare the
/// runtime.
pub fn remove_expired_evidence(store: &mut Store, runtime_id: &Namespace, last_round: u64) -> Result<()> {
    let mut expired = Vec::new();
    for entry in store.iter_from(&[PREFIX_EVIDENCE], &runtime_key(PREFIX_EVIDENCE, runtime_id)) {
        let (key, _) = entry?;
        let round = key.get(33..41).and_then(|b| b.try_into().ok()).map(u64::from_be_bytes);
        if round.ok_or_else(|| Error::fatal("root hash: malformed key of evidence"))? > last_round {
            break;
        }
        expired.push(key);
    }
    for key in expired {
        store.remove(&key);
    }
    Ok(())
}

/// The name of a key of this app, for people; none for other keys.
pub fn key_name(key: &[u8]) -> Option<String> {
    let (prefix, rest) = key.split_first()?;
    let hash = |from: usize| rest.get(from..from.checked_add(32)?).and_then(Hash::from_slice);
    let number = |from: usize| rest.get(from..from.checked_add(8)?).and_then(|b| b.try_into().ok()).map(u64::from_be_bytes);
    Some(match *prefix {
        PREFIX_RUNTIME => format!("root hash runtime H({})", hash(0)?),
        0x21 => "root hash parameters".to_owned(),
        PREFIX_ROUND_TIMEOUT => format!("root hash timeout at {} of runtime H({})", number(0)?, hash(8)?),
        0x23 => "root hash reject transactions".to_owned(),
        PREFIX_EVIDENCE => format!("root hash evidence of runtime H({}) round {} hash {}", hash(0)?, number(32)?, hash(40)?),
        PREFIX_STATE_ROOT => format!("root hash state root of runtime H({})", hash(0)?),
        PREFIX_IO_ROOT => format!("root hash I/O root of runtime H({})", hash(0)?),
        _ => return None,
    })
}
