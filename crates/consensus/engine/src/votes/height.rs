//! The votes of all rounds of a height.
//!
//! Source: tendermint `consensus/types/height_vote_set.go`.

use std::{collections::BTreeMap, sync::Arc};

use super::set::{Added, VoteError, VoteSet};
use crate::{
    error::VerifyError,
    peer::PeerId,
    proto::{BlockId, SignedMsgType, Vote},
    validator_set::ValidatorSet,
};

/// Of how many rounds that lie ahead a peer may send votes. Source: `HeightVoteSet.AddVote`.
pub const MAX_PEER_CATCHUP_ROUNDS: usize = 2;

/// Of how many rounds that lie ahead votes are kept, whoever sent them.
pub const MAX_CATCHUP_ROUNDS: usize = 64;

#[derive(Clone, Debug)]
struct RoundVotes {
    prevotes: VoteSet,
    precommits: VoteSet,
}

impl RoundVotes {
    fn get(&self, kind: i32) -> Option<&VoteSet> {
        match kind {
            SignedMsgType::PREVOTE => Some(&self.prevotes),
            SignedMsgType::PRECOMMIT => Some(&self.precommits),
            _ => None,
        }
    }

    fn get_mut(&mut self, kind: i32) -> Option<&mut VoteSet> {
        match kind {
            SignedMsgType::PREVOTE => Some(&mut self.prevotes),
            SignedMsgType::PRECOMMIT => Some(&mut self.precommits),
            _ => None,
        }
    }

    fn power(&self) -> i64 {
        self.prevotes.power().max(self.precommits.power())
    }
}

/// The votes of the rounds up to the one after the present, and of a few rounds ahead: a peer that is further sends the
/// precommits of a commit, whose round is not known before.
///
/// The sets of a round come into being with its first valid vote, so that a jump over many rounds costs nothing.
#[derive(Clone, Debug)]
pub struct HeightVoteSet {
    chain_id: Arc<str>,
    height: i64,
    validators: Arc<ValidatorSet>,
    /// The last of the rounds that are followed.
    round: i32,
    rounds: BTreeMap<i32, RoundVotes>,
    catchup: BTreeMap<PeerId, Vec<i32>>,
    #[cfg(feature = "planted-bugs")]
    planted: Option<crate::planted::PlantedBug>,
}

impl HeightVoteSet {
    /// No votes yet.
    pub fn new(chain_id: Arc<str>, height: i64, validators: Arc<ValidatorSet>) -> Self {
        Self {
            chain_id,
            height,
            validators,
            round: 0,
            rounds: BTreeMap::new(),
            catchup: BTreeMap::new(),
            #[cfg(feature = "planted-bugs")]
            planted: None,
        }
    }

    #[cfg(feature = "planted-bugs")]
    pub(crate) fn plant(&mut self, bug: Option<crate::planted::PlantedBug>) {
        self.planted = bug;
    }

    /// Height of the votes.
    pub fn height(&self) -> i64 {
        self.height
    }

    /// The last of the rounds that are followed.
    pub fn round(&self) -> i32 {
        self.round
    }

    /// Who may vote.
    pub fn validators(&self) -> &Arc<ValidatorSet> {
        &self.validators
    }

    /// Follows the rounds up to this one. Source: `HeightVoteSet.SetRound`.
    pub fn set_round(&mut self, round: i32) {
        self.round = self.round.max(round);
    }

