//! The first state, and states of new runtimes.
//!
//! Source: go/consensus/tendermint/apps/roothash/{genesis,roothash}.go.

use std::collections::BTreeMap;

use oasis_consensus_types::{
    genesis::Document,
    registry::Runtime,
    roothash::{Block, FinalizedEvent, Genesis, GenesisRuntimeState, HeaderType, MessageEvent, RuntimeState},
};

use super::{events, state};
use crate::{context::Context, error::Result, registry, store::Store};

/// Makes the first state.
///
/// Source: go/consensus/tendermint/apps/roothash/genesis.go, `InitChain`.
pub fn init_chain(ctx: &mut Context<'_>, document: &Document) -> Result<()> {
    let genesis = &document.roothash;
    state::set_consensus_parameters(ctx.store, &genesis.parameters);
    for runtime in registry::state::runtimes(ctx.store)? {
        create_runtime_state(ctx, &runtime, Some(genesis), false)?;
    }
    for runtime in registry::state::suspended_runtimes(ctx.store)? {
        create_runtime_state(ctx, &runtime, Some(genesis), true)?;
    }
    Ok(())
}

/// Makes the state of a compute runtime that has none; `genesis` where the network starts.
///
/// Source: go/consensus/tendermint/apps/roothash/roothash.go, `onNewRuntime`.
pub(super) fn create_runtime_state(ctx: &mut Context<'_>, runtime: &Runtime, genesis: Option<&Genesis>, suspended: bool) -> Result<()> {
    if !runtime.is_compute() || state::find_runtime_state(ctx.store, &runtime.id)?.is_some() {
        return Ok(());
    }

    let mut block = Block::genesis(runtime.id, ctx.now().seconds.cast_unsigned());
    let header = &mut block.header;
    header.round = runtime.genesis.round;
    header.state_root = runtime.genesis.state_root;
    header.storage_signatures = runtime.genesis.storage_receipts.clone();
    if let Some(known) = genesis.and_then(|g| g.runtime_states.get(&runtime.id)).filter(|known| !known.is_nil()) {
        header.round = known.round;
        header.state_root = known.state_root;
        if suspended {
            header.header_type = HeaderType::SUSPENDED;
        }
        for result in &known.message_results {
            events::emit(ctx, &runtime.id, MessageEvent::clone(result));
        }
    }

    let round = block.header.round;
    let height = ctx.current_height();
    let new = RuntimeState {
        runtime: runtime.clone().into(),
        suspended: false,
        genesis_block: block.clone().into(),
        current_block: block.into(),
        current_block_height: height,
        last_normal_round: round,
        last_normal_height: height,
        executor_pool: None,
    };
    state::set_runtime_state(ctx.store, &new);
    events::emit(ctx, &runtime.id, FinalizedEvent { round, ..FinalizedEvent::default() });
    Ok(())
}

/// The genesis state that continues from this state.
///
/// Source: go/consensus/tendermint/apps/roothash/genesis.go, `Genesis`.
pub fn export(store: &Store) -> Result<Genesis> {
    let mut runtime_states = BTreeMap::new();
    for runtime in state::runtime_states(store)? {
        let header = &runtime.current_block.header;
        let known = GenesisRuntimeState {
            state_root: header.state_root,
            // Empty, not nil.
            state: Vec::new().into(),
            storage_receipts: Vec::new().into(),
            round: header.round,
            message_results: Vec::new(),
        };
        runtime_states.insert(runtime.runtime.id, known.into());
    }
    Ok(Genesis { parameters: state::consensus_parameters(store)?, runtime_states })
}
