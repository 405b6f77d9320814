//! Reading CBOR that was found to be well-formed.
//!
//! Source: fxamacker/cbor v2 `decode.go`, `parseToValue` and what it calls.

use super::{
    Error,
    wellformed::{self, Head},
};

/// The tag that says that the content is CBOR.
const SELF_DESCRIPTION: u64 = 55_799;

/// Which rules hold for the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// From outside: no tags, indefinite lengths, unknown or duplicate keys; 131,072 elements.
    Untrusted,
    /// The same with 10,000,000 elements.
    HigherLimits,
    /// From the node's own stores.
    Trusted,
}

impl Mode {
    pub(super) fn tags(self) -> bool {
        self == Self::Trusted
    }

    pub(super) fn indefinite_lengths(self) -> bool {
        self == Self::Trusted
    }

    /// Whether unknown and duplicate keys are errors.
    pub(super) fn strict_keys(self) -> bool {
        self != Self::Trusted
    }

    pub(super) fn max_elements(self) -> u64 {
        match self {
            Self::Untrusted => 131_072,
            Self::HigherLimits => 10_000_000,
            Self::Trusted => 2_147_483_647,
        }
    }
}

/// A type that can be read; its default is the zero value that a missing or null field leaves.
pub trait Decode: Default {
    /// Whether the type sees null itself; otherwise null gives the zero value.
    const TAKES_NULL: bool = false;

    /// Whether the type is a Go pointer: null is nil only where it stands bare, while null under a tag is a pointer to
    /// the zero value.
    ///
    /// Source: fxamacker/cbor v2 `decode.go`, `parseToValue`.
    const POINTER: bool = false;

    /// Whether the Go type has a nil of its own, as slices and maps do; an option of it stands for that nil.
    const HAS_NIL: bool = false;

    /// Whether null leaves the value as it was before in a map whose entries are read into one place.
    ///
    /// Source: fxamacker/cbor v2 `decode.go`, `isImmutableKind`.
    const SCALAR: bool = false;

    /// Reads the value at the decoder's place, which is not null unless the type takes null.
    fn decode(d: &mut Decoder<'_>) -> Result<Self, Error>;

    /// Reads a sequence of these: an array, for bytes also a byte string.
    fn decode_vec(d: &mut Decoder<'_>) -> Result<Vec<Self>, Error> {
        let mut items = d.array()?;
        // Room for what the input can really hold; a head may claim more.
        let mut out = Vec::new();
        while items.next(d) {
            out.push(d.value()?);
        }
        Ok(out)
    }
}

/// Reads items one after another.
#[derive(Clone, Debug)]
pub struct Decoder<'a> {
    data: &'a [u8],
    at: usize,
    mode: Mode,
}

/// Counts the items of an array or map.
#[derive(Clone, Copy, Debug)]
pub(super) struct Items {
    left: Option<u64>,
}

impl Items {
    /// Whether another item (of a map: another pair) follows; passes over the break that ends an indefinite length.
    pub(super) fn next(&mut self, d: &mut Decoder<'_>) -> bool {
        match &mut self.left {
            Some(0) => false,
            Some(n) => {
                *n = n.saturating_sub(1);
                true
            }
            None if d.data.get(d.at) == Some(&0xff) => {
                d.at = d.at.saturating_add(1);
                false
            }
            None => true,
        }
    }
}

impl<'a> Decoder<'a> {
    /// A decoder of the first item of `data`, which is checked whole before anything is read.
    pub fn new(data: &'a [u8], mode: Mode) -> Result<Self, Error> {
        wellformed::check(data, 0, mode)?;
        Ok(Self { data, at: 0, mode })
    }

