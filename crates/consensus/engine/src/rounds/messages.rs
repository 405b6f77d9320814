//! Proposals, parts of blocks and votes as they come in.

use std::sync::Arc;

use oasis_primitives::signature::{PublicKey, verify_tendermint};

use super::{Effect, RoundMessage, Rounds, Step, WholeBlock};
use crate::{
    block::CheckedBlock,
    parts::PartSet,
    peer::PeerId,
    proto::{BlockId, Part, Proposal, SignedMsgType, Vote},
    votes::{VoteError, VoteSet},
    wal::WalRecord,
};

impl Rounds {
    /// Own messages stand in the log, on the disk, before anything is done with them. Of those of others only the ones that
    /// changed something are logged, in front of what they brought about.
    pub(super) fn on_message(&mut self, from: Option<PeerId>, msg: RoundMessage) {
        if from.is_none() && !self.replaying {
            return self.on_own_message(msg);
        }
        let at = self.out.len();
        let record = (!self.replaying).then(|| WalRecord::Message { from, msg: msg.clone() });
        let changed = self.act(from, msg);
        if let (true, Some(record)) = (changed, record) {
            self.out.insert(at, Effect::WriteWal { record, sync: false });
        }
    }

    /// The parts follow the own proposal. Source: `State.defaultDecideProposal`.
    fn on_own_message(&mut self, msg: RoundMessage) {
        let mut messages = vec![msg];
        if let Some(RoundMessage::Proposal(p)) = messages.first()
            && (p.height, p.round) == (self.height, self.round)
            && let Some(parts) = self.own_parts.take()
        {
            let (height, round) = (self.height, self.round);
            let part = |i| parts.part(i).map(|p| RoundMessage::BlockPart { height, round, part: Part::clone(p) });
            messages.extend((0..parts.total()).filter_map(part));
        }
        let last = messages.len().saturating_sub(1);
        for (i, msg) in messages.iter().enumerate() {
            self.write_wal(WalRecord::Message { from: None, msg: msg.clone() }, i == last);
        }
        for msg in messages {
            self.act(None, msg);
        }
    }

    /// Whether the message changed something.
    fn act(&mut self, from: Option<PeerId>, msg: RoundMessage) -> bool {
        match msg {
            RoundMessage::Proposal(proposal) => self.set_proposal(from, proposal),
            RoundMessage::BlockPart { height, part, .. } => self.add_part(from, height, part),
            RoundMessage::Vote(vote) => self.add_vote(from, vote),
        }
    }

    fn fault(&mut self, from: Option<PeerId>, reason: String) {
        match from {
            Some(peer) => self.out.push(Effect::PeerFault { peer, reason }),
            None => self.warn(format!("own message refused: {reason}")),
        }
    }

    /// Source: `State.defaultSetProposal`.
    fn set_proposal(&mut self, from: Option<PeerId>, proposal: Proposal) -> bool {
        if self.proposal.is_some() || (proposal.height, proposal.round) != (self.height, self.round) || self.deciding {
            return false;
        }
        if proposal.pol_round < -1 || proposal.pol_round >= proposal.round.max(0) {
            self.fault(from, format!("proposal.pol_round: expected -1 or less than {}, found {}", proposal.round, proposal.pol_round));
            return false;
        }
        let proposer = self.validators.proposer().and_then(|p| p.pub_key.as_ed25519()).unwrap_or_default();
        if !verify_tendermint(&PublicKey(proposer), &proposal.sign_bytes(&self.chain_id), &proposal.signature) {
            self.fault(from, format!("proposal.signature: expected one by {}", hex::encode(proposer)));
            return false;
        }
        if self.proposal_parts.is_none() {
            // More parts than a block can have: nobody will ever prevote it.
            let Ok(parts) = PartSet::from_header(&proposal.block_id.part_set_header) else { return false };
            self.proposal_parts = Some(parts);
        }
        self.proposal = Some(proposal);
        self.out.push(Effect::AddedProposal { from });
        if self.step == Step::Propose && self.is_proposal_complete() {
            self.enter_prevote(self.round);
        }
        true
    }

    /// Parts are taken whatever their round is: a block may be proposed again. Source: `State.addProposalBlockPart`.
    ///
    /// A part that does not fit is no fault of the peer: it may follow another of two proposals.
    fn add_part(&mut self, from: Option<PeerId>, height: i64, part: Part) -> bool {
        if height != self.height || self.deciding {
            return false;
        }
        let index = part.index;
        let Some(parts) = &mut self.proposal_parts else { return false };
        let size = i64::try_from(parts.byte_size().saturating_add(part.bytes.len())).unwrap_or(i64::MAX);
        let limit = self.state.consensus_params.block.max_bytes;
        if size > limit || !matches!(parts.add(part), Ok(true)) {
            // Of a block that is too large no more is kept than of the largest that is not; it will not get whole.
            return false;
        }
        let whole = parts.bytes().map(|bytes| (bytes, parts.header().clone()));
        self.out.push(Effect::AddedPart { height, round: self.round, index, from });
        if let Some((bytes, header)) = whole {
            match CheckedBlock::decode_live(&bytes, &header) {
                Ok(block) => self.on_whole_block(Arc::new(block)),
                Err(e) if self.step == Step::Commit => self.halt(format!("two thirds precommitted an invalid block: {e}")),
                Err(e) => self.warn(format!("proposed block refused: {e}")),
            }
        }
        true
    }

