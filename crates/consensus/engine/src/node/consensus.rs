//! Carries out what the rounds want done.

use std::{collections::VecDeque, sync::Arc};

use super::{Applied, Effect, Mode, Node, NodeEvent, TimerId, view};
use crate::{
    block::CheckedBlock,
    parts::PartSet,
    ports::{Fatal, SignError},
    proto::{Commit, Timestamp},
    rounds::{self, RoundMessage, Rounds, Unsigned},
    wal::WalRecord,
};

pub(super) type Queue = VecDeque<rounds::Input>;

impl Node {
    /// Begins to take part in consensus after the last block; `read_log` where blocks may have been under way when the node
    /// stopped.
    ///
    /// Source: tendermint `consensus/reactor.go`, `Reactor.SwitchToConsensus`; `consensus/state.go`, `State.OnStart`.
    pub(super) fn start_consensus(&mut self, now: Timestamp, read_log: bool) -> Result<(), Fatal> {
        let last = self.state.last_block_height;
        let commit = if last > 0 { self.ports.store.seen_commit(last)? } else { None };
        let own = self.ports.signer.as_ref().map(|s| s.public_key());
        let rounds = Rounds::new(now, self.config.rounds.clone(), own.as_ref(), self.state.clone(), commit.as_ref());
        let mut rounds = rounds.map_err(|e| Fatal::new(format_args!("the commit of the last block, {last}, does not hold: {e}")))?;
        if last > 0
            && let Some(header) = self.ports.store.header(last)?
        {
            rounds = rounds.with_last_header_app_hash(header.app_hash);
        }
        self.rounds = Some(rounds);
        self.end_resync(now);
        self.set_mode(Mode::Consensus);
        let own_messages = self.read_log(now, last, read_log)?;
        let Some(rounds) = &mut self.rounds else { return Ok(()) };
        let effects = rounds.start(now);
        let mut queue = own_messages;
        for effect in effects {
            self.carry_out(now, effect, &mut queue)?;
        }
        self.drive_queue(now, queue)
    }

    /// Does again what the log says of the height after `last`. Gives what this node wants to say anew.
    ///
    /// Source: tendermint `consensus/replay.go`, `State.catchupReplay`.
    fn read_log(&mut self, now: Timestamp, last: i64, read: bool) -> Result<Queue, Fatal> {
        let mut own = Queue::new();
        let records = if read { self.ports.wal.records_after(last)? } else { None };
        let Some(records) = records else {
            if read && last > 0 {
                self.event(NodeEvent::Warn(format!("the log has no record of the end of height {last}: nothing to do again")));
            }
            // So that what happens from here on is found after a crash.
            self.ports.wal.write(&WalRecord::EndHeight(last).encode(now), true)?;
            return Ok(own);
        };
        for bytes in records {
            let record = match WalRecord::decode(&bytes) {
                Ok(record) => record,
                Err(e) => {
                    self.event(NodeEvent::Warn(format!("a record of the log cannot be read and is passed over: {e}")));
                    continue;
                }
            };
            let Some(rounds) = &mut self.rounds else { break };
            let mut queue = Queue::new();
            for effect in rounds.replay(now, &record) {
                self.carry_out(now, effect, &mut queue)?;
            }
            // Own messages wait until the log has been read; answers of the state machine do not.
            while let Some(input) = queue.pop_front() {
                match input {
                    rounds::Input::Message { .. } | rounds::Input::BlockCreated { .. } => own.push_back(input),
                    answer => self.step(now, answer, &mut queue)?,
                }
            }
        }
        Ok(own)
    }

    /// Tells the rounds something and carries out all that follows.
    pub(super) fn drive(&mut self, now: Timestamp, input: rounds::Input) -> Result<(), Fatal> {
        self.drive_queue(now, Queue::from([input]))
    }

    /// At the end of a height others get a turn: a validator that is alone and does not pause would never come to an end.
    pub(super) fn drive_queue(&mut self, now: Timestamp, more: Queue) -> Result<(), Fatal> {
        let mut queue = std::mem::take(&mut self.pending);
        queue.extend(more);
        while let Some(input) = queue.pop_front() {
            let ends_height = matches!(input, rounds::Input::Applied { .. });
            self.step(now, input, &mut queue)?;
            if ends_height && !queue.is_empty() {
                self.pending.append(&mut queue);
                self.effects.push(Effect::SetTimer { id: TimerId::NextHeight, after: 0 });
            }
        }
        Ok(())
    }

    fn step(&mut self, now: Timestamp, input: rounds::Input, queue: &mut Queue) -> Result<(), Fatal> {
        let Some(rounds) = &mut self.rounds else { return Ok(()) };
        for effect in rounds.handle(now, input) {
            self.carry_out(now, effect, queue)?;
        }
        Ok(())
    }

