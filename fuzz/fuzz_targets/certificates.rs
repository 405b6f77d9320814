//! Certificates that peers present, as they come, or changed and signed again by their key.
#![no_main]

use std::{
    sync::LazyLock,
    time::{SystemTime, UNIX_EPOCH},
};

use libfuzzer_sys::fuzz_target;
use oasis_node_service::{grpc::check_certificate, tls::TlsKey};
use oasis_primitives::identity::TLS_COMMON_NAME;
use rustls::{SignatureScheme, crypto::ring, pki_types::PrivatePkcs8KeyDer, sign::Signer};

const SIGNATURE: usize = 64;

struct Known {
    key: TlsKey,
    der: Vec<u8>,
    signer: Box<dyn Signer>,
    now: i64,
}

static KNOWN: LazyLock<Known> = LazyLock::new(|| {
    let key = TlsKey::from_seed(&[1; 32]);
    let der = key.certificate(TLS_COMMON_NAME).unwrap().der().to_vec();
    let pkcs8 = key.pkcs8();
    let signing = ring::sign::any_eddsa_type(&PrivatePkcs8KeyDer::from(pkcs8.as_slice())).unwrap();
    let signer = signing.choose_scheme(&[SignatureScheme::ED25519]).unwrap();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs().cast_signed();
    Known { key, der, signer, now }
});

/// The end of a value of DER whose length takes two bytes or fewer.
fn end(der: &[u8], at: usize) -> Option<usize> {
    let (start, length) = match der.get(at + 1..)? {
        [0x82, high, low, ..] => (at + 4, usize::from(u16::from_be_bytes([*high, *low]))),
        [0x81, length, ..] => (at + 3, usize::from(*length)),
        [length @ ..=0x7f, ..] => (at + 2, usize::from(*length)),
        _ => return None,
    };
    start.checked_add(length).filter(|end| *end <= der.len())
}

/// Signs what has to be signed, where that can be told.
fn sign(der: &mut Vec<u8>) -> Option<()> {
    let start = if *der.get(1)? == 0x82 { 4 } else { 3 };
    let signed = der.get(start..end(der, start)?)?;
    let signature = KNOWN.signer.sign(signed).ok()?;
    let at = der.len().checked_sub(SIGNATURE)?;
    der[at..].copy_from_slice(&signature);
    Some(())
}

fn check(der: &[u8]) {
    let key = KNOWN.key.public_key();
    if let Ok(found) = check_certificate(&[der], &[key], TLS_COMMON_NAME, KNOWN.now) {
        assert_eq!(found, key);
        assert!(der.windows(32).any(|part| part == key.0), "a certificate without the key");
        // By that key alone, and not for ever.
        assert!(check_certificate(&[der], &[TlsKey::from_seed(&[2; 32]).public_key()], TLS_COMMON_NAME, KNOWN.now).is_err());
        assert!(check_certificate(&[der], &[], TLS_COMMON_NAME, KNOWN.now).is_err());
        assert!(check_certificate(&[der, der], &[key], TLS_COMMON_NAME, KNOWN.now).is_err());
    }
}

// A certificate; or changes to one that holds: a place, a count of bytes that go, and bytes that come.
fuzz_target!(|bytes: &[u8]| {
    let Some((kind, mut rest)) = bytes.split_first() else { return };
    if kind % 2 == 0 {
        check(rest);
        let mut signed = rest.to_vec();
        if sign(&mut signed).is_some() {
            check(&signed);
        }
        return;
    }
    let mut der = KNOWN.der.clone();
    while let [high, low, gone, come, next @ ..] = rest {
        let at = usize::from(u16::from_be_bytes([*high, *low])) % (der.len() + 1);
        let (new, next) = next.split_at(usize::from(come % 16).min(next.len()));
        der.splice(at..der.len().min(at + usize::from(gone % 16)), new.iter().copied());
        rest = next;
    }
    check(&der);
    if sign(&mut der).is_some() {
        check(&der);
    }
});
