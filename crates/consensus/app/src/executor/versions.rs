//! Versions of the state in memory, for tests and for replays without a data directory.

use std::{collections::BTreeMap, sync::Arc};

use oasis_mkvs::{RootType, Tree};
use oasis_primitives::{hash::Hash, namespace::Namespace};

use super::VersionedTree;
use crate::{
    error::{Error, Result},
    store::{Changes, Entries, StateTree, Value},
};

impl StateTree for Tree {
    fn get(&self, key: &[u8]) -> Result<Option<Value>> {
        Self::get(self, key).map_err(Error::fatal)
    }

    fn seek<'a>(&'a self, start: &[u8]) -> Entries<'a> {
        match self.iter_from(start) {
            Ok(entries) => Box::new(entries.map(|e| e.map(|(k, v)| (k.to_vec(), v.clone())).map_err(Error::fatal))),
            Err(error) => Box::new(std::iter::once(Err(Error::fatal(error)))),
        }
    }
}

/// Makes changes in a tree and returns those that changed something.
pub fn apply_changes(tree: &mut Tree, changes: Changes) -> Result<Changes> {
    let mut effective = Changes::new();
    for (key, change) in changes {
        if tree.get(&key).map_err(Error::fatal)? == change {
            continue;
        }
        match &change {
            Some(value) => tree.insert(&key, value),
            None => tree.remove(&key),
        }
        .map_err(Error::fatal)?;
        effective.insert(key, change);
    }
    Ok(effective)
}

/// A tree in memory with the last versions kept.
#[derive(Debug)]
pub struct MemoryVersions {
    tree: Tree,
    committed: Tree,
    versions: BTreeMap<u64, Tree>,
    keep: usize,
}

impl MemoryVersions {
    /// An empty state of which the last `keep` versions can be queried.
    pub fn new(keep: usize) -> Self {
        let tree = Tree::empty(Namespace::default(), RootType::STATE).without_write_log().without_nodes();
        Self { committed: tree.clone(), tree, versions: BTreeMap::new(), keep: keep.max(1) }
    }
}

impl VersionedTree for MemoryVersions {
    fn snapshot(&self) -> Arc<dyn StateTree> {
        Arc::new(self.tree.clone())
    }

    fn at(&self, version: u64) -> Result<Option<Arc<dyn StateTree>>> {
        Ok(self.versions.get(&version).map(|tree| Arc::new(tree.clone()) as Arc<dyn StateTree>))
    }

    fn apply(&mut self, changes: Changes) -> Result<Changes> {
        apply_changes(&mut self.tree, changes)
    }

    fn root(&mut self) -> Result<Hash> {
        Ok(self.tree.root_hash())
    }

    fn commit(&mut self, version: u64) -> Result<Hash> {
        let commit = self.tree.commit(version).map_err(Error::fatal)?;
        self.committed = self.tree.clone();
        self.versions.insert(version, self.tree.clone());
        while self.versions.len() > self.keep {
            self.versions.pop_first();
        }
        Ok(commit.root.hash)
    }

    fn discard(&mut self) -> Result<()> {
        self.tree = self.committed.clone();
        Ok(())
    }

    fn latest(&self) -> Option<(u64, Hash)> {
        self.versions.last_key_value().map(|(version, tree)| (*version, tree.root().hash))
    }
}
