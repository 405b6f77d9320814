//! Brings blocks, the engine's state and the state machine together when a node starts.
//!
//! A crash, or a lost directory, leaves them at different heights. Blocks are kept first and synced, so they are never
//! behind; the others are brought up to them by executing blocks again. Unlike the original, a state machine that lost
//! everything is made again from the first block, as long as that block is there.
//!
//! Source: tendermint `consensus/replay.go`, `Handshaker.ReplayBlocks`.

use crate::{
    block::CheckedBlock,
    ports::{Application, Fatal, Store},
    proto::PartSetHeader,
    state::{ChainState, EngineGenesis},
    validator_set::ValidatorSet,
};
use std::sync::Arc;

/// Hears how far it is: the block that was executed again, and the last one that will be.
pub type OnReplay<'a> = &'a mut dyn FnMut(i64, i64);

/// The state to go on from.
pub(super) fn handshake(
    app: &mut dyn Application,
    store: &mut dyn Store,
    genesis: &EngineGenesis,
    on_replay: OnReplay<'_>,
) -> Result<ChainState, Fatal> {
    let info = app.info()?;
    let mut kept = store.chain_state()?;
    if let Some(state) = &kept
        && state.chain_id != genesis.chain_id
    {
        return Err(Fatal::new(format_args!(
            "the blocks are of the chain {}, the genesis document is of {}: use that chain's document, or another data directory",
            state.chain_id, genesis.chain_id
        )));
    }
    if info.last_height == 0 {
        let response = app.init_chain(genesis)?;
        if kept.as_ref().is_none_or(|state| state.last_block_height == 0) {
            let state = ChainState::from_genesis(genesis, info.app_version, &response).map_err(Fatal::new)?;
            store.save_genesis(&state)?;
            kept = Some(state);
        }
    }
    let (base, last_block) = store.range();
    let Some(state) = kept else {
        return Err(Fatal::new(format_args!(
            "the state machine is at block {}, but there are no blocks and no state of the engine: \
             put the directory of blocks back, or remove that of the state too",
            info.last_height
        )));
    };
    let machine = info.last_height;
    if last_block == 0 {
        // Nothing yet, or a state that was restored from a snapshot.
        if machine != state.last_block_height {
            return Err(apart(machine, state.last_block_height, last_block));
        }
        return same_root(&info.app_hash, &state, machine).map(|()| state);
    }
    if machine > last_block || state.last_block_height > last_block || last_block > state.last_block_height.saturating_add(1) {
        return Err(apart(machine, state.last_block_height, last_block));
    }
    let first = machine.saturating_add(1).max(state.initial_height);
    if first < base {
        return Err(Fatal::new(format_args!(
            "the state machine is at block {machine}, but blocks before {base} are no longer there to be executed: \
             restore its state from a backup, or remove the data directory's blocks and state and sync anew"
        )));
    }
    let mut root = info.app_hash;
    for height in first..=state.last_block_height {
        root = execute_again(app, store, &state, height)?;
        on_replay(height, last_block);
    }
    if last_block == state.last_block_height {
        if machine > 0 || last_block > 0 {
            same_root(&root, &state, last_block)?;
        }
        return Ok(state);
    }
    let next = finish(app, store, &state, last_block, machine == last_block, root)?;
    on_replay(last_block, last_block);
    Ok(next)
}

/// Three heights between which no way leads.
fn apart(machine: i64, state: i64, blocks: i64) -> Fatal {
    Fatal::new(format_args!(
        "the state machine is at block {machine}, the engine at {state}, the blocks end at {blocks}: parts of the data directory are \
         from different times; put all of them back from one backup, or remove blocks and state and sync anew"
    ))
}

fn same_root(root: &[u8], state: &ChainState, height: i64) -> Result<(), Fatal> {
    // Before the first block the root is the genesis document's, which the state machine may not tell.
    if root == state.app_hash || state.last_block_height < state.initial_height {
        return Ok(());
    }
    Err(Fatal::new(format_args!(
        "after block {height} the state has the root {}, the chain says {}: the state is damaged; remove it to execute the blocks again",
        hex::encode(root),
        hex::encode(&state.app_hash)
    )))
}

fn load(store: &dyn Store, height: i64) -> Result<CheckedBlock, Fatal> {
    let lost = || Fatal::new(format_args!("block {height} is missing: remove blocks and state and sync anew"));
    let encoded = store.block(height)?.ok_or_else(lost)?;
    let parts: PartSetHeader = store.block_meta(height)?.ok_or_else(lost)?.block_id.part_set_header;
    CheckedBlock::decode_live(&encoded, &parts).map_err(|e| Fatal::new(format_args!("block {height}: {e}")))
}

/// Executes a block that the engine's state is past. Source: `Handshaker.replayBlocks`.
fn execute_again(app: &mut dyn Application, store: &dyn Store, state: &ChainState, height: i64) -> Result<Vec<u8>, Fatal> {
    let block = load(store, height)?;
    let last_validators = match height {
        first if first <= state.initial_height => ValidatorSet::new(Vec::new()).map_err(Fatal::new)?,
        _ => store
            .validators(height.saturating_sub(1))?
            .ok_or_else(|| Fatal::new(format_args!("the validators of block {} are missing", height.saturating_sub(1))))?,
    };
    let then = ChainState { last_validators: Arc::new(last_validators), ..state.clone() };
    app.execute(&block, &then.vote_infos(&block), &block.evidence().byzantine_validators())?;
    Ok(app.commit()?.app_hash)
}

/// Finishes the last block: executes it, or takes the answers that were kept where the state machine is past it.
fn finish(
    app: &mut dyn Application,
    store: &mut dyn Store,
    state: &ChainState,
    height: i64,
    executed: bool,
    root: Vec<u8>,
) -> Result<ChainState, Fatal> {
    let block = load(store, height)?;
    let (responses, root) = if executed {
        let lost = || Fatal::new(format_args!("the results of block {height} are missing: remove the state to execute the blocks again"));
        (store.responses(height)?.ok_or_else(lost)?, root)
    } else {
        same_root(&root, state, state.last_block_height)?;
        let responses = app.execute(&block, &state.vote_infos(&block), &block.evidence().byzantine_validators())?;
        store.save_responses(height, &responses)?;
        (responses, app.commit()?.app_hash)
    };
    let next = state.after_block(&block, &responses, &root).map_err(Fatal::new)?;
    store.save_applied(&next, &block.evidence().evidence)?;
    Ok(next)
}
