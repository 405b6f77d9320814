//! The rules about commits, blocks and evidence, one by one.

use std::sync::Arc;

use oasis_consensus_engine::{
    ChainState, CheckedBlock, CommitTarget, History, RecentBlocks, SignatureCheck, ValidatorSet, VerifyError, VoteContent,
    evidence_pool::verify_signatures,
    light::TrustLevel,
    proto::{
        Block, BlockId, BlockIdFlag, Commit, CommitSig, Data, DuplicateVoteEvidence, Evidence, EvidenceList, EvidenceSum, Header,
        LightBlock, LightClientAttackEvidence, PartSetHeader, SignedHeader, SignedMsgType, Timestamp, Validator, Vote,
    },
};
use oasis_primitives::signature::{MemorySigner, Signer};
use prost::Message;

mod common;
use common::{CHAIN, START, first_state, genesis, short_params, sign};

/// Validators of different power, and the state before the first block.
struct Chain {
    signers: Vec<MemorySigner>,
    state: ChainState,
    history: RecentBlocks,
}

impl Chain {
    fn new(powers: &[i64]) -> Self {
        let (signers, genesis) = genesis("validator", powers, short_params());
        let state = first_state(&genesis);
        Self { signers, state, history: RecentBlocks::default() }
    }

    fn signer(&self, validator: &Validator) -> &MemorySigner {
        self.signers.iter().find(|s| s.public_key().0 == validator.key().unwrap()).unwrap()
    }

    fn sign(&self, validator: &Validator, content: VoteContent<'_>) -> Vec<u8> {
        sign(self.signer(validator), &content.sign_bytes(CHAIN))
    }

    /// A commit of the last block by its validators, with what each did.
    fn commit(&self, flags: &[i32]) -> Commit {
        let state = &self.state;
        let mut commit =
            Commit { height: state.last_block_height, round: 0, block_id: state.last_block_id.clone(), signatures: Vec::new() };
        for (i, (validator, flag)) in state.last_validators.validators().iter().zip(flags).enumerate() {
            if *flag == BlockIdFlag::ABSENT {
                commit.signatures.push(CommitSig { block_id_flag: *flag, timestamp: Timestamp::ZERO, ..Default::default() });
                continue;
            }
            let timestamp = Timestamp { seconds: state.last_block_time.seconds + 1 + i as i64, nanos: 0 };
            let block_id = (*flag == BlockIdFlag::COMMIT).then_some(&commit.block_id);
            let content = VoteContent { kind: SignedMsgType::PRECOMMIT, height: commit.height, round: 0, block_id, timestamp };
            let signature = self.sign(validator, content);
            let validator_address = validator.address.clone();
            commit.signatures.push(CommitSig { block_id_flag: *flag, validator_address, timestamp, signature });
        }
        commit
    }

    /// The next block, by the rules.
    fn block(&self, last_commit: Commit, evidence: Vec<Evidence>) -> Block {
        let state = &self.state;
        let first = state.last_block_height == 0;
        let evidence = EvidenceList { evidence };
        let data = Data { txs: vec![b"tx".to_vec()] };
        let header = Header {
            version: oasis_consensus_engine::proto::Consensus { block: 11, app: 7 },
            chain_id: CHAIN.into(),
            height: state.next_height(),
            time: if first { START } else { oasis_consensus_engine::median_time(&last_commit, &state.last_validators) },
            last_block_id: state.last_block_id.clone(),
            last_commit_hash: last_commit.hash().to_vec(),
            data_hash: data.hash().to_vec(),
            validators_hash: state.validators.hash().to_vec(),
            next_validators_hash: state.next_validators.hash().to_vec(),
            consensus_hash: state.consensus_params.hash().to_vec(),
            app_hash: state.app_hash.clone(),
            last_results_hash: state.last_results_hash.clone(),
            evidence_hash: evidence.hash().to_vec(),
            proposer_address: state.validators.proposer().unwrap().address.clone(),
        };
        Block { header, data, evidence, last_commit: Some(last_commit) }
    }

