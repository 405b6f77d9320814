//! Recorded chains: the reader, with and without compression around the bytes.
#![no_main]

use std::io::Write;

use flate2::{Compression, write::GzEncoder};
use libfuzzer_sys::fuzz_target;
use oasis_replay::ChainReader;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(mut reader) = ChainReader::new(bytes) {
        let _ = reader.first_time();
        while let Ok(Some(_)) = reader.next_block() {}
    }
    let mut gzip = GzEncoder::new(Vec::new(), Compression::none());
    let compressed = gzip.write_all(bytes).and_then(|()| gzip.finish()).expect("memory takes everything");
    if let Ok(mut reader) = ChainReader::new(compressed.as_slice()) {
        while let Ok(Some(_)) = reader.next_block() {}
    }
});
