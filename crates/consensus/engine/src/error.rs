//! What is wrong with a block, commit, validator set or piece of evidence.

use std::fmt::{Debug, Display};

use thiserror::Error;

use crate::proto::WireError;

/// A rule that does not hold.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{field}: expected {expected}, found {found}")]
pub struct VerifyError {
    /// Path of the field, from the message that was checked.
    pub field: String,
    /// What the rule wants.
    pub expected: String,
    /// What stands there.
    pub found: String,
}

impl VerifyError {
    /// An error at a field.
    pub fn new(field: impl Into<String>, expected: impl Display, found: impl Display) -> Self {
        Self { field: field.into(), expected: expected.to_string(), found: found.to_string() }
    }

    /// An error about bytes, which are shown in hex.
    pub fn bytes(field: impl Into<String>, expected: &[u8], found: &[u8]) -> Self {
        Self::new(field, hex::encode(expected), hex::encode(found))
    }

    /// The same error seen from the message that holds the one checked.
    pub fn inside(mut self, outer: &str) -> Self {
        self.field = format!("{outer}.{}", self.field);
        self
    }
}

/// Refuses bytes that are not encoded as the original encodes them.
pub(crate) fn from_wire(field: &str, e: WireError) -> VerifyError {
    VerifyError::new(field, "the original's encoding", e)
}

/// Checks that a field is as it must be.
pub(crate) fn same<T: PartialEq + Debug>(field: &str, expected: &T, found: &T) -> Result<(), VerifyError> {
    if expected == found { Ok(()) } else { Err(VerifyError::new(field, format!("{expected:?}"), format!("{found:?}"))) }
}

/// Checks that a field's bytes are as they must be.
pub(crate) fn same_bytes(field: &str, expected: &[u8], found: &[u8]) -> Result<(), VerifyError> {
    if expected == found { Ok(()) } else { Err(VerifyError::bytes(field, expected, found)) }
}

/// Checks a rule that is put in words.
pub(crate) fn ensure(holds: bool, field: &str, expected: impl Display, found: impl Display) -> Result<(), VerifyError> {
    if holds { Ok(()) } else { Err(VerifyError::new(field, expected, found)) }
}
