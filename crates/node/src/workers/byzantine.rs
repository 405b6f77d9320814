//! A validator that keeps back its part of the random beacon, for tests of networks.
//!
//! Source: go/oasis-node/cmd/debug/byzantine/beacon.go.

use oasis_consensus_types::{
    beacon::{METHOD_PVSS_COMMIT, METHOD_PVSS_REVEAL, PvssCommit, PvssReveal, PvssState, RoundState},
    transaction::Transaction,
};
use oasis_primitives::{
    pvss::{Instance, Scalar},
    signature::PublicKey,
};

use crate::config::BeaconMode;

/// The round that the validator takes part in.
#[derive(Clone, Debug)]
struct Part {
    epoch: u64,
    round: u64,
    seen: RoundState,
    instance: Instance,
    /// Whether the round is to count the validator as one that failed.
    bad: bool,
}

/// What is to be done at a block.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Act {
    /// To be sent.
    pub transaction: Option<Transaction>,
    /// Whether a round has gone as it should, with or without the validator.
    pub completed: bool,
}

/// The validator.
pub struct Straggler<'a> {
    /// Its key.
    pub id: PublicKey,
    /// Its private scalar.
    pub scalar: &'a Scalar,
    /// What it keeps back.
    pub mode: BeaconMode,
    part: Option<Part>,
}

impl<'a> Straggler<'a> {
    /// A validator that takes part in no round yet.
    pub fn new(id: PublicKey, scalar: &'a Scalar, mode: BeaconMode) -> Self {
        Self { id, scalar, mode, part: None }
    }

    /// Decides what to do in a state of the beacon. A round that does not count the validator as it should is an error.
    ///
    /// Source: go/oasis-node/cmd/debug/byzantine/beacon.go, `doBeaconRound`.
    pub fn step(&mut self, round: &PvssState, entropy: &mut dyn FnMut(&mut [u8])) -> Result<Act, String> {
        let Some(part) = &mut self.part else { return self.commit(round, entropy) };
        if (round.epoch, round.round, round.state) == (part.epoch, part.round, part.seen) {
            return Ok(Act::default());
        }
        let expected = RoundState(part.seen.0.saturating_add(1));
        if (round.epoch, round.round, round.state) != (part.epoch, part.round, expected) {
            return Err(format!(
                "expected epoch {}, round {}, state {expected}, found epoch {}, round {}, state {}",
                part.epoch, part.round, round.epoch, round.round, round.state
            ));
        }
        part.seen = expected;
        let is_bad = round.bad_participants.get(&self.id).copied().unwrap_or_default();
        if is_bad != part.bad {
            return Err(format!("state {expected}: expected that the round counts this node as failed: {}, found {is_bad}", part.bad));
        }
        if expected == RoundState::COMPLETE {
            self.part = None;
            return Ok(Act { transaction: None, completed: true });
        }
        if self.mode != BeaconMode::Honest {
            part.bad = true;
            return Ok(Act::default());
        }
        let theirs = round.instance.as_ref().ok_or("the round has no participants")?;
        for (place, commit) in theirs.commits.iter() {
            if let (None, Some(commit)) = (part.instance.commits.get(place), &commit.commit) {
                let added = part.instance.on_commit_as(commit.clone(), self.scalar, entropy);
                added.map_err(|e| format!("the commit of participant {place} was refused: {e}"))?;
            }
        }
        let reveal = part.instance.reveal(self.scalar).map_err(|e| format!("no reveal was made: {e}"))?;
        let reveal = PvssReveal { epoch: part.epoch, round: part.round, reveal: Some(reveal) };
        Ok(Act { transaction: Some(Transaction::new(0, None, METHOD_PVSS_REVEAL, &reveal)), completed: false })
    }

