//! Going through keys in order, with a proof of all that was visited.
//!
//! Which nodes are visited, and so are in the proof, is part of the format of checkpoints: this follows the original's
//! walk step by step, where [`crate::Iter`] is free to take the shortest way.

use super::{Proof, ProofBuilder};
use crate::{
    Error, Tree, bits,
    node::{Internal, Link, Node},
    small::Label,
};

/// Goes through keys and collects what it sees.
///
/// Source: go/storage/mkvs/iterator.go, `treeIterator`.
pub(crate) struct ProofIter<'a> {
    tree: &'a Tree,
    builder: ProofBuilder,
    /// Where to go on, the innermost node last.
    position: Vec<Atom<'a>>,
    key: Option<&'a [u8]>,
}

/// Source: go/storage/mkvs/iterator.go, `visitState`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Visit {
    Before,
    At,
    AtLeft,
    After,
}

/// Source: go/storage/mkvs/iterator.go, `pathAtom`.
struct Atom<'a> {
    path: Vec<u8>,
    link: &'a Link,
    depth: usize,
    state: Visit,
}

/// An internal node on the way down.
struct Frame<'a> {
    path: Vec<u8>,
    link: &'a Link,
    node: &'a Internal,
    depth: usize,
    key: Vec<u8>,
    /// Whether it is the right child that is being visited, not the left one.
    in_right: bool,
}

/// What to do next.
enum Step<'a> {
    Enter { link: &'a Link, depth: usize, path: Vec<u8>, key: Vec<u8>, state: Visit },
    Right { path: Vec<u8>, link: &'a Link, node: &'a Internal, depth: usize, key: Vec<u8> },
    Return,
}

impl<'a> ProofIter<'a> {
    /// Before the first key, with nothing visited.
    pub fn new(tree: &'a Tree) -> Self {
        let root = tree.root().hash;
        Self { tree, builder: ProofBuilder::new(root, root), position: Vec::new(), key: None }
    }

    /// The key where the iterator is.
    pub fn key(&self) -> Option<&'a [u8]> {
        self.key
    }

    /// The size of the proof so far.
    pub fn size(&self) -> u64 {
        self.builder.size()
    }

    /// The proof of everything visited.
    pub fn into_proof(self) -> Proof {
        self.builder.build()
    }

    /// Goes to a key or the next larger one.
    ///
    /// Source: go/storage/mkvs/iterator.go, `treeIterator.Seek`.
    pub fn seek(&mut self, key: &[u8]) -> Result<(), Error> {
        self.position.clear();
        self.key = None;
        let (tree, atoms) = (self.tree, &mut self.position);
        self.key = walk(tree, &mut self.builder, tree.root_link(), 0, Vec::new(), key.to_vec(), Visit::Before, atoms)?;
        Ok(())
    }

    /// Goes to the next key.
    ///
    /// Source: go/storage/mkvs/iterator.go, `treeIterator.Next`.
    pub fn advance(&mut self) -> Result<(), Error> {
        let Some(last) = self.key.take() else { return Ok(()) };
        while let Some(Atom { path, link, depth, state }) = self.position.pop() {
            let found = walk(self.tree, &mut self.builder, link, depth, path, last.to_vec(), state, &mut self.position)?;
            if found.is_some() {
                self.key = found;
                return Ok(());
            }
        }
        Ok(())
    }
}

