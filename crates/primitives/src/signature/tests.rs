use super::*;
use crate::cbor;

const PLAIN: Context = Context::new("oasis-core/test: plain");
const CHAIN: Context = Context::new("oasis-core/test: chain").with_chain_separation();
const RUNTIME: Context = Context::new("oasis-core/test: runtime").with_chain_separation().with_dynamic_suffix(" for runtime ", 64);

fn rules() -> SignatureRules {
    SignatureRules::new(ChainContext::new("chain-1").unwrap(), Blacklist::new(true))
}

#[test]
fn contexts_go_base_suffix_chain() {
    let chain = rules().chain;
    assert_eq!(PLAIN.prepare(&chain).unwrap().as_str(), "oasis-core/test: plain");
    assert_eq!(CHAIN.prepare(&chain).unwrap().as_str(), "oasis-core/test: chain for chain chain-1");
    let suffixed = RUNTIME.with_suffix("00ff").unwrap();
    assert_eq!(suffixed.prepare(&chain).unwrap().as_str(), "oasis-core/test: runtime for runtime 00ff for chain chain-1");
}

#[test]
fn contexts_that_lack_a_part_are_refused() {
    assert_eq!(CHAIN.prepare(&ChainContext::UNSET), Err(ContextError::NoChainContext));
    assert_eq!(RUNTIME.prepare(&rules().chain), Err(ContextError::NoSuffix));
    assert_eq!(PLAIN.with_suffix("x"), Err(ContextError::SuffixNotConfigured));
    assert!(RUNTIME.with_suffix(&"x".repeat(65)).is_err());
    assert!(RUNTIME.with_suffix("x").unwrap().with_suffix("x").is_err());
    assert!(ChainContext::new("").is_err());
    assert!(ChainContext::new("x".repeat(65)).is_err());
}

#[test]
fn signed_values_open_under_their_context_and_chain_only() {
    let signer = MemorySigner::for_test("signer");
    let rules = rules();
    let signed = SignedBlob::sign(&signer, &CHAIN, &rules.chain, &7_u64).unwrap();
    assert_eq!(signed.open::<u64>(&rules, &CHAIN), Ok(7));
    assert_eq!(signed.open::<u64>(&rules, &PLAIN), Err(OpenError::Signature));
    let other = SignatureRules::new(ChainContext::new("chain-2").unwrap(), Blacklist::default());
    assert_eq!(signed.open::<u64>(&other, &CHAIN), Err(OpenError::Signature));
    assert_eq!(cbor::from_slice::<SignedBlob>(&cbor::to_vec(&signed)).unwrap(), signed);
}

#[test]
fn signed_missing_blobs_open_as_zero() {
    let signer = MemorySigner::for_test("signer");
    let rules = rules();
    let signature = signer.sign(&PLAIN, &rules.chain, &[]).unwrap();
    let nil = SignedBlob { blob: cbor::NilVec::NIL, signature };
    assert_eq!(nil.open::<u64>(&rules, &PLAIN), Ok(0));
    let empty = SignedBlob { blob: Vec::new().into(), signature };
    assert!(matches!(empty.open::<u64>(&rules, &PLAIN), Err(OpenError::Decode(_))));
}

#[test]
fn multi_signed_values_need_every_signature_and_one_at_least() {
    let (a, b) = (MemorySigner::for_test("a"), MemorySigner::for_test("b"));
    let rules = rules();
    let mut multi = MultiSigned::sign(&[&a, &b], &PLAIN, &rules.chain, &7_u64).unwrap();
    assert_eq!(multi.open::<u64>(&rules, &PLAIN), Ok(7));
    assert!(multi.is_signed_by(&b.public_key()) && multi.is_only_signed_by(&[b.public_key(), a.public_key()]));
    assert!(!multi.is_only_signed_by(&[a.public_key()]));
    // The original counts, and doesn't see that one key stands there twice and another is missing.
    assert!(multi.is_only_signed_by(&[a.public_key(), a.public_key()]));
    multi.signatures.0.as_mut().unwrap()[0].signature.0[0] ^= 1;
    assert_eq!(multi.open::<u64>(&rules, &PLAIN), Err(OpenError::Signature));
    multi.signatures = cbor::NilVec::NIL;
    assert_eq!(multi.open::<u64>(&rules, &PLAIN), Err(OpenError::Signature));
}

