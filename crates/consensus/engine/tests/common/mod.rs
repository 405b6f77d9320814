//! Chains of properly signed blocks, for tests and benches.
#![allow(dead_code, reason = "each test uses a part")]

use std::{collections::BTreeMap, sync::Arc};

use oasis_consensus_engine::{
    ChainState, CheckedBlock, EngineGenesis, InitChainResponse, ValidatorSet, VoteContent,
    proto::{
        AbciResponses, Block, BlockIdFlag, BlockParams, Commit, CommitSig, ConsensusParams, Duration, EvidenceParams, LightBlock,
        PublicKey, ResponseBeginBlock, ResponseEndBlock, SignedHeader, SignedMsgType, Timestamp, Validator, ValidatorParams,
        ValidatorUpdate, VersionParams,
    },
};
use oasis_primitives::signature::{ChainContext, MemorySigner, Signer, TENDERMINT_CONTEXT};
use prost::Message;

pub const CHAIN: &str = "test chain";
pub const START: Timestamp = Timestamp { seconds: 1_600_000_000, nanos: 0 };
pub const SECOND: i64 = 1_000_000_000;

/// A time in nanoseconds after [`START`].
pub fn at(nanos: i64) -> Timestamp {
    Timestamp { seconds: START.seconds + nanos.div_euclid(SECOND), nanos: nanos.rem_euclid(SECOND) as i32 }
}

/// A generator of numbers that are always the same.
#[derive(Clone)]
pub struct Dice(pub u64);

impl Dice {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    pub fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

/// A block with what its makers know of it.
#[derive(Clone)]
pub struct Made {
    pub block: CheckedBlock,
    pub encoded: Vec<u8>,
    /// The commit that decided it.
    pub commit: Commit,
    /// Its validators.
    pub validators: Arc<ValidatorSet>,
    /// The state after it.
    pub state: ChainState,
    pub responses: AbciResponses,
}

/// A chain from height 1 on.
#[derive(Clone)]
pub struct Chain {
    pub genesis: EngineGenesis,
    pub signers: Vec<MemorySigner>,
    pub first_state: ChainState,
    pub blocks: Vec<Made>,
}

/// What a chain is made of.
#[derive(Clone)]
pub struct Plan {
    pub validators: usize,
    pub blocks: usize,
    /// After so many blocks a validator comes, goes or changes its power; never for 0.
    pub change_every: usize,
    pub tx_bytes: usize,
    pub name: &'static str,
}

impl Default for Plan {
    fn default() -> Self {
        Self { validators: 4, blocks: 50, change_every: 0, tx_bytes: 100, name: "validator" }
    }
}

pub fn params() -> ConsensusParams {
    ConsensusParams {
        block: BlockParams { max_bytes: 1 << 20, max_gas: -1, time_iota_ms: 1 },
        evidence: EvidenceParams { max_age_num_blocks: 100, max_age_duration: Duration::from_nanos(1000 * SECOND), max_bytes: 1 << 16 },
        validator: ValidatorParams { pub_key_types: vec!["ed25519".into()] },
        version: VersionParams { app_version: 7 },
    }
}

/// Parameters under which evidence soon is too old.
pub fn short_params() -> ConsensusParams {
    let max_age_duration = Duration::from_nanos(3 * SECOND);
    ConsensusParams { evidence: EvidenceParams { max_age_num_blocks: 2, max_age_duration, max_bytes: 1 << 16 }, ..params() }
}

/// A key by its name and number.
fn key(name: &str, i: usize) -> MemorySigner {
    MemorySigner::for_test(&format!("{name} {i}"))
}

/// A chain's beginning with validators of these powers, and their keys.
pub fn genesis(name: &str, powers: &[i64], consensus_params: ConsensusParams) -> (Vec<MemorySigner>, EngineGenesis) {
    let signers: Vec<_> = (0..powers.len()).map(|i| key(name, i)).collect();
    let validators = signers.iter().zip(powers).map(|(s, p)| Validator::new(&s.public_key().0, *p)).collect();
    (signers, EngineGenesis { genesis_time: START, chain_id: CHAIN.into(), initial_height: 1, consensus_params, validators })
}

/// The state before the first block.
pub fn first_state(genesis: &EngineGenesis) -> ChainState {
    let response = InitChainResponse { app_hash: vec![1; 32], ..Default::default() };
    ChainState::from_genesis(genesis, 7, &response).unwrap()
}

/// Signs as validators do.
pub fn sign(signer: &MemorySigner, bytes: &[u8]) -> Vec<u8> {
    signer.sign(&TENDERMINT_CONTEXT, &ChainContext::UNSET, bytes).unwrap().signature.0.to_vec()
}

/// What is to come, in the order of its time.
pub struct Agenda<E> {
    pub now: i64,
    count: u64,
    events: BTreeMap<(i64, u64), E>,
}

impl<E> Default for Agenda<E> {
    fn default() -> Self {
        Self { now: 0, count: 0, events: BTreeMap::new() }
    }
}

impl<E> Agenda<E> {
    /// Something comes after some nanoseconds.
    pub fn after(&mut self, nanos: i64, event: E) {
        self.count += 1;
        self.events.insert((self.now + nanos, self.count), event);
    }

