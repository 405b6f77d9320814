//! Bodies of transactions.
//!
//! Source: go/staking/api/api.go.

use oasis_primitives::{address::Address, cbor::Cbor, json::Json, quantity::Quantity};

use super::CommissionSchedule;

/// Moves base units to another account.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct Transfer {
    /// Receiver.
    pub to: Address,
    /// Base units.
    pub amount: Quantity,
}

/// Destroys base units.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct Burn {
    /// Base units.
    pub amount: Quantity,
}

/// Delegates base units to an escrow account.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct Escrow {
    /// The escrow account.
    pub account: Address,
    /// Base units.
    pub amount: Quantity,
}

/// Starts the debonding of delegated shares.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct ReclaimEscrow {
    /// The escrow account.
    pub account: Address,
    /// Shares of its active pool.
    pub shares: Quantity,
}

/// Changes the sender's commission schedule.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct AmendCommissionSchedule {
    /// The new steps.
    pub amendment: CommissionSchedule,
}

/// Changes what a beneficiary may withdraw from the sender.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct Allow {
    /// The beneficiary.
    pub beneficiary: Address,
    /// Whether the allowance becomes less.
    #[cbor(omitempty)]
    pub negative: bool,
    /// Base units.
    pub amount_change: Quantity,
}

/// Moves base units from another account that allowed it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct Withdraw {
    /// The account that pays.
    pub from: Address,
    /// Base units.
    pub amount: Quantity,
}
