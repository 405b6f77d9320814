//! Whether one header follows from another.

use std::fmt;

use crate::{
    commit::{CommitTarget, SignatureCheck},
    error::{VerifyError, ensure, same, same_bytes},
    proto::{Commit, Header, Timestamp},
    validator_set::ValidatorSet,
};

use super::block::check_signed_header;

/// Name of the list of signatures, for errors.
const FIELD: &str = "commit.signatures";

/// Why a header is not trusted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LightError {
    /// The header that trust comes from is too old.
    #[error("the trusted header of height {height} has expired: it is of {time}, trust lasts for {seconds} s")]
    Expired {
        /// Its height.
        height: i64,
        /// Its time.
        time: Timestamp,
        /// Seconds for which it was trusted.
        seconds: i64,
    },
    /// The new header is false.
    #[error("invalid header: {0}")]
    Invalid(VerifyError),
    /// Too few of the trusted validators signed it: headers between are needed.
    #[error("too few of the trusted validators signed: {0}")]
    CannotBeTrusted(VerifyError),
    /// It contradicts the trusted header, or its commit does.
    #[error("{0}")]
    Contradiction(VerifyError),
    /// No node that may be asked gave what is needed, or no witness confirmed it.
    #[error("light block {height}: {reason}")]
    NotAvailable {
        /// Which.
        height: i64,
        /// Why, by node.
        reason: String,
        /// Whether the height may merely not be there yet.
        may_come: bool,
    },
    /// Two nodes gave different headers, and neither was refuted.
    #[error("nodes contradict each other at height {height}: {reason}; check the trusted hash and the nodes that are asked")]
    Divergence {
        /// Where.
        height: i64,
        /// Who.
        reason: String,
    },
    /// What was configured makes no sense.
    #[error("{0}")]
    Options(VerifyError),
}

/// A share of the voting power. Source: tendermint `libs/math/fraction.go`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrustLevel {
    /// Parts...
    pub numerator: u32,
    /// ... of so many.
    pub denominator: u32,
}

impl Default for TrustLevel {
    /// Source: tendermint `light/verifier.go`, `DefaultTrustLevel`.
    fn default() -> Self {
        Self { numerator: 1, denominator: 3 }
    }
}

impl fmt::Display for TrustLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.numerator, self.denominator)
    }
}

impl TrustLevel {
    /// Source: tendermint `light/verifier.go`, `ValidateTrustLevel`.
    pub fn check(&self) -> Result<(), VerifyError> {
        let (n, d) = (u64::from(self.numerator), u64::from(self.denominator));
        ensure(d != 0 && n.saturating_mul(3) >= d && n <= d, "trust_level", "1/3 to 1", self)
    }

    /// The power that must be exceeded.
    pub(crate) fn of(&self, power: i64) -> i64 {
        let parts = i128::from(power).saturating_mul(i128::from(self.numerator));
        let share = parts.checked_div(i128::from(self.denominator)).unwrap_or(i128::MAX);
        i64::try_from(share).unwrap_or(i64::MAX)
    }
}

/// Verifies signatures; gives the first that does not hold.
pub type SignatureVerifier = fn(&[SignatureCheck]) -> Option<usize>;

/// How long and how far trust goes.
#[derive(Clone, Copy, Debug)]
pub struct LightRules {
    /// Nanoseconds for which a header is trusted after its time.
    pub trusting_period: i64,
    /// Nanoseconds that a header may be ahead of this node's clock.
    pub max_clock_drift: i64,
    /// Share of the trusted validators that must have signed.
    pub trust_level: TrustLevel,
    /// How signatures are verified.
    pub signatures: SignatureVerifier,
}

impl LightRules {
    /// The usual rules with a trusting period in nanoseconds, and signatures under the network's context.
    ///
    /// Source: tendermint `light/client.go`, `defaultMaxClockDrift`.
    pub fn new(trusting_period: i64) -> Self {
        let max_clock_drift = 10_000_000_000;
        Self { trusting_period, max_clock_drift, trust_level: TrustLevel::default(), signatures: SignatureCheck::first_wrong }
    }

