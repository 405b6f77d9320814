//! The steps of a round and what is voted in them.

use std::sync::Arc;

use super::{Effect, Rounds, Step, Unsigned, ValidBlockInfo, Verdict, WholeBlock};
use crate::{
    block::CheckedBlock,
    parts::PartSet,
    proto::{BlockId, Commit, Proposal, SignedMsgType, Timestamp, Vote},
    votes::VoteSet,
    wal::WalRecord,
};

impl Rounds {
    /// Source: `State.enterNewRound`. A node that waits for a decided block does not leave it for a later round: the block
    /// will be there.
    pub(super) fn enter_new_round(&mut self, round: i32) {
        let here = round == self.round && self.step != Step::NewHeight;
        if round < self.round || here || self.step == Step::Commit {
            return;
        }
        self.begin_round(round);
        if round == 0 && self.config.waits_for_txs() && !self.needs_proof_block() {
            let interval = self.config.create_empty_blocks_interval;
            if interval > 0 {
                self.schedule(interval, round, Step::NewRound);
            }
        } else {
            self.enter_propose(round);
        }
    }

    pub(super) fn begin_round(&mut self, round: i32) {
        let skipped = u32::try_from(round.saturating_sub(self.round)).unwrap_or_default();
        if skipped > 0 {
            self.validators = Arc::new(self.validators.advanced(skipped));
            // What came for round 0 before it began is kept.
            self.proposal = None;
            self.proposal_block = None;
            self.proposal_parts = None;
        }
        self.round = round;
        self.step = Step::NewRound;
        self.own_parts = None;
        self.prevote_waits = false;
        self.precommit_waits = false;
        // The round after this one too, so that it can be skipped to.
        self.votes.set_round(round.saturating_add(1));
        self.precommit_wait = false;
    }

    /// Whether an empty block is needed, so that the state's root is signed. Source: `State.needProofBlock`.
    pub(super) fn needs_proof_block(&self) -> bool {
        self.height == self.state.initial_height || self.last_header_app_hash.as_ref() != Some(&self.state.app_hash)
    }

    /// Source: `State.enterPropose`.
    pub(super) fn enter_propose(&mut self, round: i32) {
        if round != self.round || Step::Propose <= self.step {
            return;
        }
        self.schedule(self.config.propose(round), round, Step::Propose);
        self.step = Step::Propose;
        if self.own.as_deref().is_some_and(|own| self.validators.proposer().is_some_and(|p| p.address == own)) {
            self.decide_proposal(round);
        }
        self.new_step();
        if self.is_proposal_complete() {
            self.enter_prevote(round);
        }
    }

    /// Source: `State.defaultDecideProposal`, `State.createProposalBlock`.
    fn decide_proposal(&mut self, round: i32) {
        if let Some(valid) = self.valid.clone() {
            return self.propose(valid.block.id().clone(), valid.parts);
        }
        let first = self.height == self.state.initial_height;
        let last_commit = if first { Some(Commit::default()) } else { self.last_commit.as_ref().and_then(VoteSet::make_commit) };
        match last_commit {
            Some(last_commit) => self.out.push(Effect::CreateBlock { height: self.height, round, last_commit }),
            None => self.warn("cannot propose: no commit of the last block"),
        }
    }

    pub(super) fn on_block_created(&mut self, height: i64, round: i32, block: &Arc<CheckedBlock>, encoded: &[u8]) {
        let due = (height, round, Step::Propose) == (self.height, self.round, self.step);
        if due && self.proposal.is_none() && self.own_parts.is_none() {
            self.propose(block.id().clone(), PartSet::from_bytes(encoded));
        }
    }

    fn propose(&mut self, block_id: BlockId, parts: PartSet) {
        self.own_parts = Some(parts);
        self.sign(Unsigned::Proposal(Proposal {
            r#type: SignedMsgType::PROPOSAL,
            height: self.height,
            round: self.round,
            pol_round: self.valid_round,
            block_id,
            timestamp: self.now,
            signature: Vec::new(),
        }));
    }

    /// The log has to hold all that led to a signature: or else it might come out differently after a crash.
    fn sign(&mut self, unsigned: Unsigned) {
        self.write_wal(WalRecord::RoundState { height: self.height, round: self.round, step: self.step }, true);
        self.out.push(Effect::Sign(unsigned));
    }

