//! A recorded chain as a node has it.

use std::{path::Path, sync::Arc};

use anyhow::{Result, ensure};
use oasis_consensus_abci::{Config, Disk, DiskOptions, Machine};
use oasis_consensus_engine::{
    ChainState, CheckedBlock, decode_responses,
    node::Applied,
    ports::{Application, Store},
    proto,
};
use oasis_consensus_types::{consensus::TENDERMINT_APP_VERSION, upgrade::Descriptor};
use oasis_node_service::api::{notices::Notice, source::DiskSource};
use oasis_primitives::json::FromJson;
use oasis_storage::{BlockDb, BlockOptions, EngineKind, engine};
use prost::Message;

/// An archive in memory of a recorded chain: executed as a node does, blocks and state kept by a node's databases.
///
/// After each block it tells of it.
pub fn archive(chain: &Path, mut told: impl FnMut(&DiskSource, &Notice) -> Result<()>) -> Result<DiskSource> {
    let upgrades = match oasis_test_vectors::beside_chain(chain, ".upgrades.json")? {
        Some(bytes) => Vec::<Descriptor>::from_json(&serde_json::from_slice(&bytes)?).map_err(|e| anyhow::anyhow!("{e}"))?,
        None => Vec::new(),
    };
    let mut reader = oasis_replay::open(chain)?;
    let first = reader.first_time().map_err(|e| anyhow::anyhow!("{e}"))?;
    let network = oasis_replay::network(reader.header(), first, true)?;
    let context = network.chain_context.clone();
    let open = || engine::open(EngineKind::Memory, Path::new("memory"), 0);
    let tree = Disk::on(open()?, Path::new("memory"), DiskOptions::new(context.clone()))?;
    let state_reader = tree.reader();
    let mut blocks = BlockDb::on(open()?, Path::new("memory"), BlockOptions { context, ..BlockOptions::default() })?;
    let source = DiskSource::new(Arc::new(network.clone()), true, state_reader, blocks.clone());
    let config = Config { upgrades, disable_checkpointer: true, ..Config::default() };
    let mut machine = Machine::open(tree, network.clone(), config)?;
    let response = machine.init_chain(&network.engine)?;
    let mut state = ChainState::from_genesis(&network.engine, TENDERMINT_APP_VERSION, &response)?;
    blocks.save_genesis(&state)?;
    while let Some(recorded) = reader.next_block().map_err(|e| anyhow::anyhow!("{e}"))? {
        let block = CheckedBlock::decode(&recorded.block)?;
        let seen = proto::Commit::decode(recorded.seen_commit.as_slice())?;
        blocks.save_fetched(&block, &recorded.block, &seen)?;
        let responses = machine.execute(&block, &state.vote_infos(&block), &block.evidence().byzantine_validators())?;
        let texts = |responses: &proto::AbciResponses| responses.deliver_txs.iter().map(|tx| tx.log.clone()).collect::<Vec<_>>();
        ensure!(texts(&responses) == texts(&decode_responses(&recorded.results)?), "block {}: other texts", recorded.height);
        blocks.save_responses(recorded.height, &responses)?;
        let commit = machine.commit()?;
        ensure!(commit.app_hash == recorded.state_root.0, "block {}: another state", recorded.height);
        state = state.after_block(&block, &responses, &commit.app_hash)?;
        blocks.save_applied(&state, &block.evidence().evidence)?;
        let applied = Applied { block: Arc::new(block), responses, app_hash: commit.app_hash, invalidated: Vec::new() };
        told(&source, &Notice::new(Arc::new(applied)))?;
    }
    Ok(source)
}
