//! What a node presents: an Ed25519 key in a certificate of one form, which the key itself signed.

use oasis_primitives::{pem, signature::PublicKey};
use x509_parser::{
    certificate::X509Certificate,
    extensions::ParsedExtension,
    oid_registry::{OID_SIG_ED25519, Oid},
    prelude::FromDer,
    time::ASN1Time,
};

/// What stands before the signature at a certificate's end: the algorithm, and that 64 bytes follow (RFC 8410, section 3).
const SIGNATURE_PREFIX: [u8; 10] = [0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x41, 0x00];
/// Type of the PEM block. Source: go/common/crypto/tls/cert.go, `certPEMType`.
const CERTIFICATE_PEM: &str = "CERTIFICATE";
/// Bytes of a signature.
const SIGNATURE_LENGTH: usize = 64;

/// Why a certificate is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// Not one certificate alone.
    #[error("expected one certificate, found {0}")]
    Count(usize),
    /// Not of the form that nodes make.
    #[error("certificate: {0}")]
    Form(&'static str),
    /// Of somebody else.
    #[error("the certificate has key {found}, which is not the one expected")]
    Key {
        /// Its key.
        found: PublicKey,
    },
    /// Of another kind of service.
    #[error("the certificate has the common name {found:?}, expected {expected:?}")]
    Name {
        /// What it should be.
        expected: String,
        /// What it is.
        found: String,
    },
    /// Too early or too late.
    #[error("the certificate does not hold at this time; check the clocks")]
    Time,
}

/// Checks what a node presents, which must have one of the keys and a common name; gives that key. Odd encodings, which only the key's
/// owner can make, may be taken where the original refuses them.
///
/// Source: go/common/crypto/tls/verify.go, `VerifyCertificate`.
pub fn check_certificate(chain: &[&[u8]], keys: &[PublicKey], common_name: &str, now: i64) -> Result<PublicKey, CertificateError> {
    use CertificateError::{Count, Form};
    let [der] = chain else { return Err(Count(chain.len())) };
    let (rest, certificate) = X509Certificate::from_der(der).map_err(|_| Form("expected X.509"))?;
    if !rest.is_empty() {
        return Err(Form("expected nothing after it"));
    }
    // What is signed covers the rest; this is DER in one way only.
    let signed = der.len().checked_sub(SIGNATURE_LENGTH).and_then(|at| der.split_at_checked(at));
    if !signed.is_some_and(|(before, _)| before.ends_with(&SIGNATURE_PREFIX)) {
        return Err(Form("expected Ed25519"));
    }
    let info = certificate.public_key();
    let ed25519 = |oid: &Oid<'_>| *oid == OID_SIG_ED25519;
    if !ed25519(&info.algorithm.algorithm) || !ed25519(&certificate.signature_algorithm.algorithm) {
        return Err(Form("expected Ed25519"));
    }
    let found = <[u8; 32]>::try_from(&*info.subject_public_key.data).map_err(|_| Form("expected a key of 32 bytes"))?;
    let found = PublicKey(found);
    if !keys.contains(&found) {
        return Err(CertificateError::Key { found });
    }
    // Go takes the last of several common names.
    let name = certificate.subject().iter_common_name().last().and_then(|name| name.as_str().ok());
    if name != Some(common_name) {
        return Err(CertificateError::Name { expected: common_name.to_owned(), found: name.unwrap_or_default().to_owned() });
    }
    if certificate.raw_serial() != [1] {
        return Err(Form("expected serial number 1"));
    }
    check_extensions(&certificate)?;
    let now = ASN1Time::from_timestamp(now).map_err(|_| CertificateError::Time)?;
    if !certificate.validity().is_valid_at(now) {
        return Err(CertificateError::Time);
    }
    certificate.verify_signature(None).map_err(|_| Form("expected a signature by its own key"))?;
    Ok(found)
}

/// The key of a certificate's file.
///
/// Source: go/common/crypto/tls/cert.go, `LoadCertificate`.
pub fn certificate_key(text: &str) -> Result<PublicKey, CertificateError> {
    use CertificateError::Form;
    let der = pem::decode(CERTIFICATE_PEM, text).map_err(|_| Form("expected a PEM block of a certificate"))?;
    let (_, certificate) = X509Certificate::from_der(&der).map_err(|_| Form("expected X.509"))?;
    let info = certificate.public_key();
    let key = <[u8; 32]>::try_from(&*info.subject_public_key.data).ok().filter(|_| info.algorithm.algorithm == OID_SIG_ED25519);
    key.map(PublicKey).ok_or(Form("expected Ed25519"))
}

