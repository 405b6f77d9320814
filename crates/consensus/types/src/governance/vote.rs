//! Votes.
//!
//! Source: go/governance/api/{api,proposal}.go.

use oasis_primitives::{address::Address, cbor::Cbor, json::Json};

use super::named;

/// A vote; any number may be cast.
///
/// Source: go/governance/api/proposal.go, `Vote`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Cbor)]
#[cbor(transparent)]
pub struct Vote(pub u8);

impl Vote {
    /// For the proposal.
    pub const YES: Self = Self(1);
    /// Against it.
    pub const NO: Self = Self(2);
    /// Neither, but counted for the quorum.
    pub const ABSTAIN: Self = Self(3);
}

named! {
    Vote, "vote",
    YES = "yes",
    NO = "no",
    ABSTAIN = "abstain",
}

/// The body of a vote.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct ProposalVote {
    /// The proposal.
    pub id: u64,
    /// The vote.
    pub vote: Vote,
}

/// A vote that was cast.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct VoteEntry {
    /// Who cast it.
    pub voter: Address,
    /// The vote.
    pub vote: Vote,
}
