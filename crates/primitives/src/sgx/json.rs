//! A reader of JSON with the leniency of Go's `encoding/json`, for reports whose acceptance must agree.
//!
//! Bytes that are not UTF-8 and lone surrogates become U+FFFD; keys match without case; 4.0 is not an integer.

use super::{Error, text::decode_base64};

/// Source: Go `encoding/json`, `maxNestingDepth`.
const MAX_DEPTH: usize = 10_000;

fn malformed() -> Error {
    Error::new("ias/avr: failed to parse JSON")
}

fn mismatch(kind: &'static str) -> Error {
    Error::new(format!("ias/avr: failed to parse JSON: expected {kind}"))
}

/// A place in a text.
#[derive(Clone, Copy)]
struct Scanner<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Scanner<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn step(&mut self) {
        self.at = self.at.saturating_add(1);
    }

    fn next(&mut self) -> Option<u8> {
        let b = self.peek();
        self.step();
        b
    }

    fn blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.step();
        }
    }

    fn expect(&mut self, wanted: u8) -> Result<(), Error> {
        if self.next() == Some(wanted) { Ok(()) } else { Err(malformed()) }
    }

    fn digits(&mut self) -> Result<(), Error> {
        if !self.peek().is_some_and(|b| b.is_ascii_digit()) {
            return Err(malformed());
        }
        while self.peek().is_some_and(|b| b.is_ascii_digit()) {
            self.step();
        }
        Ok(())
    }

    fn number(&mut self) -> Result<(), Error> {
        if self.peek() == Some(b'-') {
            self.step();
        }
        if self.peek() == Some(b'0') {
            self.step()
        } else {
            self.digits()?
        }
        if self.peek() == Some(b'.') {
            self.step();
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.step();
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.step();
            }
            self.digits()?;
        }
        Ok(())
    }

    /// Passes over a string and gives what stands between its quotes.
    fn string(&mut self) -> Result<&'a [u8], Error> {
        self.expect(b'"')?;
        let start = self.at;
        loop {
            match self.next() {
                Some(b'"') => return self.text.get(start..self.at.saturating_sub(1)).ok_or_else(malformed),
                Some(b'\\') => match self.next() {
                    Some(b'b' | b'f' | b'n' | b'r' | b't' | b'\\' | b'/' | b'"') => {}
                    Some(b'u') => {
                        for _ in 0..4 {
                            if !self.next().is_some_and(|b| b.is_ascii_hexdigit()) {
                                return Err(malformed());
                            }
                        }
                    }
                    _ => return Err(malformed()),
                },
                Some(0x20..) => {}
                _ => return Err(malformed()),
            }
        }
    }

    fn key(&mut self) -> Result<&'a [u8], Error> {
        self.blanks();
        let key = self.string()?;
        self.blanks();
        self.expect(b':')?;
        Ok(key)
    }

    /// Passes over a value, without recursion, and gives its text.
    fn value(&mut self) -> Result<&'a [u8], Error> {
        self.blanks();
        let start = self.at;
        let mut open: Vec<u8> = Vec::new();
        'value: loop {
            self.blanks();
            match self.peek().ok_or_else(malformed)? {
                b @ (b'{' | b'[') => {
                    open.push(b);
                    if open.len() > MAX_DEPTH {
                        return Err(malformed());
                    }
                    self.step();
                    self.blanks();
                    // In ASCII a closing bracket comes two after its opening one.
                    if self.peek() == b.checked_add(2) {
                        open.pop();
                        self.step();
                    } else {
                        if b == b'{' {
                            self.key()?;
                        }
                        continue 'value;
                    }
                }
                b'"' => drop(self.string()?),
                b'-' | b'0'..=b'9' => self.number()?,
                _ => {
                    let rest = self.text.get(self.at..).unwrap_or_default();
                    let word = [&b"null"[..], b"true", b"false"].into_iter().find(|w| rest.starts_with(w)).ok_or_else(malformed)?;
                    self.at = self.at.saturating_add(word.len());
                }
            }
            loop {
                let Some(bracket) = open.last().copied() else {
                    return self.text.get(start..self.at).ok_or_else(malformed);
                };
                self.blanks();
                match self.next() {
                    Some(b',') => {
                        if bracket == b'{' {
                            self.key()?;
                        }
                        continue 'value;
                    }
                    Some(b) if Some(b) == bracket.checked_add(2) => drop(open.pop()),
                    _ => return Err(malformed()),
                }
            }
        }
    }
}

