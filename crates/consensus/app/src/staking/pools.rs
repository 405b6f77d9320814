//! Moves between accounts, the common pool and the governance deposits, for other apps.
//!
//! Source: go/consensus/tendermint/apps/staking/state/state.go.

use oasis_consensus_types::staking::{
    Account, AddEscrowEvent, COMMON_POOL_ADDRESS, GOVERNANCE_DEPOSITS_ADDRESS, TransferEvent, take_commission,
};
use oasis_primitives::{address::Address, quantity::Quantity};

use super::{emit_unless_check, state, tx::insufficient};
use crate::{context::Context, error::Result};

/// Moves up to `amount` base units from the common pool to an account; false where the pool is empty.
///
/// With `escrow` the amount is escrowed: for the account itself as much as its commission takes (all of it where nothing is
/// escrowed yet), the rest for all its delegators.
/// Source: go/consensus/tendermint/apps/staking/state/state.go, `TransferFromCommon`.
pub fn transfer_from_common(ctx: &mut Context<'_>, to: &Address, amount: &Quantity, escrow: bool) -> Result<bool> {
    let mut common_pool = state::common_pool(ctx.store)?;
    let mut account = state::account(ctx.store, to)?;
    let transferred = Quantity::transfer_up_to(&mut account.general.balance, &mut common_pool, amount);
    if transferred.is_zero() {
        return Ok(false);
    }
    if escrow {
        escrow_from_general(ctx, to, &mut account, transferred)?;
    } else {
        emit_unless_check(ctx, &TransferEvent { from: COMMON_POOL_ADDRESS, to: *to, amount: transferred });
    }
    state::set_common_pool(ctx.store, &common_pool);
    state::set_account(ctx.store, to, &account);
    Ok(true)
}

fn escrow_from_general(ctx: &mut Context<'_>, to: &Address, account: &mut Account, transferred: Quantity) -> Result<()> {
    let commission = if account.escrow.active.total_shares.is_zero() {
        transferred
    } else {
        let now = ctx.current_epoch()?;
        let (commission, rest) = take_commission(&transferred, account.escrow.commission_schedule.current_rate(now))?;
        if !Quantity::transfer(&mut account.escrow.active.balance, &mut account.general.balance, &rest) {
            return Err(insufficient());
        }
        // Without new shares the old ones are worth more.
        let event = AddEscrowEvent { owner: COMMON_POOL_ADDRESS, escrow: *to, amount: rest, new_shares: Quantity::ZERO };
        emit_unless_check(ctx, &event);
        commission
    };
    if !commission.is_zero() {
        let mut delegation = state::delegation(ctx.store, to, to)?;
        let new_shares = account.escrow.active.deposit(&mut delegation.shares, &mut account.general.balance, &commission)?;
        state::set_delegation(ctx.store, to, to, &delegation);
        emit_unless_check(ctx, &TransferEvent { from: COMMON_POOL_ADDRESS, to: *to, amount: commission.clone() });
        emit_unless_check(ctx, &AddEscrowEvent { owner: *to, escrow: *to, amount: commission, new_shares });
    }
    Ok(())
}

/// Moves a proposal's deposit from its submitter to the governance deposits.
///
/// Source: go/consensus/tendermint/apps/staking/state/state.go, `TransferToGovernanceDeposits`.
pub fn transfer_to_governance_deposits(ctx: &mut Context<'_>, from: &Address, amount: &Quantity) -> Result<()> {
    let mut account = state::account(ctx.store, from)?;
    let mut deposits = state::governance_deposits(ctx.store)?;
    if !Quantity::transfer(&mut deposits, &mut account.general.balance, amount) {
        return Err(insufficient());
    }
    state::set_account(ctx.store, from, &account);
    state::set_governance_deposits(ctx.store, &deposits);
    emit_unless_check(ctx, &TransferEvent { from: *from, to: GOVERNANCE_DEPOSITS_ADDRESS, amount: amount.clone() });
    Ok(())
}

/// Moves a proposal's deposit from the governance deposits back to its submitter.
///
/// Source: go/consensus/tendermint/apps/staking/state/state.go, `TransferFromGovernanceDeposits`.
pub fn transfer_from_governance_deposits(ctx: &mut Context<'_>, to: &Address, amount: &Quantity) -> Result<()> {
    let mut account = state::account(ctx.store, to)?;
    let mut deposits = state::governance_deposits(ctx.store)?;
    if !Quantity::transfer(&mut account.general.balance, &mut deposits, amount) {
        return Err(insufficient());
    }
    state::set_account(ctx.store, to, &account);
    state::set_governance_deposits(ctx.store, &deposits);
    emit_unless_check(ctx, &TransferEvent { from: GOVERNANCE_DEPOSITS_ADDRESS, to: *to, amount: amount.clone() });
    Ok(())
}

/// Moves a proposal's deposit from the governance deposits to the common pool.
///
/// Source: go/consensus/tendermint/apps/staking/state/state.go, `DiscardGovernanceDeposit`.
pub fn discard_governance_deposit(ctx: &mut Context<'_>, amount: &Quantity) -> Result<()> {
    let mut common_pool = state::common_pool(ctx.store)?;
    let mut deposits = state::governance_deposits(ctx.store)?;
    if !Quantity::transfer(&mut common_pool, &mut deposits, amount) {
        return Err(insufficient());
    }
    state::set_governance_deposits(ctx.store, &deposits);
    state::set_common_pool(ctx.store, &common_pool);
    let event = TransferEvent { from: GOVERNANCE_DEPOSITS_ADDRESS, to: COMMON_POOL_ADDRESS, amount: amount.clone() };
    emit_unless_check(ctx, &event);
    Ok(())
}
