//! SHA-512/256 hashes.
//!
//! Source: go/common/crypto/hash/hash.go.

use sha2::{Digest, Sha512_256};

use crate::{
    bytes::any_fixed_bytes,
    cbor::{self, Encode},
    text::write_hex,
};

/// A SHA-512/256 hash, 32 bytes.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash(pub [u8; 32]);

impl Hash {
    /// The hash of no bytes at all, which stands for "nothing" (an empty tree, no messages).
    pub const EMPTY: Self = Self([
        0xc6, 0x72, 0xb8, 0xd1, 0xef, 0x56, 0xed, 0x28, 0xab, 0x87, 0xc3, 0x62, 0x2c, 0x51, 0x14, 0x06, 0x9b, 0xdd, 0x3a, 0xd7, 0xb8, 0xf9,
        0x73, 0x74, 0x98, 0xd0, 0xc0, 0x1e, 0xce, 0xf0, 0x96, 0x7a,
    ]);

    /// Hashes bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha512_256::digest(bytes).into())
    }

    /// Hashes the concatenation of parts.
    pub fn of_parts(parts: &[&[u8]]) -> Self {
        let mut hasher = Sha512_256::new();
        for part in parts {
            hasher.update(part);
        }
        Self(hasher.finalize().into())
    }

    /// Hashes the canonical encoding of a value.
    pub fn of_cbor<T: Encode + ?Sized>(value: &T) -> Self {
        Self::of(&cbor::to_vec(value))
    }

    /// The hash of no bytes.
    pub const fn empty() -> Self {
        Self::EMPTY
    }

    /// Whether this is the hash of no bytes.
    pub fn is_empty(&self) -> bool {
        *self == Self::EMPTY
    }

    /// The first `n` bytes, 1 to 32.
    ///
    /// Source: go/common/crypto/hash/hash.go, `Truncate`.
    pub fn truncate(&self, n: usize) -> Option<&[u8]> {
        self.0.get(..n).filter(|bytes| !bytes.is_empty())
    }

    /// Reads 64 hexadecimal digits.
    pub fn from_hex(text: &str) -> Option<Self> {
        let mut out = [0; 32];
        hex::decode_to_slice(text, &mut out).ok()?;
        Some(Self(out))
    }

    /// Reads 64 hexadecimal digits or, as old genesis documents have it, base64.
    ///
    /// Source: go/common/crypto/hash/hash.go, `UnmarshalText`.
    pub fn from_text(text: &str) -> Option<Self> {
        Self::from_hex(text).or_else(|| Self::from_slice(&crate::text::from_base64(text)?))
    }
}

any_fixed_bytes!(Hash, "hash: malformed", write_hex);
crate::json::text_json!(Hash, "hash in 64 hexadecimal digits", Hash::from_text);
