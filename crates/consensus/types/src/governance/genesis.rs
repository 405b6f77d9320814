//! Governance in the genesis document.
//!
//! Source: go/governance/api/{api,proposal}.go.

use std::collections::BTreeMap;

use oasis_primitives::{
    cbor::{Cbor, NilVec, OrNil},
    json::Json,
};

use super::{ConsensusParameters, EpochTime, Proposal, ProposalState, VoteEntry};
use crate::upgrade::Descriptor;

/// The governance section of the genesis document. Pending upgrades are not in it: they follow from the proposals.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct Genesis {
    /// The parameters.
    #[cbor(rename = "params")]
    pub parameters: ConsensusParameters,
    /// The proposals.
    #[cbor(omitempty)]
    pub proposals: Vec<OrNil<Proposal>>,
    /// The votes cast, by proposal.
    #[cbor(omitempty)]
    pub vote_entries: BTreeMap<u64, NilVec<OrNil<VoteEntry>>>,
}

/// The pending upgrades that follow from proposals, with the numbers of these: those that passed, are not over, and were
/// not canceled.
///
/// Source: go/governance/api/proposal.go, `PendingUpgradesFromProposals`.
pub fn pending_upgrades(proposals: &[OrNil<Proposal>], epoch: EpochTime) -> Vec<(u64, &Descriptor)> {
    let passed = || proposals.iter().filter(|p| p.state == ProposalState::PASSED);
    let mut pending: Vec<_> = passed()
        .filter_map(|p| p.content.upgrade.as_ref().map(|u| (p.id, &u.descriptor)))
        .filter(|(_, descriptor)| descriptor.epoch >= epoch)
        .collect();
    for cancel in passed().filter_map(|p| p.content.cancel_upgrade) {
        if let Some(at) = pending.iter().position(|(id, _)| *id == cancel.proposal_id) {
            pending.remove(at);
        }
    }
    pending
}
