//! A damaged chain file is refused, with the height and the field, and never found equal.

use std::{fs::File, io::Read, path::Path};

use flate2::{Compression, GzBuilder, read::GzDecoder};
use oasis_consensus_app::{executor::MemoryVersions, upgrade::Upgrader};
use oasis_consensus_engine::decode_responses;
use oasis_replay::{AppMachine, ChainReader, Place, RecordedBlock, Replay, ReplayError, Summary};
use proptest::prelude::*;

/// Small chains that are replayed for every damage.
const CHAINS: [&str; 3] = ["chains/debond.cbor.gz", "chains/gas-fees-staking.cbor.gz", "chains/validator-equivocation.cbor.gz"];

/// Damages of each kind that are tried; `$OASIS_DAMAGE_CASES` asks for another number.
fn cases() -> u32 {
    std::env::var("OASIS_DAMAGE_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(48)
}

/// A chain file without its compression.
fn chain(name: &str) -> Vec<u8> {
    let path = oasis_test_vectors::files(name, "").unwrap().remove(0);
    let mut out = Vec::new();
    GzDecoder::new(File::open(Path::new(&path)).unwrap()).read_to_end(&mut out).unwrap();
    out
}

fn compressed(bytes: &[u8]) -> Vec<u8> {
    let mut gz = GzBuilder::new().read(bytes, Compression::best());
    let mut out = Vec::new();
    gz.read_to_end(&mut out).unwrap();
    out
}

fn replay(gz: &[u8]) -> Result<Summary, ReplayError> {
    let refused = |refused| ReplayError::Refused { file: "chain".into(), refused: Box::new(refused) };
    let mut reader = ChainReader::new(gz).map_err(refused)?;
    let first_time = reader.first_time().map_err(refused)?;
    let network = oasis_replay::network(reader.header(), first_time, true).map_err(refused)?;
    let mut machine = AppMachine::new(MemoryVersions::new(1), &network, Upgrader::default()).unwrap();
    let replay = Replay { file: "chain".into(), network: &network, to: None, known: Vec::new(), progress: &mut |_| {} };
    replay.run(reader, &mut machine)
}

/// Everything of a chain but the logs of its results.
fn without_logs(bytes: &[u8]) -> Vec<RecordedBlock> {
    let gz = compressed(bytes);
    let mut reader = ChainReader::new(&gz[..]).unwrap();
    let mut out = Vec::new();
    while let Some(mut block) = reader.next_block().unwrap() {
        let mut results = decode_responses(&block.results).unwrap();
        for tx in &mut results.deliver_txs {
            tx.log.clear();
        }
        block.results = format!("{results:?}").into_bytes();
        block.digest = Default::default();
        out.push(block);
    }
    out
}

/// The error names where it is: a height or the header, and a field.
fn names_the_place(e: &ReplayError) -> bool {
    match e {
        ReplayError::Refused { refused, .. } => !refused.field.is_empty() && matches!(refused.place, Place::Header | Place::Height(_)),
        ReplayError::Different { difference, .. } => difference.height > 0 && !difference.field.is_empty(),
        ReplayError::Stopped { height, .. } => *height > 0,
        ReplayError::Other(_) => false,
    }
}

fn check_damaged(name: &str, original: &[u8], damaged: &[u8]) {
    match replay(&compressed(damaged)) {
        Ok(_) => {
            let (a, b) = (without_logs(original), without_logs(damaged));
            assert_eq!(format!("{a:?}"), format!("{b:?}"), "{name}: found equal in spite of the damage");
        }
        Err(e) => assert!(names_the_place(&e), "{name}: {e}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_changed_byte_is_found_vectors(which in 0..CHAINS.len(), at in any::<prop::sample::Index>(), flip in 1u8..) {
        let original = chain(CHAINS[which]);
        let mut damaged = original.clone();
        *at.get_mut(&mut damaged) ^= flip;
        check_damaged(CHAINS[which], &original, &damaged);
    }

    #[test]
    fn a_cut_is_found_vectors(which in 0..CHAINS.len(), at in any::<prop::sample::Index>()) {
        let original = chain(CHAINS[which]);
        let cut = &original[..at.index(original.len())];
        let e = replay(&compressed(cut)).unwrap_err();
        prop_assert!(names_the_place(&e), "{}", e);
    }

    #[test]
    fn a_cut_or_changed_byte_of_the_compressed_file_is_found_vectors(
        which in 0..CHAINS.len(), at in any::<prop::sample::Index>(), flip in 0u8..,
    ) {
        let mut gz = compressed(&chain(CHAINS[which]));
        if flip == 0 {
            let length = at.index(gz.len());
            gz.truncate(length);
        } else {
            *at.get_mut(&mut gz) ^= flip;
        }
        let e = replay(&gz).unwrap_err();
        prop_assert!(names_the_place(&e), "{}", e);
    }
}

#[test]
fn bytes_after_the_end_are_found_vectors() {
    let original = chain(CHAINS[0]);
    let longer = [&original[..], &[0x00]].concat();
    assert!(replay(&compressed(&longer)).is_err());
    let mut gz = compressed(&original);
    assert!(replay(&gz).is_ok());
    gz.push(0);
    assert!(replay(&gz).is_err());
}
