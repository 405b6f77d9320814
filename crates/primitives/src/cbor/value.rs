//! Items of any kind, as an untyped target takes them.

use super::{Decode, Decoder, Encode, Encoder, Error};

/// An item of any kind.
///
/// Source: fxamacker/cbor v2 `decode.go`, `parse`: the target `interface{}`.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Value {
    /// Null or undefined.
    #[default]
    Null,
    /// True or false.
    Bool(bool),
    /// An unsigned integer, also from a simple value.
    Uint(u64),
    /// The negative integer -1 - n.
    Negative(u64),
    /// A byte string.
    Bytes(Vec<u8>),
    /// A text string.
    Text(String),
    /// An array.
    Array(Vec<Value>),
    /// A map, its pairs in the order in which they were read.
    Map(Vec<(Value, Value)>),
    /// A float, of any width.
    Float(f64),
    /// A bignum, only from trusted input: whether it is -1 - n, and n, most significant byte first without zeros before it.
    Big(bool, Vec<u8>),
    /// A tagged item, only from trusted input; it has no encoding.
    Tag(u64, Box<Value>),
}

impl Value {
    /// The value of a text key in a map.
    pub fn get(&self, key: &str) -> Option<&Value> {
        match self {
            Self::Map(pairs) => pairs.iter().find(|(k, _)| matches!(k, Self::Text(t) if t == key)).map(|(_, v)| v),
            _ => None,
        }
    }

    /// Whether a tag stands anywhere inside, so that the value cannot be encoded.
    pub fn has_tag(&self) -> bool {
        match self {
            Self::Tag(..) => true,
            Self::Array(items) => items.iter().any(Self::has_tag),
            Self::Map(pairs) => pairs.iter().any(|(k, v)| k.has_tag() || v.has_tag()),
            _ => false,
        }
    }
}

impl Encode for Value {
    fn encode(&self, e: &mut Encoder) {
        match self {
            Self::Null => e.null(),
            Self::Bool(b) => e.bool(*b),
            Self::Uint(n) => e.uint(*n),
            Self::Negative(n) => e.negative(*n),
            Self::Bytes(b) => e.bytes(b),
            Self::Text(t) => e.text(t),
            Self::Array(items) => Self::encode_slice(items, e),
            Self::Map(pairs) => super::write_sorted_map(e, pairs.iter().map(|(k, v)| (k, v))),
            Self::Float(f) => float(*f, e),
            Self::Big(negative, n) => match (u64_of(n), negative) {
                (Some(n), false) => e.uint(n),
                (Some(n), true) => e.negative(n),
                (None, _) => {
                    e.raw(&[if *negative { 0xc3 } else { 0xc2 }]);
                    e.bytes(n);
                }
            },
            Self::Tag(_, content) => content.encode(e),
        }
    }

    fn is_empty(&self) -> bool {
        matches!(self, Self::Null)
    }
}

impl Decode for Value {
    const TAKES_NULL: bool = true;

    fn decode(d: &mut Decoder<'_>) -> Result<Self, Error> {
        d.check_builtin_tag()?;
        let h = d.peek_head()?;
        Ok(match h.major {
            0 => Self::Uint(d.head()?.argument),
            1 => Self::Negative(d.head()?.argument),
            2 => {
                let h = d.head()?;
                Self::Bytes(d.string(&h)?.into_owned())
            }
            3 => Self::Text(String::decode(d)?),
            4 => {
                let mut items = d.array()?;
                let mut out = Vec::new();
                while items.next(d) {
                    d.skip_self_description()?;
                    out.push(Self::decode(d)?);
                }
                Self::Array(out)
            }
            5 => map(d)?,
            6 => {
                d.head()?;
                tagged(h.argument, Self::decode(d)?)?
            }
            _ => {
                d.head()?;
                match h.info {
                    20 => Self::Bool(false),
                    21 => Self::Bool(true),
                    22 | 23 => Self::Null,
                    25 => Self::Float(half_to_f64(h.argument)),
                    26 => Self::Float(f64::from(f32::from_bits(u32::try_from(h.argument).unwrap_or_default()))),
                    27 => Self::Float(f64::from_bits(h.argument)),
                    _ => Self::Uint(h.argument),
                }
            }
        })
    }
}

/// Source: fxamacker/cbor v2 `decode.go`, `isHashableValue`.
fn may_be_key(value: &Value) -> bool {
    match value {
        Value::Bytes(_) | Value::Array(_) | Value::Map(_) | Value::Big(..) => false,
        // To the original, what does not fit 64 bits with a sign is a bignum.
        Value::Negative(n) => i64::try_from(*n).is_ok(),
        Value::Tag(_, content) => may_be_key(content),
        _ => true,
    }
}

