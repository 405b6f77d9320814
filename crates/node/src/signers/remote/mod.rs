//! Keys of a remote signer, over gRPC between two that know each other's certificates.
//!
//! Source: go/common/crypto/signature/signers/remote/grpc.go, go/oasis-remote-signer/cmd/root.go.

mod client;
mod server;

use oasis_primitives::{
    cbor::{Cbor, NilVec},
    identity::SignerRole,
    signature::PublicKey,
};

pub use client::RemoteFactory;
pub use server::{RemoteSigner, ServerSettings, init, init_client, serve};

/// The service.
const SERVICE: &str = "oasis-core.RemoteSigner";
const PUBLIC_KEYS: &str = "PublicKeys";
const SIGN: &str = "Sign";

/// The common name of the signer's certificate. Source: go/oasis-remote-signer/cmd/root.go, `serverInit`.
const SERVER_NAME: &str = "remote-signer-server";
/// The common name of a client's certificate. Source: go/oasis-remote-signer/cmd/root.go, `clientCommonName`.
const CLIENT_NAME: &str = "remote-signer-client";

/// A key that the signer has. Source: go/common/crypto/signature/signers/remote/grpc.go, `PublicKey`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor)]
pub struct RoleKey {
    /// The number of its role.
    pub role: i64,
    /// The key.
    pub public_key: PublicKey,
}

/// What is to be signed. Source: go/common/crypto/signature/signers/remote/grpc.go, `SignRequest`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor)]
pub struct SignRequest {
    /// The number of the key's role.
    pub role: i64,
    /// The whole context.
    pub context: String,
    /// The message.
    pub message: NilVec<u8>,
}

fn role_of(number: i64) -> Option<SignerRole> {
    SignerRole::ALL.into_iter().find(|role| i64::from(role.number()) == number)
}

#[cfg(test)]
mod tests;