/// A value's text, known to be valid.
#[derive(Clone, Copy)]
pub(super) struct Value<'a>(&'a [u8]);

/// The value that is a whole text.
pub(super) fn parse(text: &[u8]) -> Result<Value<'_>, Error> {
    let mut scanner = Scanner { text, at: 0 };
    let value = scanner.value()?;
    scanner.blanks();
    if scanner.peek().is_some() { Err(malformed()) } else { Ok(Value(value)) }
}

impl<'a> Value<'a> {
    pub(super) fn is_null(self) -> bool {
        self.0 == b"null"
    }

    /// An object's keys and values, duplicates included.
    pub(super) fn members(self) -> Result<Vec<(String, Value<'a>)>, Error> {
        let mut scanner = Scanner { text: self.0, at: 0 };
        scanner.expect(b'{').map_err(|_| mismatch("an object"))?;
        let mut out = Vec::new();
        scanner.blanks();
        if scanner.peek() == Some(b'}') {
            return Ok(out);
        }
        loop {
            let key = unquote(scanner.key()?);
            out.push((key, Value(scanner.value()?)));
            scanner.blanks();
            if scanner.next() != Some(b',') {
                return Ok(out);
            }
        }
    }

    fn items(self) -> Result<Vec<Value<'a>>, Error> {
        let mut scanner = Scanner { text: self.0, at: 0 };
        scanner.expect(b'[').map_err(|_| mismatch("an array"))?;
        let mut out = Vec::new();
        scanner.blanks();
        if scanner.peek() == Some(b']') {
            return Ok(out);
        }
        loop {
            out.push(Value(scanner.value()?));
            scanner.blanks();
            if scanner.next() != Some(b',') {
                return Ok(out);
            }
        }
    }

    /// A string's text.
    pub(super) fn text(self) -> Result<String, Error> {
        let mut scanner = Scanner { text: self.0, at: 0 };
        scanner.string().map(unquote).map_err(|_| mismatch("a string"))
    }

    /// A number without fraction or exponent.
    pub(super) fn integer(self) -> Result<i64, Error> {
        std::str::from_utf8(self.0).ok().and_then(|t| t.parse().ok()).ok_or_else(|| mismatch("an integer"))
    }

    /// Bytes: base64, or an array of numbers, whose nulls leave what stood there `before`.
    pub(super) fn bytes(self, before: &[u8]) -> Result<Vec<u8>, Error> {
        if self.0.first() != Some(&b'[') {
            return decode_base64(self.text()?.as_bytes()).ok_or_else(|| mismatch("base64"));
        }
        let byte = |(index, item): (usize, Value<'_>)| {
            if item.is_null() {
                return Ok(before.get(index).copied().unwrap_or_default());
            }
            std::str::from_utf8(item.0).ok().and_then(|t| t.parse().ok()).ok_or_else(|| mismatch("a byte"))
        };
        self.items()?.into_iter().enumerate().map(byte).collect()
    }

    /// An array of strings, whose nulls leave what stood there `before`.
    pub(super) fn texts(self, before: &[String]) -> Result<Vec<String>, Error> {
        let text = |(index, item): (usize, Value<'_>)| {
            if item.is_null() { Ok(before.get(index).cloned().unwrap_or_default()) } else { item.text() }
        };
        self.items()?.into_iter().enumerate().map(text).collect()
    }
}

/// Whether an object's key names a field: without case, the long s and the Kelvin sign included.
///
/// Source: Go `encoding/json`, `foldFunc`.
pub(super) fn names(key: &str, field: &str) -> bool {
    let fold = |c: char| match c {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        c => c.to_ascii_lowercase(),
    };
    key.chars().map(fold).eq(field.chars().map(fold))
}

