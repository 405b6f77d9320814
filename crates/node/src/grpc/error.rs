//! Errors of calls: a module and a code travel beside the text.
//!
//! Source: go/common/grpc/errors.go.

use bytes::Bytes;
use oasis_consensus_types::errors::CodedError;
use oasis_primitives::{cbor, cbor::Cbor};
use prost::Message;
use tonic::{Code, Status};

pub use tonic::Code as GrpcCode;

/// Why a call failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ApiError {
    /// The module of the error, empty where it has none.
    pub module: String,
    /// The code within the module.
    pub code: u32,
    /// The text.
    pub message: String,
    /// The code of gRPC.
    pub grpc: Code,
}

/// What travels beside the text. Source: go/common/grpc/errors.go, `grpcError`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor)]
struct Details {
    #[cbor(omitempty)]
    module: String,
    #[cbor(omitempty)]
    code: u32,
}

/// Source: google.rpc.Status.
#[derive(Clone, PartialEq, Message)]
struct RpcStatus {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
    #[prost(message, repeated, tag = "3")]
    details: Vec<Any>,
}

/// Source: google.protobuf.Any.
#[derive(Clone, PartialEq, Message)]
struct Any {
    #[prost(string, tag = "1")]
    type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

/// The module of errors without one. Source: go/common/errors/errors.go, `UnknownModule`.
const UNKNOWN_MODULE: &str = "unknown";

impl ApiError {
    /// An error that only gRPC knows.
    pub fn grpc(grpc: Code, message: impl Into<String>) -> Self {
        Self { module: String::new(), code: 0, message: message.into(), grpc }
    }

    /// An error without a code. Source: gRPC for Go, `status.FromError` of any error.
    pub fn unknown(message: impl Into<String>) -> Self {
        Self::grpc(Code::Unknown, message)
    }

    /// The error of a method that nobody serves. Source: gRPC for Go, `Server.handleStream`.
    pub fn unimplemented(service: &str, method: &str) -> Self {
        Self::grpc(Code::Unimplemented, format!("unknown method {method} for service {service}"))
    }

    fn has_code(&self) -> bool {
        !self.module.is_empty() && self.module != UNKNOWN_MODULE
    }

    /// The error as it travels: an encoded `google.rpc.Status`.
    pub fn status_bytes(&self) -> Vec<u8> {
        let value = || cbor::to_vec(&Details { module: self.module.clone(), code: self.code });
        let details = if self.has_code() { vec![Any { type_url: String::new(), value: value() }] } else { Vec::new() };
        RpcStatus { code: self.grpc as i32, message: self.message.clone(), details }.encode_to_vec()
    }

    pub(super) fn into_status(self) -> Status {
        if !self.has_code() {
            return Status::new(self.grpc, self.message);
        }
        let details = Bytes::from(self.status_bytes());
        Status::with_details(self.grpc, self.message, details)
    }

    pub(super) fn from_status(status: &Status) -> Self {
        let mut error = Self::grpc(status.code(), status.message());
        let details = RpcStatus::decode(status.details()).ok().and_then(|all| all.details.into_iter().next());
        if let Some(details) = details.and_then(|any| cbor::from_slice::<Details>(&any.value).ok()) {
            error.module = details.module;
            error.code = details.code;
        }
        error
    }
}

impl From<CodedError> for ApiError {
    fn from(e: CodedError) -> Self {
        Self { module: e.module.to_string(), code: e.code, message: e.message.to_string(), grpc: Code::Unknown }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn module_and_code_travel() {
        let error = ApiError { module: "staking".into(), code: 3, message: "no".into(), grpc: Code::Unknown };
        assert_eq!(ApiError::from_status(&error.clone().into_status()), error);
        let plain = ApiError::grpc(Code::Unavailable, "gone");
        assert_eq!(ApiError::from_status(&plain.clone().into_status()), plain);
    }
}
