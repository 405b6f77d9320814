//! Accounts and delegations.
//!
//! Source: go/staking/api/api.go, `Account`, `Delegation`, `DebondingDelegation`.

use std::collections::BTreeMap;

use oasis_primitives::{
    address::Address,
    cbor::{Cbor, NilVec},
    json::Json,
    quantity::Quantity,
};

use super::{CommissionSchedule, ERR_INSUFFICIENT_STAKE, EpochTime, SharePool, StakeAccumulator, StakeThreshold, Thresholds};
use crate::errors::CodedError;

/// The part of an account that its owner spends.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct GeneralAccount {
    /// Balance in base units.
    #[cbor(omitempty)]
    pub balance: Quantity,
    /// Transactions so far.
    #[cbor(omitempty)]
    pub nonce: u64,
    /// What others may withdraw, base units by beneficiary.
    #[cbor(omitempty)]
    pub allowances: BTreeMap<Address, Quantity>,
}

/// The part of an account that holds stake delegated to it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct EscrowAccount {
    /// Stake that counts.
    #[cbor(omitempty)]
    pub active: SharePool,
    /// Stake on its way out.
    #[cbor(omitempty)]
    pub debonding: SharePool,
    /// What the owner keeps of rewards.
    #[cbor(omitempty)]
    pub commission_schedule: CommissionSchedule,
    /// Claims on the active stake.
    #[cbor(omitempty)]
    pub stake_accumulator: StakeAccumulator,
}

impl EscrowAccount {
    /// Fails where the active stake does not cover all claims.
    ///
    /// Source: go/staking/api/api.go, `EscrowAccount.CheckStakeClaims`.
    pub fn check_stake_claims(&self, thresholds: &Thresholds) -> Result<(), CodedError> {
        let total = self.stake_accumulator.total_claims(thresholds, None)?;
        if self.active.balance < total { Err(ERR_INSUFFICIENT_STAKE.into()) } else { Ok(()) }
    }

    /// Adds or replaces a claim where the active stake covers it and all others; else changes nothing.
    ///
    /// Source: go/staking/api/api.go, `EscrowAccount.AddStakeClaim`.
    pub fn add_stake_claim(&mut self, thresholds: &Thresholds, claim: &str, wanted: NilVec<StakeThreshold>) -> Result<(), CodedError> {
        let mut total = self.stake_accumulator.total_claims(thresholds, Some(claim))?;
        for threshold in &wanted {
            total.add(&threshold.value(thresholds)?);
        }
        if self.active.balance < total {
            return Err(ERR_INSUFFICIENT_STAKE.into());
        }
        self.stake_accumulator.add_claim_unchecked(claim, wanted);
        Ok(())
    }

    /// Removes a claim; fails where there is none.
    pub fn remove_stake_claim(&mut self, claim: &str) -> Result<(), CodedError> {
        self.stake_accumulator.remove_claim(claim)
    }
}

/// An entry of the ledger.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct Account {
    /// What the owner spends.
    #[cbor(omitempty)]
    pub general: GeneralAccount,
    /// What was delegated to the account.
    #[cbor(omitempty)]
    pub escrow: EscrowAccount,
}

/// A delegator's part in an escrow account.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct Delegation {
    /// Shares of the active pool.
    pub shares: Quantity,
}

/// A delegator's part in an escrow account that is on its way out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct DebondingDelegation {
    /// Shares of the debonding pool.
    pub shares: Quantity,
    /// Epoch at which the stake is released.
    #[cbor(rename = "debond_end")]
    pub debond_end_time: EpochTime,
}

impl DebondingDelegation {
    /// Adds the shares of another that ends at the same epoch.
    ///
    /// Source: go/staking/api/api.go, `DebondingDelegation.Merge`.
    pub fn merge(&mut self, other: &Self) -> Result<(), CodedError> {
        if self.debond_end_time != other.debond_end_time {
            return Err(CodedError::unknown("cannot merge debonding delegations, end time doesn't match"));
        }
        self.shares.add(&other.shares);
        Ok(())
    }
}
