//! Versions of the state in memory.

use std::{collections::BTreeMap, sync::Arc};

use oasis_consensus_app::{
    error::{Error, Result},
    executor::{VersionedTree, apply_changes},
    store::{Changes, StateTree},
};
use oasis_consensus_engine::ports::Fatal;
use oasis_mkvs::{RootType, Tree};
use oasis_primitives::{hash::Hash, namespace::Namespace};

use crate::backend::{Backend, Note};

/// Versions of the state in memory. A clone shares all that is equal.
#[derive(Clone, Debug)]
pub struct Memory {
    tree: Tree,
    versions: BTreeMap<u64, (Tree, Note)>,
    next_note: Note,
    keep: usize,
}

impl Memory {
    /// An empty state of which the last `keep` versions stay, whatever the pruning strategy.
    pub fn new(keep: usize) -> Self {
        Self { tree: empty(), versions: BTreeMap::new(), next_note: Note::default(), keep: keep.max(1) }
    }

    /// Forgets all versions after one, and what is not committed, as a crash does to what was not synced. Where the version
    /// itself is not kept nothing stays.
    pub fn rewind(&mut self, version: u64) {
        match self.versions.get(&version) {
            Some((tree, note)) => {
                (self.tree, self.next_note) = (tree.clone(), note.clone());
                self.versions.retain(|v, _| *v <= version);
            }
            None => *self = Self::new(self.keep),
        }
    }
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
}
