//! What is sent to a peer next.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    FORWARD_DELAY, Gossip, PART_RECEIVERS, PeerState, STALLS_TO_REPEAT, View, block_message, next_random, outbox::Outbox, step_message,
};
use crate::{
    bits::BitArray,
    messages::{
        BlockPartMessage, ChannelId, ConsensusMessage, ProposalMessage, ProposalPolMessage, RoundStep, VoteMessage, VoteSetMaj23Message,
    },
    peer::PeerId,
    ports::{Fatal, Store},
    proto::{BlockId, BlockIdFlag, Commit, Part, SignedMsgType, Timestamp, Vote},
    votes::VoteSet,
};

/// Messages with the parts of the block at hand, which many peers get.
type PartBytes = BTreeMap<u32, Arc<[u8]>>;

/// Votes that are not passed on yet.
type Young<'a> = &'a [(i64, i32, i32, usize)];

/// A message with a vote.
pub(super) struct VoteBytes(Arc<[u8]>);

impl VoteBytes {
    pub(super) fn new(vote: &Vote) -> Self {
        Self(ConsensusMessage::Vote(VoteMessage { vote: Some(vote.clone()) }).to_bytes().into())
    }
}

/// Sends a vote to a peer that does not have it and may need it. Whether it has it now.
pub(super) fn send_vote(view: &View<'_>, id: PeerId, peer: &mut PeerState, vote: &Vote, bytes: &VoteBytes, out: &mut Outbox) -> bool {
    let validators = match vote.height == view.step.height {
        true => view.votes.validators().validators().len(),
        false => view.last_commit.map_or(0, VoteSet::len),
    };
    peer.ensure_votes(vote.height, validators);
    let Some(votes) = peer.votes(vote.height, vote.round, vote.r#type) else { return false };
    let index = usize::try_from(vote.validator_index).unwrap_or(usize::MAX);
    if !votes.get(index) && out.try_send(id, ChannelId::VOTE, Arc::clone(&bytes.0)) {
        votes.set(index, true);
    }
    votes.get(index)
}

/// Votes that a peer may be sent: of a set, or of a commit in the store.
struct Offer<'a> {
    height: i64,
    round: i32,
    kind: i32,
    is_commit: bool,
    have: BitArray,
    vote: &'a dyn Fn(usize) -> Option<Vote>,
}

/// Sends the votes of a set that a peer does not have. Source: tendermint `consensus/reactor.go`, `PeerState.PickVoteToSend`.
fn send_set(id: PeerId, peer: &mut PeerState, set: &VoteSet, young: Young<'_>, random: &mut u64, out: &mut Outbox) {
    let kind = set.kind();
    let mut have = set.bits();
    for (.., index) in young.iter().filter(|(h, r, k, _)| (*h, *r, *k) == (set.height(), set.round(), kind)) {
        have.set(*index, false);
    }
    let vote = |index: usize| set.vote(index).map(|v| v.as_ref().clone());
    let is_commit = kind == SignedMsgType::PRECOMMIT && set.majority().is_some();
    let offer = Offer { height: set.height(), round: set.round(), kind, is_commit, have, vote: &vote };
    send_offer(id, peer, &offer, random, out);
}

fn send_commit(id: PeerId, peer: &mut PeerState, commit: &Commit, random: &mut u64, out: &mut Outbox) {
    let vote = |index: usize| vote_of(commit, index);
    let present = commit.signatures.iter().enumerate().filter(|(_, sig)| !sig.is_absent()).map(|(i, _)| i);
    let have = BitArray::from_ones(commit.signatures.len(), present);
    let kind = SignedMsgType::PRECOMMIT;
    let offer = Offer { height: commit.height, round: commit.round, kind, is_commit: true, have, vote: &vote };
    send_offer(id, peer, &offer, random, out);
}

/// Source: tendermint `types/block.go`, `Commit.GetVote`.
fn vote_of(commit: &Commit, index: usize) -> Option<Vote> {
    let sig = commit.signatures.get(index)?;
    Some(Vote {
        r#type: SignedMsgType::PRECOMMIT,
        height: commit.height,
        round: commit.round,
        block_id: if sig.block_id_flag == BlockIdFlag::COMMIT { commit.block_id.clone() } else { BlockId::default() },
        timestamp: sig.timestamp,
        validator_address: sig.validator_address.clone(),
        validator_index: i32::try_from(index).ok()?,
        signature: sig.signature.clone(),
    })
}

