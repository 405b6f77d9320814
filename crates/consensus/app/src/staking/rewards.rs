//! Rewards out of the common pool.
//!
//! Source: go/consensus/tendermint/apps/staking/state/state.go, `AddRewards`, `AddRewardSingleAttenuated`,
//! go/consensus/tendermint/apps/staking/{proposing_rewards,signing_rewards}.go.

use oasis_consensus_types::staking::{
    Account, AddEscrowEvent, COMMON_POOL_ADDRESS, TransferEvent, active_step, reward_amount, reward_amount_attenuated, take_commission,
};
use oasis_primitives::{address::Address, quantity::Quantity, signature::PublicKey};

use super::{emit, state, tx::insufficient};
use crate::{
    context::Context,
    epoch::{EPOCH_INVALID, EpochTime},
    error::{Error, Result},
};

/// Adds a reward to an account's active pool: the commission is escrowed for the account itself, the rest makes all shares
/// worth more.
///
/// Fails where the common pool is too small.
fn reward(
    ctx: &mut Context<'_>,
    common_pool: &mut Quantity,
    address: &Address,
    account: &mut Account,
    now: EpochTime,
    amount: &Quantity,
) -> Result<()> {
    let (commission, rest) = take_commission(amount, account.escrow.commission_schedule.current_rate(now))?;
    if !rest.is_zero() {
        if !Quantity::transfer(&mut account.escrow.active.balance, common_pool, &rest) {
            return Err(insufficient());
        }
        let event = AddEscrowEvent { owner: COMMON_POOL_ADDRESS, escrow: *address, amount: rest, new_shares: Quantity::ZERO };
        emit(ctx, &event);
    }
    if !commission.is_zero() {
        let mut delegation = state::delegation(ctx.store, address, address)?;
        let new_shares = account.escrow.active.deposit(&mut delegation.shares, common_pool, &commission)?;
        state::set_delegation(ctx.store, address, address, &delegation);
        emit(ctx, &TransferEvent { from: COMMON_POOL_ADDRESS, to: *address, amount: commission.clone() });
        emit(ctx, &AddEscrowEvent { owner: *address, escrow: *address, amount: commission, new_shares });
    }
    state::set_account(ctx.store, address, account);
    Ok(())
}

/// Rewards accounts by their active stake; nothing after the end of the reward schedule.
///
/// Source: go/consensus/tendermint/apps/staking/state/state.go, `AddRewards`.
pub fn add_rewards(ctx: &mut Context<'_>, now: EpochTime, factor: &Quantity, addresses: &[Address]) -> Result<()> {
    let params = state::params(ctx.store)?;
    let Some(step) = active_step(&params.reward_schedule, now) else { return Ok(()) };
    let mut common_pool = state::common_pool(ctx.store)?;
    for address in addresses {
        let mut account = state::account(ctx.store, address)?;
        let amount = reward_amount(&account.escrow.active.balance, factor, &step.scale);
        if !amount.is_zero() {
            reward(ctx, &mut common_pool, address, &mut account, now, &amount)?;
        }
    }
    state::set_common_pool(ctx.store, &common_pool);
    Ok(())
}

/// Rewards the block's proposer by its active stake and the part of the validators whose votes it included.
///
/// Source: go/consensus/tendermint/apps/staking/proposing_rewards.go, `rewardBlockProposing`,
/// go/consensus/tendermint/apps/staking/state/state.go, `AddRewardSingleAttenuated`.
pub(super) fn reward_block_proposing(ctx: &mut Context<'_>, proposer: Option<&PublicKey>, validators: u64, voters: u64) -> Result<()> {
    let Some(proposer) = proposer else { return Ok(()) };
    let address = Address::of_public_key(proposer);
    let params = state::params(ctx.store)?;
    let now = ctx.current_epoch()?;
    if now == EPOCH_INVALID {
        return Ok(());
    }
    let Some(step) = active_step(&params.reward_schedule, now) else { return Ok(()) };
    let mut common_pool = state::common_pool(ctx.store)?;
    let mut account = state::account(ctx.store, &address)?;
    let balance = &account.escrow.active.balance;
    let amount = reward_amount_attenuated(balance, &params.reward_factor_block_proposed, &step.scale, voters, validators)
        .ok_or_else(|| Error::unknown("tendermint/staking: failed dividing by attenuation denominator"))?;
    if amount.is_zero() {
        return Ok(());
    }
    reward(ctx, &mut common_pool, &address, &mut account, now, &amount)?;
    state::set_common_pool(ctx.store, &common_pool);
    Ok(())
}

/// Counts who signed the block before.
///
/// Source: go/consensus/tendermint/apps/staking/signing_rewards.go, `updateEpochSigning`.
pub(super) fn update_epoch_signing(ctx: &mut Context<'_>, voters: &[PublicKey]) -> Result<()> {
    let mut signing = state::epoch_signing(ctx.store)?;
    signing.update(voters)?;
    state::set_epoch_signing(ctx.store, &signing);
    Ok(())
}

/// Rewards the entities that signed enough blocks of the epoch that ended.
///
/// Source: go/consensus/tendermint/apps/staking/signing_rewards.go, `rewardEpochSigning`.
pub(super) fn reward_epoch_signing(ctx: &mut Context<'_>, epoch: EpochTime) -> Result<()> {
    let params = state::params(ctx.store)?;
    if params.signing_reward_threshold_denominator == 0 {
        state::clear_epoch_signing(ctx.store);
        return Ok(());
    }
    let signing = state::epoch_signing(ctx.store)?;
    state::clear_epoch_signing(ctx.store);
    if signing.total == 0 {
        return Ok(());
    }
    let eligible = signing.eligible_entities(params.signing_reward_threshold_numerator, params.signing_reward_threshold_denominator)?;
    let addresses: Vec<Address> = eligible.iter().map(Address::of_public_key).collect();
    add_rewards(ctx, epoch, &params.reward_factor_epoch_signed, &addresses)
}
