//! Rewards: their schedule, amounts and who signed enough blocks for them.
//!
//! Source: go/staking/api/rewards.go; go/consensus/tendermint/apps/staking/state/state.go.

use std::collections::BTreeMap;

use oasis_primitives::{
    cbor::{Cbor, NilMap},
    json::Json,
    quantity::Quantity,
    signature::PublicKey,
};

use super::EpochTime;
use crate::errors::CodedError;

/// Reward rates are in millionths of a percent: this many are the whole.
pub const REWARD_AMOUNT_DENOMINATOR: u64 = 100_000_000;

/// A period of the reward schedule.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct RewardStep {
    /// First epoch after the period.
    pub until: EpochTime,
    /// Rate in millionths of a percent, multiplied with the factor of the reward.
    pub scale: Quantity,
}

/// The period of an epoch; none after the schedule's end.
pub fn active_step(schedule: &[RewardStep], now: EpochTime) -> Option<&RewardStep> {
    schedule.iter().find(|step| now < step.until)
}

/// The reward of an active escrow balance in base units, rounded down.
///
/// Source: go/consensus/tendermint/apps/staking/state/state.go, `AddRewards`.
pub fn reward_amount(balance: &Quantity, factor: &Quantity, scale: &Quantity) -> Quantity {
    let product = balance.times(factor).times(scale);
    product.checked_div(&Quantity::from(REWARD_AMOUNT_DENOMINATOR)).unwrap_or_default()
}

/// The reward of an active escrow balance times `numerator` / `denominator`, rounded down twice; none for a denominator of
/// zero.
///
/// Source: go/consensus/tendermint/apps/staking/state/state.go, `AddRewardSingleAttenuated`.
pub fn reward_amount_attenuated(
    balance: &Quantity,
    factor: &Quantity,
    scale: &Quantity,
    numerator: u64,
    denominator: u64,
) -> Option<Quantity> {
    reward_amount(&balance.times(&Quantity::from(numerator)), factor, scale).checked_div(&Quantity::from(denominator))
}

/// Who signed how many blocks of the epoch.
///
/// Source: go/consensus/tendermint/apps/staking/state/state.go, `EpochSigning`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor)]
pub struct EpochSigning {
    /// Blocks.
    #[cbor(rename = "Total")]
    pub total: u64,
    /// Signatures by entity; an entity with several validators has several a block.
    #[cbor(rename = "ByEntity")]
    pub by_entity: NilMap<PublicKey, u64>,
}

impl EpochSigning {
    /// Nothing signed; the map is there and empty.
    pub fn new() -> Self {
        Self { total: 0, by_entity: BTreeMap::new().into() }
    }

    /// Counts a block and who signed it.
    pub fn update(&mut self, signers: &[PublicKey]) -> Result<(), CodedError> {
        let overflow = || CodedError::unknown("incrementing count of signed blocks: overflow");
        self.total = self.total.checked_add(1).ok_or_else(overflow)?;
        for signer in signers {
            let count = self.by_entity.as_mut().entry(*signer).or_default();
            *count = count.checked_add(1).ok_or_else(overflow)?;
        }
        Ok(())
    }

    /// The entities that signed at least `numerator` / `denominator` of the blocks, in the order of their keys.
    ///
    /// The original divides by both, and stops the node for a zero numerator; here that is an error.
    pub fn eligible_entities(&self, numerator: u64, denominator: u64) -> Result<Vec<PublicKey>, CodedError> {
        let overflow = || CodedError::unknown("overflow in threshold comparison");
        if numerator == 0 {
            return Err(CodedError::unknown("signing reward threshold numerator is zero"));
        }
        let needed = self.total.checked_mul(numerator).ok_or_else(overflow)?;
        let mut eligible = Vec::new();
        for (entity, count) in self.by_entity.iter() {
            if count.checked_mul(denominator).ok_or_else(overflow)? >= needed {
                eligible.push(*entity);
            }
        }
        Ok(eligible)
    }
}