fn send_offer(id: PeerId, peer: &mut PeerState, offer: &Offer<'_>, random: &mut u64, out: &mut Outbox) {
    if offer.have.is_zero() {
        return;
    }
    if offer.is_commit {
        peer.ensure_catchup_commit(offer.height, offer.round, offer.have.len());
    }
    peer.ensure_votes(offer.height, offer.have.len());
    let Some(votes) = peer.votes(offer.height, offer.round, offer.kind) else { return };
    for index in in_any_order(&offer.have.sub(votes), random) {
        let Some(vote) = (offer.vote)(index) else { continue };
        if !out.try_send(id, ChannelId::VOTE, VoteBytes::new(&vote).0) {
            return;
        }
        votes.set(index, true);
    }
}

/// The places that are set, from a random one on: peers of one node shall get different things first.
fn in_any_order(bits: &BitArray, random: &mut u64) -> Vec<usize> {
    let mut places: Vec<usize> = bits.ones().collect();
    let count = u64::try_from(places.len()).unwrap_or(u64::MAX);
    if let Some(start) = next_random(random).checked_rem(count) {
        places.rotate_left(usize::try_from(start).unwrap_or_default());
    }
    places
}

/// Sends a peer the votes that it needs where it stands.
///
/// Source: tendermint `consensus/reactor.go`, `Reactor.gossipVotesRoutine`, `Reactor.gossipVotesForHeight`.
fn send_votes(
    view: &View<'_>,
    store: &dyn Store,
    id: PeerId,
    peer: &mut PeerState,
    young: Young<'_>,
    random: &mut u64,
    out: &mut Outbox,
) -> Result<(), Fatal> {
    if peer.height == 0 {
        return Ok(());
    }
    if peer.height == view.step.height {
        let (round, pol_round) = (peer.round, peer.pol_round);
        let mut sets: Vec<Option<&VoteSet>> = Vec::new();
        if peer.step == RoundStep::NEW_HEIGHT {
            sets.push(view.last_commit);
        }
        if round != -1 && round <= view.step.round {
            if peer.step <= RoundStep::PROPOSE && pol_round != -1 {
                sets.push(view.votes.prevotes(pol_round));
            }
            sets.push(view.votes.prevotes(round));
            if peer.step <= RoundStep::PRECOMMIT_WAIT {
                sets.push(view.votes.precommits(round));
            }
        }
        if pol_round != -1 {
            sets.push(view.votes.prevotes(pol_round));
        }
        for set in sets.into_iter().flatten() {
            send_set(id, peer, set, young, random, out);
        }
    } else if peer.height.checked_add(1) == Some(view.step.height) {
        if let Some(last) = view.last_commit {
            send_set(id, peer, last, &[], random, out);
        }
    } else if peer.height < view.step.height
        && is_stored(store, peer.height)
        && out.has_room(&id, ChannelId::VOTE)
        && let Some(commit) = store.commit(peer.height)?
    {
        send_commit(id, peer, &commit, random, out);
    }
    Ok(())
}

fn is_stored(store: &dyn Store, height: i64) -> bool {
    let (first, last) = store.range();
    first > 0 && (first..=last).contains(&height)
}

/// Sends a peer the proposal, and how much of the proof of its earlier round is here.
///
/// Source: tendermint `consensus/reactor.go`, `Reactor.gossipDataRoutine`.
fn send_proposal(view: &View<'_>, id: PeerId, peer: &mut PeerState, out: &mut Outbox) {
    let Some(proposal) = view.proposal else { return };
    if (peer.height, peer.round) != (view.step.height, view.step.round) || peer.proposal {
        return;
    }
    let message = ConsensusMessage::Proposal(ProposalMessage { proposal: proposal.clone() });
    if !out.try_send(id, ChannelId::DATA, message.to_bytes()) {
        return;
    }
    peer.set_has_proposal(proposal);
    if let Some(prevotes) = view.votes.prevotes(proposal.pol_round) {
        let (height, proposal_pol) = (view.step.height, prevotes.bits().to_message());
        let message = ProposalPolMessage { height, proposal_pol_round: proposal.pol_round, proposal_pol };
        out.send(id, ChannelId::DATA, ConsensusMessage::ProposalPol(message).to_bytes());
    }
}

fn part_bytes(height: i64, round: i32, part: &Part) -> Arc<[u8]> {
    ConsensusMessage::BlockPart(BlockPartMessage { height, round, part: part.clone() }).to_bytes().into()
}

/// The parts of the block at hand that a peer gathers and does not have.
fn missing_parts(view: &View<'_>, peer: &PeerState) -> Option<BitArray> {
    let (ours, theirs) = (view.parts?, peer.parts.as_ref()?);
    if *ours.header() != peer.part_set_header {
        return None;
    }
    Some(ours.bits().sub(theirs)).filter(|missing| !missing.is_zero())
}

