//! Whatever comes in whatever order, with valid and forged signatures, a node neither panics nor signs twice.
#![no_main]

use std::{collections::BTreeMap, sync::Arc};

use libfuzzer_sys::fuzz_target;
use oasis_consensus_engine::{
    ChainState, CheckedBlock, EngineGenesis, InitChainResponse, PeerId,
    parts::PartSet,
    proto::{
        AbciResponses, BlockId, BlockParams, ConsensusParams, Duration, EvidenceParams, PartSetHeader, Proposal, Timestamp, Validator,
        ValidatorParams, VersionParams, Vote,
    },
    rounds::{Effect, Input, RoundMessage, Rounds, RoundsConfig, Step, TimeoutInfo, Unsigned},
};
use oasis_primitives::signature::{ChainContext, MemorySigner, Signer, TENDERMINT_CONTEXT};

const CHAIN: &str = "fuzz";

struct World {
    signers: Vec<MemorySigner>,
    rounds: Rounds,
    now: Timestamp,
    timer: Option<TimeoutInfo>,
    blocks: Vec<(Arc<CheckedBlock>, PartSet)>,
    signed: BTreeMap<(i64, i32, i32), BlockId>,
}

fn genesis(signers: &[MemorySigner]) -> ChainState {
    let doc = EngineGenesis {
        genesis_time: Timestamp { seconds: 1, nanos: 0 },
        chain_id: CHAIN.into(),
        initial_height: 1,
        consensus_params: ConsensusParams {
            block: BlockParams { max_bytes: 1 << 18, max_gas: -1, time_iota_ms: 1 },
            evidence: EvidenceParams { max_age_num_blocks: 2, max_age_duration: Duration::from_nanos(3), max_bytes: 1 << 10 },
            validator: ValidatorParams { pub_key_types: vec!["ed25519".into()] },
            version: VersionParams { app_version: 7 },
        },
        validators: signers.iter().map(|s| Validator::new(&s.public_key().0, 10)).collect(),
    };
    ChainState::from_genesis(&doc, 7, &InitChainResponse::default()).unwrap()
}

impl World {
    fn new() -> Self {
        let signers: Vec<_> = (0..4).map(|i| MemorySigner::for_test(&format!("fuzz {i}"))).collect();
        let state = genesis(&signers);
        let of = |v: &Validator| signers.iter().find(|s| s.public_key().0 == v.key().unwrap()).unwrap().clone();
        let signers: Vec<_> = state.validators.validators().iter().map(of).collect();
        let now = Timestamp { seconds: 2, nanos: 0 };
        let rounds = Rounds::new(now, RoundsConfig::default(), Some(&signers[0].public_key().0), state, None).unwrap();
        let mut world = Self { signers, rounds, now, timer: None, blocks: Vec::new(), signed: BTreeMap::new() };
        let effects = world.rounds.start(now);
        world.carry_out(effects);
        world
    }

    fn sign(&self, i: usize, bytes: &[u8]) -> Vec<u8> {
        self.signers[i].sign(&TENDERMINT_CONTEXT, &ChainContext::UNSET, bytes).unwrap().signature.0.to_vec()
    }

