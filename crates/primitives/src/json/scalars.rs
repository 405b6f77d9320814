//! Numbers, booleans, text and bytes.

use super::{Error, FromJson, JsonKey, ToJson, Value};
use crate::text::{from_base64, to_base64};

fn unsigned(value: &Value) -> Option<u64> {
    value.as_u64()
}

/// Minus zero is a float for the parser.
fn signed(value: &Value) -> Option<i64> {
    let is_minus_zero = || value.is_f64() && value.as_f64() == Some(0.0);
    value.as_i64().or_else(|| is_minus_zero().then_some(0))
}

macro_rules! numbers {
    ($($type:ty: $read:ident,)*) => {$(
        impl ToJson for $type {
            fn to_json(&self) -> Value {
                Value::from(*self)
            }

            fn json_empty(&self) -> bool {
                *self == 0
            }
        }

        impl FromJson for $type {
            fn from_json(value: &Value) -> Result<Self, Error> {
                $read(value)
                    .and_then(|n| Self::try_from(n).ok())
                    .ok_or_else(|| Error::expected(concat!("a number of type ", stringify!($type)), value))
            }
        }

        impl JsonKey for $type {
            fn to_key(&self) -> String {
                self.to_string()
            }

            fn from_key(text: &str) -> Option<Self> {
                text.parse().ok()
            }
        }
    )*};
}

numbers! {
    u16: unsigned,
    u32: unsigned,
    u64: unsigned,
    i8: signed,
    i16: signed,
    i32: signed,
    i64: signed,
}

impl ToJson for u8 {
    fn to_json(&self) -> Value {
        Value::from(*self)
    }

    fn json_empty(&self) -> bool {
        *self == 0
    }

    fn slice_to_json(slice: &[Self]) -> Value {
        Value::String(to_base64(slice))
    }
}

impl FromJson for u8 {
    fn from_json(value: &Value) -> Result<Self, Error> {
        value.as_u64().and_then(|n| Self::try_from(n).ok()).ok_or_else(|| Error::expected("a number of type u8", value))
    }

    fn vec_from_json(value: &Value) -> Result<Vec<Self>, Error> {
        if let Some(items) = value.as_array() {
            return items.iter().enumerate().map(|(i, item)| super::read(item).map_err(|e| e.at_index(i))).collect();
        }
        value.as_str().and_then(from_base64).ok_or_else(|| Error::expected("bytes in base64", value))
    }
}

impl JsonKey for u8 {
    fn to_key(&self) -> String {
        self.to_string()
    }

    fn from_key(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

impl ToJson for bool {
    fn to_json(&self) -> Value {
        Value::Bool(*self)
    }

    fn json_empty(&self) -> bool {
        !*self
    }
}

impl FromJson for bool {
    fn from_json(value: &Value) -> Result<Self, Error> {
        value.as_bool().ok_or_else(|| Error::expected("true or false", value))
    }
}

impl ToJson for String {
    fn to_json(&self) -> Value {
        Value::String(self.clone())
    }

    fn json_empty(&self) -> bool {
        self.is_empty()
    }
}

impl FromJson for String {
    fn from_json(value: &Value) -> Result<Self, Error> {
        value.as_str().map(str::to_owned).ok_or_else(|| Error::expected("text", value))
    }
}

impl JsonKey for String {
    fn to_key(&self) -> String {
        self.clone()
    }

    fn from_key(text: &str) -> Option<Self> {
        Some(text.to_owned())
    }
}
