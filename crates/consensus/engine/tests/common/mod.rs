//! Chains of properly signed blocks, for tests and benches.
#![allow(dead_code, reason = "each test uses a part")]

use std::sync::Arc;

use oasis_consensus_engine::{
    ChainState, CheckedBlock, EngineGenesis, InitChainResponse, ValidatorSet, VoteContent, median_time,
    proto::{
        AbciResponses, Block, BlockIdFlag, BlockParams, Commit, CommitSig, Consensus, ConsensusParams, Data, Duration, EvidenceList,
        EvidenceParams, Header, LightBlock, PublicKey, ResponseBeginBlock, ResponseEndBlock, SignedHeader, SignedMsgType, Timestamp,
        Validator, ValidatorParams, ValidatorUpdate, VersionParams,
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

impl Chain {
    pub fn new(plan: &Plan) -> Self {
        let signers: Vec<_> = (0..plan.validators + 2).map(|i| MemorySigner::for_test(&format!("{} {i}", plan.name))).collect();
        let validators = signers.iter().take(plan.validators).map(|s| Validator::new(&s.public_key().0, 10)).collect();
        let genesis =
            EngineGenesis { genesis_time: START, chain_id: CHAIN.into(), initial_height: 1, consensus_params: params(), validators };
        let response = InitChainResponse { app_hash: vec![1; 32], ..Default::default() };
        let first_state = ChainState::from_genesis(&genesis, 7, &response).unwrap();
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
        let data = Data { txs };
        let header = Header {
            version: Consensus { block: 11, app: 7 },
            chain_id: CHAIN.into(),
            height: state.next_height(),
            time: if self.blocks.is_empty() { START } else { median_time(&last_commit, &state.last_validators) },
            last_block_id: state.last_block_id.clone(),
            last_commit_hash: last_commit.hash().to_vec(),
            data_hash: data.hash().to_vec(),
            validators_hash: state.validators.hash().to_vec(),
            next_validators_hash: state.next_validators.hash().to_vec(),
            consensus_hash: state.consensus_params.hash().to_vec(),
            app_hash: state.app_hash.clone(),
            last_results_hash: state.last_results_hash.clone(),
            evidence_hash: EvidenceList::default().hash().to_vec(),
            proposer_address: state.validators.proposer().unwrap().address.clone(),
        };
        let encoded = Block { header, data, evidence: EvidenceList::default(), last_commit: Some(last_commit) }.encode_to_vec();
        let block = CheckedBlock::decode(&encoded).unwrap();
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
            let signature = signer.sign(&TENDERMINT_CONTEXT, &ChainContext::UNSET, &content.sign_bytes(CHAIN)).unwrap();
            commit.signatures.push(CommitSig {
                block_id_flag: BlockIdFlag::COMMIT,
                validator_address: v.address.clone(),
                timestamp,
                signature: signature.signature.0.to_vec(),
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
