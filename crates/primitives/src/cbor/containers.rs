//! Sequences, maps, options, and encodings kept as they are.

use std::{
    collections::BTreeMap,
    ops::{Deref, DerefMut},
};

use super::{Decode, Decoder, Encode, Encoder, Error, write_sorted_map};

impl<T: Encode> Encode for Vec<T> {
    fn encode(&self, e: &mut Encoder) {
        T::encode_slice(self, e);
    }

    fn is_empty(&self) -> bool {
        self.as_slice().is_empty()
    }
}

impl<T: Encode> Encode for [T] {
    fn encode(&self, e: &mut Encoder) {
        T::encode_slice(self, e);
    }

    fn is_empty(&self) -> bool {
        self.is_empty()
    }
}

impl<T: Decode> Decode for Vec<T> {
    const HAS_NIL: bool = true;

    fn decode(d: &mut Decoder<'_>) -> Result<Self, Error> {
        T::decode_vec(d)
    }
}

impl<T: Encode> Encode for Option<T> {
    fn encode(&self, e: &mut Encoder) {
        match self {
            Some(value) => value.encode(e),
            None => e.null(),
        }
    }

    fn is_empty(&self) -> bool {
        self.is_none()
    }
}

impl<T: Decode> Decode for Option<T> {
    const POINTER: bool = !T::HAS_NIL;

    fn decode(d: &mut Decoder<'_>) -> Result<Self, Error> {
        if d.peek_null() {
            d.skip()?;
            return Ok(None);
        }
        d.value().map(Some)
    }
}

impl<T: Encode> Encode for Box<T> {
    fn encode(&self, e: &mut Encoder) {
        (**self).encode(e);
    }

    fn is_empty(&self) -> bool {
        (**self).is_empty()
    }
}

impl<T: Decode> Decode for Box<T> {
    const TAKES_NULL: bool = T::TAKES_NULL;
    const POINTER: bool = T::POINTER;
    const HAS_NIL: bool = T::HAS_NIL;
    const SCALAR: bool = T::SCALAR;

    fn decode(d: &mut Decoder<'_>) -> Result<Self, Error> {
        T::decode(d).map(Self::new)
    }
}

impl<K: Encode, V: Encode> Encode for BTreeMap<K, V> {
    fn encode(&self, e: &mut Encoder) {
        write_sorted_map(e, self.iter());
    }

    fn is_empty(&self) -> bool {
        Self::is_empty(self)
    }
}

impl<K: Decode + Ord + Clone, V: Decode + Clone> Decode for BTreeMap<K, V> {
    const HAS_NIL: bool = true;

    /// Source: fxamacker/cbor v2 `decode.go`, `parseMapToMap`: keys and values of scalar types are read into one place
    /// each, so that null keeps what stood there before.
    fn decode(d: &mut Decoder<'_>) -> Result<Self, Error> {
        let mut items = d.map()?;
        let mut out = Self::new();
        let (mut last_key, mut last_value) = (K::default(), V::default());
        while items.next(d) {
            let key = reused(d, &mut last_key)?;
            let value = reused(d, &mut last_value)?;
            if out.insert(key, value).is_some() && d.mode().strict_keys() {
                return Err(Error::DuplicateKey);
            }
        }
        Ok(out)
    }
}

fn reused<T: Decode + Clone>(d: &mut Decoder<'_>, last: &mut T) -> Result<T, Error> {
    if !T::SCALAR {
        return d.value();
    }
    if d.peek_null() {
        d.skip()?;
    } else {
        *last = d.value()?;
    }
    Ok(last.clone())
}

/// A sequence that may be Go's nil slice: nil is written as null, an empty sequence as an empty one.
///
/// Used for slice fields without `omitempty`, whose hash depends on the difference.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NilVec<T>(pub Option<Vec<T>>);

impl<T> NilVec<T> {
    /// The nil slice.
    pub const NIL: Self = Self(None);

    /// The items; none where nil.
    pub fn as_slice(&self) -> &[T] {
        self.0.as_deref().unwrap_or_default()
    }

    /// Whether this is nil, which an empty slice is not.
    pub fn is_nil(&self) -> bool {
        self.0.is_none()
    }

    /// The items, by value.
    pub fn into_vec(self) -> Vec<T> {
        self.0.unwrap_or_default()
    }

    /// Adds an item.
    pub fn push(&mut self, item: T) {
        self.0.get_or_insert_default().push(item);
    }
}

impl<T> Default for NilVec<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T> Deref for NilVec<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        self.as_slice()
    }
}

impl<T> From<Vec<T>> for NilVec<T> {
    fn from(items: Vec<T>) -> Self {
        Self(Some(items))
    }
}

impl<T> FromIterator<T> for NilVec<T> {
    /// Collects items; none give nil, as appending nothing to a nil slice does.
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        let items: Vec<T> = items.into_iter().collect();
        Self((!items.is_empty()).then_some(items))
    }
}

impl<'a, T> IntoIterator for &'a NilVec<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.as_slice().iter()
    }
}

