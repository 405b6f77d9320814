//! What nodes tell each other in consensus, and when.
//!
//! The original runs three loops a peer that look every 100 ms for something to send. Here something is sent when something
//! changes: what this node made itself goes out at once, what others made is passed on a little later, by when most peers
//! have said that they have it, and a peer that lags behind is sent what it lacks as soon as it says where it stands.
//!
//! Source: tendermint `consensus/reactor.go`.

mod outbox;
mod peer_state;
mod send;

#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, sync::Arc};

pub use outbox::{Outbox, Outgoing};
pub use peer_state::PeerState;

use crate::{
    bits::BitArray,
    error::VerifyError,
    messages::{ChannelId, ConsensusMessage, HasVoteMessage, NewRoundStepMessage, NewValidBlockMessage, VoteSetBitsMessage},
    parts::PartSet,
    peer::PeerId,
    proto::{BlockId, Proposal, Timestamp, Vote},
    rounds::{RoundMessage, RoundStepInfo, Step, ValidBlockInfo},
    votes::{HeightVoteSet, VoteSet},
};

/// How often votes and parts of others are passed on, in nanoseconds. A vote waits for at least this time.
pub const FORWARD_DELAY: i64 = 25_000_000;
/// How often a node that does not get on asks its peers what they have, in nanoseconds.
///
/// Source: tendermint `config/config.go`, `PeerQueryMaj23SleepDuration`.
pub const QUERY_DELAY: i64 = 2_000_000_000;
/// How many times in a row a node finds that it got nowhere before it sends its peers all anew.
///
/// No message gets lost on a connection, but one may come at a time when the peer has no use for it.
const STALLS_TO_REPEAT: u32 = 5;
/// To how many peers at a time parts of others' blocks are passed on: by the time that the rest would have its turn most of
/// them have said that they have the block.
const PART_RECEIVERS: usize = 8;

/// What this node has, to choose from.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// Where it stands.
    pub step: RoundStepInfo,
    /// The proposal of its round.
    pub proposal: Option<&'a Proposal>,
    /// The parts of the proposed or decided block.
    pub parts: Option<&'a PartSet>,
    /// The votes of its height.
    pub votes: &'a HeightVoteSet,
    /// The precommits of the height before.
    pub last_commit: Option<&'a VoteSet>,
    /// Address of its own validator key.
    pub own: Option<&'a [u8]>,
}

impl View<'_> {
    fn validators(&self) -> usize {
        self.votes.validators().validators().len()
    }

    /// The votes for a block that this node has.
    fn votes_for(&self, round: i32, kind: i32, block: &BlockId) -> Option<BitArray> {
        self.votes.get(round, kind)?.bits_of(block)
    }
}

/// What a message of a peer leads to.
#[derive(Clone, Debug, PartialEq)]
pub enum Received {
    /// Nothing more.
    Done,
    /// Something for the rounds.
    Round(RoundMessage),
    /// A claim for the rounds, then to be answered with [`Gossip::answer_majority`].
    Majority {
        /// Height of the votes.
        height: i64,
        /// Their round.
        round: i32,
        /// A [`crate::proto::SignedMsgType`].
        kind: i32,
        /// The block.
        block_id: BlockId,
    },
}

/// The peers, and what is due to them.
#[derive(Debug, Default)]
pub struct Gossip {
    peers: BTreeMap<PeerId, Peer>,
    /// State of the generator that spreads choices among peers; no secret.
    random: u64,
    forward_due: bool,
    query_due: bool,
    /// Votes of others that came since something was passed on: height, round, kind, place.
    young: Vec<(i64, i32, i32, usize)>,
    /// The height that this node works on, and since when.
    height: (i64, Timestamp),
    /// Height and round of the last proposal that this node made.
    own_proposal: Option<(i64, i32)>,
    /// Where this node stood when it last asked its peers, and how many times in a row it was there.
    asked_at: (i64, i32, Step),
    stalls: u32,
}

#[derive(Debug, Default)]
struct Peer {
    state: PeerState,
    /// Messages about our step and our block for which there was no room.
    step_waits: bool,
    block_waits: Option<ValidBlockInfo>,
}

impl Gossip {
    /// Without peers; choices among equals follow from the seed.
    pub fn new(seed: u64) -> Self {
        Self { random: seed, ..Self::default() }
    }

    /// The peers.
    pub fn peers(&self) -> impl Iterator<Item = (&PeerId, &PeerState)> {
        self.peers.iter().map(|(id, peer)| (id, &peer.state))
    }

