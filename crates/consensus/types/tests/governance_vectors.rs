//! Governance transactions against those that the original made.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use anyhow::{Context as _, Result, ensure};
use base64::{Engine, prelude::BASE64_STANDARD};
use oasis_consensus_types::{
    governance::{METHOD_SUBMIT_PROPOSAL, METHODS, ProposalContent, ProposalVote, Vote},
    transaction::{Fee, SIGNATURE_CONTEXT, SignedTransaction, Transaction},
};
use oasis_primitives::{
    cbor,
    json::{self, ToJson, Value},
    signature::{Blacklist, ChainContext, MemorySigner, SignatureRules, Signer},
};

fn bytes(vector: &Value, field: &str) -> Result<Vec<u8>> {
    Ok(BASE64_STANDARD.decode(vector[field].as_str().context("not text")?)?)
}

fn check(vector: &Value) -> Result<()> {
    let (context, chain) = vector["signature_context"].as_str().and_then(|c| c.split_once(" for chain ")).context("context")?;
    ensure!(context == "oasis-core/consensus: tx");
    let chain = ChainContext::new(chain)?;
    let tx = &vector["tx"];
    let method = tx["method"].as_str().context("method")?;
    ensure!(METHODS.contains(&method));

    // From the readable form to the same bytes.
    let fee = json::read::<Fee>(&tx["fee"])?;
    let nonce = tx["nonce"].as_u64().context("nonce")?;
    let (body, valid) = if method == METHOD_SUBMIT_PROPOSAL {
        let content = json::read::<ProposalContent>(&tx["body"])?;
        ensure!(content.to_json() == tx["body"]);
        (cbor::to_vec(&content), content.validate_basic().is_ok())
    } else {
        let vote = json::read::<ProposalVote>(&tx["body"])?;
        ensure!(vote.to_json() == tx["body"]);
        (cbor::to_vec(&vote), [Vote::YES, Vote::NO, Vote::ABSTAIN].contains(&vote.vote))
    };
    ensure!(Some(valid) == vector["valid"].as_bool(), "valid: {valid}");
    let made = Transaction { nonce, fee: Some(fee), method: method.to_owned(), body: cbor::RawCbor(body) };
    let encoded = bytes(vector, "encoded_tx")?;
    ensure!(cbor::to_vec(&made) == encoded);

    // The signature is the same, and opens to the same transaction.
    let key = bytes(vector, "signer_private_key")?;
    let signer = MemorySigner::from_seed(key.first_chunk().context("key")?);
    ensure!(signer.public_key().to_string() == vector["signer_public_key"].as_str().context("public key")?);
    let signed = SignedTransaction::sign(&signer, &chain, &made)?;
    ensure!(cbor::to_vec(&signed) == bytes(vector, "encoded_signed_tx")?);
    ensure!(signed.0.to_json() == vector["signed_tx"]);
    let decoded: SignedTransaction = cbor::from_slice(&bytes(vector, "encoded_signed_tx")?)?;
    let rules = SignatureRules::new(chain, Blacklist::default());
    ensure!(decoded.open(&rules).ok().as_ref() == Some(&made));
    ensure!(decoded.0.signature.verify(&rules, &SIGNATURE_CONTEXT, &encoded));
    Ok(())
}

#[test]
fn governance_vectors_have_the_same_bytes_and_validity() {
    oasis_test_vectors::for_each("governance_gen_vectors.json.gz", |_, text| {
        let vectors: Vec<Value> = serde_json::from_slice(text)?;
        ensure!(!vectors.is_empty());
        for (index, vector) in vectors.iter().enumerate() {
            check(vector).with_context(|| format!("vector {index}"))?;
        }
        Ok(())
    })
    .unwrap();
}
