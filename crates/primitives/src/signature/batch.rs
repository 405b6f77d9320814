//! Many signatures verified at once.

#![allow(clippy::arithmetic_side_effects, reason = "operations of the group and its scalar field can't overflow")]

use std::collections::BTreeMap;

use curve25519_dalek::{EdwardsPoint, Scalar, constants::ED25519_BASEPOINT_POINT, traits::VartimeMultiscalarMul};
use sha2::{Digest, Sha512};

use super::{
    ChainContext, PublicKey, RawSignature, TENDERMINT_CONTEXT,
    ed25519::{Parts, unpack, unpack_key},
};

/// Batches up to this size are verified one by one when they fail.
const SINGLY: usize = 4;

/// Collects signatures and verifies them together, several times faster than one by one.
///
/// An entry holds in a batch exactly where it holds alone. The equation of each entry is weighted by 128 bits, which are
/// derived by hashing the whole batch: nobody can pick entries after their weights, and no randomness is needed.
#[derive(Clone, Debug, Default)]
pub struct BatchVerifier {
    entries: Vec<Held>,
    keys: UnpackedKeys,
}

/// Public keys and their points, which take about as long to find as the rest of a signature in a large batch. One who verifies batch
/// after batch, often of the same keys, hands them on.
#[derive(Clone, Debug, Default)]
pub struct UnpackedKeys(BTreeMap<PublicKey, Option<EdwardsPoint>>);

impl UnpackedKeys {
    /// The point of a key; none where it is not on the curve or of small order.
    fn point(&mut self, key: &PublicKey) -> Option<EdwardsPoint> {
        *self.0.entry(*key).or_insert_with(|| unpack_key(key))
    }

    /// The number of keys.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are no keys.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant, reason = "nearly all are of the large one")]
enum Held {
    /// It doesn't hold.
    Invalid,
    /// It holds.
    #[cfg(feature = "remember-signatures")]
    Known,
    /// The equation decides.
    Open(Entry),
}

#[derive(Clone, Debug)]
struct Entry {
    key: PublicKey,
    signature: RawSignature,
    parts: Parts,
}

impl BatchVerifier {
    /// A batch without entries.
    pub fn new() -> Self {
        Self::default()
    }

    /// A batch without entries that need not unpack these keys.
    pub fn with_keys(keys: UnpackedKeys) -> Self {
        Self { entries: Vec::new(), keys }
    }

    /// The keys of the batch, and those that it was given.
    pub fn into_keys(self) -> UnpackedKeys {
        self.keys
    }

    /// Adds a signature over these very bytes; no context, no blacklist.
    pub fn push_prehashed(&mut self, key: &PublicKey, message: &[u8], signature: &RawSignature) {
        #[cfg(feature = "remember-signatures")]
        if super::memo::is_on() {
            let holds = super::verify_prehashed(key, message, signature);
            self.entries.push(if holds { Held::Known } else { Held::Invalid });
            return;
        }
        let parts = self.keys.point(key).and_then(|a| unpack(key, a, message, signature));
        let entry = parts.map(|parts| Entry { key: *key, signature: *signature, parts });
        self.entries.push(entry.map_or(Held::Invalid, Held::Open));
    }

    /// Adds a signature by the rules of Tendermint keys.
    ///
    /// Source: oasisprotocol/tendermint crypto/ed25519, `OasisVerifyBatchContext`.
    pub fn push_tendermint(&mut self, key: &PublicKey, message: &[u8], signature: &[u8]) {
        match (RawSignature::from_slice(signature), TENDERMINT_CONTEXT.prepare(&ChainContext::UNSET)) {
            (Some(signature), Ok(context)) => self.push_prehashed(key, &context.prehash(message).0, &signature),
            _ => self.push_invalid(),
        }
    }

    /// Adds an entry that doesn't hold.
    pub fn push_invalid(&mut self) {
        self.entries.push(Held::Invalid);
    }

