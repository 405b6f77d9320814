//! Identifiers of runtimes and of the roots that belong to them.
//!
//! Source: go/common/namespace.go.

use crate::{bytes::fixed_bytes, text};

/// A namespace: 8 bytes of flags, of which only the two highest bits have a meaning, and 24 bytes of identifier.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Namespace(pub [u8; 32]);

impl Namespace {
    /// Flag of test namespaces.
    pub const FLAG_TEST: u64 = 1 << 63;
    /// Flag of key manager namespaces.
    pub const FLAG_KEY_MANAGER: u64 = 1 << 62;

    fn flags(&self) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = self.0;
        u64::from_be_bytes([a, b, c, d, e, f, g, h])
    }

    /// A namespace from 24 bytes of identifier and flags.
    ///
    /// Source: go/common/namespace.go, `NewNamespace`. None where a flag has no meaning.
    pub fn new(id: [u8; 24], flags: u64) -> Option<Self> {
        let mut out = [0; 32];
        for (place, byte) in out.iter_mut().zip(flags.to_be_bytes().into_iter().chain(id)) {
            *place = byte;
        }
        Self::from_slice(&out)
    }

    /// A test namespace from a seed of any length and further flags. None where a flag has no meaning.
    ///
    /// Source: go/common/namespace.go, `NewTestNamespaceFromSeed`.
    pub fn for_test(seed: &[u8], flags: u64) -> Option<Self> {
        let id = *crate::hash::Hash::of(seed).0.first_chunk()?;
        Self::new(id, Self::FLAG_TEST | flags)
    }

    /// Takes exactly 32 bytes without reserved flags.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        let out = Self(bytes.try_into().ok()?);
        (out.flags() & !(Self::FLAG_TEST | Self::FLAG_KEY_MANAGER) == 0).then_some(out)
    }

    /// Whether the namespace is for tests only.
    pub fn is_test(&self) -> bool {
        self.flags() & Self::FLAG_TEST != 0
    }

    /// Whether the namespace is of a key manager.
    pub fn is_key_manager(&self) -> bool {
        self.flags() & Self::FLAG_KEY_MANAGER != 0
    }

    /// Reads hexadecimal digits or, as old genesis documents have it, base64.
    ///
    /// Source: go/common/namespace.go, `UnmarshalText`.
    pub fn from_text(given: &str) -> Option<Self> {
        let from_hex = hex::decode(given).ok().and_then(|b| Self::from_slice(&b));
        from_hex.or_else(|| text::from_base64(given).and_then(|b| Self::from_slice(&b)))
    }
}

fixed_bytes!(Namespace, "malformed namespace", text::write_hex);
crate::json::text_json!(Namespace, "namespace in hexadecimal digits", Namespace::from_text);
