//! Sanity checks, of the genesis document and of the state of a running chain.
//!
//! Source: go/staking/api/sanity_check.go.

use oasis_primitives::{
    address::Address,
    cbor::{NilMap, NilVec, OrNil},
    quantity::Quantity,
};

use super::{Account, ConsensusParameters, DebondingDelegation, Delegation, EpochTime, Genesis, ThresholdKind, token};
use crate::errors::CodedError;

fn failed(message: impl std::fmt::Display) -> CodedError {
    CodedError::unknown(format!("staking: sanity check failed: {message}"))
}

impl ConsensusParameters {
    /// Every kind has a threshold and some weight of the fee split is not zero.
    ///
    /// Source: go/staking/api/sanity_check.go, `ConsensusParameters.SanityCheck`.
    pub fn sanity_check(&self) -> Result<(), CodedError> {
        if let Some(kind) = ThresholdKind::ALL.into_iter().find(|kind| !self.thresholds.contains_key(kind)) {
            return Err(CodedError::unknown(format!("threshold for kind '{kind}' not defined")));
        }
        let weights = [&self.fee_split_weight_propose, &self.fee_split_weight_vote, &self.fee_split_weight_next_propose];
        if weights.into_iter().all(Quantity::is_zero) {
            return Err(CodedError::unknown("fee split proportions are all zero"));
        }
        Ok(())
    }
}

/// Checks an account's address, commission schedule and allowances, and adds its balances to `total`.
///
/// Source: go/staking/api/sanity_check.go, `SanityCheckAccount`.
pub fn sanity_check_account(
    total: &mut Quantity,
    params: &ConsensusParameters,
    now: EpochTime,
    address: &Address,
    account: &Account,
) -> Result<(), CodedError> {
    if address.is_reserved() {
        return Err(failed(format_args!("account has invalid address: {address}")));
    }
    total.add(&account.general.balance);
    total.add(&account.escrow.active.balance);
    total.add(&account.escrow.debonding.balance);
    let mut schedule = account.escrow.commission_schedule.clone();
    schedule
        .prune_and_validate_for_genesis(&params.commission_schedule_rules, now)
        .map_err(|e| failed(format_args!("commission schedule for account {address} is invalid: {e}")))?;
    if let Some(beneficiary) = account.general.allowances.keys().find(|a| a.is_reserved()) {
        return Err(failed(format_args!("account {address} allowance has invalid beneficiary address {beneficiary}")));
    }
    Ok(())
}

fn check_addresses<'a>(what: &str, address: &Address, mut delegators: impl Iterator<Item = &'a Address>) -> Result<(), CodedError> {
    if address.is_reserved() {
        return Err(failed(format_args!("{what} to {address}: address is invalid")));
    }
    match delegators.find(|a| a.is_reserved()) {
        Some(delegator) => Err(failed(format_args!("{what} from {delegator} to {address}: delegator address is invalid"))),
        None => Ok(()),
    }
}

fn check_shares<'a>(
    what: &str,
    address: &Address,
    pool: &super::SharePool,
    shares: impl Iterator<Item = &'a Quantity>,
) -> Result<(), CodedError> {
    let (mut sum, mut none) = (Quantity::ZERO, true);
    for part in shares {
        sum.add(part);
        none = false;
    }
    if sum != pool.total_shares {
        return Err(failed(format_args!(
            "all shares of all {what}s ({sum}) for account {address} don't add up to account's total shares in escrow ({})",
            pool.total_shares
        )));
    }
    if none && !pool.balance.is_zero() {
        return Err(failed(format_args!("account {address} has no {what}s, but non-zero escrow balance")));
    }
    Ok(())
}

fn all_shares(delegations: &NilMap<Address, NilVec<OrNil<DebondingDelegation>>>) -> impl Iterator<Item = &Quantity> {
    delegations.iter().flat_map(|(_, list)| list.iter().map(|d| &d.shares))
}

