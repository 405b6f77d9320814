//! A node's proof that it has a trusted execution environment.
//!
//! Source: go/common/node/node.go, `CapabilityTEE`.

use super::{AvrBundle, EnclaveIdentity, Error, Policy, Time};
use crate::{
    cbor::{self, Cbor, NilVec},
    hash::Hash,
    json::Json,
    signature::PublicKey,
};

/// A kind of trusted execution environment; numbers not named here are reserved.
///
/// Source: go/common/node/node.go, `TEEHardware`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Cbor, Json)]
#[cbor(transparent)]
pub struct TeeHardware(pub u8);

impl TeeHardware {
    /// None.
    pub const INVALID: Self = Self(0);
    /// Intel SGX.
    pub const INTEL_SGX: Self = Self(1);
    /// The first reserved number.
    pub const RESERVED: Self = Self(2);
}

/// What a runtime asks of its enclaves.
///
/// Source: go/common/sgx/common.go, `Constraints`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct Constraints {
    /// The enclaves that are allowed.
    pub enclaves: NilVec<EnclaveIdentity>,
}

/// A node's TEE, the key made inside it, and the attestation of both.
///
/// Source: go/common/node/node.go, `CapabilityTEE`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct CapabilityTee {
    /// Kind of TEE.
    pub hardware: TeeHardware,
    /// Runtime attestation key.
    pub rak: PublicKey,
    /// For SGX, the CBOR of an [`AvrBundle`].
    pub attestation: NilVec<u8>,
}

/// The hash that an attestation's report data starts with, to bind it to a key.
///
/// Source: go/common/node/node.go, `RAKHash`.
pub fn rak_hash(rak: &PublicKey) -> Hash {
    Hash::of_parts(&[b"oasis-core/node: TEE RAK binding", &rak.0])
}

impl CapabilityTee {
    /// Checks the attestation at a time against a runtime's constraints (`None`: Go's nil slice).
    ///
    /// Source: go/common/node/node.go, `CapabilityTEE.Verify`.
    pub fn verify(&self, at: Time, constraints: Option<&[u8]>, policy: &Policy) -> Result<(), Error> {
        if self.hardware != TeeHardware::INTEL_SGX {
            return Err(Error::InvalidTeeHardware);
        }
        let bundle: AvrBundle = cbor::from_nil_slice(self.attestation.0.as_deref())?;
        let quote = bundle.open(at, policy)?.quote()?;
        let constraints: Constraints = cbor::from_nil_slice(constraints)?;
        let enclave = EnclaveIdentity { mr_enclave: quote.report.mr_enclave, mr_signer: quote.report.mr_signer };
        if !constraints.enclaves.contains(&enclave) {
            return Err(Error::BadEnclaveIdentity);
        }
        if quote.report.report_data.first_chunk::<32>() != Some(&rak_hash(&self.rak).0) {
            return Err(Error::RakHashMismatch);
        }
        Ok(())
    }
}
