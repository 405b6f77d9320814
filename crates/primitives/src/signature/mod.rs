//! Ed25519 keys and signatures.

mod keys;

pub use keys::{PublicKey, RawSignature};
