//! Queries at one version of the state.
//!
//! Source: go/consensus/tendermint/apps/staking/query.go.

use std::collections::BTreeMap;

use oasis_consensus_types::staking::{
    Account, COMMON_POOL_ADDRESS, DebondingDelegationInfo, DelegationInfo, ERR_INVALID_THRESHOLD, FEE_ACCUMULATOR_ADDRESS,
    GOVERNANCE_DEPOSITS_ADDRESS, GeneralAccount, ThresholdKind,
};
use oasis_primitives::{address::Address, cbor::NilVec, quantity::Quantity};

use super::state;
pub use super::{
    genesis::export as genesis,
    state::{
        addresses, common_pool, debonding_delegations_for, debonding_delegations_to, debonding_interval, delegations_for, delegations_to,
        governance_deposits, last_block_fees, params as consensus_parameters, total_supply,
    },
};
use crate::{error::Result, store::Store};

/// The threshold of a kind, base units.
pub fn threshold(store: &Store, kind: ThresholdKind) -> Result<Quantity> {
    state::thresholds(store)?.remove(&kind).ok_or_else(|| ERR_INVALID_THRESHOLD.into())
}

/// An account; the reserved addresses show the balance of what they stand for.
pub fn account(store: &Store, address: &Address) -> Result<Account> {
    let balance = match *address {
        COMMON_POOL_ADDRESS => state::common_pool(store)?,
        FEE_ACCUMULATOR_ADDRESS => state::last_block_fees(store)?,
        GOVERNANCE_DEPOSITS_ADDRESS => state::governance_deposits(store)?,
        _ => return state::account(store, address),
    };
    Ok(Account { general: GeneralAccount { balance, ..GeneralAccount::default() }, ..Account::default() })
}

/// What a beneficiary may withdraw from an account, base units.
///
/// Source: go/consensus/tendermint/staking/staking.go, `Allowance`.
pub fn allowance(store: &Store, owner: &Address, beneficiary: &Address) -> Result<Quantity> {
    Ok(account(store, owner)?.general.allowances.remove(beneficiary).unwrap_or_default())
}

/// The next nonce of an account.
///
/// Source: go/consensus/tendermint/apps/staking/auth.go, `GetSignerNonce`.
pub fn signer_nonce(store: &Store, address: &Address) -> Result<u64> {
    Ok(account(store, address)?.general.nonce)
}

/// The delegations of a delegator with their pools, by escrow account.
pub fn delegation_infos_for(store: &Store, delegator: &Address) -> Result<BTreeMap<Address, DelegationInfo>> {
    let delegations = state::delegations_for(store, delegator)?;
    let info = |(escrow, delegation)| Ok((escrow, DelegationInfo::new(delegation, state::account(store, &escrow)?.escrow.active)));
    delegations.into_iter().map(info).collect()
}

/// The debonding delegations of a delegator with their pools, by escrow account.
pub fn debonding_delegation_infos_for(store: &Store, delegator: &Address) -> Result<BTreeMap<Address, NilVec<DebondingDelegationInfo>>> {
    let mut out = BTreeMap::new();
    for (escrow, delegations) in state::debonding_delegations_for(store, delegator)? {
        let pool = state::account(store, &escrow)?.escrow.debonding;
        let infos: Vec<_> = delegations.into_vec().into_iter().map(|d| DebondingDelegationInfo::new(d, pool.clone())).collect();
        out.insert(escrow, infos.into());
    }
    Ok(out)
}