    /// The rounds of which there are votes, in order.
    pub fn rounds(&self) -> impl DoubleEndedIterator<Item = i32> + '_ {
        self.rounds.keys().copied()
    }

    /// The prevotes of a round; none if there is no vote of the round.
    pub fn prevotes(&self, round: i32) -> Option<&VoteSet> {
        self.get(round, SignedMsgType::PREVOTE)
    }

    /// The precommits of a round; none if there is no vote of the round.
    pub fn precommits(&self, round: i32) -> Option<&VoteSet> {
        self.get(round, SignedMsgType::PRECOMMIT)
    }

    /// The votes of a kind in a round; none if there is no vote of the round.
    pub fn get(&self, round: i32, kind: i32) -> Option<&VoteSet> {
        self.rounds.get(&round)?.get(kind)
    }

    /// The last round, up to the one that is followed, with two thirds of the prevotes for a block or nil.
    ///
    /// Source: `HeightVoteSet.POLInfo`.
    pub fn pol(&self) -> Option<(i32, &BlockId)> {
        self.rounds.range(..=self.round).rev().find_map(|(round, votes)| Some((*round, votes.prevotes.majority()?)))
    }

    /// Adds a vote; `from` is nobody for our own. Source: `HeightVoteSet.AddVote`.
    ///
    /// Unlike there, a round ahead counts against the peer only once a vote in it is valid.
    pub fn add(&mut self, vote: Vote, from: Option<PeerId>) -> Result<Added, VoteError> {
        self.add_with(vote, from, VoteSet::add)
    }

    /// Adds a vote that the own log holds, see [`VoteSet::add_logged`].
    pub fn add_logged(&mut self, vote: Vote, from: Option<PeerId>) -> Result<Added, VoteError> {
        self.add_with(vote, from, VoteSet::add_logged)
    }

    fn add_with(
        &mut self,
        vote: Vote,
        from: Option<PeerId>,
        add: impl FnOnce(&mut VoteSet, Vote) -> Result<Added, VoteError>,
    ) -> Result<Added, VoteError> {
        let (round, kind) = (vote.round, vote.r#type);
        if let Some(set) = self.rounds.get_mut(&round).and_then(|r| r.get_mut(kind)) {
            return add(set, vote);
        }
        let ahead = round > self.round;
        if ahead && from.is_some_and(|peer| self.catchup.get(&peer).is_some_and(|r| r.len() >= MAX_PEER_CATCHUP_ROUNDS)) {
            return Err(VoteError::UnwantedRound(round));
        }
        let mut votes = self.empty_round(round);
        let set = votes.get_mut(kind).ok_or(VoteError::Step(self.height, round, SignedMsgType::PREVOTE, vote.height, round, kind))?;
        let added = add(set, vote)?;
        if ahead {
            if let Some(peer) = from {
                self.catchup.entry(peer).or_default().push(round);
            }
            self.make_room();
        }
        self.rounds.insert(round, votes);
        Ok(added)
    }

    fn empty_round(&self, round: i32) -> RoundVotes {
        let new = |kind| {
            let set = VoteSet::new(Arc::clone(&self.chain_id), self.height, round, kind, Arc::clone(&self.validators));
            #[cfg(feature = "planted-bugs")]
            let set = {
                let mut set = set;
                set.planted = self.planted;
                set
            };
            set
        };
        RoundVotes { prevotes: new(SignedMsgType::PREVOTE), precommits: new(SignedMsgType::PRECOMMIT) }
    }

    /// Drops the round ahead with the fewest votes when there are too many.
    fn make_room(&mut self) {
        let ahead = || self.rounds.iter().filter(|(r, _)| **r > self.round);
        if ahead().count() >= MAX_CATCHUP_ROUNDS
            && let Some((round, _)) = ahead().min_by_key(|(r, v)| (v.power(), std::cmp::Reverse(**r)))
        {
            let round = *round;
            self.rounds.remove(&round);
        }
    }

    /// Notes that a peer says that a block has two thirds. Rounds that are not followed are passed over.
    ///
    /// Source: `HeightVoteSet.SetPeerMaj23`.
    pub fn set_peer_majority(&mut self, round: i32, kind: i32, peer: PeerId, block_id: &BlockId) -> Result<(), VerifyError> {
        if !(0..=self.round).contains(&round) && !self.rounds.contains_key(&round) {
            return Ok(());
        }
        let empty = self.empty_round(round);
        match self.rounds.entry(round).or_insert(empty).get_mut(kind) {
            Some(set) => set.set_peer_majority(peer, block_id),
            None => Err(VerifyError::new("type", "a prevote or precommit", kind)),
        }
    }

    /// Forgets what a peer said, when it is gone.
    pub fn forget_peer(&mut self, peer: &PeerId) {
        self.catchup.remove(peer);
        for votes in self.rounds.values_mut() {
            votes.prevotes.forget_peer(peer);
            votes.precommits.forget_peer(peer);
        }
    }

    /// Takes the precommits of a round out, to be the last commit of the next height.
    pub(crate) fn into_precommits(mut self, round: i32) -> Option<VoteSet> {
        self.rounds.remove(&round).map(|r| r.precommits)
    }
}
