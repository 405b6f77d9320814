//! Versions of the state in memory.

use std::{collections::BTreeMap, sync::Arc};

use oasis_consensus_abci::{Backend, CheckpointJob, Note};
use oasis_consensus_app::{
    error::{Error, Result},
    executor::{VersionedTree, apply_changes},
    store::{Changes, StateTree},
};
use oasis_consensus_engine::ports::Fatal;
use oasis_mkvs::{
    MemoryStore, NewNode, Place, Root, RootType, Tree,
    checkpoint::{CheckpointError, ChunkMetadata, Creator, Metadata},
};
use oasis_primitives::{hash::Hash, namespace::Namespace};

/// Versions of the state in memory. A clone shares all that is equal.
#[derive(Clone, Debug)]
pub struct Memory {
    tree: Tree,
    versions: BTreeMap<u64, (Tree, Note)>,
    next_note: Note,
    keep: usize,
    checkpoints: BTreeMap<u64, Arc<Checkpoint>>,
    checkpoint_error: Option<String>,
    restoring: Option<Arc<MemoryStore>>,
}

#[derive(Debug)]
struct Checkpoint {
    metadata: Metadata,
    chunks: Vec<Vec<u8>>,
}

impl Memory {
    /// An empty state of which the last `keep` versions stay, whatever the pruning strategy.
    pub fn new(keep: usize) -> Self {
        Self {
            tree: empty(),
            versions: BTreeMap::new(),
            next_note: Note::default(),
            keep: keep.max(1),
            checkpoints: BTreeMap::new(),
            checkpoint_error: None,
            restoring: None,
        }
    }

    /// Forgets all versions after one, and what is not committed, as a crash does to what was not synced. Where the version
    /// itself is not kept nothing stays.
    pub fn rewind(&mut self, version: u64) {
        self.restoring = None;
        self.checkpoints.retain(|v, _| *v <= version);
        match self.versions.get(&version) {
            Some((tree, note)) => {
                (self.tree, self.next_note) = (tree.clone(), note.clone());
                self.versions.retain(|v, _| *v <= version);
            }
            None => *self = Self::new(self.keep),
        }
    }
}

fn checkpoint(tree: &Tree, chunk_size: u64) -> Result<Checkpoint, CheckpointError> {
    let mut creator = Creator::new(tree, chunk_size)?;
    let mut chunks = Vec::new();
    while let Some(chunk) = creator.next_chunk()? {
        chunks.push(chunk.data);
    }
    Ok(Checkpoint { metadata: creator.metadata(), chunks })
}

fn empty() -> Tree {
    Tree::empty(Namespace::default(), RootType::STATE).without_write_log()
}

impl VersionedTree for Memory {
    fn snapshot(&self) -> Arc<dyn StateTree> {
        Arc::new(self.tree.clone())
    }

    fn at(&self, version: u64) -> Result<Option<Arc<dyn StateTree>>> {
        Ok(self.versions.get(&version).map(|(tree, _)| Arc::new(tree.clone()) as Arc<dyn StateTree>))
    }

    fn apply(&mut self, changes: Changes) -> Result<Changes> {
        apply_changes(&mut self.tree, changes)
    }

    fn root(&mut self) -> Result<Hash> {
        Ok(self.tree.root_hash())
    }

    fn commit(&mut self, version: u64) -> Result<Hash> {
        let commit = self.tree.commit(version).map_err(Error::fatal)?;
        self.versions.insert(version, (self.tree.clone(), self.next_note.clone()));
        while self.versions.len() > self.keep {
            self.versions.pop_first();
        }
        Ok(commit.root.hash)
    }

    fn discard(&mut self) -> Result<()> {
        (self.tree, self.next_note) = match self.versions.last_key_value() {
            Some((_, (tree, note))) => (tree.clone(), note.clone()),
            None => (empty(), Note::default()),
        };
        Ok(())
    }

    fn latest(&self) -> Option<(u64, Hash)> {
        self.versions.last_key_value().map(|(version, (tree, _))| (*version, tree.root().hash))
    }
}

impl Backend for Memory {
    const SYNC_EVERY: u64 = 1;

    fn note(&self) -> Result<Option<Note>, Fatal> {
        Ok(self.versions.last_key_value().map(|(_, (_, note))| note.clone()))
    }

    fn set_note(&mut self, note: Note) {
        self.next_note = note;
    }

    fn keep_note(&mut self, note: Note) -> Result<(), Fatal> {
        if let Some(mut last) = self.versions.last_entry() {
            last.get_mut().1 = note;
        }
        Ok(())
    }

    fn earliest(&self) -> Option<u64> {
        self.versions.first_key_value().map(|(version, _)| *version)
    }

    fn prune_earliest(&mut self) -> Result<(), Fatal> {
        if self.versions.len() > 1 {
            self.versions.pop_first();
        }
        Ok(())
    }

    fn sync(&self) -> Result<(), Fatal> {
        Ok(())
    }

    fn make_checkpoints(&mut self, job: CheckpointJob) {
        for version in job.versions {
            let Some((tree, _)) = self.versions.get(&version) else { continue };
            match checkpoint(tree, job.chunk_size) {
                Ok(made) => drop(self.checkpoints.insert(version, Arc::new(made))),
                Err(error) => self.checkpoint_error = Some(error.to_string()),
            }
        }
        while self.checkpoints.len() > job.keep {
            self.checkpoints.pop_first();
        }
    }

    fn making_from(&self) -> Option<u64> {
        None
    }

    fn checkpoint_error(&mut self) -> Option<String> {
        self.checkpoint_error.take()
    }

    fn checkpoints(&self) -> Vec<Metadata> {
        self.checkpoints.values().map(|c| c.metadata.clone()).collect()
    }

    fn chunk(&self, chunk: &ChunkMetadata) -> Option<Vec<u8>> {
        let checkpoint = self.checkpoints.get(&chunk.root.version)?;
        checkpoint.chunks.get(usize::try_from(chunk.index).ok()?).cloned()
    }

    fn start_restore(&mut self, root: &Root) -> Result<(), Fatal> {
        if self.latest().is_some_and(|(latest, _)| root.version <= latest) {
            return Err(Fatal::new(format_args!("version {} is there already", root.version)));
        }
        self.restoring = Some(Arc::default());
        Ok(())
    }

    fn import(&mut self, _root: &Root, nodes: Vec<NewNode>) -> Result<(), Fatal> {
        let store = self.restoring.as_ref().ok_or_else(|| Fatal::new("nothing is being restored"))?;
        store.insert(nodes);
        Ok(())
    }

    fn finish_restore(&mut self, root: &Root) -> Result<bool, Fatal> {
        let store = self.restoring.take().ok_or_else(|| Fatal::new("nothing is being restored"))?;
        let restored = Tree::with_root_at(store, *root, Place::by_hash(root.version));
        // Without a store, as all other versions are.
        let mut tree = empty();
        for entry in restored.iter() {
            let Ok((key, value)) = entry else { return Ok(false) };
            tree.insert(key, value).map_err(Fatal::new)?;
        }
        if tree.commit(root.version).map_err(Fatal::new)?.root.hash != root.hash {
            return Ok(false);
        }
        self.versions.insert(root.version, (tree, Note::default()));
        self.discard().map_err(Fatal::new)?;
        Ok(true)
    }

    fn abort_restore(&mut self) -> Result<(), Fatal> {
        self.restoring = None;
        Ok(())
    }
}
