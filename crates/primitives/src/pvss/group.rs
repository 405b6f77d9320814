//! Picking points and scalars from a stream, proofs, and interpolation.

#![allow(clippy::arithmetic_side_effects, reason = "points and scalars of the curve do not overflow")]

use std::sync::LazyLock;

use p256::{
    AffinePoint, EncodedPoint, FieldElement, ProjectivePoint,
    elliptic_curve::{PrimeField, sec1::FromEncodedPoint},
};

use super::{Error, Point, PubVerShare, Scalar, Xof};

/// The coefficient b of the curve y² = x³ - 3x + b.
const B: [u8; 32] = [
    0x5a, 0xc6, 0x35, 0xd8, 0xaa, 0x3a, 0x93, 0xe7, 0xb3, 0xeb, 0xbd, 0x55, 0x76, 0x98, 0x86, 0xbc, 0x65, 0x1d, 0x06, 0xb0, 0xcc, 0x53,
    0xb0, 0xf6, 0x3b, 0xce, 0x3c, 0x3e, 0x27, 0xd2, 0x60, 0x4b,
];

static BASE_POINT: LazyLock<Point> = LazyLock::new(|| Point::pick(&mut Xof::new(b"oasis-core/pvss: base point")));

/// The base point of the commitments, whose discrete logarithm nobody knows.
///
/// Source: go/common/crypto/pvss/pvss.go, `basePoint`.
pub fn base_point() -> Point {
    *BASE_POINT
}

impl Point {
    /// Draws a point from a stream: an x coordinate and the sign of y, until they are on the curve.
    ///
    /// Source: go.dedis.ch/kyber/v3/group/nist, `curvePoint.Pick`, `genPoint`.
    pub fn pick(stream: &mut Xof) -> Self {
        loop {
            let (mut x, mut sign) = ([0; 32], [0]);
            stream.read(&mut x);
            stream.read(&mut sign);
            let negative = sign.first().is_some_and(|s| s & 0x80 != 0);
            if let Some(point) = lift(x, negative) {
                return point;
            }
        }
    }
}

/// The point of an x coordinate: with the root of y² that is itself a square, or its negative.
fn lift(x: [u8; 32], negative: bool) -> Option<Point> {
    let bytes = x;
    let x: FieldElement = Option::from(FieldElement::from_repr(bytes.into()))?;
    let b: FieldElement = Option::from(FieldElement::from_repr(B.into()))?;
    let y2 = x.square() * x - (x.double() + x) + b;
    let root: FieldElement = Option::from(y2.sqrt())?;
    // y2^((p+1)/4) is a square, as p is 3 modulo 4.
    let is_square = bool::from(root.sqrt().is_some());
    let root = if is_square { root } else { -root };
    let y = if negative { -root } else { root };
    let encoded = EncodedPoint::from_affine_coordinates(&bytes.into(), &y.to_repr(), false);
    let point: AffinePoint = Option::from(AffinePoint::from_encoded_point(&encoded))?;
    Some(Point::from_projective(&point.into()))
}

impl Scalar {
    /// Draws a scalar that is not zero from a stream.
    ///
    /// Source: go.dedis.ch/kyber/v3/util/random, `Int`.
    pub fn pick(stream: &mut Xof) -> Self {
        loop {
            let mut bytes = [0; Self::SIZE];
            stream.read(&mut bytes);
            match Self::from_slice(&bytes) {
                Some(scalar) if scalar.value() != p256::Scalar::ZERO => return scalar,
                _ => {}
            }
        }
    }
}

/// Checks a proof that log_G(xG) = log_H(xH): VG = r·G + c·xG and VH = r·H + c·xH.
///
/// The challenge is not computed again, so that this is no proof against a dealer who picks the commitments after it.
///
/// Source: go.dedis.ch/kyber/v3/proof/dleq, `Proof.Verify`.
pub(super) fn verify_proof(proof: &PubVerShare, g: &Point, h: &Point, xg: &ProjectivePoint, xh: &Point) -> bool {
    let (c, r) = (proof.c.value(), proof.r.value());
    let a = g.projective() * r + *xg * c;
    let b = h.projective() * r + xh.projective() * c;
    a == proof.vg.projective() && b == proof.vh.projective()
}

/// The values at 1, 2, …, `count` of the polynomial of the lowest degree through `values`, its first values.
///
/// Each next value follows from the differences of those before, which takes additions only.
///
/// Source: go.dedis.ch/kyber/v3/share, `RecoverPubPoly`, `PubPoly.Eval`.
pub(super) fn extend(values: Vec<ProjectivePoint>, count: usize) -> Vec<ProjectivePoint> {
    let mut out = values.clone();
    // differences[k]: the last k-th difference.
    let mut differences = Vec::with_capacity(values.len());
    let mut row = values;
    while let Some(last) = row.last() {
        differences.push(*last);
        row = row.iter().zip(row.iter().skip(1)).map(|(a, b)| *b - *a).collect();
    }
    while out.len() < count {
        let mut sum = ProjectivePoint::IDENTITY;
        for difference in differences.iter_mut().rev() {
            sum += *difference;
            *difference = sum;
        }
        out.push(sum);
    }
    out
}

/// The value at zero of the polynomial through the points of (index plus one, value).
///
/// Source: go.dedis.ch/kyber/v3/share, `RecoverCommit`.
pub(super) fn interpolate_at_zero(shares: &[(u64, ProjectivePoint)]) -> Result<ProjectivePoint, Error> {
    let mut sum = ProjectivePoint::IDENTITY;
    for (i, value) in shares {
        let xi = p256::Scalar::from(*i);
        let (mut numerator, mut denominator) = (p256::Scalar::ONE, p256::Scalar::ONE);
        for (j, _) in shares {
            if i != j {
                let xj = p256::Scalar::from(*j);
                numerator *= xj;
                denominator *= xj - xi;
            }
        }
        let inverse: p256::Scalar = Option::from(denominator.invert()).ok_or_else(|| Error::new("indices are not distinct"))?;
        sum += *value * (numerator * inverse);
    }
    Ok(sum)
}
