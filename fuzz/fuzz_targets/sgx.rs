//! What comes from SGX: attestation verdicts, quotes, enclave signatures.
#![no_main]

use libfuzzer_sys::fuzz_target;
use oasis_primitives::{
    cbor,
    sgx::{AttestationReport, AvrBundle, CapabilityTee, Policy, Quote, Sigstruct, Time},
};

fuzz_target!(|bytes: &[u8]| {
    let (policy, at) = (Policy::new(true), Time::default());
    if let Ok(quote) = Quote::from_bytes(bytes) {
        let _ = (quote.verify(&policy), quote.to_bytes());
    }
    let _ = Sigstruct::verify(bytes).map(|signed| signed.mr_signer().is_ok());
    let _ = AttestationReport::decode(bytes, bytes, bytes, at, &policy).map(|report| report.quote().is_ok());
    let _ = cbor::from_slice::<AvrBundle>(bytes).map(|bundle| bundle.open(at, &policy).is_ok());
    let _ = cbor::from_slice::<CapabilityTee>(bytes).map(|capability| capability.verify(at, Some(bytes), &policy).is_ok());
});
