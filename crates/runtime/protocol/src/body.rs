//! Messages: an identifier, a direction and one of many bodies.
//!
//! Source: go/runtime/host/protocol/types.go, `Message`, `Body`.

use std::fmt;

use oasis_primitives::cbor::Cbor;

use super::{host::*, runtime::*};

/// Whether a message asks or answers.
///
/// Source: go/runtime/host/protocol/types.go, `MessageType`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Cbor)]
#[cbor(transparent)]
pub struct MessageType(pub u8);

impl MessageType {
    /// Never sent.
    pub const INVALID: Self = Self(0);
    /// Asks.
    pub const REQUEST: Self = Self(1);
    /// Answers.
    pub const RESPONSE: Self = Self(2);
}

/// A message.
#[derive(Clone, Debug, Default, PartialEq, Cbor)]
pub struct Message {
    /// Names a request and its response, among those of one direction.
    pub id: u64,
    /// Whether this asks or answers.
    pub message_type: MessageType,
    /// What it says.
    pub body: Body,
}

/// A body without fields.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Cbor)]
pub struct Empty {}

/// A request's failure.
///
/// Source: go/runtime/host/protocol/types.go, `Error`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor)]
pub struct Error {
    /// The module that defines the error.
    #[cbor(omitempty)]
    pub module: String,
    /// Its code in the module; 0 where there is no error.
    #[cbor(omitempty)]
    pub code: u32,
    /// What happened, for people.
    #[cbor(omitempty)]
    pub message: String,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "runtime error: module: {} code: {} message: {}", self.module, self.code, self.message)
    }
}

impl std::error::Error for Error {}

