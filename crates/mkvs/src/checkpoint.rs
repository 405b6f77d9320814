//! Checkpoints: a whole tree cut into chunks, each of them a proof, so that it can be fetched from many and checked.
//!
//! A chunk is a sequence of CBOR byte strings, the entries of the proof, in the framing format of snappy.
//!
//! Source: go/storage/mkvs/checkpoint.

use std::{
    collections::BTreeSet,
    io::{Read, Write},
};

use oasis_primitives::{
    cbor::{self, Cbor, Decoder, Mode, NilVec},
    hash::Hash,
    namespace::Namespace,
};

use crate::{
    Error, NewNode, NodeKey, Place, Root, Tree,
    node::Node,
    proof::{self, Proof, ProofIter},
};

/// The only version of the format.
///
/// Source: go/storage/mkvs/checkpoint/file.go, `checkpointVersion`.
pub const VERSION: u16 = 1;

/// The most bytes that a chunk may have after decompression: a chunk is cut when it grows past its size, which nodes
/// configure to a few mebibytes, plus one value.
pub const MAX_CHUNK_BYTES: u64 = 256 << 20;

/// Asks which checkpoints there are.
///
/// Source: go/storage/mkvs/checkpoint/checkpoint.go, `GetCheckpointsRequest`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor)]
pub struct GetCheckpointsRequest {
    /// Version of the format.
    pub version: u16,
    /// Whose tree.
    pub namespace: Namespace,
    /// Only those of one version of the tree.
    #[cbor(omitempty)]
    pub root_version: Option<u64>,
}

/// Describes a chunk.
///
/// Source: go/storage/mkvs/checkpoint/checkpoint.go, `ChunkMetadata`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor)]
pub struct ChunkMetadata {
    /// Version of the format.
    pub version: u16,
    /// The root of the tree.
    pub root: Root,
    /// The chunk's number, from 0.
    pub index: u64,
    /// The hash of the compressed chunk.
    pub digest: Hash,
}

/// Describes a checkpoint.
///
/// Source: go/storage/mkvs/checkpoint/checkpoint.go, `Metadata`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor)]
pub struct Metadata {
    /// Version of the format.
    pub version: u16,
    /// The root of the tree.
    pub root: Root,
    /// The hashes of the compressed chunks in order.
    pub chunks: NilVec<Hash>,
}

impl Metadata {
    /// The hash of the encoding.
    ///
    /// Source: go/storage/mkvs/checkpoint/checkpoint.go, `Metadata.EncodedHash`.
    pub fn encoded_hash(&self) -> Hash {
        Hash::of_cbor(self)
    }

    /// Describes one chunk.
    ///
    /// Source: go/storage/mkvs/checkpoint/checkpoint.go, `Metadata.GetChunkMetadata`.
    pub fn chunk(&self, index: u64) -> Result<ChunkMetadata, CheckpointError> {
        let digest = usize::try_from(index).ok().and_then(|i| self.chunks.get(i)).ok_or(CheckpointError::ChunkNotFound)?;
        Ok(ChunkMetadata { version: self.version, root: self.root, index, digest: *digest })
    }
}

/// What can go wrong with checkpoints.
///
/// Source: go/storage/mkvs/checkpoint/checkpoint.go; the original's codes are those of [`CheckpointError::code`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// No such checkpoint.
    #[error("checkpoint: not found")]
    NotFound,
    /// No such chunk.
    #[error("checkpoint: chunk not found")]
    ChunkNotFound,
    /// Another checkpoint is being restored.
    #[error("checkpoint: restore already in progress")]
    RestoreAlreadyInProgress,
    /// No checkpoint is being restored.
    #[error("checkpoint: no restore in progress")]
    NoRestoreInProgress,
    /// The chunk was restored before.
    #[error("checkpoint: chunk already restored")]
    ChunkAlreadyRestored,
    /// The chunk is what the metadata says but does not belong to the root.
    #[error("chunk: chunk proof verification failed: {0}")]
    ChunkProofVerificationFailed(String),
    /// The chunk is not what the metadata says.
    #[error("chunk: corrupted chunk: digest incorrect (expected: {expected} got: {got})")]
    ChunkCorrupted {
        /// The digest in the metadata.
        expected: Hash,
        /// The chunk's digest.
        got: Hash,
    },
    /// The tree could not be read.
    #[error("chunk: failed to iterate: {0}")]
    Tree(#[from] Error),
    /// The compressor failed.
    #[error("chunk: failed to encode chunk part: {0}")]
    Compression(String),
}

