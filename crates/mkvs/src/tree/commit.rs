//! Computing hashes and giving out what changed.

use oasis_primitives::hash::Hash;

use super::{
    Tree,
    hashing::{Hashes, UNCHANGED, hash_changed},
};
use crate::{
    Error,
    node::{Link, Node, State},
    root::Root,
    store::{NewNode, NodeKey, Place},
    write_log::{LogEntry, WriteLog},
};

/// What a commit changed. Its nodes have to reach the tree's store before the next commit.
#[derive(Clone, Debug)]
pub struct Commit {
    /// The new root.
    pub root: Root,
    /// The batch number that the commit was given.
    pub batch: u32,
    /// Where the root node is; none where the tree is empty.
    pub root_place: Option<Place>,
    /// The keys changed, in order. A key that was neither there before nor is there now is left out.
    pub write_log: WriteLog,
    /// The nodes to keep.
    pub nodes: Vec<NewNode>,
    /// Nodes of earlier commits that are not part of this root.
    pub removed: Vec<NodeKey>,
}

impl Tree {
    /// Ends a version: computes the root hash and gives out what changed since the last commit.
    ///
    /// Source: go/storage/mkvs/commit.go, `tree.Commit`.
    pub fn commit(&mut self, version: u64) -> Result<Commit, Error> {
        self.commit_batch(version, 0)
    }

    /// Like [`Tree::commit`]; the batch number keeps commits of several trees apart that go to one store at one version.
    pub fn commit_batch(&mut self, version: u64, batch: u32) -> Result<Commit, Error> {
        self.trim();
        self.finish(version, batch)
    }

    /// Like [`Tree::commit_batch`], but fails and leaves everything as it was if another root would come out.
    ///
    /// Source: go/storage/mkvs/commit.go, `tree.CommitKnown`.
    pub fn commit_known(&mut self, root: &Root, batch: u32) -> Result<Commit, Error> {
        self.trim();
        let hash = self.root_hash();
        if hash != root.hash {
            return Err(Error::KnownRootMismatch { expected: root.hash, got: hash });
        }
        self.finish(root.version, batch)
    }

    /// The hash of the tree as it is now. What was computed is kept for the commit.
    pub fn root_hash(&mut self) -> Hash {
        // More nodes than can be numbered do not fit into a commit either, which says so.
        if let Ok(hashes) = hash_changed(&self.root, |state| state == State::Dirty) {
            set_changed(&mut self.root, &hashes, |link, hash, _| link.set_hashed(hash));
        }
        self.root.hash().unwrap_or_default()
    }

    fn finish(&mut self, version: u64, batch: u32) -> Result<Commit, Error> {
        let hashes = hash_changed(&self.root, |state| matches!(state, State::Dirty | State::Hashed))?;
        let place = |index| Place { version, batch, index };
        set_changed(&mut self.root, &hashes, |link, hash, number| {
            link.set_hashed(hash);
            link.set_clean(place(number));
        });
        let (mut nodes, mut bytes) = (Vec::new(), 0usize);
        if self.keep_nodes {
            nodes.reserve_exact(hashes.len());
            visit_changed(&self.root, &hashes, |node, number| {
                bytes = bytes.saturating_add(node.size());
                nodes.push(NewNode { key: NodeKey { place: place(number), hash: hashes.hash(number) }, data: node.to_stored() });
            });
        }
        let loaded = self.loaded.get_mut();
        *loaded = loaded.saturating_add(bytes);
        self.generation = self.generation.wrapping_add(1);
        let write_log = std::mem::take(&mut self.pending)
            .into_iter()
            .filter(|(_, entry)| entry.value.is_some() || entry.existed)
            .map(|(key, entry)| LogEntry { key: key.into_vec().into(), value: entry.value.map(|v| v.to_vec()) })
            .collect();
        let removed = std::mem::take(&mut self.removed);
        self.base = Root { version, hash: self.root.hash().unwrap_or_default(), ..self.base };
        Ok(Commit { root: self.base, batch, root_place: self.root_place(), write_log, nodes, removed })
    }
}

/// Gives every link below `root` that changed its hash with `set`.
fn set_changed(root: &mut Link, hashes: &Hashes, set: impl Fn(&mut Link, Hash, u32)) {
    if hashes.len() == 0 {
        return;
    }
    let mut todo = vec![(root, 0)];
    while let Some((link, number)) = todo.pop() {
        set(link, hashes.hash(number), number);
        let [left, right] = hashes.children(number);
        if (left != UNCHANGED || right != UNCHANGED)
            && let Some((a, b)) = link.children_mut()
        {
            todo.extend([(b, right), (a, left)].into_iter().filter(|(_, number)| *number != UNCHANGED));
        }
    }
}

/// Visits every node below `root` that changed, parents first.
fn visit_changed(root: &Link, hashes: &Hashes, mut visit: impl FnMut(&Node, u32)) {
    if hashes.len() == 0 {
        return;
    }
    let mut todo = vec![(root, 0)];
    while let Some((link, number)) = todo.pop() {
        let Some(node) = link.node() else { continue };
        visit(node, number);
        let [left, right] = hashes.children(number);
        if let Some(node) = node.as_internal() {
            todo.extend([(&node.right, right), (&node.left, left)].into_iter().filter(|(_, number)| *number != UNCHANGED));
        }
    }
}
