//! The rounds in which validators agree on a block.
//!
//! A state machine without clock, disk or keys: it is told what comes in, and answers with what has to be done
//! ([`Effect`]). Whoever runs it carries out all effects of an answer in their order before telling it more; a signed vote
//! or proposal, a created or validated block and the state after a decided block come back as further [`Input`]s.
//!
//! The rules are those of Tendermint 0.34 (docs/adr/0006). Where more than a third of the power would have to be faulty
//! for something to happen, or this node itself, the answer is [`Effect::Halt`].
//!
//! Source: tendermint `consensus/state.go`.

mod messages;
mod steps;
mod types;

#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, sync::Arc};

pub use types::{Effect, Input, RoundMessage, RoundStepInfo, RoundsConfig, Step, TimeoutInfo, Unsigned, ValidBlockInfo};

use crate::{
    block::CheckedBlock,
    error::VerifyError,
    parts::PartSet,
    proto::{BlockId, Commit, Proposal, Timestamp},
    state::ChainState,
    validator_set::{ValidatorSet, address_of},
    votes::{HeightVoteSet, VoteSet},
    wal::WalRecord,
};

/// A block with its parts, all of them.
#[derive(Clone, Debug)]
pub struct WholeBlock {
    /// The block.
    pub block: Arc<CheckedBlock>,
    /// Its parts.
    pub parts: PartSet,
}

impl WholeBlock {
    /// Whether votes for this name mean this block.
    pub fn is(&self, id: &BlockId) -> bool {
        self.block.id() == id
    }
}

/// How a block was judged.
#[derive(Clone, Debug)]
enum Verdict {
    Asked,
    Valid,
    Invalid(String),
}

/// The state machine of one node.
#[derive(Clone, Debug)]
pub struct Rounds {
    config: RoundsConfig,
    /// Address of the own key, if this node may be a validator.
    own: Option<Vec<u8>>,
    chain_id: Arc<str>,
    state: ChainState,
    /// What the header of the last block says of the state before it.
    last_header_app_hash: Option<Vec<u8>>,

    height: i64,
    round: i32,
    step: Step,
    start_time: Timestamp,
    commit_time: Option<Timestamp>,
    /// With the proposer of the round.
    validators: Arc<ValidatorSet>,
    proposal: Option<Proposal>,
    proposal_block: Option<Arc<CheckedBlock>>,
    proposal_parts: Option<PartSet>,
    locked_round: i32,
    locked: Option<WholeBlock>,
    valid_round: i32,
    valid: Option<WholeBlock>,
    votes: HeightVoteSet,
    /// Round of the deciding precommits, -1 before.
    commit_round: i32,
    last_commit: Option<VoteSet>,
    precommit_wait: bool,

    /// The parts that follow the own proposal once it is signed.
    own_parts: Option<PartSet>,
    verdicts: BTreeMap<Vec<u8>, Verdict>,
    /// A vote of this round waits for the verdict on its block.
    prevote_waits: bool,
    precommit_waits: bool,
    /// The decided block is being executed.
    deciding: bool,
    /// For which height, round and step the timer was set last.
    timer: (i64, i32, u32),

    now: Timestamp,
    replaying: bool,
    halted: bool,
    out: Vec<Effect>,
}

impl Rounds {
    /// The rounds of the height after `state`; `seen_commit` is the commit of its last block, none before the first.
    ///
    /// Source: `NewState`, `State.reconstructLastCommit`.
    pub fn new(
        now: Timestamp,
        config: RoundsConfig,
        own_key: Option<&[u8; 32]>,
        state: ChainState,
        seen_commit: Option<&Commit>,
    ) -> Result<Self, VerifyError> {
        let chain_id: Arc<str> = state.chain_id.as_str().into();
        let last_commit = match seen_commit {
            Some(commit) if state.last_block_height > 0 => {
                let set = VoteSet::from_commit(Arc::clone(&chain_id), commit, Arc::clone(&state.last_validators))?;
                let right = commit.height == state.last_block_height && set.majority() == Some(&state.last_block_id);
                if !right {
                    let expected = format_args!("two thirds for the block at height {}", state.last_block_height).to_string();
                    return Err(VerifyError::new("seen_commit", expected, format_args!("height {}", commit.height)));
                }
                Some(set)
            }
            None if state.last_block_height > 0 => return Err(VerifyError::new("seen_commit", "a commit", "nothing")),
            _ => None,
        };
        let validators = Arc::clone(&state.validators);
        let height = state.next_height();
        let votes = HeightVoteSet::new(Arc::clone(&chain_id), height, Arc::clone(&validators));
        let mut rounds = Self {
            config,
            own: own_key.map(address_of),
            chain_id,
            state,
            last_header_app_hash: None,
            height,
            round: 0,
            step: Step::NewHeight,
            start_time: now,
            commit_time: None,
            validators,
            proposal: None,
            proposal_block: None,
            proposal_parts: None,
            locked_round: -1,
            locked: None,
            valid_round: -1,
            valid: None,
            votes,
            commit_round: -1,
            last_commit,
            precommit_wait: false,
            own_parts: None,
            verdicts: BTreeMap::new(),
            prevote_waits: false,
            precommit_waits: false,
            deciding: false,
            timer: (0, 0, 0),
            now,
            replaying: false,
            halted: false,
            out: Vec::new(),
        };
        rounds.reset_for_height();
        Ok(rounds)
    }

