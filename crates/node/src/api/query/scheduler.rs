//! Elections. Source: go/scheduler/api/grpc.go; go/consensus/tendermint/scheduler/scheduler.go.

use oasis_consensus_app::scheduler::{self, query};
use oasis_consensus_types::scheduler::GetCommitteesRequest;

use super::{Answer, Source, app_error, at, list, look, read, state, wrapped};

pub(super) const METHODS: &[&str] = &["GetValidators", "GetCommittees", "StateToGenesis", "ConsensusParameters"];

pub(super) fn answer(source: &dyn Source, method: &str, request: &[u8]) -> Option<Answer> {
    // Where there is no state, these two say so in other words.
    let known = |height| state(source, height).map_err(|e| wrapped("scheduler: genesis query failed", app_error(e)));
    Some(match method {
        "GetValidators" => at(source, request, |state| query::validators(state).map(list)),
        "GetCommittees" => read(request).and_then(|GetCommitteesRequest { height, runtime_id }| {
            look(source, height, |state| query::runtime_committees(state, &runtime_id).map(list))
        }),
        "StateToGenesis" => read(request).and_then(known).and_then(|_| at(source, request, scheduler::export)),
        "ConsensusParameters" => read(request).and_then(known).and_then(|_| at(source, request, query::consensus_parameters)),
        _ => return None,
    })
}
