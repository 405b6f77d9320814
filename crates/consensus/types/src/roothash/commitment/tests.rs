use std::collections::BTreeMap;

use oasis_primitives::{
    cbor,
    hash::Hash,
    namespace::Namespace,
    signature::{Blacklist, ChainContext, MemorySigner, PublicKey, Signature, SignatureRules, SignedBlob, Signer},
};

use super::*;
use crate::{
    errors::CodedError,
    registry::Runtime,
    roothash::{
        block::{Block, HeaderType},
        message::Message,
        receipt::RECEIPT_CONTEXT,
    },
    scheduler::{Committee, CommitteeKind, CommitteeNode, Role},
};

struct Fixture {
    rules: SignatureRules,
    chain: ChainContext,
    signers: Vec<MemorySigner>,
    pool: Pool,
    current: Block,
}

struct Checks<'a>(&'a SignatureRules);

impl CommitmentChecks for Checks<'_> {
    type Error = CodedError;

    fn rules(&self) -> &SignatureRules {
        self.0
    }

    fn verify_committee_signatures(&mut self, _: CommitteeKind, _: &[Signature]) -> Result<(), CodedError> {
        Ok(())
    }

    fn verify_txn_scheduler_signer(&mut self, _: &Signature, _: u64) -> Result<(), CodedError> {
        Ok(())
    }

    fn enclave_key(&mut self, _: &PublicKey, _: &Namespace) -> Result<Option<PublicKey>, CodedError> {
        Ok(None)
    }

    fn validate_messages(&mut self, _: &[Message]) -> Result<(), CodedError> {
        Ok(())
    }
}

/// Three workers, then three backup workers; worker 0 proposes round 0.
fn fixture() -> Fixture {
    let chain = ChainContext::new("test chain").unwrap();
    let signers: Vec<MemorySigner> = (1..=6).map(|i| MemorySigner::from_seed(&[i; 32])).collect();
    let role = |i: usize| if i < 3 { Role::WORKER } else { Role::BACKUP_WORKER };
    let members = signers.iter().enumerate().map(|(i, s)| CommitteeNode { role: role(i), public_key: s.public_key() }.into()).collect();
    let mut runtime = Runtime { id: Namespace([0; 32]), ..Runtime::default() };
    runtime.executor.round_timeout = 10;
    runtime.storage.min_write_replication = 1;
    let committee = Committee { kind: CommitteeKind::COMPUTE_EXECUTOR, members, ..Committee::default() };
    let pool = Pool { runtime: Some(Box::new(runtime)), committee: Some(committee), ..Pool::default() };
    let current = Block::genesis(Namespace([0; 32]), 0);
    Fixture { rules: SignatureRules::new(chain.clone(), Blacklist::default()), chain, signers, pool, current }
}

impl Fixture {
    fn body(&self, state: &[u8]) -> ComputeBody {
        let header = ComputeResultsHeader {
            round: 1,
            previous_hash: self.current.header.encoded_hash(),
            io_root: Some(Hash::EMPTY),
            state_root: Some(Hash::of(state)),
            messages_hash: Some(Hash::EMPTY),
        };
        let mut body = ComputeBody { header, ..ComputeBody::default() };
        let batch = ProposedBatch { io_root: Hash::EMPTY, header: self.current.header.clone(), ..ProposedBatch::default() };
        let context = PROPOSED_BATCH_CONTEXT.with_suffix(&Namespace([0; 32]).to_string()).unwrap();
        body.input_root = Hash::EMPTY;
        body.txn_sched_sig = self.signers[0].sign(&context, &self.chain, &cbor::to_vec(&batch)).unwrap();
        let receipt = cbor::to_vec(&body.receipt_body(Namespace([0; 32])));
        body.storage_signatures = vec![self.signers[5].sign(&RECEIPT_CONTEXT, &self.chain, &receipt).unwrap()];
        body
    }

    fn sign(&self, node: usize, body: &ComputeBody) -> ExecutorCommitment {
        let context = ExecutorCommitment::context(&Namespace([0; 32])).unwrap();
        ExecutorCommitment(SignedBlob::sign(&self.signers[node], &context, &self.chain, body).unwrap())
    }

    fn add(&mut self, node: usize, body: &ComputeBody) -> Result<(), CodedError> {
        let commitment = self.sign(node, body);
        let current = self.current.header.clone();
        self.pool.add_executor_commitment(&current, &mut Checks(&self.rules), &commitment)
    }

