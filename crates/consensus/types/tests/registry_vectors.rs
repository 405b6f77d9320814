//! The recorded registry transactions.

#![allow(clippy::unwrap_used, missing_docs)]

use anyhow::{Context, Result, ensure};
use base64::{Engine, prelude::BASE64_STANDARD};
use oasis_consensus_types::{
    entity::SignedEntity,
    registry::{METHODS, REGISTER_ENTITY_SIGNATURE_CONTEXT, UnfreezeNode},
    transaction::{Fee, SignedTransaction},
};
use oasis_primitives::{
    cbor,
    hash::Hash,
    json::{self, ToJson, Value},
    signature::{Blacklist, ChainContext, PublicKey, SignatureRules},
};

fn bytes(value: &Value) -> Vec<u8> {
    BASE64_STANDARD.decode(value.as_str().unwrap()).unwrap()
}

fn check(case: &Value, rules: &SignatureRules) -> Result<()> {
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
    ensure!(tx.method == expected["method"] && METHODS.contains(&tx.method.as_str()));
    ensure!(tx.method == format!("registry.{}", case["kind"].as_str().unwrap()));
    let body = &expected["body"];
    match case["kind"].as_str().unwrap() {
        "RegisterEntity" => {
            let signed: SignedEntity = tx.body()?;
            ensure!(cbor::to_vec(&signed) == tx.body.0);
            let opened = signed.0.open(rules, &REGISTER_ENTITY_SIGNATURE_CONTEXT);
            ensure!(opened.is_ok() == case["valid"].as_bool().unwrap());
            let entity: oasis_consensus_types::entity::Entity = opened?;
            ensure!(entity.to_json() == body["untrusted_raw_value"]);
            ensure!(signed.0.signature.to_json() == body["signature"]);
            ensure!(entity.validate_basic(true).is_ok());
            ensure!(cbor::to_vec(&entity)[..] == signed.0.blob[..]);
        }
        "UnfreezeNode" => {
            let unfreeze: UnfreezeNode = tx.body()?;
            ensure!(unfreeze.to_json() == *body && cbor::to_vec(&unfreeze) == tx.body.0);
            ensure!(unfreeze.node_id != PublicKey::default());
        }
        "DeregisterEntity" => ensure!(tx.body.0.is_empty()),
        kind => anyhow::bail!("unknown kind {kind}"),
    }
    Ok(())
}

#[test]
fn vectors_of_registry_transactions_open_and_encode_again() {
    let chain = ChainContext::of_genesis_hash(&Hash::of(b"registry test vectors"));
    let rules = SignatureRules::new(chain, Blacklist::default());
    oasis_test_vectors::for_each("registry_gen_vectors.json.gz", |_, bytes| {
        let cases: Value = serde_json::from_slice(bytes)?;
        let cases = cases.as_array().context("an array of cases")?;
        ensure!(cases.len() == 192);
        cases.iter().enumerate().try_for_each(|(i, case)| check(case, &rules).with_context(|| format!("case {i}")))
    })
    .unwrap();
}
