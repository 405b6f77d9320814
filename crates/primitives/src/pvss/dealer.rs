//! What a participant with a private key does: dealing a secret, decrypting shares.

use p256::{ProjectivePoint, elliptic_curve::sec1::ToEncodedPoint};
use sha2::{Digest, Sha256};

use super::{Commit, CommitShare, Error, Instance, Point, PubVerShare, Reveal, Scalar, Xof, base_point};

/// Where the private scalars come from: fills a buffer with random bytes.
pub type Entropy<'a> = &'a mut dyn FnMut(&mut [u8]);

fn random_scalar(entropy: Entropy<'_>) -> Scalar {
    let mut seed = [0; 32];
    entropy(&mut seed);
    Scalar::pick(&mut Xof::new(&seed))
}

impl Scalar {
    /// Makes a private key.
    ///
    /// Source: go/common/crypto/pvss/pvss.go, `NewKeyPair`.
    pub fn generate(entropy: Entropy<'_>) -> Self {
        random_scalar(entropy)
    }
}

fn challenge<'a>(points: impl Iterator<Item = &'a ProjectivePoint>) -> p256::Scalar {
    let mut hasher = Sha256::new();
    for point in points {
        hasher.update(point.to_affine().to_encoded_point(false).as_bytes());
    }
    Scalar::pick(&mut Xof::new(&hasher.finalize())).value()
}

impl Instance {
    /// Deals a fresh secret and accepts the commit for the own instance.
    ///
    /// Source: go/common/crypto/pvss/pvss.go, `Instance.Commit`; go.dedis.ch/kyber/v3/share/pvss, `EncShares`.
    pub fn commit(&mut self, private_key: &Scalar, entropy: Entropy<'_>) -> Result<Commit, Error> {
        let index = self.index_of(private_key).ok_or_else(|| Error::new("private key's point is not in the participant list"))?;
        let coefficients: Vec<_> = (0..self.threshold()?).map(|_| random_scalar(entropy).value()).collect();
        let base = base_point().projective();
        let mut secrets = Vec::new();
        let (mut xg, mut xh, mut v, mut vg, mut vh) = (Vec::new(), Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for (x, participant) in (1u64..).zip(&self.participants) {
            let x = p256::Scalar::from(x);
            let secret = coefficients.iter().rev().fold(p256::Scalar::ZERO, |sum, c| sum * x + c);
            let nonce = random_scalar(entropy).value();
            xg.push(base * secret);
            xh.push(participant.projective() * secret);
            vg.push(base * nonce);
            vh.push(participant.projective() * nonce);
            v.push(nonce);
            secrets.push(secret);
        }
        let c = challenge(xg.iter().chain(&xh).chain(&vg).chain(&vh));
        let mut shares = Vec::new();
        for ((((secret, nonce), xg), xh), (vg, vh)) in secrets.iter().zip(&v).zip(&xg).zip(&xh).zip(vg.iter().zip(&vh)) {
            let share = PubVerShare {
                v: Point::from_projective(xh),
                c: Scalar::from_value(c),
                r: Scalar::from_value(*nonce - *secret * c),
                vg: Point::from_projective(vg),
                vh: Point::from_projective(vh),
            };
            shares.push(Some(CommitShare::new(Point::from_projective(xg), share)));
        }
        let commit = Commit { index, shares: shares.into() };
        self.on_commit_as(commit.clone(), private_key, entropy)?;
        Ok(commit)
    }

    /// Accepts a commit and decrypts the share in it that was dealt to the private key.
    ///
    /// Source: go/common/crypto/pvss/pvss.go, `Instance.OnCommit`; go.dedis.ch/kyber/v3/share/pvss, `DecShare`.
    pub fn on_commit_as(&mut self, commit: Commit, private_key: &Scalar, entropy: Entropy<'_>) -> Result<(), Error> {
        let own = self.index_of(private_key).ok_or_else(|| Error::new("private key's point is not in the participant list"))?;
        let own = usize::try_from(own).map_err(|_| Error::new("invalid index"))?;
        let encrypted = commit.share(own)?.v.projective();
        let x = private_key.value();
        let inverse: p256::Scalar = Option::from(x.invert()).ok_or_else(|| Error::new("private key is zero"))?;
        let v = encrypted * inverse;
        let nonce = random_scalar(entropy).value();
        let (g, vg, vh) = (ProjectivePoint::GENERATOR, ProjectivePoint::GENERATOR * nonce, v * nonce);
        let c = challenge([g * x, encrypted, vg, vh].iter());
        let share = PubVerShare {
            v: Point::from_projective(&v),
            c: Scalar::from_value(c),
            r: Scalar::from_value(nonce - x * c),
            vg: Point::from_projective(&vg),
            vh: Point::from_projective(&vh),
        };
        self.accept_commit(commit, Some(share))
    }

    /// Publishes the shares that were decrypted by [`Instance::on_commit_as`], and accepts the reveal.
    ///
    /// Source: go/common/crypto/pvss/pvss.go, `Instance.Reveal`.
    pub fn reveal(&mut self, private_key: &Scalar) -> Result<Reveal, Error> {
        let index = self.index_of(private_key).ok_or_else(|| Error::new("private key's point is not in the participant list"))?;
        if !self.may_reveal().0 {
            return Err(Error::new("insufficient valid commits"));
        }
        let shares = self.commits.iter().map(|(dealer, state)| (*dealer, state.decrypted_share));
        let reveal = Reveal { index, decrypted_shares: shares.collect::<std::collections::BTreeMap<_, _>>().into() };
        self.on_reveal(reveal.clone())?;
        Ok(reveal)
    }
}
