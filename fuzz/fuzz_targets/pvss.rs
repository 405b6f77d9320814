//! Messages of the beacon's secret sharing, taken in by an instance.
#![no_main]

use libfuzzer_sys::fuzz_target;
use oasis_consensus_types::beacon::{PvssCommit, PvssReveal};
use oasis_primitives::{
    cbor,
    pvss::{Instance, Point},
};

fuzz_target!(|bytes: &[u8]| {
    let instance = || cbor::from_slice::<Instance>(bytes).ok();
    if let Some(instance) = instance() {
        let _ = (instance.may_reveal(), instance.may_recover(), instance.recover().is_ok());
    }
    let _ = Point::from_slice(bytes);
    if let Ok(PvssCommit { commit: Some(commit), .. }) = cbor::from_slice(bytes) {
        let _ = instance().unwrap_or_default().on_commit(commit);
    }
    if let Ok(PvssReveal { reveal: Some(reveal), .. }) = cbor::from_slice(bytes) {
        let _ = instance().unwrap_or_default().on_reveal(reveal);
    }
});
