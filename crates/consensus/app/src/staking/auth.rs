//! Nonces and fees.
//!
//! Source: go/consensus/tendermint/apps/staking/auth.go, go/consensus/tendermint/apps/staking/state/gas.go.

use oasis_consensus_types::{
    staking::{FEE_ACCUMULATOR_ADDRESS, TransferEvent},
    transaction::{ERR_GAS_PRICE_TOO_LOW, ERR_INSUFFICIENT_FEE_BALANCE, ERR_INVALID_NONCE, Fee, Transaction},
};
use oasis_primitives::quantity::Quantity;

use super::{emit, state};
use crate::{
    context::Context,
    error::{Error, Result},
    gas::{GasAccountant, GasMeter},
};

/// Checks the nonce, moves the fee to the block's and sets the gas limit.
///
/// A check for the mempool only looks whether the fee could be paid, and at its gas price; a simulation may use any gas.
/// Source: go/consensus/tendermint/apps/staking/state/gas.go, `AuthenticateAndPayFees`.
pub fn authenticate_tx(ctx: &mut Context<'_>, tx: &Transaction) -> Result<()> {
    if ctx.is_simulation() {
        ctx.gas = GasMeter::Transaction(GasAccountant::new(u64::MAX));
        return Ok(());
    }
    // Nothing else calls on a transaction's behalf yet: its signer is the caller.
    let address = ctx.caller_address();
    if address.is_reserved() {
        return Err(Error::unknown(format!("using reserved account address {address} is prohibited")));
    }
    let mut account = state::account(ctx.store, &address)?;
    if account.general.nonce != tx.nonce {
        return Err(ERR_INVALID_NONCE.into());
    }
    let no_fee = Fee::default();
    let fee = tx.fee.as_ref().unwrap_or(&no_fee);

    if ctx.is_check_only() {
        ctx.gas = GasMeter::Transaction(GasAccountant::new(fee.gas));
        if account.general.balance < fee.amount {
            return Err(ERR_INSUFFICIENT_FEE_BALANCE.into());
        }
        let options = &ctx.env.options;
        let own = options.own_tx_signer == Some(ctx.tx_signer());
        if !own && fee.gas > 0 && fee.gas_price() < options.min_gas_price {
            return Err(ERR_GAS_PRICE_TOO_LOW.into());
        }
        return Ok(());
    }

    if !Quantity::transfer(&mut ctx.block.fees, &mut account.general.balance, &fee.amount) {
        return Err(Error::unknown("staking: failed to pay fees: insufficient balance"));
    }
    // The original's nonce wraps.
    account.general.nonce = account.general.nonce.wrapping_add(1);
    state::set_account(ctx.store, &address, &account);
    if !fee.amount.is_zero() {
        emit(ctx, &TransferEvent { from: address, to: FEE_ACCUMULATOR_ADDRESS, amount: fee.amount.clone() });
    }
    ctx.gas = GasMeter::TransactionAndBlock(GasAccountant::new(fee.gas));
    Ok(())
}

/// Takes fee and nonce of a transaction that passed its check for the mempool; nothing otherwise.
///
/// Source: go/consensus/tendermint/apps/staking/auth.go, `PostExecuteTx`.
pub fn post_execute_tx(ctx: &mut Context<'_>, tx: &Transaction) -> Result<()> {
    if !ctx.is_check_only() {
        return Ok(());
    }
    let address = ctx.caller_address();
    let mut account = state::account(ctx.store, &address)?;
    if let Some(fee) = &tx.fee
        && !account.general.balance.sub(&fee.amount)
    {
        return Err(ERR_INSUFFICIENT_FEE_BALANCE.into());
    }
    account.general.nonce = account.general.nonce.wrapping_add(1);
    state::set_account(ctx.store, &address, &account);
    Ok(())
}