    fn failed(&self) -> ComputeBody {
        let mut body = self.body(b"");
        body.set_failure(ExecutorCommitmentFailure::UNKNOWN);
        body
    }
}

fn assert_code(result: Result<(), CodedError>, code: Code) {
    let error = result.unwrap_err();
    assert!(error.is(code), "{error}");
}

#[test]
fn equal_results_of_all_workers_finalize() {
    let mut f = fixture();
    let body = f.body(b"state");
    f.add(1, &body).unwrap();
    assert_eq!(f.pool.try_finalize(5, 10, false, true), Outcome::StillWaiting);
    assert_eq!(f.pool.next_timeout, 15);
    f.add(0, &body).unwrap();
    f.add(2, &body).unwrap();
    let Outcome::Finalized(commit) = f.pool.try_finalize(6, 10, false, true) else { panic!() };
    assert_eq!(commit.commitment.0.signature.public_key, f.signers[0].public_key());
    assert_eq!(f.pool.next_timeout, TIMEOUT_NEVER);
}

#[test]
fn bad_commitments_are_refused_with_their_codes() {
    let mut f = fixture();
    let good = f.body(b"state");
    f.add(0, &good).unwrap();
    assert_code(f.add(0, &good), ERR_ALREADY_COMMITTED);

    let mut body = good.clone();
    body.header.round = 2;
    assert_code(f.add(1, &body), ERR_NOT_BASED_ON_CORRECT_BLOCK);
    let mut body = good.clone();
    body.header.state_root = None;
    assert_code(f.add(1, &body), ERR_BAD_EXECUTOR_COMMITMENT);
    let mut body = good.clone();
    body.input_root = Hash::of(b"other");
    assert_code(f.add(1, &body), ERR_TXN_SCHED_SIG_INVALID);
    let mut body = good.clone();
    body.storage_signatures.clear();
    assert_code(f.add(1, &body), ERR_BAD_STORAGE_RECEIPTS);
    let mut body = good.clone();
    body.storage_signatures[0].signature = Default::default();
    assert_code(f.add(1, &body), Code::new("unknown", 1, ""));
    let mut body = good.clone();
    body.messages = vec![Message { staking: Some(Default::default()), registry: None }];
    assert_code(f.add(1, &body), ERR_BAD_EXECUTOR_COMMITMENT);
    let mut body = good.clone();
    body.header.messages_hash = Some(Hash::of(b"other"));
    f.add(1, &body).unwrap();
    let mut f = fixture();
    assert_code(f.add(0, &body), ERR_INVALID_MESSAGES);
    f.pool.committee.as_mut().unwrap().members = f.pool.committee.as_ref().unwrap().members[..1].to_vec().into();
    assert_code(f.add(1, &good), ERR_NOT_IN_COMMITTEE);
    f.pool.round = 1;
    assert_code(f.add(0, &good), ERR_INVALID_ROUND);
}

#[test]
fn only_the_proposer_may_send_messages() {
    let mut f = fixture();
    let transfer = crate::roothash::StakingMessage { transfer: Some(Default::default()), ..Default::default() };
    let mut body = f.body(b"state");
    body.messages = vec![Message { staking: Some(transfer), registry: None }];
    body.header.messages_hash = Some(crate::roothash::messages_hash(&body.messages));
    assert_code(f.add(1, &body), ERR_INVALID_MESSAGES);
    assert_code(f.add(0, &body), ERR_INVALID_MESSAGES);
    f.pool.runtime.as_mut().unwrap().executor.max_messages = 1;
    f.add(0, &body).unwrap();
}

#[test]
fn a_difference_from_the_proposer_is_a_discrepancy_that_backup_workers_resolve() {
    let mut f = fixture();
    let (good, bad) = (f.body(b"good"), f.body(b"bad"));
    f.add(1, &bad).unwrap();
    assert_eq!(f.pool.try_finalize(5, 10, false, true), Outcome::StillWaiting);
    f.add(0, &good).unwrap();
    assert_eq!(f.pool.try_finalize(6, 10, false, true), Outcome::DiscrepancyDetected);
    assert!(f.pool.discrepancy);
    assert_eq!(f.pool.next_timeout, 16);
    f.add(3, &good).unwrap();
    assert_eq!(f.pool.try_finalize(7, 10, false, true), Outcome::StillWaiting);
    f.add(4, &good).unwrap();
    assert!(matches!(f.pool.try_finalize(8, 10, false, true), Outcome::Finalized(_)));
}

