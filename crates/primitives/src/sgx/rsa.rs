//! RSA signatures: PKCS #1 v1.5 with SHA-256.

use num_bigint::BigUint;
use sha2::{Digest, Sha256};

/// The DER of a `DigestInfo` for SHA-256, up to the digest.
const SHA256_PREFIX: [u8; 19] =
    [0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20];

/// A public key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RsaPublicKey {
    pub(super) modulus: BigUint,
    pub(super) exponent: u32,
}

impl RsaPublicKey {
    /// Whether `signature` is one of the message whose parts are given.
    ///
    /// A signature not below the modulus passes where its residue does, as in the original.
    ///
    /// Source: Go 1.17 `crypto/rsa`, `VerifyPKCS1v15`.
    pub(super) fn verify_sha256(&self, message: &[&[u8]], signature: &[u8]) -> bool {
        // Keys longer than any in use would only cost time.
        let bits = self.modulus.bits();
        if !(512..=8192).contains(&bits) || !(2..=0x7fff_ffff).contains(&self.exponent) {
            return false;
        }
        let Ok(size) = usize::try_from(bits.div_ceil(8)) else { return false };
        if signature.len() != size {
            return false;
        }
        let mut hasher = Sha256::new();
        for part in message {
            hasher.update(part);
        }
        let digest = hasher.finalize();
        // 00 01 ff … ff 00 DigestInfo
        let tail = SHA256_PREFIX.len().saturating_add(digest.len());
        let Some(padding) = size.checked_sub(tail.saturating_add(3)).filter(|p| *p >= 8) else { return false };
        let mut expected = vec![0, 1];
        expected.resize(padding.saturating_add(2), 0xff);
        expected.push(0);
        expected.extend_from_slice(&SHA256_PREFIX);
        expected.extend_from_slice(&digest);
        BigUint::from_bytes_be(signature).modpow(&BigUint::from(self.exponent), &self.modulus) == BigUint::from_bytes_be(&expected)
    }
}
