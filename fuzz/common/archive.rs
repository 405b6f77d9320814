//! A recorded chain as a node has it.

use std::{path::Path, sync::Arc};

use anyhow::{Context, Result, ensure};
use oasis_consensus_abci::{Config, Disk, DiskOptions, Machine, Network};
use oasis_consensus_engine::{
    ChainState, CheckedBlock,
    ports::{Application, Store},
    proto,
};
use oasis_consensus_types::{consensus::TENDERMINT_APP_VERSION, genesis::Document};
use oasis_node_service::api::source::DiskSource;
use oasis_primitives::{cbor, time::Timestamp};
use oasis_storage::{BlockDb, BlockOptions, EngineKind, engine};
use prost::Message;

/// An archive in memory of a recorded chain: executed as a node does, blocks and state kept by a node's databases.
pub fn archive(chain: &Path) -> Result<DiskSource> {
    let mut reader = oasis_replay::open(chain)?;
    let mut document: Document = cbor::from_slice_higher_limits(&reader.header().genesis_doc)?;
    // In CBOR the document has lost the fraction of its second; it is that of the first block, whose time it is.
    let first = reader.first_time().map_err(|e| anyhow::anyhow!("{e}"))?.context("a block")?;
    if first.seconds == document.time.seconds() {
        document.time = Timestamp::from_unix(first.seconds, u32::try_from(first.nanos)?);
    }
    let network = Network::new(document, true, true)?;
    let context = network.chain_context.clone();
    let open = || engine::open(EngineKind::Memory, Path::new("memory"), 0);
    let tree = Disk::on(open()?, Path::new("memory"), DiskOptions::new(context.clone()))?;
    let state_reader = tree.reader();
    let mut blocks = BlockDb::on(open()?, Path::new("memory"), BlockOptions { context, ..BlockOptions::default() })?;
    let config = Config { disable_checkpointer: true, ..Config::default() };
    let mut machine = Machine::open(tree, network.clone(), config)?;
    let response = machine.init_chain(&network.engine)?;
    let mut state = ChainState::from_genesis(&network.engine, TENDERMINT_APP_VERSION, &response)?;
    blocks.save_genesis(&state)?;
    while let Some(recorded) = reader.next_block().map_err(|e| anyhow::anyhow!("{e}"))? {
        let block = CheckedBlock::decode(&recorded.block)?;
        let seen = proto::Commit::decode(recorded.seen_commit.as_slice())?;
        blocks.save_fetched(&block, &recorded.block, &seen)?;
        let responses = machine.execute(&block, &state.vote_infos(&block), &block.evidence().byzantine_validators())?;
        blocks.save_responses(recorded.height, &responses)?;
        let commit = machine.commit()?;
        ensure!(commit.app_hash == recorded.state_root.0, "block {}: another state", recorded.height);
        state = state.after_block(&block, &responses, &commit.app_hash)?;
        blocks.save_applied(&state, &block.evidence().evidence)?;
    }
    Ok(DiskSource::new(Arc::new(network), true, state_reader, blocks))
}
