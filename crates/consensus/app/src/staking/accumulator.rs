//! Claims on the stake of accounts.
//!
//! Source: go/consensus/tendermint/apps/staking/state/accumulator.go.

use std::collections::{BTreeMap, btree_map::Entry};

use oasis_consensus_types::staking::{Account, StakeThreshold, Thresholds};
use oasis_primitives::{address::Address, cbor::NilVec, quantity::Quantity};

use super::state;
use crate::{error::Result, store::Store};

/// Accounts whose claims change or are checked, read once each.
#[derive(Clone, Debug, Default)]
pub struct StakeAccumulatorCache {
    accounts: BTreeMap<Address, Account>,
    thresholds: Thresholds,
}

impl StakeAccumulatorCache {
    /// Reads the thresholds in force.
    pub fn new(store: &Store) -> Result<Self> {
        Ok(Self { accounts: BTreeMap::new(), thresholds: state::thresholds(store)? })
    }

    fn account(&mut self, store: &Store, address: &Address) -> Result<&mut Account> {
        Ok(match self.accounts.entry(*address) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => entry.insert(state::account(store, address)?),
        })
    }

    /// Fails where an account's stake does not cover its claims.
    pub fn check_stake_claims(&mut self, store: &Store, address: &Address) -> Result<()> {
        self.account(store, address)?;
        match self.accounts.get(address) {
            Some(account) => Ok(account.escrow.check_stake_claims(&self.thresholds)?),
            None => Ok(()),
        }
    }

    /// Adds or replaces a claim where the account's stake covers it and all others; else changes nothing.
    pub fn add_stake_claim(
        &mut self,
        store: &Store,
        address: &Address,
        claim: &str,
        thresholds: impl Into<NilVec<StakeThreshold>>,
    ) -> Result<()> {
        self.account(store, address)?;
        match self.accounts.get_mut(address) {
            Some(account) => Ok(account.escrow.add_stake_claim(&self.thresholds, claim, thresholds.into())?),
            None => Ok(()),
        }
    }

    /// Removes a claim; fails where there is none.
    pub fn remove_stake_claim(&mut self, store: &Store, address: &Address, claim: &str) -> Result<()> {
        Ok(self.account(store, address)?.escrow.remove_stake_claim(claim)?)
    }

    /// The active escrow balance of an account, base units.
    pub fn escrow_balance(&mut self, store: &Store, address: &Address) -> Result<Quantity> {
        Ok(self.account(store, address)?.escrow.active.balance.clone())
    }

    /// Writes every account that was looked at, also those that did not change.
    ///
    /// The caller sees to it that no account changed otherwise in the meantime.
    pub fn commit(self, store: &mut Store) {
        for (address, account) in &self.accounts {
            state::set_account(store, address, account);
        }
    }
}

/// Adds one claim and writes the account.
pub fn add_stake_claim(store: &mut Store, address: &Address, claim: &str, thresholds: impl Into<NilVec<StakeThreshold>>) -> Result<()> {
    let mut cache = StakeAccumulatorCache::new(store)?;
    cache.add_stake_claim(store, address, claim, thresholds)?;
    cache.commit(store);
    Ok(())
}

/// Removes one claim and writes the account.
pub fn remove_stake_claim(store: &mut Store, address: &Address, claim: &str) -> Result<()> {
    let mut cache = StakeAccumulatorCache::new(store)?;
    cache.remove_stake_claim(store, address, claim)?;
    cache.commit(store);
    Ok(())
}

/// Fails where an account's stake does not cover its claims.
pub fn check_stake_claims(store: &Store, address: &Address) -> Result<()> {
    StakeAccumulatorCache::new(store)?.check_stake_claims(store, address)
}
