//! Recorded chains, read for machines to execute.
#![allow(dead_code)]

pub mod memory;

use std::path::{Path, PathBuf};

use oasis_consensus_abci::{Backend, Config, Machine, Network};
use oasis_consensus_engine::{ChainState, CheckedBlock, decode_responses, ports::Application, proto::AbciResponses};
use oasis_consensus_types::{consensus::TENDERMINT_APP_VERSION, genesis::Document, upgrade::Descriptor};
use oasis_primitives::{cbor, hash::Hash, json::FromJson, time::Timestamp};

/// A recorded chain.
pub struct Chain {
    pub name: String,
    pub network: Network,
    pub upgrades: Vec<Descriptor>,
    pub blocks: Vec<Recorded>,
}

/// A recorded block.
pub struct Recorded {
    pub block: CheckedBlock,
    pub results: AbciResponses,
    pub root: Hash,
}

impl Recorded {
    pub fn height(&self) -> i64 {
        self.block.header().height
    }
}

pub fn paths() -> Vec<PathBuf> {
    oasis_test_vectors::files("chains/", ".cbor.gz").unwrap()
}

pub fn named(name: &str) -> Chain {
    let path = paths().into_iter().find(|p| p.ends_with(format!("{name}.cbor.gz"))).unwrap_or_else(|| panic!("no chain {name}"));
    read(&path)
}

pub fn read(path: &Path) -> Chain {
    let upgrades = match oasis_test_vectors::beside_chain(path, ".upgrades.json").unwrap() {
        Some(bytes) => Vec::<Descriptor>::from_json(&serde_json::from_slice(&bytes).unwrap()).unwrap(),
        None => Vec::new(),
    };
    let mut reader = oasis_replay::open(path).unwrap();
    let mut document: Document = cbor::from_slice_higher_limits(&reader.header().genesis_doc).unwrap();
    let first = reader.first_time().unwrap().unwrap();
    if first.seconds == document.time.seconds() {
        document.time = Timestamp::from_unix(first.seconds, first.nanos as u32);
    }
    let network = Network::new(document, true, true).unwrap();
    assert_eq!(network.chain_context, reader.header().chain_context);
    let mut blocks = Vec::new();
    while let Some(recorded) = reader.next_block().unwrap() {
        let block = CheckedBlock::decode(&recorded.block).unwrap();
        let results = decode_responses(&recorded.results).unwrap();
        blocks.push(Recorded { block, results, root: recorded.state_root });
    }
    Chain { name: path.display().to_string(), network, upgrades, blocks }
}

impl Chain {
    pub fn machine<T: Backend>(&self, tree: T) -> Machine<T> {
        self.machine_with(tree, Config::default())
    }

    pub fn machine_with<T: Backend>(&self, tree: T, config: Config) -> Machine<T> {
        Machine::open(tree, self.network.clone(), Config { upgrades: self.upgrades.clone(), ..config }).unwrap()
    }

    /// The state before the first block, and the genesis state in the machine.
    pub fn init<T: Backend>(&self, machine: &mut Machine<T>) -> ChainState {
        let response = machine.init_chain(&self.network.engine).unwrap();
        ChainState::from_genesis(&self.network.engine, TENDERMINT_APP_VERSION, &response).unwrap()
    }

    /// Blocks with the chain state before each.
    pub fn states(&self) -> Vec<ChainState> {
        let first = self.blocks[0].block.header().app_hash.clone();
        let response = oasis_consensus_engine::InitChainResponse { app_hash: first, ..Default::default() };
        let mut state = ChainState::from_genesis(&self.network.engine, TENDERMINT_APP_VERSION, &response).unwrap();
        let mut out = Vec::new();
        for recorded in &self.blocks {
            let next = state.after_block(&recorded.block, &recorded.results, &recorded.root.0).unwrap();
            out.push(std::mem::replace(&mut state, next));
        }
        out
    }
}

/// Executes a block, commits it, and checks what the machine answers.
pub fn apply<T: Backend>(machine: &mut Machine<T>, state: &ChainState, recorded: &Recorded) -> i64 {
    let height = recorded.height();
    let votes = state.vote_infos(&recorded.block);
    let byzantine = recorded.block.evidence().byzantine_validators();
    let responses = machine.execute(&recorded.block, &votes, &byzantine).unwrap();
    assert_eq!(normal(responses), normal(recorded.results.clone()), "height {height}");
    let commit = machine.commit().unwrap();
    assert_eq!(commit.app_hash, recorded.root.0, "height {height}");
    assert_eq!(machine.info().unwrap().app_hash, recorded.root.0, "height {height}");
    assert_eq!(machine.info().unwrap().last_height, height);
    commit.retain_height
}

/// Without what differs from node to node: texts for people, and the order of changes of validators.
fn normal(mut responses: AbciResponses) -> AbciResponses {
    for tx in &mut responses.deliver_txs {
        tx.log.clear();
    }
    if let Some(end) = &mut responses.end_block {
        end.validator_updates.sort_by_key(|u| u.pub_key.as_ed25519());
    }
    responses
}
