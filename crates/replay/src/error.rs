//! Why a chain file was refused, or what differed.

use std::fmt;

use oasis_consensus_engine::VerifyError;
use serde_json::{Value, json};
use thiserror::Error;

use crate::difference::Difference;

/// Where in a chain file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The compressed stream's or the sequence's header.
    Header,
    /// The item of a block.
    Height(i64),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header => f.write_str("header"),
            Self::Height(height) => write!(f, "height {height}"),
        }
    }
}

/// A chain file that is damaged, or no recording of a network.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{place}, {field}: expected {expected}, found {found}")]
pub struct Refused {
    /// Where.
    pub place: Place,
    /// Which field, as a path.
    pub field: String,
    /// What the rule wants.
    pub expected: String,
    /// What stands there.
    pub found: String,
}

impl Refused {
    /// A refusal at a place.
    pub fn new(place: Place, field: impl Into<String>, expected: impl fmt::Display, found: impl fmt::Display) -> Self {
        Self { place, field: field.into(), expected: expected.to_string(), found: found.to_string() }
    }

    /// A refusal by a rule of the consensus engine, below a field of a block's item.
    pub fn verify(height: i64, field: &str, e: VerifyError) -> Self {
        let e = if e.field.starts_with(field) { e } else { e.inside(field) };
        Self { place: Place::Height(height), field: e.field, expected: e.expected, found: e.found }
    }
}

/// Why a replay ended before its end.
#[derive(Debug, Error)]
pub enum ReplayError {
    /// The file was refused.
    #[error("{file}: {refused}")]
    Refused {
        /// Name of the file.
        file: String,
        /// Why.
        refused: Box<Refused>,
    },
    /// Our state machine and the recorded network differ.
    #[error("{file}: {difference}")]
    Different {
        /// Name of the file.
        file: String,
        /// What differs.
        difference: Box<Difference>,
    },
    /// The state machine stopped: a state that cannot be, or a database that failed.
    #[error("{file}: height {height}: {message}")]
    Stopped {
        /// Name of the file.
        file: String,
        /// Height of the block that was being executed.
        height: i64,
        /// Why.
        message: String,
    },
    /// Something else than the chain, named in the text.
    #[error("{0}")]
    Other(String),
}

impl ReplayError {
    /// The error as JSON, one object.
    pub fn to_json(&self) -> Value {
        match self {
            Self::Refused { file, refused } => {
                let height = match refused.place {
                    Place::Header => Value::Null,
                    Place::Height(h) => json!(h),
                };
                json!({
                    "outcome": "refused", "file": file, "height": height, "field": refused.field,
                    "expected": refused.expected, "found": refused.found,
                })
            }
            Self::Different { file, difference } => {
                let mut out = json!({ "outcome": "different", "file": file });
                if let (Value::Object(out), Value::Object(more)) = (&mut out, difference.to_json()) {
                    out.extend(more);
                }
                out
            }
            Self::Stopped { file, height, message } => {
                json!({ "outcome": "stopped", "file": file, "height": height, "error": message })
            }
            Self::Other(message) => json!({ "outcome": "error", "error": message }),
        }
    }
}
