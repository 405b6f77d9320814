//! What happens at the start and the end of each block.
//!
//! Source: go/consensus/tendermint/apps/staking/staking.go, `BeginBlock`, `EndBlock`, `onEpochChange`.

use oasis_consensus_types::staking::ReclaimEscrowEvent;
use oasis_primitives::signature::PublicKey;

use super::{emit, fees, nodes, rewards, slashing, state};
use crate::{block::BeginBlock, context::Context, epoch::EpochTime, error::Result};

/// Pays fees and the proposer's reward, counts signatures, slashes for evidence.
pub fn begin_block(ctx: &mut Context<'_>, request: &BeginBlock) -> Result<()> {
    let proposer = nodes::by_consensus_address(ctx.store, &request.proposer)?.map(|node| node.entity_id);
    let validators = request.votes.len() as u64;
    let voters = resolve_voters(ctx, request)?;

    fees::disburse_in_next_block(ctx, proposer.as_ref(), validators, &voters)?;
    ctx.block.proposer_entity = proposer;
    rewards::reward_block_proposing(ctx, proposer.as_ref(), validators, voters.len() as u64)?;
    rewards::update_epoch_signing(ctx, &voters)?;
    for evidence in &request.misbehaviour {
        slashing::on_misbehaviour(ctx, evidence)?;
    }
    Ok(())
}

/// The entities of the validators that signed the block before, in the order of the votes; one may be there several times.
///
/// Source: go/consensus/tendermint/apps/staking/votes.go, `resolveEntityIDsFromVotes`.
fn resolve_voters(ctx: &Context<'_>, request: &BeginBlock) -> Result<Vec<PublicKey>> {
    let mut voters = Vec::new();
    for vote in request.votes.iter().filter(|vote| vote.signed) {
        if let Some(node) = nodes::by_consensus_address(ctx.store, &vote.address)? {
            voters.push(node.entity_id);
        }
    }
    Ok(voters)
}

/// Splits the block's fees; with a new epoch releases debonded stake and pays signing rewards.
pub fn end_block(ctx: &mut Context<'_>) -> Result<()> {
    let block_fees = std::mem::take(&mut ctx.block.fees);
    let proposer = ctx.block.proposer_entity;
    fees::disburse_at_end(ctx, proposer.as_ref(), &block_fees)?;
    match ctx.epoch_changed()? {
        Some(epoch) => on_epoch_change(ctx, epoch),
        None => Ok(()),
    }
}

fn on_epoch_change(ctx: &mut Context<'_>, epoch: EpochTime) -> Result<()> {
    for entry in state::expired_debonding_queue(ctx.store, epoch)? {
        release(ctx, entry)?;
    }
    rewards::reward_epoch_signing(ctx, epoch)
}

/// Pays a debonded delegation out to its delegator.
fn release(ctx: &mut Context<'_>, entry: state::DebondingQueueEntry) -> Result<()> {
    let state::DebondingQueueEntry { epoch, delegator, escrow, mut delegation } = entry;
    let shares = delegation.shares.clone();
    let mut own = state::account(ctx.store, &delegator)?;
    // Both may be the same account.
    let mut other = if delegator == escrow { None } else { Some(state::account(ctx.store, &escrow)?) };
    let pool = other.as_mut().map_or(&mut own.escrow.debonding, |other| &mut other.escrow.debonding);
    let amount = pool.withdraw(&mut delegation.shares, &shares)?;
    own.general.balance.add(&amount);

    state::remove_from_debonding_queue(ctx.store, epoch, &delegator, &escrow);
    state::remove_debonding_delegation(ctx.store, &delegator, &escrow, delegation.debond_end_time);
    state::set_account(ctx.store, &delegator, &own);
    if let Some(other) = &other {
        state::set_account(ctx.store, &escrow, other);
    }
    emit(ctx, &ReclaimEscrowEvent { owner: delegator, escrow, amount, shares });
    Ok(())
}
