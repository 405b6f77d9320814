//! Ed25519 keys and signatures, each signature bound to a context that says what is signed.
//!
//! A message is signed as SHA-512/256(context ‖ message). Which signatures count is decided by [`SignatureRules`], an
//! explicit value: the chain they are for and the keys that are never accepted.
//!
//! Source: go/common/crypto/signature.

mod batch;
mod blacklist;
mod context;
mod ed25519;
mod keys;
#[cfg(feature = "remember-signatures")]
mod memo;
mod rules;
mod signed;
mod signer;

pub use batch::{BatchVerifier, UnpackedKeys};
pub use blacklist::{Blacklist, RESERVED_KEYS, known_test_keys};
pub use context::{ChainContext, Context, ContextError, SigningContext, TENDERMINT_CONTEXT};
pub use ed25519::verify_prehashed;
pub use keys::{PublicKey, RawSignature};
#[cfg(feature = "remember-signatures")]
pub use memo::remember_signatures;
pub use rules::{AheadVerifier, SignatureRules, Verified, verify_tendermint};
pub use signed::{MultiSigned, OpenError, Signature, SignedBlob};
pub use signer::{MemorySigner, SignError, Signer};

#[cfg(test)]
mod tests;
