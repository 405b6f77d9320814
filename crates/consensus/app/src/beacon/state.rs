//! The app's keys.
//!
//! Source: go/consensus/tendermint/apps/beacon/state.

use oasis_consensus_types::beacon::{ConsensusParameters, ERR_BEACON_NOT_AVAILABLE, EpochTime, EpochTimeState, PvssState};

use crate::{
    context::missing,
    epoch::{self, KEY_CURRENT, KEY_FUTURE},
    error::{Error, Result},
    store::{Store, Value},
};

/// The random beacon, 32 bytes.
const KEY_BEACON: &[u8] = &[0x42];
/// Consensus parameters.
const KEY_PARAMETERS: &[u8] = &[0x43];
/// The round of secret sharing.
const KEY_PVSS_STATE: &[u8] = &[0x44];
/// The epoch that a transaction asked for and that starts after the round.
const KEY_PENDING_MOCK_EPOCH: &[u8] = &[0x45];

/// The parameters.
pub fn params(store: &Store) -> Result<ConsensusParameters> {
    store.get_cbor(KEY_PARAMETERS)?.ok_or_else(|| missing("beacon: consensus parameters"))
}

/// Sets the parameters.
pub fn set_params(store: &mut Store, params: &ConsensusParameters) {
    store.insert_cbor(KEY_PARAMETERS, params);
}

/// The beacon, if there is one.
pub fn find_beacon(store: &Store) -> Result<Option<Value>> {
    store.get(KEY_BEACON)
}

/// The beacon; an error where there is none yet.
pub fn beacon(store: &Store) -> Result<Value> {
    find_beacon(store)?.ok_or_else(|| ERR_BEACON_NOT_AVAILABLE.into())
}

/// Sets the beacon.
pub fn set_beacon(store: &mut Store, beacon: &[u8; 32]) {
    store.insert(KEY_BEACON, &beacon[..]);
}

/// The current epoch and the height at which it started; zeros before the first is set.
pub fn epoch(store: &Store) -> Result<EpochTimeState> {
    epoch::current(store)
}

/// Sets the current epoch and the height at which it started.
pub fn set_epoch(store: &mut Store, epoch: EpochTime, height: i64) {
    store.insert_cbor(KEY_CURRENT, &EpochTimeState { epoch, height });
}

/// The scheduled epoch, if any.
pub fn future_epoch(store: &Store) -> Result<Option<EpochTimeState>> {
    epoch::future(store)
}

/// Schedules an epoch; an error where one is scheduled already.
pub fn set_future_epoch(store: &mut Store, epoch: EpochTime, height: i64) -> Result<()> {
    if future_epoch(store)?.is_some() {
        return Err(Error::unknown("tendermint/beacon: future epoch already pending"));
    }
    store.insert_cbor(KEY_FUTURE, &EpochTimeState { epoch, height });
    Ok(())
}

/// Forgets the scheduled epoch.
pub fn clear_future_epoch(store: &mut Store) {
    store.remove(KEY_FUTURE);
}

/// The round of secret sharing, if one runs.
pub fn pvss_state(store: &Store) -> Result<Option<PvssState>> {
    store.get_cbor(KEY_PVSS_STATE)
}

/// Sets the round of secret sharing.
pub fn set_pvss_state(store: &mut Store, state: &PvssState) {
    store.insert_cbor(KEY_PVSS_STATE, state);
}

/// Forgets the round of secret sharing.
pub fn clear_pvss_state(store: &mut Store) {
    store.remove(KEY_PVSS_STATE);
}

/// The epoch that a transaction asked for, if any.
pub fn pending_mock_epoch(store: &Store) -> Result<Option<EpochTime>> {
    store.get_cbor(KEY_PENDING_MOCK_EPOCH)
}

/// Sets the epoch that a transaction asked for.
pub fn set_pending_mock_epoch(store: &mut Store, epoch: EpochTime) {
    store.insert_cbor(KEY_PENDING_MOCK_EPOCH, &epoch);
}

/// Forgets the epoch that a transaction asked for.
pub fn clear_pending_mock_epoch(store: &mut Store) {
    store.remove(KEY_PENDING_MOCK_EPOCH);
}

/// The name of a key of this app, for people; none for other keys.
pub fn key_name(key: &[u8]) -> Option<String> {
    let name = match key {
        KEY_CURRENT => "beacon epoch",
        KEY_FUTURE => "beacon scheduled epoch",
        KEY_BEACON => "beacon value",
        KEY_PARAMETERS => "beacon parameters",
        KEY_PVSS_STATE => "beacon round of secret sharing",
        KEY_PENDING_MOCK_EPOCH => "beacon requested epoch",
        _ => return None,
    };
    Some(name.to_owned())
}
