//! The end of a round.
//!
//! Source: go/consensus/tendermint/apps/roothash/roothash.go.

use std::collections::BTreeSet;

use oasis_consensus_types::{
    roothash::{
        Block, ExecutionDiscrepancyDetectedEvent, FinalizedEvent, HeaderType, RuntimeState,
        commitment::{OpenExecutorCommitment, Outcome, Pool, TIMEOUT_NEVER},
    },
    staking::SlashReason,
};
use oasis_primitives::signature::PublicKey;

use super::{events, messages, slashing, state};
use crate::{
    context::Context,
    error::{Error, Result},
};

/// Adds a block without transactions, forgets the round's commitments and clears its timeout.
///
/// Source: go/consensus/tendermint/apps/roothash/roothash.go, `emitEmptyBlock`.
pub(super) fn emit_empty_block(ctx: &mut Context<'_>, rt_state: &mut RuntimeState, header_type: HeaderType) {
    let id = rt_state.runtime.id;
    let block = Block::empty(&rt_state.current_block, ctx.now().seconds.cast_unsigned(), header_type);
    let round = block.header.round;
    rt_state.current_block = block.into();
    rt_state.current_block_height = ctx.current_height();
    if let Some(pool) = &mut rt_state.executor_pool {
        if pool.next_timeout != TIMEOUT_NEVER {
            state::clear_round_timeout(ctx.store, &id, pool.next_timeout);
        }
        pool.reset_commitments(round);
    }
    events::emit(ctx, &id, FinalizedEvent { round, ..FinalizedEvent::default() });
}

/// Tries to end the round, and moves its timeout; `forced` where the time is over.
///
/// Source: go/consensus/tendermint/apps/roothash/roothash.go, `tryFinalizeBlock`.
pub(super) fn try_finalize_block(ctx: &mut Context<'_>, rt_state: &mut RuntimeState, forced: bool) -> Result<()> {
    let timeout = |rt_state: &RuntimeState| rt_state.executor_pool.as_ref().map_or(TIMEOUT_NEVER, |p| p.next_timeout);
    let previous = timeout(rt_state);
    try_finalize_commits(ctx, rt_state, forced)?;
    let next = timeout(rt_state);
    if previous != next {
        if previous != TIMEOUT_NEVER {
            state::clear_round_timeout(ctx.store, &rt_state.runtime.id, previous);
        }
        if next != TIMEOUT_NEVER {
            state::schedule_round_timeout(ctx.store, &rt_state.runtime.id, next);
        }
    }
    Ok(())
}

/// Source: go/consensus/tendermint/apps/roothash/roothash.go, `tryFinalizeExecutorCommits`.
fn try_finalize_commits(ctx: &mut Context<'_>, rt_state: &mut RuntimeState, forced: bool) -> Result<()> {
    let (id, round_timeout) = (rt_state.runtime.id, rt_state.runtime.executor.round_timeout);
    let height = ctx.block_height();
    let pool = rt_state.executor_pool.as_mut().ok_or_else(|| Error::unknown("no executor pool"))?;

    let mut outcome = pool.try_finalize(height, round_timeout, forced, true);
    if outcome == Outcome::DiscrepancyDetected {
        events::emit(ctx, &id, ExecutionDiscrepancyDetectedEvent { timeout: forced });
        // Backup workers may have committed already. The timeout stays as it was set.
        let next_timeout = pool.next_timeout;
        outcome = pool.try_finalize(height, round_timeout, false, false);
        pool.next_timeout = next_timeout;
    }

    match outcome {
        Outcome::Finalized(commit) => finalize(ctx, rt_state, &commit),
        Outcome::StillWaiting | Outcome::DiscrepancyDetected => Ok(()),
        Outcome::Failed(_) => {
            emit_empty_block(ctx, rt_state, HeaderType::ROUND_FAILED);
            Ok(())
        }
    }
}

/// Ends a round with results.
fn finalize(ctx: &mut Context<'_>, rt_state: &mut RuntimeState, commit: &OpenExecutorCommitment) -> Result<()> {
    let id = rt_state.runtime.id;
    messages::process(ctx, &id, &commit.messages)?;

    let pool = rt_state.executor_pool.as_mut().ok_or_else(|| Error::unknown("no executor pool"))?;
    let (good, bad) = good_and_bad_nodes(pool, commit);
    if pool.discrepancy
        && let Some(penalty) = rt_state.runtime.staking.slashing.get(&SlashReason::RUNTIME_INCORRECT_RESULTS)
        && !penalty.amount.is_zero()
    {
        slashing::on_incorrect_results(ctx, &bad, &good, &rt_state.runtime, &penalty.amount)?;
    }

    let mut block = Block::empty(&rt_state.current_block, ctx.now().seconds.cast_unsigned(), HeaderType::NORMAL);
    let (header, results) = (&mut block.header, &commit.body.header);
    // Commitments without a failure have all three.
    header.io_root = results.io_root.unwrap_or_default();
    header.state_root = results.state_root.unwrap_or_default();
    header.messages_hash = results.messages_hash.unwrap_or_default();
    let round = header.round;
    // The caller clears the timeout.
    pool.reset_commitments(round);

    rt_state.current_block = block.into();
    rt_state.current_block_height = ctx.current_height();
    rt_state.last_normal_round = round;
    rt_state.last_normal_height = ctx.current_height();
    events::emit(ctx, &id, FinalizedEvent { round, good_compute_nodes: good, bad_compute_nodes: bad });
    Ok(())
}

/// The nodes with the round's results and those with others, in the order of the committee; failures are neither.
fn good_and_bad_nodes(pool: &Pool, commit: &OpenExecutorCommitment) -> (Vec<PublicKey>, Vec<PublicKey>) {
    let mut seen = BTreeSet::new();
    let (mut good, mut bad) = (Vec::new(), Vec::new());
    for member in pool.committee.iter().flat_map(|c| c.members.iter()) {
        let Some(other) = pool.execute_commitments.get(&member.public_key) else { continue };
        if other.is_failure() || !seen.insert(member.public_key) {
            continue;
        }
        let list = if commit.mostly_equal(other) { &mut good } else { &mut bad };
        list.push(member.public_key);
    }
    (good, bad)
}