    fn hold(&self, checks: &[SignatureCheck]) -> Result<(), VerifyError> {
        match (self.signatures)(checks) {
            None => Ok(()),
            Some(wrong) => Err(checks.get(wrong).map_or_else(|| VerifyError::new(FIELD, "signatures", "none"), SignatureCheck::error)),
        }
    }
}

/// Whether a header is too old to trust others by. Source: tendermint `light/verifier.go`, `HeaderExpired`.
fn check_age(trusted: &Header, rules: &LightRules, now: Timestamp) -> Result<(), LightError> {
    if now.nanos_since(&trusted.time) < rules.trusting_period {
        return Ok(());
    }
    Err(LightError::Expired { height: trusted.height, time: trusted.time, seconds: rules.trusting_period / 1_000_000_000 })
}

/// Checks that a new header follows from a trusted one, `trusted_validators` being those of the trusted height or the next.
///
/// Source: tendermint `light/verifier.go`, `Verify`, `VerifyAdjacent`, `VerifyNonAdjacent`.
pub fn verify(
    rules: &LightRules,
    now: Timestamp,
    trusted: &Header,
    trusted_validators: &ValidatorSet,
    (header, commit): (&Header, &Commit),
    validators: &ValidatorSet,
) -> Result<(), LightError> {
    check_age(trusted, rules, now)?;
    check_new(rules, now, trusted, (header, commit), validators).map_err(LightError::Invalid)?;
    if trusted.height.checked_add(1) == Some(header.height) {
        let follows = same_bytes("header.validators_hash", &trusted.next_validators_hash, &header.validators_hash);
        follows.map_err(LightError::Contradiction)?;
    } else {
        check_trusting(rules, trusted, trusted_validators, commit)?;
    }
    check_own_commit(rules, &trusted.chain_id, header.height, commit, validators).map_err(LightError::Invalid)
}

/// Checks that more than two thirds of its own validators signed.
pub(super) fn check_own_commit(
    rules: &LightRules,
    chain_id: &str,
    height: i64,
    commit: &Commit,
    validators: &ValidatorSet,
) -> Result<(), VerifyError> {
    let target = CommitTarget { chain_id, block_id: &commit.block_id, height, field: FIELD };
    rules.hold(&validators.verify_commit_light(target, commit)?)
}

/// Source: tendermint `types/validator_set.go`, `ValidatorSet.VerifyCommitLightTrusting`.
fn check_trusting(rules: &LightRules, trusted: &Header, validators: &ValidatorSet, commit: &Commit) -> Result<(), LightError> {
    let signed = validators.trusting_checks(FIELD, &trusted.chain_id, commit, rules.trust_level);
    let (checks, enough) = signed.map_err(LightError::Contradiction)?;
    rules.hold(&checks).map_err(LightError::Contradiction)?;
    enough.map_err(LightError::CannotBeTrusted)
}

/// Source: tendermint `light/verifier.go`, `verifyNewHeaderAndVals`.
fn check_new(
    rules: &LightRules,
    now: Timestamp,
    trusted: &Header,
    (header, commit): (&Header, &Commit),
    validators: &ValidatorSet,
) -> Result<(), VerifyError> {
    check_signed_header(header, commit, &header.hash(), &trusted.chain_id)?;
    ensure(header.height > trusted.height, "header.height", format_args!("above {}", trusted.height), header.height)?;
    ensure(header.time > trusted.time, "header.time", format_args!("after {}", trusted.time), header.time)?;
    let ahead = header.time.nanos_since(&now);
    ensure(ahead < rules.max_clock_drift, "header.time", format_args!("not after {now}"), header.time)?;
    same_bytes("header.validators_hash", validators.hash(), &header.validators_hash)
}

/// Checks that a header is the one before a trusted one. Source: tendermint `light/verifier.go`, `VerifyBackwards`.
pub fn verify_backwards(header: &Header, trusted: &Header) -> Result<(), LightError> {
    let check = || {
        header.check_basic()?;
        same("header.chain_id", &trusted.chain_id, &header.chain_id)?;
        ensure(header.time < trusted.time, "header.time", format_args!("before {}", trusted.time), header.time)?;
        same_bytes("last_block_id.hash", &header.hash(), &trusted.last_block_id.hash)
    };
    check().map_err(LightError::Invalid)
}
