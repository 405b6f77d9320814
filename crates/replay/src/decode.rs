//! Values of any kind as JSON, for people.

use serde_json::{Map, Value, json};

/// Deepest nesting that is shown.
const MAX_DEPTH: u32 = 32;

/// A value of the state or of an event: decoded if it is one CBOR item, else text or hex.
pub(crate) fn value(bytes: &[u8]) -> Value {
    if bytes.is_empty() {
        return json!("");
    }
    let mut rest = bytes;
    if let Some(v) = item(&mut rest, MAX_DEPTH)
        && rest.is_empty()
    {
        return v;
    }
    match std::str::from_utf8(bytes) {
        Ok(text) if text.chars().all(|c| !c.is_control()) => json!(text),
        _ => json!(hex::encode(bytes)),
    }
}

fn item(rest: &mut &[u8], depth: u32) -> Option<Value> {
    let depth = depth.checked_sub(1)?;
    let (first, after) = rest.split_first()?;
    *rest = after;
    let (major, info) = (first >> 5, first & 0x1f);
    if major == 7 {
        return match info {
            20 => Some(json!(false)),
            21 => Some(json!(true)),
            22 => Some(Value::Null),
            _ => None,
        };
    }
    let argument = match info {
        0..=23 => u64::from(info),
        24..=27 => {
            let (bytes, after) = rest.split_at_checked(1 << (info - 24))?;
            *rest = after;
            bytes.iter().fold(0, |n, b| n << 8 | u64::from(*b))
        }
        _ => return None,
    };
    match major {
        0 => Some(json!(argument)),
        1 => Some(json!(-1 - i128::from(argument))).filter(|_| argument < 1 << 63),
        2 => take(rest, argument).map(|b| byte_string(b, depth)),
        3 => Some(json!(std::str::from_utf8(take(rest, argument)?).ok()?)),
        4 => {
            let mut out = Vec::new();
            for _ in 0..argument {
                out.push(item(rest, depth)?);
            }
            Some(Value::Array(out))
        }
        5 => {
            let mut out = Map::new();
            for _ in 0..argument {
                let key = match item(rest, depth)? {
                    Value::String(s) => s,
                    other => other.to_string(),
                };
                out.insert(key, item(rest, depth)?);
            }
            Some(Value::Object(out))
        }
        _ => None,
    }
}

fn take<'a>(rest: &mut &'a [u8], length: u64) -> Option<&'a [u8]> {
    let (bytes, after) = rest.split_at_checked(usize::try_from(length).ok()?)?;
    *rest = after;
    Some(bytes)
}

/// Hex, except that a byte string which holds a whole CBOR map (as signed blobs do) is shown decoded.
fn byte_string(bytes: &[u8], depth: u32) -> Value {
    let mut rest = bytes;
    if bytes.len() > 1
        && bytes[0] >> 5 == 5
        && let Some(v) = item(&mut rest, depth)
        && rest.is_empty()
    {
        return v;
    }
    json!(hex::encode(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cbor_is_shown_decoded_and_the_rest_as_text_or_hex() {
        assert_eq!(value(&[0xa1, 0x61, 0x61, 0x01]), json!({ "a": 1 }));
        assert_eq!(value(&[0x43, 0xa1, 0x61, 0x61]), json!("a16161"));
        assert_eq!(value(b"hello"), json!("hello"));
        assert_eq!(value(&[0xff, 0x00]), json!("ff00"));
        assert_eq!(value(&[0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]), json!("9bffffffffffffffff"));
    }

    #[test]
    fn deep_nesting_is_not_followed() {
        let deep = [vec![0x81; 100_000], vec![0x01]].concat();
        assert_eq!(value(&deep), json!(hex::encode(&deep)));
    }
}
