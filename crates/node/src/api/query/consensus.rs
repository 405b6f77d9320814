//! Blocks and transactions. Source: go/consensus/api/grpc.go; go/consensus/tendermint/full/common.go.

use oasis_consensus_app::{beacon, governance, keymanager, registry, roothash, scheduler, staking, store::Store as State};
use oasis_consensus_engine::proto;
use oasis_consensus_types::{consensus::ERR_UNSUPPORTED, genesis::Document};
use oasis_primitives::{
    address::Address,
    cbor::{self, Cbor},
    hash::Hash,
    time::Timestamp,
};

use super::{Answer, Source, api_events, app_error, blocks, coded, list, look, ok, read, state, unknown};
use crate::{
    api::{
        block::timestamp,
        results::{TransactionsWithResults, TxError, TxEvent, TxResult},
    },
    grpc::ApiError,
};

pub(super) const METHODS: &[&str] = &[
    "StateToGenesis",
    "GetSignerNonce",
    "GetBlock",
    "GetTransactions",
    "GetTransactionsWithResults",
    "GetGenesisDocument",
    "GetChainContext",
];

/// Source: go/consensus/api/api.go, `GetSignerNonceRequest`.
#[derive(Clone, Debug, Default, Cbor)]
pub struct SignerNonceRequest {
    account_address: Address,
    height: i64,
}

pub(super) fn answer(source: &dyn Source, method: &str, request: &[u8]) -> Option<Answer> {
    let network = source.network();
    Some(match method {
        "StateToGenesis" => read(request).and_then(|height| ok(&document(source, height)?)),
        "GetSignerNonce" => read(request).and_then(|SignerNonceRequest { account_address, height }| {
            if source.is_archive() {
                return Err(coded(ERR_UNSUPPORTED));
            }
            look(source, height, |state| staking::query::signer_nonce(state, &account_address))
        }),
        "GetBlock" => read(request).and_then(|height| blocks::answer(source, height)),
        "GetTransactions" => read(request).and_then(|height| ok(&blocks::required(source, height)?.data.txs)),
        "GetTransactionsWithResults" => read(request).and_then(|height| ok(&with_results(source, height)?)),
        "GetGenesisDocument" => ok(&network.document),
        "GetChainContext" => ok(network.chain_context.as_str()),
        _ => return None,
    })
}

/// Source: `GetTransactionsWithResults`.
fn with_results(source: &dyn Source, wanted: i64) -> Result<TransactionsWithResults, ApiError> {
    let block = blocks::required(source, wanted)?;
    let (height, responses) = blocks::results(source, block.header.height)?;
    let txs = &block.data.txs;
    let results: Result<Vec<_>, cbor::Error> =
        txs.iter().zip(&responses.deliver_txs).map(|(tx, result)| tx_result(height, Hash::of(tx), result)).collect();
    Ok(TransactionsWithResults { transactions: list(txs.clone()), results: list(results.map_err(unknown)?) })
}

fn tx_result(height: i64, tx: Hash, result: &proto::ResponseDeliverTx) -> Result<TxResult, cbor::Error> {
    let mut events = Vec::new();
    let all = &result.events;
    let base = TxEvent::default;
    events.extend(api_events(all, height, tx, staking::events::to_api)?.into_iter().map(|e| TxEvent { staking: Some(e), ..base() }));
    events.extend(api_events(all, height, tx, registry::events::to_api)?.into_iter().map(|e| TxEvent { registry: Some(e), ..base() }));
    events.extend(api_events(all, height, tx, roothash::events::to_api)?.into_iter().map(|e| TxEvent { roothash: Some(e), ..base() }));
    events.extend(api_events(all, height, tx, governance::events::to_api)?.into_iter().map(|e| TxEvent { governance: Some(e), ..base() }));
    let message = String::from_utf8_lossy(&result.log).into_owned();
    let error = TxError { module: result.codespace.clone(), code: result.code, message };
    Ok(TxResult { error, events: list(events) })
}

/// The document with which a network goes on from the state after a block. Source: `StateToGenesis`.
pub fn document(source: &dyn Source, wanted: i64) -> Result<Document, ApiError> {
    let block = blocks::required(source, wanted)?;
    let height = block.header.height;
    let before = &source.network().document;
    let state: State = state(source, height).map_err(app_error)?;
    let time: Timestamp = timestamp(&block.header.time);
    Ok(Document {
        height,
        time,
        chain_id: before.chain_id.clone(),
        halt_epoch: before.halt_epoch,
        beacon: beacon::query::state_to_genesis(&state).map_err(app_error)?,
        registry: registry::export(&state).map_err(app_error)?,
        roothash: super::roothash::genesis(source, height)?,
        staking: super::staking::genesis(source, height)?,
        keymanager: keymanager::export(&state).map_err(app_error)?,
        scheduler: scheduler::export(&state).map_err(app_error)?,
        governance: governance::export(&state).map_err(app_error)?,
        consensus: before.consensus.clone(),
        ..Document::default()
    })
}
