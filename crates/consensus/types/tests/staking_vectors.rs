//! The recorded staking transactions.

#![allow(clippy::unwrap_used, missing_docs)]

use anyhow::{Context, Result, bail, ensure};
use base64::{Engine, prelude::BASE64_STANDARD};
use oasis_consensus_types::{
    staking::{
        Allow, AmendCommissionSchedule, Burn, Escrow, METHOD_ADD_ESCROW, METHOD_ALLOW, METHOD_AMEND_COMMISSION_SCHEDULE, METHOD_BURN,
        METHOD_RECLAIM_ESCROW, METHOD_TRANSFER, METHOD_WITHDRAW, METHODS, ReclaimEscrow, Transfer, Withdraw,
    },
    transaction::{Fee, SignedTransaction, Transaction},
};
use oasis_primitives::{
    cbor::{self, Decode, Encode},
    hash::Hash,
    json::{self, FromJson, ToJson, Value},
    signature::{Blacklist, ChainContext, SignatureRules},
};

fn bytes(value: &Value) -> Vec<u8> {
    BASE64_STANDARD.decode(value.as_str().unwrap()).unwrap()
}

/// Reads the body from CBOR and from JSON, and writes it as both.
fn check_body<T: Decode + Encode + FromJson + ToJson + PartialEq>(tx: &Transaction, expected: &Value) -> Result<()> {
    let body: T = tx.body()?;
    ensure!(cbor::to_vec(&body) == tx.body.0);
    ensure!(json::read::<T>(expected)? == body);
    // Where JSON writes zeros, the record may leave them out.
    ensure!(json::read::<T>(&body.to_json())? == body);
    Ok(())
}

fn check_transaction(case: &Value, rules: &SignatureRules) -> Result<()> {
    let context = format!("oasis-core/consensus: tx for chain {}", rules.chain.as_str().unwrap_or_default());
    ensure!(case["signature_context"] == context.as_str());
    let encoded = bytes(&case["encoded_signed_tx"]);
    let signed: SignedTransaction = cbor::from_slice(&encoded)?;
    ensure!(cbor::to_vec(&signed) == encoded);
    ensure!(signed.0.to_json() == case["signed_tx"]);
    ensure!(signed.0.blob[..] == bytes(&case["encoded_tx"])[..]);
    ensure!(signed.0.signature.public_key.to_string() == case["signer_public_key"]);
    ensure!(signed.open(rules).is_ok() == case["valid"].as_bool().unwrap());
    let tx = signed.open(rules)?;
    ensure!(cbor::to_vec(&tx)[..] == signed.0.blob[..]);

    let expected = &case["tx"];
    ensure!(tx.nonce == expected["nonce"].as_u64().unwrap());
    ensure!(tx.fee == Some(json::read::<Fee>(&expected["fee"])?));
    ensure!(tx.method == expected["method"] && METHODS.contains(&tx.method.as_str()));
    let body = &expected["body"];
    match tx.method.as_str() {
        METHOD_TRANSFER => check_body::<Transfer>(&tx, body),
        METHOD_BURN => check_body::<Burn>(&tx, body),
        METHOD_ADD_ESCROW => check_body::<Escrow>(&tx, body),
        METHOD_RECLAIM_ESCROW => check_body::<ReclaimEscrow>(&tx, body),
        METHOD_AMEND_COMMISSION_SCHEDULE => check_body::<AmendCommissionSchedule>(&tx, body),
        METHOD_ALLOW => check_body::<Allow>(&tx, body),
        METHOD_WITHDRAW => check_body::<Withdraw>(&tx, body),
        method => bail!("unknown method {method}"),
    }
}

#[test]
fn vectors_of_staking_transactions_open_and_encode_again() {
    let chain = ChainContext::of_genesis_hash(&Hash::of(b"staking test vectors"));
    let rules = SignatureRules::new(chain, Blacklist::default());
    oasis_test_vectors::for_each("staking_gen_vectors.json.gz", |_, bytes| {
        let cases: Value = serde_json::from_slice(bytes)?;
        let cases = cases.as_array().context("an array of cases")?;
        ensure!(!cases.is_empty());
        cases.iter().enumerate().try_for_each(|(i, case)| check_transaction(case, &rules).with_context(|| format!("case {i}")))
    })
    .unwrap();
}
