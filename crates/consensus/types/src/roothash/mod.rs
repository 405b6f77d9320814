//! Runtimes' blocks and what leads to them.
//!
//! Source: go/roothash/api.

pub mod block;
pub mod commitment;
pub mod events;
pub mod evidence;
mod genesis;
pub mod message;
pub mod receipt;

pub use block::{AnnotatedBlock, Block, Header, HeaderType, Timestamp};
pub use events::*;
pub use evidence::{EquivocationBatchEvidence, EquivocationExecutorEvidence, Evidence};
pub use genesis::{ConsensusParameters, Genesis, GenesisRuntimeState, RuntimeState};
pub use message::{Message, RegistryMessage, StakingMessage, messages_hash};

use oasis_primitives::{
    cbor::{Cbor, NilVec},
    json::Json,
    namespace::Namespace,
};

use crate::{errors::Code, transaction::Gas};

/// The module's name.
pub const MODULE_NAME: &str = "roothash";
/// The round that is none.
pub const ROUND_INVALID: u64 = u64::MAX;

/// An argument is malformed.
pub const ERR_INVALID_ARGUMENT: Code = Code::new(MODULE_NAME, 1, "roothash: invalid argument");
/// There is no such block.
pub const ERR_NOT_FOUND: Code = Code::new(MODULE_NAME, 2, "roothash: block not found");
/// There is no such runtime.
pub const ERR_INVALID_RUNTIME: Code = Code::new(MODULE_NAME, 3, "roothash: invalid runtime");
/// The runtime has no committee.
pub const ERR_NO_EXECUTOR_POOL: Code = Code::new(MODULE_NAME, 4, "roothash: no executor pool");
/// The runtime is suspended.
pub const ERR_RUNTIME_SUSPENDED: Code = Code::new(MODULE_NAME, 5, "roothash: runtime is suspended");
/// The proposer still has time.
pub const ERR_PROPOSER_TIMEOUT_NOT_ALLOWED: Code = Code::new(MODULE_NAME, 6, "roothash: proposer timeout not allowed");
/// The runtime asks for more messages a round than are allowed.
pub const ERR_MAX_MESSAGES_TOO_BIG: Code = Code::new(MODULE_NAME, 7, "roothash: max runtime messages is too big");
/// The runtime does not slash.
pub const ERR_RUNTIME_DOES_NOT_SLASH: Code = Code::new(MODULE_NAME, 8, "roothash: runtime does not slash");
/// The evidence was submitted before.
pub const ERR_DUPLICATE_EVIDENCE: Code = Code::new(MODULE_NAME, 9, "roothash: duplicate evidence");
/// The evidence is invalid.
pub const ERR_INVALID_EVIDENCE: Code = Code::new(MODULE_NAME, 10, "roothash: invalid evidence");

/// Method: executors commit.
pub const METHOD_EXECUTOR_COMMIT: &str = "roothash.ExecutorCommit";
/// Method: an executor reports that the proposer does nothing.
pub const METHOD_EXECUTOR_PROPOSER_TIMEOUT: &str = "roothash.ExecutorProposerTimeout";
/// Method: evidence against a node.
pub const METHOD_EVIDENCE: &str = "roothash.Evidence";
/// All methods.
pub const METHODS: [&str; 3] = [METHOD_EXECUTOR_COMMIT, METHOD_EXECUTOR_PROPOSER_TIMEOUT, METHOD_EVIDENCE];

/// Gas of commits.
pub const GAS_OP_COMPUTE_COMMIT: &str = "compute_commit";
/// Gas of a proposer's timeout.
pub const GAS_OP_PROPOSER_TIMEOUT: &str = "proposer_timeout";
/// Gas of evidence.
pub const GAS_OP_EVIDENCE: &str = "evidence";
/// Default gas of each operation.
pub const DEFAULT_GAS_COSTS: [(&str, Gas); 3] = [(GAS_OP_COMPUTE_COMMIT, 1000), (GAS_OP_PROPOSER_TIMEOUT, 1000), (GAS_OP_EVIDENCE, 1000)];

/// The arguments of executors' commits.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct ExecutorCommit {
    /// The runtime.
    pub id: Namespace,
    /// The commitments, of any members of the committee.
    pub commits: NilVec<commitment::ExecutorCommitment>,
}

/// The arguments of a proposer's timeout.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct ExecutorProposerTimeoutRequest {
    /// The runtime.
    pub id: Namespace,
    /// The round of the current block.
    pub round: u64,
}

/// The arguments of queries about a runtime.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct RuntimeRequest {
    /// The runtime.
    pub runtime_id: Namespace,
    /// The height of the state to look at; 0 is the latest.
    pub height: i64,
}

#[cfg(test)]
mod tests;
