//! The beacon by secret sharing among validators.
//!
//! Source: go/beacon/api/pvss.go.

use std::{collections::BTreeMap, fmt};

use oasis_primitives::{
    cbor::Cbor,
    json::Json,
    pvss::{Commit, Instance, Reveal},
    signature::PublicKey,
};

use super::EpochTime;

/// Method of [`PvssCommit`].
pub const METHOD_PVSS_COMMIT: &str = "beacon.PVSSCommit";
/// Method of [`PvssReveal`].
pub const METHOD_PVSS_REVEAL: &str = "beacon.PVSSReveal";

/// Parameters of the secret sharing backend.
///
/// Source: go/beacon/api/pvss.go, `PVSSParameters`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct PvssParameters {
    /// Nodes a round.
    pub participants: u32,
    /// Commits and reveals that a round needs.
    pub threshold: u32,
    /// Blocks in which nodes commit.
    pub commit_interval: i64,
    /// Blocks in which nodes reveal.
    pub reveal_interval: i64,
    /// Blocks from the end of a round to the next epoch.
    pub transition_delay: i64,
    /// Nodes that take part always; for tests.
    #[cbor(omitempty)]
    pub debug_forced_participants: Vec<PublicKey>,
}

/// The body of a commit transaction.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor)]
pub struct PvssCommit {
    /// The epoch for which the beacon is made.
    pub epoch: EpochTime,
    /// The attempt, from 0.
    pub round: u64,
    /// The shares.
    #[cbor(omitempty)]
    pub commit: Option<Commit>,
}

/// The body of a reveal transaction.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor)]
pub struct PvssReveal {
    /// The epoch for which the beacon is made.
    pub epoch: EpochTime,
    /// The attempt, from 0.
    pub round: u64,
    /// The decrypted shares.
    #[cbor(omitempty)]
    pub reveal: Option<Reveal>,
}

/// Where a round stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Cbor)]
#[cbor(transparent)]
pub struct RoundState(pub u8);

impl RoundState {
    /// No round.
    pub const INVALID: Self = Self(0);
    /// Nodes commit.
    pub const COMMIT: Self = Self(1);
    /// Nodes reveal.
    pub const REVEAL: Self = Self(2);
    /// The entropy is known.
    pub const COMPLETE: Self = Self(3);
}

impl fmt::Display for RoundState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::INVALID => f.write_str("invalid"),
            Self::COMMIT => f.write_str("commit"),
            Self::REVEAL => f.write_str("reveal"),
            Self::COMPLETE => f.write_str("complete"),
            Self(other) => write!(f, "[invalid state: {other}]"),
        }
    }
}

/// A round.
///
/// Source: go/beacon/api/pvss.go, `PVSSState`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor)]
pub struct PvssState {
    /// The height at which the round reached its state.
    #[cbor(omitempty)]
    pub height: i64,
    /// The epoch for which the beacon is made.
    #[cbor(omitempty)]
    pub epoch: EpochTime,
    /// The attempt, from 0.
    #[cbor(omitempty)]
    pub round: u64,
    /// Where the round stands.
    #[cbor(omitempty)]
    pub state: RoundState,
    /// The secret sharing.
    #[cbor(omitempty)]
    pub instance: Option<Instance>,
    /// The nodes that take part, in the order of the secret sharing.
    #[cbor(omitempty)]
    pub participants: Vec<PublicKey>,
    /// The recovered entropy.
    #[cbor(omitempty)]
    pub entropy: Vec<u8>,
    /// Nodes that failed in an earlier attempt.
    #[cbor(omitempty)]
    pub bad_participants: BTreeMap<PublicKey, bool>,
    /// The height at which commits end.
    #[cbor(omitempty)]
    pub commit_deadline: i64,
    /// The height at which reveals end.
    #[cbor(omitempty)]
    pub reveal_deadline: i64,
    /// The height at which the next epoch starts.
    #[cbor(omitempty)]
    pub transition_height: i64,
    /// The height at which runtimes are disabled where no attempt succeeded.
    #[cbor(omitempty)]
    pub runtime_disable_height: i64,
}

/// What is announced when a round reaches a state.
///
/// Source: go/beacon/api/pvss.go, `PVSSEvent`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor)]
pub struct PvssEvent {
    /// The height at which the round reached its state.
    #[cbor(omitempty)]
    pub height: i64,
    /// The epoch for which the beacon is made.
    #[cbor(omitempty)]
    pub epoch: EpochTime,
    /// The attempt, from 0.
    #[cbor(omitempty)]
    pub round: u64,
    /// Where the round stands.
    #[cbor(omitempty)]
    pub state: RoundState,
    /// The nodes that take part.
    #[cbor(omitempty)]
    pub participants: Vec<PublicKey>,
}

impl PvssEvent {
    /// The event's name among a block's events.
    pub const KIND: &str = "pvss_round";
}

impl From<&PvssState> for PvssEvent {
    fn from(state: &PvssState) -> Self {
        Self { height: state.height, epoch: state.epoch, round: state.round, state: state.state, participants: state.participants.clone() }
    }
}
