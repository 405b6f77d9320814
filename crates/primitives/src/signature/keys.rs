//! Public keys and signatures as bytes and text.
//!
//! Source: go/common/crypto/signature/signature.go, `PublicKey`, `RawSignature`.

use crate::{bytes::any_fixed_bytes, text};

/// An Ed25519 public key, 32 bytes; not known to be a point of the curve.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKey(pub [u8; 32]);

/// An Ed25519 signature, 64 bytes: the point R and the scalar S.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RawSignature(pub [u8; 64]);

impl Default for RawSignature {
    fn default() -> Self {
        Self([0; 64])
    }
}

macro_rules! base64_bytes {
    ($type:ident, $what:literal) => {
        impl $type {
            /// Reads base64.
            pub fn from_base64(text: &str) -> Option<Self> {
                Self::from_slice(&text::from_base64(text)?)
            }
        }

        any_fixed_bytes!($type, concat!("malformed ", $what), text::write_base64);
        crate::json::text_json!($type, concat!($what, " in base64"), $type::from_base64);
    };
}

base64_bytes!(PublicKey, "public key");
base64_bytes!(RawSignature, "signature");
