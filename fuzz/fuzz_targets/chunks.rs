//! Chunks of checkpoints.
#![no_main]

use libfuzzer_sys::fuzz_target;
use oasis_mkvs::checkpoint::{ChunkMetadata, Metadata, Restorer, restore_chunk};
use oasis_primitives::{cbor, hash::Hash};

fuzz_target!(|bytes: &[u8]| {
    let _ = restore_chunk(&ChunkMetadata { digest: Hash::of(bytes), ..ChunkMetadata::default() }, bytes);
    let mut restorer = Restorer::new();
    if let Ok(metadata) = cbor::from_slice::<Metadata>(bytes) {
        let _ = (restorer.start(metadata), restorer.restore(0, bytes), restorer.restore(u64::MAX, bytes));
    }
});
