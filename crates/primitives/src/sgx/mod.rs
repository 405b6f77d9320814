//! Intel SGX: enclave identities, enclave signatures, and reports of Intel's attestation service.
//!
//! Verification never looks at a clock or at process-wide switches: the time and the [`Policy`] are given.
//!
//! Source: go/common/sgx.

mod avr;
mod capability;
mod identity;
mod json;
mod quote;
mod rsa;
mod sigstruct;
mod text;
mod x509;

pub use avr::{AttestationReport, AvrBundle, CrlReason, ManifestStatus, QuoteStatus};
pub use capability::{CapabilityTee, Constraints, TeeHardware, rak_hash};
pub use identity::{EnclaveIdentity, MODULUS_BYTES, MrEnclave, MrSigner};
pub use quote::{Attributes, Policy, Quote, QuoteBody, Report};
pub use sigstruct::{SIGSTRUCT_SIZE, Sigstruct};

use std::borrow::Cow;

/// Why an enclave's identity, signature or attestation is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Malformed or not valid by the rules of its format.
    #[error("{0}")]
    Invalid(Cow<'static, str>),
    /// Not CBOR of the wanted structure.
    #[error("{0}")]
    Cbor(#[from] crate::cbor::Error),
    /// The enclave is none of those that the constraints name.
    #[error("node: bad TEE enclave identity")]
    BadEnclaveIdentity,
    /// The attestation is not bound to the node's runtime attestation key.
    #[error("node: RAK hash mismatch")]
    RakHashMismatch,
    /// The kind of TEE is not known.
    #[error("node: invalid TEE implementation")]
    InvalidTeeHardware,
}

impl Error {
    pub(crate) fn new(reason: impl Into<Cow<'static, str>>) -> Self {
        Self::Invalid(reason.into())
    }
}

/// A point in time: seconds since the Unix epoch and nanoseconds within the second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time {
    /// Seconds since 1970-01-01T00:00:00Z.
    pub seconds: i64,
    /// Nanoseconds, below 10⁹.
    pub nanos: u32,
}
