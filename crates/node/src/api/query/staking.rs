//! Accounts. Source: go/staking/api/grpc.go; go/consensus/tendermint/staking/staking.go.

use oasis_consensus_app::staking::{self, query};
use oasis_consensus_types::staking::{AllowanceQuery, OwnerQuery, ThresholdQuery};
use oasis_primitives::{address::Address, cbor::Encode};

use super::{Answer, AppResult, Source, State, app_error, at, events, list, look, ok, read, state};

pub(super) const METHODS: &[&str] = &[
    "TokenSymbol",
    "TokenValueExponent",
    "TotalSupply",
    "CommonPool",
    "LastBlockFees",
    // Named so in the original.
    "methodGovernanceDeposits",
    "Threshold",
    "Addresses",
    "Account",
    "DelegationsFor",
    "DelegationInfosFor",
    "DelegationsTo",
    "DebondingDelegationsFor",
    "DebondingDelegationInfosFor",
    "DebondingDelegationsTo",
    "Allowance",
    "StateToGenesis",
    "ConsensusParameters",
    "GetEvents",
];

pub(super) fn answer(source: &dyn Source, method: &str, request: &[u8]) -> Option<Answer> {
    let document = &source.network().document.staking;
    Some(match method {
        "TokenSymbol" => ok(&document.token_symbol),
        "TokenValueExponent" => ok(&document.token_value_exponent),
        "TotalSupply" => at(source, request, query::total_supply),
        "CommonPool" => at(source, request, query::common_pool),
        "LastBlockFees" => at(source, request, query::last_block_fees),
        "methodGovernanceDeposits" => at(source, request, query::governance_deposits),
        "Threshold" => threshold(source, request),
        "Addresses" => at(source, request, |state| query::addresses(state).map(list)),
        "Account" => of_owner(source, request, query::account),
        "DelegationsFor" => of_owner(source, request, query::delegations_for),
        "DelegationInfosFor" => of_owner(source, request, query::delegation_infos_for),
        "DelegationsTo" => of_owner(source, request, query::delegations_to),
        "DebondingDelegationsFor" => of_owner(source, request, query::debonding_delegations_for),
        "DebondingDelegationInfosFor" => of_owner(source, request, query::debonding_delegation_infos_for),
        "DebondingDelegationsTo" => of_owner(source, request, query::debonding_delegations_to),
        "Allowance" => allowance(source, request),
        "StateToGenesis" => read(request).and_then(|height| ok(&genesis(source, height)?)),
        "ConsensusParameters" => at(source, request, |state| Ok(query::consensus_parameters(state)?.as_ref().clone())),
        "GetEvents" => read(request).and_then(|height| ok(&events::of_height(source, height, staking::events::to_api)?)),
        _ => return None,
    })
}

fn of_owner<T: Encode>(source: &dyn Source, request: &[u8], see: impl FnOnce(&State, &Address) -> AppResult<T>) -> Answer {
    let OwnerQuery { height, owner } = read(request)?;
    look(source, height, |state| see(state, &owner))
}

fn threshold(source: &dyn Source, request: &[u8]) -> Answer {
    let ThresholdQuery { height, kind } = read(request)?;
    look(source, height, |state| query::threshold(state, kind))
}

fn allowance(source: &dyn Source, request: &[u8]) -> Answer {
    let AllowanceQuery { height, owner, beneficiary } = read(request)?;
    look(source, height, |state| query::allowance(state, &owner, &beneficiary))
}

/// Source: go/consensus/tendermint/staking/staking.go, `StateToGenesis`.
pub(super) fn genesis(source: &dyn Source, height: i64) -> Result<oasis_consensus_types::staking::Genesis, crate::grpc::ApiError> {
    let document = &source.network().document.staking;
    let state = state(source, height).map_err(app_error)?;
    let mut genesis = query::genesis(&state).map_err(app_error)?;
    genesis.token_symbol = document.token_symbol.clone();
    genesis.token_value_exponent = document.token_value_exponent;
    Ok(genesis)
}