    fn on_whole_block(&mut self, block: Arc<CheckedBlock>) {
        self.proposal_block = Some(block);
        let polka = self.votes.prevotes(self.round).and_then(VoteSet::majority).cloned();
        if let Some(id) = &polka {
            self.note_valid(self.round, id);
        }
        if self.step <= Step::Propose && self.is_proposal_complete() {
            self.enter_prevote(self.round);
            if polka.is_some() {
                self.enter_precommit(self.round);
            }
        } else {
            self.try_finalize();
        }
    }

    /// Keeps the proposed block as the one to propose, if it is the one that two thirds prevoted.
    fn note_valid(&mut self, round: i32, id: &BlockId) -> bool {
        match self.whole_proposal().filter(|w| w.is(id)) {
            Some(whole) if self.valid_round < round => {
                self.valid_round = round;
                self.valid = Some(whole);
                true
            }
            _ => false,
        }
    }

    /// Source: `State.tryAddVote`, `State.addVote`.
    fn add_vote(&mut self, from: Option<PeerId>, vote: Vote) -> bool {
        let late = vote.height.checked_add(1) == Some(self.height) && vote.r#type == SignedMsgType::PRECOMMIT;
        if !late && vote.height != self.height {
            return false;
        }
        let (round, kind) = (vote.round, vote.r#type);
        let shared = Arc::new(vote.clone());
        let added = if late {
            // Precommits of the last height are collected until the next round begins.
            let waiting = self.step == Step::NewHeight;
            let Some(set) = self.last_commit.as_mut().filter(|_| waiting) else { return false };
            set.add(vote)
        } else if self.replaying {
            self.votes.add_logged(vote, from)
        } else {
            self.votes.add(vote, from)
        };
        let added = match added {
            Ok(added) => added,
            Err(e) => {
                self.on_vote_error(from, &e);
                return false;
            }
        };
        if let Some(other) = added.conflict {
            self.on_conflict(other, Arc::clone(&shared));
        }
        if !added.added {
            return false;
        }
        self.out.push(Effect::HasVote { vote: shared, from });
        if late {
            if self.config.skip_timeout_commit && self.last_commit.as_ref().is_some_and(VoteSet::has_all) {
                self.enter_new_round(0);
            }
        } else if self.deciding {
            // Kept for the next block's commit.
        } else if kind == SignedMsgType::PREVOTE {
            self.after_prevote(round);
        } else {
            self.after_precommit(round);
        }
        true
    }

    fn on_vote_error(&mut self, from: Option<PeerId>, e: &VoteError) {
        if e.is_fault() {
            self.fault(from, e.to_string());
        }
    }

    fn on_conflict(&mut self, vote_a: Arc<Vote>, vote_b: Arc<Vote>) {
        if self.own.as_ref() == Some(&vote_b.validator_address) {
            let text = "a vote with the own key contradicts the own vote at height";
            return self.warn(format!("{text} {}, round {}: is the key in use elsewhere?", vote_b.height, vote_b.round));
        }
        self.out.push(Effect::Conflict { vote_a, vote_b });
    }

    fn after_prevote(&mut self, round: i32) {
        let Some(prevotes) = self.votes.prevotes(round) else { return };
        let (majority, any) = (prevotes.majority().cloned(), prevotes.has_two_thirds_any());
        if let Some(id) = &majority {
            self.on_polka(round, id);
        }
        let pol_round = self.proposal.as_ref().map(|p| p.pol_round);
        if self.round < round && any {
            self.enter_new_round(round);
        } else if self.round == round && Step::Prevote <= self.step {
            let ready = majority.as_ref().is_some_and(|id| id.is_zero() || self.is_proposal_complete());
            if ready {
                self.enter_precommit(round);
            } else if any {
                self.enter_prevote_wait(round);
            }
        } else if pol_round == Some(round) && self.step <= Step::Propose && self.is_proposal_complete() {
            self.enter_prevote(self.round);
        }
    }

    /// Two thirds prevoted for a block or nil: unlock what they did not vote for, and remember what they did.
    fn on_polka(&mut self, round: i32, id: &BlockId) {
        let other = self.locked.as_ref().is_some_and(|l| !l.is(id));
        if other && self.locked_round < round && round <= self.round {
            self.unlock();
        }
        let decided = self.step == Step::Commit;
        if !id.is_zero() && self.valid_round < round && round == self.round && !decided {
            if !self.note_valid(round, id) {
                // The block that was proposed is not the one.
                self.proposal_block = None;
            }
            self.await_parts_of(id);
            self.tell_valid_block();
        }
    }

    fn after_precommit(&mut self, round: i32) {
        let Some(precommits) = self.votes.precommits(round) else { return };
        let (majority, any) = (precommits.majority().cloned(), precommits.has_two_thirds_any());
        match majority {
            Some(id) => {
                self.enter_new_round(round);
                self.enter_precommit(round);
                if id.is_zero() {
                    self.enter_precommit_wait(round);
                } else {
                    self.enter_commit(round, &id);
                }
            }
            None if self.round <= round && any => {
                self.enter_new_round(round);
                self.enter_precommit_wait(round);
            }
            None => {}
        }
    }
}

impl WholeBlock {
    /// A block that was made here, with its parts.
    pub fn new(block: Arc<CheckedBlock>, encoded: &[u8]) -> Self {
        Self { block, parts: PartSet::from_bytes(encoded) }
    }
}