    /// Tells what the last block's header says of the state before it, so that an empty block is made at once only if the
    /// state has changed since. Plays a part only where blocks are not to be empty.
    #[must_use]
    pub fn with_last_header_app_hash(mut self, app_hash: Vec<u8>) -> Self {
        self.last_header_app_hash = Some(app_hash);
        self
    }

    /// Does again what a record of the log says, before [`Self::start`]. The effects are carried out as always, except that
    /// own messages, which come of signing and creating blocks, are handed in only after [`Self::start`].
    ///
    /// Source: tendermint `consensus/replay.go`, `State.readReplayMessage`.
    pub fn replay(&mut self, now: Timestamp, record: &WalRecord) -> Vec<Effect> {
        self.replaying = true;
        let effects = match record {
            WalRecord::Message { from, msg } => self.handle(now, Input::Message { from: *from, msg: msg.clone() }),
            WalRecord::Timeout(timeout) => self.handle(now, Input::Timeout(*timeout)),
            WalRecord::RoundState { .. } | WalRecord::EndHeight(_) => Vec::new(),
        };
        self.replaying = false;
        effects
    }

    /// Starts the timer of the first height, once the log has been read. Source: `State.OnStart`.
    pub fn start(&mut self, now: Timestamp) -> Vec<Effect> {
        self.now = now;
        #[cfg(feature = "planted-bugs")]
        if self.config.planted == Some(crate::planted::PlantedBug::LockForgottenOnRestart) {
            self.unlock();
        }
        self.new_step();
        self.schedule_round_0();
        std::mem::take(&mut self.out)
    }

    /// Acts upon an input. Source: `State.receiveRoutine`, `State.handleMsg`.
    pub fn handle(&mut self, now: Timestamp, input: Input) -> Vec<Effect> {
        self.now = now;
        if self.halted {
            return Vec::new();
        }
        match input {
            Input::Message { from, msg } => self.on_message(from, msg),
            Input::Timeout(timeout) => self.on_timeout(timeout),
            Input::Maj23 { peer, height, round, kind, block_id } => {
                if height == self.height
                    && let Err(e) = self.votes.set_peer_majority(round, kind, peer, &block_id)
                {
                    self.out.push(Effect::PeerFault { peer, reason: e.to_string() });
                }
            }
            Input::PeerGone(peer) => self.votes.forget_peer(&peer),
            Input::BlockCreated { height, round, block, encoded } => self.on_block_created(height, round, &block, &encoded),
            Input::Validated { block_hash, result } => self.on_validated(block_hash, result),
            Input::Applied { state } => self.on_applied(*state),
            Input::TxsAvailable => self.on_txs_available(),
        }
        std::mem::take(&mut self.out)
    }

    /// Source: `State.handleTimeout`.
    fn on_timeout(&mut self, timeout: TimeoutInfo) {
        let TimeoutInfo { height, round, step, .. } = timeout;
        let past = round < self.round || (round == self.round && step < self.step);
        if height != self.height || past || self.deciding {
            return;
        }
        self.write_wal(WalRecord::Timeout(timeout), false);
        match step {
            Step::NewHeight => self.enter_new_round(0),
            Step::NewRound => {
                if self.step == Step::NewHeight {
                    self.begin_round(0);
                }
                self.enter_propose(0);
            }
            Step::Propose => self.enter_prevote(round),
            Step::PrevoteWait => self.enter_precommit(round),
            Step::PrecommitWait => {
                self.enter_precommit(round);
                self.enter_new_round(round.saturating_add(1));
            }
            Step::Prevote | Step::Precommit | Step::Commit => {}
        }
    }

    /// Source: `State.handleTxsAvailable`.
    fn on_txs_available(&mut self) {
        if self.round != 0 || !self.config.waits_for_txs() {
            return;
        }
        match self.step {
            Step::NewHeight if !self.needs_proof_block() => {
                let after = self.start_time.nanos_since(&self.now).saturating_add(1_000_000);
                self.schedule(after, 0, Step::NewRound);
            }
            Step::NewRound => self.enter_propose(0),
            _ => {}
        }
    }

    /// The state after the decided block. Source: `State.updateToState`, `State.finalizeCommit`.
    fn on_applied(&mut self, state: ChainState) {
        if !self.deciding || state.last_block_height != self.height {
            return self.halt(format!("the state after height {} came at height {}", state.last_block_height, self.height));
        }
        let height = state.next_height();
        let validators = Arc::clone(&state.validators);
        let votes = HeightVoteSet::new(Arc::clone(&self.chain_id), height, Arc::clone(&validators));
        let commit = std::mem::replace(&mut self.votes, votes).into_precommits(self.commit_round);
        self.last_header_app_hash = self.proposal_block.as_ref().map(|b| b.header().app_hash.clone());
        self.last_commit = commit;
        self.height = height;
        self.validators = validators;
        self.state = state;
        self.reset_for_height();
        self.new_step();
        self.schedule_round_0();
        if self.config.skip_timeout_commit && self.last_commit.as_ref().is_some_and(VoteSet::has_all) {
            self.enter_new_round(0);
        }
    }

