//! Numbers, booleans, text and bytes.

use base64::{Engine, prelude::BASE64_STANDARD};

use super::{Error, FromJson, JsonKey, ToJson, Value};

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
                value
                    .$read()
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
    u16: as_u64,
    u32: as_u64,
    u64: as_u64,
    i8: as_i64,
    i16: as_i64,
    i32: as_i64,
    i64: as_i64,
}

impl ToJson for u8 {
    fn to_json(&self) -> Value {
        Value::from(*self)
    }

    fn json_empty(&self) -> bool {
        *self == 0
    }

    fn slice_to_json(slice: &[Self]) -> Value {
        Value::String(BASE64_STANDARD.encode(slice))
    }
}

impl FromJson for u8 {
    fn from_json(value: &Value) -> Result<Self, Error> {
        value.as_u64().and_then(|n| Self::try_from(n).ok()).ok_or_else(|| Error::expected("a number of type u8", value))
    }

    fn vec_from_json(value: &Value) -> Result<Vec<Self>, Error> {
        value.as_str().and_then(|text| BASE64_STANDARD.decode(text).ok()).ok_or_else(|| Error::expected("bytes in base64", value))
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
