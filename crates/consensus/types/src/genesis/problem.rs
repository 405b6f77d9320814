//! Why a genesis document is refused.

use std::fmt;

/// What is wrong in a genesis document, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Problem {
    /// The path of the value from the document's root, without a leading dot: `beacon.params.backend`.
    pub path: String,
    /// What is wrong there.
    pub reason: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, ".{}: {}", self.path, self.reason)
    }
}

impl Problem {
    /// A value that is not what it must be.
    pub fn new(path: impl Into<String>, expected: impl fmt::Display, found: impl fmt::Display) -> Self {
        Self { path: path.into(), reason: format!("expected {expected}, found {found}") }
    }

    /// A rule that something at a path breaks.
    pub fn because(path: impl Into<String>, reason: impl fmt::Display) -> Self {
        Self { path: path.into(), reason: reason.to_string() }
    }

    /// The same problem, inside a field.
    #[must_use]
    pub fn within(mut self, field: &str) -> Self {
        let dot = if self.path.is_empty() || self.path.starts_with('[') { "" } else { "." };
        self.path = format!("{field}{dot}{}", self.path);
        self
    }
}
