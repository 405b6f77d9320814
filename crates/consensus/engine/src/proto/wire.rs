//! Strict reading: only bytes that the original would have written.

use prost::Message;
use thiserror::Error;

/// Why recorded bytes were refused.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum WireError {
    /// Not protobuf of this type.
    #[error("malformed: {0}")]
    Malformed(String),
    /// Protobuf of this type, but not written as the original writes it.
    #[error("not in the original's encoding from byte {offset} (field {field}): expected {expected} bytes, found {found}")]
    NotCanonical {
        /// First byte that differs.
        offset: usize,
        /// Number of the outermost field in which it lies, 0 if there is none.
        field: u32,
        /// Length of the original's encoding.
        expected: usize,
        /// Length of what was found.
        found: usize,
    },
}

/// Decodes a message and refuses every encoding of it but the original's own.
///
/// The decoder of protobuf forgives much: fields in any order, twice, unknown, long integers. None of that is ever
/// written by the original, so a difference means that the bytes were changed.
pub fn decode<M: Message + Default>(bytes: &[u8]) -> Result<M, WireError> {
    let message = M::decode(bytes).map_err(|e| WireError::Malformed(e.to_string()))?;
    let again = message.encode_to_vec();
    if again == bytes {
        return Ok(message);
    }
    let offset = again.iter().zip(bytes).take_while(|(a, b)| a == b).count();
    Err(WireError::NotCanonical { offset, field: outermost_field(bytes, offset), expected: again.len(), found: bytes.len() })
}

/// The number of the outermost field that holds the byte at `offset`.
fn outermost_field(bytes: &[u8], offset: usize) -> u32 {
    let mut rest = bytes;
    loop {
        let start = bytes.len().saturating_sub(rest.len());
        let Ok((tag, wire)) = prost::encoding::decode_key(&mut rest) else { return 0 };
        let skipped = prost::encoding::skip_field(wire, tag, &mut rest, prost::encoding::DecodeContext::default());
        let end = bytes.len().saturating_sub(rest.len());
        if skipped.is_err() || (start <= offset && offset < end) {
            return tag;
        }
        if rest.is_empty() {
            return 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::*, *};

    #[test]
    fn fields_in_another_order_are_refused() {
        let vote = Vote { r#type: 2, height: 5, ..Default::default() };
        let bytes = vote.encode_to_vec();
        assert_eq!(decode::<Vote>(&bytes), Ok(vote));
        let swapped = [&bytes[2..4], &bytes[..2], &bytes[4..]].concat();
        assert!(matches!(decode::<Vote>(&swapped), Err(WireError::NotCanonical { offset: 0, field: 2, .. })));
    }

    #[test]
    fn long_integers_are_refused() {
        assert!(matches!(decode::<Consensus>(&[0x08, 0x8b, 0x00]), Err(WireError::NotCanonical { .. })));
    }
}
