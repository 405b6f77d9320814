//! The random beacon by secret sharing: commits and reveals of a node that takes part.
//!
//! What was dealt is kept before it is sent: a node that crashes between commit and reveal can still reveal.
//!
//! Source: go/worker/beacon/worker.go.

use oasis_consensus_app::{beacon::query, error::Error, registry, store::Store};
use oasis_consensus_types::{
    beacon::{METHOD_PVSS_COMMIT, METHOD_PVSS_REVEAL, PvssCommit, PvssReveal, PvssState, RoundState},
    transaction::Transaction,
};
use oasis_primitives::{
    cbor::{self, Cbor},
    pvss::{Instance, Point, Scalar},
    signature::PublicKey,
};

/// What a node remembers of the round that it takes part in.
#[derive(Clone, Debug, Default, PartialEq, Cbor)]
pub struct Memory {
    /// The epoch for which the beacon is made.
    pub epoch: u64,
    /// The attempt.
    pub round: u64,
    /// What was done last.
    pub state: RoundState,
    /// The secret sharing as the node knows it, its own commit and reveal included.
    pub instance: Option<Instance>,
    /// The commit, to be sent again.
    pub commit: Option<PvssCommit>,
    /// The reveal, to be sent again.
    pub reveal: Option<PvssReveal>,
}

/// What is to be done at a block.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Step {
    /// To be remembered before anything is sent; `Some(None)` to forget.
    pub remember: Option<Option<Memory>>,
    /// To be sent, if the round still waits for it.
    pub transaction: Option<Transaction>,
    /// What people should know.
    pub note: Option<String>,
}

impl Step {
    fn forget(note: impl Into<String>) -> Self {
        Self { remember: Some(None), transaction: None, note: Some(note.into()) }
    }
}

/// A node that may take part.
pub struct Participant<'a> {
    /// The node's key.
    pub id: PublicKey,
    /// Its private scalar.
    pub scalar: &'a Scalar,
}