/// Uses are those of the certificates that nodes make; nothing unknown is critical.
fn check_extensions(certificate: &X509Certificate<'_>) -> Result<(), CertificateError> {
    /// Digital signature, key encipherment, signing certificates; bits from the lowest.
    const USES: u16 = 1 | 1 << 2 | 1 << 5;
    let (mut uses, mut extended) = (false, false);
    for extension in certificate.extensions() {
        match extension.parsed_extension() {
            ParsedExtension::KeyUsage(usage) => uses = usage.flags == USES,
            ParsedExtension::ExtendedKeyUsage(usage) => {
                let others = usage.any || usage.code_signing || usage.email_protection || usage.time_stamping || usage.ocsp_signing;
                extended = usage.server_auth && usage.client_auth && !others && usage.other.is_empty();
            }
            ParsedExtension::SubjectKeyIdentifier(_) | ParsedExtension::AuthorityKeyIdentifier(_) => {}
            _ if extension.critical => return Err(CertificateError::Form("expected no further critical extension")),
            _ => {}
        }
    }
    if uses && extended { Ok(()) } else { Err(CertificateError::Form("expected the uses of a node's key")) }
}

#[cfg(test)]
mod tests {
    use std::time::{SystemTime, UNIX_EPOCH};

    use oasis_primitives::identity::TLS_COMMON_NAME;

    use super::*;
    use crate::tls::TlsKey;

    fn check(chain: &[&[u8]], keys: &[PublicKey], now: i64) -> Result<PublicKey, CertificateError> {
        check_certificate(chain, keys, TLS_COMMON_NAME, now)
    }

    fn now() -> i64 {
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs().cast_signed()
    }

    #[test]
    fn a_certificate_is_known_by_its_key() {
        let key = TlsKey::from_seed(&[1; 32]);
        let der = key.certificate(TLS_COMMON_NAME).unwrap().der().to_vec();
        assert_eq!(check(&[&der], &[key.public_key()], now()), Ok(key.public_key()));
        let other = TlsKey::from_seed(&[2; 32]).public_key();
        assert_eq!(check(&[&der], &[other], now()), Err(CertificateError::Key { found: key.public_key() }));
        assert_eq!(check(&[&der], &[key.public_key()], now() + 400 * 86_400), Err(CertificateError::Time));
        assert_eq!(check(&[&der], &[key.public_key()], now() - 2 * 3600), Err(CertificateError::Time));
        assert_eq!(check(&[&der, &der], &[key.public_key()], now()), Err(CertificateError::Count(2)));
        assert_eq!(check(&[], &[key.public_key()], now()), Err(CertificateError::Count(0)));
        let other = check_certificate(&[&der], &[key.public_key()], "remote-signer-server", now());
        assert!(matches!(other, Err(CertificateError::Name { .. })), "{other:?}");
        assert_eq!(certificate_key(&key.certificate(TLS_COMMON_NAME).unwrap().pem()), Ok(key.public_key()));
    }

    #[test]
    fn certificates_are_taken_that_the_original_takes_vectors() {
        oasis_test_vectors::for_each("tls.json.gz", |_, bytes| {
            let recorded: serde_json::Value = serde_json::from_slice(bytes)?;
            let key = PublicKey(hex::decode(recorded["key"].as_str().unwrap())?.try_into().unwrap());
            let now = recorded["now"].as_i64().unwrap();
            let (mut taken, mut beyond) = (0, 0);
            for certificate in recorded["certificates"].as_array().unwrap() {
                let der = hex::decode(certificate["der"].as_str().unwrap())?;
                let found = check_certificate(&[&der], &[key], TLS_COMMON_NAME, now);
                match certificate["ok"].as_bool().unwrap() {
                    true => anyhow::ensure!(found == Ok(key), "{found:?}: {}", hex::encode(&der)),
                    false => beyond += usize::from(found.is_ok()),
                }
                taken += usize::from(found.is_ok());
            }
            println!("{taken} taken, {beyond} of them only here");
            // The original's reader knows no other form of DER. These were signed by the very key that is expected, so that is no harm.
            anyhow::ensure!(beyond <= 54, "{beyond} are taken that the original refuses");
            Ok(())
        })
        .unwrap();
    }

    #[test]
    fn a_certificate_that_was_changed_anywhere_is_refused() {
        let key = TlsKey::from_seed(&[1; 32]);
        let der = key.certificate(TLS_COMMON_NAME).unwrap().der().to_vec();
        for at in 0..der.len() {
            let mut changed = der.clone();
            changed[at] ^= 1;
            assert!(check(&[&changed], &[key.public_key()], now()).is_err(), "byte {at}");
            assert!(check(&[&der[..at]], &[key.public_key()], now()).is_err(), "{at} bytes");
        }
    }
}
