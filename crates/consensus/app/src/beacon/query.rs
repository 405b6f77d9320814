//! What clients ask for.
//!
//! Source: go/consensus/tendermint/apps/beacon/query.go, `Query`.

use oasis_consensus_types::beacon::{ConsensusParameters, EpochTimeState, Genesis, PvssState};

use super::{genesis, state};
use crate::{
    error::Result,
    store::{Store, Value},
};

/// The beacon, 32 bytes; [`oasis_consensus_types::beacon::ERR_BEACON_NOT_AVAILABLE`] where there is none.
pub fn beacon(store: &Store) -> Result<Value> {
    state::beacon(store)
}

/// The epoch and the height at which it started.
pub fn epoch(store: &Store) -> Result<EpochTimeState> {
    state::epoch(store)
}

/// The scheduled epoch, if any.
pub fn future_epoch(store: &Store) -> Result<Option<EpochTimeState>> {
    state::future_epoch(store)
}

/// The section of a genesis document.
pub fn state_to_genesis(store: &Store) -> Result<Genesis> {
    genesis::export(store)
}

/// The parameters.
pub fn consensus_parameters(store: &Store) -> Result<ConsensusParameters> {
    state::params(store)
}

/// The round of secret sharing, if one runs.
pub fn pvss_state(store: &Store) -> Result<Option<PvssState>> {
    state::pvss_state(store)
}