impl Participant<'_> {
    /// Decides what to do in a state, from what the node remembers of the round.
    pub fn step(&self, state: &Store, memory: Option<&Memory>, entropy: &mut dyn FnMut(&mut [u8])) -> Result<Step, Error> {
        let Some(round) = query::pvss_state(state)? else { return Ok(Step::default()) };
        let mine = memory.filter(|m| m.epoch == round.epoch && m.round == round.round);
        match round.state {
            RoundState::COMMIT => match mine {
                Some(memory) => Ok(self.commit_again(&round, memory)),
                None => self.commit(state, &round, entropy),
            },
            RoundState::REVEAL => Ok(match mine {
                Some(memory) if memory.state == RoundState::COMMIT => self.reveal(&round, memory, entropy),
                Some(memory) => self.reveal_again(&round, memory),
                // A round that is past its commits can't be joined.
                None => Step { remember: memory.map(|_| None), ..Step::default() },
            }),
            RoundState::COMPLETE => Ok(match mine {
                Some(memory) => complete(&round, memory),
                None => Step { remember: memory.map(|_| None), ..Step::default() },
            }),
            _ => Ok(Step::default()),
        }
    }

    fn place(&self, round: &PvssState) -> Option<usize> {
        round.participants.iter().position(|id| *id == self.id)
    }

    /// Source: `onStateCommit`.
    fn commit(&self, state: &Store, round: &PvssState, entropy: &mut dyn FnMut(&mut [u8])) -> Result<Step, Error> {
        if self.place(round).is_none() || round.bad_participants.contains_key(&self.id) {
            return Ok(Step::default());
        }
        let Some(theirs) = &round.instance else { return Ok(Step::forget("the round has no participants")) };
        let place = self.place(round).and_then(|place| i64::try_from(place).ok());
        if place.is_some_and(|place| theirs.commits.get(&place).is_some_and(|commit| !commit.is_nil())) {
            // A second secret would be refused, and the reveal of it count as a fault.
            let note = "this node's commit is in the round, but what was dealt is not remembered: it can't reveal";
            return Ok(Step { note: Some(note.to_owned()), ..Step::default() });
        }
        let mut points: Vec<Point> = Vec::with_capacity(round.participants.len());
        for id in &round.participants {
            let point = registry::query::node(state, id).ok().and_then(|node| node.beacon).map(|beacon| beacon.point);
            let Some(point) = point else { return Ok(Step::forget(format!("participant {id} has no point"))) };
            points.push(point);
        }
        if cbor::to_vec(&points) != cbor::to_vec(&theirs.participants) {
            return Ok(Step::forget("the participants' points are not those of the registry"));
        }
        let made = Instance::new(points, theirs.threshold).and_then(|mut instance| {
            let commit = instance.commit(self.scalar, entropy)?;
            Ok((instance, commit))
        });
        let (instance, commit) = match made {
            Ok(made) => made,
            Err(e) => return Ok(Step::forget(format!("no commit was made: {e}"))),
        };
        let commit = PvssCommit { epoch: round.epoch, round: round.round, commit: Some(commit) };
        let transaction = Transaction::new(0, None, METHOD_PVSS_COMMIT, &commit);
        let memory = Memory {
            epoch: round.epoch,
            round: round.round,
            state: RoundState::COMMIT,
            instance: Some(instance),
            commit: Some(commit),
            reveal: None,
        };
        Ok(Step { remember: Some(Some(memory)), transaction: Some(transaction), note: None })
    }

    fn commit_again(&self, round: &PvssState, memory: &Memory) -> Step {
        let place = self.place(round).and_then(|place| i64::try_from(place).ok());
        let there = place.is_some_and(|place| round.instance.as_ref().is_some_and(|i| i.commits.get(&place).is_some_and(|c| !c.is_nil())));
        let transaction = memory.commit.as_ref().filter(|_| !there).map(|commit| Transaction::new(0, None, METHOD_PVSS_COMMIT, commit));
        Step { transaction, ..Step::default() }
    }

    /// Source: `onStateReveal`.
    fn reveal(&self, round: &PvssState, memory: &Memory, entropy: &mut dyn FnMut(&mut [u8])) -> Step {
        if round.bad_participants.contains_key(&self.id) {
            return Step::forget("the round counts this node as one that failed");
        }
        let (Some(mut instance), Some(theirs)) = (memory.instance.clone(), &round.instance) else {
            return Step::forget("the commit of this round is not remembered");
        };
        for (place, commit) in theirs.commits.iter() {
            let known = instance.commits.get(place);
            match known {
                Some(known) if cbor::to_vec(&known.commit) != cbor::to_vec(&commit.commit) => {
                    return Step::forget(format!("the commit of participant {place} has changed"));
                }
                Some(_) => {}
                None => {
                    let Some(commit) = &commit.commit else { continue };
                    if let Err(e) = instance.on_commit_as(commit.clone(), self.scalar, entropy) {
                        return Step::forget(format!("the commit of participant {place} was refused: {e}"));
                    }
                }
            }
        }
        let reveal = match instance.reveal(self.scalar) {
            Ok(reveal) => PvssReveal { epoch: round.epoch, round: round.round, reveal: Some(reveal) },
            Err(e) => return Step::forget(format!("no reveal was made: {e}")),
        };
        let transaction = Transaction::new(0, None, METHOD_PVSS_REVEAL, &reveal);
        let memory = Memory { state: RoundState::REVEAL, instance: Some(instance), reveal: Some(reveal), ..memory.clone() };
        Step { remember: Some(Some(memory)), transaction: Some(transaction), note: None }
    }

    fn reveal_again(&self, round: &PvssState, memory: &Memory) -> Step {
        let place = self.place(round).and_then(|place| i64::try_from(place).ok());
        let there = place.is_some_and(|place| round.instance.as_ref().is_some_and(|i| i.reveals.get(&place).is_some_and(|r| !r.is_nil())));
        let transaction = memory.reveal.as_ref().filter(|_| !there).map(|reveal| Transaction::new(0, None, METHOD_PVSS_REVEAL, reveal));
        Step { transaction, ..Step::default() }
    }
}

/// Checks the entropy, which everybody can. Source: `onStateComplete`.
fn complete(round: &PvssState, memory: &Memory) -> Step {
    let (Some(mut instance), Some(theirs)) = (memory.instance.clone(), &round.instance) else {
        return Step { remember: Some(None), ..Step::default() };
    };
    for (place, reveal) in theirs.reveals.iter() {
        if instance.reveals.get(place).is_none()
            && let Err(e) = instance.on_reveal((**reveal).clone())
        {
            return Step::forget(format!("the reveal of participant {place} was refused: {e}"));
        }
    }
    match instance.recover() {
        Ok((entropy, _)) if entropy.as_slice() != round.entropy => Step::forget("the entropy of the round is not that of its reveals"),
        Err(e) => Step::forget(format!("the entropy can't be recovered: {e}")),
        Ok(_) => Step { remember: Some(None), ..Step::default() },
    }
}
