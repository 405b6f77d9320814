//! The state at a height as a genesis document.
//!
//! Source: go/oasis-node/cmd/debug/dumpdb/dumpdb.go.

use oasis_consensus_app::{
    beacon,
    context::BlockTime,
    error::{Error, Result},
    executor::KEY_PARAMETERS,
    governance, keymanager, registry, roothash, scheduler, staking,
    store::Store,
};
use oasis_consensus_types::{consensus, genesis::Document};
use oasis_primitives::time::Timestamp;

/// Makes a document of a state. What the state does not hold is taken from the network's own document.
///
/// The original takes the time at which it runs; here it is the time of the block, so that the same state always gives
/// the same document.
pub fn dump(store: &Store, network: &Document, height: i64, time: BlockTime) -> Result<Document> {
    let missing = || Error::fatal("the state has no consensus parameters");
    let mut staking = staking::export(store)?;
    staking.token_symbol.clone_from(&network.staking.token_symbol);
    staking.token_value_exponent = network.staking.token_value_exponent;
    Ok(Document {
        height,
        time: Timestamp::from_unix(time.seconds, time.nanos),
        chain_id: network.chain_id.clone(),
        registry: registry::export(store)?,
        roothash: roothash::export(store)?,
        staking,
        keymanager: keymanager::export(store)?,
        scheduler: scheduler::export(store)?,
        beacon: beacon::genesis::export(store)?,
        governance: governance::export(store)?,
        consensus: consensus::Genesis {
            backend: network.consensus.backend.clone(),
            parameters: store.get_cbor(KEY_PARAMETERS)?.ok_or_else(missing)?,
        },
        halt_epoch: network.halt_epoch,
        extra_data: network.extra_data.clone(),
    })
}
