//! What is known of a peer: where it stands and what it has.
//!
//! Source: tendermint `consensus/reactor.go`, `PeerState`; `consensus/types/peer_round_state.go`.

use crate::{
    bits::BitArray,
    messages::{HasVoteMessage, MAX_VOTES, NewRoundStepMessage, NewValidBlockMessage, ProposalPolMessage, VoteSetBitsMessage},
    parts::MAX_BLOCK_PARTS,
    proto::{PartSetHeader, Proposal, SignedMsgType, Vote},
};

/// How many votes or parts that were new make a peer a good one.
///
/// Source: tendermint `consensus/reactor.go`, `votesToContributeToBecomeGoodPeer`, `blocksToContributeToBecomeGoodPeer`.
const USEFUL_OF_GOOD_PEER: u32 = 10_000;

/// Where a peer stands in consensus and what it has, as far as its messages and what was sent to it tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerState {
    pub(super) height: i64,
    pub(super) round: i32,
    pub(super) step: u32,
    /// Whether it has the proposal of its round.
    pub(super) proposal: bool,
    /// The block that it is gathering, and which parts it has.
    pub(super) part_set_header: PartSetHeader,
    pub(super) parts: Option<BitArray>,
    pub(super) pol_round: i32,
    pol: Option<BitArray>,
    prevotes: Option<BitArray>,
    precommits: Option<BitArray>,
    last_commit_round: i32,
    last_commit: Option<BitArray>,
    pub(super) catchup_commit_round: i32,
    catchup_commit: Option<BitArray>,
    useful_votes: u32,
    useful_parts: u32,
}

impl Default for PeerState {
    fn default() -> Self {
        Self {
            height: 0,
            round: -1,
            step: 0,
            proposal: false,
            part_set_header: PartSetHeader::default(),
            parts: None,
            pol_round: -1,
            pol: None,
            prevotes: None,
            precommits: None,
            last_commit_round: -1,
            last_commit: None,
            catchup_commit_round: -1,
            catchup_commit: None,
            useful_votes: 0,
            useful_parts: 0,
        }
    }
}

impl PeerState {
    /// The height that the peer works on, 0 before it has said.
    pub fn height(&self) -> i64 {
        self.height
    }

    /// The peer's round, -1 before it has said.
    pub fn round(&self) -> i32 {
        self.round
    }

    /// Takes over where the peer says that it stands; false for what is not ahead of what it said before.
    ///
    /// Source: tendermint `consensus/reactor.go`, `PeerState.ApplyNewRoundStepMessage`.
    pub fn apply_new_round_step(&mut self, m: &NewRoundStepMessage) -> bool {
        if (m.height, m.round, m.step) <= (self.height, self.round, self.step) {
            return false;
        }
        let (height, round) = (self.height, self.round);
        let precommits = self.precommits.take();
        (self.height, self.round, self.step) = (m.height, m.round, m.step);
        if height == m.height && round == m.round {
            self.precommits = precommits;
            return true;
        }
        self.proposal = false;
        self.part_set_header = PartSetHeader::default();
        self.parts = None;
        self.pol_round = -1;
        self.pol = None;
        self.prevotes = None;
        if height == m.height {
            if self.catchup_commit_round == round && precommits.is_some() {
                self.catchup_commit = precommits;
            }
            if m.round == self.catchup_commit_round {
                self.precommits = self.catchup_commit.clone();
            }
            return true;
        }
        let follows = height.checked_add(1) == Some(m.height) && round == m.last_commit_round;
        self.last_commit = if follows { precommits } else { None };
        self.last_commit_round = m.last_commit_round;
        self.catchup_commit_round = -1;
        self.catchup_commit = None;
        true
    }

    /// Source: tendermint `consensus/reactor.go`, `PeerState.ApplyNewValidBlockMessage`.
    pub fn apply_new_valid_block(&mut self, m: &NewValidBlockMessage) -> bool {
        if self.height != m.height || (self.round != m.round && !m.is_commit) {
            return false;
        }
        let Some(parts) = &m.block_parts else { return false };
        let most = usize::try_from(MAX_BLOCK_PARTS).unwrap_or_default();
        let Ok(parts) = BitArray::from_message(parts, most) else { return false };
        self.part_set_header = m.block_part_set_header.clone();
        self.parts = Some(parts);
        true
    }

    /// Source: tendermint `consensus/reactor.go`, `PeerState.ApplyProposalPOLMessage`.
    pub fn apply_proposal_pol(&mut self, m: &ProposalPolMessage) {
        if self.height == m.height
            && self.pol_round == m.proposal_pol_round
            && let Ok(pol) = BitArray::from_message(&m.proposal_pol, MAX_VOTES)
        {
            self.pol = Some(pol);
        }
    }

