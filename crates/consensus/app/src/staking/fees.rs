//! Who gets a block's fees.
//!
//! Source: go/consensus/tendermint/apps/staking/fees.go.

use oasis_consensus_types::staking::{
    COMMON_POOL_ADDRESS, FEE_ACCUMULATOR_ADDRESS, TransferEvent, split_fees_at_end, split_fees_in_next_block,
};
use oasis_primitives::{address::Address, quantity::Quantity, signature::PublicKey};

use super::{emit, state, tx::insufficient};
use crate::{context::Context, error::Result};

/// Pays part of the fees to an account.
fn pay(ctx: &mut Context<'_>, fees: &mut Quantity, to: Address, amount: &Quantity) -> Result<()> {
    let mut account = state::account(ctx.store, &to)?;
    if !Quantity::transfer(&mut account.general.balance, fees, amount) {
        return Err(insufficient());
    }
    state::set_account(ctx.store, &to, &account);
    emit(ctx, &TransferEvent { from: FEE_ACCUMULATOR_ADDRESS, to, amount: amount.clone() });
    Ok(())
}

/// Moves what is left of the fees into the common pool.
fn pay_common_pool(ctx: &mut Context<'_>, fees: &Quantity) -> Result<()> {
    if fees.is_zero() {
        return Ok(());
    }
    let pool = state::common_pool(ctx.store)?.plus(fees);
    state::set_common_pool(ctx.store, &pool);
    emit(ctx, &TransferEvent { from: FEE_ACCUMULATOR_ADDRESS, to: COMMON_POOL_ADDRESS, amount: fees.clone() });
    Ok(())
}

/// At the end of a block: keeps the part of the voters and the next proposer, pays the proposer.
///
/// Without a proposer's entity its part goes to the common pool.
/// Source: go/consensus/tendermint/apps/staking/fees.go, `disburseFeesP`.
pub(super) fn disburse_at_end(ctx: &mut Context<'_>, proposer: Option<&PublicKey>, fees: &Quantity) -> Result<()> {
    if fees.is_zero() {
        state::set_last_block_fees(ctx.store, fees);
        return Ok(());
    }
    let params = state::params(ctx.store)?;
    let parts = split_fees_at_end(fees, &params)?;
    state::set_last_block_fees(ctx.store, &parts.kept);
    let mut rest = parts.proposer.clone();
    if let Some(proposer) = proposer
        && !parts.proposer.is_zero()
    {
        pay(ctx, &mut rest, Address::of_public_key(proposer), &parts.proposer)?;
    }
    pay_common_pool(ctx, &rest)
}

/// At the start of a block: pays what was kept from the block before to this block's proposer and to its voters.
///
/// `validators` counts all that could have voted; the parts of those that did not, and what rounding leaves, go to the common
/// pool. Source: go/consensus/tendermint/apps/staking/fees.go, `disburseFeesVQ`.
pub(super) fn disburse_in_next_block(
    ctx: &mut Context<'_>,
    proposer: Option<&PublicKey>,
    validators: u64,
    voters: &[PublicKey],
) -> Result<()> {
    let mut rest = state::last_block_fees(ctx.store)?;
    if rest.is_zero() {
        return Ok(());
    }
    let params = state::params(ctx.store)?;
    let parts = split_fees_in_next_block(&rest, validators, voters.len() as u64, &params)?;
    if let Some(proposer) = proposer
        && !parts.proposer.is_zero()
    {
        pay(ctx, &mut rest, Address::of_public_key(proposer), &parts.proposer)?;
    }
    if !parts.voter.is_zero() {
        for voter in voters {
            pay(ctx, &mut rest, Address::of_public_key(voter), &parts.voter)?;
        }
    }
    pay_common_pool(ctx, &rest)
}