    fn carry_out(&mut self, effects: Vec<Effect>) {
        let mut queue: std::collections::VecDeque<Effect> = effects.into();
        while let Some(effect) = queue.pop_front() {
            let answer = match effect {
                Effect::Sign(Unsigned::Vote(mut v)) => {
                    let before = self.signed.insert((v.height, v.round, v.r#type), v.block_id.clone());
                    assert!(before.is_none(), "voted twice");
                    v.signature = self.sign(0, &v.sign_bytes(CHAIN));
                    Input::Message { from: None, msg: RoundMessage::Vote(v) }
                }
                Effect::Sign(Unsigned::Proposal(mut p)) => {
                    p.signature = self.sign(0, &p.sign_bytes(CHAIN));
                    Input::Message { from: None, msg: RoundMessage::Proposal(p) }
                }
                Effect::CreateBlock { height, round, last_commit } => {
                    let (block, encoded) = self.make(last_commit, round as u8);
                    Input::BlockCreated { height, round, block, encoded }
                }
                Effect::Validate { block } => Input::Validated { block_hash: block.id().hash.clone(), result: Ok(()) },
                Effect::Decided { block, .. } => {
                    let responses = AbciResponses {
                        deliver_txs: vec![Default::default(); block.txs().len()],
                        end_block: Some(Default::default()),
                        begin_block: Some(Default::default()),
                    };
                    self.blocks.clear();
                    let Ok(state) = self.rounds.state().after_block(&block, &responses, &[2; 32]) else { return };
                    Input::Applied { state: Box::new(state) }
                }
                Effect::Schedule { timeout, .. } => {
                    self.timer = Some(timeout);
                    continue;
                }
                _ => continue,
            };
            queue.extend(self.rounds.handle(self.now, answer));
        }
    }

    fn make(&mut self, commit: oasis_consensus_engine::proto::Commit, salt: u8) -> (Arc<CheckedBlock>, Vec<u8>) {
        let address = self.rounds.validators().proposer().unwrap().address.clone();
        let (block, encoded) = self.rounds.state().make_block(vec![vec![salt; 3]], commit, Vec::new(), &address).unwrap();
        let block = Arc::new(block);
        self.blocks.push((Arc::clone(&block), PartSet::from_bytes(&encoded)));
        (block, encoded)
    }

    fn id(&self, n: u8) -> BlockId {
        match n % 4 {
            0 => BlockId::default(),
            1 => BlockId { hash: vec![n; 32], part_set_header: PartSetHeader { total: u32::from(n) << 8, hash: vec![n; 32] } },
            _ => self.blocks.last().map(|(b, _)| b.id().clone()).unwrap_or_default(),
        }
    }

    fn step(&mut self, op: [u8; 4]) {
        let [what, a, b, c] = op;
        let (height, round) = (self.rounds.height(), self.rounds.round());
        let from = Some(PeerId([c; 20]));
        let who = usize::from(a % 3) + 1;
        self.now = self.now.plus_nanos(i64::from(c) * 1_000_000);
        let input = match what % 8 {
            0..=2 => {
                let mut vote = Vote {
                    r#type: i32::from(what / 8 % 3),
                    height: height - i64::from(what > 240),
                    round: if b > 250 { i32::from(c) << 20 } else { round + i32::from(b % 3) - 1 }.max(0),
                    block_id: self.id(b / 4),
                    timestamp: self.now,
                    validator_address: self.rounds.validators().validators()[who].address.clone(),
                    validator_index: who as i32,
                    signature: Vec::new(),
                };
                vote.signature = self.sign(who, &vote.sign_bytes(CHAIN));
                if a > 250 {
                    vote.signature[0] ^= 1;
                }
                Input::Message { from, msg: RoundMessage::Vote(vote) }
            }
            3 => {
                let commit = self.rounds.last_commit().and_then(|l| l.make_commit()).unwrap_or_default();
                if height > 1 && commit.signatures.is_empty() {
                    return;
                }
                let (block, _) = self.make(commit, b);
                let mut proposal = Proposal {
                    r#type: 32,
                    height,
                    round,
                    pol_round: i32::from(a % 4) - 1,
                    block_id: if c > 250 { self.id(1) } else { block.id().clone() },
                    timestamp: self.now,
                    signature: Vec::new(),
                };
                let proposer = self.rounds.validators().proposer().unwrap().address.clone();
                let place = self.rounds.validators().get(&proposer).unwrap().0;
                proposal.signature = self.sign(place, &proposal.sign_bytes(CHAIN));
                Input::Message { from, msg: RoundMessage::Proposal(proposal) }
            }
            4 => {
                let Some((_, parts)) = self.blocks.get(usize::from(a) % self.blocks.len().max(1)) else { return };
                let mut part = parts.part(0).unwrap().as_ref().clone();
                part.index = u32::from(b > 250);
                Input::Message { from, msg: RoundMessage::BlockPart { height, round, part } }
            }
            5 => match self.timer.take() {
                Some(timeout) => Input::Timeout(timeout),
                None => return,
            },
            6 => {
                let step = Step::from_number(u32::from(b % 8) + 1).unwrap();
                Input::Timeout(TimeoutInfo { duration: 0, height, round: round + i32::from(a % 2), step })
            }
            _ => Input::Maj23 {
                peer: PeerId([c; 20]),
                height,
                round: round + i32::from(a) - 3,
                kind: i32::from(b % 4),
                block_id: self.id(b / 4),
            },
        };
        let effects = self.rounds.handle(self.now, input);
        self.carry_out(effects);
    }
}

fuzz_target!(|bytes: &[u8]| {
    let mut world = World::new();
    for op in bytes.chunks_exact(4).take(500) {
        world.step([op[0], op[1], op[2], op[3]]);
    }
});
