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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sgx::{Attributes, MrEnclave, MrSigner, Quote, QuoteBody, Report};

    const ENCLAVE: EnclaveIdentity = EnclaveIdentity { mr_enclave: MrEnclave([3; 32]), mr_signer: MrSigner([4; 32]) };
    const RAK: PublicKey = PublicKey([5; 32]);

    fn capability(bound_to: &PublicKey, flags: u64) -> CapabilityTee {
        let mut report_data = [9; 64];
        report_data[..32].copy_from_slice(&rak_hash(bound_to).0);
        let report = Report {
            cpu_svn: [0; 16],
            misc_select: 0,
            attributes: Attributes { flags, xfrm: 3 },
            mr_enclave: ENCLAVE.mr_enclave,
            mr_signer: ENCLAVE.mr_signer,
            isv_prod_id: 0,
            isv_svn: 0,
            report_data,
        };
        let quote = Quote { body: QuoteBody { version: 2, ..QuoteBody::default() }, report };
        let body = format!(
            r#"{{"timestamp":"2020-05-11T09:21:15","version":4,"isvEnclaveQuoteStatus":"OK","isvEnclaveQuoteBody":"{}"}}"#,
            crate::text::to_base64(&quote.to_bytes())
        );
        let bundle = AvrBundle { body: body.into_bytes().into(), ..AvrBundle::default() };
        CapabilityTee { hardware: TeeHardware::INTEL_SGX, rak: RAK, attestation: cbor::to_vec(&bundle).into() }
    }

    #[test]
    fn an_attestation_must_be_of_an_allowed_enclave_and_bound_to_the_key() {
        let unsigned = Policy { skip_signatures: true, ..Policy::default() };
        let constraints = |enclaves: Vec<EnclaveIdentity>| cbor::to_vec(&Constraints { enclaves: enclaves.into() });
        let other = EnclaveIdentity { mr_signer: MrSigner([6; 32]), ..ENCLAVE };
        let allowed = constraints(vec![other, ENCLAVE]);
        let verify = |c: &CapabilityTee, constraints: &[u8], policy: &Policy| c.verify(Time::default(), Some(constraints), policy);

        assert_eq!(verify(&capability(&RAK, 1), &allowed, &unsigned), Ok(()));
        assert!(verify(&capability(&RAK, 1), &allowed, &Policy::default()).is_err());
        assert_eq!(verify(&capability(&PublicKey([7; 32]), 1), &allowed, &unsigned), Err(Error::RakHashMismatch));
        assert_eq!(verify(&capability(&RAK, 1), &constraints(vec![other]), &unsigned), Err(Error::BadEnclaveIdentity));
        assert!(verify(&capability(&RAK, Attributes::DEBUG), &allowed, &unsigned).is_err());
        let debug = Policy { debug_enclaves: true, ..unsigned };
        assert_eq!(verify(&capability(&RAK, Attributes::DEBUG), &allowed, &debug), Ok(()));
        let none = CapabilityTee { hardware: TeeHardware::INVALID, ..capability(&RAK, 1) };
        assert_eq!(verify(&none, &allowed, &debug), Err(Error::InvalidTeeHardware));
    }
}
