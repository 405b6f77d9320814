//! Types that are a fixed number of bytes.

/// Gives a type around an array of bytes its text and its encoding as a byte string.
///
/// The type has `from_slice`; `$text` writes bytes to a formatter, `$malformed` is the error of bytes that do not fit.
macro_rules! fixed_bytes {
    ($type:ident, $malformed:expr, $text:path) => {
        impl AsRef<[u8]> for $type {
            fn as_ref(&self) -> &[u8] {
                &self.0
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                $text(&self.0, f)
            }
        }

        impl std::fmt::Debug for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "{self}")
            }
        }

        impl $crate::cbor::Encode for $type {
            fn encode(&self, e: &mut $crate::cbor::Encoder) {
                e.bytes(&self.0);
            }
        }

        impl $crate::cbor::Decode for $type {
            fn decode(d: &mut $crate::cbor::Decoder<'_>) -> Result<Self, $crate::cbor::Error> {
                $crate::cbor::decode_fixed(d, |b| Self::from_slice(b).ok_or_else(|| $crate::cbor::Error::invalid($malformed)), Self)
            }
        }
    };
}

/// The same, with a `from_slice` that takes any bytes of the right number.
macro_rules! any_fixed_bytes {
    ($type:ident, $malformed:expr, $text:path) => {
        impl $type {
            /// Takes exactly as many bytes as the type has.
            pub fn from_slice(bytes: &[u8]) -> Option<Self> {
                bytes.try_into().ok().map(Self)
            }
        }

        $crate::bytes::fixed_bytes!($type, $malformed, $text);
    };
}

pub(crate) use {any_fixed_bytes, fixed_bytes};