    fn reset_for_height(&mut self) {
        self.round = 0;
        self.step = Step::NewHeight;
        self.start_time = self.commit_time.unwrap_or(self.now).plus_nanos(self.config.timeout_commit);
        self.proposal = None;
        self.proposal_block = None;
        self.proposal_parts = None;
        self.unlock();
        self.valid_round = -1;
        self.valid = None;
        self.commit_round = -1;
        self.precommit_wait = false;
        self.own_parts = None;
        self.verdicts.clear();
        self.prevote_waits = false;
        self.precommit_waits = false;
        self.deciding = false;
        #[cfg(feature = "planted-bugs")]
        self.votes.plant(self.config.planted);
    }

    fn unlock(&mut self) {
        self.locked_round = -1;
        self.locked = None;
    }

    /// Source: `State.newStep`.
    fn new_step(&mut self) {
        self.write_wal(WalRecord::RoundState { height: self.height, round: self.round, step: self.step }, false);
        let info = self.info();
        self.out.push(Effect::NewStep(info));
    }

    fn write_wal(&mut self, record: WalRecord, sync: bool) {
        if !self.replaying {
            self.out.push(Effect::WriteWal { record, sync });
        }
    }

    fn warn(&mut self, text: impl Into<String>) {
        self.out.push(Effect::Warn { text: text.into() });
    }

    fn halt(&mut self, reason: impl Into<String>) {
        self.halted = true;
        self.out.push(Effect::Halt { reason: reason.into() });
    }

    /// Source: `State.scheduleRound0`.
    fn schedule_round_0(&mut self) {
        self.schedule(self.start_time.nanos_since(&self.now), 0, Step::NewHeight);
    }

    /// Sets the timer, unless it is set for something later. Source: `consensus/ticker.go`, `timeoutRoutine`.
    fn schedule(&mut self, after: i64, round: i32, step: Step) {
        let at = (self.height, round, step.number());
        if at <= self.timer {
            return;
        }
        self.timer = at;
        let timeout = TimeoutInfo { duration: after, height: self.height, round, step };
        self.out.push(Effect::Schedule { timeout, after: after.max(0) });
    }

    /// Where the node is.
    pub fn info(&self) -> RoundStepInfo {
        RoundStepInfo {
            height: self.height,
            round: self.round,
            step: self.step,
            start_time: self.start_time,
            last_commit_round: self.last_commit.as_ref().map_or(-1, VoteSet::round),
        }
    }

    /// The timeouts.
    pub fn config(&self) -> &RoundsConfig {
        &self.config
    }

    /// The state after the last block.
    pub fn state(&self) -> &ChainState {
        &self.state
    }

    /// The height that is being decided.
    pub fn height(&self) -> i64 {
        self.height
    }

    /// The round.
    pub fn round(&self) -> i32 {
        self.round
    }

    /// The step.
    pub fn step(&self) -> Step {
        self.step
    }

    /// When round 0 began or will begin.
    pub fn start_time(&self) -> Timestamp {
        self.start_time
    }

    /// Round of the precommits that decided the block; -1 before.
    pub fn commit_round(&self) -> i32 {
        self.commit_round
    }

    /// The validators of the height, with the proposer of the round.
    pub fn validators(&self) -> &Arc<ValidatorSet> {
        &self.validators
    }

    /// Address of the own key.
    pub fn own_address(&self) -> Option<&[u8]> {
        self.own.as_deref()
    }

    /// The proposal of the round.
    pub fn proposal(&self) -> Option<&Proposal> {
        self.proposal.as_ref()
    }

    /// The proposed block, or the one that two thirds voted for, once all its parts are here.
    pub fn proposal_block(&self) -> Option<&Arc<CheckedBlock>> {
        self.proposal_block.as_ref()
    }

    /// The parts of that block.
    pub fn proposal_parts(&self) -> Option<&PartSet> {
        self.proposal_parts.as_ref()
    }

    /// The round in which this node locked a block, -1 for none.
    pub fn locked_round(&self) -> i32 {
        self.locked_round
    }

    /// The block that this node prevotes until others unlock it.
    pub fn locked_block(&self) -> Option<&WholeBlock> {
        self.locked.as_ref()
    }

    /// The last round in which a block got two thirds of the prevotes, -1 for none.
    pub fn valid_round(&self) -> i32 {
        self.valid_round
    }

    /// That block, which this node would propose.
    pub fn valid_block(&self) -> Option<&WholeBlock> {
        self.valid.as_ref()
    }

    /// The votes of the height.
    pub fn votes(&self) -> &HeightVoteSet {
        &self.votes
    }

    /// The precommits of the last block.
    pub fn last_commit(&self) -> Option<&VoteSet> {
        self.last_commit.as_ref()
    }

    /// Whether it has stopped for good ([`Effect::Halt`]).
    pub fn is_halted(&self) -> bool {
        self.halted
    }
}
