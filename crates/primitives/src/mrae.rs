//! Boxes: X25519 and Deoxys-II-256-128, safe even where a nonce is used twice.
//!
//! Source: go/common/crypto/mrae/api/api.go, go/common/crypto/mrae/deoxysii/deoxysii.go.

use deoxys::{
    DeoxysII256, KeyInit,
    aead::{Aead, Payload},
};
use zeroize::Zeroizing;

use crate::{drbg::hmac_sha512_256, hash::Hash};

/// Bytes of a symmetric key.
pub const KEY_SIZE: usize = 32;
/// Bytes of a nonce.
pub const NONCE_SIZE: usize = 15;
/// Bytes that a ciphertext is longer than its plaintext.
pub const TAG_SIZE: usize = 16;

/// Source: go/common/crypto/mrae/deoxysii/deoxysii.go, `boxKDFTweak`.
const KDF_TWEAK: &[u8] = b"MRAE_Box_Deoxys-II-256-128";

/// Why nothing was sealed or opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The ciphertext, nonce, additional data and key don't belong together.
    #[error("deoxysii: message authentication failure")]
    Open,
    /// A plaintext longer than the cipher takes.
    #[error("deoxysii: oversized plaintext")]
    Seal,
}

/// An X25519 private key, wiped when dropped.
#[derive(Clone)]
pub struct PrivateKey(Zeroizing<[u8; 32]>);

impl std::fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PrivateKey([redacted])")
    }
}

impl PrivateKey {
    /// A private key of these bytes.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// A private key from entropy, which is hashed.
    ///
    /// Source: go/common/crypto/mrae/api/api.go, `GenerateKeyPair`.
    pub fn from_entropy(entropy: &[u8; 32]) -> Self {
        Self::new(Hash::of(entropy).0)
    }

    /// The bytes: secret.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The public key.
    pub fn public_key(&self) -> [u8; 32] {
        x25519_dalek::x25519(*self.0, x25519_dalek::X25519_BASEPOINT_BYTES)
    }

    /// The raw shared secret; all zeros where the peer's key is of low order.
    pub fn shared(&self, peer: &[u8; 32]) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(x25519_dalek::x25519(*self.0, *peer))
    }

    /// The symmetric key shared with a peer. Peers of low order are not refused, as in the original.
    ///
    /// Source: go/common/crypto/mrae/deoxysii/deoxysii.go, `DeriveSymmetricKey`.
    pub fn symmetric_key(&self, peer: &[u8; 32]) -> Zeroizing<[u8; KEY_SIZE]> {
        Zeroizing::new(hmac_sha512_256(KDF_TWEAK, &[&*self.shared(peer)]))
    }

    /// Seals a message to a peer.
    pub fn seal(&self, peer: &[u8; 32], nonce: &[u8; NONCE_SIZE], plaintext: &[u8], additional: &[u8]) -> Result<Vec<u8>, Error> {
        seal(&self.symmetric_key(peer), nonce, plaintext, additional)
    }

    /// Opens a peer's message.
    pub fn open(&self, peer: &[u8; 32], nonce: &[u8; NONCE_SIZE], ciphertext: &[u8], additional: &[u8]) -> Result<Vec<u8>, Error> {
        open(&self.symmetric_key(peer), nonce, ciphertext, additional)
    }
}

/// Encrypts with Deoxys-II-256-128; the tag comes last.
pub fn seal(key: &[u8; KEY_SIZE], nonce: &[u8; NONCE_SIZE], plaintext: &[u8], additional: &[u8]) -> Result<Vec<u8>, Error> {
    DeoxysII256::new(key.into()).encrypt(nonce.into(), Payload { msg: plaintext, aad: additional }).map_err(|_| Error::Seal)
}

/// Decrypts what [`seal`] made.
pub fn open(key: &[u8; KEY_SIZE], nonce: &[u8; NONCE_SIZE], ciphertext: &[u8], additional: &[u8]) -> Result<Vec<u8>, Error> {
    DeoxysII256::new(key.into()).decrypt(nonce.into(), Payload { msg: ciphertext, aad: additional }).map_err(|_| Error::Open)
}
