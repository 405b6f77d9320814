//! Records of the consensus log, in their frames.
#![no_main]

use libfuzzer_sys::fuzz_target;
use oasis_consensus_engine::{
    proto::Timestamp,
    wal::{Frame, WalRecord, frame, read_frame},
};

fuzz_target!(|bytes: &[u8]| {
    let mut rest = bytes;
    while let Frame::Record(record, after) = read_frame(rest) {
        let _ = (WalRecord::decode(record), WalRecord::end_height(record));
        rest = after;
    }
    // Frames of random bytes seldom hold: take them as a record, too.
    if let Ok(record) = WalRecord::decode(bytes) {
        let again = record.encode(Timestamp::default());
        assert_eq!(WalRecord::decode(&again), Ok(record));
        assert!(matches!(read_frame(&frame(&again)), Frame::Record(r, []) if r == again));
    }
});
