//! Byte strings, which may also be given as arrays of integers.

use super::{Decoder, Error};

/// Reads a byte sequence of any length: a byte string, a bignum's content, or an array of integers below 256.
///
/// Source: fxamacker/cbor v2 `decode.go`, `fillByteString`, `parseArrayToSlice`.
pub fn decode_bytes(d: &mut Decoder<'_>) -> Result<Vec<u8>, Error> {
    match d.peek_major()? {
        2 => {
            let h = d.head()?;
            Ok(d.string(&h)?.into_owned())
        }
        6 => {
            d.head()?;
            decode_bytes(d)
        }
        4 => {
            let mut items = d.array()?;
            let mut out = Vec::new();
            while items.next(d) {
                out.push(d.value()?);
            }
            Ok(out)
        }
        _ => Err(d.wrong_type("byte string")),
    }
}

/// Reads a type that is `N` bytes: a byte string goes through `from_binary`, which checks it; an array of integers does
/// not: a short one is padded with zeros and elements past the end are passed over.
///
/// Source: fxamacker/cbor v2 `decode.go`, `fillByteString`, `parseArrayToArray`.
pub fn decode_fixed<const N: usize, T>(
    d: &mut Decoder<'_>,
    from_binary: impl FnOnce(&[u8]) -> Result<T, Error>,
    from_array: impl FnOnce([u8; N]) -> T,
) -> Result<T, Error> {
    match d.peek_major()? {
        2 => {
            let h = d.head()?;
            from_binary(&d.string(&h)?)
        }
        6 => {
            d.head()?;
            decode_fixed(d, from_binary, from_array)
        }
        4 => {
            let mut items = d.array()?;
            let mut out = [0; N];
            let mut places = out.iter_mut();
            while items.next(d) {
                match places.next() {
                    Some(place) => *place = d.value()?,
                    None => d.skip()?,
                }
            }
            Ok(from_array(out))
        }
        _ => Err(d.wrong_type("byte string")),
    }
}
