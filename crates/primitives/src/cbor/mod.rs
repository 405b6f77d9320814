//! Canonical CBOR, with the leniency of the original's decoder.
//!
//! What is written is canonical (RFC 7049, section 3.9: shortest lengths, map keys ordered by length, then bytes).
//! What is read follows the rules of the original's decoder exactly, because two nodes that disagree on whether some
//! bytes decode disagree on the state. See `docs/adr/0002-cbor.md` for the list of what is accepted.
//!
//! Source: go/common/cbor/cbor.go, `decOptions`, `decOptionsHi`, `decOptionsTrusted`, `encOptions`.

mod bytes;
mod containers;
mod decode;
mod encode;
mod error;
mod scalars;
mod value;
mod wellformed;

pub use bytes::{decode_bytes, decode_fixed};
pub use containers::{NilMap, NilVec, OrNil, RawCbor};
pub use decode::{Decode, Decoder, Mode, StructReader};
pub use encode::{Encode, Encoder, write_sorted_map};
pub use error::Error;
pub use oasis_primitives_derive::Cbor;
pub use value::Value;

/// Encodes a value canonically.
pub fn to_vec<T: Encode + ?Sized>(value: &T) -> Vec<u8> {
    let mut encoder = Encoder::new();
    value.encode(&mut encoder);
    encoder.into_bytes()
}

/// Decodes the first item of `bytes` under the rules for untrusted input; what follows the item is ignored.
///
/// Source: go/common/cbor/cbor.go, `Unmarshal`. An empty slice is an error; for a Go nil slice see [`from_nil_slice`].
pub fn from_slice<T: Decode>(bytes: &[u8]) -> Result<T, Error> {
    decode_with(bytes, Mode::Untrusted)
}

/// Like [`from_slice`], where `None` stands for a Go nil slice, which leaves the zero value.
pub fn from_nil_slice<T: Decode>(bytes: Option<&[u8]>) -> Result<T, Error> {
    bytes.map_or_else(|| Ok(T::default()), from_slice)
}

/// Like [`from_slice`] with up to 10,000,000 elements an array or map.
///
/// Source: go/common/cbor/cbor.go, `UnmarshalHigherLimits`; used by the gRPC codec.
pub fn from_slice_higher_limits<T: Decode>(bytes: &[u8]) -> Result<T, Error> {
    decode_with(bytes, Mode::HigherLimits)
}

/// Decodes under the looser rules for trusted input: tags and indefinite lengths pass, unknown and duplicate keys too.
///
/// Source: go/common/cbor/cbor.go, `UnmarshalTrusted`.
pub fn from_slice_trusted<T: Decode>(bytes: &[u8]) -> Result<T, Error> {
    decode_with(bytes, Mode::Trusted)
}

/// Decodes a sequence of items under the rules for untrusted input.
pub fn sequence_from_slice<T: Decode>(mut bytes: &[u8]) -> Result<Vec<T>, Error> {
    let mut out = Vec::new();
    while !bytes.is_empty() {
        let mut decoder = Decoder::new(bytes, Mode::Untrusted)?;
        out.push(decoder.value()?);
        bytes = decoder.rest();
    }
    Ok(out)
}

fn decode_with<T: Decode>(bytes: &[u8], mode: Mode) -> Result<T, Error> {
    Decoder::new(bytes, mode)?.value()
}

#[cfg(test)]
mod tests;