#[test]
fn blacklisted_keys_never_verify_except_for_tendermint() {
    let signer = MemorySigner::for_test("ekiden test entity key seed");
    let mut rules = rules();
    let signature = signer.sign(&PLAIN, &rules.chain, b"message").unwrap();
    assert!(signature.verify(&rules, &PLAIN, b"message"));
    rules.blacklist = Blacklist::new(false);
    assert!(!signature.verify(&rules, &PLAIN, b"message"));
    assert!(!rules.verify_many_to_one(&PLAIN, b"message", &[signature, signature]));
    let vote = signer.sign(&TENDERMINT_CONTEXT, &rules.chain, b"vote").unwrap();
    assert!(verify_tendermint(&vote.public_key, b"vote", vote.signature.as_ref()));
    assert!(RESERVED_KEYS.iter().all(|key| Blacklist::default().contains(key)));
}

#[test]
fn batches_find_every_bad_signature() {
    let rules = rules();
    for bad in [vec![], vec![0], vec![39], vec![3, 4, 17], (0..40).collect::<Vec<_>>()] {
        let mut batch = BatchVerifier::new();
        for i in 0..40_u8 {
            let signer = MemorySigner::for_test(&format!("signer {}", i % 7));
            let mut signature = signer.sign(&PLAIN, &rules.chain, &[i]).unwrap();
            if bad.contains(&i) {
                signature.signature.0[32] ^= 1;
            }
            rules.add_to(&mut batch, &PLAIN, &signature.public_key, &[i], &signature.signature);
        }
        let expected: Vec<bool> = (0..40).map(|i| !bad.contains(&i)).collect();
        assert_eq!(batch.verify_each(), expected);
        assert_eq!(batch.verify_all(), bad.is_empty());
        let chunked: Vec<bool> = batch.chunks(7).iter().flat_map(BatchVerifier::verify_each).collect();
        assert_eq!(chunked, expected);
    }
    assert!(!BatchVerifier::new().verify_all());
    assert!(BatchVerifier::new().verify_each().is_empty());
}

#[test]
fn signatures_noted_as_verified_are_not_verified_again() {
    let signer = MemorySigner::for_test("signer");
    let mut rules = rules();
    let prehash = PLAIN.prepare(&rules.chain).unwrap().prehash(b"message");
    let mut verified = Verified::default();
    verified.insert(signer.public_key(), prehash, RawSignature::default());
    rules.verified = verified.into();
    assert!(rules.verify(&PLAIN, &signer.public_key(), b"message", &RawSignature::default()));
    assert!(!rules.verify(&PLAIN, &signer.public_key(), b"other", &RawSignature::default()));
    rules.blacklist.insert(signer.public_key());
    assert!(!rules.verify(&PLAIN, &signer.public_key(), b"message", &RawSignature::default()));
}

#[test]
fn signatures_verified_ahead_count_among_many_and_false_ones_still_fail() {
    let mut rules = rules();
    let signers: Vec<MemorySigner> = (0..6).map(|i| MemorySigner::for_test(&format!("signer {i}"))).collect();
    let mut signatures: Vec<Signature> = signers.iter().map(|s| s.sign(&PLAIN, &rules.chain, b"message").unwrap()).collect();
    let mut ahead = AheadVerifier::default();
    for signature in signatures.iter().take(4).chain(&signatures) {
        ahead.push(&rules, &PLAIN, b"message", signature);
    }
    assert_eq!(ahead.len(), 6);
    signatures[5].signature.0[0] ^= 1;
    ahead.push(&rules, &PLAIN, b"message", &signatures[5]);
    rules.verified = ahead.finish().into();
    assert_eq!(rules.verified.len(), 6);
    for count in 0..=6 {
        assert_eq!(rules.verify_many_to_one(&PLAIN, b"message", &signatures[..count]), (1..=5).contains(&count));
    }
    assert!(!rules.verify_many_to_one(&PLAIN, b"other", &signatures[..2]));
    rules.blacklist.insert(signers[0].public_key());
    assert!(!rules.verify_many_to_one(&PLAIN, b"message", &signatures[..2]));
}
