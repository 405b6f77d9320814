//! Byte strings that are kept in place while they are short.

use std::{
    fmt,
    ops::{Deref, DerefMut},
};

/// Bytes, of which up to `N` are kept in place. `N` has to be less than 256.
#[derive(Clone)]
pub(crate) enum Small<const N: usize> {
    Inline(u8, [u8; N]),
    Heap(Box<[u8]>),
}

/// A key, most of which are an address or a hash with something before it.
pub(crate) type Key = Small<46>;

/// A label.
pub(crate) type Label = Small<22>;

impl<const N: usize> Small<N> {
    /// Zeros.
    pub fn zeroed(len: usize) -> Self {
        match u8::try_from(len) {
            Ok(short) if len <= N => Self::Inline(short, [0; N]),
            _ => Self::Heap(vec![0; len].into()),
        }
    }
}

impl<const N: usize> Default for Small<N> {
    fn default() -> Self {
        Self::Inline(0, [0; N])
    }
}

impl<const N: usize> From<&[u8]> for Small<N> {
    fn from(bytes: &[u8]) -> Self {
        if bytes.len() > N {
            return Self::Heap(bytes.into());
        }
        let mut out = Self::zeroed(bytes.len());
        out.copy_from_slice(bytes);
        out
    }
}

impl<const N: usize> Deref for Small<N> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Inline(len, bytes) => bytes.get(..usize::from(*len)).unwrap_or_default(),
            Self::Heap(bytes) => bytes,
        }
    }
}

impl<const N: usize> DerefMut for Small<N> {
    fn deref_mut(&mut self) -> &mut [u8] {
        match self {
            Self::Inline(len, bytes) => bytes.get_mut(..usize::from(*len)).unwrap_or_default(),
            Self::Heap(bytes) => bytes,
        }
    }
}

impl<const N: usize> fmt::Debug for Small<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_and_long_strings_are_what_they_were_made_of() {
        let bytes: Vec<u8> = (1..=80).collect();
        for len in 0..bytes.len() {
            assert_eq!(*Label::from(&bytes[..len]), bytes[..len]);
            assert_eq!(*Key::from(&bytes[..len]).clone(), bytes[..len]);
            let mut zeros = Label::zeroed(len);
            assert!(zeros.len() == len && zeros.iter().all(|b| *b == 0));
            zeros.copy_from_slice(&bytes[..len]);
            assert_eq!(*zeros, bytes[..len]);
        }
    }
}
