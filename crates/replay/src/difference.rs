//! The first difference between a recorded network and what was computed, decoded.

use std::fmt;

use serde_json::{Value, json};

/// What differs, in words.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// Height of the block.
    pub height: i64,
    /// What differs, as a path.
    pub field: String,
    /// What is recorded.
    pub expected: Value,
    /// What was computed.
    pub actual: Value,
    /// State keys that differ.
    pub keys: Vec<KeyDifference>,
}

/// A state key whose values differ.
#[derive(Clone, Debug, PartialEq)]
pub struct KeyDifference {
    /// The key's name, with what follows its prefix.
    pub name: String,
    /// The recorded value; null where the block leaves or removes it.
    pub expected: Value,
    /// The computed value.
    pub actual: Value,
}

impl Difference {
    /// The difference as JSON, one object.
    pub fn to_json(&self) -> Value {
        let keys: Vec<Value> = self.keys.iter().map(|k| json!({ "key": k.name, "expected": k.expected, "actual": k.actual })).collect();
        json!({
            "height": self.height, "field": self.field, "expected": self.expected, "actual": self.actual, "keys": keys,
        })
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "height {}: {} differs", self.height, self.field)?;
        writeln!(f, "  expected: {}", self.expected)?;
        write!(f, "  actual:   {}", self.actual)?;
        for k in &self.keys {
            write!(f, "\n  state key {}\n    expected: {}\n    actual:   {}", k.name, k.expected, k.actual)?;
        }
        Ok(())
    }
}
