//! gRPC over TLS 1.3 between nodes: who is spoken to is known by the Ed25519 key of the certificate, which nobody else signs.
//!
//! Source: go/common/crypto/tls, go/common/grpc/credentials.go, go/common/grpc/grpc.go, `NewServer`.

mod certificate;
mod client;
mod first;
mod hello;
mod server;
mod verify;

use std::time::Duration;

pub use certificate::{CertificateError, certificate_key, check_certificate};
pub use first::FirstMessages;
pub use server::{Clients, ServerKey, serve_tls, server_config};

/// What is spoken within.
const ALPN: &[u8] = b"h2";
/// A client has so long to agree on keys, and a server to be reached.
const HANDSHAKE: Duration = Duration::from_secs(if cfg!(test) { 4 } else { 10 });
