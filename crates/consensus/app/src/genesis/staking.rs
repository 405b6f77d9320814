//! The ledger's section.
//!
//! Source: go/staking/api/sanity_check.go.

use oasis_consensus_types::{
    beacon::EpochTime,
    genesis::Problem,
    staking::{
        Genesis, sanity_check_account, sanity_check_account_shares, sanity_check_debonding_delegations, sanity_check_delegations, token,
    },
};
use oasis_primitives::{address::Address, quantity::Quantity};

/// Source: go/staking/api/sanity_check.go, `Genesis.SanityCheck`.
pub(super) fn check(genesis: &Genesis, now: EpochTime) -> Result<(), Problem> {
    genesis.parameters.sanity_check().map_err(|e| Problem::because("params", e))?;
    check_token(genesis)?;
    check_supply(genesis, now)?;
    check_delegations(genesis)?;
    // The same rules once more, as one: nothing that the section's own check refuses passes here.
    genesis.sanity_check(now).map_err(|e| Problem::because("", e))
}

fn check_token(genesis: &Genesis) -> Result<(), Problem> {
    let symbol = &genesis.token_symbol;
    let fits = (1..=token::SYMBOL_MAX_LENGTH).contains(&symbol.len()) && symbol.bytes().all(|b| b.is_ascii_uppercase());
    if !fits {
        let expected = format!("1 to {} capital letters", token::SYMBOL_MAX_LENGTH);
        return Err(Problem::new("token_symbol", expected, format_args!("{symbol:?}")));
    }
    if genesis.token_value_exponent > token::VALUE_EXPONENT_MAX {
        return Err(Problem::new(
            "token_value_exponent",
            format_args!("at most {}", token::VALUE_EXPONENT_MAX),
            genesis.token_value_exponent,
        ));
    }
    Ok(())
}

fn check_supply(genesis: &Genesis, now: EpochTime) -> Result<(), Problem> {
    let mut total = Quantity::ZERO;
    for (address, account) in &genesis.ledger {
        sanity_check_account(&mut total, &genesis.parameters, now, address, account)
            .map_err(|e| Problem::because(format!("ledger.{address}"), e))?;
        if !account.escrow.stake_accumulator.claims.is_empty() {
            let found = format!("{} claims", account.escrow.stake_accumulator.claims.len());
            return Err(Problem::new(
                format!("ledger.{address}.escrow.stake_accumulator"),
                "nothing: claims follow from registrations",
                found,
            ));
        }
    }
    for amount in [&genesis.governance_deposits, &genesis.common_pool, &genesis.last_block_fees] {
        total.add(amount);
    }
    if total != genesis.total_supply {
        let expected = format!("{total}, the balances, governance deposits, common pool and fees together");
        return Err(Problem::new("total_supply", expected, &genesis.total_supply));
    }
    Ok(())
}

fn check_delegations(genesis: &Genesis) -> Result<(), Problem> {
    let account = |path: &str, address: &Address| {
        genesis.ledger.get(address).ok_or_else(|| Problem::new(format!("{path}.{address}"), "an account in the ledger", "none"))
    };
    for (address, delegations) in &genesis.delegations {
        sanity_check_delegations(address, account("delegations", address)?, delegations)
            .map_err(|e| Problem::because(format!("delegations.{address}"), e))?;
    }
    for (address, delegations) in &genesis.debonding_delegations {
        sanity_check_debonding_delegations(address, account("debonding_delegations", address)?, delegations)
            .map_err(|e| Problem::because(format!("debonding_delegations.{address}"), e))?;
    }
    for (address, account) in &genesis.ledger {
        sanity_check_account_shares(address, account, genesis.delegations.get(address), genesis.debonding_delegations.get(address))
            .map_err(|e| Problem::because(format!("ledger.{address}.escrow"), e))?;
    }
    Ok(())
}
