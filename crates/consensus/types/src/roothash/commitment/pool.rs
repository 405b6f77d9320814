//! The commitments of a round, and what follows from them.
//!
//! Source: go/roothash/api/commitment/pool.go.

use std::collections::BTreeMap;

use oasis_primitives::{
    cbor::{self, Cbor},
    hash::Hash,
    json::Json,
    namespace::Namespace,
    signature::{PublicKey, Signature, SignatureRules},
};

use super::*;
use crate::{
    errors::{Code, CodedError},
    registry::Runtime,
    roothash::{
        block::Header,
        message::{Message, messages_hash},
        receipt::RECEIPT_CONTEXT,
    },
    scheduler::{Committee, CommitteeKind, Role},
};

/// The height at which nothing times out.
pub const TIMEOUT_NEVER: i64 = 0;

/// What a pool cannot check alone.
pub trait CommitmentChecks {
    /// The error of a check.
    type Error: From<CodedError>;

    /// Which signatures count.
    fn rules(&self) -> &SignatureRules;

    /// Checks that the signers are members of the runtime's committee of a kind.
    ///
    /// Source: go/roothash/api/commitment/pool.go, `SignatureVerifier.VerifyCommitteeSignatures`.
    fn verify_committee_signatures(&mut self, kind: CommitteeKind, signatures: &[Signature]) -> Result<(), Self::Error>;

    /// Checks that the signer proposes the batch after the block of `round`.
    ///
    /// Source: go/roothash/api/commitment/pool.go, `SignatureVerifier.VerifyTxnSchedulerSigner`.
    fn verify_txn_scheduler_signer(&mut self, signature: &Signature, round: u64) -> Result<(), Self::Error>;

    /// The key of a node's enclave for a runtime, where the node has one.
    fn enclave_key(&mut self, node: &PublicKey, runtime_id: &Namespace) -> Result<Option<PublicKey>, Self::Error>;

    /// Checks the messages of the proposer, of which there is at least one, and accounts for their gas.
    ///
    /// Source: go/roothash/api/commitment/pool.go, `MessageValidator`.
    fn validate_messages(&mut self, messages: &[Message]) -> Result<(), Self::Error>;
}

/// What became of an attempt to finalize a round.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The round has results: the proposer's commitment.
    Finalized(Box<OpenExecutorCommitment>),
    /// More commitments are needed.
    StillWaiting,
    /// The commitments differ, or the time is over: the backup workers decide.
    DiscrepancyDetected,
    /// The round failed.
    Failed(Code),
}

/// The commitments of a round.
///
/// Source: go/roothash/api/commitment/pool.go, `Pool`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct Pool {
    /// The runtime's descriptor as of the committee's election.
    pub runtime: Option<Box<Runtime>>,
    /// The committee.
    pub committee: Option<Committee>,
    /// The round of the current block.
    pub round: u64,
    /// The commitments by node.
    #[cbor(omitempty)]
    pub execute_commitments: BTreeMap<PublicKey, OpenExecutorCommitment>,
    /// Whether the backup workers decide.
    pub discrepancy: bool,
    /// Height at the end of which to finalize whatever there is; [`TIMEOUT_NEVER`] for none.
    pub next_timeout: i64,
}

impl Pool {
    fn executor_committee(&self) -> Result<&Committee, Code> {
        let committee = self.committee.as_ref().ok_or(ERR_NO_COMMITTEE)?;
        if committee.kind == CommitteeKind::COMPUTE_EXECUTOR { Ok(committee) } else { Err(ERR_INVALID_COMMITTEE_KIND) }
    }

    /// Whether a node proposes the batch of this round.
    fn is_scheduler(&self, id: &PublicKey) -> bool {
        self.committee.as_ref().and_then(|c| c.transaction_scheduler(self.round)).is_some_and(|n| n.public_key == *id)
    }

    /// Forgets the commitments and begins a round.
    ///
    /// Source: go/roothash/api/commitment/pool.go, `Pool.ResetCommitments`.
    pub fn reset_commitments(&mut self, round: u64) {
        self.round = round;
        self.execute_commitments.clear();
        self.discrepancy = false;
        self.next_timeout = TIMEOUT_NEVER;
    }