    /// Joins a round in which the validator is expected.
    fn commit(&mut self, round: &PvssState, entropy: &mut dyn FnMut(&mut [u8])) -> Result<Act, String> {
        if round.state != RoundState::COMMIT || !round.participants.contains(&self.id) {
            return Ok(Act::default());
        }
        let theirs = round.instance.as_ref().ok_or("the round has no participants")?;
        let points = theirs.participants.as_slice().to_vec();
        let mut instance = Instance::new(points, theirs.threshold).map_err(|e| format!("the round's participants were refused: {e}"))?;
        let transaction = if self.mode == BeaconMode::CommitStraggler {
            None
        } else {
            let commit = instance.commit(self.scalar, entropy).map_err(|e| format!("no commit was made: {e}"))?;
            let commit = PvssCommit { epoch: round.epoch, round: round.round, commit: Some(commit) };
            Some(Transaction::new(0, None, METHOD_PVSS_COMMIT, &commit))
        };
        let bad = self.mode == BeaconMode::CommitStraggler;
        self.part = Some(Part { epoch: round.epoch, round: round.round, seen: RoundState::COMMIT, instance, bad });
        Ok(Act { transaction, completed: false })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: PublicKey = PublicKey([1; 32]);

    fn scalars() -> [Scalar; 2] {
        [[1; 32], [2; 32]].map(|bytes| Scalar::from_slice(&bytes).unwrap())
    }

    /// The methods that are sent, and whether the round is completed, where the round counts the validator as failed in the states named.
    fn play(mode: BeaconMode, bad: &[RoundState]) -> Result<(Vec<String>, bool), String> {
        let keys = scalars();
        let points: Vec<_> = keys.iter().map(Scalar::point).collect();
        let mut entropy = |bytes: &mut [u8]| bytes.fill(7);
        let mut instance = Instance::new(points, 1).unwrap();
        let mut straggler = Straggler::new(ID, &keys[0], mode);
        let (mut sent, mut completed) = (Vec::new(), false);
        for state in [RoundState::COMMIT, RoundState::REVEAL, RoundState::COMPLETE] {
            let round = PvssState {
                epoch: 3,
                state,
                instance: Some(instance.clone()),
                participants: vec![ID, PublicKey([2; 32])],
                bad_participants: bad.contains(&state).then_some((ID, true)).into_iter().collect(),
                ..PvssState::default()
            };
            let act = straggler.step(&round, &mut entropy)?;
            completed = act.completed;
            // A second look at the same state does nothing.
            assert!(completed || straggler.step(&round, &mut entropy)? == Act::default());
            if let Some(tx) = act.transaction {
                if tx.method == METHOD_PVSS_COMMIT {
                    let PvssCommit { commit, .. } = tx.body().unwrap();
                    instance.on_commit(commit.unwrap()).unwrap();
                } else {
                    let PvssReveal { reveal, .. } = tx.body().unwrap();
                    instance.on_reveal(reveal.unwrap()).unwrap();
                }
                sent.push(tx.method.clone());
            }
        }
        Ok((sent, completed))
    }

    #[test]
    fn each_mode_keeps_back_what_it_says_and_is_counted_as_failed_for_it() {
        const BOTH: [RoundState; 2] = [RoundState::REVEAL, RoundState::COMPLETE];
        let (commit, reveal) = (METHOD_PVSS_COMMIT.to_owned(), METHOD_PVSS_REVEAL.to_owned());
        assert_eq!(play(BeaconMode::Honest, &[]), Ok((vec![commit.clone(), reveal], true)));
        assert_eq!(play(BeaconMode::RevealStraggler, &BOTH[1..]), Ok((vec![commit], true)));
        assert_eq!(play(BeaconMode::CommitStraggler, &BOTH), Ok((Vec::new(), true)));
    }

    #[test]
    fn a_round_that_counts_it_otherwise_is_an_error() {
        assert!(play(BeaconMode::Honest, &[RoundState::REVEAL]).is_err());
        assert!(play(BeaconMode::CommitStraggler, &[]).is_err());
        assert!(play(BeaconMode::RevealStraggler, &[]).is_err());
    }

    #[test]
    fn rounds_of_others_are_left_alone_and_a_round_that_begins_again_is_an_error() {
        let keys = scalars();
        let mut straggler = Straggler::new(ID, &keys[0], BeaconMode::CommitStraggler);
        let instance = Instance::new(keys.iter().map(Scalar::point).collect(), 1).unwrap();
        let round = PvssState { epoch: 1, state: RoundState::COMMIT, instance: Some(instance), ..PvssState::default() };
        assert_eq!(straggler.step(&round, &mut |_| {}), Ok(Act::default()));
        let mine = PvssState { participants: vec![ID], ..round };
        assert_eq!(straggler.step(&mine, &mut |_| {}), Ok(Act::default()));
        assert!(straggler.step(&PvssState { round: 1, ..mine }, &mut |_| {}).is_err());
    }
}
