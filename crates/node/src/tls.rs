//! Ed25519 keys for TLS and the certificates that go with them.
//!
//! A certificate says nothing but its key: peers compare the key. Source: go/common/crypto/tls/cert.go.

use oasis_primitives::{
    pem,
    signature::{MemorySigner, PublicKey, Signer},
};
use zeroize::Zeroizing;

/// Type of the PEM block. Source: go/common/crypto/tls/cert.go, `keyPEMType`.
const KEY_PEM: &str = "PRIVATE KEY";
/// What stands before the 32 bytes of an Ed25519 seed in PKCS #8 (RFC 8410, section 7).
const PKCS8_PREFIX: [u8; 16] = [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
/// A certificate holds from an hour ago for a year.
const BEFORE: time::Duration = time::Duration::HOUR;
const LIFETIME: time::Duration = time::Duration::days(365);

/// Why there is no key or certificate.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// Not a PEM block of a private key.
    #[error("TLS key: {0}")]
    Pem(#[from] pem::Error),
    /// Not an Ed25519 key in PKCS #8.
    #[error("TLS key: expected an Ed25519 private key in PKCS #8")]
    NotEd25519,
    /// The certificate could not be made.
    #[error("TLS certificate: {0}")]
    Certificate(#[from] rcgen::Error),
}

/// A key for TLS.
#[derive(Clone, Debug)]
pub struct TlsKey(MemorySigner);

impl TlsKey {
    /// A key from a seed.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(MemorySigner::from_seed(seed))
    }

    /// Reads the contents of a key file.
    pub fn from_pem(text: &str) -> Result<Self, TlsError> {
        let der = Zeroizing::new(pem::decode(KEY_PEM, text)?);
        let seed = der.strip_prefix(&PKCS8_PREFIX).and_then(|rest| <&[u8; 32]>::try_from(rest).ok());
        seed.map(Self::from_seed).ok_or(TlsError::NotEd25519)
    }

    /// The contents of a key file. Secret.
    pub fn to_pem(&self) -> Zeroizing<String> {
        Zeroizing::new(pem::encode(KEY_PEM, &self.pkcs8()))
    }

    /// The public key, which peers compare.
    pub fn public_key(&self) -> PublicKey {
        self.0.public_key()
    }

    /// Signs with the key.
    pub fn signer(&self) -> &MemorySigner {
        &self.0
    }

    /// The key in PKCS #8. Secret.
    pub fn pkcs8(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new([&PKCS8_PREFIX[..], self.0.seed()].concat())
    }

    /// A fresh certificate with a common name, signed by the key itself. Source: go/common/crypto/tls/cert.go, `makeCertificate`.
    pub fn certificate(&self, name: &str) -> Result<rcgen::Certificate, TlsError> {
        use rcgen::{CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose};
        let pkcs8 = self.pkcs8();
        let pair = KeyPair::from_pkcs8_der_and_sign_algo(&pkcs8.as_slice().into(), &rcgen::PKCS_ED25519)?;
        let mut params = CertificateParams::default();
        let mut names = DistinguishedName::new();
        names.push(DnType::CommonName, name);
        params.distinguished_name = names;
        params.serial_number = Some(1u64.into());
        params.is_ca = IsCa::NoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment, KeyUsagePurpose::KeyCertSign];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let now = time::OffsetDateTime::now_utc();
        params.not_before = now - BEFORE;
        params.not_after = now + LIFETIME;
        Ok(params.self_signed(&pair)?)
    }
}

#[cfg(test)]
mod tests {
    use oasis_primitives::identity::TLS_COMMON_NAME;

    use super::*;

    #[test]
    fn a_key_file_is_read_back() {
        let key = TlsKey::from_seed(&[5; 32]);
        let again = TlsKey::from_pem(&key.to_pem()).unwrap();
        assert_eq!(again.public_key(), key.public_key());
        assert!(matches!(TlsKey::from_pem(&pem::encode(KEY_PEM, &[0; 48])), Err(TlsError::NotEd25519)));
    }

    #[test]
    fn the_certificate_holds_the_key() {
        let key = TlsKey::from_seed(&[5; 32]);
        let der = key.certificate(TLS_COMMON_NAME).unwrap().der().to_vec();
        assert!(der.windows(32).any(|part| part == key.public_key().0));
    }
}
