use std::{fs, path::PathBuf};

use oasis_primitives::hash::Hash;
use proptest::prelude::*;

use super::file::{HEADERS, MARK, Manifest, Reader, ending, read_manifest};

const CHUNKS: [&[u8]; 3] = [b"one", b"", b"three and more"];

fn file() -> Vec<u8> {
    let mut manifest = Manifest::new("ab".repeat(32), 5);
    manifest.light_blocks = vec![vec![1, 2]; HEADERS].into();
    for chunk in CHUNKS {
        manifest.lengths.push(chunk.len() as u64);
        manifest.state.chunks.push(Hash::of(chunk));
    }
    [MARK.as_slice(), &CHUNKS.concat(), &ending(&manifest)].concat()
}

/// The chunks of a file, or why it can't be read.
fn read(bytes: &[u8]) -> Result<Vec<Vec<u8>>, String> {
    let dir = tempfile::tempdir().unwrap();
    let path: PathBuf = dir.path().join("snapshot");
    fs::write(&path, bytes).unwrap();
    let mut reader = Reader::open(&path).map_err(|e| e.to_string())?;
    let mut chunks = Vec::new();
    while let Some((_, chunk)) = reader.next_chunk().map_err(|e| e.to_string())? {
        chunks.push(chunk);
    }
    Ok(chunks)
}

#[test]
fn chunks_are_read_back() {
    assert_eq!(read(&file()).unwrap(), CHUNKS);
}

#[test]
fn a_damaged_file_is_refused_with_the_place() {
    let whole = file();
    let mut damaged = whole.clone();
    damaged[MARK.len() + 5] ^= 1;
    let error = read(&damaged).unwrap_err();
    assert!(error.contains("damaged in chunk 3 of 3, at byte 19"), "{error}");
    assert!(read(&whole[..whole.len() - 1]).unwrap_err().contains("cut off"));
    assert!(read(&whole[..MARK.len()]).unwrap_err().contains("cut off"));
    assert!(read(b"something else").unwrap_err().contains("another file"));
    assert!(read(&[whole.as_slice(), b"more"].concat()).unwrap_err().contains("cut off"));
}

#[test]
fn a_file_changed_or_cut_anywhere_is_refused() {
    let whole = file();
    for at in 0..whole.len() {
        let mut changed = whole.clone();
        changed[at] ^= 1;
        assert!(read(&changed).is_err(), "byte {at}");
        assert!(read(&whole[..at]).is_err(), "{at} bytes");
    }
}

proptest! {
    #[test]
    fn noise_is_no_description(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(read_manifest(&bytes).is_err());
    }
}
