//! The ledger in the genesis document.
//!
//! Source: go/staking/api/api.go, `Genesis`.

use std::collections::BTreeMap;

use oasis_primitives::{
    address::Address,
    cbor::{Cbor, NilMap, NilVec, OrNil},
    json::Json,
    quantity::Quantity,
};

use super::{Account, ConsensusParameters, DebondingDelegation, Delegation};

/// Delegations by escrow account, then by delegator.
pub type Delegations = BTreeMap<Address, NilMap<Address, OrNil<Delegation>>>;

/// Debonding delegations by escrow account, then by delegator.
pub type DebondingDelegations = BTreeMap<Address, NilMap<Address, NilVec<OrNil<DebondingDelegation>>>>;

/// The staking section.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct Genesis {
    /// The parameters.
    #[cbor(rename = "params")]
    pub parameters: ConsensusParameters,
    /// The token's ticker symbol, letters A to Z.
    pub token_symbol: String,
    /// A token is 10 to this power base units.
    pub token_value_exponent: u8,
    /// All base units.
    pub total_supply: Quantity,
    /// The common pool, base units.
    pub common_pool: Quantity,
    /// Fees kept from the last block, base units.
    pub last_block_fees: Quantity,
    /// Deposits of open proposals, base units.
    pub governance_deposits: Quantity,
    /// Accounts.
    #[cbor(omitempty)]
    pub ledger: BTreeMap<Address, OrNil<Account>>,
    /// Delegations.
    #[cbor(omitempty)]
    pub delegations: Delegations,
    /// Debonding delegations.
    #[cbor(omitempty)]
    pub debonding_delegations: DebondingDelegations,
}
