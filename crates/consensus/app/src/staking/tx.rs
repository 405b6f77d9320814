//! Transactions on general balances, and which transaction goes where.
//!
//! Source: go/consensus/tendermint/apps/staking/staking.go, `ExecuteTx`, go/consensus/tendermint/apps/staking/transactions.go.

use std::sync::Arc;

use oasis_consensus_types::{
    staking::{
        Account, Allow, AllowanceChangeEvent, Burn, BurnEvent, ConsensusParameters, ERR_FORBIDDEN, ERR_INSUFFICIENT_BALANCE,
        ERR_INVALID_ARGUMENT, ERR_TOO_MANY_ALLOWANCES, GAS_OP_ALLOW, GAS_OP_BURN, GAS_OP_TRANSFER, GAS_OP_WITHDRAW, METHOD_ADD_ESCROW,
        METHOD_ALLOW, METHOD_AMEND_COMMISSION_SCHEDULE, METHOD_BURN, METHOD_RECLAIM_ESCROW, METHOD_TRANSFER, METHOD_WITHDRAW, Transfer,
        TransferEvent, Withdraw,
    },
    transaction::Transaction,
};
use oasis_primitives::{address::Address, quantity::Quantity};

use super::{emit, escrow_tx, state};
use crate::{
    context::Context,
    error::{Error, Result},
    store::Store,
};

/// Executes a transaction of this app.
pub fn execute_tx(ctx: &mut Context<'_>, tx: &Transaction) -> Result<()> {
    match tx.method.as_str() {
        METHOD_TRANSFER => transfer(ctx, &tx.body()?),
        METHOD_BURN => burn(ctx, &tx.body()?),
        METHOD_ADD_ESCROW => escrow_tx::add_escrow(ctx, &tx.body()?),
        METHOD_RECLAIM_ESCROW => escrow_tx::reclaim_escrow(ctx, &tx.body()?),
        METHOD_AMEND_COMMISSION_SCHEDULE => escrow_tx::amend_commission_schedule(ctx, &tx.body()?),
        METHOD_ALLOW => allow(ctx, &tx.body()?),
        METHOD_WITHDRAW => withdraw(ctx, &tx.body()?),
        _ => Err(ERR_INVALID_ARGUMENT.into()),
    }
}

/// The original's error of a quantity that is too small; it has no code of its own.
pub(super) fn insufficient() -> Error {
    Error::unknown("insufficient balance")
}

/// An account. Source: go/consensus/tendermint/apps/staking/transactions.go, whose every operation says so.
pub(super) fn account(store: &Store, address: &Address) -> Result<Account> {
    state::account(store, address).map_err(|e| e.within("failed to fetch account"))
}

/// Reads the parameters and charges an operation's gas.
pub(super) fn charge(ctx: &mut Context<'_>, operation: &str) -> Result<Arc<ConsensusParameters>> {
    let params = state::params(ctx.store)?;
    ctx.use_gas(1, operation, &params.gas_costs)?;
    Ok(params)
}

/// Moves base units from the caller to another account; to itself this only looks at the balance.
///
/// Source: go/consensus/tendermint/apps/staking/transactions.go, `transfer`.
pub(super) fn transfer(ctx: &mut Context<'_>, transfer: &Transfer) -> Result<()> {
    if ctx.is_check_only() {
        return Ok(());
    }
    let params = charge(ctx, GAS_OP_TRANSFER)?;
    if ctx.is_simulation() {
        return Ok(());
    }
    let from_address = ctx.caller_address();
    if from_address.is_reserved() || !params.is_transfer_permitted(&from_address) {
        return Err(ERR_FORBIDDEN.into());
    }
    let mut from = account(ctx.store, &from_address)?;
    if from_address == transfer.to {
        if from.general.balance < transfer.amount {
            return Err(ERR_INSUFFICIENT_BALANCE.into());
        }
    } else {
        let mut to = account(ctx.store, &transfer.to)?;
        if !Quantity::transfer(&mut to.general.balance, &mut from.general.balance, &transfer.amount) {
            return Err(insufficient());
        }
        state::set_account(ctx.store, &transfer.to, &to);
    }
    state::set_account(ctx.store, &from_address, &from);
    emit(ctx, &TransferEvent { from: from_address, to: transfer.to, amount: transfer.amount.clone() });
    Ok(())
}

