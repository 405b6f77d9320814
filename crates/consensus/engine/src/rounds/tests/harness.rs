//! One node of several validators; the others do what the test says.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::Arc,
};

use oasis_primitives::signature::{MemorySigner, Signer};

pub use super::common::{CHAIN, START};
use super::{super::*, common};
use crate::{
    ChainState, CheckedBlock, PeerId,
    proto::{AbciResponses, BlockId, Part, Proposal, SignedMsgType, Timestamp, Validator, Vote},
    sign_state::{SignState, Signing},
    wal::WalRecord,
};

pub const PREVOTE: i32 = SignedMsgType::PREVOTE;
pub const PRECOMMIT: i32 = SignedMsgType::PRECOMMIT;
pub const PEER: PeerId = PeerId([9; 20]);

/// The keys of validators, and the state before the first block.
#[derive(Clone)]
pub struct Genesis {
    pub signers: Vec<MemorySigner>,
    pub state: ChainState,
}

impl Genesis {
    /// Validators of these powers, in the order of the set.
    pub fn new(powers: &[i64]) -> Self {
        let (signers, genesis) = common::genesis("validator", powers, common::short_params());
        let state = common::first_state(&genesis);
        let of = |v: &Validator| signers.iter().find(|s| s.public_key().0 == v.key().unwrap()).unwrap().clone();
        let signers = state.validators.validators().iter().map(of).collect();
        Self { signers, state }
    }

    pub fn sign(&self, index: usize, bytes: &[u8]) -> Vec<u8> {
        common::sign(&self.signers[index], bytes)
    }

    pub fn vote(&self, index: usize, kind: i32, height: i64, round: i32, block_id: &BlockId, timestamp: Timestamp) -> Vote {
        let mut vote = Vote {
            r#type: kind,
            height,
            round,
            block_id: block_id.clone(),
            timestamp,
            validator_address: self.state.validators.validators()[index].address.clone(),
            validator_index: index as i32,
            signature: Vec::new(),
        };
        vote.signature = self.sign(index, &vote.sign_bytes(CHAIN));
        vote
    }

    /// The place of the proposer of a round of the first height.
    pub fn proposer(&self, state: &ChainState, round: u32) -> usize {
        let set = state.validators.advanced(round);
        let address = &set.proposer().unwrap().address;
        set.get(address).unwrap().0
    }
}

pub fn nil() -> BlockId {
    BlockId::default()
}

/// The state after a block whose transactions do nothing.
pub fn apply(state: &ChainState, block: &CheckedBlock) -> ChainState {
    let responses = AbciResponses {
        deliver_txs: vec![Default::default(); block.txs().len()],
        end_block: Some(Default::default()),
        begin_block: Some(Default::default()),
    };
    state.after_block(block, &responses, &[2; 32]).unwrap()
}

/// What a signer does with what a node wants to sign; nothing if it would contradict what it signed before.
pub fn sign_unsigned(genesis: &Genesis, index: usize, state: &mut SignState, unsigned: &Unsigned) -> Option<RoundMessage> {
    let sign = |state: &mut SignState, what: Signing| match what {
        Signing::Sign(what) => {
            let signature = genesis.sign(index, &what.bytes);
            *state = state.signed(&what, &signature);
            (None, signature)
        }
        Signing::Again { timestamp, signature } => (Some(timestamp), signature),
    };
    match unsigned.clone() {
        Unsigned::Vote(mut vote) => {
            let what = state.vote(CHAIN, &vote).ok()?;
            let (timestamp, signature) = sign(state, what);
            vote.timestamp = timestamp.unwrap_or(vote.timestamp);
            vote.signature = signature;
            Some(RoundMessage::Vote(vote))
        }
        Unsigned::Proposal(mut proposal) => {
            let what = state.proposal(CHAIN, &proposal).ok()?;
            let (timestamp, signature) = sign(state, what);
            proposal.timestamp = timestamp.unwrap_or(proposal.timestamp);
            proposal.signature = signature;
            Some(RoundMessage::Proposal(proposal))
        }
    }
}

pub struct Harness {
    pub genesis: Genesis,
    /// Place of the node among the validators.
    pub me: usize,
    pub rounds: Rounds,
    pub now: Timestamp,
    /// All effects so far.
    pub effects: Vec<Effect>,
    pub wal: Vec<WalRecord>,
    /// How many records of the log have reached the disk.
    pub synced: usize,
    pub timer: Option<(TimeoutInfo, i64)>,
    /// Hashes of blocks that do not pass.
    pub invalid: BTreeSet<Vec<u8>>,
    pub decided: Vec<Arc<CheckedBlock>>,
    pub sign_state: SignState,
    /// What the node signed, in order.
    pub signed: Vec<RoundMessage>,
    pub txs: Vec<Vec<u8>>,
}

