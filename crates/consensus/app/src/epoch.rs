//! The current and the scheduled epoch, as every app sees them.
//!
//! Source: go/consensus/tendermint/apps/beacon/state/state.go, go/consensus/tendermint/abci/state.go.

pub use oasis_consensus_types::beacon::{EPOCH_INVALID, EpochTime, EpochTimeState};

use crate::{error::Result, store::Store};

/// Key of the current epoch.
pub const KEY_CURRENT: &[u8] = &[0x40];
/// Key of the scheduled epoch.
pub const KEY_FUTURE: &[u8] = &[0x41];

/// The current epoch and the height at which it started; zeros before the first is set.
pub fn current(store: &Store) -> Result<EpochTimeState> {
    Ok(store.get_cbor(KEY_CURRENT)?.unwrap_or_default())
}

/// The scheduled epoch, if one is.
pub fn future(store: &Store) -> Result<Option<EpochTimeState>> {
    store.get_cbor(KEY_FUTURE)
}