    fn check(&self, block: &Block) -> Result<(), VerifyError> {
        let block = CheckedBlock::decode(&block.encode_to_vec())?;
        hold(self.state.validate_block(&block, &self.history)?)
    }

    /// Makes and applies the next block.
    fn advance(&mut self) {
        let flags = vec![BlockIdFlag::COMMIT; self.state.last_validators.validators().len()];
        let commit = if self.state.last_block_height == 0 { empty_commit() } else { self.commit(&flags) };
        let block = self.block(commit, Vec::new());
        self.check(&block).unwrap();
        let block = CheckedBlock::decode(&block.encode_to_vec()).unwrap();
        let responses = oasis_consensus_engine::proto::AbciResponses {
            deliver_txs: vec![Default::default()],
            end_block: Some(Default::default()),
            begin_block: Some(Default::default()),
        };
        self.history.push(&self.state, &block);
        self.state = self.state.after_block(&block, &responses, &[2; 32]).unwrap();
    }

    /// A validator's two votes at the last height.
    fn equivocation(&self) -> DuplicateVoteEvidence {
        let height = self.state.last_block_height;
        let set = &self.state.last_validators;
        let validator = &set.validators()[0];
        let vote = |hash: u8| {
            let block_id = BlockId { hash: vec![hash; 32], part_set_header: PartSetHeader { total: 1, hash: vec![hash; 32] } };
            let timestamp = START;
            let content = VoteContent { kind: SignedMsgType::PREVOTE, height, round: 1, block_id: Some(&block_id), timestamp };
            let signature = self.sign(validator, content);
            let validator_address = validator.address.clone();
            Vote { r#type: SignedMsgType::PREVOTE, height, round: 1, block_id, timestamp, validator_address, validator_index: 0, signature }
        };
        DuplicateVoteEvidence {
            vote_a: Some(vote(1)),
            vote_b: Some(vote(2)),
            total_voting_power: set.total_voting_power(),
            validator_power: validator.voting_power,
            timestamp: self.history.header(height).unwrap().time,
        }
    }
}

fn empty_commit() -> Commit {
    Commit::default()
}

fn hold(checks: Vec<SignatureCheck>) -> Result<(), VerifyError> {
    verify_signatures(&checks)
}

fn evidence(e: DuplicateVoteEvidence) -> Vec<Evidence> {
    vec![Evidence { sum: Some(EvidenceSum::DuplicateVote(Box::new(e))) }]
}

#[test]
fn blocks_made_by_the_rules_are_accepted() {
    let mut chain = Chain::new(&[10, 20, 30]);
    for _ in 0..5 {
        chain.advance();
    }
    assert_eq!(chain.state.last_block_height, 5);
}

#[test]
fn every_header_field_is_checked() {
    let mut chain = Chain::new(&[10, 20, 30]);
    chain.advance();
    let good = chain.block(chain.commit(&[BlockIdFlag::COMMIT; 3]), Vec::new());
    chain.check(&good).unwrap();
    let changes: [(&str, fn(&mut Header)); 16] = [
        ("header.version.app", |h| h.version.app = 8),
        ("header.version.block", |h| h.version.block = 10),
        ("header.chain_id", |h| h.chain_id.push('x')),
        ("header.height", |h| h.height += 1),
        ("header.time", |h| h.time.nanos += 1),
        ("header.last_block_id", |h| h.last_block_id.hash[0] ^= 1),
        ("header.last_block_id", |h| h.last_block_id.part_set_header.total += 1),
        ("header.last_commit_hash", |h| h.last_commit_hash[0] ^= 1),
        ("header.data_hash", |h| h.data_hash[0] ^= 1),
        ("header.validators_hash", |h| h.validators_hash[0] ^= 1),
        ("header.next_validators_hash", |h| h.next_validators_hash[0] ^= 1),
        ("header.consensus_hash", |h| h.consensus_hash[0] ^= 1),
        ("header.app_hash", |h| h.app_hash[0] ^= 1),
        ("header.last_results_hash", |h| h.last_results_hash[0] ^= 1),
        ("header.evidence_hash", |h| h.evidence_hash[0] ^= 1),
        ("header.proposer_address", |h| h.proposer_address[0] ^= 1),
    ];
    for (field, change) in changes {
        let mut bad = good.clone();
        change(&mut bad.header);
        assert_eq!(chain.check(&bad).unwrap_err().field, field);
    }
}

#[test]
fn a_commit_needs_more_than_two_thirds_of_the_power_for_the_block() {
    let mut chain = Chain::new(&[10, 20, 30]);
    chain.advance();
    let refused = |flags: [i32; 3]| chain.check(&chain.block(chain.commit(&flags), Vec::new())).is_err();
    const C: i32 = BlockIdFlag::COMMIT;
    const N: i32 = BlockIdFlag::NIL;
    const A: i32 = BlockIdFlag::ABSENT;
    // In the order of the set: 30, 20, 10; two thirds are 40.
    assert!(!refused([C, C, A]));
    assert!(!refused([C, C, N]));
    assert!(refused([C, A, C]));
    assert!(refused([C, N, C]));
    assert!(refused([A, C, C]));
}

#[test]
fn every_vote_is_verified_also_those_for_nil() {
    let mut chain = Chain::new(&[10, 20, 30]);
    chain.advance();
    let mut commit = chain.commit(&[BlockIdFlag::COMMIT, BlockIdFlag::COMMIT, BlockIdFlag::NIL]);
    commit.signatures[2].signature[0] ^= 1;
    let e = chain.check(&chain.block(commit, Vec::new())).unwrap_err();
    assert_eq!(e.field, "last_commit.signatures[2].signature");
}

#[test]
fn a_commit_of_another_height_block_or_size_is_refused() {
    let mut chain = Chain::new(&[10, 20, 30]);
    chain.advance();
    let commit = chain.commit(&[BlockIdFlag::COMMIT; 3]);
    let id = chain.state.last_block_id.clone();
    let target = CommitTarget { chain_id: CHAIN, block_id: &id, height: 1, field: "commit" };
    let set: &Arc<ValidatorSet> = &chain.state.last_validators;
    assert_eq!(set.verify_commit(target, &commit).unwrap().len(), 3);
    assert_eq!(set.verify_commit_light(target, &commit).unwrap().len(), 2);
    assert_eq!(set.verify_commit_light_trusting(target, &commit, TrustLevel::default()).unwrap().len(), 1);
    assert!(set.verify_commit(CommitTarget { height: 2, ..target }, &commit).is_err());
    assert!(set.verify_commit(CommitTarget { block_id: &BlockId::default(), ..target }, &commit).is_err());
    let mut short = commit.clone();
    short.signatures.pop();
    assert!(set.verify_commit(target, &short).is_err());
    let other_chain = CommitTarget { chain_id: "another", ..target };
    assert!(hold(set.verify_commit(other_chain, &commit).unwrap()).is_err());
}

#[test]
fn an_equivocation_is_accepted_once_and_while_it_is_young() {
    let mut chain = Chain::new(&[10, 20, 30]);
    chain.advance();
    chain.advance();
    let proof = chain.equivocation();
    let with = |chain: &Chain, e: Vec<Evidence>| chain.block(chain.commit(&[BlockIdFlag::COMMIT; 3]), e);
    chain.check(&with(&chain, evidence(proof.clone()))).unwrap();
    let twice = [evidence(proof.clone()), evidence(proof.clone())].concat();
    assert!(chain.check(&with(&chain, twice)).is_err());

    let mut committed = CheckedBlock::decode(&with(&chain, evidence(proof.clone())).encode_to_vec()).unwrap();
    assert_eq!(committed.evidence().byzantine_validators().len(), 1);
    let mut history = chain.history.clone();
    history.push(&chain.state, &committed);
    assert!(chain.state.validate_block(&committed, &history).is_err());

    for _ in 0..4 {
        chain.advance();
    }
    committed = CheckedBlock::decode(&with(&chain, evidence(proof)).encode_to_vec()).unwrap();
    assert!(chain.state.validate_block(&committed, &chain.history).is_err());
}

#[test]
fn an_equivocation_that_proves_nothing_is_refused() {
    let mut chain = Chain::new(&[10, 20, 30]);
    chain.advance();
    chain.advance();
    let good = chain.equivocation();
    let changes: [fn(&mut DuplicateVoteEvidence); 9] = [
        |e| std::mem::swap(&mut e.vote_a, &mut e.vote_b),
        |e| e.vote_b = e.vote_a.clone(),
        |e| e.vote_a = None,
        |e| e.vote_b.as_mut().unwrap().round += 1,
        |e| e.vote_b.as_mut().unwrap().signature[0] ^= 1,
        |e| e.vote_a.as_mut().unwrap().validator_address[0] ^= 1,
        |e| e.validator_power += 1,
        |e| e.total_voting_power += 1,
        |e| e.timestamp.nanos += 1,
    ];
    for (i, change) in changes.into_iter().enumerate() {
        let mut bad = good.clone();
        change(&mut bad);
        let block = chain.block(chain.commit(&[BlockIdFlag::COMMIT; 3]), evidence(bad));
        assert!(chain.check(&block).is_err(), "change {i}");
    }
}

/// A block of the first height that is not the chain's, decided by all in a round.
fn attack(chain: &Chain, round: i32, named: &[Validator]) -> Vec<Evidence> {
    let set = &chain.state.last_validators;
    let mut header = chain.history.header(1).unwrap().clone();
    let timestamp = header.time;
    header.data_hash = vec![9; 32];
    let block_id = BlockId { hash: header.hash().to_vec(), part_set_header: PartSetHeader { total: 1, hash: vec![1; 32] } };
    let sign = |validator: &Validator| {
        let content = VoteContent { kind: SignedMsgType::PRECOMMIT, height: 1, round, block_id: Some(&block_id), timestamp };
        let (validator_address, signature) = (validator.address.clone(), chain.sign(validator, content));
        CommitSig { block_id_flag: BlockIdFlag::COMMIT, validator_address, timestamp, signature }
    };
    let signatures = set.validators().iter().map(sign).collect();
    let commit = Commit { height: 1, round, block_id: block_id.clone(), signatures };
    let signed_header = Some(SignedHeader { header: Some(header), commit: Some(commit) });
    let attack = LightClientAttackEvidence {
        conflicting_block: Some(LightBlock { signed_header, validator_set: Some(set.to_message()) }),
        common_height: 1,
        byzantine_validators: named.to_vec(),
        total_voting_power: set.total_voting_power(),
        timestamp,
    };
    vec![Evidence { sum: Some(EvidenceSum::LightClientAttack(Box::new(attack))) }]
}

/// Source: tendermint `evidence/verify.go`, `Pool.verify`, which takes an empty list of guilty validators for more than none.
#[test]
fn an_attack_by_nobody_in_particular_is_no_evidence() {
    let mut chain = Chain::new(&[10, 20, 30]);
    for _ in 0..3 {
        chain.advance();
    }
    let all = chain.state.last_validators.validators().to_vec();
    let check = |evidence| chain.check(&chain.block(chain.commit(&[BlockIdFlag::COMMIT; 3]), evidence));
    check(attack(&chain, 0, &all)).unwrap();
    assert!(check(attack(&chain, 0, &[])).is_err());
    // In another round it cannot be said whose votes were wrong.
    assert!(check(attack(&chain, 1, &all)).is_err());
    assert_eq!(check(attack(&chain, 1, &[])).unwrap_err().field, "evidence[0].byzantine_validators");
}
