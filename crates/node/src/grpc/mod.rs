//! gRPC with messages in CBOR, as the original's nodes and clients speak it.
//!
//! Messages go through as bytes; what they hold is decided by the services. Source: go/common/grpc.

mod client;
mod codec;
mod error;
mod server;
mod tls;
mod turns;
mod whole;

pub use client::{Client, ClientError, Watch};
pub use error::{ApiError, GrpcCode};
pub use server::{Messages, Reply, ServeError, Service, UnixServer};
pub use tls::{CertificateError, Clients, FirstMessages, ServerKey, certificate_key, check_certificate, serve_tls, server_config};

/// Largest message, 100 MiB. Source: go/common/grpc/grpc.go, `maxRecvMsgSize`.
const MAX_MESSAGE: usize = 104_857_600;
/// Name of the socket in a data directory. Source: go/oasis-node/cmd/common/grpc/grpc.go, `LocalSocketFilename`.
pub const SOCKET_FILE: &str = "internal.sock";
