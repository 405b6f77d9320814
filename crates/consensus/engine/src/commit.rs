//! Commits and the signatures in them.

use oasis_primitives::signature::{BatchVerifier, PublicKey};
use prost::Message;

use crate::{
    error::{VerifyError, ensure, same},
    light::TrustLevel,
    merkle::{self, Sha256Hash},
    proto::{BlockId, BlockIdFlag, Commit, CommitSig, SignedMsgType},
    validator_set::{ADDRESS_SIZE, ValidatorSet},
    vote::{VoteContent, check_signature},
};

/// A signature that is still to be verified, under the context `oasis-core/tendermint`.
///
/// Everything else about a commit or vote is checked at once; the signatures are handed out, so that the ones of many
/// blocks can be verified together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignatureCheck {
    /// Path of the field that holds the signature.
    pub field: &'static str,
    /// Place in the list of that field.
    pub index: usize,
    /// The signer's Ed25519 key.
    pub public_key: [u8; 32],
    /// What was signed.
    pub message: Vec<u8>,
    /// The signature.
    pub signature: [u8; 64],
}

impl SignatureCheck {
    /// The place of the first that does not hold.
    pub fn first_wrong(checks: &[Self]) -> Option<usize> {
        let mut batch = BatchVerifier::new();
        for c in checks {
            batch.push_tendermint(&PublicKey(c.public_key), &c.message, &c.signature);
        }
        if checks.is_empty() || batch.verify_all() { None } else { batch.verify_each().iter().position(|holds| !holds) }
    }

    /// The error when the signature is wrong.
    pub fn error(&self) -> VerifyError {
        let field = format!("{}[{}].signature", self.field, self.index);
        VerifyError::new(field, format_args!("a signature by {}", hex::encode(self.public_key)), hex::encode(self.signature))
    }
}

impl CommitSig {
    /// Whether no vote was seen.
    pub fn is_absent(&self) -> bool {
        self.block_id_flag == BlockIdFlag::ABSENT
    }

    /// Whether the vote is for the block.
    pub fn is_for_block(&self) -> bool {
        self.block_id_flag == BlockIdFlag::COMMIT
    }

    /// Source: tendermint `types/block.go`, `CommitSig.ValidateBasic`.
    fn check_basic(&self) -> Result<(), VerifyError> {
        match self.block_id_flag {
            BlockIdFlag::ABSENT => {
                ensure(self.validator_address.is_empty(), "validator_address", "nothing", hex::encode(&self.validator_address))?;
                ensure(self.timestamp.is_zero(), "timestamp", "the zero time", self.timestamp)?;
                ensure(self.signature.is_empty(), "signature", "nothing", hex::encode(&self.signature))
            }
            BlockIdFlag::COMMIT | BlockIdFlag::NIL => {
                let length = self.validator_address.len();
                ensure(length == ADDRESS_SIZE, "validator_address", "20 bytes", length)?;
                self.timestamp.check("timestamp")?;
                check_signature(&self.signature)
            }
            other => Err(VerifyError::new("block_id_flag", "1, 2 or 3", other)),
        }
    }
}

impl Commit {
    /// Source: tendermint `types/block.go`, `Commit.ValidateBasic`, `CommitFromProto`.
    pub fn check_basic(&self) -> Result<(), VerifyError> {
        ensure(self.height >= 0, "height", "not negative", self.height)?;
        ensure(self.round >= 0, "round", "not negative", self.round)?;
        self.block_id.check_basic().map_err(|e| e.inside("block_id"))?;
        for (i, sig) in self.signatures.iter().enumerate() {
            sig.check_basic().map_err(|e| e.inside(&format!("signatures[{i}]")))?;
        }
        if self.height >= 1 {
            ensure(!self.block_id.is_zero(), "block_id", "a block", "nil")?;
            ensure(!self.signatures.is_empty(), "signatures", "at least one", 0)?;
        }
        Ok(())
    }

    /// The root over the signatures. Source: tendermint `types/block.go`, `Commit.Hash`.
    pub fn hash(&self) -> Sha256Hash {
        merkle::root(self.signatures.iter().map(Message::encode_to_vec))
    }

    /// What a validator signed. Source: tendermint `types/block.go`, `Commit.GetVote`, `Commit.VoteSignBytes`.
    fn sign_bytes(&self, sig: &CommitSig, chain_id: &str) -> Vec<u8> {
        let content = VoteContent {
            kind: SignedMsgType::PRECOMMIT,
            height: self.height,
            round: self.round,
            block_id: sig.is_for_block().then_some(&self.block_id),
            timestamp: sig.timestamp,
        };
        content.sign_bytes(chain_id)
    }

    pub(crate) fn signature_check(
        &self,
        field: &'static str,
        index: usize,
        sig: &CommitSig,
        public_key: [u8; 32],
        chain_id: &str,
    ) -> Result<SignatureCheck, VerifyError> {
        let wrong = || VerifyError::new(format!("{field}[{index}].signature"), "64 bytes", sig.signature.len());
        let signature = sig.signature.as_slice().try_into().map_err(|_| wrong())?;
        Ok(SignatureCheck { field, index, public_key, message: self.sign_bytes(sig, chain_id), signature })
    }
}