    /// The rules in force.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// What follows the items read so far.
    pub fn rest(&self) -> &'a [u8] {
        self.data.get(self.at..).unwrap_or_default()
    }

    /// Reads a value; null gives the zero value unless the type takes null itself.
    pub fn value<T: Decode>(&mut self) -> Result<T, Error> {
        if T::POINTER {
            return T::decode(self);
        }
        self.skip_self_description()?;
        self.check_builtin_tag()?;
        if !T::TAKES_NULL {
            self.skip_tags()?;
            if self.peek_null() {
                self.skip()?;
                return Ok(T::default());
            }
        }
        T::decode(self)
    }

    /// Reads the value of a structure's field.
    pub fn field<T: Decode>(&mut self, name: &'static str) -> Result<T, Error> {
        self.value().map_err(|e| e.in_field(name))
    }

    /// Whether null or undefined comes next.
    pub fn peek_null(&self) -> bool {
        matches!(self.data.get(self.at), Some(0xf6 | 0xf7))
    }

    /// The major type that comes next, 0 to 7.
    pub fn peek_major(&self) -> Result<u8, Error> {
        self.data.get(self.at).map(|b| b >> 5).ok_or(Error::UnexpectedEnd(self.at))
    }

    pub(super) fn head(&mut self) -> Result<Head, Error> {
        let h = wellformed::head(self.data, self.at)?;
        self.at = h.end;
        Ok(h)
    }

    pub(super) fn peek_head(&self) -> Result<Head, Error> {
        wellformed::head(self.data, self.at)
    }

    /// Passes over the tag that says that the content is CBOR.
    pub(super) fn skip_self_description(&mut self) -> Result<(), Error> {
        while self.peek_major()? == 6 {
            let h = self.peek_head()?;
            if h.argument != SELF_DESCRIPTION {
                break;
            }
            self.at = h.end;
        }
        Ok(())
    }

    /// Refuses a tag with a meaning whose content is of a wrong type.
    pub(super) fn check_builtin_tag(&self) -> Result<(), Error> {
        if self.peek_major()? != 6 {
            return Ok(());
        }
        let h = self.peek_head()?;
        builtin_tag_fits(h.argument, self.data.get(h.end).copied().unwrap_or(0xff))
    }

    /// Passes over tags that have no meaning for the target. Bignums (tags 2 and 3) stay.
    fn skip_tags(&mut self) -> Result<(), Error> {
        while self.peek_major()? == 6 {
            self.check_builtin_tag()?;
            let h = self.peek_head()?;
            if matches!(h.argument, 2 | 3) {
                return Ok(());
            }
            self.at = h.end;
        }
        Ok(())
    }

    /// Passes over the next item.
    pub fn skip(&mut self) -> Result<(), Error> {
        self.at = wellformed::check(self.data, self.at, self.mode)?;
        Ok(())
    }

    /// The bytes of the next item, as they stand.
    pub fn raw_item(&mut self) -> Result<&'a [u8], Error> {
        let start = self.at;
        self.skip()?;
        self.data.get(start..self.at).ok_or(Error::UnexpectedEnd(start))
    }

    /// The error for an item of another kind than `expected`.
    pub fn wrong_type(&self, expected: &'static str) -> Error {
        let found = match self.data.get(self.at).copied().unwrap_or(0xf7) {
            b if b >> 5 == 0 => "unsigned integer",
            b if b >> 5 == 1 => "negative integer",
            b if b >> 5 == 2 => "byte string",
            b if b >> 5 == 3 => "text string",
            b if b >> 5 == 4 => "array",
            b if b >> 5 == 5 => "map",
            b if b >> 5 == 6 => "tag",
            0xf4 | 0xf5 => "boolean",
            0xf6 | 0xf7 => "null",
            0xf9..=0xfb => "float",
            _ => "simple value",
        };
        Error::WrongType { expected, found }
    }

    pub(super) fn array(&mut self) -> Result<Items, Error> {
        if self.peek_major()? != 4 {
            return Err(self.wrong_type("array"));
        }
        let h = self.head()?;
        Ok(Items { left: (h.info != 31).then_some(h.argument) })
    }

    pub(super) fn map(&mut self) -> Result<Items, Error> {
        if self.peek_major()? != 5 {
            return Err(self.wrong_type("map"));
        }
        let h = self.head()?;
        Ok(Items { left: (h.info != 31).then_some(h.argument) })
    }

    /// Starts a structure that is written as a map.
    pub fn structure(&mut self) -> Result<StructReader, Error> {
        Ok(StructReader { items: self.map()?, found: 0 })
    }

    /// Starts a structure that is written as an array of exactly `fields` elements.
    ///
    /// The caller reads the elements and then calls [`Decoder::end_array_structure`] with what this returns: whether the
    /// length is indefinite.
    pub fn array_structure(&mut self, fields: u64) -> Result<bool, Error> {
        let start = self.at;
        let mut items = self.array()?;
        let found = match items.left {
            Some(n) => n,
            None => {
                let after_head = self.at;
                let mut n = 0u64;
                while items.next(self) {
                    self.skip()?;
                    n = n.saturating_add(1);
                }
                self.at = after_head;
                n
            }
        };
        if found != fields {
            self.at = start;
            return Err(Error::WrongArrayLength { expected: fields, found });
        }
        Ok(items.left.is_none())
    }

    /// Ends a structure that is written as an array, passing over the break of an indefinite length.
    pub fn end_array_structure(&mut self, indefinite: bool) {
        if indefinite && self.data.get(self.at) == Some(&0xff) {
            self.at = self.at.saturating_add(1);
        }
    }

    /// A string's content: chunks of an indefinite length are joined.
    pub(super) fn string(&mut self, h: &Head) -> Result<std::borrow::Cow<'a, [u8]>, Error> {
        if h.info != 31 {
            return Ok(self.take(h.argument)?.into());
        }
        let mut out = Vec::new();
        while self.data.get(self.at) != Some(&0xff) {
            let chunk = self.head()?;
            let bytes = self.take(chunk.argument)?;
            if h.major == 3 && std::str::from_utf8(bytes).is_err() {
                return Err(Error::NotUtf8);
            }
            out.extend_from_slice(bytes);
        }
        self.at = self.at.saturating_add(1);
        Ok(out.into())
    }

    fn take(&mut self, len: u64) -> Result<&'a [u8], Error> {
        let end = usize::try_from(len).ok().and_then(|len| self.at.checked_add(len)).ok_or(Error::UnexpectedEnd(self.at))?;
        let out = self.data.get(self.at..end).ok_or(Error::UnexpectedEnd(self.at))?;
        self.at = end;
        Ok(out)
    }
}

