//! The services of a node, the values that they answer with, and how answers follow from blocks and states.

pub mod block;
pub mod light;
pub mod notices;
pub mod query;
pub mod results;
pub mod source;
pub mod status;

/// The prefix of every service. Source: go/common/grpc/service.go, `ServicePrefix`.
pub const SERVICE_PREFIX: &str = "oasis-core.";
