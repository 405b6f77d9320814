//! Verifying signatures one by one and in batches, and the encoding of a signed transaction.
#![allow(missing_docs, reason = "criterion's macros")]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use oasis_primitives::{
    cbor::{self, Cbor, NilVec, RawCbor},
    quantity::Quantity,
    signature::{BatchVerifier, Blacklist, ChainContext, Context, MemorySigner, Signature, SignatureRules, SignedBlob, Signer},
};

const CONTEXT: Context = Context::new("oasis-core/bench: tx").with_chain_separation();

#[derive(Clone, Debug, Default, Cbor)]
struct Fee {
    amount: Quantity,
    gas: u64,
}

#[derive(Clone, Debug, Default, Cbor)]
struct Transaction {
    nonce: u64,
    #[cbor(omitempty)]
    fee: Option<Fee>,
    method: String,
    #[cbor(omitempty)]
    body: RawCbor,
}

fn rules() -> SignatureRules {
    SignatureRules::new(ChainContext::new("bench").expect("short"), Blacklist::new(true))
}

fn signatures(count: usize, keys: usize) -> Vec<(Vec<u8>, Signature)> {
    (0..count)
        .map(|i| {
            let message = vec![u8::try_from(i % 256).expect("a byte"); 300];
            let signer = MemorySigner::for_test(&format!("signer {}", i % keys));
            let signature = signer.sign(&CONTEXT, &rules().chain, &message).expect("signs");
            (message, signature)
        })
        .collect()
}

fn verify(c: &mut Criterion) {
    let rules = rules();
    let mut group = c.benchmark_group("signatures");
    for count in [1_usize, 16, 128] {
        group.throughput(Throughput::Elements(count as u64));
        for keys in [count, 8] {
            let all = signatures(count, keys);
            group.bench_with_input(BenchmarkId::new(format!("batch, {keys} keys"), count), &all, |b, all| {
                b.iter(|| {
                    let mut batch = BatchVerifier::new();
                    for (message, signature) in all {
                        rules.add_to(&mut batch, &CONTEXT, &signature.public_key, message, &signature.signature);
                    }
                    assert!(black_box(batch).verify_all());
                });
            });
        }
        let all = signatures(count, count);
        group.bench_with_input(BenchmarkId::new("single", count), &all, |b, all| {
            b.iter(|| assert!(all.iter().all(|(message, signature)| signature.verify(&rules, &CONTEXT, black_box(message)))));
        });
    }
    group.finish();
}

fn encoding(c: &mut Criterion) {
    let rules = rules();
    let body = RawCbor(cbor::to_vec(&NilVec::from(vec![7_u8; 64])));
    let fee = Fee { amount: Quantity::from(2_000_u64), gas: 1_300 };
    let transaction = Transaction { nonce: 77, fee: Some(fee), method: "staking.Transfer".into(), body };
    let signed = SignedBlob::sign(&MemorySigner::for_test("signer"), &CONTEXT, &rules.chain, &transaction).expect("signs");
    let bytes = cbor::to_vec(&signed);
    let mut group = c.benchmark_group("transaction");
    group.bench_function("encode", |b| b.iter(|| cbor::to_vec(black_box(&transaction))));
    group.bench_function("decode", |b| b.iter(|| cbor::from_slice::<Transaction>(black_box(&signed.blob)).expect("decodes")));
    group.bench_function("decode signed", |b| b.iter(|| cbor::from_slice::<SignedBlob>(black_box(&bytes)).expect("decodes")));
    group.finish();
}

criterion_group!(benches, verify, encoding);
criterion_main!(benches);