    /// Checks a commitment to the results after the block with the header `current`, and adds it.
    ///
    /// Source: go/roothash/api/commitment/pool.go, `Pool.AddExecutorCommitment`, `addOpenExecutorCommitment`.
    pub fn add_executor_commitment<C: CommitmentChecks>(
        &mut self,
        current: &Header,
        checks: &mut C,
        commitment: &ExecutorCommitment,
    ) -> Result<(), C::Error> {
        let fail = |code: Code| C::Error::from(code.into());
        let runtime = self.runtime.as_deref().ok_or_else(|| fail(ERR_NO_RUNTIME))?;
        let open = commitment
            .open(checks.rules(), &runtime.id)
            .ok_or_else(|| CodedError::unknown("roothash/commitment: commitment has invalid signature"))?;

        let committee = self.executor_committee().map_err(fail)?;
        let id = open.commitment.0.signature.public_key;
        // Any member may commit at any time: a backup worker also before there is a discrepancy.
        if !committee.members.iter().any(|m| m.public_key == id) {
            return Err(fail(ERR_NOT_IN_COMMITTEE));
        }
        if self.execute_commitments.contains_key(&id) {
            return Err(fail(ERR_ALREADY_COMMITTED));
        }
        if self.round != current.round {
            return Err(fail(ERR_INVALID_ROUND));
        }
        let body = &open.body;
        if !body.header.follows(current) {
            return Err(fail(ERR_NOT_BASED_ON_CORRECT_BLOCK));
        }
        if let Err(reason) = body.validate_basic() {
            return Err(ERR_BAD_EXECUTOR_COMMITMENT.with(reason).into());
        }
        checks.verify_txn_scheduler_signer(&body.txn_sched_sig, current.round)?;
        if !body.verify_txn_sched_signature(checks.rules(), &runtime.id, current) {
            return Err(fail(ERR_TXN_SCHED_SIG_INVALID));
        }
        if !body.is_failure() {
            self.check_results(runtime, current, checks, &id, body)?;
        }
        self.execute_commitments.insert(id, open);
        Ok(())
    }

    /// Checks what only commitments with results have.
    fn check_results<C: CommitmentChecks>(
        &self,
        runtime: &Runtime,
        current: &Header,
        checks: &mut C,
        id: &PublicKey,
        body: &ComputeBody,
    ) -> Result<(), C::Error> {
        let fail = |code: Code| C::Error::from(code.into());
        if runtime.tee_hardware != Default::default() {
            let key = checks.enclave_key(id, &runtime.id)?.ok_or_else(|| fail(ERR_NOT_IN_COMMITTEE))?;
            let signature = body.rak_sig.unwrap_or_default();
            let header = cbor::to_vec(&body.header);
            if !checks.rules().verify(&COMPUTE_RESULTS_HEADER_CONTEXT, &key, &header, &signature) {
                return Err(fail(ERR_RAK_SIG_INVALID));
            }
        }

        if body.storage_signatures.len() < usize::from(runtime.storage.min_write_replication) {
            return Err(fail(ERR_BAD_STORAGE_RECEIPTS));
        }
        checks.verify_committee_signatures(CommitteeKind::STORAGE, &body.storage_signatures)?;
        let receipt = cbor::to_vec(&body.receipt_body(current.namespace));
        if !checks.rules().verify_many_to_one(&RECEIPT_CONTEXT, &receipt, &body.storage_signatures) {
            return Err(CodedError::unknown("signed: signature verification failed").into());
        }

        if !self.is_scheduler(id) {
            return if body.messages.is_empty() { Ok(()) } else { Err(fail(ERR_INVALID_MESSAGES)) };
        }
        if u32::try_from(body.messages.len()).map_or(true, |n| n > runtime.executor.max_messages) {
            return Err(fail(ERR_INVALID_MESSAGES));
        }
        if Some(messages_hash(&body.messages)) != body.header.messages_hash {
            return Err(fail(ERR_INVALID_MESSAGES));
        }
        if !body.messages.is_empty() {
            checks.validate_messages(&body.messages)?;
        }
        Ok(())
    }

    /// The proposer's commitment, if there is one.
    ///
    /// Source: go/roothash/api/commitment/pool.go, `Pool.getProposerCommitment`.
    fn proposer_commitment(&self, committee: &Committee) -> Result<Option<&OpenExecutorCommitment>, Code> {
        let proposer = committee.transaction_scheduler(self.round).ok_or(ERR_NO_COMMITTEE)?;
        Ok(self.execute_commitments.get(&proposer.public_key))
    }

    /// Looks at the commitments once: detects a discrepancy, or resolves one.
    ///
    /// Source: go/roothash/api/commitment/pool.go, `Pool.ProcessCommitments`.
    pub fn process_commitments(&mut self, did_timeout: bool) -> Outcome {
        let outcome = match self.judge(did_timeout) {
            Ok(outcome) => outcome,
            Err(code) => Outcome::Failed(code),
        };
        if outcome == Outcome::DiscrepancyDetected {
            self.discrepancy = true;
        }
        outcome
    }

