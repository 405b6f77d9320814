//! Whatever the bytes, decoders of what the consensus layer keeps and is sent return, and so do the checks.
#![allow(clippy::unwrap_used)]

use std::{fmt::Debug, sync::LazyLock};

use oasis_consensus_types::{
    beacon, consensus, entity, genesis, governance, keymanager, node, registry,
    roothash::{self, commitment},
    scheduler, staking, transaction, upgrade,
};
use oasis_primitives::cbor::{self, Decode, Encode, Value};
use proptest::prelude::*;

/// Decodes by both rules; what is accepted is encoded and read back the same.
fn decode<T: Decode + Encode + Debug>(bytes: &[u8]) -> Option<T> {
    let values = [cbor::from_slice::<T>(bytes), cbor::from_slice_trusted(bytes)];
    for value in values.iter().flatten() {
        let encoded = cbor::to_vec(value);
        // Points may be missing, which the encoding of a point does not show.
        if let Ok(again) = cbor::from_slice_trusted::<T>(&encoded) {
            assert_eq!(cbor::to_vec(&again), encoded);
        }
    }
    let [untrusted, _] = values;
    untrusted.ok()
}

fn decode_all(bytes: &[u8]) {
    let _ = decode::<node::Node>(bytes).map(|node| (node.validate_basic(true), node.validate_basic(false)));
    let _ = decode::<entity::Entity>(bytes).map(|entity| entity.validate_basic(true));
    let _ = decode::<registry::Runtime>(bytes).map(|runtime| (runtime.validate_basic(true, false), runtime.staking_address()));
    let _ = decode::<transaction::Transaction>(bytes).map(|tx| (tx.sanity_check(), tx.fee.map(|fee| fee.gas_price())));
    let _ = decode::<node::MultiSignedNode>(bytes).map(|signed| signed.untrusted().is_ok());
    let _ = decode::<entity::SignedEntity>(bytes).map(|signed| signed.untrusted().is_ok());
    let _ = decode::<roothash::Message>(bytes).map(|message| message.validate_basic());
    let _ = decode::<commitment::ComputeBody>(bytes).map(|body| body.validate_basic());
    let _ = decode::<upgrade::Descriptor>(bytes).map(|descriptor| descriptor.validate_basic());
    let _ = decode::<governance::ProposalContent>(bytes).map(|content| content.validate_basic());
    let _ = decode::<staking::Genesis>(bytes).map(|genesis| genesis.sanity_check(1));
    let _ = decode::<beacon::Genesis>(bytes).map(|genesis| genesis.sanity_check(false));
    let _ = decode::<roothash::Genesis>(bytes).map(|genesis| genesis.sanity_check(false));
    let _ = decode::<genesis::Document>(bytes).map(|document| document.chain_context());
    let _ = (decode::<transaction::SignedTransaction>(bytes), decode::<registry::Genesis>(bytes), decode::<keymanager::Genesis>(bytes));
    let _ = (decode::<staking::Account>(bytes), decode::<staking::Event>(bytes), decode::<staking::ConsensusParameters>(bytes));
    let _ = (decode::<commitment::Pool>(bytes), decode::<roothash::RuntimeState>(bytes), decode::<roothash::Evidence>(bytes));
    let _ = (decode::<scheduler::Committee>(bytes), decode::<scheduler::Genesis>(bytes), decode::<consensus::Parameters>(bytes));
    let _ = (decode::<beacon::PvssState>(bytes), decode::<beacon::PvssCommit>(bytes), decode::<beacon::PvssReveal>(bytes));
    let _ = (decode::<governance::Genesis>(bytes), decode::<governance::Proposal>(bytes), decode::<upgrade::PendingUpgrade>(bytes));
    let _ = (decode::<keymanager::Status>(bytes), decode::<keymanager::SignedPolicySgx>(bytes), decode::<roothash::ExecutorCommit>(bytes));
}

/// Recorded values that the original accepts, of every type.
static VALUES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let mut values = Vec::new();
    for file in ["cbor-cases.cbor.gz", "cbor-more.cbor.gz"] {
        oasis_test_vectors::for_each(file, |_, bytes| {
            for case in cbor::sequence_from_slice::<Value>(bytes)? {
                let valid = matches!(case.get("mutation"), Some(Value::Text(text)) if text == "valid");
                if let (true, Some(Value::Bytes(input))) = (valid, case.get("input"))
                    && !input.is_empty()
                {
                    values.push(input.clone());
                }
            }
            Ok(())
        })
        .unwrap();
    }
    values
});

proptest! {
    #[test]
    fn decoders_return_on_any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        decode_all(&bytes);
    }

    #[test]
    fn vectors_with_damage_are_judged(
        which in any::<prop::sample::Index>(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..4_u8), 1..4),
    ) {
        let mut bytes = VALUES[which.index(VALUES.len())].clone();
        for (at, byte, kind) in damage {
            let at = at.index(bytes.len().max(1));
            match kind {
                0 => bytes.insert(at, byte),
                1 => bytes.truncate(at),
                _ if at < bytes.len() => bytes[at] = byte,
                _ => {}
            }
        }
        decode_all(&bytes);
    }

    #[test]
    fn genesis_text_is_judged(text in ".{0,200}", key in "[a-z_]{1,12}") {
        let _ = genesis::Document::from_json_text(text.as_bytes());
        for value in ["null", "[]", "{}", "1", "-1", "1e400", "\"x\"", "[null]", "{\"params\": {\"x\": null}}"] {
            for section in ["height", "genesis_time", "registry", "staking", "beacon", "halt_epoch", "extra_data", key.as_str()] {
                let _ = genesis::Document::from_json_text(format!("{{\"{section}\": {value}}}").as_bytes());
            }
        }
    }
}
