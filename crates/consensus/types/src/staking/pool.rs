//! Balances that several owners share.
//!
//! Source: go/staking/api/api.go, `SharePool`.

use oasis_primitives::{cbor::Cbor, json::Json, quantity::Quantity};

use super::{ERR_INVALID_ARGUMENT, insufficient};
use crate::errors::CodedError;

/// A common balance and the shares that divide it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct SharePool {
    /// Balance in base units.
    #[cbor(omitempty)]
    pub balance: Quantity,
    /// Shares issued.
    #[cbor(omitempty)]
    pub total_shares: Quantity,
}

impl SharePool {
    /// Shares that `amount` base units buy, rounded down; one each while there are none.
    ///
    /// Fails where the pool has shares but lost its whole balance.
    /// Source: go/staking/api/api.go, `SharePool.sharesForStake`.
    pub fn shares_for_stake(&self, amount: &Quantity) -> Result<Quantity, CodedError> {
        if self.total_shares.is_zero() {
            return Ok(amount.clone());
        }
        amount.times(&self.total_shares).checked_div(&self.balance).ok_or_else(|| ERR_INVALID_ARGUMENT.into())
    }

    /// Base units that `shares` are worth, rounded down; zero without balance or shares.
    ///
    /// Source: go/staking/api/api.go, `SharePool.StakeForShares`.
    pub fn stake_for_shares(&self, shares: &Quantity) -> Quantity {
        shares.times(&self.balance).checked_div(&self.total_shares).unwrap_or_default()
    }

    /// Moves `amount` base units from `source` into the pool, adds the new shares to `shares` and returns them.
    ///
    /// Source: go/staking/api/api.go, `SharePool.Deposit`.
    pub fn deposit(&mut self, shares: &mut Quantity, source: &mut Quantity, amount: &Quantity) -> Result<Quantity, CodedError> {
        let new = self.shares_for_stake(amount)?;
        if !Quantity::transfer(&mut self.balance, source, amount) {
            return Err(insufficient());
        }
        self.total_shares.add(&new);
        shares.add(&new);
        Ok(new)
    }

    /// Takes `amount` of `shares` out of the pool and returns the base units they were worth.
    ///
    /// After a failure pool and shares are not to be used.
    /// Source: go/staking/api/api.go, `SharePool.Withdraw`.
    pub fn withdraw(&mut self, shares: &mut Quantity, amount: &Quantity) -> Result<Quantity, CodedError> {
        let base_units = self.stake_for_shares(amount);
        if shares.sub(amount) && self.total_shares.sub(amount) && self.balance.sub(&base_units) {
            Ok(base_units)
        } else {
            Err(insufficient())
        }
    }
}