/// Destroys base units of the caller.
///
/// Source: go/consensus/tendermint/apps/staking/transactions.go, `burn`.
fn burn(ctx: &mut Context<'_>, burn: &Burn) -> Result<()> {
    if ctx.is_check_only() {
        return Ok(());
    }
    charge(ctx, GAS_OP_BURN)?;
    if ctx.is_simulation() {
        return Ok(());
    }
    let address = ctx.caller_address();
    if address.is_reserved() {
        return Err(ERR_FORBIDDEN.into());
    }
    let mut account = account(ctx.store, &address)?;
    if !account.general.balance.sub(&burn.amount) {
        return Err(insufficient());
    }
    let mut supply = state::total_supply(ctx.store)?;
    // The original leaves a supply that is too small as it is.
    let _ = supply.sub(&burn.amount);
    state::set_account(ctx.store, &address, &account);
    state::set_total_supply(ctx.store, &supply);
    emit(ctx, &BurnEvent { owner: address, amount: burn.amount.clone() });
    Ok(())
}

/// Changes what a beneficiary may withdraw from the caller; an allowance of zero is removed.
///
/// Source: go/consensus/tendermint/apps/staking/transactions.go, `allow`.
fn allow(ctx: &mut Context<'_>, allow: &Allow) -> Result<()> {
    if ctx.is_check_only() {
        return Ok(());
    }
    let params = charge(ctx, GAS_OP_ALLOW)?;
    if ctx.is_simulation() {
        return Ok(());
    }
    if params.disable_transfers || params.max_allowances == 0 {
        return Err(ERR_FORBIDDEN.into());
    }
    let address = ctx.caller_address();
    if address.is_reserved() || allow.beneficiary.is_reserved() {
        return Err(ERR_FORBIDDEN.into());
    }
    if address == allow.beneficiary {
        return Err(ERR_INVALID_ARGUMENT.into());
    }
    let mut account = account(ctx.store, &address)?;
    let allowances = &mut account.general.allowances;
    let mut allowance = allowances.get(&allow.beneficiary).cloned().unwrap_or_default();
    let change = if allow.negative {
        allowance.sub_up_to(&allow.amount_change)
    } else {
        allowance.add(&allow.amount_change);
        allow.amount_change.clone()
    };
    if allowance.is_zero() {
        allowances.remove(&allow.beneficiary);
    } else {
        allowances.insert(allow.beneficiary, allowance.clone());
    }
    if allowances.len() as u64 > u64::from(params.max_allowances) {
        return Err(ERR_TOO_MANY_ALLOWANCES.into());
    }
    state::set_account(ctx.store, &address, &account);
    let event =
        AllowanceChangeEvent { owner: address, beneficiary: allow.beneficiary, allowance, negative: allow.negative, amount_change: change };
    emit(ctx, &event);
    Ok(())
}

/// Moves base units that another account allowed to the caller.
///
/// Source: go/consensus/tendermint/apps/staking/transactions.go, `withdraw`.
pub(super) fn withdraw(ctx: &mut Context<'_>, withdraw: &Withdraw) -> Result<()> {
    if ctx.is_check_only() {
        return Ok(());
    }
    let params = charge(ctx, GAS_OP_WITHDRAW)?;
    if ctx.is_simulation() {
        return Ok(());
    }
    if params.disable_transfers || params.max_allowances == 0 {
        return Err(ERR_FORBIDDEN.into());
    }
    let to_address = ctx.caller_address();
    if to_address.is_reserved() || withdraw.from.is_reserved() {
        return Err(ERR_FORBIDDEN.into());
    }
    if to_address == withdraw.from {
        return Err(ERR_INVALID_ARGUMENT.into());
    }
    let mut from = account(ctx.store, &withdraw.from)?;
    let allowances = &mut from.general.allowances;
    let allowance = allowances.get(&to_address).and_then(|allowed| allowed.checked_sub(&withdraw.amount)).ok_or(ERR_FORBIDDEN)?;
    if allowance.is_zero() {
        allowances.remove(&to_address);
    } else {
        allowances.insert(to_address, allowance.clone());
    }
    let mut to = account(ctx.store, &to_address)?;
    if !Quantity::transfer(&mut to.general.balance, &mut from.general.balance, &withdraw.amount) {
        return Err(ERR_INSUFFICIENT_BALANCE.into());
    }
    state::set_account(ctx.store, &to_address, &to);
    state::set_account(ctx.store, &withdraw.from, &from);
    emit(ctx, &TransferEvent { from: withdraw.from, to: to_address, amount: withdraw.amount.clone() });
    let event = AllowanceChangeEvent {
        owner: withdraw.from,
        beneficiary: to_address,
        allowance,
        negative: true,
        amount_change: withdraw.amount.clone(),
    };
    emit(ctx, &event);
    Ok(())
}
