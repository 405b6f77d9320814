//! Which Ed25519 signatures hold.
//!
//! The scalar S is below the group's order; A and R are points of the curve, not of small order, their y coordinate
//! possibly not reduced (ZIP-215); and 8(S·B − k·A − R) = 0 with k = SHA-512(R ‖ A ‖ message) over the bytes as given.
//!
//! Source: go/common/crypto/signature/signature.go, `defaultOptions`; curve25519-voi primitives/ed25519/ed25519.go,
//! `unpackPublicKey`, `unpackSignature`, `verifyWithOptionsNoPanic`.

#![allow(clippy::arithmetic_side_effects, reason = "operations of the group and its scalar field can't overflow")]

use curve25519_dalek::{EdwardsPoint, Scalar, edwards::CompressedEdwardsY};
use sha2::{Digest, Sha512};

use super::{PublicKey, RawSignature};

/// A signature taken apart: everything checked but the equation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parts {
    /// The public key's point, A.
    pub a: EdwardsPoint,
    /// The commitment, R.
    pub r: EdwardsPoint,
    /// The response, S.
    pub s: Scalar,
    /// The challenge, k.
    pub k: Scalar,
}

/// A public key's point; none where not on the curve or of small order.
pub(super) fn unpack_key(key: &PublicKey) -> Option<EdwardsPoint> {
    unpack_point(key.0)
}

fn unpack_point(bytes: [u8; 32]) -> Option<EdwardsPoint> {
    // The decompression reduces y and takes either sign of x = 0, as ZIP-215 has it.
    CompressedEdwardsY(bytes).decompress().filter(|point| !point.is_small_order())
}

/// Takes a signature apart; none where it can't hold.
pub(super) fn unpack(key: &PublicKey, a: EdwardsPoint, message: &[u8], signature: &RawSignature) -> Option<Parts> {
    let (r_bytes, s_bytes) = signature.0.split_first_chunk::<32>()?;
    let s = Option::from(Scalar::from_canonical_bytes(s_bytes.try_into().ok()?))?;
    let r = unpack_point(*r_bytes)?;
    let k = Scalar::from_hash(Sha512::new().chain_update(r_bytes).chain_update(key.0).chain_update(message));
    Some(Parts { a, r, s, k })
}

impl Parts {
    /// Whether the cofactored equation holds.
    pub fn holds(&self) -> bool {
        let expected = EdwardsPoint::vartime_double_scalar_mul_basepoint(&self.k, &-self.a, &self.s);
        (expected - self.r).is_small_order()
    }
}

/// Whether a signature over these very bytes holds; no context, no blacklist.
pub fn verify_prehashed(key: &PublicKey, message: &[u8], signature: &RawSignature) -> bool {
    let verify = || unpack_key(key).and_then(|a| unpack(key, a, message, signature)).is_some_and(|parts| parts.holds());
    #[cfg(feature = "remember-signatures")]
    return super::memo::or_else(key, message, signature, verify);
    #[cfg(not(feature = "remember-signatures"))]
    verify()
}
