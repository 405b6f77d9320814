//! No bytes from outside make the readers panic.

use std::io::Read;

use flate2::{Compression, GzBuilder};
use oasis_consensus_engine::{
    CheckedBlock, ValidatorSet, decode_commit, decode_responses,
    proto::{self, Block, Commit, ValidatorSetMessage, Vote},
};
use oasis_replay::{ChainReader, RecordedBlock};
use proptest::{prelude::*, strategy::ValueTree};

fn compressed(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    GzBuilder::new().read(bytes, Compression::fast()).read_to_end(&mut out).unwrap();
    // The header that a recording has.
    out[8..10].copy_from_slice(&[2, 255]);
    out
}

/// Reads a chain to its end or first error.
fn read(gz: &[u8]) {
    if let Ok(mut reader) = ChainReader::new(gz) {
        let _ = reader.first_time();
        while let Ok(Some(_)) = reader.next_block() {}
    }
}

/// All that is decoded of a block's item.
fn decode(bytes: &[u8]) {
    let _ = CheckedBlock::decode(bytes);
    let _ = decode_commit(bytes);
    let _ = decode_responses(bytes);
    let _ = proto::decode::<Vote>(bytes);
    if let Ok(message) = proto::decode::<ValidatorSetMessage>(bytes)
        && let Ok(mut set) = ValidatorSet::from_message(message)
    {
        set.increment_proposer_priority(3);
        let changes = set.validators().iter().take(2).cloned().collect();
        let _ = set.update_with_change_set(changes);
    }
}

/// The blocks of a small chain.
fn recorded() -> Vec<RecordedBlock> {
    let path = oasis_test_vectors::files("chains/validator-equivocation.cbor.gz", "").unwrap().remove(0);
    let gz = std::fs::read(path).unwrap();
    let mut reader = ChainReader::new(&gz[..]).unwrap();
    std::iter::from_fn(|| reader.next_block().unwrap()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes_are_read_to_an_error(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        read(&bytes);
        read(&compressed(&bytes));
        decode(&bytes);
    }

    #[test]
    fn sets_of_any_powers_and_priorities_are_changed_or_refused(
        entries in prop::collection::vec((any::<u8>(), any::<i64>(), any::<i64>()), 1..6),
        changes in prop::collection::vec((any::<u8>(), any::<i64>()), 0..6),
    ) {
        let validators: Vec<proto::Validator> = entries
            .iter()
            .map(|(key, power, priority)| {
                let mut v = proto::Validator::new(&[*key; 32], *power);
                v.proposer_priority = *priority;
                v
            })
            .collect();
        let proposer = validators.first().cloned();
        let message = ValidatorSetMessage { validators, proposer, total_voting_power: entries[0].1 };
        if let Ok(mut set) = ValidatorSet::from_message(message) {
            set.increment_proposer_priority(2);
            let _ = set.update_with_change_set(changes.iter().map(|(key, power)| proto::Validator::new(&[*key; 32], *power)).collect());
            set.increment_proposer_priority(2);
        }
    }
}

#[test]
fn changed_bytes_of_recorded_blocks_do_not_panic_vectors() {
    let blocks = recorded();
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let strategy = (0..blocks.len(), any::<prop::sample::Index>(), 1u8..);
    for _ in 0..2000 {
        let (block, at, flip) = strategy.new_tree(&mut runner).unwrap().current();
        for original in [&blocks[block].block, &blocks[block].seen_commit, &blocks[block].results] {
            let mut bytes = original.clone();
            *at.get_mut(&mut bytes) ^= flip;
            decode(&bytes);
            // What decodes is encoded as it stood there.
            if let Ok(block) = proto::decode::<Block>(&bytes) {
                assert_eq!(prost::Message::encode_to_vec(&block), bytes);
            }
            if let Ok(commit) = proto::decode::<Commit>(&bytes) {
                assert_eq!(prost::Message::encode_to_vec(&commit), bytes);
            }
        }
    }
}
