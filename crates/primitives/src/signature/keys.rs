//! Public keys and signatures as bytes and text.
//!
//! Source: go/common/crypto/signature/signature.go, `PublicKey`, `RawSignature`.

use std::fmt;

use base64::{Engine, prelude::BASE64_STANDARD};

use crate::cbor::{self, Decode, Decoder, Encode, Encoder};

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

macro_rules! bytes_type {
    ($type:ident, $what:literal) => {
        impl $type {
            /// Takes exactly as many bytes as the type has.
            pub fn from_slice(bytes: &[u8]) -> Option<Self> {
                bytes.try_into().ok().map(Self)
            }

            /// Reads base64.
            pub fn from_base64(text: &str) -> Option<Self> {
                Self::from_slice(&crate::text::from_base64(text)?)
            }
        }

        impl AsRef<[u8]> for $type {
            fn as_ref(&self) -> &[u8] {
                &self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&BASE64_STANDARD.encode(self.0))
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{self}")
            }
        }

        impl Encode for $type {
            fn encode(&self, e: &mut Encoder) {
                e.bytes(&self.0);
            }
        }

        impl Decode for $type {
            fn decode(d: &mut Decoder<'_>) -> Result<Self, cbor::Error> {
                let from_binary = |b: &[u8]| Self::from_slice(b).ok_or_else(|| cbor::Error::invalid(concat!("malformed ", $what)));
                cbor::decode_fixed(d, from_binary, Self)
            }
        }

        crate::json::text_json!($type, concat!($what, " in base64"), $type::from_base64);
    };
}

bytes_type!(PublicKey, "public key");
bytes_type!(RawSignature, "signature");
