//! Bodies of requests that a node makes of a runtime.
//!
//! Source: go/runtime/host/protocol/types.go.

use std::collections::BTreeMap;

use oasis_consensus_types::roothash::{Block, Header, Message, RoundResults, commitment::ComputeResultsHeader};
use oasis_mkvs::LogEntry;
use oasis_primitives::{
    cbor::{Cbor, NilMap, NilVec, Value},
    hash::Hash,
    namespace::Namespace,
    sgx::AvrBundle,
    signature::{PublicKey, RawSignature},
    version::Version,
};

use super::Error;

/// Transactions, whose format is the runtime's.
///
/// Source: go/runtime/transaction/batch.go, `RawBatch`.
pub type RawBatch = NilVec<NilVec<u8>>;

/// The most weight of each kind that a batch may have.
///
/// Source: go/runtime/transaction/transaction.go, `Weight`.
pub type WeightLimits = NilMap<String, u64>;

/// A consensus block for light clients.
///
/// Source: go/consensus/api/light.go, `LightBlock`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor)]
pub struct LightBlock {
    /// The height.
    pub height: i64,
    /// The consensus engine's light block, encoded.
    pub meta: NilVec<u8>,
}

/// What a runtime is to be.
#[derive(Clone, Debug, Default, PartialEq, Cbor)]
pub struct RuntimeInfoRequest {
    /// The runtime's identifier.
    pub runtime_id: Namespace,
    /// Name of the consensus engine.
    pub consensus_backend: String,
    /// The consensus layer's version.
    pub consensus_protocol_version: Version,
    /// The network's chain context.
    pub consensus_chain_context: String,
    /// What the operator configured for the runtime; differs from node to node.
    #[cbor(omitempty)]
    pub local_config: BTreeMap<String, Value>,
}

/// A runtime that chooses transactions itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Cbor)]
pub struct FeatureScheduleControl {
    /// How many transactions it wants at first.
    pub initial_batch_size: u32,
}

/// What a runtime can do beyond what every one can.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Cbor)]
pub struct Features {
    /// It chooses transactions itself.
    #[cbor(omitempty)]
    pub schedule_control: Option<FeatureScheduleControl>,
}

/// What a runtime is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Cbor)]
pub struct RuntimeInfoResponse {
    /// The version of this protocol that it speaks.
    pub protocol_version: Version,
    /// Its own version.
    pub runtime_version: Version,
    /// What else it can do.
    #[cbor(omitempty)]
    pub features: Option<Features>,
}

/// Starts the making of an attestation key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor)]
pub struct RuntimeCapabilityTeeRakInitRequest {
    /// The quoting enclave's target information.
    pub target_info: NilVec<u8>,
}

/// A report of the attestation key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor)]
pub struct RuntimeCapabilityTeeRakReportResponse {
    /// The attestation key.
    pub rak_pub: PublicKey,
    /// The enclave's report.
    pub report: NilVec<u8>,
    /// The nonce for the attestation service.
    pub nonce: String,
}

/// The attestation of the key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor)]
pub struct RuntimeCapabilityTeeRakAvrRequest {
    /// The attestation service's report.
    pub avr: AvrBundle,
}

/// A call from outside.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor)]
pub struct RuntimeRpcCallRequest {
    /// The call, encoded.
    pub request: NilVec<u8>,
}

/// The result of a call from outside.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor)]
pub struct RuntimeRpcCallResponse {
    /// The result, encoded.
    pub response: NilVec<u8>,
}

/// A call from the node itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor)]
pub struct RuntimeLocalRpcCallRequest {
    /// The call, encoded.
    pub request: NilVec<u8>,
}

/// The result of a call from the node itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor)]
pub struct RuntimeLocalRpcCallResponse {
    /// The result, encoded.
    pub response: NilVec<u8>,
}

/// Transactions that may be queued or not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor)]
pub struct RuntimeCheckTxBatchRequest {
    /// The consensus block of the last round.
    pub consensus_block: LightBlock,
    /// The transactions.
    pub inputs: RawBatch,
    /// The runtime's block of the last round.
    pub block: Block,
    /// The epoch.
    pub epoch: u64,
    /// The most messages that a round may emit.
    pub max_messages: u32,
}

