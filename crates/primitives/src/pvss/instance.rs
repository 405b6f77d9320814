//! A round of the protocol.

use std::collections::BTreeMap;

use p256::{ProjectivePoint, elliptic_curve::sec1::ToEncodedPoint};
use sha2::{Digest, Sha256};

use super::{
    Commit, CommitState, Error, Point, PubVerShare, Reveal, Scalar, base_point,
    batch::{Claim, first_wrong},
    group::{extend, interpolate_at_zero},
    messages::DecryptedShares,
};
use crate::cbor::{Cbor, NilMap, NilVec, OrNil};

/// A round of the protocol: who takes part and what was accepted.
///
/// Source: go/common/crypto/pvss/pvss.go, `Instance`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor)]
pub struct Instance {
    /// The public keys, in an order that all agree on.
    pub participants: NilVec<Point>,
    /// Accepted commits by the index of the dealer.
    pub commits: NilMap<i64, OrNil<CommitState>>,
    /// Accepted reveals by the index of the participant.
    pub reveals: NilMap<i64, OrNil<Reveal>>,
    /// Accepted shares by the index of the dealer, then of the participant.
    pub decrypted_shares: DecryptedShares,
    /// How many commits and reveals a round needs.
    pub threshold: i64,
}

impl Instance {
    /// Starts a round of at least two participants with a threshold between one and their number.
    ///
    /// Source: go/common/crypto/pvss/pvss.go, `New`.
    pub fn new(participants: Vec<Point>, threshold: i64) -> Result<Self, Error> {
        let count = participants.len();
        if count < 2 {
            return Err(Error::new(format!("insufficient participants: {count}")));
        }
        let max = i64::from(i32::try_from(count).map_err(|_| Error::new(format!("too many participants: {count}")))?);
        if threshold <= 0 || threshold > max {
            return Err(Error::new(format!("insufficient threshold: {threshold}")));
        }
        if let Some(index) = participants.iter().position(Point::is_missing) {
            return Err(Error::new(format!("invalid point for participant {index}")));
        }
        Ok(Self {
            participants: participants.into(),
            commits: BTreeMap::new().into(),
            reveals: BTreeMap::new().into(),
            decrypted_shares: BTreeMap::new().into(),
            threshold,
        })
    }

    /// The participant at an index.
    fn participant(&self, index: i64) -> Option<(usize, &Point)> {
        let index = usize::try_from(index).ok()?;
        Some((index, self.participants.get(index)?))
    }

    pub(super) fn threshold(&self) -> Result<usize, Error> {
        usize::try_from(self.threshold).map_err(|_| Error::new("insufficient threshold"))
    }

    /// Accepts a commit that is known to come from its dealer.
    ///
    /// Source: go/common/crypto/pvss/pvss.go, `Instance.OnCommit`.
    pub fn on_commit(&mut self, commit: Commit) -> Result<(), Error> {
        self.accept_commit(commit, None)
    }

    pub(super) fn accept_commit(&mut self, commit: Commit, decrypted_share: Option<PubVerShare>) -> Result<(), Error> {
        self.verify_commit(&commit)?;
        self.commits.as_mut().insert(commit.index, CommitState { commit: Some(commit), decrypted_share }.into());
        Ok(())
    }

    fn verify_commit(&self, commit: &Commit) -> Result<(), Error> {
        let count = self.participants.len();
        if commit.shares.len() != count {
            return Err(Error::new(format!("invalid number of shares: {}", commit.shares.len())));
        }
        if self.participant(commit.index).is_none() {
            return Err(Error::new(format!("invalid commit index: {}", commit.index)));
        }
        if self.commits.get(&commit.index).is_some() {
            return Err(Error::new(format!("received multiple commits for participant: {}", commit.index)));
        }
        let shares = (0..count).map(|index| commit.share(index)).collect::<Result<Vec<_>, _>>()?;
        let known = shares.iter().take(self.threshold()?).map(|s| s.poly_v.projective()).collect();
        let polynomial = extend(known, count);
        let proofs: Vec<PubVerShare> = shares.iter().map(|share| share.share()).collect();
        // The encrypted share carries the same exponent as the polynomial's value.
        let claims: Vec<Claim<'_>> = (proofs.iter().zip(&self.participants).zip(&polynomial))
            .map(|((proof, participant), value)| Claim { proof, h: participant, xg: *value, xh: &proof.v })
            .collect();
        let bound: Vec<&Point> = shares.iter().map(|share| &share.poly_v).collect();
        if let Some(index) = first_wrong(&base_point(), &claims, &bound) {
            return Err(Error::new(format!("failed to verify encrypted share ({}:{index})", commit.index)));
        }
        Ok(())
    }

    /// Whether enough commits were accepted, and how many.
    ///
    /// Source: go/common/crypto/pvss/pvss.go, `Instance.MayReveal`.
    pub fn may_reveal(&self) -> (bool, usize) {
        let total = self.commits.len();
        (self.reaches_threshold(total), total)
    }

