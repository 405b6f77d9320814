//! Transactions as they come from outside, alone and in batches, and the bodies of every method.
#![no_main]

use libfuzzer_sys::fuzz_target;
use oasis_consensus_app::executor::{PreparedTx, Preparer, verify_inside};
use oasis_consensus_types::{
    beacon, governance, registry, roothash, staking,
    transaction::{SIGNATURE_CONTEXT, Transaction},
};
use oasis_primitives::{
    cbor,
    signature::{Blacklist, ChainContext, MemorySigner, SignatureRules, SignedBlob, Signer},
};

/// The transaction as its signer made it, so that its inside is looked at.
fn verify_signed(bytes: &[u8]) {
    let chain = ChainContext::new("fuzz").expect("a chain");
    let signature = MemorySigner::from_seed(&[1; 32]).sign(&SIGNATURE_CONTEXT, &chain, bytes).expect("a signature");
    let rules = SignatureRules::new(chain, Blacklist::default());
    let signed = cbor::to_vec(&SignedBlob { blob: bytes.to_vec().into(), signature });
    verify_inside(&[PreparedTx::new(&signed, &rules)], &rules);
}

fuzz_target!(|bytes: &[u8]| {
    let rules = SignatureRules::default();
    let _ = PreparedTx::new(bytes, &rules).transaction();
    let mut preparer = Preparer::new(&rules);
    bytes.chunks(200).for_each(|raw| preparer.push(raw));
    // The same bytes as the content of a transaction, so that the signature does not stand in the way.
    preparer.push(&cbor::to_vec(&SignedBlob { blob: bytes.to_vec().into(), ..SignedBlob::default() }));
    preparer.finish();

    let Ok(tx) = cbor::from_slice::<Transaction>(bytes) else { return };
    verify_signed(bytes);
    let _ = (tx.sanity_check(), tx.fee.as_ref().map(|fee| fee.gas_price()));
    let _ = (tx.body::<staking::Escrow>(), tx.body::<staking::AmendCommissionSchedule>(), tx.body::<staking::Allow>());
    let _ = (tx.body::<registry::Runtime>(), tx.body::<governance::ProposalContent>(), tx.body::<beacon::PvssCommit>());
    let _ = (tx.body::<roothash::ExecutorCommit>(), tx.body::<roothash::Evidence>(), tx.body::<beacon::PvssReveal>());
});
