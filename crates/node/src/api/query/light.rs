//! Blocks for those who verify them, and proofs of the state.
//!
//! Source: go/consensus/api/grpc.go; go/consensus/tendermint/full/light.go.

use oasis_consensus_app::executor::KEY_PARAMETERS;
use oasis_consensus_engine::{
    ports::{Fatal, Store as Blocks},
    proto,
};
use oasis_consensus_types::consensus::{ERR_VERSION_NOT_FOUND, Parameters};
use oasis_mkvs::{
    Root, Tree,
    proof::{GetPrefixesRequest, GetRequest, IterateRequest, ProofResponse},
};
use oasis_primitives::cbor::{self, RawCbor};
use prost::Message;

use super::{Answer, Source, app_error, blocks, coded, ok, read, state, unknown, wrapped};
use crate::{
    api::light::{LightBlock, ParametersMessage},
    grpc::ApiError,
};

/// Most prefixes that are looked for in one call, which anybody can make. A client that asks for more gets the rest key by key, as it gets
/// all that it did not ask for ahead.
const MAX_PREFIXES: usize = 4096;

pub(super) const METHODS: &[&str] = &["GetLightBlock", "GetParameters", "StateSyncGet", "StateSyncGetPrefixes", "StateSyncIterate"];

pub(super) fn answer(source: &dyn Source, method: &str, request: &[u8]) -> Option<Answer> {
    Some(match method {
        "GetLightBlock" => read(request).and_then(|height| light_block(source, height)),
        "GetParameters" => read(request).and_then(|height| parameters(source, height)),
        "StateSyncGet" => read(request).and_then(|request: GetRequest| proof(source, &request.tree.root, |tree| tree.sync_get(&request))),
        "StateSyncGetPrefixes" => {
            read(request).map(bounded).and_then(|request| proof(source, &request.tree.root, |tree| tree.sync_get_prefixes(&request)))
        }
        "StateSyncIterate" => {
            read(request).and_then(|request: IterateRequest| proof(source, &request.tree.root, |tree| tree.sync_iterate(&request)))
        }
        _ => return None,
    })
}

fn bounded(request: GetPrefixesRequest) -> GetPrefixesRequest {
    let mut prefixes = request.prefixes.into_vec();
    prefixes.truncate(MAX_PREFIXES);
    GetPrefixesRequest { prefixes: prefixes.into(), ..request }
}

/// The validators are known of two heights more than the blocks. Source: `GetLightBlock`; tendermint `rpc/core/blocks.go`, `Commit`.
fn light_block(source: &dyn Source, wanted: i64) -> Answer {
    let height = blocks::height(source, wanted)?;
    let mut block = light_block_of(source.blocks(), height).map_err(unknown)?.ok_or_else(|| coded(ERR_VERSION_NOT_FOUND))?;
    if blocks::check(source, height).is_err() {
        block.signed_header = None;
    }
    ok(&LightBlock { height, meta: block.encode_to_vec() })
}

/// The light block of a height in a store; none where the height's validators are not known. It has no header where there is no block.
pub fn light_block_of(stored: &dyn Blocks, height: i64) -> Result<Option<proto::LightBlock>, Fatal> {
    let Some(set) = stored.validators(height)? else { return Ok(None) };
    let signed_header = match stored.header(height)? {
        Some(header) => {
            let last = stored.range().1;
            let commit = if height == last { stored.seen_commit(height)? } else { stored.commit(height)? };
            Some(proto::SignedHeader { header: Some(header), commit })
        }
        None => None,
    };
    Ok(Some(proto::LightBlock { signed_header, validator_set: Some(set.to_message()) }))
}

/// Source: `GetParameters`; tendermint `state/store.go`, `LoadConsensusParams`.
fn parameters(source: &dyn Source, wanted: i64) -> Answer {
    let height = blocks::height(source, wanted)?;
    let missing = || {
        let text = format!(
            "{}: tendermint: consensus params query failed: could not find consensus params for height #{height}: value retrieved from db is empty",
            ERR_VERSION_NOT_FOUND.text
        );
        ApiError { message: text, ..coded(ERR_VERSION_NOT_FOUND) }
    };
    let params = source.blocks().params(height).map_err(unknown)?.ok_or_else(missing)?;
    let state = state(source, wanted).map_err(|e| wrapped("tendermint: failed to initialize core consensus state", app_error(e)))?;
    let parameters: Option<Parameters> = state.get_cbor(KEY_PARAMETERS).map_err(app_error)?;
    let parameters = parameters.ok_or_else(|| unknown("tendermint: failed to fetch core consensus parameters"))?;
    ok(&ParametersMessage { height, parameters: RawCbor(cbor::to_vec(&parameters)), meta: params.encode_to_vec() })
}

/// Source: go/storage/mkvs/db/api/api.go, `ErrNodeNotFound`.
fn proof<E: std::fmt::Display>(source: &dyn Source, root: &Root, prove: impl FnOnce(&Tree) -> Result<ProofResponse, E>) -> Answer {
    let tree = source.tree(root).map_err(app_error)?;
    let missing = || ApiError { module: "storage/mkvs/db".into(), code: 1, ..unknown("mkvs: node not found in node db") };
    ok(&prove(&tree.ok_or_else(missing)?).map_err(unknown)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_looks_for_so_many_prefixes_at_most() {
        let of =
            |count: usize| GetPrefixesRequest { prefixes: vec![cbor::NilVec::from(vec![1]); count].into(), limit: 7, ..Default::default() };
        assert_eq!(bounded(of(MAX_PREFIXES)).prefixes.len(), MAX_PREFIXES);
        let request = bounded(of(1_000_000));
        assert_eq!((request.prefixes.len(), request.limit), (MAX_PREFIXES, 7));
    }
}
