//! The tree.

mod commit;
mod evict;
mod hashing;
mod iter;
mod update;

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use oasis_primitives::{hash::Hash, namespace::Namespace};

pub use commit::Commit;
pub use iter::{Item, Iter};

use crate::{
    Error, MAX_KEY_LEN, bits,
    node::{Leaf, Link, Node},
    root::{Root, RootType},
    store::{NodeKey, NodeStore, Place},
};

/// Memory that clean nodes may take by default, in bytes, before those not used lately are dropped.
const DEFAULT_BUDGET: usize = 48 << 20;

/// An authenticated key-value tree.
///
/// Reads load nodes from the store as they are needed and keep them. Changes stay in memory until [`Tree::commit`] gives
/// them out. A clone shares all nodes with the original and costs next to nothing; what is then changed in one is not
/// seen by the other.
pub struct Tree {
    root: Link,
    /// The root of the last commit.
    base: Root,
    store: Option<Arc<dyn NodeStore>>,
    pending: BTreeMap<Box<[u8]>, Pending>,
    keep_log: bool,
    keep_nodes: bool,
    removed: Vec<NodeKey>,
    generation: u32,
    budget: usize,
    loaded: AtomicUsize,
}

/// What a commit will say of a key.
#[derive(Clone, Debug)]
struct Pending {
    value: Option<Arc<[u8]>>,
    /// Whether the key was there at the last commit.
    existed: bool,
}

impl Clone for Tree {
    fn clone(&self) -> Self {
        Self {
            root: self.root.clone(),
            base: self.base,
            store: self.store.clone(),
            pending: self.pending.clone(),
            keep_log: self.keep_log,
            keep_nodes: self.keep_nodes,
            removed: self.removed.clone(),
            generation: self.generation,
            budget: self.budget,
            loaded: AtomicUsize::new(self.loaded.load(Ordering::Relaxed)),
        }
    }
}

impl std::fmt::Debug for Tree {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tree").field("base", &self.base).field("pending", &self.pending.len()).finish_non_exhaustive()
    }
}

impl Tree {
    /// A tree without keys and without a store: all of it stays in memory.
    pub fn empty(namespace: Namespace, root_type: RootType) -> Self {
        Self::new(Root::empty(namespace, 0, root_type), Link::default(), None)
    }

    /// The tree of a root, whose nodes the store keeps under their hashes.
    pub fn with_root(store: Arc<dyn NodeStore>, root: Root) -> Self {
        Self::with_root_at(store, root, Place::BY_HASH)
    }

    /// The tree of a root whose root node is at a place in the store.
    pub fn with_root_at(store: Arc<dyn NodeStore>, root: Root, place: Place) -> Self {
        Self::new(root, Link::stored(NodeKey { place, hash: root.hash }), Some(store))
    }

    pub(crate) fn new(base: Root, root: Link, store: Option<Arc<dyn NodeStore>>) -> Self {
        Self {
            root,
            base,
            store,
            pending: BTreeMap::new(),
            keep_log: true,
            keep_nodes: true,
            removed: Vec::new(),
            generation: 1,
            budget: DEFAULT_BUDGET,
            loaded: AtomicUsize::new(0),
        }
    }

    /// Sets how much memory clean nodes may take, in bytes, before those not used lately are dropped. A tree without a
    /// store drops nothing.
    #[must_use]
    pub fn with_budget(mut self, bytes: usize) -> Self {
        self.budget = bytes;
        self
    }

    /// Commits will have no write log, and changes need not be remembered for it.
    #[must_use]
    pub fn without_write_log(mut self) -> Self {
        self.keep_log = false;
        self
    }

    /// Commits will have neither nodes nor the names of those that became obsolete: for a tree without a store.
    #[must_use]
    pub fn without_nodes(mut self) -> Self {
        self.keep_nodes = false;
        self
    }

    /// The root of the last commit, or the one the tree was opened at.
    pub fn root(&self) -> &Root {
        &self.base
    }

    /// Whether nothing was changed since the last commit.
    pub fn is_clean(&self) -> bool {
        self.pending.is_empty() && self.root.hash() == Some(self.base.hash)
    }

    /// Where the root node is in the store, unless the tree is empty or changed.
    pub fn root_place(&self) -> Option<Place> {
        self.root.key().map(|k| k.place)
    }

    /// The value of a key.
    ///
    /// Source: go/storage/mkvs/lookup.go, `tree.doGet`.
    pub fn get(&self, key: &[u8]) -> Result<Option<Arc<[u8]>>, Error> {
        Ok(self.get_ref(key)?.cloned())
    }

    /// The value of a key, where it is in the tree.
    pub fn get_ref(&self, key: &[u8]) -> Result<Option<&Arc<[u8]>>, Error> {
        Ok(self.find(key)?.map(|leaf| &leaf.value))
    }

    /// Whether a key is there.
    pub fn contains(&self, key: &[u8]) -> Result<bool, Error> {
        Ok(self.find(key)?.is_some())
    }

    fn find(&self, key: &[u8]) -> Result<Option<&Leaf>, Error> {
        check_key(key)?;
        let key_bits = bits::len(key);
        let mut link = &self.root;
        let mut depth = 0usize;
        loop {
            match self.resolve(link)? {
                None => return Ok(None),
                Some(Node::Leaf(leaf)) => return Ok((*leaf.key == *key).then_some(leaf)),
                Some(Node::Internal(node)) => {
                    depth = depth.saturating_add(node.label_bits.into());
                    if key_bits < depth {
                        return Ok(None);
                    }
                    if key_bits == depth {
                        return Ok(node.leaf.as_ref().map(|e| &e.leaf).filter(|leaf| *leaf.key == *key));
                    }
                    link = if bits::bit(key, depth) { &node.right } else { &node.left };
                }
            }
        }
    }

    /// The node behind a link, read from the store if it is not in memory.
    #[inline]
    pub(crate) fn resolve<'a>(&self, link: &'a Link) -> Result<Option<&'a Node>, Error> {
        match link.node() {
            Some(node) => {
                link.touch(self.generation);
                Ok(Some(node))
            }
            None if link.is_empty() => Ok(None),
            None => self.load(link),
        }
    }

    #[cold]
    fn load<'a>(&self, link: &'a Link) -> Result<Option<&'a Node>, Error> {
        link.touch(self.generation);
        let key = link.key().ok_or(Error::DirtyRoot)?;
        let node = self.fetch(&key)?;
        let size = node.size();
        if link.fill(node) {
            self.loaded.fetch_add(size, Ordering::Relaxed);
        }
        Ok(link.node())
    }

    fn fetch(&self, key: &NodeKey) -> Result<Node, Error> {
        let data = match &self.store {
            Some(store) => store.node(key)?,
            None => None,
        };
        let data = data.ok_or(Error::NodeNotFound(*key))?;
        let node = Node::from_stored(&data).ok_or(Error::Damaged { key: *key, reason: "malformed" })?;
        if node.hash() != key.hash {
            return Err(Error::Damaged { key: *key, reason: "its hash is another" });
        }
        Ok(node)
    }

    pub(crate) fn root_link(&self) -> &Link {
        &self.root
    }

    /// The root hash, where nothing was changed since it was computed.
    pub(crate) fn known_hash(&self) -> Option<Hash> {
        self.root.hash()
    }
}

fn check_key(key: &[u8]) -> Result<(), Error> {
    if key.len() > MAX_KEY_LEN {
        return Err(Error::KeyTooLong(key.len()));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
