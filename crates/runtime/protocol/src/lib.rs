//! Runtime Host Protocol: what a node and a runtime say to each other.
//!
//! The version is [`oasis_primitives::version::RUNTIME_HOST_PROTOCOL`]. Nothing here reads a clock, a socket or a disk.
//!
//! Source: go/runtime/host/protocol/types.go.

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::arithmetic_side_effects)
)]

mod body;
mod host;
mod runtime;

pub use body::{Body, Empty, Error, Message, MessageType};
pub use host::{
    HostFetchConsensusBlockRequest, HostFetchConsensusBlockResponse, HostFetchTxBatchRequest, HostFetchTxBatchResponse,
    HostLocalStorageGetRequest, HostLocalStorageGetResponse, HostLocalStorageSetRequest, HostRpcCallRequest, HostRpcCallResponse,
    HostStorageEndpoint, HostStorageSyncRequest, HostStorageSyncResponse,
};
pub use runtime::{
    CheckTxMetadata, CheckTxResult, ComputedBatch, ExecutionMode, FeatureScheduleControl, Features, LightBlock, RawBatch,
    RuntimeCapabilityTeeRakAvrRequest, RuntimeCapabilityTeeRakInitRequest, RuntimeCapabilityTeeRakReportResponse,
    RuntimeCheckTxBatchRequest, RuntimeCheckTxBatchResponse, RuntimeConsensusSyncRequest, RuntimeExecuteTxBatchRequest,
    RuntimeExecuteTxBatchResponse, RuntimeInfoRequest, RuntimeInfoResponse, RuntimeKeyManagerPolicyUpdateRequest,
    RuntimeLocalRpcCallRequest, RuntimeLocalRpcCallResponse, RuntimeQueryRequest, RuntimeQueryResponse, RuntimeRpcCallRequest,
    RuntimeRpcCallResponse, WeightLimits,
};

/// The query by which a node learns the weight limits of a runtime's batches.
///
/// Source: go/runtime/host/protocol/types.go, `MethodQueryBatchWeightLimits`.
pub const METHOD_QUERY_BATCH_WEIGHT_LIMITS: &str = "internal.BatchWeightLimits";