/// Sends a peer parts of the block at hand.
fn send_parts(view: &View<'_>, id: PeerId, peer: &mut PeerState, cache: &mut PartBytes, random: &mut u64, out: &mut Outbox) {
    let Some(missing) = missing_parts(view, peer) else { return };
    for place in in_any_order(&missing, random) {
        let Ok(index) = u32::try_from(place) else { continue };
        let Some(part) = view.parts.and_then(|p| p.part(index)) else { continue };
        if !out.has_room(&id, ChannelId::DATA) {
            return;
        }
        let bytes = cache.entry(index).or_insert_with(|| part_bytes(view.step.height, view.step.round, part));
        out.send(id, ChannelId::DATA, Arc::clone(bytes));
        peer.set_has_part(peer.height, peer.round, index);
    }
}

/// Sends a peer that is behind the block of its height.
///
/// Source: tendermint `consensus/reactor.go`, `Reactor.gossipDataRoutine`, `Reactor.gossipDataForCatchup`.
fn send_old_parts(
    view: &View<'_>,
    store: &dyn Store,
    id: PeerId,
    peer: &mut PeerState,
    random: &mut u64,
    out: &mut Outbox,
) -> Result<(), Fatal> {
    let height = peer.height;
    if height <= 0 || height >= view.step.height || !is_stored(store, height) || !out.has_room(&id, ChannelId::DATA) {
        return Ok(());
    }
    if peer.parts.as_ref().is_some_and(BitArray::is_full) {
        return Ok(());
    }
    let Some(meta) = store.block_meta(height)? else { return Ok(()) };
    let header = &meta.block_id.part_set_header;
    if peer.parts.is_none() {
        peer.expect_parts(header);
    }
    if peer.part_set_header != *header {
        return Ok(());
    }
    let missing = peer.parts.as_ref().map(BitArray::not).unwrap_or_default();
    for place in in_any_order(&missing, random) {
        if !out.has_room(&id, ChannelId::DATA) {
            return Ok(());
        }
        let Ok(index) = u32::try_from(place) else { continue };
        let Some(part) = store.part(height, index)? else { continue };
        out.send(id, ChannelId::DATA, part_bytes(height, peer.round, &part));
        peer.set_has_part(height, peer.round, index);
    }
    Ok(())
}

impl Gossip {
    /// Sends all peers what they lack of this node's own block.
    pub(super) fn send_own_block(&mut self, view: &View<'_>, out: &mut Outbox) {
        let mut cache = PartBytes::new();
        for (id, peer) in &mut self.peers {
            send_proposal(view, *id, &mut peer.state, out);
            send_parts(view, *id, &mut peer.state, &mut cache, &mut self.random, out);
        }
    }

    /// Sends a peer, after a message from it, what cannot wait: all that it lacks if it is behind, else what this node made.
    pub fn respond(&mut self, view: &View<'_>, store: &dyn Store, now: Timestamp, peer: PeerId, out: &mut Outbox) -> Result<(), Fatal> {
        let here = (view.step.height, view.step.round);
        let own_block = self.own_proposal == Some(here);
        let on_our_heels = self.is_on_our_heels(view, now, peer);
        let Some(known) = self.peers.get_mut(&peer) else { return Ok(()) };
        let state = &mut known.state;
        if state.height == 0 || on_our_heels {
            return Ok(());
        }
        if state.height < view.step.height {
            send_votes(view, store, peer, state, &[], &mut self.random, out)?;
            return send_old_parts(view, store, peer, state, &mut self.random, out);
        }
        if state.height > view.step.height {
            return Ok(());
        }
        if own_block {
            send_proposal(view, peer, state, out);
        }
        if own_block || state.step == RoundStep::COMMIT {
            send_parts(view, peer, state, &mut PartBytes::new(), &mut self.random, out);
        }
        let own = view.own.and_then(|address| view.votes.validators().get(address)).map(|(index, _)| index);
        for kind in [SignedMsgType::PREVOTE, SignedMsgType::PRECOMMIT] {
            let vote = own.and_then(|index| view.votes.get(state.round, kind)?.vote(index));
            if let Some(vote) = vote {
                send_vote(view, peer, state, vote, &VoteBytes::new(vote), out);
            }
        }
        Ok(())
    }

    /// Whether a peer works on the height that this node has only just left: it will soon be through by itself.
    fn is_on_our_heels(&self, view: &View<'_>, now: Timestamp, peer: PeerId) -> bool {
        let (height, since) = self.height;
        let behind = view.step.height.saturating_sub(self.peer_height(&peer));
        behind == 1 && height == view.step.height && now.nanos_since(&since) < FORWARD_DELAY
    }

