//! Messages behind their length.
//!
//! Source: tendermint `libs/protoio/{reader,writer}.go`, `NewDelimitedReader`, `NewDelimitedWriter`.

use bytes::{Buf, Bytes, BytesMut};
use prost::Message;

use super::WireError;

/// Appends a message behind its length.
pub fn put_delimited(message: &impl Message, out: &mut BytesMut) {
    let bytes = message.encode_length_delimited_to_vec();
    out.extend_from_slice(&bytes);
}

/// Takes the next whole message off the front of a buffer; none where more bytes must come first.
///
/// A length over `most` is refused before anything is kept.
pub fn take_delimited(buffer: &mut BytesMut, most: usize) -> Result<Option<Bytes>, WireError> {
    let mut length = 0u64;
    for (index, byte) in buffer.iter().copied().enumerate() {
        if index == 9 && byte > 1 || index > 9 {
            return Err(WireError::BadLength);
        }
        length |= u64::from(byte & 0x7f) << (7 * index);
        if byte < 0x80 {
            let found = usize::try_from(length).unwrap_or(usize::MAX);
            if found > most {
                return Err(WireError::TooLong { found: length, most });
            }
            let prefix = index.saturating_add(1);
            if buffer.len().saturating_sub(prefix) < found {
                return Ok(None);
            }
            buffer.advance(prefix);
            return Ok(Some(buffer.split_to(found).freeze()));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::BytesValue;

    #[test]
    fn a_length_over_the_limit_is_refused_before_the_message_came() {
        assert_eq!(take_delimited(&mut BytesMut::from(&[0x81, 0x01][..]), 128), Err(WireError::TooLong { found: 129, most: 128 }));
        assert_eq!(take_delimited(&mut BytesMut::from(&[0x80, 0x01][..]), 128), Ok(None));
    }

    #[test]
    fn a_length_that_does_not_end_is_refused() {
        assert_eq!(take_delimited(&mut BytesMut::from(&[0xff; 10][..]), 128), Err(WireError::BadLength));
        assert_eq!(take_delimited(&mut BytesMut::from(&[0x80; 11][..]), 128), Err(WireError::BadLength));
        assert_eq!(take_delimited(&mut BytesMut::from(&[0x80; 9][..]), 128), Ok(None));
    }

    proptest! {
        #[test]
        fn messages_come_out_as_they_went_in_however_they_are_cut(values in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..8), cut in 1usize..64) {
            let mut all = BytesMut::new();
            for value in &values {
                put_delimited(&BytesValue { value: Bytes::from(value.clone()) }, &mut all);
            }
            let (mut buffer, mut found) = (BytesMut::new(), Vec::new());
            for piece in all.chunks(cut) {
                buffer.extend_from_slice(piece);
                while let Some(message) = take_delimited(&mut buffer, 400).unwrap() {
                    found.push(crate::wire::decode::<BytesValue>(&message, "value").unwrap().value.to_vec());
                }
            }
            prop_assert!(buffer.is_empty());
            prop_assert_eq!(found, values);
        }

        #[test]
        fn any_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let mut buffer = BytesMut::from(&bytes[..]);
            while let Ok(Some(message)) = take_delimited(&mut buffer, 32) {
                prop_assert!(message.len() <= 32);
            }
        }
    }
}
