//! The backend of block hashes, with an epoch every so many blocks.
//!
//! Source: go/consensus/tendermint/apps/beacon/backend_insecure.go.

use oasis_consensus_types::{
    beacon::{ConsensusParameters, EpochTime, METHOD_SET_EPOCH},
    transaction::Transaction,
};

use super::{DEBUG_ENTROPY, DEBUG_ENTROPY_CONTEXT, ENTROPY_CONTEXT, events, new_beacon, schedule_epoch, state};
use crate::{
    block::BeginBlock,
    context::{Context, missing},
    error::{Error, Result},
};

/// Starts the scheduled epoch, with a new beacon, where its height is reached.
///
/// Source: go/consensus/tendermint/apps/beacon/backend_insecure.go, `OnBeginBlock`.
pub(super) fn begin_block(ctx: &mut Context<'_>, params: &ConsensusParameters, request: &BeginBlock) -> Result<()> {
    let Some(future) = state::future_epoch(ctx.store)? else { return Ok(()) };
    let height = ctx.current_height();
    if future.height < height {
        return Err(Error::fatal(format!("beacon: epoch {} was due at height {}, it is {height}", future.epoch, future.height)));
    }
    if future.height > height {
        return Ok(());
    }
    state::set_epoch(ctx.store, future.epoch, height);
    state::clear_future_epoch(ctx.store);
    if !params.debug_mock_backend {
        schedule(ctx, params, future.epoch.wrapping_add(1))?;
    }
    ctx.emit(events::epoch(future.epoch));
    if params.debug_deterministic {
        new_beacon(ctx, future.epoch, DEBUG_ENTROPY_CONTEXT, DEBUG_ENTROPY);
        return Ok(());
    }
    // The first blocks have no commit before them that is worth anything.
    let early = ctx.block_height() <= ctx.initial_height();
    let entropy = if early { &request.hash } else { &request.last_commit_hash };
    if entropy.is_empty() {
        return Err(Error::fatal("beacon: failed to obtain entropy"));
    }
    new_beacon(ctx, future.epoch, ENTROPY_CONTEXT, entropy);
    Ok(())
}

/// Schedules an epoch by its number times the blocks of an epoch.
///
/// Source: go/consensus/tendermint/apps/beacon/backend_insecure.go, `scheduleEpochTransitionBlock`.
pub(super) fn schedule(ctx: &mut Context<'_>, params: &ConsensusParameters, epoch: EpochTime) -> Result<()> {
    let insecure = params.insecure_parameters.ok_or_else(|| missing("beacon: parameters of the insecure backend"))?;
    schedule_epoch(ctx, epoch, epoch.cast_signed().wrapping_mul(insecure.interval))
}

/// Executes the transaction that sets the epoch, where that is allowed.
///
/// Source: go/consensus/tendermint/apps/beacon/backend_insecure.go, `ExecuteTx`, `doTxSetEpoch`.
pub(super) fn execute_tx(ctx: &mut Context<'_>, params: &ConsensusParameters, tx: &Transaction) -> Result<()> {
    if tx.method != METHOD_SET_EPOCH {
        return Err(Error::unknown(format!("beacon: invalid method: {}", tx.method)));
    }
    if !params.debug_mock_backend {
        return Err(Error::unknown(format!("beacon: method '{METHOD_SET_EPOCH}' is disabled via consensus")));
    }
    let now = state::epoch(ctx.store)?.epoch;
    let epoch: EpochTime = tx.body()?;
    if epoch <= now {
        return Err(Error::unknown("beacon: explicit epoch does not advance time"));
    }
    let next = ctx.current_height().saturating_add(1);
    schedule_epoch(ctx, epoch, next)
}
