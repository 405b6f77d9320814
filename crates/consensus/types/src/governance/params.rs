//! The parameters of governance.
//!
//! Source: go/governance/api/api.go, `ConsensusParameters`.

use oasis_primitives::{cbor::Cbor, json::Json, quantity::Quantity};

use super::EpochTime;
use crate::{errors::CodedError, transaction::Costs};

/// The parameters of governance.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct ConsensusParameters {
    /// Gas costs by operation.
    #[cbor(omitempty)]
    pub gas_costs: Costs,
    /// The deposit of a proposal, base units.
    #[cbor(omitempty)]
    pub min_proposal_deposit: Quantity,
    /// Epochs for which a proposal is open.
    #[cbor(omitempty)]
    pub voting_period: EpochTime,
    /// The part of the validators' stake that must vote, per cent, 0 to 100.
    #[cbor(omitempty)]
    pub quorum: u8,
    /// The part of the votes that must be for a proposal, per cent, 0 to 100.
    #[cbor(omitempty)]
    pub threshold: u8,
    /// The fewest epochs from the submission of an upgrade to it, and between two upgrades.
    #[cbor(omitempty)]
    pub upgrade_min_epoch_diff: EpochTime,
    /// The fewest epochs from the submission of a cancellation to the upgrade.
    #[cbor(omitempty)]
    pub upgrade_cancel_min_epoch_diff: EpochTime,
}

impl ConsensusParameters {
    /// Source: go/governance/api/sanity_check.go, `ConsensusParameters.SanityCheck`.
    pub fn sanity_check(&self) -> Result<(), CodedError> {
        let reason = if self.quorum > 100 {
            "quorum should be less or equal to 100"
        } else if self.threshold > 100 {
            "threshold should be less or equal to 100"
        } else if u32::from(self.quorum).saturating_mul(u32::from(self.threshold)) <= 6666 {
            "product of quorum and threshold should be at least 2/3"
        } else if self.voting_period >= self.upgrade_min_epoch_diff {
            "voting_period should be less than upgrade_min_epoch_diff"
        } else if self.voting_period >= self.upgrade_cancel_min_epoch_diff {
            "voting_period should be less than upgrade_cancel_min_epoch_diff"
        } else {
            return Ok(());
        };
        Err(CodedError::unknown(reason))
    }
}
