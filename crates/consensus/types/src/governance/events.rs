//! Events of governance.
//!
//! Source: go/governance/api/api.go.

use oasis_primitives::{address::Address, cbor::Cbor, hash::Hash, json::Json};

use super::{ProposalState, Vote};

/// A proposal was submitted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct ProposalSubmittedEvent {
    /// The proposal.
    pub id: u64,
    /// Who submitted it.
    pub submitter: Address,
}

/// A proposal was executed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct ProposalExecutedEvent {
    /// The proposal.
    pub id: u64,
}

/// A proposal was closed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct ProposalFinalizedEvent {
    /// The proposal.
    pub id: u64,
    /// What became of it.
    pub state: ProposalState,
}

/// A vote was cast.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct VoteEvent {
    /// The proposal.
    pub id: u64,
    /// Who voted.
    pub submitter: Address,
    /// The vote.
    pub vote: Vote,
}

macro_rules! kinds {
    ($($type:ident: $kind:literal,)*) => {$(
        impl $type {
            /// The key of the event's attribute.
            pub const KIND: &'static str = $kind;
        }
    )*};
}

kinds! {
    ProposalSubmittedEvent: "proposal-submitted",
    ProposalExecutedEvent: "proposal-executed",
    ProposalFinalizedEvent: "proposal-finalized",
    VoteEvent: "vote",
}

/// An event, as clients see it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct Event {
    /// Height of the block.
    #[cbor(omitempty)]
    pub height: i64,
    /// Hash of the transaction; of the empty string for events of the block.
    #[cbor(omitempty)]
    pub tx_hash: Hash,
    /// A proposal was submitted.
    #[cbor(omitempty)]
    pub proposal_submitted: Option<ProposalSubmittedEvent>,
    /// A proposal was executed.
    #[cbor(omitempty)]
    pub proposal_executed: Option<ProposalExecutedEvent>,
    /// A proposal was closed.
    #[cbor(omitempty)]
    pub proposal_finalized: Option<ProposalFinalizedEvent>,
    /// A vote was cast.
    #[cbor(omitempty)]
    pub vote: Option<VoteEvent>,
}
