//! Signatures at the edges of the rules, against what the original said of them.

mod common;

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use common::Item;
use oasis_primitives::signature::{
    BatchVerifier, Blacklist, ChainContext, Context, PublicKey, RawSignature, Signature, SignatureRules, verify_prehashed,
    verify_tendermint,
};

/// Contexts are constants; those of the vectors are kept for the rest of the run.
fn context(text: &str, chain_separated: bool) -> Context {
    let context = Context::new(Box::leak(text.to_owned().into_boxed_str()));
    if chain_separated { context.with_chain_separation() } else { context }
}

/// The keys that were on the blacklist when an item was recorded.
fn blacklist(kind: &str, keys: &[PublicKey]) -> Blacklist {
    let kind = kind.trim_start_matches("tm-");
    let mut out = Blacklist::new(kind != "known-test-key" && kind != "test-key-blacklisted");
    // `blacklisted`: the node had put the genesis document's keys on it. `test-key-blacklisted`: these are test keys of the
    // recorder, not of the node.
    if matches!(kind, "blacklisted" | "batch-blacklisted" | "test-key-blacklisted") {
        for key in keys {
            out.insert(*key);
        }
    }
    out
}

fn check_single(item: &Item<'_>) -> Result<()> {
    let key = PublicKey(item.array("public_key")?);
    let (message, signature) = (item.bytes("message")?, item.bytes("signature")?);
    let separated = item.flag("chain_separation");
    let chain = if separated { ChainContext::new(item.text("chain_context")?)? } else { ChainContext::UNSET };
    let context = context(item.text("context")?, separated);
    let prepared = context.prepare(&chain)?;
    ensure!(prepared.as_str() == item.text("signer_context")?, "context {prepared}");
    let rules = SignatureRules::new(chain, blacklist(item.text("kind")?, &[key]));

    ensure!(key.verify(&rules, &context, message, signature) == item.flag("ok_oasis"), "verification");
    ensure!(verify_tendermint(&key, message, signature) == item.flag("ok_tendermint"), "Tendermint verification");
    let mut batch = BatchVerifier::new();
    batch.push_tendermint(&key, message, signature);
    ensure!(batch.verify_each() == [item.flag("ok_tendermint")], "Tendermint batch");

    let Some(raw) = RawSignature::from_slice(signature) else { return Ok(()) };
    let entry = Signature { public_key: key, signature: raw };
    ensure!(rules.verify_many_to_one(&context, message, &[entry]) == item.flag("ok_many_to_one"), "many to one");
    ensure!(rules.verify_batch(&context, &[message], &[entry]) == item.flag("ok_batch"), "batch");
    // Twice in one batch, so that the batch's equation is used.
    ensure!(rules.verify_many_to_one(&context, message, &[entry; 2]) == item.flag("ok_many_to_one"), "many to one, twice");
    if item.flag("ok_oasis") {
        ensure!(verify_prehashed(&key, &prepared.prehash(message).0, &raw) && item.flag("ok_cofactored"), "plain verification");
    }
    Ok(())
}

fn check_batch(item: &Item<'_>) -> Result<()> {
    let keys: Vec<PublicKey> = item.byte_list("public_keys")?.into_iter().filter_map(PublicKey::from_slice).collect();
    let messages = item.byte_list("messages")?;
    let signatures = item.byte_list("signatures")?;
    ensure!(keys.len() == messages.len() && keys.len() == signatures.len(), "lengths");
    let context = context(item.text("context")?, false);
    let rules = SignatureRules::new(ChainContext::UNSET, blacklist(item.text("kind")?, &keys));
    let entries: Vec<Signature> = keys
        .iter()
        .zip(&signatures)
        .map(|(key, s)| Some(Signature { public_key: *key, signature: RawSignature::from_slice(s)? }))
        .collect::<Option<_>>()
        .context("signature")?;

    let each = item.flag_list("each_ok_oasis")?;
    let mut batch = BatchVerifier::new();
    for (entry, message) in entries.iter().zip(&messages) {
        rules.add_to(&mut batch, &context, &entry.public_key, message, &entry.signature);
    }
    ensure!(batch.verify_each() == each, "each: {:?}", batch.verify_each());
    ensure!(rules.verify_batch(&context, &messages, &entries) == item.flag("ok_batch"), "batch");
    let alone: Vec<bool> = entries.iter().zip(&messages).map(|(entry, message)| entry.verify(&rules, &context, message)).collect();
    ensure!(alone == each, "alone: {alone:?}");
    if item.flag("same_message") {
        let message = messages.first().copied().unwrap_or_default();
        ensure!(rules.verify_many_to_one(&context, message, &entries) == item.flag("ok_many_to_one"), "many to one");
    }
    if item.0.get("tendermint_each").is_some() {
        let mut batch = BatchVerifier::new();
        for (entry, message) in entries.iter().zip(&messages) {
            batch.push_tendermint(&entry.public_key, message, entry.signature.as_ref());
        }
        ensure!(batch.verify_each() == item.flag_list("tendermint_each")?, "Tendermint batch");
    }
    Ok(())
}

#[test]
fn signature_vectors_are_met() -> Result<()> {
    let mut accepted: BTreeMap<bool, usize> = BTreeMap::new();
    common::for_each_item("ed25519-cases.cbor.gz", |item| {
        if item.text("kind")?.trim_start_matches("tm-").starts_with("batch-") {
            return check_batch(item);
        }
        *accepted.entry(item.flag("ok_oasis")).or_default() += 1;
        check_single(item)
    })?;
    ensure!(accepted.len() == 2, "both accepted and refused signatures: {accepted:?}");
    Ok(())
}

#[test]
fn signature_vectors_agree_in_one_batch() -> Result<()> {
    let mut batch = BatchVerifier::new();
    let mut expected = Vec::new();
    common::for_each_item("ed25519-cases.cbor.gz", |item| {
        if item.0.get("ok_tendermint").is_some() {
            batch.push_tendermint(&PublicKey(item.array("public_key")?), item.bytes("message")?, item.bytes("signature")?);
            expected.push(item.flag("ok_tendermint"));
        }
        Ok(())
    })?;
    ensure!(batch.verify_each() == expected, "one batch of {} differs", expected.len());
    Ok(())
}
