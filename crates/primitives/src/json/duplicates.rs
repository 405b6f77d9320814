//! Keys that an object has more than once.
//!
//! The original reads each value into the place where the one before it is: fields of structures keep what a later value
//! does not name, elements of maps begin anew. Which of the two an object is, is known where it is read, so that until then
//! all values are kept: those of further duplicates under keys that no text can have.
//!
//! Source: Go's `encoding/json`, `decodeState.object`, `decodeState.array`.

use serde_json::Map;

use super::Value;

/// Ends a key as it was written; behind it is what tells duplicates apart.
const END: char = '\0';

/// The key as it was written.
pub(super) fn written(key: &str) -> &str {
    key.rsplit_once(END).map_or(key, |(key, _)| key)
}

/// Adds a value under a key as it was written, behind those that are there.
pub(super) fn add(object: &mut Map<String, Value>, written: &str, value: Value) {
    let place = if written.contains(END) { format!("{written}{END}") } else { written.to_owned() };
    let place = if object.contains_key(&place) { format!("{written}{END}{}", object.len()) } else { place };
    object.insert(place, value);
}

/// Reads `next` on top of what was read before.
pub(super) fn merge(whole: &mut Value, next: &Value) {
    match (whole, next) {
        (Value::Object(whole), Value::Object(next)) => next.iter().for_each(|(key, value)| add(whole, written(key), value.clone())),
        (Value::Array(whole), Value::Array(next)) => {
            whole.truncate(next.len());
            let known = whole.len();
            whole.iter_mut().zip(next).for_each(|(element, next)| merge(element, next));
            whole.extend(next.iter().skip(known).cloned());
        }
        (whole, next) => next.clone_into(whole),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use crate::{
        cbor::{Cbor, NilVec},
        json::{self, FromJson, Json},
    };

    #[derive(Clone, Debug, Default, PartialEq, Cbor, Json)]
    struct Inner {
        a: u64,
        b: u64,
    }

    #[derive(Clone, Debug, Default, PartialEq, Cbor, Json)]
    struct Outer {
        number: u64,
        inner: Inner,
        pointer: Option<Inner>,
        map: BTreeMap<String, Inner>,
        list: NilVec<Inner>,
    }

    fn read(text: &str) -> Result<Outer, json::Error> {
        Outer::from_json(&json::parse(text.as_bytes()).unwrap())
    }

    fn inner(a: u64, b: u64) -> Inner {
        Inner { a, b }
    }

    #[test]
    fn a_later_duplicate_is_read_on_top_of_the_earlier() {
        let both = read(r#"{"number": 1, "inner": {"a": 1, "b": 2}, "NUMBER": 2, "Inner": {"b": 3}, "number": 3, "inner": {"B": 4}}"#);
        assert_eq!(both.unwrap(), Outer { number: 3, inner: inner(1, 4), ..Outer::default() });
        assert_eq!(read(r#"{"pointer": {"a": 1}, "pointer": {"b": 2}}"#).unwrap().pointer, Some(inner(1, 2)));
        let list = read(r#"{"list": [{"a": 1}, {"a": 2}, {"a": 3}], "list": [{"b": 4}, {"a": 5}]}"#).unwrap().list;
        assert_eq!(list, vec![inner(1, 4), inner(5, 0)].into());
    }

    #[test]
    fn elements_of_maps_begin_anew() {
        let map = read(r#"{"map": {"x": {"a": 1}, "y": {"a": 2}, "x": {"b": 3}}, "map": {"y": {"b": 4}, "z": {}}}"#).unwrap().map;
        assert_eq!(
            map.into_iter().map(|(key, v)| (key, v.a, v.b)).collect::<Vec<_>>(),
            [("x".into(), 0, 3), ("y".into(), 0, 4), ("z".into(), 0, 0)]
        );
        let odd = read(r#"{"map": {"x": {"a": 1}, "x\u00001": {"a": 2}, "x\u00001": {"a": 3}, "x": {"a": 4}}}"#).unwrap().map;
        assert_eq!(odd.into_iter().map(|(key, v)| (key, v.a)).collect::<Vec<_>>(), [("x".into(), 4), ("x\u{0}1".into(), 3)]);
    }

    #[test]
    fn null_clears_pointers_and_leaves_numbers() {
        let read = read(r#"{"number": 1, "number": null, "pointer": {"a": 1}, "pointer": null, "inner": {"a": 1}, "inner": null}"#);
        assert_eq!(read.unwrap(), Outer { number: 1, inner: inner(1, 0), ..Outer::default() });
    }

    #[test]
    fn what_is_replaced_has_to_fit() {
        assert_eq!(read(r#"{"number": "1", "number": 1}"#).unwrap_err().path, ".number");
    }
}
