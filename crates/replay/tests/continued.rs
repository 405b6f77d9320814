//! A replay with a data directory can be stopped and continued.

use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

use flate2::{Compression, GzBuilder, read::GzDecoder};
use oasis_consensus_app::{executor::VersionedTree, genesis, store::Store, upgrade::Upgrader};
use oasis_consensus_types::{genesis::Document, upgrade::Descriptor};
use oasis_primitives::json::FromJson;
use oasis_replay::{AppMachine, ChainReader, Database, Place, Replay, ReplayError, Summary};

fn path(name: &str) -> PathBuf {
    oasis_test_vectors::files(name, "").unwrap().remove(0)
}

fn bytes(path: &Path) -> Vec<u8> {
    let mut out = Vec::new();
    File::open(path).unwrap().read_to_end(&mut out).unwrap();
    out
}

fn descriptors(chain: &Path) -> Vec<Descriptor> {
    match oasis_test_vectors::beside_chain(chain, ".upgrades.json").unwrap() {
        Some(bytes) => Vec::from_json(&serde_json::from_slice(&bytes).unwrap()).unwrap(),
        None => Vec::new(),
    }
}

fn replay(gz: &[u8], datadir: &Path, to: Option<i64>, upgrades: Vec<Descriptor>) -> Result<Summary, ReplayError> {
    let mut reader = ChainReader::new(gz).unwrap();
    let first_time = reader.first_time().unwrap();
    let network = oasis_replay::network(reader.header(), first_time, true).unwrap();
    let database = Database::open(datadir, &reader.header().chain_context).map_err(ReplayError::Other)?;
    let known = database.blocks(network.document.height).unwrap().into_iter().map(|b| b.digest).collect();
    let upgrader = database.upgrades().unwrap().map_or_else(|| Upgrader::new(upgrades), Upgrader::resume);
    let mut machine = AppMachine::new(database, &network, upgrader).unwrap();
    Replay { file: "chain".into(), network: &network, to, known, progress: &mut |_| {} }.run(reader, &mut machine)
}

#[test]
fn a_replay_goes_on_at_every_height_where_it_stopped_vectors() {
    for name in ["chains/debond.cbor.gz", "chains/node-upgrade-consensus-params-update-2021-08.cbor.gz"] {
        let path = path(name);
        let (gz, upgrades) = (bytes(&path), descriptors(&path));
        let last = ChainReader::new(&gz[..]).unwrap().header().last_height;
        let dir = tempfile::tempdir().unwrap();
        for to in 1..=last {
            let summary = replay(&gz, dir.path(), Some(to), upgrades.clone()).unwrap();
            assert_eq!((summary.from, summary.blocks), (to - 1, 1), "{name}: height {to}");
        }
        assert_eq!(replay(&gz, dir.path(), None, upgrades).unwrap().blocks, 0);
    }
}

#[test]
fn a_replay_does_not_go_on_from_another_file_vectors() {
    let gz = bytes(&path("chains/debond.cbor.gz"));
    let dir = tempfile::tempdir().unwrap();
    replay(&gz, dir.path(), Some(3), Vec::new()).unwrap();
    let mut plain = Vec::new();
    GzDecoder::new(&gz[..]).read_to_end(&mut plain).unwrap();
    // The last byte of the second block's item stands before the third's first key.
    let keys: Vec<usize> = plain.windows(5).enumerate().filter(|(_, w)| w == b"\x64diff").map(|(i, _)| i).collect();
    let at = keys[2] - 2;
    plain[at] ^= 1;
    let mut damaged = Vec::new();
    GzBuilder::new().read(&plain[..], Compression::best()).read_to_end(&mut damaged).unwrap();
    match replay(&damaged, dir.path(), None, Vec::new()).unwrap_err() {
        ReplayError::Refused { refused, .. } => {
            assert_eq!((refused.place, refused.field.as_str()), (Place::Height(2), "item"));
        }
        e => panic!("{e}"),
    }
    let other = bytes(&path("chains/gas-fees-staking.cbor.gz"));
    assert!(matches!(replay(&other, dir.path(), None, Vec::new()), Err(ReplayError::Other(_))));
    assert!(replay(&gz, dir.path(), None, Vec::new()).is_ok());
}

#[test]
fn the_state_of_every_height_is_a_valid_document_vectors() {
    let gz = bytes(&path("chains/gas-fees-staking.cbor.gz"));
    let dir = tempfile::tempdir().unwrap();
    replay(&gz, dir.path(), None, Vec::new()).unwrap();
    let database = Database::open_existing(dir.path()).unwrap();
    let network = database.document().unwrap().unwrap();
    for height in database.earliest().unwrap()..=database.height().unwrap() {
        let store = Store::new(database.at(height as u64).unwrap().unwrap());
        let time = database.block(height).unwrap().unwrap().time;
        let document = oasis_replay::dump(&store, &network, height, time).unwrap();
        let again = Document::from_json_text(document.to_json_text().as_bytes()).unwrap();
        assert_eq!(again.hash(), document.hash(), "height {height}");
        let options = genesis::CheckOptions { debug: true, allow_test_keys: true };
        genesis::check(&document, options).unwrap_or_else(|e| panic!("height {height}: {e}"));
    }
}
