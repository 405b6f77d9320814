//! Inserting and removing keys.
//!
//! Both first walk down reading only, so that an error of the store leaves the tree as it was.

use std::sync::Arc;

use super::{Pending, Tree, check_key};
use crate::{
    Error, bits,
    node::{Embedded, Internal, Leaf, Link, Node, NodeMut},
    store::NodeKey,
};

impl Tree {
    /// Sets the value of a key.
    ///
    /// Source: go/storage/mkvs/insert.go, `tree.Insert`.
    pub fn insert(&mut self, key: &[u8], value: &[u8]) -> Result<(), Error> {
        let existing = self.find(key)?.map(|leaf| &leaf.value);
        let existed = existing.is_some();
        let value: Arc<[u8]> = match existing {
            // An equal value changes no node but stands in the write log.
            Some(same) if **same == *value => same.clone(),
            _ => {
                let value: Arc<[u8]> = value.into();
                insert(&mut self.root, key, value.clone(), self.generation, &mut self.removed);
                value
            }
        };
        self.forget_removed();
        self.note(key, Some(value), existed);
        Ok(())
    }

    /// Removes a key if it is there.
    ///
    /// Source: go/storage/mkvs/remove.go, `tree.Remove`.
    pub fn remove(&mut self, key: &[u8]) -> Result<(), Error> {
        self.remove_existing(key).map(drop)
    }

    /// Removes a key if it is there and gives the value that it had.
    ///
    /// Source: go/storage/mkvs/remove.go, `tree.RemoveExisting`.
    pub fn remove_existing(&mut self, key: &[u8]) -> Result<Option<Arc<[u8]>>, Error> {
        let existing = self.find_for_removal(key)?;
        if existing.is_some() {
            remove(&mut self.root, key, &mut self.removed);
        }
        self.forget_removed();
        self.note(key, None, existing.is_some());
        Ok(existing)
    }

    /// Applies the changes of a write log.
    ///
    /// Source: go/storage/mkvs/tree.go, `tree.ApplyWriteLog`.
    pub fn apply_write_log(&mut self, log: &[crate::LogEntry]) -> Result<(), Error> {
        for entry in log {
            match &entry.value {
                Some(value) => self.insert(&entry.key, value)?,
                None => self.remove(&entry.key)?,
            }
        }
        Ok(())
    }

    fn forget_removed(&mut self) {
        if !self.keep_nodes {
            self.removed.clear();
        }
    }

    fn note(&mut self, key: &[u8], value: Option<Arc<[u8]>>, existed: bool) {
        if !self.keep_log {
            return;
        }
        match self.pending.get_mut(key) {
            Some(entry) => entry.value = value,
            None => {
                self.pending.insert(key.into(), Pending { value, existed });
            }
        }
    }

    /// The value of a key, with everything in memory that its removal may change.
    fn find_for_removal(&self, key: &[u8]) -> Result<Option<Arc<[u8]>>, Error> {
        check_key(key)?;
        let key_bits = bits::len(key);
        let mut parent: Option<&Internal> = None;
        let mut link = &self.root;
        let mut depth = 0usize;
        let found = loop {
            match self.resolve(link)? {
                None => break None,
                Some(Node::Leaf(leaf)) => break (*leaf.key == *key).then_some(&**leaf),
                Some(Node::Internal(node)) => {
                    depth = depth.saturating_add(node.label_bits.into());
                    parent = Some(node);
                    if key_bits < depth {
                        break None;
                    }
                    if key_bits == depth {
                        break node.leaf.as_ref().map(|e| &e.leaf).filter(|leaf| *leaf.key == *key);
                    }
                    link = if bits::bit(key, depth) { &node.right } else { &node.left };
                }
            }
        };
        if let (Some(_), Some(node)) = (found, parent) {
            self.resolve(&node.left)?;
            self.resolve(&node.right)?;
        }
        Ok(found.map(|leaf| leaf.value.clone()))
    }
}

/// Sets a value along a path that is in memory.
///
/// Source: go/storage/mkvs/insert.go, `tree.doInsert`.
fn insert(root: &mut Link, key: &[u8], value: Arc<[u8]>, generation: u32, removed: &mut Vec<NodeKey>) {
    let key_bits = bits::len(key);
    let mut link = root;
    let mut depth = 0usize;
    loop {
        if link.is_empty() {
            *link = new_leaf(key, value, generation);
            return;
        }
        // Where the path parts: the bits in common, and whether the node there goes on with a one.
        let (common, node_bit, node_is_leaf) = match link.node() {
            None => return,
            Some(Node::Leaf(leaf)) => {
                if *leaf.key == *key {
                    if let Some(NodeMut::Leaf(leaf)) = link.change(removed) {
                        leaf.value = value;
                    }
                    return;
                }
                let common = bits::common_keys(&leaf.key, key, depth);
                let at = depth.saturating_add(common);
                // A leaf whose key ends here goes inside the new node.
                let bit = (bits::len(&leaf.key) > at).then(|| bits::bit(&leaf.key, at));
                (common, bit, true)
            }
            Some(Node::Internal(node)) => {
                let label_bits = usize::from(node.label_bits);
                let common = bits::common(&node.label, label_bits, key, depth);
                if common == label_bits {
                    let Some(NodeMut::Internal(node)) = link.change(removed) else { return };
                    depth = depth.saturating_add(label_bits);
                    if key_bits == depth {
                        node.leaf = Some(Embedded::new(Leaf::new(key, value)));
                        return;
                    }
                    link = if bits::bit(key, depth) { &mut node.right } else { &mut node.left };
                    continue;
                }
                (common, Some(bits::bit(&node.label, common)), false)
            }
        };
        split(link, key, value, depth, common, node_bit, node_is_leaf, generation, removed);
        return;
    }
}

