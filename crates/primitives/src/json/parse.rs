//! Text as Go's decoder reads it.

use serde_json::{Map, Number};

use super::{Value, duplicates};

/// The deepest nesting. Go's own limit is 10,000; nothing that is read here has more than a dozen levels.
const MAX_DEPTH: usize = 128;

/// Where a text is not JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("syntax error at byte {0}")]
pub struct SyntaxError(pub usize);

/// Reads a text. Bytes that are not UTF-8 and lone surrogates become U+FFFD; of duplicate keys every value is
/// kept, for [`super::read_field`].
///
/// Source: Go's `encoding/json`, `Unmarshal`.
pub fn parse(text: &[u8]) -> Result<Value, SyntaxError> {
    let mut parser = Parser { text, at: 0 };
    let value = parser.value(0)?;
    parser.blanks();
    if parser.peek().is_some() { Err(parser.error()) } else { Ok(value) }
}

struct Parser<'a> {
    text: &'a [u8],
    at: usize,
}

impl Parser<'_> {
    fn error(&self) -> SyntaxError {
        SyntaxError(self.at)
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn step(&mut self) {
        self.at = self.at.saturating_add(1);
    }

    fn take(&mut self, wanted: u8) -> bool {
        let found = self.peek() == Some(wanted);
        if found {
            self.step();
        }
        found
    }

    fn expect(&mut self, wanted: u8) -> Result<(), SyntaxError> {
        if self.take(wanted) { Ok(()) } else { Err(self.error()) }
    }

    fn blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.step();
        }
    }

    fn value(&mut self, depth: usize) -> Result<Value, SyntaxError> {
        if depth > MAX_DEPTH {
            return Err(self.error());
        }
        let inner = depth.saturating_add(1);
        self.blanks();
        match self.peek().ok_or(self.error())? {
            b'{' => self.object(inner),
            b'[' => self.array(inner),
            b'"' => self.string().map(Value::String),
            b'-' | b'0'..=b'9' => self.number(),
            _ => {
                let rest = self.text.get(self.at..).unwrap_or_default();
                let words = [(&b"null"[..], Value::Null), (b"true", Value::Bool(true)), (b"false", Value::Bool(false))];
                let (word, value) = words.into_iter().find(|(word, _)| rest.starts_with(word)).ok_or(self.error())?;
                self.at = self.at.saturating_add(word.len());
                Ok(value)
            }
        }
    }

    fn object(&mut self, depth: usize) -> Result<Value, SyntaxError> {
        self.expect(b'{')?;
        let mut out = Map::new();
        self.blanks();
        if self.take(b'}') {
            return Ok(Value::Object(out));
        }
        loop {
            self.blanks();
            let key = self.string()?;
            self.blanks();
            self.expect(b':')?;
            let value = self.value(depth)?;
            duplicates::add(&mut out, &key, value);
            self.blanks();
            if self.take(b'}') {
                return Ok(Value::Object(out));
            }
            self.expect(b',')?;
        }
    }

    fn array(&mut self, depth: usize) -> Result<Value, SyntaxError> {
        self.expect(b'[')?;
        let mut out = Vec::new();
        self.blanks();
        if self.take(b']') {
            return Ok(Value::Array(out));
        }
        loop {
            out.push(self.value(depth)?);
            self.blanks();
            if self.take(b']') {
                return Ok(Value::Array(out));
            }
            self.expect(b',')?;
        }
    }

    fn digits(&mut self) -> Result<(), SyntaxError> {
        let start = self.at;
        while self.peek().is_some_and(|b| b.is_ascii_digit()) {
            self.step();
        }
        if self.at == start { Err(self.error()) } else { Ok(()) }
    }

    /// A number without fraction or exponent that fits 64 bits is an integer; any other is a float, which no integer takes.
    fn number(&mut self) -> Result<Value, SyntaxError> {
        let start = self.at;
        self.take(b'-');
        if !self.take(b'0') {
            self.digits()?;
        }
        if self.take(b'.') {
            self.digits()?;
        }
        if self.take(b'e') || self.take(b'E') {
            if !self.take(b'+') {
                self.take(b'-');
            }
            self.digits()?;
        }
        let text = self.text.get(start..self.at).and_then(|t| std::str::from_utf8(t).ok()).ok_or(self.error())?;
        if text == "-0" {
            // Signed integers take it, unsigned ones do not.
            return Number::from_f64(-0.0).map(Value::Number).ok_or(self.error());
        }
        let unsigned = text.parse::<u64>().ok().map(Number::from);
        let integer = unsigned.or_else(|| text.parse::<i64>().ok().map(Number::from));
        // Nothing here takes a float, so that its value only has to be one: neither zero nor beyond what a float holds.
        let float = text.parse().ok().filter(|f: &f64| f.is_finite() && *f != 0.0).unwrap_or(f64::MIN_POSITIVE);
        integer.or_else(|| Number::from_f64(float)).map(Value::Number).ok_or(self.error())
    }

    fn hex4(&mut self) -> Result<u32, SyntaxError> {
        let end = self.at.saturating_add(4);
        let digits = self.text.get(self.at..end).filter(|d| d.iter().all(u8::is_ascii_hexdigit)).ok_or(self.error())?;
        let text = std::str::from_utf8(digits).map_err(|_| self.error())?;
        let value = u32::from_str_radix(text, 16).map_err(|_| self.error())?;
        self.at = end;
        Ok(value)
    }

    /// The character of an escape `\u`, two of them for one beyond the first 65,536.
    fn escaped(&mut self) -> Result<char, SyntaxError> {
        let first = self.hex4()?;
        if let Some(c) = char::from_u32(first) {
            return Ok(c);
        }
        let after = self.at;
        if first < 0xdc00 && self.take(b'\\') && self.take(b'u') {
            let second = self.hex4()?;
            if (0xdc00..0xe000).contains(&second) {
                // Each gives ten bits, counted from 0x10000.
                let bits = (first & 0x3ff) << 10 | second & 0x3ff;
                return Ok(char::from_u32(bits.saturating_add(0x1_0000)).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
        }
        self.at = after;
        Ok(char::REPLACEMENT_CHARACTER)
    }

    fn string(&mut self) -> Result<String, SyntaxError> {
        self.expect(b'"')?;
        let mut out = String::new();
        let mut start = self.at;
        loop {
            let byte = self.peek().ok_or(self.error())?;
            if !matches!(byte, b'"' | b'\\') {
                if byte < 0x20 {
                    return Err(self.error());
                }
                self.step();
                continue;
            }
            push_lossy(&mut out, self.text.get(start..self.at).unwrap_or_default());
            self.step();
            if byte == b'"' {
                return Ok(out);
            }
            let escape = self.peek().ok_or(self.error())?;
            self.step();
            out.push(match escape {
                b'"' | b'\\' | b'/' => char::from(escape),
                b'b' => '\u{8}',
                b'f' => '\u{c}',
                b'n' => '\n',
                b'r' => '\r',
                b't' => '\t',
                b'u' => self.escaped()?,
                _ => return Err(self.error()),
            });
            start = self.at;
        }
    }
}

/// Adds text; each byte that is not part of UTF-8 becomes U+FFFD.
///
/// Source: Go's `unicode/utf8`, `DecodeRune`, which passes over one byte at a time.
fn push_lossy(out: &mut String, bytes: &[u8]) {
    for chunk in bytes.utf8_chunks() {
        out.push_str(chunk.valid());
        out.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn text_is_read_as_go_does() {
        assert_eq!(
            parse(br#" {"a": [1, -2, true, null, "x\u00e9\n"], "b": {}} "#).unwrap(),
            json!({"a": [1, -2, true, null, "x\u{e9}\n"], "b": {}})
        );
        assert_eq!(parse(br#""\ud83d\ude00\ud83dx\ude00\ud83d\u0041""#).unwrap(), json!("\u{1f600}\u{fffd}x\u{fffd}\u{fffd}A"));
        assert_eq!(parse(b"\"a\xff\xe2\x82b\"").unwrap(), json!("a\u{fffd}\u{fffd}\u{fffd}b"));
        assert_eq!(crate::json::read::<i64>(&parse(b"-0").unwrap()), Ok(0));
        assert!(crate::json::read::<u64>(&parse(b"-0").unwrap()).is_err());
        assert!(crate::json::read::<i64>(&parse(b"-0.0").unwrap()).is_err());
        assert_eq!(parse(b"18446744073709551615").unwrap(), json!(u64::MAX));
        assert!(parse(b"1e2").unwrap().is_f64() && parse(b"18446744073709551616").unwrap().is_f64() && parse(b"1e999").unwrap().is_f64());
    }

    #[test]
    fn what_is_not_json_is_refused_with_its_place() {
        let bad: [&[u8]; 16] = [
            b"",
            b"{",
            b"[1,]",
            b"{\"a\":1,}",
            b"01",
            b"+1",
            b".5",
            b"1.",
            b"1e",
            b"nul",
            b"\"\x01\"",
            b"\"\\x\"",
            b"\"\\u12\"",
            b"1 2",
            b"{a:1}",
            b"\xef\xbb\xbf1",
        ];
        for text in bad {
            assert!(parse(text).is_err(), "{text:?}");
        }
        assert_eq!(parse(b"[1, x]"), Err(SyntaxError(4)));
        assert!(parse(&[b'['; 100_000]).is_err());
    }
}
