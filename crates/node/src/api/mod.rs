//! The services of a node and the values that they answer with.

pub mod block;
pub mod status;

/// The prefix of every service. Source: go/common/grpc/service.go, `ServicePrefix`.
pub const SERVICE_PREFIX: &str = "oasis-core.";
