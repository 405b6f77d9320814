//! Points and scalars of P-256 in the encodings of kyber.

use std::fmt;

use p256::{
    AffinePoint, EncodedPoint, ProjectivePoint,
    elliptic_curve::{
        PrimeField,
        sec1::{FromEncodedPoint, ToEncodedPoint},
    },
};

use crate::{
    cbor::{self, Decode, Decoder, Encode, Encoder},
    text,
};

/// A point of P-256, never infinity; or missing, where a message gave none.
///
/// Source: go/common/crypto/pvss/s11n.go, `Point`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Point(AffinePoint);

impl Default for Point {
    fn default() -> Self {
        Self(AffinePoint::IDENTITY)
    }
}

impl Point {
    /// Bytes of an encoded point: 4, x, y.
    pub const SIZE: usize = 65;

    /// Reads the uncompressed encoding of a point that is not infinity.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        if bytes.len() != Self::SIZE || bytes.first() != Some(&4) {
            return None;
        }
        let encoded = EncodedPoint::from_bytes(bytes).ok()?;
        Option::from(AffinePoint::from_encoded_point(&encoded)).map(Self)
    }

    /// Reads base64.
    pub fn from_base64(text: &str) -> Option<Self> {
        Self::from_slice(&text::from_base64(text)?)
    }

    /// The uncompressed encoding; none where the point is missing.
    pub fn to_bytes(&self) -> Option<[u8; Self::SIZE]> {
        if self.is_missing() {
            return None;
        }
        self.0.to_encoded_point(false).as_bytes().try_into().ok()
    }

    /// Whether no point was given.
    pub fn is_missing(&self) -> bool {
        self.0 == AffinePoint::IDENTITY
    }

    pub(super) fn projective(&self) -> ProjectivePoint {
        self.0.into()
    }

    pub(super) fn from_projective(point: &ProjectivePoint) -> Self {
        Self(point.to_affine())
    }
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&text::to_base64(self.to_bytes().as_ref().map_or(&[][..], |b| b)))
    }
}

impl fmt::Debug for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl Encode for Point {
    /// A missing point has no encoding in the original; it is written as null.
    fn encode(&self, e: &mut Encoder) {
        match self.to_bytes() {
            Some(bytes) => e.bytes(&bytes),
            None => e.null(),
        }
    }
}

impl Decode for Point {
    fn decode(d: &mut Decoder<'_>) -> Result<Self, cbor::Error> {
        binary(d, |b| Self::from_slice(b).ok_or_else(|| cbor::Error::invalid("pvss: invalid point")))
    }
}

crate::json::text_json!(Point, "point in base64", Point::from_base64);

impl PartialOrd for Point {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Point {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.to_bytes().cmp(&other.to_bytes())
    }
}

/// An integer modulo the order of P-256; or missing, where a message gave none.
///
/// Source: go/common/crypto/pvss/s11n.go, `Scalar`.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Scalar(Option<p256::Scalar>);

impl Scalar {
    /// Bytes of an encoded scalar.
    pub const SIZE: usize = 32;

    /// Reads a big-endian integer below the order.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        let bytes: [u8; Self::SIZE] = bytes.try_into().ok()?;
        Option::from(p256::Scalar::from_repr(bytes.into())).map(|scalar| Self(Some(scalar)))
    }

    /// The big-endian integer; none where the scalar is missing.
    pub fn to_bytes(&self) -> Option<[u8; Self::SIZE]> {
        self.0.map(|scalar| scalar.to_bytes().into())
    }

    /// Whether no scalar was given.
    pub fn is_missing(&self) -> bool {
        self.0.is_none()
    }

    /// The public key of this private one: the multiple of the curve's generator. Missing for zero and for no scalar.
    pub fn point(&self) -> Point {
        Point::from_projective(&(ProjectivePoint::GENERATOR * self.value()))
    }

    /// The integer, zero where missing.
    pub(super) fn value(&self) -> p256::Scalar {
        self.0.unwrap_or_default()
    }

    pub(super) fn from_value(value: p256::Scalar) -> Self {
        Self(Some(value))
    }
}

impl fmt::Debug for Scalar {
    /// Private keys are scalars too, so that the value is not shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_missing() { "Scalar(missing)" } else { "Scalar" })
    }
}

impl Encode for Scalar {
    /// A missing scalar has no encoding in the original; it is written as null.
    fn encode(&self, e: &mut Encoder) {
        match self.to_bytes() {
            Some(bytes) => e.bytes(&bytes),
            None => e.null(),
        }
    }
}

impl Decode for Scalar {
    fn decode(d: &mut Decoder<'_>) -> Result<Self, cbor::Error> {
        binary(d, |b| Self::from_slice(b).ok_or_else(|| cbor::Error::invalid("pvss: invalid scalar")))
    }
}

/// Reads a structure with a binary form: a byte string, or an (empty) map, which leaves it missing.
fn binary<T: Default>(d: &mut Decoder<'_>, read: impl FnOnce(&[u8]) -> Result<T, cbor::Error>) -> Result<T, cbor::Error> {
    match d.peek_major()? {
        2 => read(&cbor::decode_bytes(d)?),
        5 => {
            d.structure()?.next(d, &[])?;
            Ok(T::default())
        }
        _ => Err(d.wrong_type("byte string")),
    }
}
