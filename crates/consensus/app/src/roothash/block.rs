//! What happens at the start and at the end of a block.
//!
//! Source: go/consensus/tendermint/apps/roothash/roothash.go.

use oasis_consensus_types::{
    registry::{GovernanceModel, Runtime},
    roothash::{ConsensusParameters, HeaderType, RuntimeState, commitment::Pool},
    scheduler::CommitteeKind,
};
use oasis_primitives::namespace::Namespace;

use super::{
    finalize::{emit_empty_block, try_finalize_block},
    state,
};
use crate::{
    beacon,
    block::BeginBlock,
    context::Context,
    error::{Error, Result},
    registry, scheduler,
    staking::StakeAccumulatorCache,
};

/// Gives runtimes their new committees.
///
/// Source: go/consensus/tendermint/apps/roothash/roothash.go, `BeginBlock`.
pub fn begin_block(ctx: &mut Context<'_>, _request: &BeginBlock) -> Result<()> {
    // A beacon without participants disables runtimes until the next epoch.
    if ctx.has_event(beacon::APP_NAME, beacon::events::KEY_DISABLE_RUNTIMES) {
        state::set_reject_transactions(ctx.store, true);
        return Ok(());
    }
    let (epoch_changed, _) = ctx.epoch_changed_or_current()?;
    if epoch_changed {
        state::set_reject_transactions(ctx.store, false);
    }
    if epoch_changed || ctx.has_event(scheduler::APP_NAME, scheduler::KEY_ELECTED) {
        on_committee_changed(ctx)?;
    }
    Ok(())
}

/// Source: go/consensus/tendermint/apps/roothash/roothash.go, `onCommitteeChanged`.
fn on_committee_changed(ctx: &mut Context<'_>) -> Result<()> {
    let runtimes = registry::state::runtimes(ctx.store)?;
    let params = state::consensus_parameters(ctx.store)?;
    let mut stakes = if params.debug_bypass_stake { None } else { Some(StakeAccumulatorCache::new(ctx.store)?) };
    for runtime in runtimes.into_iter().filter(Runtime::is_compute) {
        let mut rt_state = state::runtime_state(ctx.store, &runtime.id)?;
        update_committee(ctx, &params, stakes.as_mut(), &runtime, &mut rt_state)?;
        // From now on this epoch's descriptor holds; the pool keeps the one before.
        rt_state.runtime = runtime.into();
        state::set_runtime_state(ctx.store, &rt_state);
    }
    Ok(())
}

fn update_committee(
    ctx: &mut Context<'_>,
    params: &ConsensusParameters,
    stakes: Option<&mut StakeAccumulatorCache>,
    runtime: &Runtime,
    rt_state: &mut RuntimeState,
) -> Result<()> {
    let round = rt_state.current_block.header.round;
    if let Some(last_round) = round.checked_sub(params.max_evidence_age).filter(|r| *r > 0) {
        state::remove_expired_evidence(ctx.store, &runtime.id, last_round)?;
    }

    // The registry holds the runtime among the active ones.
    rt_state.suspended = false;
    let committee = scheduler::state::committee(ctx.store, CommitteeKind::COMPUTE_EXECUTOR, &rt_state.runtime.id)?;
    let operable = committee.is_some() && has_stake(ctx, stakes, runtime)?;
    if !operable && !params.debug_do_not_suspend_runtimes {
        return suspend(ctx, rt_state);
    }

    // The round in progress ends without results, so that clients know which state is final in the epoch.
    let pool = match committee {
        Some(committee) => Pool { runtime: Some(Box::new((*rt_state.runtime).clone())), committee: Some(committee), ..Pool::default() },
        None => Pool::default(),
    };
    emit_empty_block(ctx, rt_state, HeaderType::EPOCH_TRANSITION);
    rt_state.executor_pool = Some(Pool { round: rt_state.current_block.header.round, ..pool });
    Ok(())
}

/// Whether the account of a runtime covers all its claims.
fn has_stake(ctx: &Context<'_>, stakes: Option<&mut StakeAccumulatorCache>, runtime: &Runtime) -> Result<bool> {
    let Some(stakes) = stakes else { return Ok(true) };
    if runtime.governance_model == GovernanceModel::CONSENSUS {
        return Ok(true);
    }
    let account = runtime.staking_address().ok_or_else(|| {
        Error::unknown(format!("unknown runtime governance model on runtime {}: {}", runtime.id, runtime.governance_model))
    })?;
    match stakes.check_stake_claims(ctx.store, &account) {
        Err(fatal) if fatal.is_fatal() => Err(fatal),
        checked => Ok(checked.is_ok()),
    }
}

/// Source: go/consensus/tendermint/apps/roothash/roothash.go, `suspendUnpaidRuntime`.
fn suspend(ctx: &mut Context<'_>, rt_state: &mut RuntimeState) -> Result<()> {
    registry::state::suspend_runtime(ctx.store, &rt_state.runtime.id)?;
    // The pool's timeout is cleared first.
    emit_empty_block(ctx, rt_state, HeaderType::SUSPENDED);
    rt_state.suspended = true;
    rt_state.executor_pool = None;
    Ok(())
}

/// Ends the rounds whose time is over.
///
/// Source: go/consensus/tendermint/apps/roothash/roothash.go, `EndBlock`.
pub fn end_block(ctx: &mut Context<'_>) -> Result<()> {
    for id in state::runtimes_with_round_timeouts(ctx.store, ctx.block_height())? {
        process_round_timeout(ctx, &id)?;
    }
    Ok(())
}

/// Source: go/consensus/tendermint/apps/roothash/roothash.go, `processRoundTimeout`.
fn process_round_timeout(ctx: &mut Context<'_>, id: &Namespace) -> Result<()> {
    let mut rt_state = state::runtime_state(ctx.store, id)?;
    let pool = rt_state.executor_pool.as_ref().ok_or_else(|| Error::unknown("no executor pool"))?;
    if !pool.is_timeout(ctx.block_height()) {
        return Err(Error::unknown("no scheduled timeout"));
    }
    try_finalize_block(ctx, &mut rt_state, true)?;
    state::set_runtime_state(ctx.store, &rt_state);
    Ok(())
}
