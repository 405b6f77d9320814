//! Making signatures.

use ed25519_dalek::{Signer as _, SigningKey};

use super::{ChainContext, Context, ContextError, PublicKey, RawSignature, Signature, SigningContext};
use crate::hash::Hash;

/// Why nothing was signed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// The context is not ready.
    #[error(transparent)]
    Context(#[from] ContextError),
    /// The signer (a device or another process) refused or can't be reached.
    #[error("signature: signer: {0}")]
    Signer(String),
}

/// A private key, wherever it is kept.
///
/// Source: go/common/crypto/signature/signer.go, `Signer`.
pub trait Signer: Send + Sync {
    /// The public key.
    fn public_key(&self) -> PublicKey;

    /// Signs a message under a whole context.
    fn sign_prepared(&self, context: &SigningContext, message: &[u8]) -> Result<RawSignature, SignError>;

    /// Signs a message under a context.
    ///
    /// Source: go/common/crypto/signature/signer.go, `ContextSign`.
    fn sign(&self, context: &Context, chain: &ChainContext, message: &[u8]) -> Result<Signature, SignError> {
        let signature = self.sign_prepared(&context.prepare(chain)?, message)?;
        Ok(Signature { public_key: self.public_key(), signature })
    }
}

/// A private key in memory, wiped when dropped.
///
/// Source: go/common/crypto/signature/signers/memory/memory_signer.go.
#[derive(Clone)]
pub struct MemorySigner(SigningKey);

impl MemorySigner {
    /// A key from a seed of 32 bytes (RFC 8032, section 5.1.5).
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    /// The key of a name, known to everybody.
    ///
    /// Source: go/common/crypto/signature/signers/memory/memory_signer.go, `NewTestSigner`.
    pub fn for_test(name: &str) -> Self {
        Self::from_seed(&Hash::of(name.as_bytes()).0)
    }

    /// The seed: secret.
    pub fn seed(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    /// Signs these very bytes, without a context.
    pub fn sign_raw(&self, message: &[u8]) -> RawSignature {
        RawSignature(self.0.sign(message).to_bytes())
    }
}

impl std::fmt::Debug for MemorySigner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "MemorySigner({})", self.public_key())
    }
}

impl Signer for MemorySigner {
    fn public_key(&self) -> PublicKey {
        PublicKey(self.0.verifying_key().to_bytes())
    }

    fn sign_prepared(&self, context: &SigningContext, message: &[u8]) -> Result<RawSignature, SignError> {
        Ok(self.sign_raw(&context.prehash(message).0))
    }
}
