//! Whatever the bytes, messages between a node and its runtimes are decoded or refused; what is decoded is stable.
#![allow(clippy::unwrap_used)]

use std::sync::LazyLock;

use oasis_primitives::cbor::{self, Value};
use oasis_runtime_protocol::Message;
use proptest::prelude::*;

/// Recorded messages that are valid.
static MESSAGES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let mut messages = Vec::new();
    oasis_test_vectors::for_each("cbor-cases.cbor.gz", |_, bytes| {
        for case in cbor::sequence_from_slice::<Value>(bytes)? {
            let is = |key: &str, wanted: &str| matches!(case.get(key), Some(Value::Text(text)) if text == wanted);
            if is("type", "protocol.Message")
                && is("mutation", "valid")
                && let Some(Value::Bytes(input)) = case.get("input")
            {
                messages.push(input.clone());
            }
        }
        Ok(())
    })
    .unwrap();
    messages
});

fn decode(bytes: &[u8]) {
    for message in [cbor::from_slice::<Message>(bytes), cbor::from_slice_trusted(bytes)].into_iter().flatten() {
        let _ = message.body.kind();
        let encoded = cbor::to_vec(&message);
        if let Ok(again) = cbor::from_slice_trusted::<Message>(&encoded) {
            assert_eq!(cbor::to_vec(&again), encoded);
        }
    }
}

proptest! {
    #[test]
    fn decoders_return_on_any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        decode(&bytes);
    }

    #[test]
    fn vectors_of_messages_with_damage_are_judged(
        which in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
        kind in 0..3_u8,
    ) {
        let mut bytes = MESSAGES[which.index(MESSAGES.len())].clone();
        let at = at.index(bytes.len());
        match kind {
            0 => bytes[at] = byte,
            1 => bytes.insert(at, byte),
            _ => bytes.truncate(at),
        }
        decode(&bytes);
    }
}