impl Harness {
    /// A node at a place among validators of equal power.
    pub fn new(count: usize, me: usize) -> Self {
        Self::with(Genesis::new(&vec![10; count]), me, RoundsConfig::default())
    }

    /// A node that is the proposer of a round of the first height.
    pub fn proposer_of(count: usize, round: u32) -> Self {
        let genesis = Genesis::new(&vec![10; count]);
        let me = genesis.proposer(&genesis.state, round);
        Self::with(genesis, me, RoundsConfig::default())
    }

    pub fn with(genesis: Genesis, me: usize, config: RoundsConfig) -> Self {
        let key = genesis.signers[me].public_key().0;
        let rounds = Rounds::new(START, config, Some(&key), genesis.state.clone(), None).unwrap();
        let mut h = Self {
            genesis,
            me,
            rounds,
            now: START,
            effects: Vec::new(),
            wal: Vec::new(),
            synced: 0,
            timer: None,
            invalid: BTreeSet::new(),
            decided: Vec::new(),
            sign_state: SignState::new(key),
            signed: Vec::new(),
            txs: vec![b"tx".to_vec()],
        };
        let effects = h.rounds.start(START);
        h.carry_out(effects);
        h
    }

    fn carry_out(&mut self, effects: Vec<Effect>) {
        let mut queue: VecDeque<Input> = self.effects_to_inputs(effects).into();
        while let Some(input) = queue.pop_front() {
            let effects = self.rounds.handle(self.now, input);
            queue.extend(self.effects_to_inputs(effects));
        }
    }

    pub fn effects_to_inputs(&mut self, effects: Vec<Effect>) -> Vec<Input> {
        let mut inputs = Vec::new();
        for effect in effects {
            match &effect {
                Effect::WriteWal { record, sync } => {
                    self.wal.push(record.clone());
                    if *sync {
                        self.synced = self.wal.len();
                    }
                }
                Effect::Sign(unsigned) => {
                    assert_eq!(self.synced, self.wal.len(), "what led to a signature is on the disk");
                    if let Some(msg) = sign_unsigned(&self.genesis, self.me, &mut self.sign_state, unsigned) {
                        self.signed.push(msg.clone());
                        inputs.push(Input::Message { from: None, msg });
                    }
                }
                Effect::CreateBlock { height, round, last_commit } => {
                    let own = self.rounds.own_address().unwrap().to_vec();
                    let made = self.rounds.state().make_block(self.txs.clone(), last_commit.clone(), Vec::new(), &own);
                    let (block, encoded) = made.unwrap();
                    inputs.push(Input::BlockCreated { height: *height, round: *round, block: Arc::new(block), encoded });
                }
                Effect::Validate { block } => {
                    let hash = block.id().hash.clone();
                    let result = if self.invalid.contains(&hash) { Err("as the test wants".to_owned()) } else { Ok(()) };
                    inputs.push(Input::Validated { block_hash: hash, result });
                }
                Effect::Schedule { timeout, after } => self.timer = Some((*timeout, *after)),
                Effect::Decided { block, parts, seen_commit } => {
                    assert!(parts.is_complete() && *parts.header() == block.id().part_set_header);
                    seen_commit.check_basic().unwrap();
                    self.decided.push(Arc::clone(block));
                    self.wal.push(WalRecord::EndHeight(block.header().height));
                    self.synced = self.wal.len();
                    inputs.push(Input::Applied { state: Box::new(apply(self.rounds.state(), block)) });
                }
                _ => {}
            }
            self.effects.push(effect);
        }
        inputs
    }

    pub fn input(&mut self, input: Input) {
        let effects = self.rounds.handle(self.now, input);
        self.carry_out(effects);
    }

    pub fn message(&mut self, msg: RoundMessage) {
        self.input(Input::Message { from: Some(PEER), msg });
    }

    /// Lets the timer run out. Returns the step that it ended.
    pub fn fire(&mut self) -> Step {
        let (timeout, after) = self.timer.take().unwrap();
        self.now = self.now.plus_nanos(after);
        self.input(Input::Timeout(timeout));
        timeout.step
    }

    /// Begins round 0.
    pub fn begin(&mut self) -> &mut Self {
        assert_eq!(self.fire(), Step::NewHeight);
        self
    }

    pub fn height(&self) -> i64 {
        self.rounds.height()
    }

    /// All but the node itself.
    pub fn others(&self) -> Vec<usize> {
        (0..self.genesis.signers.len()).filter(|i| *i != self.me).collect()
    }

    pub fn vote(&mut self, index: usize, kind: i32, round: i32, id: &BlockId) {
        let vote = self.genesis.vote(index, kind, self.height(), round, id, self.now);
        self.message(RoundMessage::Vote(vote));
    }