    /// The number of entries.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether every entry holds; false without entries.
    ///
    /// Source: curve25519-voi primitives/ed25519/batch_verify.go, `VerifyBatchOnly`.
    pub fn verify_all(&self) -> bool {
        let mut open = Vec::with_capacity(self.entries.len());
        for entry in &self.entries {
            match entry {
                Held::Invalid => return false,
                #[cfg(feature = "remember-signatures")]
                Held::Known => {}
                Held::Open(entry) => open.push(entry),
            }
        }
        !self.entries.is_empty() && (open.is_empty() || all_hold(&open))
    }

    /// Which entries hold, in the order they were added.
    pub fn verify_each(&self) -> Vec<bool> {
        let mut out: Vec<bool> = vec![false; self.entries.len()];
        let (mut entries, mut places) = (Vec::new(), Vec::new());
        for (entry, place) in self.entries.iter().zip(&mut out) {
            match entry {
                Held::Invalid => {}
                #[cfg(feature = "remember-signatures")]
                Held::Known => *place = true,
                Held::Open(entry) => {
                    entries.push(entry);
                    places.push(place);
                }
            }
        }
        find(&entries, &mut places);
        out
    }

    /// The same entries in batches of at most `size` entries (at least one), in order, for callers that verify in
    /// parallel.
    pub fn chunks(&self, size: usize) -> Vec<Self> {
        self.entries.chunks(size.max(1)).map(|entries| Self { entries: entries.to_vec(), keys: UnpackedKeys::default() }).collect()
    }
}

/// Marks the entries that hold, halving failed batches.
fn find(entries: &[&Entry], places: &mut [&mut bool]) {
    if entries.len() <= SINGLY {
        for (entry, place) in entries.iter().zip(places) {
            **place = entry.parts.holds();
        }
    } else if all_hold(entries) {
        for place in places {
            **place = true;
        }
    } else {
        let half = entries.len() / 2;
        if let (Some((left, right)), Some((left_places, right_places))) =
            (entries.split_at_checked(half), places.split_at_mut_checked(half))
        {
            find(left, left_places);
            find(right, right_places);
        }
    }
}

/// Checks 8(−Σ zᵢsᵢ·B + Σ zᵢ·Rᵢ + Σ zᵢkᵢ·Aᵢ) = 0, entries of one key gathered into one term.
fn all_hold(entries: &[&Entry]) -> bool {
    if let [only] = entries {
        return only.parts.holds();
    }
    let mut base = Scalar::ZERO;
    let mut keys: BTreeMap<PublicKey, (Scalar, EdwardsPoint)> = BTreeMap::new();
    let mut scalars = Vec::with_capacity(entries.len().saturating_mul(2));
    let mut points = Vec::with_capacity(entries.len().saturating_mul(2));
    for (entry, weight) in entries.iter().zip(weights(entries)) {
        base -= weight * entry.parts.s;
        keys.entry(entry.key).or_insert((Scalar::ZERO, entry.parts.a)).0 += weight * entry.parts.k;
        scalars.push(weight);
        points.push(entry.parts.r);
    }
    scalars.push(base);
    points.push(ED25519_BASEPOINT_POINT);
    for (scalar, point) in keys.into_values() {
        scalars.push(scalar);
        points.push(point);
    }
    EdwardsPoint::vartime_multiscalar_mul(scalars, points).is_small_order()
}

/// 128 bits for each entry, from a hash of all of them.
fn weights(entries: &[&Entry]) -> impl Iterator<Item = Scalar> {
    let mut all = Sha512::new();
    for entry in entries {
        all.update(entry.key.0);
        all.update(entry.signature.0);
        all.update(entry.parts.k.as_bytes());
    }
    let seed = all.finalize();
    (0_u64..).flat_map(move |counter| {
        let block: [u8; 64] = Sha512::new().chain_update(seed).chain_update(counter.to_le_bytes()).finalize().into();
        let (four, _) = block.as_chunks::<16>();
        <[[u8; 16]; 4]>::try_from(four).unwrap_or_default().map(|bytes| Scalar::from(u128::from_le_bytes(bytes)))
    })
}