    fn carry_out(&mut self, now: Timestamp, effect: rounds::Effect, queue: &mut Queue) -> Result<(), Fatal> {
        let Some(rounds) = &self.rounds else { return Ok(()) };
        let out = &mut self.outbox;
        match effect {
            rounds::Effect::WriteWal { record, sync } => self.ports.wal.write(&record.encode(now), sync)?,
            rounds::Effect::Sign(unsigned) => self.sign(unsigned, queue)?,
            rounds::Effect::CreateBlock { height, round, last_commit } => self.create_block(height, round, last_commit, queue)?,
            rounds::Effect::Validate { block } => {
                let result = self.executor.validate(self.ports.store.as_mut(), &self.state, &mut self.evidence, &block)?;
                let block_hash = block.id().hash.clone();
                queue.push_back(rounds::Input::Validated { block_hash, result: result.map_err(|e| e.to_string()) });
            }
            rounds::Effect::Schedule { timeout, after } => {
                self.timeout = Some(timeout);
                self.effects.push(Effect::SetTimer { id: TimerId::Round, after });
            }
            rounds::Effect::Decided { block, parts, seen_commit } => self.decided(now, block, &parts, &seen_commit, queue)?,
            rounds::Effect::NewStep(step) => {
                self.gossip.new_step(&step, now, out);
                self.event(NodeEvent::Step(step));
            }
            rounds::Effect::ValidBlock(block) => self.gossip.valid_block(&block, out),
            rounds::Effect::HasVote { vote, from } => {
                if self.gossip.added_vote(&view(rounds), &vote, from, out) {
                    self.effects.extend(from.map(|peer| Effect::Good { peer }));
                }
            }
            rounds::Effect::AddedProposal { from } => self.gossip.added_proposal(&view(rounds), from, out),
            rounds::Effect::AddedPart { from, .. } => {
                if self.gossip.added_part(&view(rounds), from, out) {
                    self.effects.extend(from.map(|peer| Effect::Good { peer }));
                }
            }
            rounds::Effect::Conflict { vote_a, vote_b } => self.evidence.report_conflict(vote_a.as_ref().clone(), vote_b.as_ref().clone()),
            rounds::Effect::PeerFault { peer, reason } => self.drop_peer(now, peer, reason, true)?,
            rounds::Effect::Warn { text } => self.event(NodeEvent::Warn(text)),
            rounds::Effect::Halt { reason } => self.event(NodeEvent::Halted(reason)),
        }
        Ok(())
    }

    /// Source: tendermint `consensus/state.go`, `State.signAddVote`, `State.defaultDecideProposal`.
    fn sign(&mut self, unsigned: Unsigned, queue: &mut Queue) -> Result<(), Fatal> {
        let Some(signer) = &mut self.ports.signer else { return Ok(()) };
        let chain_id = &self.state.chain_id;
        let signed = match unsigned {
            Unsigned::Vote(mut vote) => signer.sign_vote(chain_id, &mut vote).map(|()| RoundMessage::Vote(vote)),
            Unsigned::Proposal(mut proposal) => signer.sign_proposal(chain_id, &mut proposal).map(|()| RoundMessage::Proposal(proposal)),
        };
        match signed {
            Ok(msg) => queue.push_back(rounds::Input::Message { from: None, msg }),
            Err(SignError::Refused(reason)) => self.event(NodeEvent::Refused(reason)),
            Err(SignError::Fatal(e)) => return Err(e),
        }
        Ok(())
    }

    fn create_block(&mut self, height: i64, round: i32, last_commit: Commit, queue: &mut Queue) -> Result<(), Fatal> {
        let Some(proposer) = self.rounds.as_ref().and_then(|r| r.own_address()).map(<[u8]>::to_vec) else { return Ok(()) };
        let created = self.executor.create_proposal(&self.state, &self.mempool, &self.evidence, last_commit, &proposer);
        let (block, encoded) = created.map_err(|e| Fatal::new(format_args!("a block that was made here does not hold: {e}")))?;
        queue.push_back(rounds::Input::BlockCreated { height, round, block: Arc::new(block), encoded });
        Ok(())
    }

    /// Keeps a decided block, ends its height in the log, executes it.
    ///
    /// Source: tendermint `consensus/state.go`, `State.finalizeCommit`.
    fn decided(
        &mut self,
        now: Timestamp,
        block: Arc<CheckedBlock>,
        parts: &PartSet,
        seen_commit: &Commit,
        queue: &mut Queue,
    ) -> Result<(), Fatal> {
        let height = block.header().height;
        if self.ports.store.range().1 < height {
            self.ports.store.save_block(&block, parts, seen_commit)?;
        }
        self.ports.wal.write(&WalRecord::EndHeight(height).encode(now), true)?;
        if !self.apply(block, false)? {
            return Ok(());
        }
        queue.push_back(rounds::Input::Applied { state: Box::new(self.state.clone()) });
        if self.mempool.take_available() {
            queue.push_back(rounds::Input::TxsAvailable);
        }
        Ok(())
    }

    /// Executes a block that is kept. The signatures of the commit in it need not be verified again if they were.
    ///
    /// Whether it was executed: where the state machine has ended, the node stays at this block, and peers can still have it with
    /// the votes for it.
    pub(super) fn apply(&mut self, block: Arc<CheckedBlock>, last_commit_verified: bool) -> Result<bool, Fatal> {
        self.executor.last_commit_verified = last_commit_verified;
        let applied = self.executor.apply(
            self.ports.app.as_mut(),
            self.ports.store.as_mut(),
            &self.state,
            &mut self.mempool,
            &mut self.evidence,
            &block,
        );
        let done = match (applied, self.ports.app.ended()) {
            (Ok(done), _) => done,
            (Err(_), Some(reason)) => {
                self.event(NodeEvent::Ended(reason));
                return Ok(false);
            }
            (Err(error), None) => return Err(error),
        };
        self.state = done.state;
        let app_hash = self.state.app_hash.clone();
        let applied = Applied { block, responses: done.responses, app_hash, invalidated: done.invalidated };
        self.event(NodeEvent::Applied(Arc::new(applied)));
        if self.rounds.is_some() {
            self.evidence_reactor.send_all(&self.gossip, &self.evidence, &self.state, &mut self.outbox);
        }
        Ok(true)
    }
}
