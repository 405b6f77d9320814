//! Parameters and genesis state of the scheduler.

use oasis_primitives::{cbor::Cbor, json::Json, quantity::Quantity};

use super::voting_power_from_stake;

/// The parameters of elections.
///
/// Source: go/scheduler/api/api.go, `ConsensusParameters`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct ConsensusParameters {
    /// The fewest validators with which an election succeeds.
    pub min_validators: i64,
    /// The most validators in the set.
    pub max_validators: i64,
    /// The most validators of one entity.
    pub max_validators_per_entity: i64,
    /// Whether stake is ignored; for tests only.
    #[cbor(omitempty)]
    pub debug_bypass_stake: bool,
    /// Factor of the reward an epoch for entities with a node that stood for any election.
    pub reward_factor_epoch_election_any: Quantity,
}

/// The scheduler's part of the genesis document.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct Genesis {
    /// The parameters.
    #[cbor(rename = "params")]
    pub parameters: ConsensusParameters,
}

impl Genesis {
    /// Checks the genesis state; `unsafe_allowed` where the node runs with debug options allowed.
    ///
    /// Source: go/scheduler/api/api.go, `Genesis.SanityCheck`.
    pub fn sanity_check(&self, total_supply: &Quantity, unsafe_allowed: bool) -> Result<(), String> {
        if self.parameters.debug_bypass_stake {
            if !unsafe_allowed {
                return Err("scheduler: sanity check failed: one or more unsafe debug flags set".into());
            }
            return Ok(());
        }
        let Some(power) = voting_power_from_stake(total_supply) else {
            return Err(format!("scheduler: sanity check failed: total supply of {total_supply} would break voting power computation"));
        };
        if power > i64::MAX >> 3 {
            return Err(format!("init chain: total supply power {power} exceeds Tendermint voting power limit {}", i64::MAX >> 3));
        }
        Ok(())
    }
}