    /// The first `count` others vote.
    pub fn votes(&mut self, count: usize, kind: i32, round: i32, id: &BlockId) {
        for i in self.others().into_iter().take(count) {
            self.vote(i, kind, round, id);
        }
    }

    /// A block that the proposer of a round could make; different for each `salt`.
    pub fn block(&self, round: i32, salt: u8) -> WholeBlock {
        let state = self.rounds.state();
        let proposer = self.genesis.proposer(state, round as u32);
        let address = state.validators.validators()[proposer].address.clone();
        let commit = self.rounds.last_commit().and_then(|c| c.make_commit()).unwrap_or_default();
        let (block, encoded) = state.make_block(vec![vec![salt]], commit, Vec::new(), &address).unwrap();
        WholeBlock::new(Arc::new(block), &encoded)
    }

    /// The same with its name.
    pub fn block_and_id(&self, round: i32, salt: u8) -> (WholeBlock, BlockId) {
        let block = self.block(round, salt);
        let id = block.block.id().clone();
        (block, id)
    }

    pub fn proposal(&self, round: i32, pol_round: i32, whole: &WholeBlock) -> Proposal {
        let mut proposal = Proposal {
            r#type: SignedMsgType::PROPOSAL,
            height: self.height(),
            round,
            pol_round,
            block_id: whole.block.id().clone(),
            timestamp: self.now,
            signature: Vec::new(),
        };
        let proposer = self.genesis.proposer(self.rounds.state(), round as u32);
        proposal.signature = self.genesis.sign(proposer, &proposal.sign_bytes(CHAIN));
        proposal
    }

    pub fn propose(&mut self, round: i32, pol_round: i32, whole: &WholeBlock) {
        let proposal = self.proposal(round, pol_round, whole);
        self.message(RoundMessage::Proposal(proposal));
        self.parts(round, whole);
    }

    pub fn parts(&mut self, round: i32, whole: &WholeBlock) {
        for i in 0..whole.parts.total() {
            self.part(round, whole, i);
        }
    }

    pub fn part(&mut self, round: i32, whole: &WholeBlock, index: u32) {
        let part = Part::clone(whole.parts.part(index).unwrap());
        self.message(RoundMessage::BlockPart { height: self.height(), round, part });
    }

    /// The votes that the node signed at a height: kind, round, block.
    pub fn own_votes(&self, height: i64) -> Vec<(i32, i32, BlockId)> {
        let vote = |m: &RoundMessage| if let RoundMessage::Vote(v) = m { Some(v.clone()) } else { None };
        let here = self.signed.iter().filter_map(vote).filter(|v| v.height == height);
        here.map(|v| (v.r#type, v.round, v.block_id)).collect()
    }

    /// The last vote that it signed.
    pub fn last_vote(&self) -> Option<(i32, i32, BlockId)> {
        self.own_votes(self.height()).pop()
    }

    pub fn last_proposal(&self) -> Option<Proposal> {
        let proposal = |m: &RoundMessage| if let RoundMessage::Proposal(p) = m { Some(p.clone()) } else { None };
        self.signed.iter().rev().find_map(proposal)
    }

    pub fn count(&self, wanted: impl Fn(&Effect) -> bool) -> usize {
        self.effects.iter().filter(|e| wanted(e)).count()
    }

    pub fn faults(&self) -> usize {
        self.count(|e| matches!(e, Effect::PeerFault { .. }))
    }

    pub fn at(&self) -> (i64, i32, Step) {
        (self.rounds.height(), self.rounds.round(), self.rounds.step())
    }

    /// The node restarts with what is on its disk.
    pub fn restart(&mut self) {
        let key = self.genesis.signers[self.me].public_key().0;
        let state = self.rounds.state().clone();
        let commit = self.rounds.last_commit().and_then(|c| c.make_commit());
        let config = self.rounds.config().clone();
        self.wal.truncate(self.synced);
        let height = state.last_block_height;
        let end = self.wal.iter().rposition(|r| *r == WalRecord::EndHeight(height));
        let records = self.wal[end.map_or(0, |i| i + 1)..].to_vec();
        self.timer = None;
        self.rounds = Rounds::new(self.now, config, Some(&key), state, commit.as_ref()).unwrap();
        let mut later = Vec::new();
        for record in records {
            let effects = self.rounds.replay(self.now, &record);
            let mut queue: VecDeque<Effect> = effects.into();
            while let Some(effect) = queue.pop_front() {
                for input in self.effects_to_inputs(vec![effect]) {
                    match input {
                        Input::Message { .. } | Input::BlockCreated { .. } => later.push(input),
                        other => queue.extend(self.rounds.handle(self.now, other)),
                    }
                }
            }
        }
        let effects = self.rounds.start(self.now);
        self.carry_out(effects);
        for input in later {
            self.input(input);
        }
    }
}