    fn reaches_threshold(&self, count: usize) -> bool {
        usize::try_from(self.threshold).map_or(true, |threshold| count >= threshold)
    }

    /// Accepts a reveal that is known to come from its participant.
    ///
    /// Source: go/common/crypto/pvss/pvss.go, `Instance.OnReveal`.
    pub fn on_reveal(&mut self, reveal: Reveal) -> Result<(), Error> {
        let shares = self.verify_reveal(&reveal)?;
        for (dealer, share) in shares {
            self.decrypted_shares.as_mut().entry(dealer).or_default().as_mut().insert(reveal.index, share.into());
        }
        self.reveals.as_mut().insert(reveal.index, reveal.into());
        Ok(())
    }

    fn verify_reveal(&self, reveal: &Reveal) -> Result<Vec<(i64, PubVerShare)>, Error> {
        let (position, participant) =
            self.participant(reveal.index).ok_or_else(|| Error::new(format!("invalid reveal index: {}", reveal.index)))?;
        if self.reveals.get(&reveal.index).is_some() {
            return Err(Error::new(format!("received multiple reveals for participant: {}", reveal.index)));
        }
        if reveal.decrypted_shares.len() != self.commits.len() {
            return Err(Error::new(format!("invalid number of decrypted shares: {}", reveal.decrypted_shares.len())));
        }
        let mut shares = Vec::new();
        for (dealer, share) in reveal.decrypted_shares.iter() {
            let share = share.filter(PubVerShare::is_well_formed);
            shares.push((*dealer, share.ok_or_else(|| Error::new(format!("share {dealer} is missing or malformed")))?));
        }
        let generator = Point::from_projective(&ProjectivePoint::GENERATOR);
        let mut claims = Vec::new();
        for (dealer, share) in &shares {
            let commit = self.commits.get(dealer).and_then(|state| state.commit.as_ref());
            let commit = commit.ok_or_else(|| Error::new(format!("reveal for missing commit: {dealer}")))?;
            let encrypted = commit.share(position)?;
            claims.push(Claim { proof: share, h: &share.v, xg: participant.projective(), xh: &encrypted.v });
        }
        if let Some((dealer, _)) = first_wrong(&generator, &claims, &[participant]).and_then(|index| shares.get(index)) {
            return Err(Error::new(format!("failed to verify decrypted share ({}:{dealer})", reveal.index)));
        }
        Ok(shares)
    }

    /// Whether enough secrets can be recovered, and how many reveals were accepted.
    ///
    /// Source: go/common/crypto/pvss/pvss.go, `Instance.MayRecover`.
    pub fn may_recover(&self) -> (bool, usize) {
        let good = self.decrypted_shares.iter().filter(|(dealer, shares)| self.is_good(**dealer, shares)).count();
        (self.reaches_threshold(good), self.reveals.len())
    }

    fn is_good(&self, dealer: i64, shares: &NilMap<i64, OrNil<PubVerShare>>) -> bool {
        self.participant(dealer).is_some() && self.reaches_threshold(shares.len())
    }

    /// Recovers the secrets; gives the entropy, 32 bytes, and the indices of those who revealed.
    ///
    /// Source: go/common/crypto/pvss/pvss.go, `Instance.Recover`.
    pub fn recover(&self) -> Result<([u8; 32], Vec<i64>), Error> {
        if !self.may_recover().0 {
            return Err(Error::new("insufficient valid reveals"));
        }
        let threshold = self.threshold()?;
        let mut hasher = Sha256::new();
        hasher.update(b"oasis-core/pvss: Hash points");
        for (_, shares) in self.decrypted_shares.iter().filter(|(dealer, shares)| self.is_good(**dealer, shares)) {
            let mut lowest = Vec::new();
            for (index, share) in shares.iter().take(threshold) {
                let x = u64::try_from(*index).ok().and_then(|i| i.checked_add(1)).ok_or_else(|| Error::new("invalid index"))?;
                lowest.push((x, share.v.projective()));
            }
            hasher.update(marshal(&interpolate_at_zero(&lowest)?));
        }
        Ok((hasher.finalize().into(), self.reveals.iter().map(|(index, _)| *index).collect()))
    }

    /// The index of a private key's participant, the first where it stands more than once.
    ///
    /// Source: go/common/crypto/pvss/pvss.go, `Instance.SetScalar`.
    pub fn index_of(&self, private_key: &Scalar) -> Option<i64> {
        let point = private_key.point();
        let index = self.participants.iter().position(|p| *p == point)?;
        i64::try_from(index).ok()
    }
}

/// The uncompressed encoding, in which infinity has zero coordinates.
///
/// Source: go.dedis.ch/kyber/v3/group/nist, `curvePoint.MarshalBinary`.
fn marshal(point: &ProjectivePoint) -> Vec<u8> {
    let encoded = point.to_affine().to_encoded_point(false);
    if encoded.is_identity() {
        let mut out = vec![0; Point::SIZE];
        out.iter_mut().take(1).for_each(|b| *b = 4);
        return out;
    }
    encoded.as_bytes().to_vec()
}
