//! Transactions as they come from outside, alone and in batches, and the bodies of every method.
#![no_main]

use libfuzzer_sys::fuzz_target;
use oasis_consensus_app::executor::{PreparedTx, Preparer};
use oasis_consensus_types::{beacon, governance, registry, roothash, staking, transaction::Transaction};
use oasis_primitives::{
    cbor,
    signature::{SignatureRules, SignedBlob},
};

fuzz_target!(|bytes: &[u8]| {
    let rules = SignatureRules::default();
    let _ = PreparedTx::new(bytes, &rules).transaction();
    let mut preparer = Preparer::new(&rules);
    bytes.chunks(200).for_each(|raw| preparer.push(raw));
    // The same bytes as the content of a transaction, so that the signature does not stand in the way.
    preparer.push(&cbor::to_vec(&SignedBlob { blob: bytes.to_vec().into(), ..SignedBlob::default() }));
    preparer.finish();

    let Ok(tx) = cbor::from_slice::<Transaction>(bytes) else { return };
    let _ = (tx.sanity_check(), tx.fee.as_ref().map(|fee| fee.gas_price()));
    let _ = (tx.body::<staking::Escrow>(), tx.body::<staking::AmendCommissionSchedule>(), tx.body::<staking::Allow>());
    let _ = (tx.body::<registry::Runtime>(), tx.body::<governance::ProposalContent>(), tx.body::<beacon::PvssCommit>());
    let _ = (tx.body::<roothash::ExecutorCommit>(), tx.body::<roothash::Evidence>(), tx.body::<beacon::PvssReveal>());
});