/// Declares the bodies under their names on the wire.
macro_rules! bodies {
    ($($(#[$doc:meta])* $field:ident = $key:literal: $type:ty,)*) => {
        /// What a message says: one of the fields; where several are set, the first counts.
        #[derive(Clone, Debug, Default, PartialEq, Cbor)]
        pub struct Body {
            $(
                $(#[$doc])*
                #[cbor(rename = $key, omitempty)]
                pub $field: Option<Box<$type>>,
            )*
        }

        impl Body {
            /// The name of the first field that is set, if any.
            ///
            /// Source: go/runtime/host/protocol/types.go, `Body.Type`.
            pub fn kind(&self) -> Option<&'static str> {
                $(
                    if self.$field.is_some() {
                        return Some($key);
                    }
                )*
                None
            }
        }
    };
}

bodies! {
    /// Nothing.
    empty = "Empty": Empty,
    /// A failure.
    error = "Error": Error,

    /// Asks a runtime what it is.
    runtime_info_request = "RuntimeInfoRequest": RuntimeInfoRequest,
    /// What it is.
    runtime_info_response = "RuntimeInfoResponse": RuntimeInfoResponse,
    /// Asks whether the runtime lives.
    runtime_ping_request = "RuntimePingRequest": Empty,
    /// Asks the runtime to end.
    runtime_shutdown_request = "RuntimeShutdownRequest": Empty,
    /// Starts the making of an attestation key.
    runtime_capability_tee_rak_init_request = "RuntimeCapabilityTEERakInitRequest": RuntimeCapabilityTeeRakInitRequest,
    /// It was started.
    runtime_capability_tee_rak_init_response = "RuntimeCapabilityTEERakInitResponse": Empty,
    /// Asks for a report of the attestation key.
    runtime_capability_tee_rak_report_request = "RuntimeCapabilityTEERakReportRequest": Empty,
    /// The report.
    runtime_capability_tee_rak_report_response = "RuntimeCapabilityTEERakReportResponse": RuntimeCapabilityTeeRakReportResponse,
    /// Hands the attestation to the runtime.
    runtime_capability_tee_rak_avr_request = "RuntimeCapabilityTEERakAvrRequest": RuntimeCapabilityTeeRakAvrRequest,
    /// It was taken.
    runtime_capability_tee_rak_avr_response = "RuntimeCapabilityTEERakAvrResponse": Empty,
    /// A call from outside, encrypted for the enclave.
    runtime_rpc_call_request = "RuntimeRPCCallRequest": RuntimeRpcCallRequest,
    /// Its result.
    runtime_rpc_call_response = "RuntimeRPCCallResponse": RuntimeRpcCallResponse,
    /// A call from the node itself.
    runtime_local_rpc_call_request = "RuntimeLocalRPCCallRequest": RuntimeLocalRpcCallRequest,
    /// Its result.
    runtime_local_rpc_call_response = "RuntimeLocalRPCCallResponse": RuntimeLocalRpcCallResponse,
    /// Asks whether transactions may be queued.
    runtime_check_tx_batch_request = "RuntimeCheckTxBatchRequest": RuntimeCheckTxBatchRequest,
    /// Whether they may.
    runtime_check_tx_batch_response = "RuntimeCheckTxBatchResponse": RuntimeCheckTxBatchResponse,
    /// Asks to execute a batch.
    runtime_execute_tx_batch_request = "RuntimeExecuteTxBatchRequest": RuntimeExecuteTxBatchRequest,
    /// What came of it.
    runtime_execute_tx_batch_response = "RuntimeExecuteTxBatchResponse": RuntimeExecuteTxBatchResponse,
    /// Asks to stop a batch.
    runtime_abort_request = "RuntimeAbortRequest": Empty,
    /// It was stopped.
    runtime_abort_response = "RuntimeAbortResponse": Empty,
    /// A key manager's new policy.
    runtime_key_manager_policy_update_request = "RuntimeKeyManagerPolicyUpdateRequest": RuntimeKeyManagerPolicyUpdateRequest,
    /// It was taken.
    runtime_key_manager_policy_update_response = "RuntimeKeyManagerPolicyUpdateResponse": Empty,
    /// A query of the runtime's state.
    runtime_query_request = "RuntimeQueryRequest": RuntimeQueryRequest,
    /// Its result.
    runtime_query_response = "RuntimeQueryResponse": RuntimeQueryResponse,
    /// Asks the runtime to follow the consensus layer to a height.
    runtime_consensus_sync_request = "RuntimeConsensusSyncRequest": RuntimeConsensusSyncRequest,
    /// It did.
    runtime_consensus_sync_response = "RuntimeConsensusSyncResponse": Empty,

    /// Asks the node to call a key manager.
    host_rpc_call_request = "HostRPCCallRequest": HostRpcCallRequest,
    /// The result.
    host_rpc_call_response = "HostRPCCallResponse": HostRpcCallResponse,
    /// Asks the node for a part of a tree.
    host_storage_sync_request = "HostStorageSyncRequest": HostStorageSyncRequest,
    /// The part, with a proof.
    host_storage_sync_response = "HostStorageSyncResponse": HostStorageSyncResponse,
    /// Reads the runtime's local storage.
    host_local_storage_get_request = "HostLocalStorageGetRequest": HostLocalStorageGetRequest,
    /// What was read.
    host_local_storage_get_response = "HostLocalStorageGetResponse": HostLocalStorageGetResponse,
    /// Writes to the runtime's local storage.
    host_local_storage_set_request = "HostLocalStorageSetRequest": HostLocalStorageSetRequest,
    /// It was written.
    host_local_storage_set_response = "HostLocalStorageSetResponse": Empty,
    /// Asks the node for a consensus block.
    host_fetch_consensus_block_request = "HostFetchConsensusBlockRequest": HostFetchConsensusBlockRequest,
    /// The block.
    host_fetch_consensus_block_response = "HostFetchConsensusBlockResponse": HostFetchConsensusBlockResponse,
    /// Asks the node for more transactions.
    host_fetch_tx_batch_request = "HostFetchTxBatchRequest": HostFetchTxBatchRequest,
    /// The transactions.
    host_fetch_tx_batch_response = "HostFetchTxBatchResponse": HostFetchTxBatchResponse,
}
