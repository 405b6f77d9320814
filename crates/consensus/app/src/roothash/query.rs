//! What clients ask about runtimes' rounds.
//!
//! Source: go/consensus/tendermint/apps/roothash/query.go.

use oasis_consensus_types::roothash::{Block, ConsensusParameters, Event, Genesis, MessageEvent, RoundResults, RuntimeState};
use oasis_primitives::{cbor::OrNil, namespace::Namespace, signature::PublicKey};

use super::{genesis::export, state};
use crate::{error::Result, registry, store::Store};

/// A runtime's last block.
pub fn latest_block(store: &Store, id: &Namespace) -> Result<Block> {
    Ok(state::runtime_state(store, id)?.current_block.into_inner())
}

/// A runtime's first block.
pub fn genesis_block(store: &Store, id: &Namespace) -> Result<Block> {
    Ok(state::runtime_state(store, id)?.genesis_block.into_inner())
}

/// A runtime's state.
pub fn runtime_state(store: &Store, id: &Namespace) -> Result<RuntimeState> {
    state::runtime_state(store, id)
}

/// The parameters.
pub fn consensus_parameters(store: &Store) -> Result<ConsensusParameters> {
    state::consensus_parameters(store)
}

/// What the consensus layer did with a runtime's round; `events` are those of the block that ended it, `store` the state
/// after that block.
///
/// Source: go/consensus/tendermint/roothash/roothash.go, `getRoundResults`.
pub fn round_results(store: &Store, id: &Namespace, events: &[Event]) -> Result<RoundResults> {
    let mut results = RoundResults { messages: messages_of(id, events), ..RoundResults::default() };
    for finalized in events.iter().filter(|e| e.runtime_id == *id && e.message.is_none()).filter_map(|e| e.finalized.as_ref()) {
        results.good_compute_entities = node_entities(store, &finalized.good_compute_nodes)?;
        results.bad_compute_entities = node_entities(store, &finalized.bad_compute_nodes)?;
    }
    Ok(results)
}

fn messages_of(id: &Namespace, events: &[Event]) -> Vec<OrNil<MessageEvent>> {
    events.iter().filter(|e| e.runtime_id == *id).filter_map(|e| e.message.clone()).map(OrNil::from).collect()
}

/// The entities of nodes, each once, in the order in which they come.
fn node_entities(store: &Store, nodes: &[PublicKey]) -> Result<Vec<PublicKey>> {
    let mut out = Vec::new();
    for id in nodes {
        let entity = registry::state::node(store, id)?.entity_id;
        if !out.contains(&entity) {
            out.push(entity);
        }
    }
    Ok(out)
}

/// The genesis state that continues from this state, with the results of the last messages of each runtime.
///
/// `events_at` gives the events of the block of a height, which is not above the state's.
///
/// Source: go/consensus/tendermint/roothash/roothash.go, `StateToGenesis`.
pub fn state_to_genesis(store: &Store, mut events_at: impl FnMut(i64) -> Result<Vec<Event>>) -> Result<Genesis> {
    let mut genesis = export(store)?;
    for (id, known) in &mut genesis.runtime_states {
        let height = state::runtime_state(store, id)?.last_normal_height;
        known.message_results = messages_of(id, &events_at(height)?);
    }
    Ok(genesis)
}