/// Finds the first key that is not smaller than `key` below a link, and leaves on `atoms` where to go on from there.
///
/// Source: go/storage/mkvs/iterator.go, `treeIterator.doNext`.
#[allow(clippy::too_many_arguments, reason = "the original's walk")]
fn walk<'a>(
    tree: &'a Tree,
    builder: &mut ProofBuilder,
    link: &'a Link,
    depth: usize,
    path: Vec<u8>,
    key: Vec<u8>,
    state: Visit,
    atoms: &mut Vec<Atom<'a>>,
) -> Result<Option<&'a [u8]>, Error> {
    let mut frames: Vec<Frame<'a>> = Vec::new();
    let mut step = Step::Enter { link, depth, path, key, state };
    loop {
        step = match step {
            Step::Enter { link, depth, path, key, state } => {
                let found = tree.resolve(link)?;
                if let Some(node) = found {
                    builder.include(link, node);
                }
                match found {
                    None => Step::Return,
                    Some(Node::Leaf(leaf)) if *leaf.key >= *key => return Ok(Some(unwind(frames, atoms, &leaf.key))),
                    Some(Node::Leaf(_)) => Step::Return,
                    Some(Node::Internal(node)) => match enter(builder, node, depth, &path, key, state) {
                        Entered::Leaf(found) => {
                            let at = Atom { path, link, depth, state: Visit::At };
                            return Ok(Some(unwind_with(frames, atoms, at, found)));
                        }
                        Entered::Left(key) => {
                            let end = depth.saturating_add(node.label_bits.into());
                            let below = bits::append(&merge(&path, depth, node), end, false);
                            frames.push(Frame { path, link, node, depth, key: key.clone(), in_right: false });
                            Step::Enter { link: &node.left, depth: end, path: below, key, state: Visit::Before }
                        }
                        Entered::Right(key) => Step::Right { path, link, node, depth, key },
                        Entered::Nothing => Step::Return,
                    },
                }
            }
            Step::Right { path, link, node, depth, key } => {
                let end = depth.saturating_add(node.label_bits.into());
                let below = bits::append(&merge(&path, depth, node), end, true);
                frames.push(Frame { path, link, node, depth, key: Vec::new(), in_right: true });
                Step::Enter { link: &node.right, depth: end, path: below, key, state: Visit::Before }
            }
            Step::Return => match frames.pop() {
                None => return Ok(None),
                Some(Frame { in_right: true, .. }) => Step::Return,
                Some(Frame { path, link, node, depth, key, .. }) => {
                    let end = depth.saturating_add(node.label_bits.into());
                    Step::Right { path, link, node, depth, key: past_left(&key, end) }
                }
            },
        };
    }
}

/// Where an internal node leads first.
enum Entered<'a> {
    /// To the leaf inside it.
    Leaf(&'a [u8]),
    /// To the left with a key.
    Left(Vec<u8>),
    /// To the right with a key.
    Right(Vec<u8>),
    /// Nowhere.
    Nothing,
}

fn enter<'a>(builder: &mut ProofBuilder, node: &'a Internal, depth: usize, path: &[u8], mut key: Vec<u8>, mut state: Visit) -> Entered<'a> {
    let end = depth.saturating_add(node.label_bits.into());
    // A key that goes beyond this node's path and is smaller than it: everything here is larger.
    let take_first = end > 0 && bits::len(&key) >= end && *key < *merge(path, depth, node);
    if (state == Visit::Before && (bits::len(&key) <= end || take_first)) || state == Visit::At {
        if state == Visit::Before
            && let Some(embedded) = &node.leaf
        {
            builder.include_hashed(embedded.hash(), &Node::leaf(embedded.leaf.clone()));
            if *embedded.leaf.key >= *key {
                return Entered::Leaf(&embedded.leaf.key);
            }
        }
        if bits::len(&key) <= end {
            key = bits::append(&key, end, false);
        }
    }
    if state == Visit::Before {
        state = Visit::At;
    }
    match state {
        Visit::At if !bits::bit(&key, end) || take_first => Entered::Left(key),
        Visit::At => Entered::Right(key),
        Visit::AtLeft => Entered::Right(past_left(&key, end)),
        Visit::Before | Visit::After => Entered::Nothing,
    }
}

/// The path down to the end of a node's label.
fn merge(path: &[u8], depth: usize, node: &Internal) -> Label {
    bits::join(path, depth, &node.label, node.label_bits.into())
}

/// The smallest key to the right of a node whose path the key shares.
fn past_left(key: &[u8], end: usize) -> Vec<u8> {
    bits::append(&bits::slice(key, 0, end), end, true)
}

/// Notes where to go on after a key was found: the nodes on the way to it, the innermost to be taken up first.
fn unwind<'a>(frames: Vec<Frame<'a>>, atoms: &mut Vec<Atom<'a>>, found: &'a [u8]) -> &'a [u8] {
    atoms.extend(frames.into_iter().map(|Frame { path, link, depth, in_right, .. }| {
        let state = if in_right { Visit::After } else { Visit::AtLeft };
        Atom { path, link, depth, state }
    }));
    found
}

fn unwind_with<'a>(frames: Vec<Frame<'a>>, atoms: &mut Vec<Atom<'a>>, last: Atom<'a>, found: &'a [u8]) -> &'a [u8] {
    let found = unwind(frames, atoms, found);
    atoms.push(last);
    found
}
