//! Every recorded network is what the consensus engine's rules say, and its changes make its roots.

use std::{fs::File, io::BufReader, path::Path};

use oasis_consensus_engine::{ChainState, CheckedBlock, InitChainResponse};
use oasis_consensus_types::consensus::TENDERMINT_APP_VERSION;
use oasis_mkvs::{RootType, Tree};
use oasis_primitives::namespace::Namespace;
use oasis_replay::{BlockVerifier, ChainReader, Network};

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
    let network = Network::new(&header, first_time, true).unwrap();
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