impl CheckpointError {
    /// The module name of the original's errors.
    pub const MODULE: &str = "storage/mkvs/checkpoint";

    /// The original's code, if the error has one.
    pub fn code(&self) -> Option<u32> {
        Some(match self {
            Self::NotFound => 1,
            Self::ChunkNotFound => 2,
            Self::RestoreAlreadyInProgress => 3,
            Self::NoRestoreInProgress => 4,
            Self::ChunkAlreadyRestored => 5,
            Self::ChunkProofVerificationFailed(_) => 6,
            Self::ChunkCorrupted { .. } => 7,
            Self::Tree(_) | Self::Compression(_) => return None,
        })
    }
}

/// A chunk that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// The compressed bytes.
    pub data: Vec<u8>,
    /// Their hash.
    pub digest: Hash,
}

/// Makes the chunks of a tree one after another.
///
/// Source: go/storage/mkvs/checkpoint/file.go, `fileCreator.CreateCheckpoint`.
pub struct Creator<'a> {
    tree: &'a Tree,
    chunk_size: u64,
    progress: Progress,
}

/// How far the making of chunks came.
#[derive(Clone, Debug)]
pub struct Progress {
    /// The key where the next chunk starts; none when all chunks were made.
    offset: Option<Vec<u8>>,
    digests: Vec<Hash>,
}

impl Default for Progress {
    fn default() -> Self {
        Self { offset: Some(Vec::new()), digests: Vec::new() }
    }
}

impl<'a> Creator<'a> {
    /// Chunks of a tree without changes, each cut when it has at least `chunk_size` bytes before compression.
    pub fn new(tree: &'a Tree, chunk_size: u64) -> Result<Self, CheckpointError> {
        Self::resume(tree, chunk_size, Progress::default())
    }

    /// Goes on with another handle of the same tree, which has nothing in memory of what earlier chunks read.
    pub fn resume(tree: &'a Tree, chunk_size: u64, progress: Progress) -> Result<Self, CheckpointError> {
        if !tree.is_clean() {
            return Err(Error::DirtyRoot.into());
        }
        Ok(Self { tree, chunk_size, progress })
    }

    /// How far it came.
    pub fn into_progress(self) -> Progress {
        self.progress
    }

    /// The next chunk; none when there are no more.
    ///
    /// Source: go/storage/mkvs/checkpoint/chunk.go, `createChunk`.
    pub fn next_chunk(&mut self) -> Result<Option<Chunk>, CheckpointError> {
        let Some(offset) = &self.progress.offset else { return Ok(None) };
        let mut iter = ProofIter::new(self.tree);
        iter.seek(offset)?;
        while iter.key().is_some() && iter.size() < self.chunk_size {
            iter.advance()?;
        }
        // Finding where the next chunk starts visits nodes that are not in this chunk's proof.
        let mut ahead = ProofIter::new(self.tree);
        let next = match iter.key() {
            Some(key) => {
                ahead.seek(key)?;
                ahead.advance()?;
                ahead.key().map(<[u8]>::to_vec)
            }
            None => None,
        };
        let data = compress(&iter.into_proof())?;
        let digest = Hash::of(&data);
        self.progress.digests.push(digest);
        self.progress.offset = next;
        Ok(Some(Chunk { data, digest }))
    }

    /// Describes the checkpoint, after all chunks were made.
    pub fn metadata(&self) -> Metadata {
        Metadata { version: VERSION, root: *self.tree.root(), chunks: self.progress.digests.clone().into() }
    }
}

fn compress(proof: &Proof) -> Result<Vec<u8>, CheckpointError> {
    let failed = |e: std::io::Error| CheckpointError::Compression(e.to_string());
    let mut writer = snap::write::FrameEncoder::new(Vec::new());
    for entry in proof.entries.iter() {
        writer.write_all(&cbor::to_vec(entry)).map_err(failed)?;
    }
    writer.into_inner().map_err(|e| CheckpointError::Compression(e.to_string()))
}

