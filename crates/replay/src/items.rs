//! Reading a sequence of canonical CBOR items as it streams in.
//!
//! Only the shape that recordings have is taken: maps with known keys in canonical order, lengths in their shortest
//! form. What an item claims about its length is never allocated before the bytes are there.

use std::io::{self, Read};

use oasis_primitives::hash::Hash;
use sha2::{Digest, Sha512_256};

/// Why the bytes are not what was expected: what was expected, and what was found.
pub(crate) type Mismatch = (String, String);

const MAJOR_UINT: u8 = 0;
const MAJOR_BYTES: u8 = 2;
const MAJOR_TEXT: u8 = 3;
const MAJOR_ARRAY: u8 = 4;
const MAJOR_MAP: u8 = 5;
/// Null, major type 7.
const NULL: u8 = 0xf6;
/// Longest key of a map in the sequence.
const MAX_KEY: u64 = 64;

/// Reads items and keeps a running hash over all of them.
#[derive(Debug)]
pub(crate) struct Items<R> {
    input: R,
    hasher: Sha512_256,
    digest: Hash,
    peeked: Option<u8>,
}

impl<R: Read> Items<R> {
    pub fn new(input: R) -> Self {
        Self { input, hasher: Sha512_256::new(), digest: Hash::default(), peeked: None }
    }

    /// Ends an item: the hash over the hash so far and the item's bytes.
    pub fn end_item(&mut self) -> Hash {
        let item = std::mem::take(&mut self.hasher).finalize();
        self.digest = Hash::of_parts(&[self.digest.as_ref(), item.as_slice()]);
        self.digest
    }

    /// Whether the input ends here.
    pub fn at_end(&mut self) -> Result<bool, Mismatch> {
        if self.peeked.is_some() {
            return Ok(false);
        }
        let mut byte = [0];
        loop {
            match self.input.read(&mut byte) {
                Ok(0) => return Ok(true),
                Ok(_) => {
                    self.peeked = Some(byte[0]);
                    return Ok(false);
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(read_error(&e)),
            }
        }
    }

    fn byte(&mut self) -> Result<u8, Mismatch> {
        if self.at_end()? {
            return Err(("more bytes".into(), "the end of the file".into()));
        }
        let byte = self.peeked.take().unwrap_or_default();
        self.hasher.update([byte]);
        Ok(byte)
    }

    /// Major type and argument of the next head, which must be in its shortest form.
    fn head(&mut self) -> Result<(u8, u64), Mismatch> {
        let first = self.byte()?;
        let (major, info) = (first >> 5, first & 0x1f);
        let extra = match info {
            0..=23 => return Ok((major, u64::from(info))),
            24 => 1,
            25 => 2,
            26 => 4,
            27 => 8,
            _ => return Err(("canonical CBOR".into(), format!("initial byte {first:#04x}"))),
        };
        let mut argument = 0u64;
        for _ in 0..extra {
            argument = argument << 8 | u64::from(self.byte()?);
        }
        let least = match extra {
            1 => 24,
            2 => 1 << 8,
            4 => 1 << 16,
            _ => 1 << 32,
        };
        if argument < least {
            return Err(("canonical CBOR".into(), format!("{argument} in {extra} bytes")));
        }
        Ok((major, argument))
    }

    fn head_of(&mut self, major: u8) -> Result<u64, Mismatch> {
        let (found, argument) = self.head()?;
        if found == major { Ok(argument) } else { Err((name_of(major).into(), name_of(found).into())) }
    }

    /// Number of pairs of a map.
    pub fn map(&mut self) -> Result<u64, Mismatch> {
        self.head_of(MAJOR_MAP)
    }

    /// Number of items of an array.
    pub fn array(&mut self) -> Result<u64, Mismatch> {
        self.head_of(MAJOR_ARRAY)
    }

    /// The next key of a map.
    pub fn key(&mut self) -> Result<String, Mismatch> {
        self.text(MAX_KEY)
    }

    /// An unsigned integer that fits a height.
    pub fn height(&mut self) -> Result<i64, Mismatch> {
        let n = self.head_of(MAJOR_UINT)?;
        i64::try_from(n).map_err(|_| ("a height".into(), n.to_string()))
    }

    /// A text of at most `limit` bytes.
    pub fn text(&mut self, limit: u64) -> Result<String, Mismatch> {
        let length = self.head_of(MAJOR_TEXT)?;
        let bytes = self.take(length, limit)?;
        String::from_utf8(bytes).map_err(|e| ("text in UTF-8".into(), hex::encode(e.into_bytes())))
    }

    /// A byte string of at most `limit` bytes.
    pub fn bytes(&mut self, limit: u64) -> Result<Vec<u8>, Mismatch> {
        let length = self.head_of(MAJOR_BYTES)?;
        self.take(length, limit)
    }

    /// A byte string of at most `limit` bytes, or null.
    pub fn bytes_or_null(&mut self, limit: u64) -> Result<Option<Vec<u8>>, Mismatch> {
        if !self.at_end()? && self.peeked == Some(NULL) {
            self.byte()?;
            return Ok(None);
        }
        self.bytes(limit).map(Some)
    }

    fn take(&mut self, length: u64, limit: u64) -> Result<Vec<u8>, Mismatch> {
        if length > limit {
            return Err((format!("at most {limit} bytes"), format!("{length}")));
        }
        let mut out = Vec::new();
        if length == 0 {
            return Ok(out);
        }
        // Nothing is peeked here: the head was read by `byte`.
        self.input.by_ref().take(length).read_to_end(&mut out).map_err(|e| read_error(&e))?;
        self.hasher.update(&out);
        if out.len() as u64 == length {
            Ok(out)
        } else {
            Err((format!("{length} bytes"), format!("the end of the file after {}", out.len())))
        }
    }
}

fn read_error(e: &io::Error) -> Mismatch {
    ("a readable file".into(), e.to_string())
}

fn name_of(major: u8) -> &'static str {
    match major {
        MAJOR_UINT => "an unsigned integer",
        1 => "a negative integer",
        MAJOR_BYTES => "a byte string",
        MAJOR_TEXT => "a text",
        MAJOR_ARRAY => "an array",
        MAJOR_MAP => "a map",
        6 => "a tag",
        _ => "a simple value",
    }
}
