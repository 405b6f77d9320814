//! Integers, booleans and text.

use super::{Decode, Decoder, Encode, Encoder, Error};

/// Reads an integer as sign and magnitude: unsigned integers, simple values that are not booleans, and bignums.
///
/// Source: fxamacker/cbor v2 `decode.go`, `parseToValue`, `fillPositiveInt`, `fillNegativeInt`.
fn integer(d: &mut Decoder<'_>, target: &'static str) -> Result<i128, Error> {
    let h = d.peek_head()?;
    match h.major {
        0 => {
            d.head()?;
            Ok(i128::from(h.argument))
        }
        1 => {
            d.head()?;
            if i64::try_from(h.argument).is_err() {
                return Err(Error::Overflow(target));
            }
            Ok(!i128::from(h.argument))
        }
        6 => {
            d.head()?;
            let content = d.head()?;
            let bytes = d.string(&content)?;
            let magnitude = match bytes.iter().position(|b| *b != 0) {
                None => 0,
                Some(first) if bytes.len().saturating_sub(first) <= 8 => {
                    bytes.iter().skip(first).fold(0i128, |n, b| (n << 8) | i128::from(*b))
                }
                Some(_) => return Err(Error::Overflow(target)),
            };
            Ok(if h.argument == 2 { magnitude } else { !magnitude })
        }
        7 if h.info < 20 || h.info == 24 => {
            d.head()?;
            Ok(i128::from(h.argument))
        }
        _ => Err(d.wrong_type(target)),
    }
}

macro_rules! integers {
    ($($type:ty: $write:ident as $wide:ty,)*) => {$(
        impl Encode for $type {
            fn encode(&self, e: &mut Encoder) {
                e.$write(<$wide>::from(*self));
            }

            fn is_empty(&self) -> bool {
                *self == 0
            }
        }

        impl Decode for $type {
            const SCALAR: bool = true;

            fn decode(d: &mut Decoder<'_>) -> Result<Self, Error> {
                let n = integer(d, stringify!($type))?;
                Self::try_from(n).map_err(|_| Error::Overflow(stringify!($type)))
            }
        }
    )*};
}

integers! {
    u16: uint as u64,
    u32: uint as u64,
    u64: uint as u64,
    i8: int as i64,
    i16: int as i64,
    i32: int as i64,
    i64: int as i64,
}

impl Encode for u8 {
    fn encode(&self, e: &mut Encoder) {
        e.uint(u64::from(*self));
    }

    fn is_empty(&self) -> bool {
        *self == 0
    }

    fn encode_slice(slice: &[Self], e: &mut Encoder) {
        e.bytes(slice);
    }
}

impl Decode for u8 {
    const SCALAR: bool = true;

    fn decode(d: &mut Decoder<'_>) -> Result<Self, Error> {
        Self::try_from(integer(d, "u8")?).map_err(|_| Error::Overflow("u8"))
    }

    fn decode_vec(d: &mut Decoder<'_>) -> Result<Vec<Self>, Error> {
        super::decode_bytes(d)
    }
}

impl Encode for bool {
    fn encode(&self, e: &mut Encoder) {
        e.bool(*self);
    }

    fn is_empty(&self) -> bool {
        !*self
    }
}

impl Decode for bool {
    const SCALAR: bool = true;

    fn decode(d: &mut Decoder<'_>) -> Result<Self, Error> {
        let h = d.peek_head()?;
        match (h.major, h.info) {
            (7, 20 | 21) => {
                d.head()?;
                Ok(h.info == 21)
            }
            _ => Err(d.wrong_type("boolean")),
        }
    }
}

impl Encode for str {
    fn encode(&self, e: &mut Encoder) {
        e.text(self);
    }

    fn is_empty(&self) -> bool {
        self.is_empty()
    }
}

impl Encode for String {
    fn encode(&self, e: &mut Encoder) {
        e.text(self);
    }

    fn is_empty(&self) -> bool {
        self.as_str().is_empty()
    }
}

impl Decode for String {
    const SCALAR: bool = true;

    fn decode(d: &mut Decoder<'_>) -> Result<Self, Error> {
        if d.peek_major()? != 3 {
            return Err(d.wrong_type("text string"));
        }
        let h = d.head()?;
        let bytes = d.string(&h)?.into_owned();
        Self::from_utf8(bytes).map_err(|_| Error::NotUtf8)
    }
}

impl<T: Encode + ?Sized> Encode for &T {
    fn encode(&self, e: &mut Encoder) {
        (**self).encode(e);
    }

    fn is_empty(&self) -> bool {
        (**self).is_empty()
    }
}
