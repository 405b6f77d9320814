//! What a node reads of its owner's: configuration, what a validator signed last, keys, snapshots, what a signer's plugin answers.
#![no_main]

use libfuzzer_sys::fuzz_target;
use oasis_consensus_engine::{
    proto::Vote,
    sign_state::{SignState, Signing},
};
use oasis_node_service::{
    config::{Config, Settings},
    service::snapshot,
    signers::gob,
    tls::TlsKey,
};
use oasis_primitives::signature::{MemorySigner, PublicKey, Signature, Signer};
use prost::Message;

/// The seed whose key the recorded files have.
const SEED: [u8; 32] = [1; 32];

fn configuration(text: &str) {
    let (file, flags) = text.split_once("\n--\n").unwrap_or((text, ""));
    let Ok(mut config) = Config::from_yaml("config.yml", file) else { return };
    for flag in flags.lines() {
        let (name, value) = flag.split_once('=').unwrap_or((flag, ""));
        let _ = config.set_flag(name, value);
    }
    let _ = (config.not_served(), Settings::new(&config).is_ok());
}

/// A damaged file never makes a validator forget what it signed.
fn sign_state(text: &str) {
    let key = MemorySigner::from_seed(&SEED).public_key().0;
    let Ok(state) = SignState::from_json(text, &key) else { return };
    assert_eq!(SignState::from_json(&state.to_json(), &key).as_ref(), Ok(&state));
    let below = Vote { r#type: 1, height: state.height() - 1, round: i32::MAX, ..Default::default() };
    assert!(state.vote("chain", &below).is_err());
    let above = Vote { height: state.height().saturating_add(1), ..below };
    if let Ok(Signing::Sign(what)) = state.vote("chain", &above) {
        assert!(state.signed(&what, &[1; 64]).vote("chain", &above).is_ok());
    }
}

fn keys(text: &str) {
    if let Ok(signer) = MemorySigner::from_pem(text) {
        assert_eq!(MemorySigner::from_pem(&signer.to_pem()).map(|s| s.public_key()), Ok(signer.public_key()));
    }
    let _ = (PublicKey::from_pem(text).is_ok(), Signature::from_pem(text).is_ok(), TlsKey::from_pem(text).is_ok());
}

fuzz_target!(|bytes: &[u8]| {
    let Some((kind, bytes)) = bytes.split_first() else { return };
    let text = std::str::from_utf8(bytes);
    match (kind, text) {
        (b'c', Ok(text)) => configuration(text),
        (b's', Ok(text)) => sign_state(text),
        (b'k', Ok(text)) => keys(text),
        (b'v', _) => {
            let _ = Vote::decode(bytes).map(|vote| SignState::new([1; 32]).vote("chain", &vote).is_ok());
        }
        (b'm', _) => {
            if let Ok(manifest) = snapshot::read_manifest(bytes) {
                let _ = (manifest.bytes(), manifest.claimed_hash());
            }
        }
        (b'g', _) => {
            if let Ok(answer) = gob::read_answer(&mut &*bytes) {
                let _ = (answer.number().is_ok(), answer.bytes().is_ok());
            }
        }
        _ => {}
    }
});