    /// Source: `State.isProposalComplete`.
    pub(super) fn is_proposal_complete(&self) -> bool {
        let (Some(proposal), Some(_)) = (&self.proposal, &self.proposal_block) else { return false };
        proposal.pol_round < 0 || self.votes.prevotes(proposal.pol_round).is_some_and(|v| v.majority().is_some())
    }

    /// Source: `State.enterPrevote`.
    pub(super) fn enter_prevote(&mut self, round: i32) {
        if round != self.round || Step::Prevote <= self.step {
            return;
        }
        if self.step == Step::NewHeight {
            // The whole proposal came before the round began.
            self.begin_round(round);
        }
        self.step = Step::Prevote;
        self.prevote();
        self.new_step();
    }

    /// Source: `State.defaultDoPrevote`.
    fn prevote(&mut self) {
        if let Some(locked) = &self.locked {
            let id = locked.block.id().clone();
            return self.sign_vote(SignedMsgType::PREVOTE, id);
        }
        let Some(block) = self.proposal_block.clone() else {
            return self.sign_vote(SignedMsgType::PREVOTE, BlockId::default());
        };
        match self.verdict(&block) {
            Verdict::Asked => self.prevote_waits = true,
            Verdict::Valid => self.sign_vote(SignedMsgType::PREVOTE, block.id().clone()),
            Verdict::Invalid(reason) => {
                self.warn(format!("prevote nil: the proposed block is invalid: {reason}"));
                self.sign_vote(SignedMsgType::PREVOTE, BlockId::default());
            }
        }
    }

    /// Source: `State.enterPrevoteWait`.
    pub(super) fn enter_prevote_wait(&mut self, round: i32) {
        if round != self.round || Step::PrevoteWait <= self.step {
            return;
        }
        self.schedule(self.config.prevote(round), round, Step::PrevoteWait);
        self.step = Step::PrevoteWait;
        self.new_step();
    }

    /// Source: `State.enterPrecommit`.
    pub(super) fn enter_precommit(&mut self, round: i32) {
        if round != self.round || Step::Precommit <= self.step {
            return;
        }
        self.step = Step::Precommit;
        if self.prevote_waits {
            // A block with two thirds of the prevotes has just come: the prevote for it goes first.
            self.precommit_waits = true;
        } else {
            self.precommit();
        }
        if !self.halted {
            self.new_step();
        }
    }

    fn precommit(&mut self) {
        let nil = BlockId::default();
        let majority = self.votes.prevotes(self.round).and_then(|v| v.majority()).cloned();
        let Some(id) = majority else {
            // Without two thirds for something; a lock stays.
            return self.sign_vote(SignedMsgType::PRECOMMIT, nil);
        };
        if id.is_zero() {
            self.unlock();
            return self.sign_vote(SignedMsgType::PRECOMMIT, nil);
        }
        if self.locked.as_ref().is_some_and(|l| l.is(&id)) {
            self.locked_round = self.round;
            return self.sign_vote(SignedMsgType::PRECOMMIT, id);
        }
        if let Some(whole) = self.whole_proposal().filter(|w| w.is(&id)) {
            match self.verdict(&whole.block) {
                Verdict::Asked => self.precommit_waits = true,
                Verdict::Invalid(reason) => self.halt(format!("two thirds prevoted for an invalid block: {reason}")),
                Verdict::Valid => {
                    self.locked_round = self.round;
                    self.locked = Some(whole);
                    self.sign_vote(SignedMsgType::PRECOMMIT, id);
                }
            }
            return;
        }
        // Two thirds want a block that is not here: fetch it. Their prevotes are what unlocks.
        self.unlock();
        if self.step != Step::Commit {
            self.await_parts_of(&id);
        }
        self.sign_vote(SignedMsgType::PRECOMMIT, nil);
    }

    /// The proposed block with its parts, once all are here.
    pub(super) fn whole_proposal(&self) -> Option<WholeBlock> {
        let (block, parts) = (self.proposal_block.clone()?, self.proposal_parts.clone()?);
        Some(WholeBlock { block, parts })
    }

    /// Waits for the parts of another block than the proposed, unless it is already the one waited for.
    pub(super) fn await_parts_of(&mut self, id: &BlockId) {
        if self.proposal_parts.as_ref().is_some_and(|p| *p.header() == id.part_set_header) {
            return;
        }
        self.proposal_block = None;
        self.proposal_parts = PartSet::from_header(&id.part_set_header).ok();
    }

