//! Parameters.
//!
//! Source: go/staking/api/api.go, `ConsensusParameters`.

use std::collections::BTreeMap;

use oasis_primitives::{address::Address, cbor::Cbor, json::Json, quantity::Quantity};

use super::{CommissionScheduleRules, EpochTime, RewardStep, Slash, SlashReason, Thresholds};
use crate::transaction::Costs;

/// The rules of the ledger.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct ConsensusParameters {
    /// Stake that registrations need, base units by kind.
    #[cbor(omitempty)]
    pub thresholds: Thresholds,
    /// Epochs that debonding takes.
    #[cbor(omitempty)]
    pub debonding_interval: EpochTime,
    /// Reward rates by epoch.
    #[cbor(omitempty)]
    pub reward_schedule: Vec<RewardStep>,
    /// Part of the epoch's blocks to sign for a reward: numerator.
    #[cbor(omitempty)]
    pub signing_reward_threshold_numerator: u64,
    /// Part of the epoch's blocks to sign for a reward: denominator; 0 for no signing rewards.
    #[cbor(omitempty)]
    pub signing_reward_threshold_denominator: u64,
    /// How commission schedules may change.
    #[cbor(omitempty)]
    pub commission_schedule_rules: CommissionScheduleRules,
    /// Penalties by reason.
    #[cbor(omitempty)]
    pub slashing: BTreeMap<SlashReason, Slash>,
    /// Gas costs by operation.
    #[cbor(omitempty)]
    pub gas_costs: Costs,
    /// Least amount of an escrow, base units.
    #[cbor(rename = "min_delegation")]
    pub min_delegation_amount: Quantity,
    /// Whether transfers are forbidden.
    #[cbor(omitempty)]
    pub disable_transfers: bool,
    /// Whether delegation to others is forbidden.
    #[cbor(omitempty)]
    pub disable_delegation: bool,
    /// Accounts that may transfer nonetheless.
    #[cbor(omitempty)]
    pub undisable_transfers_from: BTreeMap<Address, bool>,
    /// Whether runtimes may escrow by messages.
    #[cbor(omitempty)]
    pub allow_escrow_messages: bool,
    /// Most allowances of an account; 0 for no allowances at all.
    #[cbor(omitempty)]
    pub max_allowances: u32,
    /// Weight of the proposer in a block's fees.
    pub fee_split_weight_propose: Quantity,
    /// Weight of the voters in a block's fees.
    pub fee_split_weight_vote: Quantity,
    /// Weight of the next proposer in a block's fees.
    pub fee_split_weight_next_propose: Quantity,
    /// Factor of the reward for signing an epoch's blocks.
    pub reward_factor_epoch_signed: Quantity,
    /// Factor of the reward for proposing a block.
    pub reward_factor_block_proposed: Quantity,
}

impl ConsensusParameters {
    /// Whether an account may transfer.
    ///
    /// Source: go/consensus/tendermint/apps/staking/transactions.go, `isTransferPermitted`.
    pub fn is_transfer_permitted(&self, from: &Address) -> bool {
        !self.disable_transfers || self.undisable_transfers_from.get(from).copied().unwrap_or_default()
    }
}