/// What a commit must be about.
#[derive(Clone, Copy, Debug)]
pub struct CommitTarget<'a> {
    /// The chain.
    pub chain_id: &'a str,
    /// The block.
    pub block_id: &'a BlockId,
    /// Its height.
    pub height: i64,
    /// Name of the list of signatures, for errors.
    pub field: &'static str,
}

impl ValidatorSet {
    /// Checks that validators with more than two thirds of the power signed a block; gives every signature to verify.
    ///
    /// Source: tendermint `types/validator_set.go`, `ValidatorSet.VerifyCommit`. Votes for nil are verified too.
    pub fn verify_commit(&self, target: CommitTarget<'_>, commit: &Commit) -> Result<Vec<SignatureCheck>, VerifyError> {
        self.check_commit_target(target, commit)?;
        let mut tally = 0i64;
        let mut checks = Vec::with_capacity(commit.signatures.len());
        for (i, (sig, validator)) in commit.signatures.iter().zip(self.validators()).enumerate() {
            if sig.is_absent() {
                continue;
            }
            checks.push(commit.signature_check(target.field, i, sig, validator.key()?, target.chain_id)?);
            if sig.is_for_block() {
                tally = tally.saturating_add(validator.voting_power);
            }
        }
        if tally <= self.two_thirds() {
            return Err(too_little(target.field, tally, self.two_thirds()));
        }
        Ok(checks)
    }

    /// Like [`Self::verify_commit`], but only as many signatures for the block as are needed.
    ///
    /// Source: tendermint `types/validator_set.go`, `ValidatorSet.VerifyCommitLight`.
    pub fn verify_commit_light(&self, target: CommitTarget<'_>, commit: &Commit) -> Result<Vec<SignatureCheck>, VerifyError> {
        self.check_commit_target(target, commit)?;
        let mut tally = 0i64;
        let mut checks = Vec::new();
        for (i, (sig, validator)) in commit.signatures.iter().zip(self.validators()).enumerate() {
            if !sig.is_for_block() {
                continue;
            }
            checks.push(commit.signature_check(target.field, i, sig, validator.key()?, target.chain_id)?);
            tally = tally.saturating_add(validator.voting_power);
            if tally > self.two_thirds() {
                return Ok(checks);
            }
        }
        Err(too_little(target.field, tally, self.two_thirds()))
    }

    /// Checks that validators of this set, which need not be the block's own, with more than a share of the power signed.
    ///
    /// Source: tendermint `types/validator_set.go`, `ValidatorSet.VerifyCommitLightTrusting`.
    pub fn verify_commit_light_trusting(
        &self,
        target: CommitTarget<'_>,
        commit: &Commit,
        level: TrustLevel,
    ) -> Result<Vec<SignatureCheck>, VerifyError> {
        let (checks, enough) = self.trusting_checks(target.field, target.chain_id, commit, level)?;
        enough.map(|()| checks)
    }

    /// The signatures of validators of this set, and whether these have more than a share of the power.
    pub(crate) fn trusting_checks(
        &self,
        field: &'static str,
        chain_id: &str,
        commit: &Commit,
        level: TrustLevel,
    ) -> Result<(Vec<SignatureCheck>, Result<(), VerifyError>), VerifyError> {
        let needed = level.of(self.total_voting_power());
        let mut seen = vec![false; self.validators().len()];
        let mut tally = 0i64;
        let mut checks = Vec::new();
        for (i, sig) in commit.signatures.iter().enumerate().filter(|(_, s)| s.is_for_block()) {
            let Some((place, validator)) = self.get(&sig.validator_address) else { continue };
            if let Some(seen) = seen.get_mut(place) {
                ensure(!*seen, field, "one vote a validator", hex::encode(&sig.validator_address))?;
                *seen = true;
            }
            checks.push(commit.signature_check(field, i, sig, validator.key()?, chain_id)?);
            tally = tally.saturating_add(validator.voting_power);
            if tally > needed {
                return Ok((checks, Ok(())));
            }
        }
        Ok((checks, Err(too_little(field, tally, needed))))
    }

    /// Two thirds of the power, rounded down; more than this is needed. It wraps around as in the original, for sums that only
    /// evidence can claim.
    pub(crate) fn two_thirds(&self) -> i64 {
        self.total_voting_power().wrapping_mul(2) / 3
    }

    fn check_commit_target(&self, target: CommitTarget<'_>, commit: &Commit) -> Result<(), VerifyError> {
        let (expected, found) = (self.validators().len(), commit.signatures.len());
        ensure(expected == found, target.field, format_args!("{expected} signatures"), found)?;
        same("height", &target.height, &commit.height)?;
        same("block_id", target.block_id, &commit.block_id)
    }
}

fn too_little(field: &str, got: i64, needed: i64) -> VerifyError {
    VerifyError::new(field, format_args!("signatures with a voting power above {needed}"), got)
}
