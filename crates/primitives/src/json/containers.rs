//! Sequences, maps and options.

use std::collections::BTreeMap;

use super::{Error, FromJson, JsonKey, ToJson, Value, duplicates::written, read};
use crate::cbor::{NilMap, NilVec, OrNil};

impl<T: ToJson> ToJson for Vec<T> {
    fn to_json(&self) -> Value {
        T::slice_to_json(self)
    }

    fn json_empty(&self) -> bool {
        self.is_empty()
    }
}

impl<T: FromJson> FromJson for Vec<T> {
    const NULL_CLEARS: bool = true;

    fn from_json(value: &Value) -> Result<Self, Error> {
        T::vec_from_json(value)
    }
}

impl<T: ToJson> ToJson for NilVec<T> {
    fn to_json(&self) -> Value {
        self.0.as_ref().map_or(Value::Null, |items| T::slice_to_json(items))
    }

    fn json_empty(&self) -> bool {
        self.is_empty()
    }
}

impl<T: FromJson> FromJson for NilVec<T> {
    const NULL_CLEARS: bool = true;

    fn from_json(value: &Value) -> Result<Self, Error> {
        T::vec_from_json(value).map(|items| Self(Some(items)))
    }
}

impl<T: ToJson> ToJson for Option<T> {
    fn to_json(&self) -> Value {
        self.as_ref().map_or(Value::Null, ToJson::to_json)
    }

    fn json_empty(&self) -> bool {
        self.is_none()
    }
}

impl<T: FromJson> FromJson for Option<T> {
    const NULL_CLEARS: bool = true;

    fn from_json(value: &Value) -> Result<Self, Error> {
        T::from_json(value).map(Some)
    }
}

impl<T: ToJson> ToJson for Box<T> {
    fn to_json(&self) -> Value {
        (**self).to_json()
    }

    fn json_empty(&self) -> bool {
        (**self).json_empty()
    }
}

impl<T: FromJson> FromJson for Box<T> {
    const NULL_CLEARS: bool = T::NULL_CLEARS;

    fn from_json(value: &Value) -> Result<Self, Error> {
        T::from_json(value).map(Self::new)
    }
}

impl<K: JsonKey, V: ToJson> ToJson for BTreeMap<K, V> {
    fn to_json(&self) -> Value {
        let sorted: BTreeMap<String, Value> = self.iter().map(|(k, v)| (k.to_key(), v.to_json())).collect();
        Value::Object(sorted.into_iter().collect())
    }

    fn json_empty(&self) -> bool {
        self.is_empty()
    }
}

impl<K: JsonKey, V: FromJson> FromJson for BTreeMap<K, V> {
    const NULL_CLEARS: bool = true;

    fn from_json(value: &Value) -> Result<Self, Error> {
        let object = value.as_object().ok_or_else(|| Error::expected("an object", value))?;
        let mut out = Self::new();
        for (text, value) in object {
            let text = written(text);
            let key = K::from_key(text).ok_or_else(|| Error::new("malformed key").in_field(text))?;
            out.insert(key, read(value).map_err(|e| e.in_field(text))?);
        }
        Ok(out)
    }
}

impl<K: JsonKey, V: ToJson> ToJson for NilMap<K, V> {
    fn to_json(&self) -> Value {
        self.0.as_ref().map_or(Value::Null, ToJson::to_json)
    }

    fn json_empty(&self) -> bool {
        self.is_empty()
    }
}

impl<K: JsonKey, V: FromJson> FromJson for NilMap<K, V> {
    const NULL_CLEARS: bool = true;

    fn from_json(value: &Value) -> Result<Self, Error> {
        BTreeMap::from_json(value).map(|map| Self(Some(map)))
    }
}

impl<T: ToJson> ToJson for OrNil<T> {
    fn to_json(&self) -> Value {
        if self.is_nil() { Value::Null } else { (**self).to_json() }
    }
}

impl<T: FromJson> FromJson for OrNil<T> {
    const NULL_CLEARS: bool = true;

    fn from_json(value: &Value) -> Result<Self, Error> {
        T::from_json(value).map(Self::from)
    }
}
