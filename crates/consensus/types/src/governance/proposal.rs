//! Proposals, and when one passes.
//!
//! Source: go/governance/api/{api,proposal}.go.

use std::collections::BTreeMap;

use oasis_primitives::{address::Address, cbor::Cbor, json::Json, quantity::Quantity};

use super::{EpochTime, Vote, named};
use crate::{errors::CodedError, upgrade::Descriptor};

/// A proposal to upgrade.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
#[cbor(transparent)]
pub struct UpgradeProposal {
    /// The upgrade.
    pub descriptor: Descriptor,
}

/// A proposal not to upgrade after all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct CancelUpgradeProposal {
    /// The proposal that had passed.
    pub proposal_id: u64,
}

/// What a proposal is about: exactly one of the fields.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct ProposalContent {
    /// To upgrade.
    #[cbor(omitempty)]
    pub upgrade: Option<UpgradeProposal>,
    /// To cancel an upgrade.
    #[cbor(omitempty)]
    pub cancel_upgrade: Option<CancelUpgradeProposal>,
}

impl ProposalContent {
    /// Source: go/governance/api/api.go, `ProposalContent.ValidateBasic`.
    pub fn validate_basic(&self) -> Result<(), CodedError> {
        match (&self.upgrade, &self.cancel_upgrade) {
            (Some(_), Some(_)) => Err(CodedError::unknown("proposal content has multiple fields set")),
            (Some(upgrade), None) => upgrade.descriptor.validate_basic(),
            (None, Some(_)) => Ok(()),
            (None, None) => Err(CodedError::unknown("proposal content has no fields set")),
        }
    }
}

/// What became of a proposal.
///
/// Source: go/governance/api/proposal.go, `ProposalState`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Cbor)]
#[cbor(transparent)]
pub struct ProposalState(pub u8);

impl ProposalState {
    /// Open for votes.
    pub const ACTIVE: Self = Self(1);
    /// Passed and executed.
    pub const PASSED: Self = Self(2);
    /// Rejected.
    pub const REJECTED: Self = Self(3);
    /// Passed, and could not be executed.
    pub const FAILED: Self = Self(4);
}

named! {
    ProposalState, "state",
    ACTIVE = "active",
    PASSED = "passed",
    REJECTED = "rejected",
    FAILED = "failed",
}

/// A proposal.
///
/// Source: go/governance/api/proposal.go, `Proposal`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct Proposal {
    /// Its number.
    pub id: u64,
    /// Who submitted it.
    pub submitter: Address,
    /// What became of it.
    pub state: ProposalState,
    /// The deposit, base units.
    pub deposit: Quantity,
    /// What it is about.
    pub content: ProposalContent,
    /// Epoch in which it was submitted.
    pub created_at: EpochTime,
    /// Epoch at whose start the votes are counted.
    pub closes_at: EpochTime,
    /// Stake by vote, base units, once counted.
    #[cbor(omitempty)]
    pub results: BTreeMap<Vote, Quantity>,
    /// Votes of those who were no validators when the votes were counted.
    #[cbor(omitempty)]
    pub invalid_votes: u64,
}

impl Proposal {
    /// All stake that voted, base units.
    ///
    /// Source: go/governance/api/proposal.go, `Proposal.VotedSum`.
    pub fn voted_sum(&self) -> Quantity {
        self.results.values().fold(Quantity::ZERO, |sum, votes| sum.plus(votes))
    }

    /// Decides from the counted votes: passed where at least `quorum` per cent of the stake voted and at least `threshold`
    /// per cent of that for it, both rounded down; rejected otherwise.
    ///
    /// Source: go/governance/api/proposal.go, `Proposal.CloseProposal`.
    pub fn close(&mut self, total_stake: &Quantity, quorum: u8, threshold: u8) -> Result<(), CodedError> {
        let invalid = |reason: String| Err(CodedError::unknown(format!("invalid closing proposal state: {reason}")));
        if self.state != ProposalState::ACTIVE {
            return invalid(format!("expected: {}, got: {}", ProposalState::ACTIVE, self.state));
        }
        if total_stake.is_zero() {
            return invalid("total voting stake is zero".to_owned());
        }
        let voted = self.voted_sum();
        if voted > *total_stake {
            return invalid(format!("voted stake ({voted}) greater than total possible voting stake ({total_stake})"));
        }
        let yes = self.results.get(&Vote::YES).cloned().unwrap_or_default();
        let reaches = |part: &Quantity, whole: &Quantity, per_cent: u8| {
            let share = part.times(&Quantity::from(100u64)).checked_div(whole);
            share.is_some_and(|share| share >= Quantity::from(u64::from(per_cent)))
        };
        let passed = !yes.is_zero() && reaches(&voted, total_stake, quorum) && reaches(&yes, &voted, threshold);
        self.state = if passed { ProposalState::PASSED } else { ProposalState::REJECTED };
        Ok(())
    }
}

/// Asks for a proposal at a height.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct ProposalQuery {
    /// The height; 0 for the latest.
    pub height: i64,
    /// The proposal.
    #[cbor(rename = "id")]
    pub proposal_id: u64,
}
