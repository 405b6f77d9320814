//! Serving and restoring snapshots.
//!
//! Source: go/consensus/tendermint/abci/mux.go, `ListSnapshots`, `OfferSnapshot`, `LoadSnapshotChunk`, `ApplySnapshotChunk`.

use oasis_consensus_engine::ports::{ApplyChunk, Fatal, OfferSnapshot, Snapshot};
use oasis_mkvs::{
    Root, RootType,
    checkpoint::{self, CheckpointError, Metadata, Restored},
};
use oasis_primitives::{cbor, hash::Hash, namespace::Namespace};

use crate::{
    backend::Backend,
    machine::{Machine, fatal},
};

/// The only format. Source: go/consensus/tendermint/abci/mux.go, `OfferSnapshot`.
const FORMAT: u32 = 1;

impl<T: Backend> Machine<T> {
    /// Source: go/consensus/tendermint/abci/mux.go, `ListSnapshots`.
    pub(crate) fn list_snapshots(&self) -> Vec<Snapshot> {
        let snapshot = |metadata: Metadata| {
            let encoded = cbor::to_vec(&metadata);
            Snapshot {
                height: metadata.root.version,
                format: metadata.version.into(),
                chunks: u32::try_from(metadata.chunks.len()).unwrap_or(u32::MAX),
                hash: Hash::of(&encoded).0.to_vec(),
                metadata: encoded,
            }
        };
        self.executor.tree().checkpoints().into_iter().rev().map(snapshot).collect()
    }

    /// Source: go/consensus/tendermint/abci/mux.go, `LoadSnapshotChunk`.
    pub(crate) fn load_chunk(&self, height: u64, format: u32, chunk: u32) -> Option<Vec<u8>> {
        let tree = self.executor.tree();
        let metadata = tree.checkpoints().into_iter().find(|m| m.root.version == height && u32::from(m.version) == format)?;
        tree.chunk(&metadata.chunk(chunk.into()).ok()?)
    }

    /// Source: go/consensus/tendermint/abci/mux.go, `OfferSnapshot`. What makes no sense in itself is refused here already,
    /// where the original stops syncing at its first chunk.
    pub(crate) fn start_restore(&mut self, snapshot: &Snapshot, app_hash: &[u8]) -> Result<OfferSnapshot, Fatal> {
        self.abort_restore()?;
        if snapshot.format != FORMAT {
            return Ok(OfferSnapshot::RejectFormat);
        }
        if Hash::of(&snapshot.metadata).0 != *snapshot.hash {
            return Ok(OfferSnapshot::Reject);
        }
        let Ok(metadata) = cbor::from_slice::<Metadata>(&snapshot.metadata) else { return Ok(OfferSnapshot::Reject) };
        let Some(app_hash) = Hash::from_slice(app_hash) else { return Ok(OfferSnapshot::Abort) };
        let Root { version, namespace, root_type, hash } = metadata.root;
        let chunks = metadata.chunks.len();
        let first = u64::try_from(self.network.document.height).unwrap_or_default();
        let right = hash == app_hash
            && usize::try_from(snapshot.chunks) == Ok(chunks)
            && chunks > 0
            && metadata.version == checkpoint::VERSION
            && version == snapshot.height
            && version >= first
            && namespace == Namespace::default()
            && root_type == RootType::STATE;
        if !right {
            return Ok(OfferSnapshot::Reject);
        }
        if self.executor.tree().latest().is_some_and(|(latest, _)| version <= latest) {
            return Ok(OfferSnapshot::Abort);
        }
        self.executor.tree_mut().start_restore(&metadata.root)?;
        match self.restorer.start(metadata) {
            Ok(()) => Ok(OfferSnapshot::Accept),
            Err(_) => Ok(OfferSnapshot::Abort),
        }
    }

    /// Stops restoring, where anything is being restored.
    pub(crate) fn abort_restore(&mut self) -> Result<(), Fatal> {
        if self.restorer.current().is_some() {
            self.restorer.abort();
            self.executor.tree_mut().abort_restore()?;
        }
        Ok(())
    }

    /// Source: go/consensus/tendermint/abci/mux.go, `ApplySnapshotChunk`.
    pub(crate) fn restore_chunk(&mut self, index: u32, chunk: &[u8]) -> Result<ApplyChunk, Fatal> {
        let Some(root) = self.restorer.current().map(|m| m.root) else {
            return Ok(ApplyChunk::Abort("a chunk came, but no snapshot is being restored".to_owned()));
        };
        let Restored { nodes, done } = match self.restorer.restore(index.into(), chunk) {
            Ok(restored) => restored,
            Err(CheckpointError::ChunkAlreadyRestored) => return Ok(ApplyChunk::Accept),
            Err(CheckpointError::ChunkCorrupted { .. }) => return Ok(ApplyChunk::RefetchFromOthers),
            Err(error @ CheckpointError::ChunkProofVerificationFailed(_)) => {
                self.executor.tree_mut().abort_restore()?;
                return Ok(ApplyChunk::RejectSnapshot(error.to_string()));
            }
            Err(error) => {
                self.restorer.abort();
                self.executor.tree_mut().abort_restore()?;
                return Ok(ApplyChunk::Abort(error.to_string()));
            }
        };
        self.executor.tree_mut().import(&root, nodes)?;
        if done {
            if !self.executor.tree_mut().finish_restore(&root)? {
                self.executor.tree_mut().abort_restore()?;
                return Ok(ApplyChunk::RejectSnapshot("its chunks are not the whole state".to_owned()));
            }
            self.on_restored()?;
            let found = self.executor.tree().latest();
            if found != Some((root.version, root.hash)) {
                return Err(fatal(format_args!("restored {root}, but the newest state is {found:?}")));
            }
        }
        Ok(ApplyChunk::Accept)
    }
}