/// What a scheduler needs to know of a transaction.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor)]
pub struct CheckTxMetadata {
    /// Its priority: higher ones first.
    #[cbor(omitempty)]
    pub priority: u64,
    /// Its weights.
    #[cbor(omitempty)]
    pub weights: BTreeMap<String, u64>,
}

/// Whether a transaction may be queued.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor)]
pub struct CheckTxResult {
    /// Why not; with code 0 it may.
    pub error: Error,
    /// About the transaction.
    #[cbor(omitempty)]
    pub meta: Option<CheckTxMetadata>,
}

impl CheckTxResult {
    /// Whether the transaction may be queued.
    ///
    /// Source: go/runtime/host/protocol/types.go, `CheckTxResult.IsSuccess`.
    pub fn is_success(&self) -> bool {
        self.error.code == 0
    }
}

/// Which transactions may be queued.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor)]
pub struct RuntimeCheckTxBatchResponse {
    /// In the order of the transactions.
    pub results: NilVec<CheckTxResult>,
}

/// What came of a batch.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor)]
pub struct ComputedBatch {
    /// The header that the committee commits to.
    pub header: ComputeResultsHeader,
    /// Makes the tree of inputs and outputs.
    pub io_write_log: NilVec<LogEntry>,
    /// Changes the runtime's state.
    pub state_write_log: NilVec<LogEntry>,
    /// The attestation key's signature of the header, for a runtime in an enclave.
    pub rak_sig: RawSignature,
    /// Messages to the consensus layer.
    pub messages: NilVec<Message>,
}

/// Who chooses the transactions of a batch.
///
/// Source: go/runtime/host/protocol/types.go, `ExecutionMode`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Cbor)]
#[cbor(transparent)]
pub struct ExecutionMode(pub u8);

impl ExecutionMode {
    /// The batch is executed as it is.
    pub const EXECUTE: Self = Self(0);
    /// The runtime chooses.
    pub const SCHEDULE: Self = Self(1);
}

/// A batch to execute.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor)]
pub struct RuntimeExecuteTxBatchRequest {
    /// Who chooses the transactions.
    #[cbor(omitempty)]
    pub mode: ExecutionMode,
    /// The consensus block of the last round.
    pub consensus_block: LightBlock,
    /// What came of the messages of the last successful round.
    pub round_results: Option<RoundResults>,
    /// Root hash of the tree of inputs.
    pub io_root: Hash,
    /// The transactions.
    pub inputs: RawBatch,
    /// The runtime's block of the last round.
    pub block: Block,
    /// The epoch.
    pub epoch: u64,
    /// The most messages that the round may emit.
    pub max_messages: u32,
}

/// What came of a batch.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor)]
pub struct RuntimeExecuteTxBatchResponse {
    /// What came of it.
    pub batch: ComputedBatch,
    /// The runtime's limits from now on.
    pub batch_weight_limits: WeightLimits,
    /// Hashes of the transactions that were executed.
    #[cbor(omitempty)]
    pub tx_hashes: Vec<Hash>,
    /// Hashes of transactions that are not valid and never will be.
    #[cbor(omitempty)]
    pub tx_reject_hashes: Vec<Hash>,
    /// Root hash of the tree of inputs.
    #[cbor(omitempty)]
    pub tx_input_root: Hash,
    /// Makes the tree of inputs.
    #[cbor(omitempty)]
    pub tx_input_write_log: Vec<LogEntry>,
}

/// A key manager's policy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor)]
pub struct RuntimeKeyManagerPolicyUpdateRequest {
    /// The signed policy, encoded.
    pub signed_policy_raw: NilVec<u8>,
}

/// A query of the runtime's state.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor)]
pub struct RuntimeQueryRequest {
    /// The consensus block of the round.
    pub consensus_block: LightBlock,
    /// The round's header.
    pub header: Header,
    /// The epoch.
    pub epoch: u64,
    /// The most messages that a round may emit.
    pub max_messages: u32,
    /// The query's name.
    pub method: String,
    /// Its arguments, encoded.
    #[cbor(omitempty)]
    pub args: Vec<u8>,
}

/// The result of a query.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor)]
pub struct RuntimeQueryResponse {
    /// The result, encoded.
    #[cbor(omitempty)]
    pub data: Vec<u8>,
}

/// Asks to follow the consensus layer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Cbor)]
pub struct RuntimeConsensusSyncRequest {
    /// To this height.
    pub height: u64,
}
