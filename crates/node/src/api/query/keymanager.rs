//! Key managers. Source: go/keymanager/api/grpc.go; go/consensus/tendermint/keymanager/keymanager.go.

use oasis_consensus_app::keymanager::query;
use oasis_consensus_types::registry::NamespaceQuery;

use super::{Answer, Source, at, list, look, read};

pub(super) const METHODS: &[&str] = &["GetStatus", "GetStatuses"];

pub(super) fn answer(source: &dyn Source, method: &str, request: &[u8]) -> Option<Answer> {
    Some(match method {
        "GetStatus" => read(request).and_then(|NamespaceQuery { height, id }| look(source, height, |state| query::status(state, &id))),
        "GetStatuses" => at(source, request, |state| query::statuses(state).map(list)),
        _ => return None,
    })
}
