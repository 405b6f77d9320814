//! Amounts of base units and shares.
//!
//! Source: go/common/quantity/quantity.go.

use std::{fmt, str::FromStr};

use num_bigint::BigUint;
use num_traits::{ToPrimitive, Zero};

use crate::cbor::{self, Decode, Decoder, Encode, Encoder};

/// An unsigned integer without an upper bound, in base units, shares or whatever its place says.
///
/// Encoded as the bytes of the number, most significant first, without leading zeros; zero is no bytes.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Quantity(BigUint);

impl Quantity {
    /// Zero.
    pub const ZERO: Self = Self(BigUint::ZERO);

    /// Whether this is zero.
    pub fn is_zero(&self) -> bool {
        self.0.is_zero()
    }

    /// The sum.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        Self(&self.0 + &other.0)
    }

    /// Adds in place.
    pub fn add(&mut self, other: &Self) {
        self.0 += &other.0;
    }

    /// The difference; none where `other` is greater.
    pub fn checked_sub(&self, other: &Self) -> Option<Self> {
        (self.0 >= other.0).then(|| Self(&self.0 - &other.0))
    }

    /// Subtracts in place; false, and nothing changed, where `other` is greater.
    #[must_use]
    pub fn sub(&mut self, other: &Self) -> bool {
        let enough = self.0 >= other.0;
        if enough {
            self.0 -= &other.0;
        }
        enough
    }

    /// Subtracts as much of `other` as there is, and returns how much that was.
    pub fn sub_up_to(&mut self, other: &Self) -> Self {
        let amount = self.0.clone().min(other.0.clone());
        self.0 -= &amount;
        Self(amount)
    }

    /// The product.
    #[must_use]
    pub fn times(&self, other: &Self) -> Self {
        Self(&self.0 * &other.0)
    }

    /// The quotient rounded down; none where `other` is zero.
    pub fn checked_div(&self, other: &Self) -> Option<Self> {
        (!other.is_zero()).then(|| Self(&self.0 / &other.0))
    }

    /// The number, where it fits 64 bits.
    pub fn to_u64(&self) -> Option<u64> {
        self.0.to_u64()
    }

    /// The number as a big integer.
    pub fn as_big(&self) -> &BigUint {
        &self.0
    }

    /// The number from its bytes, most significant first.
    pub fn from_be_bytes(bytes: &[u8]) -> Self {
        Self(BigUint::from_bytes_be(bytes))
    }

    /// The bytes of the number, most significant first; none for zero.
    pub fn to_be_bytes(&self) -> Vec<u8> {
        if self.is_zero() { Vec::new() } else { self.0.to_bytes_be() }
    }

    /// Moves `amount` from one quantity to another; false, and nothing changed, where there is not enough.
    ///
    /// Source: go/common/quantity/quantity.go, `Move`.
    #[must_use]
    pub fn transfer(destination: &mut Self, source: &mut Self, amount: &Self) -> bool {
        let enough = source.sub(amount);
        if enough {
            destination.add(amount);
        }
        enough
    }

    /// Moves up to `amount` from one quantity to another and returns how much that was.
    ///
    /// Source: go/common/quantity/quantity.go, `MoveUpTo`.
    pub fn transfer_up_to(destination: &mut Self, source: &mut Self, amount: &Self) -> Self {
        let moved = source.sub_up_to(amount);
        destination.add(&moved);
        moved
    }
}

impl From<u64> for Quantity {
    fn from(n: u64) -> Self {
        Self(n.into())
    }
}

impl From<u128> for Quantity {
    fn from(n: u128) -> Self {
        Self(n.into())
    }
}

impl From<BigUint> for Quantity {
    fn from(n: BigUint) -> Self {
        Self(n)
    }
}

impl FromStr for Quantity {
    type Err = num_bigint::ParseBigIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl Encode for Quantity {
    fn encode(&self, e: &mut Encoder) {
        e.bytes(&self.to_be_bytes());
    }

    fn is_empty(&self) -> bool {
        self.is_zero()
    }
}

impl Decode for Quantity {
    fn decode(d: &mut Decoder<'_>) -> Result<Self, cbor::Error> {
        match d.peek_major()? {
            2 => {}
            // To the original this is a structure without visible fields.
            5 => {
                let mut fields = d.structure()?;
                while fields.next(d, &[])?.is_some() {}
                return Ok(Self::ZERO);
            }
            _ => return Err(d.wrong_type("byte string of a quantity")),
        }
        cbor::decode_bytes(d).map(|bytes| Self::from_be_bytes(&bytes))
    }
}

crate::json::text_json!(Quantity, "quantity in digits", Quantity::from_text);

impl Quantity {
    /// Reads digits: decimal, or by their prefix `0x`, `0o`, `0` or `0b`; `_` may stand between digits.
    ///
    /// Source: go/common/quantity/quantity.go, `UnmarshalText`; Go's `math/big`, `Int.UnmarshalText`, `nat.scan`.
    pub fn from_text(text: &str) -> Option<Self> {
        let negative = text.starts_with('-');
        let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
        let prefixes = [("0x", 16), ("0X", 16), ("0o", 8), ("0O", 8), ("0b", 2), ("0B", 2)];
        let prefixed = prefixes.into_iter().find_map(|(prefix, radix)| Some((digits.strip_prefix(prefix)?, radix, true)));
        let octal = || digits.strip_prefix('0').filter(|rest| !rest.is_empty()).map(|rest| (rest, 8, true));
        let (digits, radix, after_prefix) = prefixed.or_else(octal).unwrap_or((digits, 10, false));
        // A separator has a digit, or the prefix, before it and a digit after it.
        let misplaced = digits.is_empty() || digits.ends_with('_') || digits.contains("__") || (digits.starts_with('_') && !after_prefix);
        if misplaced || !digits.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
            return None;
        }
        let number = BigUint::parse_bytes(digits.replace('_', "").as_bytes(), radix)?;
        (!negative || number.is_zero()).then_some(Self(number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_read_by_its_prefix() {
        let read = |text| Quantity::from_text(text).map(|q| q.to_string());
        for (text, expected) in [
            ("0", "0"),
            ("-0", "0"),
            ("+12", "12"),
            ("010", "8"),
            ("0x1_0", "16"),
            ("0b11", "3"),
            ("0o_7", "7"),
            ("1_000", "1000"),
            ("0_1", "1"),
            ("100000000000000000000000", "100000000000000000000000"),
        ] {
            assert_eq!(read(text).as_deref(), Some(expected), "{text}");
        }
        for text in ["", "-", "-1", "1_", "_1", "1__0", "0x", "0x_", "08", "12a", " 1", "1 ", "0b2", "+-1", "1e3"] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