    /// Sends a peer all that it lacks, now that there is room for more.
    pub fn has_room(&mut self, view: &View<'_>, store: &dyn Store, now: Timestamp, peer: PeerId, out: &mut Outbox) -> Result<(), Fatal> {
        self.send_all(view, store, now, peer, &mut PartBytes::new(), true, &[], out).map(|_| ())
    }

    /// Passes on to all peers what they lack.
    pub fn forward(&mut self, view: &View<'_>, store: &dyn Store, now: Timestamp, out: &mut Outbox) -> Result<(), Fatal> {
        self.forward_due = false;
        let mut ids: Vec<PeerId> = self.peers.keys().copied().collect();
        let count = u64::try_from(ids.len()).unwrap_or(u64::MAX);
        if let Some(start) = next_random(&mut self.random).checked_rem(count) {
            ids.rotate_left(usize::try_from(start).unwrap_or_default());
        }
        let mut cache = PartBytes::new();
        let mut receivers = 0usize;
        let young = std::mem::take(&mut self.young);
        self.forward_due |= !young.is_empty();
        for id in ids {
            let with_parts = receivers < PART_RECEIVERS;
            if self.send_all(view, store, now, id, &mut cache, with_parts, &young, out)? {
                receivers = receivers.saturating_add(1);
                self.forward_due |= !with_parts;
            }
        }
        Ok(())
    }

    /// Sends a peer all that it lacks. Whether it lacked parts of the block at hand.
    #[allow(clippy::too_many_arguments)]
    fn send_all(
        &mut self,
        view: &View<'_>,
        store: &dyn Store,
        now: Timestamp,
        id: PeerId,
        cache: &mut PartBytes,
        with_parts: bool,
        young: Young<'_>,
        out: &mut Outbox,
    ) -> Result<bool, Fatal> {
        let on_our_heels = self.is_on_our_heels(view, now, id);
        let Some(peer) = self.peers.get_mut(&id) else { return Ok(false) };
        if peer.step_waits {
            peer.step_waits = !out.try_send(id, ChannelId::STATE, step_message(&view.step, now));
        }
        if let Some(block) = peer.block_waits.take()
            && !out.try_send(id, ChannelId::STATE, block_message(&block))
        {
            peer.block_waits = Some(block);
        }
        if on_our_heels {
            self.forward_due = true;
            return Ok(false);
        }
        let state = &mut peer.state;
        send_proposal(view, id, state, out);
        let lacks_parts = missing_parts(view, state).is_some();
        if with_parts {
            send_parts(view, id, state, cache, &mut self.random, out);
        }
        send_votes(view, store, id, state, young, &mut self.random, out)?;
        send_old_parts(view, store, id, state, &mut self.random, out)?;
        Ok(lacks_parts)
    }

    /// Asks the peers for votes by telling them which blocks have two thirds here, if no block came since the last time. If
    /// nothing at all has moved for long, all is sent anew.
    ///
    /// Source: tendermint `consensus/reactor.go`, `Reactor.queryMaj23Routine`.
    pub fn query(&mut self, view: &View<'_>, store: &dyn Store, out: &mut Outbox) -> Result<(), Fatal> {
        self.query_due = true;
        let (height, here) = (view.step.height, (view.step.height, view.step.round, view.step.step));
        let before = std::mem::replace(&mut self.asked_at, here);
        self.stalls = if before == here { self.stalls.saturating_add(1) } else { 0 };
        if self.stalls >= STALLS_TO_REPEAT {
            self.stalls = 0;
            self.peers.values_mut().for_each(|p| p.state.forget_sent());
            self.forward_due = true;
        }
        if before.0 != height {
            return Ok(());
        }
        for (id, peer) in &self.peers {
            let state = &peer.state;
            let mut claims: Vec<(i32, i32, BlockId)> = Vec::new();
            if state.height == height {
                let steps = [
                    (state.round, SignedMsgType::PREVOTE),
                    (state.round, SignedMsgType::PRECOMMIT),
                    (state.pol_round, SignedMsgType::PREVOTE),
                ];
                for (round, kind) in steps {
                    if let Some(block) = view.votes.get(round, kind).and_then(VoteSet::majority) {
                        claims.push((round, kind, block.clone()));
                    }
                }
            }
            if state.catchup_commit_round != -1 && is_stored(store, state.height) {
                let commit = if state.height == store.range().1 { store.seen_commit(state.height)? } else { store.commit(state.height)? };
                claims.extend(commit.map(|c| (c.round, SignedMsgType::PRECOMMIT, c.block_id)));
            }
            for (round, kind, block_id) in claims {
                let message = VoteSetMaj23Message { height: state.height, round, r#type: kind, block_id };
                out.try_send(*id, ChannelId::STATE, ConsensusMessage::VoteSetMaj23(message).to_bytes());
            }
        }
        Ok(())
    }
}
