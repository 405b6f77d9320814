//! Checks of genesis documents of recorded networks, as they are and with one thing changed.

use anyhow::{Context, Result, bail};
use oasis_consensus_app::genesis::{CheckOptions, check, check_json};
use oasis_consensus_types::genesis::Document;
use oasis_primitives::{
    cbor::{Decoder, Mode, Value},
    quantity::Quantity,
};

const TEST_NETWORK: CheckOptions = CheckOptions { debug: true, allow_test_keys: true };

fn documents() -> Result<Vec<(String, Document)>> {
    let mut out = Vec::new();
    for file in oasis_test_vectors::files("chains/", ".cbor.gz")? {
        let bytes = oasis_test_vectors::read(&file)?;
        let header: Value = Decoder::new(&bytes, Mode::Trusted)?.value()?;
        let Some(Value::Bytes(document)) = header.get("genesis_doc") else { bail!("no genesis document") };
        out.push((file.display().to_string(), Document::from_cbor(document)?));
    }
    Ok(out)
}

#[test]
fn genesis_documents_of_vectors_pass() {
    let documents = documents().unwrap();
    assert!(!documents.is_empty());
    for (name, document) in documents {
        check(&document, TEST_NETWORK).with_context(|| name.clone()).unwrap();
        check_json(document.to_json_text().as_bytes(), TEST_NETWORK).with_context(|| name).unwrap();
    }
}

type Change = fn(&mut Document);

#[test]
fn what_fails_in_genesis_documents_of_vectors_is_named_by_its_path() {
    let changes: &[(&str, Change)] = &[
        (".height: expected at least 1, found 0", |d| d.height = 0),
        (".chain_id", |d| d.chain_id = " \t".into()),
        (".consensus.params.timeout_commit", |d| {
            d.consensus.parameters.timeout_commit = 999_999;
            d.consensus.parameters.skip_timeout_commit = false;
        }),
        (".consensus.params.public_key_blacklist[1]", |d| {
            d.consensus.parameters.public_key_blacklist = vec![oasis_primitives::signature::PublicKey([9; 32]); 2];
        }),
        (".beacon.params.backend", |d| d.beacon.parameters.backend = "dice".into()),
        (".beacon.base", |d| d.beacon.base = u64::MAX),
        (".staking.total_supply", |d| d.staking.total_supply.add(&Quantity::from(1u64))),
        (".staking.token_symbol", |d| d.staking.token_symbol = "Test".into()),
        (".staking.token_value_exponent", |d| d.staking.token_value_exponent = 21),
        (".staking.params", |d| d.staking.parameters.thresholds.clear()),
        (".governance.params", |d| d.governance.parameters.quorum = 101),
        (".halt_epoch", |d| {
            d.beacon.base = 7;
            d.halt_epoch = 6;
        }),
    ];
    let (_, document) =
        documents().unwrap().into_iter().find(|(name, _)| name.contains("staking-rewards") || name.contains("debond")).unwrap();
    for (expected, change) in changes {
        let mut document = document.clone();
        change(&mut document);
        let problem = check(&document, TEST_NETWORK).unwrap_err().to_string();
        assert!(problem.starts_with(expected), "{problem}, expected {expected}");
    }
}

#[test]
fn a_broken_descriptor_in_genesis_documents_of_vectors_is_named_by_its_index() {
    let mut seen = [0; 3];
    for (name, document) in documents().unwrap() {
        let fails = |document: &Document, path: &str| {
            let problem = check(document, TEST_NETWORK).unwrap_err().to_string();
            assert!(problem.starts_with(path), "{name}: {problem}, expected {path}");
        };
        if let Some(last) = document.registry.entities.len().checked_sub(1) {
            let mut broken = document.clone();
            broken.registry.entities[last].0.signature.signature.0[0] ^= 1;
            fails(&broken, &format!(".registry.entities[{last}]: "));
            seen[0] += 1;
        }
        if let Some(last) = document.registry.nodes.len().checked_sub(1) {
            let mut broken = document.clone();
            broken.registry.nodes[last].0.signatures = Vec::new().into();
            fails(&broken, &format!(".registry.nodes[{last}]: "));
            seen[1] += 1;
        }
        if let Some(last) = document.registry.runtimes.len().checked_sub(1) {
            let mut broken = document.clone();
            broken.registry.runtimes[last].v = 99;
            fails(&broken, &format!(".registry.runtimes[{last}]: "));
            seen[2] += 1;
        }
    }
    assert!(seen.iter().all(|n| *n > 0), "{seen:?}");
}

#[test]
fn settings_of_test_networks_in_vectors_need_the_debug_option() {
    for (name, document) in documents().unwrap() {
        let problem = check(&document, CheckOptions::default()).expect_err(&name).to_string();
        assert!(problem.starts_with('.'), "{problem}");
    }
}

#[test]
fn changed_bytes_of_genesis_documents_of_vectors_never_panic() {
    // A fixed sequence: x ↦ 6364136223846793005·x + 1442695040888963407 modulo 2⁶⁴.
    let mut state = 1u64;
    let mut next = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % below.max(1)
    };
    let (mut read, mut passed) = (0, 0);
    for (_, document) in documents().unwrap() {
        let (text, encoded) = (document.to_json_text().into_bytes(), oasis_primitives::cbor::to_vec(&document));
        for _ in 0..20 {
            let mut text = text.clone();
            let at = next(text.len());
            text[at] = b"0\"{}[],:-9aZ=\\ "[next(15)];
            passed += usize::from(check_json(&text, TEST_NETWORK).is_ok());

            let mut encoded = encoded.clone();
            let at = next(encoded.len());
            encoded[at] = encoded[at].wrapping_add(u8::try_from(1 + next(255)).unwrap());
            if let Ok(document) = Document::from_cbor(&encoded) {
                read += 1;
                let _ = check(&document, TEST_NETWORK);
                let _ = Document::from_json_text(document.to_json_text().as_bytes());
            }
        }
    }
    assert!(read > 0 && passed > 0, "{read} {passed}");
}
