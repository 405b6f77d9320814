//! How a block's fees are split.
//!
//! Source: go/consensus/tendermint/apps/staking/fees.go.

use oasis_primitives::quantity::Quantity;

use super::{ConsensusParameters, insufficient};
use crate::errors::CodedError;

/// The parts of a block's fees at its end, base units.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EndOfBlockFees {
    /// Kept for the voters and the proposer of the next block.
    pub kept: Quantity,
    /// For this block's proposer.
    pub proposer: Quantity,
}

/// Splits a block's fees at its end; what is kept is rounded down.
///
/// Source: go/consensus/tendermint/apps/staking/fees.go, `disburseFeesP`.
pub fn split_fees_at_end(fees: &Quantity, params: &ConsensusParameters) -> Result<EndOfBlockFees, CodedError> {
    let kept_weight = params.fee_split_weight_vote.plus(&params.fee_split_weight_next_propose);
    let all_weights = kept_weight.plus(&params.fee_split_weight_propose);
    let kept = fees.times(&kept_weight).checked_div(&all_weights).ok_or_else(|| CodedError::unknown("divide feePersistAmt"))?;
    let proposer = fees.checked_sub(&kept).ok_or_else(insufficient)?;
    Ok(EndOfBlockFees { kept, proposer })
}

/// The parts of the fees kept from the block before, base units.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NextBlockFees {
    /// For this block's proposer, for all the votes that it included.
    pub proposer: Quantity,
    /// For each voter.
    pub voter: Quantity,
}

/// Splits the kept fees: an equal part for each of `validators`, divided between the proposer, rounded down, and the voter.
///
/// Source: go/consensus/tendermint/apps/staking/fees.go, `disburseFeesVQ`.
pub fn split_fees_in_next_block(
    fees: &Quantity,
    validators: u64,
    voters: u64,
    params: &ConsensusParameters,
) -> Result<NextBlockFees, CodedError> {
    let per_validator = fees.checked_div(&Quantity::from(validators)).ok_or_else(|| CodedError::unknown("divide perValidator"))?;
    let weights = params.fee_split_weight_vote.plus(&params.fee_split_weight_next_propose);
    let to_proposer = per_validator.times(&params.fee_split_weight_next_propose);
    let share = to_proposer.checked_div(&weights).ok_or_else(|| CodedError::unknown("divide shareNextProposer"))?;
    let voter = per_validator.checked_sub(&share).ok_or_else(insufficient)?;
    Ok(NextBlockFees { proposer: share.times(&Quantity::from(voters)), voter })
}
