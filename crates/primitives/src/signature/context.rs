//! What a signature is for.
//!
//! Source: go/common/crypto/signature/signer.go, `Context`, `NewContext`, `PrepareSignerMessage`.

use std::{borrow::Cow, fmt};

use crate::hash::Hash;

/// Stands between a context and the chain context.
const CHAIN_SEPARATOR: &str = " for chain ";
/// The most bytes that a chain context may have.
const CHAIN_CONTEXT_MAX: usize = 64;
/// The most bytes that a whole context may have (RFC 8032, section 5.1).
const CONTEXT_MAX: usize = 255;

/// The context of Tendermint's votes, proposals and handshakes.
///
/// Source: go/consensus/tendermint/crypto/signature.go, `tendermintSignatureContext`.
pub const TENDERMINT_CONTEXT: Context = Context::new("oasis-core/tendermint");

/// Why a message can't be signed or verified under a context.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ContextError {
    /// The context names the chain, and no chain was given.
    #[error("signature: chain domain separation context not set")]
    NoChainContext,
    /// The context needs a suffix first.
    #[error("signature: dynamic context suffix not set")]
    NoSuffix,
    /// The context takes no suffix.
    #[error("signature: domain separation context suffix not configured")]
    SuffixNotConfigured,
    /// The suffix is longer than the context allows.
    #[error("signature: suffix too long: at most {max} bytes, got {got}")]
    SuffixTooLong {
        /// Bytes allowed.
        max: usize,
        /// Bytes given.
        got: usize,
    },
    /// A chain context of no bytes, or of more than 64.
    #[error("signature: malformed context")]
    Malformed,
}

/// The chain that chain-separated signatures are for, usually the hash of its genesis document in hexadecimal digits.
///
/// The default is unset: chain-separated signatures are then neither made nor accepted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChainContext(Option<String>);

impl ChainContext {
    /// No chain.
    pub const UNSET: Self = Self(None);

    /// A chain context of 1 to 64 bytes.
    ///
    /// Source: go/common/crypto/signature/signer.go, `SetChainContext`.
    pub fn new(text: impl Into<String>) -> Result<Self, ContextError> {
        let text = text.into();
        if text.is_empty() || text.len() > CHAIN_CONTEXT_MAX {
            return Err(ContextError::Malformed);
        }
        Ok(Self(Some(text)))
    }

    /// The chain context of a genesis document, given the hash of its canonical encoding.
    ///
    /// Source: go/genesis/api/api.go, `Document.ChainContext`.
    pub fn of_genesis_hash(hash: &Hash) -> Self {
        Self(Some(hash.to_string()))
    }

    /// The text, none where unset.
    pub fn as_str(&self) -> Option<&str> {
        self.0.as_deref()
    }
}

/// A registered context: constants that stand beside the types they sign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Context {
    base: Cow<'static, str>,
    chain_separated: bool,
    suffix: Option<Suffix>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Suffix {
    lead: &'static str,
    max: usize,
}

impl Context {
    /// A context that doesn't name the chain. Checked when compiled, where it makes a constant: not empty, not too long,
    /// without the text that leads a chain context in.
    pub const fn new(base: &'static str) -> Self {
        assert!(!base.is_empty() && base.len() <= CONTEXT_MAX, "malformed context");
        assert!(!contains(base.as_bytes(), CHAIN_SEPARATOR.as_bytes()), "context includes the chain separator");
        Self { base: Cow::Borrowed(base), chain_separated: false, suffix: None }
    }

    /// The same context, for one chain only.
    pub const fn with_chain_separation(mut self) -> Self {
        self.chain_separated = true;
        assert!(self.longest() <= CONTEXT_MAX, "malformed context");
        self
    }

    /// The same context with a part decided later: `lead` and up to `max` bytes.
    pub const fn with_dynamic_suffix(mut self, lead: &'static str, max: usize) -> Self {
        assert!(!lead.is_empty() && lead.len() < CONTEXT_MAX && max < CONTEXT_MAX, "malformed context");
        self.suffix = Some(Suffix { lead, max });
        assert!(self.longest() <= CONTEXT_MAX, "malformed context");
        self
    }

    #[allow(clippy::arithmetic_side_effects, reason = "every part was checked to be at most 255")]
    const fn longest(&self) -> usize {
        let base = match &self.base {
            Cow::Borrowed(text) => text.len(),
            Cow::Owned(_) => CONTEXT_MAX,
        };
        let chain = if self.chain_separated { CHAIN_SEPARATOR.len() + CHAIN_CONTEXT_MAX } else { 0 };
        let suffix = match &self.suffix {
            Some(suffix) => suffix.lead.len() + suffix.max,
            None => 0,
        };
        base + chain + suffix
    }

    /// The context with its suffix decided.
    ///
    /// Source: go/common/crypto/signature/signer.go, `Context.WithSuffix`.
    pub fn with_suffix(&self, text: &str) -> Result<Self, ContextError> {
        let suffix = self.suffix.ok_or(ContextError::SuffixNotConfigured)?;
        if text.len() > suffix.max {
            return Err(ContextError::SuffixTooLong { max: suffix.max, got: text.len() });
        }
        let base = Cow::Owned([&self.base, suffix.lead, text].concat());
        Ok(Self { base, chain_separated: self.chain_separated, suffix: None })
    }

    /// The text without the chain: the base, with its suffix where decided.
    pub fn as_str(&self) -> &str {
        &self.base
    }

    /// Whether signatures are for one chain only.
    pub fn is_chain_separated(&self) -> bool {
        self.chain_separated
    }

    /// The whole context: base, suffix, ` for chain ` and the chain.
    ///
    /// Source: go/common/crypto/signature/signer.go, `PrepareSignerContext`.
    pub fn prepare(&self, chain: &ChainContext) -> Result<SigningContext, ContextError> {
        let mut whole = self.base.clone();
        if self.chain_separated {
            let chain = chain.as_str().ok_or(ContextError::NoChainContext)?;
            whole = Cow::Owned([&self.base, CHAIN_SEPARATOR, chain].concat());
        }
        if self.suffix.is_some() {
            return Err(ContextError::NoSuffix);
        }
        Ok(SigningContext(whole))
    }
}

const fn contains(text: &[u8], part: &[u8]) -> bool {
    let mut rest = text;
    loop {
        let (mut a, mut b) = (rest, part);
        loop {
            match (a, b) {
                (_, []) => return true,
                ([x, more_a @ ..], [y, more_b @ ..]) if *x == *y => (a, b) = (more_a, more_b),
                _ => break,
            }
        }
        match rest {
            [] => return false,
            [_, more @ ..] => rest = more,
        }
    }
}

/// A whole context, ready to be hashed in front of messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SigningContext(Cow<'static, str>);

impl SigningContext {
    /// A whole context that another process made ready, of 1 to 255 bytes: that process has decided that it is one to be signed under.
    ///
    /// Source: go/common/crypto/signature/signer.go, `PrepareSignerContext`, `UnsafeAllowUnregisteredContexts`.
    pub fn from_prepared(text: &str) -> Result<Self, ContextError> {
        if text.is_empty() || text.len() > CONTEXT_MAX {
            return Err(ContextError::Malformed);
        }
        Ok(Self(Cow::Owned(text.to_owned())))
    }

    /// What is signed: SHA-512/256(context ‖ message).
    ///
    /// Source: go/common/crypto/signature/signer.go, `PrepareSignerMessage`.
    pub fn prehash(&self, message: &[u8]) -> Hash {
        Hash::of_parts(&[self.0.as_bytes(), message])
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SigningContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