/// Puts an internal node above the node of a link, with a new leaf beside it.
#[allow(clippy::too_many_arguments, reason = "the second half of the function above")]
fn split(
    link: &mut Link,
    key: &[u8],
    value: Arc<[u8]>,
    depth: usize,
    common: usize,
    node_bit: Option<bool>,
    node_is_leaf: bool,
    generation: u32,
    removed: &mut Vec<NodeKey>,
) {
    let at = depth.saturating_add(common);
    let mut parent = Internal::default();
    parent.label = bits::slice(key, depth, at);
    parent.label_bits = to_u16(common);
    let mut old = link.take();
    if !node_is_leaf && let Some(NodeMut::Internal(node)) = old.change(removed) {
        let label_bits = usize::from(node.label_bits);
        node.label = bits::slice(&node.label, common, label_bits);
        node.label_bits = to_u16(label_bits.saturating_sub(common));
    }
    match node_bit {
        Some(false) => parent.left = old,
        Some(true) => parent.right = old,
        None => {
            removed.extend(old.key());
            if let Some(NodeMut::Leaf(leaf)) = old.node_mut() {
                parent.leaf = Some(Embedded::new(leaf.clone()));
            }
        }
    }
    if bits::len(key) == at {
        parent.leaf = Some(Embedded::new(Leaf::new(key, value)));
    } else if bits::bit(key, at) {
        parent.right = new_leaf(key, value, generation);
    } else {
        parent.left = new_leaf(key, value, generation);
    }
    *link = Link::new(Node::internal(parent));
    link.touch(generation);
}

fn new_leaf(key: &[u8], value: Arc<[u8]>, generation: u32) -> Link {
    let link = Link::new(Node::leaf(Leaf::new(key, value)));
    link.touch(generation);
    link
}

/// Keys have fewer than 2¹⁶ bits.
fn to_u16(bits: usize) -> u16 {
    u16::try_from(bits).unwrap_or(u16::MAX)
}

/// Removes a key that is there along a path that is in memory.
///
/// Source: go/storage/mkvs/remove.go, `tree.doRemove`.
fn remove(root: &mut Link, key: &[u8], removed: &mut Vec<NodeKey>) {
    let key_bits = bits::len(key);
    let mut link = root;
    let mut depth = 0usize;
    loop {
        let ends_here = match link.node() {
            None => return,
            Some(Node::Leaf(_)) => {
                removed.extend(link.key());
                *link = Link::default();
                return;
            }
            Some(Node::Internal(node)) => {
                depth = depth.saturating_add(node.label_bits.into());
                let child = if bits::bit(key, depth) { &node.right } else { &node.left };
                key_bits == depth || matches!(child.node(), Some(Node::Leaf(_)))
            }
        };
        let right = bits::bit(key, depth);
        if ends_here {
            let Some(NodeMut::Internal(node)) = link.change(removed) else { return };
            if key_bits == depth {
                node.leaf = None;
            } else {
                let child = if right { &mut node.right } else { &mut node.left };
                removed.extend(child.key());
                *child = Link::default();
            }
            if let Some(only) = collapse(node, removed) {
                *link = only;
            }
            return;
        }
        let Some(NodeMut::Internal(node)) = link.change(removed) else { return };
        link = if right { &mut node.right } else { &mut node.left };
    }
}

/// What takes the place of an internal node that has only one child left.
fn collapse(node: &mut Internal, removed: &mut Vec<NodeKey>) -> Option<Link> {
    match (node.leaf.take(), node.left.is_empty(), node.right.is_empty()) {
        (Some(only), true, true) => Some(Link::new(Node::leaf(only.leaf))),
        (None, true, true) => Some(Link::default()),
        (None, left_empty, right_empty) if left_empty || right_empty => {
            let mut only = if left_empty { node.right.take() } else { node.left.take() };
            let is_internal = only.node().is_some_and(|n| n.as_internal().is_some());
            if is_internal && let Some(NodeMut::Internal(child)) = only.change(removed) {
                let (a, b) = (usize::from(node.label_bits), usize::from(child.label_bits));
                child.label = bits::join(&node.label, a, &child.label, b);
                child.label_bits = to_u16(a.saturating_add(b));
            }
            Some(only)
        }
        (leaf, _, _) => {
            node.leaf = leaf;
            None
        }
    }
}
