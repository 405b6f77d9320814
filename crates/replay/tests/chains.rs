//! Every recorded network is what the consensus engine's rules say.

use std::{io::BufReader, path::Path, sync::Arc};

use oasis_consensus_engine::{
    ChainState, EngineGenesis, InitChainResponse, ValidatorSet,
    proto::{self, Block, Validator, ValidatorSetMessage},
};
use oasis_primitives::cbor;
use oasis_replay::{BlockVerifier, ChainReader};

#[test]
fn every_recorded_block_verifies_chains_vectors() {
    let mut chains = 0;
    for path in oasis_test_vectors::files("chains/", ".cbor.gz").unwrap() {
        let t = std::time::Instant::now();
        let n = verify(&path);
        eprintln!("{}: {n} blocks {:?}", path.display(), t.elapsed());
        chains += 1;
    }
    assert!(chains >= 4);
}

#[derive(cbor::Cbor, Default)]
struct Doc {
    consensus: oasis_consensus_types::consensus::Genesis,
}

fn verify(path: &Path) -> usize {
    let file = std::fs::File::open(path).unwrap();
    let mut reader = ChainReader::new(BufReader::new(file)).unwrap();
    let context = reader.header().chain_context.clone();
    let doc: Doc = cbor::from_slice_trusted(&reader.header().genesis_doc).unwrap();
    let initial_height = reader.header().initial_height;
    let mut verifier: Option<BlockVerifier> = None;
    let mut n = 0;
    while let Some(recorded) = reader.next_block().unwrap_or_else(|e| panic!("{}: {e}", path.display())) {
        let verifier = verifier.get_or_insert_with(|| {
            let block: Block = proto::decode(&recorded.block).unwrap();
            let message: ValidatorSetMessage = proto::decode(recorded.validators.as_ref().unwrap()).unwrap();
            let mut params = proto::ConsensusParams::default();
            let p = &doc.consensus.parameters;
            let gas = p.max_block_gas as i64;
            params.block =
                proto::BlockParams { max_bytes: p.max_block_size as i64, max_gas: if gas == 0 { -1 } else { gas }, time_iota_ms: 1 };
            let validators = message.validators.iter().map(|v| Validator::new(&v.key().unwrap(), v.voting_power)).collect();
            let h = &block.header;
            params.evidence.max_age_num_blocks = 100000;
            params.evidence.max_bytes = p.max_evidence_size as i64;
            params.evidence.max_age_duration = proto::Duration::from_nanos(1_000_000_000);
            params.validator.pub_key_types = vec!["ed25519".into()];
            let genesis =
                EngineGenesis { genesis_time: h.time, chain_id: h.chain_id.clone(), initial_height, consensus_params: params, validators };
            let response = InitChainResponse { app_hash: h.app_hash.clone(), ..Default::default() };
            let state = ChainState::from_genesis(&genesis, h.version.app, &response).unwrap();
            assert_eq!(*state.validators, ValidatorSet::from_message(message).unwrap());
            let _ = Arc::strong_count(&state.validators);
            BlockVerifier::new(state, &context)
        });
        verifier.add(recorded).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        n += 1;
        if verifier.is_full() {
            let (_, refused) = verifier.flush();
            assert!(refused.is_none(), "{}: {refused:?}", path.display());
        }
    }
    n
}
