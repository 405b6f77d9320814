//! Validators and committees.
//!
//! Source: go/scheduler/api/api.go.

mod committee;
mod params;

pub use committee::{Committee, CommitteeKind, CommitteeNode, Role};
pub use params::{ConsensusParameters, Genesis};

use oasis_primitives::{cbor::Cbor, json::Json, namespace::Namespace, quantity::Quantity, signature::PublicKey};

/// The module's name.
pub const MODULE_NAME: &str = "scheduler";

/// Base units of stake for one unit of voting power.
///
/// Source: go/scheduler/api/api.go, `BaseUnitsPerVotingPower`.
pub const BASE_UNITS_PER_VOTING_POWER: u64 = 16;

/// The voting power of a stake in base units, rounded down, and at least 1; none where it does not fit 64 signed bits.
///
/// Source: go/scheduler/api/api.go, `VotingPowerFromStake`.
pub fn voting_power_from_stake(stake: &Quantity) -> Option<i64> {
    let power = stake.checked_div(&Quantity::from(BASE_UNITS_PER_VOTING_POWER))?;
    if power.is_zero() {
        return Some(1);
    }
    i64::try_from(power.to_u64()?).ok()
}

/// A validator of the consensus layer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct Validator {
    /// The node's identity.
    pub id: PublicKey,
    /// The voting power.
    pub voting_power: i64,
}

/// The arguments of the query for a runtime's committees.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct GetCommitteesRequest {
    /// The height of the state to look at; 0 is the latest.
    pub height: i64,
    /// The runtime.
    pub runtime_id: Namespace,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn voting_power_is_stake_over_sixteen_and_at_least_one() {
        let power = |stake: u128| voting_power_from_stake(&Quantity::from(stake));
        assert_eq!(power(0), Some(1));
        assert_eq!(power(15), Some(1));
        assert_eq!(power(31), Some(1));
        assert_eq!(power(32), Some(2));
        assert_eq!(power(16 * (i64::MAX as u128)), Some(i64::MAX));
        assert_eq!(power(16 * (i64::MAX as u128 + 1)), None);
    }
}
