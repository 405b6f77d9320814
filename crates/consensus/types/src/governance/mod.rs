//! Proposals to upgrade the network, and votes on them.
//!
//! Source: go/governance/api.

mod events;
mod genesis;
mod params;
mod proposal;
mod sanity;
mod vote;

pub use events::{Event, ProposalExecutedEvent, ProposalFinalizedEvent, ProposalSubmittedEvent, VoteEvent};
pub use genesis::{Genesis, pending_upgrades};
pub use params::ConsensusParameters;
pub use proposal::{CancelUpgradeProposal, Proposal, ProposalContent, ProposalQuery, ProposalState, UpgradeProposal};
pub use sanity::{sanity_check_pending_upgrades, sanity_check_proposals, sanity_check_votes};
pub use vote::{ProposalVote, Vote, VoteEntry};

use crate::errors::Code;

/// Epochs since the network's start.
type EpochTime = u64;

/// Name of the module in error codes and methods.
pub const MODULE_NAME: &str = "governance";

/// An argument is malformed.
pub const ERR_INVALID_ARGUMENT: Code = Code::new(MODULE_NAME, 1, "governance: invalid argument");
/// The upgrade's epoch is too near.
pub const ERR_UPGRADE_TOO_SOON: Code = Code::new(MODULE_NAME, 2, "governance: upgrade too soon");
/// Another upgrade is pending near that epoch.
pub const ERR_UPGRADE_ALREADY_PENDING: Code = Code::new(MODULE_NAME, 3, "governance: upgrade already pending");
/// There is no such upgrade.
pub const ERR_NO_SUCH_UPGRADE: Code = Code::new(MODULE_NAME, 4, "governance: no such upgrade");
/// There is no such proposal.
pub const ERR_NO_SUCH_PROPOSAL: Code = Code::new(MODULE_NAME, 5, "governance: no such proposal");
/// The sender may not vote.
pub const ERR_NOT_ELIGIBLE: Code = Code::new(MODULE_NAME, 6, "governance: not eligible");
/// The proposal is not open.
pub const ERR_VOTING_IS_CLOSED: Code = Code::new(MODULE_NAME, 7, "governance: voting is closed");

/// Method: submission of a proposal.
pub const METHOD_SUBMIT_PROPOSAL: &str = "governance.SubmitProposal";
/// Method: vote on a proposal.
pub const METHOD_CAST_VOTE: &str = "governance.CastVote";

/// All methods.
pub const METHODS: &[&str] = &[METHOD_SUBMIT_PROPOSAL, METHOD_CAST_VOTE];

/// Gas operation of a submission.
pub const GAS_OP_SUBMIT_PROPOSAL: &str = "submit_proposal";
/// Gas operation of a vote.
pub const GAS_OP_CAST_VOTE: &str = "cast_vote";

/// Gives a number with names the texts that JSON uses.
macro_rules! named {
    ($type:ident, $what:literal, $($name:ident = $text:literal,)*) => {
        impl $type {
            /// Reads the name.
            pub fn from_name(text: &str) -> Option<Self> {
                match text {
                    $($text => Some(Self::$name),)*
                    _ => None,
                }
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                match *self {
                    $(Self::$name => f.write_str($text),)*
                    Self(n) => write!(f, concat!("[unknown ", $what, ": {}]"), n),
                }
            }
        }

        oasis_primitives::json::text_json!($type, $what, Self::from_name);
    };
}
use named;

#[cfg(test)]
mod tests;
