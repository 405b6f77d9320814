//! Entities, nodes and runtimes. Source: go/registry/api/grpc.go; go/consensus/tendermint/registry/registry.go.

use oasis_consensus_app::{
    error::Result as AppResult,
    registry::{self, query},
    store::Store as State,
};
use oasis_consensus_types::registry::{ConsensusAddressQuery, GetRuntimesQuery, IdQuery, NamespaceQuery, NodeList};
use oasis_primitives::{
    cbor::{Encode, OrNil},
    signature::PublicKey,
};

use super::{Answer, Source, at, events, list, look, ok, read};

pub(super) const METHODS: &[&str] = &[
    "GetEntity",
    "GetEntities",
    "GetNode",
    "GetNodeByConsensusAddress",
    "GetNodeStatus",
    "GetNodes",
    "GetRuntime",
    "GetRuntimes",
    "StateToGenesis",
    "GetEvents",
];

pub(super) fn answer(source: &dyn Source, method: &str, request: &[u8]) -> Option<Answer> {
    Some(match method {
        "GetEntity" => of_id(source, request, query::entity),
        "GetEntities" => at(source, request, |state| query::entities(state).map(list)),
        "GetNode" => of_id(source, request, query::node),
        "GetNodeByConsensusAddress" => read(request).and_then(|ConsensusAddressQuery { height, address }| {
            look(source, height, |state| query::node_by_consensus_address(state, &address))
        }),
        "GetNodeStatus" => of_id(source, request, query::node_status),
        "GetNodes" => at(source, request, |state| query::nodes(state).map(list)),
        "GetRuntime" => read(request).and_then(|NamespaceQuery { height, id }| look(source, height, |state| query::runtime(state, &id))),
        "GetRuntimes" => read(request).and_then(|GetRuntimesQuery { height, include_suspended }| {
            look(source, height, |state| query::runtimes(state, include_suspended).map(list))
        }),
        "StateToGenesis" => at(source, request, registry::export),
        "GetEvents" => read(request).and_then(|height| ok(&events::of_height(source, height, registry::events::to_api)?)),
        _ => return None,
    })
}

fn of_id<T: Encode>(source: &dyn Source, request: &[u8], see: impl FnOnce(&State, &PublicKey) -> AppResult<T>) -> Answer {
    let IdQuery { height, id } = read(request)?;
    look(source, height, |state| see(state, &id))
}

/// The nodes of a state, sorted by identity. Source: go/consensus/tendermint/registry/registry.go, `getNodeList`.
pub fn node_list(state: &State) -> AppResult<NodeList> {
    let mut nodes = query::nodes(state)?;
    nodes.sort_by_key(|node| node.id);
    Ok(NodeList { nodes: nodes.into_iter().map(OrNil::from).collect() })
}