/// Source: fxamacker/cbor v2 `decode.go`, `validBuiltinTag`.
fn builtin_tag_fits(tag: u64, content: u8) -> Result<(), Error> {
    let major = content >> 5;
    let fits = match tag {
        0 => major == 3,
        1 => matches!(major, 0 | 1) || matches!(content, 0xf9..=0xfb),
        2 | 3 => major == 2,
        _ => true,
    };
    if fits { Ok(()) } else { Err(Error::invalid(format!("tag {tag} has content of a wrong type"))) }
}

/// Matches the keys of a map with a structure's fields.
#[derive(Clone, Debug)]
pub struct StructReader {
    items: Items,
    found: u64,
}

impl StructReader {
    /// The index of the next field that stands in the input, in `names`; the caller reads its value.
    ///
    /// A key matches a field not seen before, exactly, or else without regard to case. In untrusted input any other key
    /// is an error; in trusted input it is passed over, so that of duplicates the first wins.
    /// At most 64 fields a structure.
    ///
    /// Source: fxamacker/cbor v2 `decode.go`, `parseMapToStruct`.
    pub fn next(&mut self, d: &mut Decoder<'_>, names: &[&'static str]) -> Result<Option<usize>, Error> {
        while self.items.next(d) {
            match d.peek_major()? {
                3 => {
                    let h = d.head()?;
                    let key = d.string(&h)?;
                    let key = std::str::from_utf8(&key).map_err(|_| Error::NotUtf8)?;
                    if let Some(index) = self.lookup(key, names) {
                        return Ok(Some(index));
                    }
                    if d.mode.strict_keys() {
                        return Err(Error::UnknownField(key.to_owned()));
                    }
                    d.skip()?;
                }
                0 | 1 if !d.mode.strict_keys() => {
                    let h = d.head()?;
                    if h.major == 1 && i64::try_from(h.argument).is_err() {
                        return Err(Error::Overflow("int64"));
                    }
                    d.skip()?;
                }
                _ => return Err(d.wrong_type("text string as key")),
            }
        }
        Ok(None)
    }

    fn lookup(&mut self, key: &str, names: &[&'static str]) -> Option<usize> {
        let mut folded = None;
        for (index, name) in names.iter().enumerate() {
            let bit = 1u64 << (index & 63);
            if self.found & bit != 0 {
                continue;
            }
            if *name == key {
                self.found |= bit;
                return Some(index);
            }
            if folded.is_none() && name.eq_ignore_ascii_case(key) {
                folded = Some((index, bit));
            }
        }
        let (index, bit) = folded?;
        self.found |= bit;
        Some(index)
    }
}
