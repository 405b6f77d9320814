//! Transactions on escrow accounts.
//!
//! Source: go/consensus/tendermint/apps/staking/transactions.go.

use oasis_consensus_types::staking::{
    Account, AddEscrowEvent, AmendCommissionSchedule, ConsensusParameters, DebondingDelegation, DebondingStartEscrowEvent, ERR_FORBIDDEN,
    ERR_INVALID_ARGUMENT, ERR_UNDER_MIN_DELEGATION_AMOUNT, Escrow, GAS_OP_ADD_ESCROW, GAS_OP_AMEND_COMMISSION_SCHEDULE,
    GAS_OP_RECLAIM_ESCROW, ReclaimEscrow,
};
use oasis_primitives::{address::Address, quantity::Quantity};

use super::{
    emit, state,
    tx::{account, charge},
};
use crate::{context::Context, epoch, error::Result};

/// Whether a runtime's message asks for what the parameters do not allow it.
fn check_message(ctx: &Context<'_>, params: &ConsensusParameters) -> Result<()> {
    if ctx.is_message_execution() && !params.allow_escrow_messages {
        return Err(ERR_FORBIDDEN.into());
    }
    Ok(())
}

/// The escrow account where it is not the caller's own; delegation to others may be forbidden.
fn other_account(ctx: &Context<'_>, params: &ConsensusParameters, caller: &Address, escrow: &Address) -> Result<Option<Account>> {
    if caller == escrow {
        return Ok(None);
    }
    if params.disable_delegation {
        return Err(ERR_FORBIDDEN.into());
    }
    account(ctx.store, escrow).map(Some)
}

/// Delegates base units of the caller.
///
/// Source: go/consensus/tendermint/apps/staking/transactions.go, `addEscrow`.
pub(super) fn add_escrow(ctx: &mut Context<'_>, escrow: &Escrow) -> Result<()> {
    if ctx.is_check_only() {
        return Ok(());
    }
    let params = charge(ctx, GAS_OP_ADD_ESCROW)?;
    check_message(ctx, &params)?;
    if ctx.is_simulation() {
        return Ok(());
    }
    if escrow.amount < params.min_delegation_amount {
        return Err(ERR_UNDER_MIN_DELEGATION_AMOUNT.into());
    }
    let caller = ctx.caller_address();
    if caller.is_reserved() {
        return Err(ERR_FORBIDDEN.into());
    }
    let mut own = account(ctx.store, &caller)?;
    let mut other = other_account(ctx, &params, &caller, &escrow.account)?;
    let mut delegation = state::delegation(ctx.store, &caller, &escrow.account)?;
    let pool = other.as_mut().map_or(&mut own.escrow.active, |other| &mut other.escrow.active);
    let new_shares = pool.deposit(&mut delegation.shares, &mut own.general.balance, &escrow.amount)?;

    state::set_account(ctx.store, &caller, &own);
    if let Some(other) = &other {
        state::set_account(ctx.store, &escrow.account, other);
    }
    state::set_delegation(ctx.store, &caller, &escrow.account, &delegation);
    emit(ctx, &AddEscrowEvent { owner: caller, escrow: escrow.account, amount: escrow.amount.clone(), new_shares });
    Ok(())
}

/// Moves the caller's shares of an active pool to the debonding pool until the debonding interval has passed.
///
/// Source: go/consensus/tendermint/apps/staking/transactions.go, `reclaimEscrow`.
pub(super) fn reclaim_escrow(ctx: &mut Context<'_>, reclaim: &ReclaimEscrow) -> Result<()> {
    if reclaim.shares.is_zero() {
        return Err(ERR_INVALID_ARGUMENT.into());
    }
    if ctx.is_check_only() {
        return Ok(());
    }
    let params = charge(ctx, GAS_OP_RECLAIM_ESCROW)?;
    check_message(ctx, &params)?;
    if ctx.is_simulation() {
        return Ok(());
    }
    let caller = ctx.caller_address();
    if caller.is_reserved() {
        return Err(ERR_FORBIDDEN.into());
    }
    let mut own = account(ctx.store, &caller)?;
    let mut other = other_account(ctx, &params, &caller, &reclaim.account)?;
    let mut delegation = state::delegation(ctx.store, &caller, &reclaim.account)?;
    // The original's sum wraps.
    let debond_end_time = epoch::current(ctx.store)?.epoch.wrapping_add(params.debonding_interval);
    let mut debonding = DebondingDelegation { shares: Quantity::ZERO, debond_end_time };

    let pools = other.as_mut().map_or(&mut own.escrow, |other| &mut other.escrow);
    let amount = pools.active.withdraw(&mut delegation.shares, &reclaim.shares)?;
    let debonding_shares = pools.debonding.deposit(&mut debonding.shares, &mut amount.clone(), &amount)?;

    state::add_debonding_delegation(ctx.store, &caller, &reclaim.account, debond_end_time, &debonding)?;
    state::set_delegation(ctx.store, &caller, &reclaim.account, &delegation);
    state::set_account(ctx.store, &caller, &own);
    if let Some(other) = &other {
        state::set_account(ctx.store, &reclaim.account, other);
    }
    let event = DebondingStartEscrowEvent {
        owner: caller,
        escrow: reclaim.account,
        amount,
        active_shares: reclaim.shares.clone(),
        debonding_shares,
    };
    emit(ctx, &event);
    Ok(())
}

/// Changes the caller's commission schedule.
///
/// Source: go/consensus/tendermint/apps/staking/transactions.go, `amendCommissionSchedule`.
pub(super) fn amend_commission_schedule(ctx: &mut Context<'_>, amend: &AmendCommissionSchedule) -> Result<()> {
    if ctx.is_check_only() {
        return Ok(());
    }
    let params = charge(ctx, GAS_OP_AMEND_COMMISSION_SCHEDULE)?;
    if ctx.is_simulation() {
        return Ok(());
    }
    let now = epoch::current(ctx.store)?.epoch;
    let caller = ctx.caller_address();
    if caller.is_reserved() {
        return Err(ERR_FORBIDDEN.into());
    }
    let mut account = account(ctx.store, &caller)?;
    account.escrow.commission_schedule.amend_and_prune_and_validate(&amend.amendment, &params.commission_schedule_rules, now)?;
    state::set_account(ctx.store, &caller, &account);
    Ok(())
}
