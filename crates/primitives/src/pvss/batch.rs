//! Checking many proofs at once.
#![allow(clippy::arithmetic_side_effects, reason = "points and scalars of the curve do not overflow")]

use p256::{ProjectivePoint, elliptic_curve::Group};
use sha2::{Digest, Sha256};

use super::{Point, PubVerShare, Xof, group::verify_proof};

/// A claim that log_G(xG) = log_H(xH), with its proof; G is the same for all claims that are checked together.
pub(super) struct Claim<'a> {
    pub(super) proof: &'a PubVerShare,
    pub(super) h: &'a Point,
    /// Follows from the points that are named to [`first_wrong`].
    pub(super) xg: ProjectivePoint,
    pub(super) xh: &'a Point,
}

/// The index of the first claim whose proof fails, if any; `bound` are the points from which the claims' `xg` follow.
///
/// One sum over both equations of all claims, each weighted by 128 bits that are drawn from a hash of everything that is
/// checked, is infinity where all equations hold; where one does not it is but for a chance of 2⁻¹²⁸.
pub(super) fn first_wrong(g: &Point, claims: &[Claim<'_>], bound: &[&Point]) -> Option<usize> {
    if bool::from(weighted_sum(g, claims, bound).is_identity()) {
        return None;
    }
    claims.iter().position(|c| !verify_proof(c.proof, g, c.h, &c.xg, c.xh))
}

fn weighted_sum(g: &Point, claims: &[Claim<'_>], bound: &[&Point]) -> ProjectivePoint {
    let mut transcript = Sha256::new();
    let points = claims.iter().flat_map(|c| [c.h, c.xh, &c.proof.vg, &c.proof.vh]);
    for point in bound.iter().copied().chain(points) {
        transcript.update(point.to_bytes().unwrap_or([0; Point::SIZE]));
    }
    for scalar in claims.iter().flat_map(|c| [c.proof.c, c.proof.r]) {
        transcript.update(scalar.value().to_bytes());
    }
    let mut weights = Xof::new(&transcript.finalize());
    let mut weight = || {
        let mut bytes = [0; 16];
        weights.read(&mut bytes);
        p256::Scalar::from(u128::from_be_bytes(bytes))
    };
    let mut sum = Terms::default();
    let (mut of_g, mut of_xg) = (p256::Scalar::ZERO, p256::Scalar::ZERO);
    let mut claims = claims.iter().peekable();
    while let Some(claim) = claims.next() {
        let (c, r, first, second) = (claim.proof.c.value(), claim.proof.r.value(), weight(), weight());
        // VG = r·G + c·xG and VH = r·H + c·xH; weights are short, so that they multiply VG and VH alone.
        sum.add(-claim.proof.vg.projective(), first);
        sum.add(-claim.proof.vh.projective(), second);
        sum.add(claim.h.projective(), second * r);
        sum.add(claim.xh.projective(), second * c);
        of_g += first * r;
        of_xg += first * c;
        // A reveal's claims share xG.
        if claims.peek().is_none_or(|next| next.xg != claim.xg) {
            sum.add(claim.xg, std::mem::take(&mut of_xg));
        }
    }
    sum.add(g.projective(), of_g);
    sum.total()
}

/// Multiples of points to be added up.
#[derive(Default)]
struct Terms(Vec<(ProjectivePoint, p256::Scalar)>);

/// Bits of a window; a term's table has an odd multiple for each value below half of it.
const WINDOW: usize = 5;
/// Multiples in a table: 1, 3, …, 15.
const TABLE: usize = 1 << (WINDOW - 2);
/// Digits of a scalar: its bits and a carry.
const DIGITS: usize = 257;

impl Terms {
    fn add(&mut self, point: ProjectivePoint, scalar: p256::Scalar) {
        self.0.push((point, scalar));
    }

    /// The sum, in time that depends on the scalars.
    ///
    /// Digits of all scalars are walked together, so that doublings are shared (Straus), each in the non-adjacent form,
    /// whose digits are odd and five places apart.
    fn total(&self) -> ProjectivePoint {
        let tables: Vec<_> = self.0.iter().map(|(point, scalar)| (odd_multiples(point), digits(scalar))).collect();
        let mut sum = ProjectivePoint::IDENTITY;
        for place in (0..DIGITS).rev() {
            sum = sum.double();
            for (table, digits) in &tables {
                let digit = digits.get(place).copied().unwrap_or_default();
                let Some(multiple) = table.get(usize::from(digit.unsigned_abs() / 2)) else { continue };
                match digit.signum() {
                    1 => sum += multiple,
                    -1 => sum -= multiple,
                    _ => {}
                }
            }
        }
        sum
    }
}

fn odd_multiples(point: &ProjectivePoint) -> [ProjectivePoint; TABLE] {
    let twice = point.double();
    let mut next = *point;
    [(); TABLE].map(|()| {
        let multiple = next;
        next += twice;
        multiple
    })
}

/// The non-adjacent form: odd digits between -15 and 15, lowest place first.
fn digits(scalar: &p256::Scalar) -> [i8; DIGITS] {
    let mut bytes: [u8; 32] = scalar.to_bytes().into();
    bytes.reverse();
    let bit = |place: usize| bytes.get(place / 8).map_or(0, |byte| i8::from(byte >> (place % 8) & 1 != 0));
    let mut out = [0; DIGITS];
    let (mut place, mut carry) = (0, 0);
    while place < DIGITS {
        if bit(place) == carry {
            place += 1;
            continue;
        }
        let window = (0..WINDOW).fold(carry, |sum, i| sum + (bit(place + i) << i));
        carry = i8::from(window >= 1 << (WINDOW - 1));
        if let Some(digit) = out.get_mut(place) {
            *digit = window - (carry << WINDOW);
        }
        place += WINDOW;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pvss::Scalar;

    #[test]
    fn sums_of_multiples_equal_multiplications() {
        let mut stream = Xof::new(b"terms");
        let mut terms = Terms::default();
        let mut expected = ProjectivePoint::IDENTITY;
        let ones = -p256::Scalar::ONE;
        for i in 0..20u64 {
            let point = Point::pick(&mut stream).projective();
            let scalar = match i {
                0 => p256::Scalar::ZERO,
                1 => p256::Scalar::ONE,
                2 => ones,
                3 => p256::Scalar::from(u64::MAX),
                4 => p256::Scalar::from(16u64),
                _ => Scalar::pick(&mut stream).value(),
            };
            terms.add(point, scalar);
            expected += point * scalar;
        }
        assert_eq!(terms.total(), expected);
        assert_eq!(Terms::default().total(), ProjectivePoint::IDENTITY);
    }
}
