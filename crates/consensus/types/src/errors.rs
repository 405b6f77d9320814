//! Errors that clients see: a module and a code.
//!
//! Source: go/common/errors/errors.go.

use std::{borrow::Cow, fmt};

/// A registered error: module, code and text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code {
    /// The module that defines the error, such as `staking`.
    pub module: &'static str,
    /// The code, unique in the module and never zero.
    pub code: u32,
    /// The registered text.
    pub text: &'static str,
}

impl Code {
    /// Defines an error.
    pub const fn new(module: &'static str, code: u32, text: &'static str) -> Self {
        Self { module, code, text }
    }

    /// The error with details for people.
    pub fn with(self, details: impl fmt::Display) -> CodedError {
        CodedError { module: Cow::Borrowed(self.module), code: self.code, message: Cow::Owned(format!("{}: {details}", self.text)) }
    }
}

/// A failure that a client sees as module and code; the message is for people.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct CodedError {
    /// The module that defines the error.
    pub module: Cow<'static, str>,
    /// The code.
    pub code: u32,
    /// What happened.
    pub message: Cow<'static, str>,
}

impl CodedError {
    /// An error without a code of its own: module `unknown`, code 1.
    pub fn unknown(message: impl Into<Cow<'static, str>>) -> Self {
        Self { module: Cow::Borrowed("unknown"), code: 1, message: message.into() }
    }

    /// The error with words before its text.
    #[must_use]
    pub fn within(self, what: impl fmt::Display) -> Self {
        Self { message: Cow::Owned(format!("{what}: {}", self.message)), ..self }
    }

    /// Whether this is an instance of a registered error.
    pub fn is(&self, code: Code) -> bool {
        self.module == code.module && self.code == code.code
    }
}

impl From<Code> for CodedError {
    fn from(code: Code) -> Self {
        Self { module: Cow::Borrowed(code.module), code: code.code, message: Cow::Borrowed(code.text) }
    }
}

impl From<oasis_primitives::cbor::Error> for CodedError {
    fn from(error: oasis_primitives::cbor::Error) -> Self {
        Self::unknown(error.to_string())
    }
}
