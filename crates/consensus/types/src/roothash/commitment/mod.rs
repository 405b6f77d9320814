//! What executors sign: their results, and the proposed batches.
//!
//! Source: go/roothash/api/commitment.

mod batch;
mod body;
mod executor;
mod pool;

pub use batch::{PROPOSED_BATCH_CONTEXT, ProposedBatch, SignedProposedBatch};
pub use body::{COMPUTE_RESULTS_HEADER_CONTEXT, ComputeBody, ComputeResultsHeader, ExecutorCommitmentFailure};
pub use executor::{EXECUTOR_COMMITMENT_CONTEXT, ExecutorCommitment, OpenExecutorCommitment};
pub use pool::{CommitmentChecks, Outcome, Pool, TIMEOUT_NEVER};

use crate::errors::Code;

const MODULE: &str = "roothash/commitment";

/// The pool has no runtime.
pub const ERR_NO_RUNTIME: Code = Code::new(MODULE, 1, "roothash/commitment: no runtime configured");
/// The pool has no committee.
pub const ERR_NO_COMMITTEE: Code = Code::new(MODULE, 2, "roothash/commitment: no committee configured");
/// The committee is not of executors.
pub const ERR_INVALID_COMMITTEE_KIND: Code = Code::new(MODULE, 3, "roothash/commitment: invalid committee kind");
/// The enclave's signature of the results is invalid.
pub const ERR_RAK_SIG_INVALID: Code = Code::new(MODULE, 4, "roothash/commitment: batch RAK signature invalid");
/// The node is not a member of the committee.
pub const ERR_NOT_IN_COMMITTEE: Code = Code::new(MODULE, 5, "roothash/commitment: node not part of committee");
/// The node has committed in this round.
pub const ERR_ALREADY_COMMITTED: Code = Code::new(MODULE, 6, "roothash/commitment: node already sent commitment");
/// The commitment does not follow the current block.
pub const ERR_NOT_BASED_ON_CORRECT_BLOCK: Code =
    Code::new(MODULE, 7, "roothash/commitment: submitted commitment is not based on correct block");
/// The commitments differ.
pub const ERR_DISCREPANCY_DETECTED: Code = Code::new(MODULE, 8, "roothash/commitment: discrepancy detected");
/// Commitments are missing.
pub const ERR_STILL_WAITING: Code = Code::new(MODULE, 9, "roothash/commitment: still waiting for commits");
/// The backup workers did not agree.
pub const ERR_INSUFFICIENT_VOTES: Code =
    Code::new(MODULE, 10, "roothash/commitment: insufficient votes to finalize discrepancy resolution round");
/// The commitment is malformed.
pub const ERR_BAD_EXECUTOR_COMMITMENT: Code = Code::new(MODULE, 11, "roothash/commitment: bad executor commitment");
/// The proposer's signature of the batch is invalid.
pub const ERR_TXN_SCHED_SIG_INVALID: Code = Code::new(MODULE, 12, "roothash/commitment: txn scheduler signature invalid");
/// The messages are not the proposer's, too many, or not those of the hash.
pub const ERR_INVALID_MESSAGES: Code = Code::new(MODULE, 13, "roothash/commitment: invalid messages");
/// Storage receipts are missing.
pub const ERR_BAD_STORAGE_RECEIPTS: Code = Code::new(MODULE, 14, "roothash/commitment: bad storage receipts");
/// The timeout is for another round.
pub const ERR_TIMEOUT_NOT_CORRECT_ROUND: Code = Code::new(MODULE, 15, "roothash/commitment: timeout not for correct round");
/// The proposer may not report its own timeout.
pub const ERR_NODE_IS_SCHEDULER: Code = Code::new(MODULE, 16, "roothash/commitment: node is scheduler");
/// Most backup workers report a failure.
pub const ERR_MAJORITY_FAILURE: Code = Code::new(MODULE, 17, "roothash/commitment: majority commitments indicated failure");
/// The pool is of another round.
pub const ERR_INVALID_ROUND: Code = Code::new(MODULE, 18, "roothash/commitment: invalid round");
/// The proposer has not committed.
pub const ERR_NO_PROPOSER_COMMITMENT: Code = Code::new(MODULE, 19, "roothash/commitment: no proposer commitment");
/// The proposer's commitment is not the backup workers'.
pub const ERR_BAD_PROPOSER_COMMITMENT: Code = Code::new(MODULE, 20, "roothash/commitment: bad proposer commitment");

#[cfg(test)]
mod tests;
