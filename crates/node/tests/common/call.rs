//! A call of the original's API as it was recorded.

use oasis_primitives::cbor::Cbor;

/// A recorded call.
#[derive(Default, Cbor)]
pub struct Call {
    /// Service and method, with a slash between them.
    pub method: String,
    /// The request in CBOR.
    pub request: Vec<u8>,
    /// The answer in CBOR, if the call did not fail.
    pub response: Vec<u8>,
    /// Its code of gRPC; zero if it did not fail.
    pub code: u32,
    /// Why it failed.
    pub error: String,
    /// The trailer `grpc-status-details-bin`.
    pub status: Vec<u8>,
}
