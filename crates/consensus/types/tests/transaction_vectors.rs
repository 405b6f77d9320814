//! The recorded transactions of the ledger and of the registry.

#![allow(clippy::unwrap_used, missing_docs)]

use anyhow::{Context, Result, bail, ensure};
use base64::{Engine, prelude::BASE64_STANDARD};
use oasis_consensus_types::{
    entity::{Entity, SignedEntity},
    registry::{
        self, METHOD_DEREGISTER_ENTITY, METHOD_REGISTER_ENTITY, METHOD_UNFREEZE_NODE, REGISTER_ENTITY_SIGNATURE_CONTEXT, UnfreezeNode,
    },
    staking::{
        self, Allow, AmendCommissionSchedule, Burn, Escrow, METHOD_ADD_ESCROW, METHOD_ALLOW, METHOD_AMEND_COMMISSION_SCHEDULE, METHOD_BURN,
        METHOD_RECLAIM_ESCROW, METHOD_TRANSFER, METHOD_WITHDRAW, ReclaimEscrow, Transfer, Withdraw,
    },
    transaction::{Fee, SignedTransaction, Transaction},
};
use oasis_primitives::{
    cbor::{self, Decode, Encode},
    hash::Hash,
    json::{self, FromJson, ToJson, Value},
    signature::{Blacklist, ChainContext, PublicKey, SignatureRules},
};

fn bytes(value: &Value) -> Vec<u8> {
    BASE64_STANDARD.decode(value.as_str().unwrap()).unwrap()
}

fn is_valid(case: &Value) -> bool {
    case["valid"].as_bool().unwrap()
}

/// Opens a recorded transaction, checks all but its body, and returns it with the record of its body.
fn open<'a>(case: &'a Value, rules: &SignatureRules, methods: &[&str]) -> Result<(Transaction, &'a Value)> {
    let context = format!("oasis-core/consensus: tx for chain {}", rules.chain.as_str().unwrap_or_default());
    ensure!(case["signature_context"] == context.as_str());
    let encoded = bytes(&case["encoded_signed_tx"]);
    let signed: SignedTransaction = cbor::from_slice(&encoded)?;
    ensure!(cbor::to_vec(&signed) == encoded);
    ensure!(signed.0.to_json() == case["signed_tx"]);
    ensure!(signed.0.blob[..] == bytes(&case["encoded_tx"])[..]);
    ensure!(signed.0.signature.public_key.to_string() == case["signer_public_key"]);
    let tx = signed.open(rules)?;
    ensure!(cbor::to_vec(&tx)[..] == signed.0.blob[..]);

    let expected = &case["tx"];
    ensure!(tx.nonce == expected["nonce"].as_u64().unwrap());
    ensure!(tx.fee == Some(json::read::<Fee>(&expected["fee"])?));
    ensure!(tx.method == expected["method"] && methods.contains(&tx.method.as_str()));
    Ok((tx, &expected["body"]))
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

fn check_staking(case: &Value, rules: &SignatureRules) -> Result<()> {
    let (tx, body) = open(case, rules, staking::METHODS)?;
    ensure!(is_valid(case));
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

fn check_registry(case: &Value, rules: &SignatureRules) -> Result<()> {
    let (tx, body) = open(case, rules, &registry::METHODS)?;
    ensure!(tx.method == format!("registry.{}", case["kind"].as_str().unwrap()));
    match tx.method.as_str() {
        METHOD_REGISTER_ENTITY => {
            let signed: SignedEntity = tx.body()?;
            ensure!(cbor::to_vec(&signed) == tx.body.0);
            let opened = signed.0.open(rules, &REGISTER_ENTITY_SIGNATURE_CONTEXT);
            ensure!(opened.is_ok() == is_valid(case));
            let entity: Entity = opened?;
            ensure!(entity.to_json() == body["untrusted_raw_value"]);
            ensure!(signed.0.signature.to_json() == body["signature"]);
            ensure!(entity.validate_basic(true).is_ok());
            ensure!(cbor::to_vec(&entity)[..] == signed.0.blob[..]);
            Ok(())
        }
        METHOD_UNFREEZE_NODE => {
            ensure!(tx.body::<UnfreezeNode>()?.node_id != PublicKey::default());
            check_body::<UnfreezeNode>(&tx, body)
        }
        METHOD_DEREGISTER_ENTITY => {
            ensure!(tx.body.0.is_empty());
            Ok(())
        }
        method => bail!("unknown method {method}"),
    }
}

/// Checks every case of an app's file.
fn check_file(app: &str, count: usize, check: fn(&Value, &SignatureRules) -> Result<()>) {
    let chain = ChainContext::of_genesis_hash(&Hash::of(format!("{app} test vectors").as_bytes()));
    let rules = SignatureRules::new(chain, Blacklist::default());
    oasis_test_vectors::for_each(&format!("{app}_gen_vectors.json.gz"), |_, bytes| {
        let cases: Value = serde_json::from_slice(bytes)?;
        let cases = cases.as_array().context("an array of cases")?;
        ensure!(cases.len() == count, "{} cases", cases.len());
        cases.iter().enumerate().try_for_each(|(i, case)| check(case, &rules).with_context(|| format!("case {i}")))
    })
    .unwrap();
}

#[test]
fn vectors_of_staking_transactions_open_and_encode_again() {
    check_file("staking", 3744, check_staking);
}

#[test]
fn vectors_of_registry_transactions_open_and_encode_again() {
    check_file("registry", 192, check_registry);
}
