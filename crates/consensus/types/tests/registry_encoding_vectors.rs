//! The registry's and the key managers' structures in the state of recorded chains.

#![allow(clippy::unwrap_used, missing_docs)]

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use oasis_consensus_types::{
    entity::SignedEntity,
    keymanager::Status,
    node::{MultiSignedNode, Node},
    registry::{ConsensusParameters, NodeStatus, Runtime},
};
use oasis_primitives::cbor::{self, Decode, Encode, NilVec, Value};

/// One block of a recorded chain; only what is looked at here.
fn diff(block: &Value) -> Option<&Vec<Value>> {
    match block.get("diff") {
        Some(Value::Array(entries)) => Some(entries),
        _ => None,
    }
}

fn round_trip<T: Decode + Encode>(bytes: &[u8]) -> Result<T> {
    let value: T = cbor::from_slice(bytes)?;
    ensure!(cbor::to_vec(&value) == bytes, "encodes to {}", hex::encode(cbor::to_vec(&value)));
    Ok(value)
}

fn check_entry(key: &[u8], value: &[u8]) -> Result<()> {
    match key.first() {
        Some(0x10) => round_trip::<SignedEntity>(value)?.untrusted().map(|_| ())?,
        Some(0x11) => round_trip::<MultiSignedNode>(value)?.untrusted().map(|_| ())?,
        Some(0x12 | 0x19) => ensure!(value.is_empty()),
        Some(0x13 | 0x18) => round_trip::<Runtime>(value).map(|_| ())?,
        Some(0x15) => round_trip::<NodeStatus>(value).map(|_| ())?,
        Some(0x16) => round_trip::<ConsensusParameters>(value).map(|_| ())?,
        Some(0x70) => round_trip::<Status>(value).map(|_| ())?,
        _ => {}
    }
    Ok(())
}

#[test]
fn vectors_of_chains_have_registry_state_that_encodes_to_the_same_bytes() {
    let files = oasis_test_vectors::files("chains/", ".cbor.gz").unwrap();
    assert!(!files.is_empty());
    let mut seen = BTreeMap::<u8, usize>::new();
    for path in files {
        let blocks: Vec<Value> = cbor::sequence_from_slice(&oasis_test_vectors::read(&path).unwrap()).unwrap();
        for entry in blocks.iter().filter_map(diff).flatten() {
            let Value::Array(pair) = entry else { panic!("{}: entry is no pair", path.display()) };
            let [Value::Bytes(key), Value::Bytes(value)] = pair.as_slice() else { continue };
            check_entry(key, value).with_context(|| format!("{}: key {}", path.display(), hex::encode(key))).unwrap();
            *seen.entry(key[0]).or_default() += 1;
        }
    }
    for prefix in [0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x19, 0x1a, 0x70] {
        assert!(seen.contains_key(&prefix), "prefix {prefix:#x} in {seen:?}");
    }
}

#[test]
fn a_node_keeps_nil_and_empty_lists_apart() {
    let nil = Node::default();
    let empty = Node { runtimes: NilVec::from(Vec::new()), ..Node::default() };
    assert_ne!(cbor::to_vec(&nil), cbor::to_vec(&empty));
    assert_eq!(cbor::from_slice::<Node>(&cbor::to_vec(&empty)).unwrap(), empty);
}
