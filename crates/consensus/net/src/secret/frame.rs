//! Frames: 4 bytes of length and 1,024 of data, sealed together.

use chacha20poly1305::{AeadInPlace, ChaCha20Poly1305, KeyInit, Nonce, Tag};
use thiserror::Error;

/// Bytes of data that fit into a frame. Source: `dataMaxSize`.
pub const FRAME_DATA: usize = 1024;
/// Bytes of the length before the data. Source: `dataLenSize`.
const LENGTH: usize = 4;
/// Bytes of the tag behind the data. Source: `aeadSizeOverhead`.
const TAG: usize = 16;
/// Bytes of a sealed frame.
pub const SEALED_FRAME: usize = LENGTH + FRAME_DATA + TAG;

/// Why a frame was refused.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum FrameError {
    /// Sealed with another key or number, or changed on the way.
    #[error("a frame does not open: it was changed, replayed or sealed with another key")]
    Tag,
    /// The length inside is over that of a frame, or none: nobody writes empty frames.
    #[error("a frame says that it holds {0} bytes, 1 to 1024 are allowed")]
    Length(u32),
    /// All numbers of frames are used up.
    #[error("the connection's frames are used up")]
    Exhausted,
}

/// The number of the next frame. Source: `incrNonce`.
struct Counter(u64);

impl Counter {
    /// The number, four zero bytes before eight little-endian ones; no number is given out twice.
    fn next(&mut self) -> Result<Nonce, FrameError> {
        let following = self.0.checked_add(1).ok_or(FrameError::Exhausted)?;
        let mut nonce = Nonce::default();
        for (to, from) in nonce.iter_mut().skip(4).zip(self.0.to_le_bytes()) {
            *to = from;
        }
        self.0 = following;
        Ok(nonce)
    }
}

/// Seals what is sent.
pub struct Sealer {
    cipher: ChaCha20Poly1305,
    counter: Counter,
}

impl Sealer {
    /// From a key of 32 bytes.
    pub fn new(key: &[u8; 32]) -> Self {
        Self { cipher: ChaCha20Poly1305::new(key.into()), counter: Counter(0) }
    }

    /// Appends `data` to `out` as sealed frames.
    ///
    /// Source: `SecretConnection.Write`; the rest of a frame is zero here.
    pub fn seal(&mut self, data: &[u8], out: &mut Vec<u8>) -> Result<(), FrameError> {
        out.reserve(data.len().div_ceil(FRAME_DATA).saturating_mul(SEALED_FRAME));
        for chunk in data.chunks(FRAME_DATA) {
            let start = out.len();
            out.extend_from_slice(&(chunk.len() as u32).to_le_bytes());
            out.extend_from_slice(chunk);
            out.resize(start + LENGTH + FRAME_DATA, 0);
            let nonce = self.counter.next()?;
            let frame = out.get_mut(start..).unwrap_or_default();
            let tag = self.cipher.encrypt_in_place_detached(&nonce, &[], frame).map_err(|_| FrameError::Exhausted)?;
            out.extend_from_slice(&tag);
        }
        Ok(())
    }
}

/// Opens what is received.
pub struct Opener {
    cipher: ChaCha20Poly1305,
    counter: Counter,
}

impl Opener {
    /// From a key of 32 bytes.
    pub fn new(key: &[u8; 32]) -> Self {
        Self { cipher: ChaCha20Poly1305::new(key.into()), counter: Counter(0) }
    }

    /// Opens a sealed frame in place and returns its data.
    ///
    /// Source: `SecretConnection.Read`.
    pub fn open<'a>(&mut self, sealed: &'a mut [u8; SEALED_FRAME]) -> Result<&'a [u8], FrameError> {
        let nonce = self.counter.next()?;
        let (frame, tag) = sealed.split_at_mut(LENGTH + FRAME_DATA);
        let tag = *Tag::from_slice(tag);
        self.cipher.decrypt_in_place_detached(&nonce, &[], frame, &tag).map_err(|_| FrameError::Tag)?;
        let (length, data) = frame.split_first_chunk::<LENGTH>().ok_or(FrameError::Tag)?;
        let length = u32::from_le_bytes(*length);
        if length == 0 {
            return Err(FrameError::Length(length));
        }
        data.get(..length as usize).ok_or(FrameError::Length(length))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frames(bytes: &[u8]) -> Vec<[u8; SEALED_FRAME]> {
        bytes.chunks(SEALED_FRAME).map(|c| c.try_into().unwrap()).collect()
    }

    proptest! {
        #[test]
        fn data_comes_out_as_it_went_in(data in prop::collection::vec(any::<u8>(), 0..5000), key: [u8; 32]) {
            let mut sealed = Vec::new();
            Sealer::new(&key).seal(&data, &mut sealed).unwrap();
            prop_assert_eq!(sealed.len(), data.len().div_ceil(FRAME_DATA) * SEALED_FRAME);
            let mut opener = Opener::new(&key);
            let mut out = Vec::new();
            for mut frame in frames(&sealed) {
                out.extend_from_slice(opener.open(&mut frame).unwrap());
            }
            prop_assert_eq!(out, data);
        }

        #[test]
        fn a_changed_frame_does_not_open(byte in 0..SEALED_FRAME, bit in 0u8..8) {
            let mut sealed = Vec::new();
            Sealer::new(&[1; 32]).seal(b"data", &mut sealed).unwrap();
            sealed[byte] ^= 1 << bit;
            let mut frame = frames(&sealed)[0];
            prop_assert_eq!(Opener::new(&[1; 32]).open(&mut frame), Err(FrameError::Tag));
        }
    }

    #[test]
    fn a_frame_opens_once() {
        let mut sealed = Vec::new();
        Sealer::new(&[1; 32]).seal(b"data", &mut sealed).unwrap();
        let mut opener = Opener::new(&[1; 32]);
        assert_eq!(opener.open(&mut frames(&sealed)[0]), Ok(&b"data"[..]));
        assert_eq!(opener.open(&mut frames(&sealed)[0]), Err(FrameError::Tag));
    }

    #[test]
    fn lengths_that_nobody_writes_are_refused() {
        for length in [0u32, 1025, u32::MAX] {
            let mut frame = [0; SEALED_FRAME];
            frame[..4].copy_from_slice(&length.to_le_bytes());
            let cipher = ChaCha20Poly1305::new(&[1; 32].into());
            let tag = cipher.encrypt_in_place_detached(&Nonce::default(), &[], &mut frame[..1028]).unwrap();
            frame[1028..].copy_from_slice(&tag);
            assert_eq!(Opener::new(&[1; 32]).open(&mut frame), Err(FrameError::Length(length)));
        }
    }

    #[test]
    fn the_last_number_is_not_used() {
        let mut counter = Counter(u64::MAX - 1);
        assert!(counter.next().is_ok());
        assert_eq!(counter.next(), Err(FrameError::Exhausted));
        assert_eq!(Counter(0x0102).next().unwrap()[..], [0, 0, 0, 0, 2, 1, 0, 0, 0, 0, 0, 0]);
    }
}
