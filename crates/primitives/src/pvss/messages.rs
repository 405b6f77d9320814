//! What participants send, and what is kept of it.

use super::{Error, Point, Scalar};
use crate::cbor::{Cbor, NilMap, NilVec, OrNil};

/// A share with a proof that two discrete logarithms are equal.
///
/// Source: go/common/crypto/pvss/s11n.go, `PubVerShare`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Cbor)]
pub struct PubVerShare {
    /// The encrypted or decrypted share.
    pub v: Point,
    /// The proof's challenge.
    pub c: Scalar,
    /// The proof's response.
    pub r: Scalar,
    /// The proof's commitment with respect to the first base.
    pub vg: Point,
    /// The proof's commitment with respect to the second base.
    pub vh: Point,
}

impl PubVerShare {
    /// Source: go/common/crypto/pvss/s11n.go, `PubVerShare.isWellFormed`.
    pub(super) fn is_well_formed(&self) -> bool {
        let points = [self.v, self.vg, self.vh];
        points.iter().all(|p| !p.is_missing()) && !self.c.is_missing() && !self.r.is_missing()
    }
}

/// What a dealer publishes for one participant: its share, encrypted to it, and a value of the public polynomial.
///
/// Source: go/common/crypto/pvss/s11n.go, `CommitShare`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Cbor)]
pub struct CommitShare {
    /// The public polynomial at the participant's index plus one.
    pub poly_v: Point,
    /// The encrypted share.
    pub v: Point,
    /// The proof's challenge.
    pub c: Scalar,
    /// The proof's response.
    pub r: Scalar,
    /// The proof's commitment with respect to the base point.
    pub vg: Point,
    /// The proof's commitment with respect to the participant's key.
    pub vh: Point,
}

impl CommitShare {
    /// Joins the polynomial's value and the encrypted share.
    pub fn new(poly_v: Point, share: PubVerShare) -> Self {
        let PubVerShare { v, c, r, vg, vh } = share;
        Self { poly_v, v, c, r, vg, vh }
    }

    /// The encrypted share.
    pub fn share(&self) -> PubVerShare {
        PubVerShare { v: self.v, c: self.c, r: self.r, vg: self.vg, vh: self.vh }
    }

    pub(super) fn is_well_formed(&self) -> bool {
        !self.poly_v.is_missing() && self.share().is_well_formed()
    }
}

/// A participant's shares of its secret for all participants.
///
/// Source: go/common/crypto/pvss/pvss.go, `Commit`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor)]
pub struct Commit {
    /// The dealer's index among the participants.
    pub index: i64,
    /// One for each participant, in their order.
    pub shares: NilVec<Option<CommitShare>>,
}

/// A participant's decrypted shares of the secrets of all that committed.
///
/// Source: go/common/crypto/pvss/pvss.go, `Reveal`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor)]
pub struct Reveal {
    /// The index of the participant that decrypted.
    pub index: i64,
    /// The shares by the index of the dealer.
    pub decrypted_shares: NilMap<i64, Option<PubVerShare>>,
}

/// An accepted commit.
///
/// Source: go/common/crypto/pvss/pvss.go, `CommitState`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor)]
pub struct CommitState {
    /// The commit.
    pub commit: Option<Commit>,
    /// The own share, where the instance has a private key.
    #[cbor(omitempty)]
    pub decrypted_share: Option<PubVerShare>,
}

/// Shares by the index of their dealer, then by the index of the participant that decrypted them.
pub(super) type DecryptedShares = NilMap<i64, NilMap<i64, OrNil<PubVerShare>>>;

impl Commit {
    /// The share at an index, where it is complete.
    pub(super) fn share(&self, index: usize) -> Result<&CommitShare, Error> {
        let share = self.shares.get(index).and_then(Option::as_ref);
        share.filter(|s| s.is_well_formed()).ok_or_else(|| Error::new(format!("share {index} is missing or malformed")))
    }
}
