//! Signed results.
//!
//! Source: go/roothash/api/commitment/executor.go.

use std::ops::Deref;

use oasis_primitives::{
    cbor::{self, Cbor, Decode, Decoder, Encode, Encoder},
    json::{self, FromJson, Json, ToJson},
    namespace::Namespace,
    signature::{Context, ContextError, SignatureRules, SignedBlob},
};

use super::ComputeBody;

/// The context under which results are signed, for a runtime and a chain.
pub const EXECUTOR_COMMITMENT_CONTEXT: Context =
    Context::new("oasis-core/roothash: executor commitment").with_chain_separation().with_dynamic_suffix(" for runtime ", 64);

/// Results, signed by an executor; the content is a [`ComputeBody`].
///
/// Source: go/roothash/api/commitment/executor.go, `ExecutorCommitment`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
#[cbor(transparent)]
pub struct ExecutorCommitment(pub SignedBlob);

impl ExecutorCommitment {
    /// The signature's context.
    pub fn context(runtime_id: &Namespace) -> Result<Context, ContextError> {
        EXECUTOR_COMMITMENT_CONTEXT.with_suffix(&runtime_id.to_string())
    }

    /// Checks the signature, but not the enclave's, and decodes the content; none where either is wrong.
    ///
    /// Source: go/roothash/api/commitment/executor.go, `ExecutorCommitment.Open`.
    pub fn open(&self, rules: &SignatureRules, runtime_id: &Namespace) -> Option<OpenExecutorCommitment> {
        let body = self.0.open(rules, &Self::context(runtime_id).ok()?).ok()?;
        Some(OpenExecutorCommitment { commitment: self.clone(), body })
    }
}

/// A commitment whose signature was checked, and its content. Encoded as the commitment alone.
///
/// Source: go/roothash/api/commitment/executor.go, `OpenExecutorCommitment`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OpenExecutorCommitment {
    /// What was signed.
    pub commitment: ExecutorCommitment,
    /// The content.
    pub body: ComputeBody,
}

impl OpenExecutorCommitment {
    /// Whether two commitments have the same header of results.
    ///
    /// Source: go/roothash/api/commitment/executor.go, `OpenExecutorCommitment.MostlyEqual`.
    pub fn mostly_equal(&self, other: &Self) -> bool {
        self.body.header == other.body.header
    }

    fn from_commitment(commitment: ExecutorCommitment) -> Result<Self, cbor::Error> {
        let body = commitment.0.decode_unverified()?;
        Ok(Self { commitment, body })
    }
}

impl Deref for OpenExecutorCommitment {
    type Target = ComputeBody;

    fn deref(&self) -> &ComputeBody {
        &self.body
    }
}

impl Encode for OpenExecutorCommitment {
    fn encode(&self, e: &mut Encoder) {
        self.commitment.encode(e);
    }
}

impl Decode for OpenExecutorCommitment {
    const TAKES_NULL: bool = true;

    /// Always by the untrusted rules.
    ///
    /// Source: go/roothash/api/commitment/executor.go, `OpenExecutorCommitment.UnmarshalCBOR`.
    fn decode(d: &mut Decoder<'_>) -> Result<Self, cbor::Error> {
        Self::from_commitment(cbor::from_slice(d.raw_item()?)?)
    }
}

impl ToJson for OpenExecutorCommitment {
    fn to_json(&self) -> json::Value {
        self.commitment.to_json()
    }
}

impl FromJson for OpenExecutorCommitment {
    fn from_json(value: &json::Value) -> Result<Self, json::Error> {
        Self::from_commitment(ExecutorCommitment::from_json(value)?).map_err(|e| json::Error::new(e.to_string()))
    }
}
