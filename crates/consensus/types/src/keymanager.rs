//! Key managers: runtimes that keep the keys of other runtimes.
//!
//! Source: go/keymanager/api.

use oasis_primitives::{
    cbor::{Cbor, NilMap, NilVec, OrNil},
    json::Json,
    namespace::Namespace,
    sgx::EnclaveIdentity,
    signature::{Context, MemorySigner, PublicKey, Signature, Signer},
};

use crate::errors::Code;

/// The module of the key manager's errors and methods.
pub const MODULE_NAME: &str = "keymanager";

/// There is no status of the key manager.
pub const ERR_NO_SUCH_STATUS: Code = Code::new(MODULE_NAME, 1, "keymanager: no such status");

/// Method: changes a policy; the body is a [`SignedPolicySgx`].
pub const METHOD_UPDATE_POLICY: &str = "keymanager.UpdatePolicy";
/// All methods.
pub const METHODS: [&str; 1] = [METHOD_UPDATE_POLICY];

/// Length of checksums, bytes.
pub const CHECKSUM_SIZE: usize = 32;

/// Context of the signatures of policies.
pub const POLICY_SIGNATURE_CONTEXT: Context = Context::new("oasis-core/keymanager: policy");
/// Context of the signature of an enclave's response.
pub const INIT_RESPONSE_SIGNATURE_CONTEXT: Context = Context::new("oasis-core/keymanager: init response");

/// Seed of the key that signs responses where there is no trusted environment.
///
/// Source: go/keymanager/api/api.go, `TestPublicKey`.
pub const TEST_KEY_SEED: &str = "ekiden test key manager RAK seed";

/// The key of [`TEST_KEY_SEED`].
pub fn test_public_key() -> PublicKey {
    MemorySigner::for_test(TEST_KEY_SEED).public_key()
}

/// What is known of a key manager.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct Status {
    /// The key manager runtime.
    pub id: Namespace,
    /// Whether a node has made its secret.
    pub is_initialized: bool,
    /// Whether it is secure.
    pub is_secure: bool,
    /// Checksum that tells whether a node has the same secret.
    pub checksum: NilVec<u8>,
    /// The nodes that serve, in the order of their keys.
    pub nodes: NilVec<PublicKey>,
    /// The policy, if any.
    pub policy: Option<SignedPolicySgx>,
}

/// What an enclave says of itself when it starts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct InitResponse {
    /// Whether it is secure.
    pub is_secure: bool,
    /// Checksum of its secret.
    pub checksum: NilVec<u8>,
    /// SHA3-256 of its encoded policy.
    pub policy_checksum: NilVec<u8>,
}

/// An [`InitResponse`] with the signature of the enclave's attestation key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct SignedInitResponse {
    /// The response, signed in its canonical encoding.
    pub init_response: InitResponse,
    /// The signature, 64 bytes.
    pub signature: NilVec<u8>,
}

/// Which enclaves may ask a key manager for what.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct PolicySgx {
    /// Number that increases with every change.
    pub serial: u32,
    /// The key manager runtime.
    pub id: Namespace,
    /// The rules by the key manager's enclave.
    pub enclaves: NilMap<EnclaveIdentity, Option<EnclavePolicySgx>>,
}

/// The rules of one key manager enclave.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct EnclavePolicySgx {
    /// Enclaves that may ask for private keys, by runtime.
    pub may_query: NilMap<Namespace, NilVec<EnclaveIdentity>>,
    /// Enclaves that may copy the secret.
    pub may_replicate: NilVec<EnclaveIdentity>,
}

/// A policy with signatures.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct SignedPolicySgx {
    /// The policy, signed in its canonical encoding.
    pub policy: PolicySgx,
    /// The signatures.
    pub signatures: NilVec<Signature>,
}

/// The key managers' section of the genesis document.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct Genesis {
    /// The statuses.
    #[cbor(omitempty)]
    pub statuses: Vec<OrNil<Status>>,
}
