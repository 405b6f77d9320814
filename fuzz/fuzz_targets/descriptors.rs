//! Descriptors of nodes, entities and runtimes, and the checks that need no state.
#![no_main]

use libfuzzer_sys::fuzz_target;
use oasis_consensus_types::{
    entity::{Entity, SignedEntity},
    keymanager::SignedPolicySgx,
    node::{MultiSignedNode, Node},
    registry::Runtime,
    upgrade::Descriptor,
};
use oasis_primitives::cbor;

fuzz_target!(|bytes: &[u8]| {
    for strict in [false, true] {
        let _ = cbor::from_slice::<Node>(bytes).map(|node| node.validate_basic(strict));
        let _ = cbor::from_slice::<Entity>(bytes).map(|entity| entity.validate_basic(strict));
        let _ = cbor::from_slice::<Runtime>(bytes).map(|runtime| (runtime.validate_basic(strict, !strict), runtime.staking_address()));
    }
    let _ = cbor::from_slice::<MultiSignedNode>(bytes).map(|signed| signed.untrusted().is_ok());
    let _ = cbor::from_slice::<SignedEntity>(bytes).map(|signed| signed.untrusted().is_ok());
    let _ = cbor::from_slice::<SignedPolicySgx>(bytes);
    let _ = cbor::from_slice::<Descriptor>(bytes).map(|descriptor| descriptor.validate_basic());
});
