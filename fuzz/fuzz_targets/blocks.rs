//! The engine's blocks, commits and results.
#![no_main]

use libfuzzer_sys::fuzz_target;
use oasis_consensus_engine::{CheckedBlock, decode_commit, decode_responses};

fuzz_target!(|bytes: &[u8]| {
    let _ = (CheckedBlock::decode(bytes), decode_commit(bytes), decode_responses(bytes));
});
