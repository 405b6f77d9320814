//! Every recorded network is what our state machine and the consensus engine's rules make of it.

use std::{
    fs::File,
    io::BufReader,
    path::Path,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use oasis_consensus_app::{executor::MemoryVersions, upgrade::Upgrader};
use oasis_consensus_engine::{ChainState, CheckedBlock, InitChainResponse};
use oasis_consensus_types::{consensus::TENDERMINT_APP_VERSION, upgrade::Descriptor};
use oasis_mkvs::{RootType, Tree};
use oasis_primitives::{json::FromJson, namespace::Namespace};
use oasis_replay::{AppMachine, BlockVerifier, ChainReader, Replay, ReplayError, Summary};

#[test]
fn every_recorded_chain_is_computed_again_chains_vectors() {
    let paths = oasis_test_vectors::files("chains/", ".cbor.gz").unwrap();
    assert!(paths.len() >= 4);
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(path) = paths.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let summary = replay(path).unwrap_or_else(|e| panic!("{e}"));
                    assert!(summary.to_string().ends_with("all equal"));
                }
            });
        }
    });
}

/// Replays a chain with the upgrade descriptors beside it.
fn replay(path: &Path) -> Result<Summary, ReplayError> {
    let descriptors = match oasis_test_vectors::beside_chain(path, ".upgrades.json").unwrap() {
        Some(bytes) => Vec::<Descriptor>::from_json(&serde_json::from_slice(&bytes).unwrap()).unwrap(),
        None => Vec::new(),
    };
    let file = path.display().to_string();
    let mut reader = oasis_replay::open(path)?;
    let first_time = reader.first_time().unwrap();
    let network = oasis_replay::network(reader.header(), first_time, true).unwrap();
    let mut machine = AppMachine::new(MemoryVersions::new(1), &network, Upgrader::new(descriptors)).unwrap();
    Replay { file, network: &network, to: None, known: Vec::new(), progress: &mut |_| {} }.run(reader, &mut machine)
}

#[test]
fn every_recorded_block_verifies_chains_vectors() {
    let mut chains = 0;
    for path in oasis_test_vectors::files("chains/", ".cbor.gz").unwrap() {
        verify(&path);
        chains += 1;
    }
    assert!(chains >= 4);
}

fn verify(path: &Path) {
    let name = path.display();
    let mut reader = ChainReader::new(BufReader::new(File::open(path).unwrap())).unwrap();
    let header = reader.header().clone();
    let first_time = reader.first_time().unwrap();
    let network = oasis_replay::network(&header, first_time, true).unwrap();
    let mut verifier: Option<BlockVerifier> = None;
    let mut tree = Tree::empty(Namespace::default(), RootType::STATE);
    while let Some(recorded) = reader.next_block().unwrap_or_else(|e| panic!("{name}: {e}")) {
        let height = recorded.height;
        for (key, value) in &recorded.diff {
            match value {
                Some(value) => tree.insert(key, value).unwrap(),
                None => tree.remove(key).unwrap(),
            }
        }
        assert_eq!(tree.root_hash(), recorded.state_root, "{name}: height {height}");
        tree.commit(height as u64).unwrap();
        let verifier = verifier.get_or_insert_with(|| {
            let first = CheckedBlock::decode(&recorded.block).unwrap();
            let response = InitChainResponse { app_hash: first.header().app_hash.clone(), ..Default::default() };
            let state = ChainState::from_genesis(&network.engine, TENDERMINT_APP_VERSION, &response).unwrap();
            BlockVerifier::new(state, network.rules.clone())
        });
        verifier.add(recorded).unwrap_or_else(|e| panic!("{name}: {e}"));
        if verifier.is_full() || height == header.last_height {
            let (_, refused) = verifier.flush();
            assert!(refused.is_none(), "{name}: {refused:?}");
        }
    }
}