    /// What comes next; time goes on to it.
    pub fn next(&mut self) -> Option<E> {
        let ((time, _), event) = self.events.pop_first()?;
        self.now = self.now.max(time);
        Some(event)
    }
}

impl Chain {
    pub fn new(plan: &Plan) -> Self {
        let (mut signers, genesis) = genesis(plan.name, &vec![10; plan.validators], params());
        signers.extend((0..2).map(|i| key(plan.name, plan.validators + i)));
        let first_state = first_state(&genesis);
        let mut chain = Self { genesis, signers, first_state, blocks: Vec::new() };
        for i in 0..plan.blocks {
            let change = plan.change_every > 0 && i % plan.change_every == plan.change_every - 1;
            chain.add(vec![vec![i as u8; plan.tx_bytes]], if change { chain.change(i / plan.change_every) } else { Vec::new() });
        }
        chain
    }

    fn change(&self, i: usize) -> Vec<ValidatorUpdate> {
        let signer = |n: usize| self.signers[n % self.signers.len()].public_key().0;
        let known = |key: &[u8; 32]| self.state().next_validators.validators().iter().any(|v| v.key().unwrap() == *key);
        let key = signer(i);
        let power = if known(&key) && i % 3 == 2 { 0 } else { 8 + (i as i64 % 5) };
        vec![ValidatorUpdate { pub_key: PublicKey::ed25519(&key), power }]
    }

    /// The state after the last block.
    pub fn state(&self) -> &ChainState {
        self.blocks.last().map_or(&self.first_state, |m| &m.state)
    }

    pub fn height(&self) -> i64 {
        self.blocks.len() as i64
    }

    pub fn get(&self, height: i64) -> Option<&Made> {
        self.blocks.get(usize::try_from(height).ok()?.checked_sub(1)?)
    }

    /// Makes, signs and applies the next block.
    pub fn add(&mut self, txs: Vec<Vec<u8>>, updates: Vec<ValidatorUpdate>) {
        let state = self.state().clone();
        let last_commit = self.blocks.last().map_or_else(Commit::default, |m| m.commit.clone());
        let proposer = state.validators.proposer().unwrap().address.clone();
        let (block, encoded) = state.make_block(txs, last_commit, Vec::new(), &proposer).unwrap();
        let commit = self.sign(&state.validators, &block, 1);
        let responses = AbciResponses {
            deliver_txs: vec![Default::default(); block.txs().len()],
            begin_block: Some(ResponseBeginBlock::default()),
            end_block: Some(ResponseEndBlock { validator_updates: updates, ..Default::default() }),
        };
        let app_hash = [block.header().height as u8; 32];
        let after = state.after_block(&block, &responses, &app_hash).unwrap();
        let validators = Arc::clone(&state.validators);
        self.blocks.push(Made { block, encoded, commit, validators, state: after, responses });
    }

    /// A commit by all validators of a set whose keys are known here, `seconds` after the block.
    pub fn sign(&self, validators: &ValidatorSet, block: &CheckedBlock, seconds: i64) -> Commit {
        let header = block.header();
        let mut commit = Commit { height: header.height, round: 0, block_id: block.id().clone(), signatures: Vec::new() };
        for v in validators.validators() {
            let Some(signer) = self.signers.iter().find(|s| s.public_key().0 == v.key().unwrap()) else {
                let absent = CommitSig { block_id_flag: BlockIdFlag::ABSENT, timestamp: Timestamp::ZERO, ..Default::default() };
                commit.signatures.push(absent);
                continue;
            };
            let timestamp = Timestamp { seconds: header.time.seconds + seconds, nanos: 0 };
            let content = VoteContent {
                kind: SignedMsgType::PRECOMMIT,
                height: commit.height,
                round: 0,
                block_id: Some(&commit.block_id),
                timestamp,
            };
            let signature = sign(signer, &content.sign_bytes(CHAIN));
            commit.signatures.push(CommitSig {
                block_id_flag: BlockIdFlag::COMMIT,
                validator_address: v.address.clone(),
                timestamp,
                signature,
            });
        }
        commit
    }

    /// A block as light clients see it.
    pub fn light_block(&self, height: i64) -> Option<LightBlock> {
        let made = self.get(height)?;
        let signed = SignedHeader { header: Some(made.block.header().clone()), commit: Some(made.commit.clone()) };
        Some(LightBlock { signed_header: Some(signed), validator_set: Some(made.validators.to_message()) })
    }
}

/// A block with other contents and a header that fits them.
pub fn forge(made: &Made, change: impl FnOnce(&mut Block)) -> Vec<u8> {
    let mut block = Block::decode(made.encoded.as_slice()).unwrap();
    change(&mut block);
    block.header.data_hash = block.data.hash().to_vec();
    block.header.last_commit_hash = block.last_commit.as_ref().unwrap().hash().to_vec();
    block.encode_to_vec()
}
