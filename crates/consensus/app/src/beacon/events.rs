//! What the app announces.
//!
//! Source: go/consensus/tendermint/apps/beacon/api.go.

use oasis_consensus_types::beacon::{EpochTime, PvssEvent, PvssState};

use super::APP_NAME;
use crate::event::Event;

/// Attribute of a new epoch.
const KEY_EPOCH: &str = "epoch";
/// Attribute of a new beacon.
const KEY_BEACON: &str = "beacon";
/// Attribute that disables runtimes.
pub(crate) const KEY_DISABLE_RUNTIMES: &str = "disable_runtimes";

/// A new epoch starts.
pub(super) fn epoch(epoch: EpochTime) -> Event {
    Event::new(APP_NAME).typed(KEY_EPOCH, &epoch)
}

/// There is a new beacon.
pub(super) fn beacon(beacon: &[u8]) -> Event {
    Event::new(APP_NAME).attr(KEY_BEACON, beacon)
}

/// No attempt to make a beacon succeeded in time, so that runtimes stop until the next epoch.
pub(super) fn disable_runtimes() -> Event {
    Event::new(APP_NAME).attr(KEY_DISABLE_RUNTIMES, Vec::new())
}

/// A round reached a state.
pub(super) fn round(state: &PvssState) -> Event {
    Event::new(APP_NAME).typed(PvssEvent::KIND, &PvssEvent::from(state))
}
