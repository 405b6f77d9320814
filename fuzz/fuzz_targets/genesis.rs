//! Genesis documents as JSON and CBOR, and their checks.
#![no_main]

use libfuzzer_sys::fuzz_target;
use oasis_consensus_app::genesis::{CheckOptions, check_cbor, check_json};

fuzz_target!(|bytes: &[u8]| {
    for debug in [false, true] {
        let options = CheckOptions { debug, allow_test_keys: debug };
        let _ = check_json(bytes, options);
        let _ = check_cbor(bytes, options);
    }
});