impl<T: Encode> Encode for NilVec<T> {
    fn encode(&self, e: &mut Encoder) {
        match &self.0 {
            Some(items) => T::encode_slice(items, e),
            None => e.null(),
        }
    }

    fn is_empty(&self) -> bool {
        self.as_slice().is_empty()
    }
}

impl<T: Decode> Decode for NilVec<T> {
    fn decode(d: &mut Decoder<'_>) -> Result<Self, Error> {
        T::decode_vec(d).map(|items| Self(Some(items)))
    }
}

/// A map that may be Go's nil map: nil is written as null, an empty map as an empty one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NilMap<K, V>(pub Option<BTreeMap<K, V>>);

impl<K, V> NilMap<K, V> {
    /// The nil map.
    pub const NIL: Self = Self(None);

    /// Whether this is nil, which an empty map is not.
    pub fn is_nil(&self) -> bool {
        self.0.is_none()
    }

    /// The entries, made where nil.
    #[allow(clippy::should_implement_trait, reason = "the trait cannot make what is not there")]
    pub fn as_mut(&mut self) -> &mut BTreeMap<K, V> {
        self.0.get_or_insert_default()
    }

    /// The number of entries.
    pub fn len(&self) -> usize {
        self.0.as_ref().map_or(0, BTreeMap::len)
    }

    /// Whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The entries in the order of their keys.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.0.iter().flatten()
    }
}

impl<K: Ord, V> NilMap<K, V> {
    /// The value of a key.
    pub fn get(&self, key: &K) -> Option<&V> {
        self.0.as_ref()?.get(key)
    }
}

impl<K, V> Default for NilMap<K, V> {
    fn default() -> Self {
        Self(None)
    }
}

impl<K, V> From<BTreeMap<K, V>> for NilMap<K, V> {
    fn from(map: BTreeMap<K, V>) -> Self {
        Self(Some(map))
    }
}

impl<K: Encode, V: Encode> Encode for NilMap<K, V> {
    fn encode(&self, e: &mut Encoder) {
        match &self.0 {
            Some(map) => map.encode(e),
            None => e.null(),
        }
    }

    fn is_empty(&self) -> bool {
        Self::is_empty(self)
    }
}

impl<K: Decode + Ord + Clone, V: Decode + Clone> Decode for NilMap<K, V> {
    fn decode(d: &mut Decoder<'_>) -> Result<Self, Error> {
        BTreeMap::decode(d).map(|map| Self(Some(map)))
    }
}

/// A Go pointer that is nil only in malformed data: the value, which is zero where nil. By default nil.
///
/// The original stops with a panic where it follows a nil pointer; who reads these must refuse it. Writing to the value
/// makes it not nil.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct OrNil<T> {
    value: T,
    nil: bool,
}

impl<T> OrNil<T> {
    /// Whether the pointer is nil.
    pub fn is_nil(&self) -> bool {
        self.nil
    }

    /// The value; zero where nil.
    pub fn into_inner(self) -> T {
        self.value
    }
}

impl<T: Default> Default for OrNil<T> {
    fn default() -> Self {
        Self { value: T::default(), nil: true }
    }
}

impl<T> From<T> for OrNil<T> {
    fn from(value: T) -> Self {
        Self { value, nil: false }
    }
}

impl<T: PartialEq> PartialEq<T> for OrNil<T> {
    fn eq(&self, other: &T) -> bool {
        !self.nil && self.value == *other
    }
}

impl<T> Deref for OrNil<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> DerefMut for OrNil<T> {
    fn deref_mut(&mut self) -> &mut T {
        self.nil = false;
        &mut self.value
    }
}

impl<T: Encode> Encode for OrNil<T> {
    fn encode(&self, e: &mut Encoder) {
        if self.nil { e.null() } else { self.value.encode(e) }
    }

    fn is_empty(&self) -> bool {
        self.nil
    }
}

impl<T: Decode> Decode for OrNil<T> {
    const POINTER: bool = true;

    fn decode(d: &mut Decoder<'_>) -> Result<Self, Error> {
        Option::<T>::decode(d).map(|value| value.map_or_else(Self::default, Self::from))
    }
}

/// An encoded item kept as it is, such as a transaction's body; empty where none was given.
///
/// Source: fxamacker/cbor v2 `RawMessage`. What is inside is well-formed and not checked further: keys, order and UTF-8
/// inside it are not looked at. Null is kept as the byte that encodes it.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct RawCbor(pub Vec<u8>);

impl Deref for RawCbor {
    type Target = Vec<u8>;

    fn deref(&self) -> &Vec<u8> {
        &self.0
    }
}

impl DerefMut for RawCbor {
    fn deref_mut(&mut self) -> &mut Vec<u8> {
        &mut self.0
    }
}

impl Encode for RawCbor {
    fn encode(&self, e: &mut Encoder) {
        if self.0.is_empty() {
            e.null();
        } else {
            e.raw(&self.0);
        }
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Decode for RawCbor {
    const TAKES_NULL: bool = true;

    fn decode(d: &mut Decoder<'_>) -> Result<Self, Error> {
        Ok(Self(d.raw_item()?.to_vec()))
    }
}