/// What a tag makes of its content: a time for 0 and 1, which has whole seconds when it is encoded, a bignum for 2 and 3.
fn tagged(tag: u64, content: Value) -> Result<Value, Error> {
    let seconds = |n: i64| u64::try_from(n).map_or(Value::Negative((!n).cast_unsigned()), Value::Uint);
    Ok(match (tag, content) {
        (0, Value::Text(text)) => {
            let time = crate::time::Timestamp::parse_rfc3339(&text).ok_or_else(|| Error::invalid("time is not RFC 3339"))?;
            if time.is_zero() { Value::Null } else { seconds(time.seconds()) }
        }
        #[allow(clippy::cast_possible_truncation, reason = "a conversion that saturates, as far as anyone compares")]
        (1, Value::Float(f)) => seconds(f.floor() as i64),
        (1, content) => content,
        (2 | 3, Value::Bytes(bytes)) => Value::Big(tag == 3, bytes.into_iter().skip_while(|b| *b == 0).collect()),
        (tag, content) => Value::Tag(tag, Box::new(content)),
    })
}

fn u64_of(bytes: &[u8]) -> Option<u64> {
    (bytes.len() <= 8).then(|| bytes.iter().fold(0, |n, b| n << 8 | u64::from(*b)))
}

fn map(d: &mut Decoder<'_>) -> Result<Value, Error> {
    let strict = d.mode().strict_keys();
    let mut items = d.map()?;
    // Sorted positions keep the search for duplicates from growing with the square of the pairs.
    let mut positions = std::collections::BTreeMap::<Vec<u8>, usize>::new();
    let mut pairs: Vec<(Value, Value)> = Vec::new();
    while items.next(d) {
        d.skip_self_description()?;
        let key = Value::decode(d)?;
        if !may_be_key(&key) {
            return Err(Error::invalid("map key of a type that cannot be one"));
        }
        d.skip_self_description()?;
        let value = Value::decode(d)?;
        let encoded = super::to_vec(&key);
        match positions.get(&encoded).and_then(|at| pairs.get_mut(*at)) {
            Some(_) if strict => return Err(Error::DuplicateKey),
            Some(pair) => pair.1 = value,
            None => {
                positions.insert(encoded, pairs.len());
                pairs.push((key, value));
            }
        }
    }
    Ok(Value::Map(pairs))
}

fn half_to_f64(bits: u64) -> f64 {
    let (sign, exponent, fraction) = (bits >> 15 & 1, (bits >> 10) & 0x1f, bits & 0x3ff);
    let fraction_bits = fraction << 42;
    let magnitude = match exponent {
        // Subnormal: fraction × 2⁻²⁴.
        0 => u32::try_from(fraction).map_or(0.0, f64::from) / 16_777_216.0,
        31 => f64::from_bits(0x7ff0_0000_0000_0000 | fraction_bits),
        // 1008 rebases the exponent's bias from 15 to 1023.
        e => f64::from_bits((e.saturating_add(1008)) << 52 | fraction_bits),
    };
    if sign == 1 { -magnitude } else { magnitude }
}

/// The half-precision bits of a number that half precision holds exactly.
fn f64_to_half(f: f64) -> Option<u64> {
    // Half precision is small enough to be searched by its structure: round through each candidate exponent.
    let bits = f.to_bits();
    let (sign, exponent, fraction) = (bits >> 63, (bits >> 52) & 0x7ff, bits & 0x000f_ffff_ffff_ffff);
    let half = if f == 0.0 {
        0
    } else if (1009..=1038).contains(&exponent) {
        if fraction & ((1 << 42) - 1) != 0 {
            return None;
        }
        (exponent.saturating_sub(1008)) << 10 | fraction >> 42
    } else {
        let scaled = f.abs() * 16_777_216.0;
        (1..1024u32).find(|n| f64::from(*n).to_bits() == scaled.to_bits()).map(u64::from)?
    };
    Some(sign << 15 | half)
}

/// The shortest float that holds the number; NaN and infinities are half floats.
///
/// Source: go/common/cbor/cbor.go, `encOptions`.
fn float(f: f64, e: &mut Encoder) {
    if f.is_nan() {
        return e.raw(&[0xf9, 0x7e, 0x00]);
    }
    if f.is_infinite() {
        return e.raw(if f > 0.0 { &[0xf9, 0x7c, 0x00] } else { &[0xf9, 0xfc, 0x00] });
    }
    if let Some(half) = f64_to_half(f) {
        e.raw(&[0xf9]);
        let [.., high, low] = half.to_be_bytes();
        return e.raw(&[high, low]);
    }
    #[allow(clippy::cast_possible_truncation, reason = "the test that follows is whether anything was lost")]
    let single = f as f32;
    if f64::from(single).to_bits() == f.to_bits() {
        e.raw(&[0xfa]);
        e.raw(&single.to_bits().to_be_bytes());
    } else {
        e.raw(&[0xfb]);
        e.raw(&f.to_bits().to_be_bytes());
    }
}