    fn judge(&self, did_timeout: bool) -> Result<Outcome, Code> {
        let committee = self.executor_committee()?;
        let proposer = self.proposer_commitment(committee)?;
        let role = if self.discrepancy { Role::BACKUP_WORKER } else { Role::WORKER };

        let (mut commits, mut required, mut failures) = (0i64, 0i64, 0i64);
        let mut votes: BTreeMap<Hash, (&OpenExecutorCommitment, i64)> = BTreeMap::new();
        for member in committee.members.iter().filter(|m| m.role == role) {
            required = required.saturating_add(1);
            let Some(commit) = self.execute_commitments.get(&member.public_key) else { continue };
            commits = commits.saturating_add(1);
            if !self.discrepancy {
                // Detection: one difference from the proposer is enough.
                if proposer.is_some_and(|p| commit.is_failure() || !p.mostly_equal(commit)) {
                    return Ok(Outcome::DiscrepancyDetected);
                }
            } else if commit.is_failure() {
                failures = failures.saturating_add(1);
            } else {
                let vote = votes.entry(commit.header.encoded_hash()).or_insert((commit, 0));
                vote.1 = vote.1.saturating_add(1);
            }
        }

        if self.discrepancy {
            // Resolution: a majority of all backup workers decides, whether or not the others have committed.
            let majority = required.div_euclid(2).saturating_add(1);
            if failures >= majority {
                return Err(ERR_MAJORITY_FAILURE);
            }
            if let Some((winner, _)) = votes.values().find(|(_, tally)| *tally >= majority) {
                // The proposer's commitment is the one with the messages.
                let proposer = proposer.ok_or(ERR_NO_PROPOSER_COMMITMENT)?;
                if !proposer.mostly_equal(winner) {
                    return Err(ERR_BAD_PROPOSER_COMMITMENT);
                }
                return Ok(Outcome::Finalized(Box::new(proposer.clone())));
            }
        }

        if did_timeout {
            if self.discrepancy {
                return Err(ERR_INSUFFICIENT_VOTES);
            }
            // Only after the timeout some may be missing, but never the proposer.
            let stragglers = self.runtime.as_ref().map_or(0, |r| i64::from(r.executor.allowed_stragglers));
            required = required.saturating_sub(stragglers);
            if proposer.is_none() {
                return Err(ERR_NO_PROPOSER_COMMITMENT);
            }
        }
        if commits < required {
            return Ok(Outcome::StillWaiting);
        }
        if self.discrepancy {
            return Err(ERR_INSUFFICIENT_VOTES);
        }
        proposer.map(|p| Outcome::Finalized(Box::new(p.clone()))).ok_or(ERR_NO_PROPOSER_COMMITMENT)
    }

    /// Tries to finalize the round, and sets when to try again.
    ///
    /// `height` is the last committed height, `round_timeout` a number of blocks. Where the timeout is not authoritative, a
    /// timeout does not by itself give the round to the backup workers.
    ///
    /// Source: go/roothash/api/commitment/pool.go, `Pool.TryFinalize`.
    pub fn try_finalize(&mut self, height: i64, mut round_timeout: i64, did_timeout: bool, authoritative: bool) -> Outcome {
        let mut outcome = self.process_commitments(did_timeout);
        let rearm = match outcome {
            Outcome::StillWaiting if did_timeout => {
                outcome = Outcome::DiscrepancyDetected;
                if authoritative {
                    self.discrepancy = true;
                    // Backup workers start later: half as much time again.
                    round_timeout = round_timeout.wrapping_mul(15).checked_div(10).unwrap_or_default();
                }
                authoritative
            }
            Outcome::StillWaiting | Outcome::DiscrepancyDetected => true,
            Outcome::Finalized(_) | Outcome::Failed(_) => false,
        };
        self.next_timeout = if rearm { height.wrapping_add(round_timeout) } else { TIMEOUT_NEVER };
        outcome
    }

    /// Checks that a node may end the round because the proposer does nothing.
    ///
    /// Source: go/roothash/api/commitment/pool.go, `Pool.CheckProposerTimeout`.
    pub fn check_proposer_timeout(&self, current: &Header, id: &PublicKey, round: u64) -> Result<(), Code> {
        let committee = self.executor_committee()?;
        if round != current.round {
            return Err(ERR_TIMEOUT_NOT_CORRECT_ROUND);
        }
        if !self.execute_commitments.is_empty() {
            return Err(ERR_ALREADY_COMMITTED);
        }
        if !committee.workers().any(|m| m.public_key == *id) {
            return Err(ERR_NOT_IN_COMMITTEE);
        }
        if self.is_scheduler(id) {
            return Err(ERR_NODE_IS_SCHEDULER);
        }
        Ok(())
    }

    /// Whether it is time to finalize whatever there is.
    pub fn is_timeout(&self, height: i64) -> bool {
        self.next_timeout != TIMEOUT_NEVER && height >= self.next_timeout
    }
}