    /// The height that a peer works on, 0 if it has not said.
    pub fn peer_height(&self, peer: &PeerId) -> i64 {
        self.peers.get(peer).map_or(0, |p| p.state.height)
    }

    /// A peer is there: it is told where this node stands, unless this one still syncs.
    pub fn connected(&mut self, view: Option<&View<'_>>, now: Timestamp, peer: PeerId, out: &mut Outbox) {
        self.peers.insert(peer, Peer::default());
        if let Some(view) = view {
            out.send(peer, ChannelId::STATE, step_message(&view.step, now));
        }
        self.query_due = true;
    }

    /// A peer is gone.
    pub fn gone(&mut self, peer: &PeerId) {
        self.peers.remove(peer);
    }

    /// Whether something is to be passed on after [`FORWARD_DELAY`]. True once until [`Gossip::forward`].
    pub fn take_forward_due(&mut self) -> bool {
        std::mem::take(&mut self.forward_due)
    }

    /// Whether peers are to be asked after [`QUERY_DELAY`]. True once until [`Gossip::query`].
    pub fn take_query_due(&mut self) -> bool {
        std::mem::take(&mut self.query_due)
    }

    /// Takes a message in. An error is something that no honest peer sends. Without a view, while this node syncs, only what
    /// is known of the peer changes.
    ///
    /// Source: tendermint `consensus/reactor.go`, `Reactor.Receive`. A message that came over another channel than its own is
    /// passed over, as there.
    pub fn receive(
        &mut self,
        view: Option<&View<'_>>,
        initial_height: i64,
        peer: PeerId,
        channel: ChannelId,
        message: ConsensusMessage,
    ) -> Result<Received, VerifyError> {
        if message.channel() != channel {
            return Ok(Received::Done);
        }
        let Some(known) = self.peers.get_mut(&peer) else { return Ok(Received::Done) };
        let state = &mut known.state;
        match message {
            ConsensusMessage::NewRoundStep(m) => {
                m.check_height(initial_height)?;
                self.forward_due |= state.apply_new_round_step(&m);
            }
            ConsensusMessage::NewValidBlock(m) => self.forward_due |= state.apply_new_valid_block(&m),
            ConsensusMessage::HasVote(m) => {
                if let Some(view) = view {
                    state.ensure_votes(view.step.height, view.validators());
                    state.ensure_votes(view.step.height.saturating_sub(1), view.last_commit.map_or(0, VoteSet::len));
                }
                state.apply_has_vote(&m);
            }
            ConsensusMessage::VoteSetMaj23(m) => {
                if view.is_some_and(|v| v.step.height == m.height) {
                    return Ok(Received::Majority { height: m.height, round: m.round, kind: m.r#type, block_id: m.block_id });
                }
            }
            // The rest is of no use to a node that syncs.
            ConsensusMessage::Proposal(m) => {
                if view.is_some() {
                    state.set_has_proposal(&m.proposal);
                    return Ok(Received::Round(RoundMessage::Proposal(m.proposal)));
                }
            }
            ConsensusMessage::ProposalPol(m) => {
                if view.is_some() {
                    state.apply_proposal_pol(&m);
                    self.forward_due = true;
                }
            }
            ConsensusMessage::BlockPart(m) => {
                if view.is_some() {
                    state.set_has_part(m.height, m.round, m.part.index);
                    return Ok(Received::Round(RoundMessage::BlockPart { height: m.height, round: m.round, part: m.part }));
                }
            }
            ConsensusMessage::Vote(m) => {
                if let (Some(view), Some(vote)) = (view, m.vote) {
                    state.ensure_votes(view.step.height, view.validators());
                    let last = view.last_commit.map_or(0, VoteSet::len);
                    state.ensure_votes(view.step.height.saturating_sub(1), last);
                    state.set_has_vote(&vote);
                    return Ok(Received::Round(RoundMessage::Vote(vote)));
                }
            }
            ConsensusMessage::VoteSetBits(m) => {
                if let Some(view) = view {
                    let ours = if view.step.height == m.height { view.votes_for(m.round, m.r#type, &m.block_id) } else { None };
                    state.apply_vote_set_bits(&m, ours.as_ref());
                    self.forward_due = true;
                }
            }
        }
        Ok(Received::Done)
    }

    /// Tells a peer which votes for a block this node has. Source: tendermint `consensus/reactor.go`, `Reactor.Receive`.
    pub fn answer_majority(&self, view: &View<'_>, peer: PeerId, round: i32, kind: i32, block_id: BlockId, out: &mut Outbox) {
        let votes = view.votes_for(round, kind, &block_id).unwrap_or_default().to_message();
        let message = VoteSetBitsMessage { height: view.step.height, round, r#type: kind, block_id, votes };
        out.try_send(peer, ChannelId::VOTE_SET_BITS, ConsensusMessage::VoteSetBits(message).to_bytes());
    }

    /// Tells all peers where this node stands now.
    pub fn new_step(&mut self, step: &RoundStepInfo, now: Timestamp, out: &mut Outbox) {
        if step.height != self.height.0 {
            self.height = (step.height, now);
        }
        let bytes: Arc<[u8]> = step_message(step, now).into();
        for (id, peer) in &mut self.peers {
            peer.step_waits = !out.try_send(*id, ChannelId::STATE, Arc::clone(&bytes));
        }
        self.forward_due = true;
        self.query_due = true;
    }

    /// Tells all peers which parts of a block with two thirds of the votes this node has.
    pub fn valid_block(&mut self, block: &ValidBlockInfo, out: &mut Outbox) {
        let bytes: Arc<[u8]> = block_message(block).into();
        for (id, peer) in &mut self.peers {
            let sent = out.try_send(*id, ChannelId::STATE, Arc::clone(&bytes));
            peer.block_waits = (!sent).then(|| block.clone());
        }
        self.forward_due = true;
    }

    /// A vote was added: a vote of this node goes out at once, of another's the peers hear that it is here.
    ///
    /// Who sends or is sent the vote itself need not be told. Returns whether the sender proved to be a good peer.
    pub fn added_vote(&mut self, view: &View<'_>, vote: &Vote, from: Option<PeerId>, out: &mut Outbox) -> bool {
        let has = HasVoteMessage { height: vote.height, round: vote.round, r#type: vote.r#type, index: vote.validator_index };
        let bytes: Arc<[u8]> = ConsensusMessage::HasVote(has).to_bytes().into();
        let own = from.is_none().then(|| send::VoteBytes::new(vote));
        for (id, peer) in &mut self.peers {
            let told = match &own {
                Some(own) => send::send_vote(view, *id, &mut peer.state, vote, own, out),
                None => Some(*id) == from,
            };
            // To one that is far behind it says nothing.
            let near = peer.state.height.saturating_add(1) >= vote.height;
            if !told && near {
                out.try_send(*id, ChannelId::STATE, Arc::clone(&bytes));
            }
        }
        self.forward_due = true;
        if let (Some(_), Ok(index)) = (from, usize::try_from(vote.validator_index)) {
            self.young.push((vote.height, vote.round, vote.r#type, index));
        }
        from.and_then(|id| self.peers.get_mut(&id)).is_some_and(|p| p.state.was_useful(true))
    }

    /// A proposal was added. This node's own goes out at once.
    pub fn added_proposal(&mut self, view: &View<'_>, from: Option<PeerId>, out: &mut Outbox) {
        if from.is_none() {
            self.own_proposal = Some((view.step.height, view.step.round));
            self.send_own_block(view, out);
        }
        self.forward_due = true;
    }

    /// A part was added. Those of this node's own block go out at once. Returns whether the sender proved to be a good peer.
    pub fn added_part(&mut self, view: &View<'_>, from: Option<PeerId>, out: &mut Outbox) -> bool {
        let last = view.parts.is_some_and(PartSet::is_complete);
        if from.is_none() && last {
            self.send_own_block(view, out);
        }
        self.forward_due = true;
        from.and_then(|id| self.peers.get_mut(&id)).is_some_and(|p| p.state.was_useful(false))
    }
}

/// Something like a random number (SplitMix64).
fn next_random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Source: tendermint `consensus/reactor.go`, `makeRoundStepMessage`.
fn step_message(step: &RoundStepInfo, now: Timestamp) -> Vec<u8> {
    let message = NewRoundStepMessage {
        height: step.height,
        round: step.round,
        step: step.step.number(),
        seconds_since_start_time: now.nanos_since(&step.start_time) / 1_000_000_000,
        last_commit_round: step.last_commit_round,
    };
    ConsensusMessage::NewRoundStep(message).to_bytes()
}

/// Source: tendermint `consensus/reactor.go`, `Reactor.broadcastNewValidBlockMessage`.
fn block_message(block: &ValidBlockInfo) -> Vec<u8> {
    let message = NewValidBlockMessage {
        height: block.height,
        round: block.round,
        block_part_set_header: block.part_set_header.clone(),
        block_parts: Some(block.parts.to_message()),
        is_commit: block.is_commit,
    };
    ConsensusMessage::NewValidBlock(message).to_bytes()
}
