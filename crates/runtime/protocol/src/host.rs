//! Bodies of requests that a runtime makes of its node.
//!
//! Source: go/runtime/host/protocol/types.go.

use oasis_mkvs::proof::{GetPrefixesRequest, GetRequest, IterateRequest, ProofResponse};
use oasis_primitives::{
    cbor::{Cbor, NilVec},
    hash::Hash,
};

use super::LightBlock;

/// A call of a key manager.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor)]
pub struct HostRpcCallRequest {
    /// Whom to call.
    pub endpoint: String,
    /// The call, encoded and encrypted.
    pub request: NilVec<u8>,
}

/// The result of a call.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor)]
pub struct HostRpcCallResponse {
    /// The result, encoded and encrypted.
    pub response: NilVec<u8>,
}

/// Whose tree.
///
/// Source: go/runtime/host/protocol/types.go, `HostStorageEndpoint`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Cbor)]
#[cbor(transparent)]
pub struct HostStorageEndpoint(pub u8);

impl HostStorageEndpoint {
    /// The runtime's own.
    pub const RUNTIME: Self = Self(0);
    /// The consensus layer's.
    pub const CONSENSUS: Self = Self(1);
}

/// Asks for a part of a tree: one of the fields after the endpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor)]
pub struct HostStorageSyncRequest {
    /// Whose tree.
    #[cbor(omitempty)]
    pub endpoint: HostStorageEndpoint,
    /// One key.
    #[cbor(rename = "SyncGet", omitempty)]
    pub get: Option<GetRequest>,
    /// The keys with some prefixes.
    #[cbor(rename = "SyncGetPrefixes", omitempty)]
    pub get_prefixes: Option<GetPrefixesRequest>,
    /// Keys in order.
    #[cbor(rename = "SyncIterate", omitempty)]
    pub iterate: Option<IterateRequest>,
}

/// A part of a tree.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor)]
pub struct HostStorageSyncResponse {
    /// With a proof.
    #[cbor(rename = "ProofResponse", omitempty)]
    pub proof_response: Option<ProofResponse>,
}

/// Reads local storage.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor)]
pub struct HostLocalStorageGetRequest {
    /// The key.
    pub key: NilVec<u8>,
}

/// What was read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor)]
pub struct HostLocalStorageGetResponse {
    /// The value.
    pub value: NilVec<u8>,
}

/// Writes to local storage.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor)]
pub struct HostLocalStorageSetRequest {
    /// The key.
    pub key: NilVec<u8>,
    /// The value.
    pub value: NilVec<u8>,
}

/// Asks for a consensus block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Cbor)]
pub struct HostFetchConsensusBlockRequest {
    /// Its height.
    pub height: u64,
}

/// A consensus block.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor)]
pub struct HostFetchConsensusBlockResponse {
    /// The block.
    pub block: LightBlock,
}

/// Asks for more transactions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Cbor)]
pub struct HostFetchTxBatchRequest {
    /// Those after the one with this hash.
    #[cbor(omitempty)]
    pub offset: Option<Hash>,
    /// How many at most.
    pub limit: u32,
}

/// Transactions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor)]
pub struct HostFetchTxBatchResponse {
    /// The transactions.
    #[cbor(omitempty)]
    pub batch: Vec<NilVec<u8>>,
}
