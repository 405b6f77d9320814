//! The log of a replay that continues: which chain file the state was made from.
//!
//! Before a block's state is committed, the hash over the chain file to that block is appended. A later run continues
//! only from a file with the same bytes, so that what was verified once needs no second look. After a crash the log may
//! be a record ahead of the state, never behind it.

use std::{
    fs::{File, OpenOptions},
    io::{Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use oasis_primitives::hash::Hash;

/// Name of the log in the data directory.
const FILE: &str = "replay.log";
/// Bytes of a record: the height, big endian, and the hash.
const RECORD: usize = 40;

/// The log, open for the records to come.
#[derive(Debug)]
pub struct ReplayLog {
    path: PathBuf,
    file: File,
    digests: Vec<Hash>,
    first: i64,
}

impl ReplayLog {
    /// Opens the log beside a state of a height (0: none yet), for a network that begins at `first`.
    ///
    /// Errors are texts that name the file. Records after the state's height are dropped.
    pub fn open(datadir: &Path, genesis: &Hash, first: i64, height: i64) -> Result<Self, String> {
        let path = datadir.join(FILE);
        let err = |e: std::io::Error| format!("{}: {e}", path.display());
        let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path).map_err(err)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(err)?;
        if height == 0 {
            file.set_len(0).map_err(err)?;
            file.seek(SeekFrom::Start(0)).map_err(err)?;
            file.write_all(genesis.as_ref()).map_err(err)?;
            return Ok(Self { path, file, digests: Vec::new(), first });
        }
        let (found, records) = bytes.split_at_checked(32).unwrap_or_default();
        if found != genesis.as_ref() {
            let found = hex::encode(found);
            return Err(format!("{}: genesis document: expected {genesis}, found {found:?}", path.display()));
        }
        let count = usize::try_from(height - first + 1).unwrap_or_default();
        let mut digests = Vec::new();
        for (record, expected) in records.chunks_exact(RECORD).take(count).zip(first..) {
            let (number, digest) = record.split_at(8);
            if number != expected.to_be_bytes() {
                return Err(format!("{}: record of height {expected}: found {}", path.display(), hex::encode(number)));
            }
            digests.push(Hash::from_slice(digest).unwrap_or_default());
        }
        if digests.len() != count {
            let last = first + digests.len() as i64 - 1;
            return Err(format!("{}: expected records to height {height}, found them to {last}", path.display()));
        }
        let end = 32 + count as u64 * RECORD as u64;
        file.set_len(end).map_err(err)?;
        file.seek(SeekFrom::Start(end)).map_err(err)?;
        Ok(Self { path, file, digests, first })
    }

    /// The hashes of the blocks before this run, from the first block on.
    pub fn digests(&self) -> &[Hash] {
        &self.digests
    }

    /// Height of the first record.
    pub fn first(&self) -> i64 {
        self.first
    }

    /// Appends a block's record; comes before the commit of its state.
    pub fn push(&mut self, height: i64, digest: &Hash) -> Result<(), String> {
        let mut record = [0; RECORD];
        record[..8].copy_from_slice(&height.to_be_bytes());
        record[8..].copy_from_slice(digest.as_ref());
        self.file.write_all(&record).map_err(|e| format!("{}: {e}", self.path.display()))
    }
}
