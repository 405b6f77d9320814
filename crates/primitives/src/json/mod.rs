//! JSON as the original's encoder writes it and its decoder reads it.
//!
//! Genesis documents and descriptors have the same fields in JSON as in CBOR. Bytes are base64, 64-bit integers are plain
//! numbers, maps are sorted by key. What is read: keys match without case, unknown ones are passed over, null leaves the
//! zero value. An error names the path of the value.
//!
//! Source: Go's `encoding/json`, as used by go/genesis/api/api.go.

mod containers;
mod duplicates;
mod parse;
mod scalars;
mod write;

use std::fmt;

pub use oasis_primitives_derive::Json;
pub use parse::{SyntaxError, parse};
pub use serde_json::Value;
pub use write::{to_text, to_text_pretty};

/// A value with a JSON form.
pub trait ToJson {
    /// The JSON form.
    fn to_json(&self) -> Value;

    /// Whether a field marked `omitempty` leaves this value out; structures and fixed arrays are never left out.
    fn json_empty(&self) -> bool {
        false
    }

    /// The JSON form of a sequence of these: an array, for bytes base64 text.
    fn slice_to_json(slice: &[Self]) -> Value
    where
        Self: Sized,
    {
        Value::Array(slice.iter().map(Self::to_json).collect())
    }
}

/// A value that can be read from JSON; its default stands for a missing or null one.
pub trait FromJson: Default {
    /// Whether null takes away what an earlier duplicate of the key gave: so it is with pointers, slices and maps.
    const NULL_CLEARS: bool = false;

    /// Reads the value, which is not null.
    fn from_json(value: &Value) -> Result<Self, Error>;

    /// Reads a sequence of these: an array, for bytes base64 text.
    fn vec_from_json(value: &Value) -> Result<Vec<Self>, Error> {
        let items = value.as_array().ok_or_else(|| Error::expected("an array", value))?;
        items.iter().enumerate().map(|(i, item)| read(item).map_err(|e| e.at_index(i))).collect()
    }
}

/// A map's key, which JSON writes as text.
pub trait JsonKey: Sized + Ord {
    /// The key's text.
    fn to_key(&self) -> String;
    /// Reads the key's text.
    fn from_key(text: &str) -> Option<Self>;
}

/// Why a JSON value does not fit, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Error {
    /// The path of the value from the root, such as `.staking.params.thresholds`.
    pub path: String,
    /// What is wrong.
    pub reason: String,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = if self.path.is_empty() { "." } else { &self.path };
        write!(f, "{path}: {}", self.reason)
    }
}

impl Error {
    /// An error of a type's own rules.
    pub fn new(reason: impl Into<String>) -> Self {
        Self { path: String::new(), reason: reason.into() }
    }

    /// An error that says what was expected and what was found.
    pub fn expected(what: &str, found: &Value) -> Self {
        let mut text = found.to_string();
        if let Some((end, _)) = text.char_indices().nth(60) {
            text.truncate(end);
            text.push('…');
        }
        Self::new(format!("expected {what}, found {text}"))
    }

    /// The same error, inside a field.
    #[must_use]
    pub fn in_field(mut self, name: &str) -> Self {
        self.path = format!(".{name}{}", self.path);
        self
    }

    /// The same error, inside an array's element.
    #[must_use]
    pub fn at_index(mut self, index: usize) -> Self {
        self.path = format!("[{index}]{}", self.path);
        self
    }
}

/// Reads a value; null leaves the default.
pub fn read<T: FromJson>(value: &Value) -> Result<T, Error> {
    if value.is_null() { Ok(T::default()) } else { T::from_json(value) }
}

/// Reads a field of an object, without regard to the case of its key. Where several keys match, each value is read into
/// what those before it gave.
pub fn read_field<T: FromJson>(object: &serde_json::Map<String, Value>, name: &str) -> Result<Option<T>, Error> {
    let mut found = object.iter().filter(|(key, _)| same_key(duplicates::written(key), name)).map(|(_, value)| value);
    let Some(first) = found.next() else { return Ok(None) };
    let read = |value: &Value| read::<T>(value).map_err(|e| e.in_field(name));
    let mut out = read(first)?;
    let mut whole = None;
    for value in found {
        // What is replaced has to fit as well.
        read(value)?;
        if !value.is_null() || T::NULL_CLEARS {
            duplicates::merge(whole.get_or_insert_with(|| first.clone()), value);
        }
    }
    if let Some(whole) = whole {
        out = read(&whole)?;
    }
    Ok(Some(out))
}

/// Two letters beyond ASCII count as the letters of which they are variants.
///
/// Source: Go's `encoding/json`, `equalFoldRight`.
fn same_key(key: &str, name: &str) -> bool {
    let fold = |c: char| match c {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        c => c.to_ascii_lowercase(),
    };
    key == name || key.chars().map(fold).eq(name.chars().map(fold))
}

/// Gives a type with a `Display` and a parser from text its JSON form: that text.
#[macro_export]
macro_rules! text_json {
    ($type:ty, $what:expr, $parse:expr) => {
        impl $crate::json::ToJson for $type {
            fn to_json(&self) -> $crate::json::Value {
                $crate::json::Value::String(self.to_string())
            }
        }

        impl $crate::json::FromJson for $type {
            fn from_json(value: &$crate::json::Value) -> Result<Self, $crate::json::Error> {
                value.as_str().and_then($parse).ok_or_else(|| $crate::json::Error::expected($what, value))
            }
        }

        impl $crate::json::JsonKey for $type {
            fn to_key(&self) -> String {
                self.to_string()
            }

            fn from_key(text: &str) -> Option<Self> {
                ($parse)(text)
            }
        }
    };
}
pub use text_json;

/// An object without fields, which keeps the order in which they are added.
pub fn object() -> serde_json::Map<String, Value> {
    serde_json::Map::new()
}