#[test]
fn backup_workers_that_do_not_agree_with_the_proposer_fail_the_round() {
    let decide = |states: [Option<&[u8]>; 3], timeout: bool| {
        let mut f = fixture();
        let (good, bad) = (f.body(b"good"), f.body(b"bad"));
        f.add(0, &good).unwrap();
        f.add(1, &bad).unwrap();
        assert_eq!(f.pool.try_finalize(5, 10, false, true), Outcome::DiscrepancyDetected);
        for (i, state) in states.into_iter().enumerate() {
            let body = state.map_or_else(|| f.failed(), |s| f.body(s));
            f.add(i + 3, &body).unwrap();
        }
        f.pool.try_finalize(6, 10, timeout, true)
    };
    assert_eq!(decide([Some(b"bad"), Some(b"bad"), None], false), Outcome::Failed(ERR_BAD_PROPOSER_COMMITMENT));
    assert_eq!(decide([None, None, Some(b"good")], false), Outcome::Failed(ERR_MAJORITY_FAILURE));
    assert_eq!(decide([Some(b"bad"), Some(b"good"), None], false), Outcome::Failed(ERR_INSUFFICIENT_VOTES));
    assert_eq!(decide([Some(b"bad"), Some(b"good"), None], true), Outcome::Failed(ERR_INSUFFICIENT_VOTES));
}

#[test]
fn a_failure_of_a_worker_is_a_discrepancy() {
    let mut f = fixture();
    let (good, failed) = (f.body(b"good"), f.failed());
    f.add(0, &good).unwrap();
    f.add(2, &failed).unwrap();
    assert_eq!(f.pool.try_finalize(5, 10, false, true), Outcome::DiscrepancyDetected);
}

#[test]
fn a_timeout_lets_stragglers_be_missing_but_never_the_proposer() {
    let mut f = fixture();
    let good = f.body(b"good");
    f.add(1, &good).unwrap();
    f.add(2, &good).unwrap();
    f.pool.runtime.as_mut().unwrap().executor.allowed_stragglers = 1;
    assert_eq!(f.pool.try_finalize(5, 10, true, true), Outcome::Failed(ERR_NO_PROPOSER_COMMITMENT));

    let mut f = fixture();
    f.add(0, &good).unwrap();
    f.add(2, &good).unwrap();
    assert_eq!(f.pool.clone().try_finalize(5, 10, true, false), Outcome::DiscrepancyDetected);
    assert_eq!(f.pool.try_finalize(5, 11, true, true), Outcome::DiscrepancyDetected);
    assert!(f.pool.discrepancy);
    assert_eq!(f.pool.next_timeout, 5 + 16);

    let mut f = fixture();
    f.pool.runtime.as_mut().unwrap().executor.allowed_stragglers = 1;
    f.add(0, &good).unwrap();
    f.add(2, &good).unwrap();
    assert!(matches!(f.pool.try_finalize(5, 10, true, true), Outcome::Finalized(_)));
}

#[test]
fn another_worker_may_report_the_proposer_before_anyone_commits() {
    let mut f = fixture();
    let current = f.current.header.clone();
    let keys: Vec<PublicKey> = f.signers.iter().map(|s| s.public_key()).collect();
    assert_eq!(f.pool.check_proposer_timeout(&current, &keys[1], 0), Ok(()));
    assert_eq!(f.pool.check_proposer_timeout(&current, &keys[1], 1), Err(ERR_TIMEOUT_NOT_CORRECT_ROUND));
    assert_eq!(f.pool.check_proposer_timeout(&current, &keys[0], 0), Err(ERR_NODE_IS_SCHEDULER));
    assert_eq!(f.pool.check_proposer_timeout(&current, &keys[3], 0), Err(ERR_NOT_IN_COMMITTEE));
    let body = f.body(b"state");
    f.add(1, &body).unwrap();
    assert_eq!(f.pool.check_proposer_timeout(&current, &keys[1], 0), Err(ERR_ALREADY_COMMITTED));
}

#[test]
fn a_pool_is_stored_and_read_back_with_its_commitments_open() {
    let mut f = fixture();
    let body = f.body(b"state");
    f.add(0, &body).unwrap();
    let read: Pool = cbor::from_slice(&cbor::to_vec(&f.pool)).unwrap();
    assert_eq!(read, f.pool);
    assert_eq!(read.execute_commitments.values().next().unwrap().body, body);
    f.pool.reset_commitments(7);
    assert_eq!((f.pool.round, &f.pool.execute_commitments), (7, &BTreeMap::new()));
    assert_eq!(Block::empty(&f.current, 1, HeaderType::ROUND_FAILED).header.round, 1);
}
