//! What the root hash app reports.
//!
//! Source: go/roothash/api/{api,results}.go.

use oasis_primitives::{
    cbor::{Cbor, OrNil},
    hash::Hash,
    json::Json,
    namespace::Namespace,
    signature::PublicKey,
};

use super::commitment::ExecutorCommitment;

/// An executor committed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct ExecutorCommittedEvent {
    /// The commitment.
    pub commit: ExecutorCommitment,
}

/// The executors differ, or some are missing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct ExecutionDiscrepancyDetectedEvent {
    /// Whether a timeout showed it.
    pub timeout: bool,
}

/// A round ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct FinalizedEvent {
    /// The round.
    pub round: u64,
    /// Nodes that computed the round's results.
    #[cbor(omitempty)]
    pub good_compute_nodes: Vec<PublicKey>,
    /// Nodes that computed other results.
    #[cbor(omitempty)]
    pub bad_compute_nodes: Vec<PublicKey>,
}

/// A runtime's message was executed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct MessageEvent {
    /// Module of the error; empty on success.
    #[cbor(omitempty)]
    pub module: String,
    /// Code of the error; 0 on success.
    #[cbor(omitempty)]
    pub code: u32,
    /// Place of the message in its round.
    #[cbor(omitempty)]
    pub index: u32,
}

impl MessageEvent {
    /// Whether the message was executed without an error.
    pub fn is_success(&self) -> bool {
        self.code == 0
    }
}

/// An event with its place; one of the optional fields is set.
///
/// Source: go/roothash/api/api.go, `Event`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct Event {
    /// Height of the block.
    #[cbor(omitempty)]
    pub height: i64,
    /// The transaction; the hash of nothing outside of one.
    pub tx_hash: Hash,
    /// The runtime.
    pub runtime_id: Namespace,
    /// An executor committed.
    #[cbor(omitempty)]
    pub executor_committed: Option<ExecutorCommittedEvent>,
    /// The executors differ.
    #[cbor(omitempty, rename = "execution_discrepancy")]
    pub execution_discrepancy_detected: Option<ExecutionDiscrepancyDetectedEvent>,
    /// A round ended.
    #[cbor(omitempty)]
    pub finalized: Option<FinalizedEvent>,
    /// A message was executed.
    #[cbor(omitempty)]
    pub message: Option<MessageEvent>,
}

/// What the consensus layer did with a round.
///
/// Source: go/roothash/api/results.go, `RoundResults`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct RoundResults {
    /// Results of the messages.
    #[cbor(omitempty)]
    pub messages: Vec<OrNil<MessageEvent>>,
    /// Entities of nodes that computed the round's results.
    #[cbor(omitempty)]
    pub good_compute_entities: Vec<PublicKey>,
    /// Entities of nodes that computed other results.
    #[cbor(omitempty)]
    pub bad_compute_entities: Vec<PublicKey>,
}
