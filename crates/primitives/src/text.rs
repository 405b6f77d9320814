//! Bytes as text.

use std::fmt;

use base64::{
    Engine,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};

/// Padding is needed, and the bits that padding leaves over are not looked at.
const GO_STANDARD: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true).with_decode_padding_mode(DecodePaddingMode::RequireCanonical),
);

/// Reads base64 as leniently as the original: line ends are passed over anywhere.
///
/// Source: Go's `encoding/base64`, `StdEncoding`.
pub fn from_base64(text: &str) -> Option<Vec<u8>> {
    if text.contains(['\r', '\n']) {
        return GO_STANDARD.decode(text.replace(['\r', '\n'], "")).ok();
    }
    GO_STANDARD.decode(text).ok()
}

/// Writes base64 with padding.
pub fn to_base64(bytes: &[u8]) -> String {
    GO_STANDARD.encode(bytes)
}

/// Writes bytes in hexadecimal digits.
pub(crate) fn write_hex(bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str(&hex::encode(bytes))
}

/// Writes bytes in base64.
pub(crate) fn write_base64(bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str(&to_base64(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_needs_padding_but_not_zero_bits() {
        assert_eq!(from_base64("QQ==").as_deref(), Some(&b"A"[..]));
        assert_eq!(from_base64("QR==").as_deref(), Some(&b"A"[..]));
        assert_eq!(from_base64("Q\nQ=\r\n=\n").as_deref(), Some(&b"A"[..]));
        for bad in ["QQ", "QQ=", "QQ== ", "QQ==QQ==", "Q Q==", "_w=="] {
            assert_eq!(from_base64(bad), None, "{bad}");
        }
    }
}
