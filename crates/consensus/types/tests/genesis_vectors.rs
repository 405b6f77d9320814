//! Genesis documents of recorded networks.

use anyhow::{Context, Result, bail, ensure};
use oasis_consensus_types::genesis::Document;
use oasis_primitives::{
    cbor::{Decoder, Mode, Value},
    json,
};

/// The header of a chain file: its genesis document and chain context.
fn header(chain: &[u8]) -> Result<(Vec<u8>, String)> {
    let header: Value = Decoder::new(chain, Mode::Trusted)?.value()?;
    let Some(Value::Bytes(document)) = header.get("genesis_doc") else { bail!("header without genesis document") };
    let Some(Value::Text(context)) = header.get("chain_context") else { bail!("header without chain context") };
    Ok((document.clone(), context.clone()))
}

fn check(chain: &[u8]) -> Result<()> {
    let (bytes, context) = header(chain)?;
    let document = Document::from_cbor(&bytes)?;
    ensure!(oasis_primitives::cbor::to_vec(&document) == bytes, "re-encoding differs: {}", first_difference(&bytes, &document)?);
    ensure!(document.hash().to_string() == context && document.chain_context().as_str() == Some(context.as_str()), "chain context");

    let text = document.to_json_text();
    let again = Document::from_json_text(text.as_bytes())?;
    ensure!(oasis_primitives::cbor::to_vec(&again) == bytes, "JSON changes the document: {}", first_difference(&bytes, &again)?);
    ensure!(again.to_json_text() == text, "JSON of JSON");
    Ok(())
}

/// The section that differs.
fn first_difference(bytes: &[u8], document: &Document) -> Result<String> {
    let expected: Value = oasis_primitives::cbor::from_slice_trusted(bytes)?;
    let found: Value = oasis_primitives::cbor::from_slice_trusted(&oasis_primitives::cbor::to_vec(document))?;
    let (Value::Map(expected), Value::Map(_)) = (&expected, &found) else { bail!("not maps") };
    for (key, value) in expected {
        let Value::Text(key) = key else { continue };
        if found.get(key) != Some(value) {
            return Ok(format!("{key}: expected {value:?}, found {:?}", found.get(key)).chars().take(2000).collect());
        }
    }
    Ok("nothing".to_owned())
}

#[test]
fn genesis_documents_of_vectors_keep_their_hash_through_cbor_and_json() {
    let files = oasis_test_vectors::files("chains/", ".cbor.gz").unwrap();
    assert!(!files.is_empty());
    for file in files {
        let bytes = oasis_test_vectors::read(&file).unwrap();
        check(&bytes).with_context(|| format!("{}", file.display())).unwrap();
    }
}

#[test]
fn errors_in_json_name_the_path() {
    let problem = Document::from_json_text(br#"{"staking": {"ledger": {"oasis1qqqqq": {}}}}"#).unwrap_err();
    assert!(problem.to_string().starts_with(".staking.ledger"), "{problem}");
    let problem = Document::from_json_text(br#"{"height": "1"}"#).unwrap_err();
    assert!(problem.to_string().starts_with(".height: expected a number"), "{problem}");
    assert!(json::to_text(&json::Value::Null) == "null");
}