/// All delegations to an account add up to its active shares.
///
/// Source: go/staking/api/sanity_check.go, `SanityCheckDelegations`.
pub fn sanity_check_delegations(
    address: &Address,
    account: &Account,
    delegations: &NilMap<Address, OrNil<Delegation>>,
) -> Result<(), CodedError> {
    check_addresses("delegation", address, delegations.iter().map(|(a, _)| a))?;
    check_shares("delegation", address, &account.escrow.active, delegations.iter().map(|(_, d)| &d.shares))
}

/// All debonding delegations to an account add up to its debonding shares.
///
/// Source: go/staking/api/sanity_check.go, `SanityCheckDebondingDelegations`.
pub fn sanity_check_debonding_delegations(
    address: &Address,
    account: &Account,
    delegations: &NilMap<Address, NilVec<OrNil<DebondingDelegation>>>,
) -> Result<(), CodedError> {
    check_addresses("debonding delegation", address, delegations.iter().map(|(a, _)| a))?;
    check_shares("debonding delegation", address, &account.escrow.debonding, all_shares(delegations))
}

/// Both sums for an account that may have no delegations at all.
///
/// Source: go/staking/api/sanity_check.go, `SanityCheckAccountShares`.
pub fn sanity_check_account_shares(
    address: &Address,
    account: &Account,
    delegations: Option<&NilMap<Address, OrNil<Delegation>>>,
    debonding: Option<&NilMap<Address, NilVec<OrNil<DebondingDelegation>>>>,
) -> Result<(), CodedError> {
    let active = delegations.into_iter().flat_map(|d| d.iter().map(|(_, d)| &d.shares));
    check_shares("delegation", address, &account.escrow.active, active)?;
    check_shares("debonding delegation", address, &account.escrow.debonding, debonding.into_iter().flat_map(all_shares))
}

impl Genesis {
    /// Checks the section as a whole at the genesis epoch.
    ///
    /// Source: go/staking/api/sanity_check.go, `Genesis.SanityCheck`.
    pub fn sanity_check(&self, now: EpochTime) -> Result<(), CodedError> {
        self.parameters.sanity_check().map_err(failed)?;
        self.check_token()?;
        let mut total = Quantity::ZERO;
        for (address, account) in &self.ledger {
            sanity_check_account(&mut total, &self.parameters, now, address, account)?;
            // Claims follow from what is registered.
            if !account.escrow.stake_accumulator.claims.is_empty() {
                return Err(CodedError::unknown("staking: non-empty stake accumulator in genesis"));
            }
        }
        total.add(&self.governance_deposits);
        total.add(&self.common_pool);
        total.add(&self.last_block_fees);
        if total != self.total_supply {
            return Err(failed(format_args!(
                "balances in accounts, plus governance deposits, plus common pool, plus last block fees ({total}), \
                 does not add up to total supply ({})",
                self.total_supply
            )));
        }
        self.check_delegations()
    }

    fn check_token(&self) -> Result<(), CodedError> {
        if self.token_symbol.is_empty() {
            return Err(failed("token symbol is empty"));
        }
        if self.token_symbol.len() > token::SYMBOL_MAX_LENGTH {
            return Err(failed("token symbol exceeds maximum length"));
        }
        if !self.token_symbol.bytes().all(|b| b.is_ascii_uppercase()) {
            return Err(failed("token symbol should match '^[A-Z]+$'"));
        }
        if self.token_value_exponent > token::VALUE_EXPONENT_MAX {
            return Err(failed("token value exponent is invalid"));
        }
        Ok(())
    }

    fn check_delegations(&self) -> Result<(), CodedError> {
        let account = |what: &str, address: &Address| {
            self.ledger.get(address).ok_or_else(|| failed(format_args!("{what} specified for a nonexisting account: {address}")))
        };
        for (address, delegations) in &self.delegations {
            sanity_check_delegations(address, account("delegation", address)?, delegations)?;
        }
        for (address, delegations) in &self.debonding_delegations {
            sanity_check_debonding_delegations(address, account("debonding delegation", address)?, delegations)?;
        }
        for (address, account) in &self.ledger {
            sanity_check_account_shares(address, account, self.delegations.get(address), self.debonding_delegations.get(address))?;
        }
        Ok(())
    }
}