/// Reads the entries of a chunk.
///
/// Source: go/storage/mkvs/checkpoint/chunk.go, `restoreChunk`.
fn decompress(data: &[u8]) -> Result<Vec<NilVec<u8>>, String> {
    let mut plain = Vec::new();
    let limit = MAX_CHUNK_BYTES.saturating_add(1);
    snap::read::FrameDecoder::new(data).take(limit).read_to_end(&mut plain).map_err(|e| format!("failed to decode chunk: {e}"))?;
    if plain.len() as u64 > MAX_CHUNK_BYTES {
        return Err("failed to decode chunk: too large".to_owned());
    }
    let mut rest = plain.as_slice();
    let mut entries = Vec::new();
    while !rest.is_empty() {
        let mut decoder = Decoder::new(rest, Mode::Untrusted).map_err(|e| format!("failed to decode chunk: {e}"))?;
        entries.push(decoder.value().map_err(|e| format!("failed to decode chunk: {e}"))?);
        rest = decoder.rest();
    }
    Ok(entries)
}

/// Checks a chunk and gives its nodes, named by their hashes among those of the root's version ([`Place::by_hash`]).
///
/// Source: go/storage/mkvs/checkpoint/chunk.go, `restoreChunk`, `doRestoreChunk`.
pub fn restore_chunk(chunk: &ChunkMetadata, data: &[u8]) -> Result<Vec<NewNode>, CheckpointError> {
    let got = Hash::of(data);
    if got != chunk.digest {
        return Err(CheckpointError::ChunkCorrupted { expected: chunk.digest, got });
    }
    let entries = decompress(data).map_err(CheckpointError::ChunkProofVerificationFailed)?;
    let proof = Proof { untrusted_root: chunk.root.hash, entries: entries.into() };
    let root = proof::verify_link(chunk.root.hash, &proof).map_err(|e| CheckpointError::ChunkProofVerificationFailed(e.to_string()))?;
    let place = Place::by_hash(chunk.root.version);
    let mut nodes = Vec::new();
    let mut stack = vec![&root];
    while let Some(link) = stack.pop() {
        let (Some(node), Some(hash)) = (link.node(), link.hash()) else { continue };
        nodes.push(NewNode { key: NodeKey { place, hash }, data: node.to_stored_at(place) });
        if let Node::Internal(node) = node {
            stack.extend([&node.right, &node.left]);
        }
    }
    Ok(nodes)
}

/// Keeps track of a checkpoint that is being restored.
///
/// Source: go/storage/mkvs/checkpoint/restorer.go.
#[derive(Clone, Debug, Default)]
pub struct Restorer {
    current: Option<Metadata>,
    pending: BTreeSet<u64>,
}

/// What restoring a chunk came to.
#[derive(Clone, Debug)]
pub struct Restored {
    /// Nodes to keep.
    pub nodes: Vec<NewNode>,
    /// Whether this was the last chunk missing.
    pub done: bool,
}

impl Restorer {
    /// Nothing is being restored.
    pub fn new() -> Self {
        Self::default()
    }

    /// Starts to restore a checkpoint.
    pub fn start(&mut self, checkpoint: Metadata) -> Result<(), CheckpointError> {
        if self.current.is_some() {
            return Err(CheckpointError::RestoreAlreadyInProgress);
        }
        self.pending = (0..checkpoint.chunks.len() as u64).collect();
        self.current = Some(checkpoint);
        Ok(())
    }

    /// Stops; nothing happens where nothing is being restored.
    pub fn abort(&mut self) {
        *self = Self::default();
    }

    /// The checkpoint that is being restored.
    pub fn current(&self) -> Option<&Metadata> {
        self.current.as_ref()
    }

    /// The chunks that are missing.
    pub fn pending(&self) -> &BTreeSet<u64> {
        &self.pending
    }

    /// Checks a chunk. A chunk that is what the metadata says but does not belong to the root ends the restoration,
    /// since then no other source can give a better one.
    pub fn restore(&mut self, index: u64, data: &[u8]) -> Result<Restored, CheckpointError> {
        let current = self.current.as_ref().ok_or(CheckpointError::NoRestoreInProgress)?;
        if !self.pending.contains(&index) {
            return Err(CheckpointError::ChunkAlreadyRestored);
        }
        let nodes = match restore_chunk(&current.chunk(index)?, data) {
            Err(error @ CheckpointError::ChunkProofVerificationFailed(_)) => {
                self.abort();
                return Err(error);
            }
            other => other?,
        };
        self.pending.remove(&index);
        let done = self.pending.is_empty();
        if done {
            self.abort();
        }
        Ok(Restored { nodes, done })
    }
}
