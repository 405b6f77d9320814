//! Arguments and results of queries.
//!
//! Source: go/staking/api/api.go.

use oasis_primitives::{address::Address, cbor::Cbor, json::Json, quantity::Quantity};

use super::{DebondingDelegation, Delegation, EpochTime, SharePool, ThresholdKind};

/// Asks for a threshold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor)]
pub struct ThresholdQuery {
    /// Height; 0 for the latest.
    pub height: i64,
    /// Kind of the threshold.
    pub kind: ThresholdKind,
}

/// Asks for something of an account.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor)]
pub struct OwnerQuery {
    /// Height; 0 for the latest.
    pub height: i64,
    /// The account.
    pub owner: Address,
}

/// Asks for an allowance.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor)]
pub struct AllowanceQuery {
    /// Height; 0 for the latest.
    pub height: i64,
    /// The account that allows.
    pub owner: Address,
    /// The account that may withdraw.
    pub beneficiary: Address,
}

/// A delegation and the pool it is in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct DelegationInfo {
    /// Shares of the pool.
    pub shares: Quantity,
    /// The escrow account's active pool.
    pub pool: SharePool,
}

impl DelegationInfo {
    /// Puts both together.
    pub fn new(delegation: Delegation, pool: SharePool) -> Self {
        Self { shares: delegation.shares, pool }
    }
}

/// A debonding delegation and the pool it is in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct DebondingDelegationInfo {
    /// Shares of the pool.
    pub shares: Quantity,
    /// Epoch at which the stake is released.
    #[cbor(rename = "debond_end")]
    pub debond_end_time: EpochTime,
    /// The escrow account's debonding pool.
    pub pool: SharePool,
}

impl DebondingDelegationInfo {
    /// Puts both together.
    pub fn new(delegation: DebondingDelegation, pool: SharePool) -> Self {
        Self { shares: delegation.shares, debond_end_time: delegation.debond_end_time, pool }
    }
}
