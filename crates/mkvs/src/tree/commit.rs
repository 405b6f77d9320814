//! Computing hashes and giving out what changed.

use oasis_primitives::hash::Hash;

use super::Tree;
use crate::{
    Error,
    node::{Link, NodeMut, State},
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
        walk_changed(&mut self.root, |state| state == State::Dirty, &mut update_hash);
        self.root.hash().unwrap_or_default()
    }

    fn finish(&mut self, version: u64, batch: u32) -> Result<Commit, Error> {
        let (mut nodes, mut index, mut bytes) = (Vec::new(), Some(0u32), 0usize);
        // Hashes and bytes in one walk: the nodes may be far apart in memory.
        walk_changed(&mut self.root, |state| matches!(state, State::Dirty | State::Hashed), &mut |link| {
            if link.state() == State::Dirty {
                update_hash(link);
            }
            let (Some(hash), Some(at)) = (link.hash(), index) else {
                index = None;
                return;
            };
            let place = Place { version, batch, index: at };
            if let Some(node) = link.node() {
                bytes = bytes.saturating_add(node.size());
                nodes.push(NewNode { key: NodeKey { place, hash }, data: node.to_stored() });
            }
            link.set_clean(place);
            index = at.checked_add(1);
        });
        if index.is_none() {
            return Err(Error::CommitTooLarge);
        }
        let loaded = self.loaded.get_mut();
        *loaded = loaded.saturating_add(bytes);
        self.generation = self.generation.wrapping_add(1);
        let write_log = std::mem::take(&mut self.pending)
            .into_iter()
            .filter(|(_, entry)| entry.value.is_some() || entry.existed)
            .map(|(key, entry)| LogEntry { key: key.into_vec().into(), value: entry.value.map(|v| v.to_vec()) })
            .collect();
        self.base = Root { version, hash: self.root.hash().unwrap_or_default(), ..self.base };
        Ok(Commit { root: self.base, batch, root_place: self.root_place(), write_log, nodes, removed: std::mem::take(&mut self.removed) })
    }
}

fn update_hash(link: &mut Link) {
    if let Some(hash) = link.node_mut().map(NodeMut::update_hash) {
        link.set_hashed(hash);
    }
}

/// Visits every link below `root` whose state `wanted` accepts, children before parents. A link that is not wanted has
/// no wanted ones below it, and visiting has to make it unwanted.
///
/// Source: go/storage/mkvs/commit.go, `doCommit`.
fn walk_changed(root: &mut Link, wanted: impl Fn(State) -> bool, visit: &mut dyn FnMut(&mut Link)) {
    if !wanted(root.state()) {
        return;
    }
    // Parents, each with its child on the way taken out and whether that was the right one.
    let mut path: Vec<(Link, bool)> = Vec::new();
    let mut current = root.take();
    loop {
        let next = match current.node().and_then(|n| n.as_internal()) {
            Some(node) if wanted(node.left.state()) => Some(false),
            Some(node) if wanted(node.right.state()) => Some(true),
            _ => None,
        };
        if let Some(right) = next
            && let Some(NodeMut::Internal(node)) = current.node_mut()
        {
            let child = if right { node.right.take() } else { node.left.take() };
            path.push((current, right));
            current = child;
            continue;
        }
        visit(&mut current);
        let Some((mut parent, right)) = path.pop() else {
            *root = current;
            return;
        };
        if let Some(NodeMut::Internal(node)) = parent.node_mut() {
            if right {
                node.right = current;
            } else {
                node.left = current;
            }
        }
        current = parent;
    }
}
