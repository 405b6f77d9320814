//! The file: a mark, the chunks, what describes them, and where that begins.
//!
//! It is written in one go, though what describes the chunks is known only after the last of them.

use std::{
    fs::File,
    io::{self, BufReader, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

use oasis_consensus_engine::proto;
use oasis_mkvs::checkpoint::{MAX_CHUNK_BYTES, Metadata};
use oasis_primitives::{
    cbor::{self, Cbor, NilVec},
    hash::Hash,
};
use prost::Message;

use super::super::prepare::StartError;

/// What a file begins with.
pub(super) const MARK: &[u8; 16] = b"oasis-snapshot-1";
/// What a file ends with, after the length and the hash of the description.
const END: &[u8; 8] = b"snap-end";
/// Bytes of the end: a length, a hash, the mark.
const END_BYTES: u64 = 8 + 32 + 8;
/// The longest description that is read.
const MAX_MANIFEST: u64 = 64 << 20;
/// Headers in a file: of the state's block, and of the two after it.
pub(super) const HEADERS: usize = 3;
/// The version of the description.
const VERSION: u16 = 1;

/// What a file holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor)]
pub struct Manifest {
    /// Version of this description.
    pub v: u16,
    /// The network: the hash of its genesis document, in hexadecimal digits.
    pub chain_context: String,
    /// The height whose state it is.
    pub height: i64,
    /// The state's chunks. Their root must be the one of the block after.
    pub state: Metadata,
    /// Bytes of each chunk.
    pub lengths: NilVec<u64>,
    /// The light blocks of the height and of the two after it, in the engine's encoding.
    pub light_blocks: NilVec<Vec<u8>>,
    /// The engine's parameters at the last of these heights, in its encoding.
    pub parameters: Vec<u8>,
}

impl Manifest {
    /// An empty description.
    pub(super) fn new(chain_context: String, height: i64) -> Self {
        Self { v: VERSION, chain_context, height, ..Self::default() }
    }

    /// The height of the block whose hash must be known: the last in the file.
    pub fn trust_height(&self) -> i64 {
        self.height.saturating_add(HEADERS as i64 - 1)
    }

    /// The light block of a height.
    pub fn light_block(&self, height: i64) -> Option<proto::LightBlock> {
        let at = usize::try_from(height.checked_sub(self.height)?).ok()?;
        proto::LightBlock::decode(self.light_blocks.get(at)?.as_slice()).ok()
    }

    /// The hash that the last block has in this file. It is right only if others say so too.
    pub fn claimed_hash(&self) -> Option<Vec<u8>> {
        Some(self.light_block(self.trust_height())?.signed_header?.commit?.block_id.hash)
    }

    /// Bytes of all chunks.
    pub fn bytes(&self) -> u64 {
        self.lengths.iter().fold(0, |sum, length| sum.saturating_add(*length))
    }

    /// What is wrong with it, but for what it says of the network.
    fn check(&self) -> Result<(), String> {
        if self.v != VERSION {
            return Err(format!("expected version {VERSION} of snapshots, found {}", self.v));
        }
        if self.height < 1 || self.light_blocks.len() != HEADERS {
            return Err("expected the headers of three heights".to_owned());
        }
        let (chunks, lengths) = (self.state.chunks.len(), self.lengths.len());
        if chunks != lengths {
            return Err(format!("expected the lengths of {chunks} chunks, found {lengths}"));
        }
        match self.lengths.iter().find(|length| **length > MAX_CHUNK_BYTES) {
            Some(length) => Err(format!("expected chunks of up to {MAX_CHUNK_BYTES} bytes, found {length}")),
            None => Ok(()),
        }
    }
}

/// Reads a description.
pub fn read_manifest(bytes: &[u8]) -> Result<Manifest, String> {
    let manifest: Manifest = cbor::from_slice_higher_limits(bytes).map_err(|e| e.to_string())?;
    manifest.check()?;
    Ok(manifest)
}

/// What comes after the chunks.
pub(super) fn ending(manifest: &Manifest) -> Vec<u8> {
    let bytes = cbor::to_vec(manifest);
    let (length, hash) = (bytes.len() as u64, Hash::of(&bytes));
    [bytes.as_slice(), &length.to_be_bytes(), &hash.0, END].concat()
}

/// A file that is read, chunk after chunk.
pub struct Reader {
    path: PathBuf,
    from: BufReader<File>,
    manifest: Manifest,
    at: u64,
    next: usize,
}

impl Reader {
    /// Opens a file and reads what describes it.
    pub fn open(path: &Path) -> Result<Self, StartError> {
        let fail = |e: io::Error| StartError::at(path, e);
        let wrong = |reason: &str| StartError::at(path, format_args!("{reason}; fetch the file again"));
        let mut file = File::open(path).map_err(fail)?;
        let length = file.metadata().map_err(fail)?.len();
        let mut mark = [0; MARK.len()];
        if length < MARK.len() as u64 || file.read_exact(&mut mark).is_err() || &mark != MARK {
            return Err(StartError::at(path, "expected a snapshot that `oasis-node snapshot create` wrote, found another file"));
        }
        let cut = || wrong(&format!("the snapshot is cut off: its end is missing after {length} bytes"));
        let end = length.checked_sub(END_BYTES).filter(|end| *end >= MARK.len() as u64).ok_or_else(cut)?;
        file.seek(SeekFrom::Start(end)).map_err(fail)?;
        let mut tail = Vec::new();
        file.read_to_end(&mut tail).map_err(fail)?;
        let body = tail.strip_suffix(END).ok_or_else(cut)?;
        let (size, hash) = body.split_first_chunk::<8>().ok_or_else(cut)?;
        let size = u64::from_be_bytes(*size);
        let begin = end.checked_sub(size).filter(|begin| *begin >= MARK.len() as u64 && size <= MAX_MANIFEST);
        let damaged = |at: u64, reason: &str| wrong(&format!("the snapshot is damaged at byte {at}: {reason}"));
        let begin = begin.ok_or_else(|| damaged(end, "the description's length makes no sense"))?;
        file.seek(SeekFrom::Start(begin)).map_err(fail)?;
        let mut bytes = Vec::new();
        (&mut file).take(size).read_to_end(&mut bytes).map_err(fail)?;
        if Hash::of(&bytes).0 != *hash {
            return Err(damaged(begin, "the description has another hash"));
        }
        let manifest = read_manifest(&bytes).map_err(|e| StartError::at(path, format_args!("the description at byte {begin}: {e}")))?;
        if manifest.bytes().saturating_add(MARK.len() as u64) != begin {
            return Err(damaged(begin, "the chunks have other lengths than the description says"));
        }
        let at = MARK.len() as u64;
        file.seek(SeekFrom::Start(at)).map_err(fail)?;
        Ok(Self { path: path.to_owned(), from: BufReader::new(file), manifest, at, next: 0 })
    }

    /// What describes the file.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The next chunk with its number; none after the last.
    pub(super) fn next_chunk(&mut self) -> Result<Option<(usize, Vec<u8>)>, StartError> {
        let Some(length) = self.manifest.lengths.get(self.next) else { return Ok(None) };
        let mut bytes = Vec::new();
        (&mut self.from).take(*length).read_to_end(&mut bytes).map_err(|e| StartError::at(&self.path, e))?;
        let index = self.next;
        if self.manifest.state.chunks.get(index) != Some(&Hash::of(&bytes)) {
            return Err(self.damaged(index, "it has another hash"));
        }
        self.at = self.at.saturating_add(*length);
        self.next = index.saturating_add(1);
        Ok(Some((index, bytes)))
    }

    /// Says which chunk is wrong.
    pub(super) fn damaged(&self, index: usize, reason: impl std::fmt::Display) -> StartError {
        let all = self.manifest.lengths.len();
        StartError::at(
            &self.path,
            format_args!(
                "the snapshot is damaged in chunk {} of {all}, at byte {}: {reason}; fetch the file again",
                index.saturating_add(1),
                self.at
            ),
        )
    }
}
