//! Checkpoints as files, laid out as the original does: `VERSION/ROOT HASH/meta` and `VERSION/ROOT HASH/chunks/INDEX`.
//!
//! Source: go/storage/mkvs/checkpoint/file.go.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
};

use oasis_mkvs::{
    Root, Tree,
    checkpoint::{self, CheckpointError, ChunkMetadata, Creator, GetCheckpointsRequest, Metadata, Progress},
};
use oasis_primitives::cbor;

/// A directory of checkpoints.
#[derive(Clone, Debug)]
pub struct CheckpointDir {
    path: PathBuf,
}

/// An error of a checkpoint directory.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A checkpoint failed.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// A file failed.
    #[error("checkpoint: {}: {error}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
    /// The database failed.
    #[error(transparent)]
    Database(#[from] crate::Error),
    /// It was to end before its end.
    #[error("checkpoint: stopped")]
    Stopped,
    /// A description cannot be read.
    #[error("checkpoint: corrupted checkpoint metadata at {}: {reason}", path.display())]
    Metadata {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
}

fn file<T>(path: &Path, result: std::io::Result<T>) -> Result<T, Error> {
    result.map_err(|error| Error::File { path: path.to_owned(), error })
}

impl CheckpointDir {
    /// The checkpoints below a directory.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    fn root_dir(&self, root: &Root) -> PathBuf {
        self.path.join(root.version.to_string()).join(root.hash.to_string())
    }

    /// Makes a checkpoint of a tree without changes, or gives the one that is there.
    ///
    /// Source: go/storage/mkvs/checkpoint/file.go, `fileCreator.CreateCheckpoint`.
    pub fn create(&self, tree: &Tree, chunk_size: u64) -> Result<Metadata, Error> {
        self.create_with(tree.root(), chunk_size, &mut || Ok(tree.clone()))
    }

    /// Like [`Self::create`] for a tree that is opened anew for every chunk, so that memory holds no more than a chunk.
    /// An error from `open` ends it.
    pub fn create_with(&self, root: &Root, chunk_size: u64, open: &mut dyn FnMut() -> Result<Tree, Error>) -> Result<Metadata, Error> {
        let dir = self.root_dir(root);
        let meta = dir.join("meta");
        if meta.exists() {
            return read_metadata(&meta);
        }
        let made = Self::write(&dir, open, chunk_size);
        if made.is_err() {
            // What was written is of no use; the error that matters is the first.
            let _ = fs::remove_dir_all(&dir);
        }
        made
    }

    fn write(dir: &Path, open: &mut dyn FnMut() -> Result<Tree, Error>, chunk_size: u64) -> Result<Metadata, Error> {
        let chunks = dir.join("chunks");
        file(&chunks, fs::create_dir_all(&chunks))?;
        let mut progress = Progress::default();
        let mut index = 0u64;
        let metadata = loop {
            let tree = open()?;
            let mut creator = Creator::resume(&tree, chunk_size, progress)?;
            let Some(chunk) = creator.next_chunk()? else { break creator.metadata() };
            let path = chunks.join(index.to_string());
            file(&path, write_synced(&path, &chunk.data))?;
            index = index.saturating_add(1);
            progress = creator.into_progress();
        };
        // The description comes last and whole: where it stands, all chunks do.
        let (part, path) = (dir.join("meta.part"), dir.join("meta"));
        file(&part, write_synced(&part, &cbor::to_vec(&metadata)))?;
        file(&path, fs::rename(&part, &path))?;
        Ok(metadata)
    }

    /// The checkpoints that there are.
    ///
    /// Source: go/storage/mkvs/checkpoint/file.go, `fileCreator.GetCheckpoints`.
    pub fn list(&self, request: &GetCheckpointsRequest) -> Result<Vec<Metadata>, Error> {
        let mut out = Vec::new();
        if request.version != checkpoint::VERSION {
            return Ok(out);
        }
        for version in subdirectories(&self.path)? {
            let number = version.file_name().and_then(|n| n.to_str()).and_then(|n| n.parse::<u64>().ok());
            if number.is_none() || request.root_version.is_some_and(|wanted| number != Some(wanted)) {
                continue;
            }
            for root in subdirectories(&version)? {
                let meta = root.join("meta");
                if meta.exists() {
                    out.push(read_metadata(&meta)?);
                }
            }
        }
        Ok(out)
    }

    /// Removes what is left of checkpoints that were not finished.
    pub fn clean(&self) -> Result<(), Error> {
        for version in subdirectories(&self.path)? {
            for root in subdirectories(&version)? {
                if !root.join("meta").exists() {
                    file(&root, fs::remove_dir_all(&root))?;
                }
            }
            // Fails, as it should, where there are checkpoints.
            let _ = fs::remove_dir(&version);
        }
        Ok(())
    }

    /// The description of the checkpoint of a root.
    pub fn get(&self, version: u16, root: &Root) -> Result<Metadata, Error> {
        let meta = self.root_dir(root).join("meta");
        if version != checkpoint::VERSION || !meta.exists() {
            return Err(CheckpointError::NotFound.into());
        }
        read_metadata(&meta)
    }

    /// Removes the checkpoint of a root.
    ///
    /// Source: go/storage/mkvs/checkpoint/file.go, `fileCreator.DeleteCheckpoint`.
    pub fn delete(&self, version: u16, root: &Root) -> Result<(), Error> {
        let dir = self.root_dir(root);
        if version != checkpoint::VERSION || fs::remove_file(dir.join("meta")).is_err() {
            return Err(CheckpointError::NotFound.into());
        }
        file(&dir, fs::remove_dir_all(&dir))?;
        if let Some(parent) = dir.parent() {
            // Fails, as it should, where other roots have checkpoints.
            let _ = fs::remove_dir(parent);
        }
        Ok(())
    }

    /// The bytes of a chunk.
    ///
    /// Source: go/storage/mkvs/checkpoint/file.go, `fileCreator.GetCheckpointChunk`.
    pub fn chunk(&self, chunk: &ChunkMetadata) -> Result<Vec<u8>, Error> {
        let path = self.root_dir(&chunk.root).join("chunks").join(chunk.index.to_string());
        if chunk.version != checkpoint::VERSION || !path.exists() {
            return Err(CheckpointError::ChunkNotFound.into());
        }
        file(&path, fs::read(&path))
    }
}

fn subdirectories(path: &Path) -> Result<Vec<PathBuf>, Error> {
    if !path.exists() {
        return Ok(Vec::new());
    }
    let mut out = Vec::new();
    for entry in file(path, fs::read_dir(path))? {
        let entry = file(path, entry)?.path();
        if entry.is_dir() {
            out.push(entry);
        }
    }
    out.sort();
    Ok(out)
}

fn write_synced(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = fs::File::create(path)?;
    file.write_all(bytes)?;
    file.sync_data()
}

fn read_metadata(path: &Path) -> Result<Metadata, Error> {
    let bytes = file(path, fs::read(path))?;
    cbor::from_slice(&bytes).map_err(|e| Error::Metadata { path: path.to_owned(), reason: e.to_string() })
}
