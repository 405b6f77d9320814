//! Recorded answers of `Consensus/GetBlock`, against the recorded chains of the same names.

#![allow(missing_docs)]

use std::collections::BTreeMap;

use oasis_consensus_engine::proto;
use oasis_node_service::api::block::Block;
use oasis_primitives::cbor::{self, Cbor};
use prost::Message;

#[derive(Default, Cbor)]
struct Call {
    method: String,
    request: Vec<u8>,
    response: Vec<u8>,
    code: u32,
    error: String,
    status: Vec<u8>,
}

#[test]
fn blocks_are_answered_as_in_the_vectors_of_the_api() {
    let mut compared = 0;
    for file in oasis_test_vectors::files("api/", ".cbor.gz").unwrap() {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        let chains = oasis_test_vectors::files("chains/", &name).unwrap();
        // A directory may hold the calls without their chain; those of the repository have it.
        let Some(chain) = chains.iter().find(|path| path.ends_with(format!("chains/{name}"))) else { continue };
        let calls: Vec<Call> = cbor::sequence_from_slice(&oasis_test_vectors::read(&file).unwrap()).unwrap();
        let of_blocks = calls.into_iter().filter(|call| call.method == "Consensus/GetBlock" && call.code == 0);
        let mut answers: BTreeMap<i64, Vec<u8>> = of_blocks.map(|call| (cbor::from_slice(&call.request).unwrap(), call.response)).collect();
        let mut reader = oasis_replay::open(chain).unwrap();
        while let Some(recorded) = reader.next_block().unwrap() {
            let Some(answer) = answers.remove(&recorded.height) else { continue };
            let block = proto::Block::decode(recorded.block.as_slice()).unwrap();
            let ours = cbor::to_vec(&Block::new(&block.header, block.last_commit.as_ref()));
            assert_eq!(hex::encode(ours), hex::encode(answer), "{}: block {}", chain.display(), recorded.height);
            compared += 1;
        }
    }
    assert!(compared > 5, "{compared} blocks compared");
}
