//! What clients ask about runtimes' rounds.
//!
//! Source: go/consensus/tendermint/apps/roothash/query.go.

use oasis_consensus_types::roothash::{Block, ConsensusParameters, RuntimeState};
use oasis_primitives::namespace::Namespace;

use super::state;
use crate::{error::Result, store::Store};

/// A runtime's last block.
pub fn latest_block(store: &Store, id: &Namespace) -> Result<Block> {
    Ok(state::runtime_state(store, id)?.current_block)
}

/// A runtime's first block.
pub fn genesis_block(store: &Store, id: &Namespace) -> Result<Block> {
    Ok(state::runtime_state(store, id)?.genesis_block)
}

/// A runtime's state.
pub fn runtime_state(store: &Store, id: &Namespace) -> Result<RuntimeState> {
    state::runtime_state(store, id)
}

/// The parameters.
pub fn consensus_parameters(store: &Store) -> Result<ConsensusParameters> {
    state::consensus_parameters(store)
}