    /// Source: tendermint `consensus/reactor.go`, `PeerState.ApplyHasVoteMessage`. Late precommits of the last height count
    /// too; the original passes them over, and sends them again.
    pub fn apply_has_vote(&mut self, m: &HasVoteMessage) {
        self.mark(m.height, m.round, m.r#type, m.index);
    }

    /// Takes over which votes for a block the peer has; `ours` are those that this node has for it, none for another height.
    ///
    /// Source: tendermint `consensus/reactor.go`, `PeerState.ApplyVoteSetBitsMessage`.
    pub fn apply_vote_set_bits(&mut self, m: &VoteSetBitsMessage, ours: Option<&BitArray>) {
        let Ok(claimed) = BitArray::from_message(&m.votes, MAX_VOTES) else { return };
        if let Some(votes) = self.votes(m.height, m.round, m.r#type) {
            let all = votes.not().or(votes);
            let kept = ours.map(|ours| votes.sub(ours)).unwrap_or_else(|| BitArray::new(votes.len()));
            *votes = kept.or(&claimed).and(&all);
        }
    }

    /// Source: tendermint `consensus/reactor.go`, `PeerState.SetHasProposal`. A count of parts that no block has is passed over.
    pub fn set_has_proposal(&mut self, proposal: &Proposal) {
        if (self.height, self.round) != (proposal.height, proposal.round) || self.proposal {
            return;
        }
        self.proposal = true;
        if self.parts.is_none() && self.expect_parts(&proposal.block_id.part_set_header) {
            self.pol_round = proposal.pol_round;
            self.pol = None;
        }
    }

    /// Source: tendermint `consensus/reactor.go`, `PeerState.InitProposalBlockParts`.
    pub(super) fn expect_parts(&mut self, header: &PartSetHeader) -> bool {
        if header.total > MAX_BLOCK_PARTS {
            return false;
        }
        self.part_set_header = header.clone();
        self.parts = Some(BitArray::new(usize::try_from(header.total).unwrap_or_default()));
        true
    }

    /// Source: tendermint `consensus/reactor.go`, `PeerState.SetHasProposalBlockPart`.
    pub fn set_has_part(&mut self, height: i64, round: i32, index: u32) {
        if (self.height, self.round) == (height, round)
            && let Some(parts) = &mut self.parts
        {
            parts.set(usize::try_from(index).unwrap_or(usize::MAX), true);
        }
    }

    /// Notes that the peer has a vote.
    pub fn set_has_vote(&mut self, vote: &Vote) {
        self.mark(vote.height, vote.round, vote.r#type, vote.validator_index);
    }

    fn mark(&mut self, height: i64, round: i32, kind: i32, index: i32) {
        if let (Some(votes), Ok(index)) = (self.votes(height, round, kind), usize::try_from(index)) {
            votes.set(index, true);
        }
    }

    /// The votes of a step that the peer has; none for a step that is nothing to it.
    ///
    /// Source: tendermint `consensus/reactor.go`, `PeerState.getVoteBitArray`.
    pub(super) fn votes(&mut self, height: i64, round: i32, kind: i32) -> Option<&mut BitArray> {
        let precommits = kind == SignedMsgType::PRECOMMIT;
        if !precommits && kind != SignedMsgType::PREVOTE {
            return None;
        }
        if self.height == height {
            return match (self.round == round, self.catchup_commit_round == round, self.pol_round == round) {
                (true, ..) => if precommits { &mut self.precommits } else { &mut self.prevotes }.as_mut(),
                (_, true, _) => self.catchup_commit.as_mut().filter(|_| precommits),
                (.., true) => self.pol.as_mut().filter(|_| !precommits),
                _ => None,
            };
        }
        let follows = height.checked_add(1) == Some(self.height) && self.last_commit_round == round;
        self.last_commit.as_mut().filter(|_| follows && precommits)
    }

    /// Makes room for the votes of a height. Source: tendermint `consensus/reactor.go`, `PeerState.EnsureVoteBitArrays`.
    pub(super) fn ensure_votes(&mut self, height: i64, validators: usize) {
        let new = || BitArray::new(validators);
        if self.height == height {
            self.prevotes.get_or_insert_with(new);
            self.precommits.get_or_insert_with(new);
            self.catchup_commit.get_or_insert_with(new);
            self.pol.get_or_insert_with(new);
        } else if height.checked_add(1) == Some(self.height) {
            self.last_commit.get_or_insert_with(new);
        }
    }

    /// Notes the round of the commit of the peer's height. Source: `PeerState.ensureCatchupCommitRound`.
    pub(super) fn ensure_catchup_commit(&mut self, height: i64, round: i32, validators: usize) {
        if self.height == height && self.catchup_commit_round != round {
            self.catchup_commit_round = round;
            self.catchup_commit = if self.round == round { self.precommits.clone() } else { Some(BitArray::new(validators)) };
        }
    }

    /// Forgets what the peer was sent and did not say itself, so that it is sent again.
    pub(super) fn forget_sent(&mut self) {
        self.proposal = false;
        for votes in [&mut self.prevotes, &mut self.precommits, &mut self.pol, &mut self.last_commit, &mut self.catchup_commit] {
            *votes = None;
        }
        self.parts = self.parts.as_ref().map(|parts| BitArray::new(parts.len()));
        self.catchup_commit_round = -1;
    }

    /// Counts a vote or part of the peer that was new; true each time that it proves to be a good peer.
    ///
    /// Source: tendermint `consensus/reactor.go`, `Reactor.peerStatsRoutine`.
    pub(super) fn was_useful(&mut self, vote: bool) -> bool {
        let count = if vote { &mut self.useful_votes } else { &mut self.useful_parts };
        *count = count.wrapping_add(1);
        *count % USEFUL_OF_GOOD_PEER == 0
    }
}
