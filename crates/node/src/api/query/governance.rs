//! Proposals. Source: go/governance/api/grpc.go; go/consensus/tendermint/governance/governance.go.

use oasis_consensus_app::governance::{self, query};
use oasis_consensus_types::governance::ProposalQuery;

use super::{Answer, Source, at, events, list, look, ok, read};

pub(super) const METHODS: &[&str] =
    &["ActiveProposals", "Proposals", "Proposal", "Votes", "PendingUpgrades", "StateToGenesis", "ConsensusParameters", "GetEvents"];

pub(super) fn answer(source: &dyn Source, method: &str, request: &[u8]) -> Option<Answer> {
    Some(match method {
        "ActiveProposals" => at(source, request, |state| query::active_proposals(state).map(list)),
        "Proposals" => at(source, request, |state| query::proposals(state).map(list)),
        "Proposal" => read(request)
            .and_then(|ProposalQuery { height, proposal_id }| look(source, height, |state| query::proposal(state, proposal_id))),
        "Votes" => read(request)
            .and_then(|ProposalQuery { height, proposal_id }| look(source, height, |state| query::votes(state, proposal_id).map(list))),
        "PendingUpgrades" => at(source, request, |state| query::pending_upgrades(state).map(list)),
        "StateToGenesis" => at(source, request, governance::export),
        "ConsensusParameters" => at(source, request, query::consensus_parameters),
        "GetEvents" => read(request).and_then(|height| ok(&events::of_height(source, height, governance::events::to_api)?)),
        _ => return None,
    })
}
