//! Failures of the state machine.

use std::borrow::Cow;

pub use oasis_consensus_types::errors::{Code, CodedError};

/// Why an operation of the state machine ended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The operation is refused; for a transaction this is its result.
    #[error("{0}")]
    Failed(CodedError),
    /// The state is missing, damaged or contradicts itself: the node must stop, because it would compute another state.
    ///
    /// Source: go/consensus/tendermint/api/errors.go, `UnavailableStateError`.
    #[error("unavailable or corrupted state: {0}")]
    Fatal(String),
}

/// The result of an operation of the state machine.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// A failure without a code of its own: module `unknown`, code 1.
    pub fn unknown(message: impl Into<Cow<'static, str>>) -> Self {
        Self::Failed(CodedError::unknown(message))
    }

    /// A failure that stops the node.
    pub fn fatal(message: impl std::fmt::Display) -> Self {
        Self::Fatal(message.to_string())
    }

    /// The error with words before its text; module and code stay.
    #[must_use]
    pub fn within(self, what: impl std::fmt::Display) -> Self {
        match self {
            Self::Failed(error) => Self::Failed(error.within(what)),
            Self::Fatal(text) => Self::Fatal(format!("{what}: {text}")),
        }
    }

    /// Whether the node must stop.
    pub fn is_fatal(&self) -> bool {
        matches!(self, Self::Fatal(_))
    }

    /// Whether this is an instance of a registered error.
    pub fn is(&self, code: Code) -> bool {
        matches!(self, Self::Failed(e) if e.is(code))
    }

    /// Module and code, as a transaction's result has them.
    pub fn module_and_code(&self) -> (&str, u32) {
        match self {
            Self::Failed(e) => (&e.module, e.code),
            Self::Fatal(_) => ("unknown", 1),
        }
    }
}

impl From<CodedError> for Error {
    fn from(error: CodedError) -> Self {
        Self::Failed(error)
    }
}

impl From<Code> for Error {
    fn from(code: Code) -> Self {
        Self::Failed(code.into())
    }
}

/// An undecodable part of a transaction is a failure without a code of its own; undecodable state is fatal, which
/// [`crate::store::Store::get_cbor`] sees to.
impl From<oasis_primitives::cbor::Error> for Error {
    fn from(error: oasis_primitives::cbor::Error) -> Self {
        Self::Failed(error.into())
    }
}