/// Source: Go `encoding/json`, `unquote`.
fn unquote(quoted: &[u8]) -> String {
    let mut out = String::with_capacity(quoted.len());
    let mut rest = quoted;
    while let Some((&first, tail)) = rest.split_first() {
        if first == b'\\' {
            rest = unescape(tail, &mut out);
            continue;
        }
        let plain = rest.iter().position(|b| *b == b'\\').unwrap_or(rest.len());
        let Some((run, after)) = rest.split_at_checked(plain) else { return out };
        push_lossy(run, &mut out);
        rest = after;
    }
    out
}

/// Reads what follows a backslash.
fn unescape<'a>(text: &'a [u8], out: &mut String) -> &'a [u8] {
    let Some((&kind, rest)) = text.split_first() else { return text };
    let plain = match kind {
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => {
            let (unit, rest) = utf16_unit(rest);
            if let 0xd800..=0xdbff = unit
                && let Some(low) = rest.strip_prefix(b"\\u")
                && let (second @ 0xdc00..=0xdfff, after) = utf16_unit(low)
                && let Some(Ok(c)) = char::decode_utf16([unit, second]).next()
            {
                out.push(c);
                return after;
            }
            out.push(char::from_u32(u32::from(unit)).unwrap_or(char::REPLACEMENT_CHARACTER));
            return rest;
        }
        other => char::from(other),
    };
    out.push(plain);
    rest
}

fn utf16_unit(text: &[u8]) -> (u16, &[u8]) {
    let (digits, rest) = text.split_at_checked(4).unwrap_or((text, &[]));
    let unit = std::str::from_utf8(digits).ok().and_then(|d| u16::from_str_radix(d, 16).ok());
    (unit.unwrap_or(0xfffd), rest)
}

/// Appends text, with U+FFFD for every byte that is not part of UTF-8.
fn push_lossy(mut bytes: &[u8], out: &mut String) {
    loop {
        match std::str::from_utf8(bytes) {
            Ok(text) => return out.push_str(text),
            Err(e) => {
                let (valid, rest) = bytes.split_at_checked(e.valid_up_to()).unwrap_or((&[], bytes));
                out.push_str(std::str::from_utf8(valid).unwrap_or_default());
                out.push(char::REPLACEMENT_CHARACTER);
                bytes = rest.get(1..).unwrap_or_default();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_read_as_go_reads_it() {
        let text = |t: &[u8]| parse(t).unwrap().text().unwrap();
        assert_eq!(text(br#" "a\u0041\ud83d\ude00\n" "#), "aA\u{1f600}\n");
        assert_eq!(text(br#""\ud83dx\ude00""#), "\u{fffd}x\u{fffd}");
        assert_eq!(text(b"\"\xe2\x82\""), "\u{fffd}\u{fffd}");
        assert!(parse(b"\"\x01\"").is_err());
        assert!(parse(b"\"\\x\"").is_err());
    }

    #[test]
    fn structure_is_checked_without_recursion() {
        for good in ["[]", "{}", "[1,{\"a\":[null,true]}]", "-0.5e+3", " {\"a\" : 1 , \"b\":[ ] } "] {
            assert!(parse(good.as_bytes()).is_ok(), "{good}");
        }
        for bad in ["", "[1,]", "{,}", "{\"a\"}", "01", "1.", "-", "[}", "nul", "1 2", "{\"a\":1,}"] {
            assert!(parse(bad.as_bytes()).is_err(), "{bad}");
        }
        assert!(parse(&[b'['; 1 << 20]).is_err());
        assert!(parse([vec![b'['; 10_000], vec![b']'; 10_000]].concat().as_slice()).is_ok());
        assert!(parse([vec![b'['; 10_001], vec![b']'; 10_001]].concat().as_slice()).is_err());
    }

    #[test]
    fn keys_fold_as_in_go() {
        assert!(names("NONCE", "nonce"));
        assert!(names("p\u{17f}eManifestStatu\u{17f}", "pseManifestStatus"));
        assert!(!names("nonc", "nonce"));
    }
}