    /// Source: `State.enterPrecommitWait`.
    pub(super) fn enter_precommit_wait(&mut self, round: i32) {
        if round != self.round || self.precommit_wait || self.step == Step::Commit {
            return;
        }
        self.schedule(self.config.precommit(round), round, Step::PrecommitWait);
        self.precommit_wait = true;
        self.new_step();
    }

    /// Two thirds precommitted a block in `commit_round`. Source: `State.enterCommit`.
    pub(super) fn enter_commit(&mut self, commit_round: i32, id: &BlockId) {
        if Step::Commit <= self.step || self.halted {
            return;
        }
        if let Some(known) = [&self.locked, &self.valid].into_iter().flatten().find(|k| k.is(id)).cloned() {
            self.proposal_block = Some(known.block);
            self.proposal_parts = Some(known.parts);
        }
        let here = self.whole_proposal().is_some_and(|w| w.is(id));
        if !here {
            self.await_parts_of(id);
        }
        self.step = Step::Commit;
        self.commit_round = commit_round;
        self.commit_time = Some(self.now);
        self.new_step();
        if !here {
            self.tell_valid_block();
        }
        self.try_finalize();
    }

    pub(super) fn tell_valid_block(&mut self) {
        let Some(parts) = &self.proposal_parts else { return };
        let info = ValidBlockInfo {
            height: self.height,
            round: self.round,
            part_set_header: parts.header().clone(),
            parts: parts.bits(),
            is_commit: self.step == Step::Commit,
        };
        self.out.push(Effect::ValidBlock(info));
    }

    /// Source: `State.tryFinalizeCommit`, `State.finalizeCommit`.
    pub(super) fn try_finalize(&mut self) {
        if self.step != Step::Commit || self.deciding {
            return;
        }
        let Some(precommits) = self.votes.precommits(self.commit_round) else { return };
        let Some(seen_commit) = precommits.make_commit() else { return };
        let Some(whole) = self.whole_proposal().filter(|w| w.parts.is_complete()) else { return };
        if !whole.is(&seen_commit.block_id) {
            return self.halt("the parts that two thirds precommitted make up another block than they named");
        }
        match self.verdict(&whole.block) {
            Verdict::Asked => {}
            Verdict::Invalid(reason) => self.halt(format!("two thirds precommitted an invalid block: {reason}")),
            Verdict::Valid => {
                self.deciding = true;
                self.out.push(Effect::Decided { block: whole.block, parts: whole.parts, seen_commit });
            }
        }
    }

    /// How a block was judged; asks if nobody did.
    fn verdict(&mut self, block: &Arc<CheckedBlock>) -> Verdict {
        if let Some(verdict) = self.verdicts.get(&block.id().hash) {
            return verdict.clone();
        }
        self.verdicts.insert(block.id().hash.clone(), Verdict::Asked);
        self.out.push(Effect::Validate { block: Arc::clone(block) });
        Verdict::Asked
    }

    /// Goes on where a verdict was missing.
    pub(super) fn on_validated(&mut self, block_hash: Vec<u8>, result: Result<(), String>) {
        let Some(verdict) = self.verdicts.get_mut(&block_hash) else { return };
        *verdict = match result {
            Ok(()) => Verdict::Valid,
            Err(reason) => Verdict::Invalid(reason),
        };
        if std::mem::take(&mut self.prevote_waits) {
            self.prevote();
        }
        if std::mem::take(&mut self.precommit_waits) {
            self.precommit();
        }
        if !self.halted {
            self.try_finalize();
        }
    }

    /// Source: `State.signAddVote`, `State.signVote`.
    fn sign_vote(&mut self, kind: i32, block_id: BlockId) {
        let Some(own) = &self.own else { return };
        let Some((index, _)) = self.validators.get(own) else { return };
        let vote = Vote {
            r#type: kind,
            height: self.height,
            round: self.round,
            block_id,
            timestamp: self.vote_time(),
            validator_address: own.clone(),
            validator_index: i32::try_from(index).unwrap_or(i32::MAX),
            signature: Vec::new(),
        };
        self.sign(Unsigned::Vote(vote));
    }

    /// Now, but after the block's own time, so that times of blocks always grow. Source: `State.voteTime`.
    fn vote_time(&self) -> Timestamp {
        let block = self.locked.as_ref().map(|l| &l.block).or(self.proposal_block.as_ref());
        let iota = self.state.consensus_params.block.time_iota_ms.saturating_mul(1_000_000);
        let earliest = block.map(|b| b.header().time.plus_nanos(iota));
        earliest.map_or(self.now, |t| t.max(self.now))
    }
}
