//! Going through keys in order.

use std::sync::Arc;

use super::{Tree, check_key};
use crate::{
    Error, bits,
    node::{Leaf, Link, Node},
    store::NodeKey,
};

/// A key and its value, or the error that ends an iteration.
pub type Item<'a> = Result<(&'a [u8], &'a Arc<[u8]>), Error>;

/// Goes through keys in order. An error ends it.
pub struct Iter<'a> {
    tree: &'a Tree,
    /// What is still to come, the next on top.
    stack: Vec<Todo<'a>>,
}

enum Todo<'a> {
    Subtree(&'a Link),
    Leaf(&'a Leaf),
}

impl Tree {
    /// All keys in order.
    pub fn iter(&self) -> Iter<'_> {
        Iter { tree: self, stack: vec![Todo::Subtree(&self.root)] }
    }

    /// The keys from `start` on in order.
    ///
    /// Source: go/storage/mkvs/iterator.go, `treeIterator.Seek`.
    pub fn iter_from(&self, start: &[u8]) -> Result<Iter<'_>, Error> {
        check_key(start)?;
        let start_bits = bits::len(start);
        let mut stack = Vec::new();
        let mut link = &self.root;
        let mut depth = 0usize;
        loop {
            match self.resolve(link)? {
                None => break,
                Some(Node::Leaf(leaf)) => {
                    if *leaf.key >= *start {
                        stack.push(Todo::Leaf(leaf));
                    }
                    break;
                }
                Some(Node::Internal(node)) => {
                    let label_bits = usize::from(node.label_bits);
                    let common = bits::common(&node.label, label_bits, start, depth);
                    let at = depth.saturating_add(common);
                    if at == start_bits || (common < label_bits && bits::bit(&node.label, common)) {
                        // All keys below are at or after the start.
                        stack.push(Todo::Subtree(link));
                        break;
                    }
                    if common < label_bits {
                        break;
                    }
                    depth = at;
                    if bits::bit(start, depth) {
                        link = &node.right;
                    } else {
                        stack.push(Todo::Subtree(&node.right));
                        link = &node.left;
                    }
                }
            }
        }
        Ok(Iter { tree: self, stack })
    }

    /// The keys that start with `prefix` in order.
    pub fn iter_prefix<'a>(&'a self, prefix: &'a [u8]) -> Result<impl Iterator<Item = Item<'a>> + 'a, Error> {
        Ok(self.iter_from(prefix)?.take_while(move |item| item.as_ref().map_or(true, |(key, _)| key.starts_with(prefix))))
    }
}

/// Goes through nodes, parents before children.
struct NodeKeys<'a> {
    tree: &'a Tree,
    todo: Vec<Link>,
}

impl Tree {
    /// The names of all nodes that were committed, each read from the store and checked, and none kept in memory.
    pub fn node_keys(&self) -> impl Iterator<Item = Result<NodeKey, Error>> + '_ {
        NodeKeys { tree: self, todo: vec![self.root.clone()] }
    }
}

impl Iterator for NodeKeys<'_> {
    type Item = Result<NodeKey, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let link = self.todo.pop()?;
            match self.tree.resolve(&link) {
                Ok(None) => continue,
                Ok(Some(Node::Internal(node))) => self.todo.extend([node.right.clone(), node.left.clone()]),
                Ok(Some(Node::Leaf(_))) => {}
                Err(error) => {
                    self.todo.clear();
                    return Some(Err(error));
                }
            }
            if let Some(key) = link.key() {
                return Some(Ok(key));
            }
        }
    }
}

impl<'a> Iterator for Iter<'a> {
    type Item = Item<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let link = match self.stack.pop()? {
                Todo::Leaf(leaf) => return Some(Ok((&leaf.key, &leaf.value))),
                Todo::Subtree(link) => link,
            };
            match self.tree.resolve(link) {
                Ok(None) => {}
                Ok(Some(Node::Leaf(leaf))) => return Some(Ok((&leaf.key, &leaf.value))),
                Ok(Some(Node::Internal(node))) => {
                    self.stack.extend([Todo::Subtree(&node.right), Todo::Subtree(&node.left)]);
                    if let Some(embedded) = &node.leaf {
                        return Some(Ok((&embedded.leaf.key, &embedded.leaf.value)));
                    }
                }
                Err(error) => {
                    self.stack.clear();
                    return Some(Err(error));
                }
            }
        }
    }
}
