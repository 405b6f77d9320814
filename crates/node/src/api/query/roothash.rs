//! Runtimes' rounds. Source: go/roothash/api/grpc.go; go/consensus/tendermint/roothash/roothash.go.

use oasis_consensus_app::{
    error::Result as AppResult,
    registry,
    roothash::{self, query},
    store::Store as State,
};
use oasis_consensus_types::roothash::{Genesis, RuntimeRequest};
use oasis_primitives::{
    cbor::{Encode, OrNil},
    namespace::Namespace,
};

use super::{Answer, Source, app_error, at, blocks, events, look, ok, read, state, wrapped};
use crate::grpc::ApiError;

pub(super) const METHODS: &[&str] =
    &["GetGenesisBlock", "GetLatestBlock", "GetRuntimeState", "StateToGenesis", "ConsensusParameters", "GetEvents"];

pub(super) fn answer(source: &dyn Source, method: &str, request: &[u8]) -> Option<Answer> {
    Some(match method {
        "GetGenesisBlock" => of_runtime(source, request, query::genesis_block),
        "GetLatestBlock" => of_runtime(source, request, query::latest_block),
        "GetRuntimeState" => of_runtime(source, request, query::runtime_state),
        "StateToGenesis" => read(request).and_then(|height| ok(&genesis(source, height)?)),
        "ConsensusParameters" => at(source, request, query::consensus_parameters),
        // Looks for the block first, the others for the results.
        "GetEvents" => read(request).and_then(|height| {
            blocks::required(source, height)?;
            ok(&events::of_height(source, height, roothash::events::to_api)?)
        }),
        _ => return None,
    })
}

fn of_runtime<T: Encode>(source: &dyn Source, request: &[u8], see: impl FnOnce(&State, &Namespace) -> AppResult<T>) -> Answer {
    let RuntimeRequest { runtime_id, height } = read(request)?;
    look(source, height, |state| see(state, &runtime_id))
}

/// The state of a height, and of each runtime the results of its last messages.
///
/// Source: `StateToGenesis`, `getRoundResults`, `getNodeEntities`.
pub(super) fn genesis(source: &dyn Source, height: i64) -> Result<Genesis, ApiError> {
    let now = state(source, height).map_err(app_error)?;
    let mut genesis = roothash::export(&now).map_err(app_error)?;
    for (id, known) in &mut genesis.runtime_states {
        let at = query::runtime_state(&now, id).map_err(app_error)?.last_normal_height;
        let failed = |e| wrapped(format_args!("roothash: failed to get last message results for runtime {id}"), e);
        let events = events::of_height(source, at, roothash::events::to_api).map_err(failed)?;
        for event in events.iter().filter(|e| e.runtime_id == *id) {
            if let Some(message) = &event.message {
                known.message_results.push(OrNil::from(message.clone()));
            } else if let Some(finalized) = &event.finalized {
                // The nodes themselves are of no use here, but it fails where one is gone.
                for (nodes, what) in [(&finalized.good_compute_nodes, "good"), (&finalized.bad_compute_nodes, "bad")] {
                    for node in nodes.iter() {
                        let found = state(source, at).and_then(|then| registry::query::node(&then, node));
                        let prefix = format_args!("failed to resolve {what} compute entities: failed to fetch node {node}").to_string();
                        found.map_err(|e| failed(wrapped(prefix, app_error(e))))?;
                    }
                }
            }
        }
    }
    Ok(genesis)
}
