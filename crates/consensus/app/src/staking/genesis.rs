//! The ledger's first state, and the state as a genesis document's section.
//!
//! Source: go/consensus/tendermint/apps/staking/genesis.go.

use oasis_consensus_types::staking::{Genesis, StakeAccumulator};
use oasis_primitives::{address::Address, quantity::Quantity};

use super::state;
use crate::{
    context::Context,
    error::{Error, Result},
    store::Store,
};

fn failed(message: impl std::fmt::Display) -> Error {
    Error::unknown(format!("tendermint/staking: {message}"))
}

fn check_address(what: &str, address: &Address) -> Result<()> {
    if address.is_reserved() { Err(failed(format_args!("{what} {address}: address is invalid"))) } else { Ok(()) }
}

/// Writes the first state. Fees of the block before the genesis go to the common pool, since nobody voted for it here.
pub fn init_chain(ctx: &mut Context<'_>, genesis: &Genesis) -> Result<()> {
    genesis.parameters.sanity_check().map_err(failed)?;
    let store = &mut *ctx.store;
    state::set_params(store, &genesis.parameters);
    state::set_governance_deposits(store, &genesis.governance_deposits);

    let mut total = genesis.common_pool.plus(&genesis.last_block_fees).plus(&genesis.governance_deposits);
    for (address, account) in &genesis.ledger {
        check_address("genesis ledger account", address)?;
        if !account.escrow.stake_accumulator.claims.is_empty() {
            return Err(failed(format_args!("non-empty stake accumulator in genesis for account {address}")));
        }
        total.add(&account.general.balance);
        total.add(&account.escrow.active.balance);
        total.add(&account.escrow.debonding.balance);
        state::set_account(store, address, account);
    }
    if total != genesis.total_supply {
        return Err(failed(format_args!("total supply mismatch (expected: {} actual: {total})", genesis.total_supply)));
    }
    state::set_common_pool(store, &genesis.common_pool.plus(&genesis.last_block_fees));
    state::set_total_supply(store, &total);
    init_delegations(store, genesis)?;
    init_debonding_delegations(store, genesis)
}

fn init_delegations(store: &mut Store, genesis: &Genesis) -> Result<()> {
    for (escrow, delegations) in &genesis.delegations {
        check_address("failed to set genesis delegations to", escrow)?;
        let mut shares = Quantity::ZERO;
        for (delegator, delegation) in delegations.iter() {
            check_address("failed to set genesis delegation from", delegator)?;
            shares.add(&delegation.shares);
            state::set_delegation(store, delegator, escrow, delegation);
        }
        let expected = state::account(store, escrow)?.escrow.active.total_shares;
        if shares != expected {
            return Err(failed(format_args!("total active shares mismatch for account {escrow}: actual: {shares} (expected: {expected})")));
        }
    }
    Ok(())
}

fn init_debonding_delegations(store: &mut Store, genesis: &Genesis) -> Result<()> {
    for (escrow, delegators) in &genesis.debonding_delegations {
        check_address("failed to set genesis debonding delegations to", escrow)?;
        let mut shares = Quantity::ZERO;
        for (delegator, delegations) in delegators.iter() {
            check_address("failed to set genesis debonding delegation from", delegator)?;
            for delegation in delegations {
                shares.add(&delegation.shares);
                state::add_debonding_delegation(store, delegator, escrow, delegation.debond_end_time, delegation)?;
            }
        }
        let expected = state::account(store, escrow)?.escrow.debonding.total_shares;
        if shares != expected {
            return Err(failed(format_args!(
                "total debonding shares mismatch for account {escrow}: actual: {shares} (expected: {expected})"
            )));
        }
    }
    Ok(())
}

/// The state as a genesis document's section, without claims, which follow from what is registered.
///
/// Symbol and exponent of the token are not in the state: the caller takes them from the network's own genesis document.
/// Source: go/consensus/tendermint/apps/staking/genesis.go, `Genesis`.
pub fn export(store: &Store) -> Result<Genesis> {
    let mut ledger = std::collections::BTreeMap::new();
    for address in state::addresses(store)? {
        let mut account = state::account(store, &address)?;
        account.escrow.stake_accumulator = StakeAccumulator::default();
        ledger.insert(address, account.into());
    }
    Ok(Genesis {
        parameters: state::params(store)?.as_ref().clone(),
        token_symbol: String::new(),
        token_value_exponent: 0,
        total_supply: state::total_supply(store)?,
        common_pool: state::common_pool(store)?,
        last_block_fees: state::last_block_fees(store)?,
        governance_deposits: state::governance_deposits(store)?,
        ledger,
        delegations: state::delegations(store)?,
        debonding_delegations: state::debonding_delegations(store)?,
    })
}
