//! The state as the apps see it: layers of changes over a tree of one version.

use std::{
    collections::{BTreeMap, btree_map},
    iter::Peekable,
    ops::Bound,
    sync::Arc,
};

use oasis_primitives::cbor::{self, Decode, Encode};

use crate::error::{Error, Result};

/// A stored value.
pub type Value = Arc<[u8]>;

/// Changes by key; `None` removes.
pub type Changes = BTreeMap<Vec<u8>, Option<Value>>;

/// Entries in the order of their keys.
pub type Entries<'a> = Box<dyn Iterator<Item = Result<(Vec<u8>, Value)>> + 'a>;

/// A version of the state that can only be read.
pub trait StateTree: Send + Sync {
    /// The value of a key.
    fn get(&self, key: &[u8]) -> Result<Option<Value>>;

    /// The entries from `start` on, in the order of their keys.
    fn seek<'a>(&'a self, start: &[u8]) -> Entries<'a>;
}

impl StateTree for BTreeMap<Vec<u8>, Value> {
    fn get(&self, key: &[u8]) -> Result<Option<Value>> {
        Ok(BTreeMap::get(self, key).cloned())
    }

    fn seek<'a>(&'a self, start: &[u8]) -> Entries<'a> {
        let range = self.range::<[u8], _>((Bound::Included(start), Bound::Unbounded));
        Box::new(range.map(|(k, v)| Ok((k.clone(), v.clone()))))
    }
}

/// The state: a tree, and over it layers of changes of which the last is written to.
pub struct Store {
    tree: Arc<dyn StateTree>,
    layers: Vec<Changes>,
}

impl Store {
    /// The state of a tree without changes.
    pub fn new(tree: Arc<dyn StateTree>) -> Self {
        Self { tree, layers: vec![Changes::new()] }
    }

    /// An empty state.
    pub fn empty() -> Self {
        Self::new(Arc::new(BTreeMap::new()))
    }

    /// The value of a key.
    pub fn get(&self, key: &[u8]) -> Result<Option<Value>> {
        for layer in self.layers.iter().rev() {
            if let Some(change) = layer.get(key) {
                return Ok(change.clone());
            }
        }
        self.tree.get(key)
    }

    /// The decoded value of a key; what does not decode is damaged state.
    pub fn get_cbor<T: Decode>(&self, key: &[u8]) -> Result<Option<T>> {
        let Some(value) = self.get(key)? else { return Ok(None) };
        decode(key, &value).map(Some)
    }

    /// Whether the key has a value.
    pub fn contains(&self, key: &[u8]) -> Result<bool> {
        Ok(self.get(key)?.is_some())
    }

    /// Sets a key.
    pub fn insert(&mut self, key: &[u8], value: impl Into<Value>) {
        self.change(key, Some(value.into()));
    }

    /// Sets a key to an encoded value.
    pub fn insert_cbor<T: Encode + ?Sized>(&mut self, key: &[u8], value: &T) {
        self.insert(key, cbor::to_vec(value));
    }

    /// Removes a key.
    pub fn remove(&mut self, key: &[u8]) {
        self.change(key, None);
    }

    fn change(&mut self, key: &[u8], value: Option<Value>) {
        if self.layers.is_empty() {
            self.layers.push(Changes::new());
        }
        if let Some(layer) = self.layers.last_mut() {
            layer.insert(key.to_vec(), value);
        }
    }

    /// The entries whose keys start with `prefix`, in the order of their keys.
    ///
    /// The result does not change with later writes.
    pub fn iterate(&self, prefix: &[u8]) -> Result<Vec<(Vec<u8>, Value)>> {
        self.iter_from(prefix, prefix).collect()
    }

    /// The entries whose keys start with `prefix` and are not below `start`, read as they are asked for.
    pub fn iter_from<'a>(&'a self, prefix: &'a [u8], start: &[u8]) -> impl Iterator<Item = Result<(Vec<u8>, Value)>> + 'a {
        let start = start.max(prefix);
        let mut changes = BTreeMap::<&[u8], &Option<Value>>::new();
        for layer in &self.layers {
            let from_start = layer.range::<[u8], _>((Bound::Included(start), Bound::Unbounded));
            for (key, change) in from_start.take_while(|(k, _)| k.starts_with(prefix)) {
                changes.insert(key, change);
            }
        }
        Merge { changes: changes.into_iter().peekable(), tree: self.tree.seek(start).peekable(), prefix }
    }

    /// Opens a layer of changes.
    pub fn begin(&mut self) {
        self.layers.push(Changes::new());
    }

    /// Merges the last opened layer into the one below.
    pub fn commit(&mut self) {
        if self.layers.len() > 1
            && let Some(top) = self.layers.pop()
            && let Some(below) = self.layers.last_mut()
        {
            below.extend(top);
        }
    }

    /// Drops the last opened layer.
    pub fn rollback(&mut self) {
        if self.layers.len() > 1 {
            self.layers.pop();
        }
    }

    /// All changes over the tree, leaving none.
    pub fn take_changes(&mut self) -> Changes {
        while self.layers.len() > 1 {
            self.commit();
        }
        self.layers.first_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Puts another tree under a state without changes.
    pub fn reset(&mut self, tree: Arc<dyn StateTree>) {
        self.tree = tree;
        self.layers = vec![Changes::new()];
    }
}

/// Decodes a value of the state; one that does not decode is damaged state.
pub fn decode<T: Decode>(key: &[u8], value: &[u8]) -> Result<T> {
    cbor::from_slice(value).map_err(|e| Error::fatal(format!("value of key {}: {e}", Hex(key))))
}

struct Hex<'a>(&'a [u8]);

impl std::fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

/// Merges changes and a tree's entries; where both have a key the change counts.
struct Merge<'a> {
    changes: Peekable<btree_map::IntoIter<&'a [u8], &'a Option<Value>>>,
    tree: Peekable<Entries<'a>>,
    prefix: &'a [u8],
}

impl Iterator for Merge<'_> {
    type Item = Result<(Vec<u8>, Value)>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let in_tree = match self.tree.peek() {
                Some(Err(_)) => return self.tree.next(),
                Some(Ok((key, _))) if key.starts_with(self.prefix) => Some(key.as_slice()),
                _ => None,
            };
            match (self.changes.peek(), in_tree) {
                (None, None) => return None,
                (None, Some(_)) => return self.tree.next(),
                (Some((changed, _)), Some(key)) if key < *changed => return self.tree.next(),
                (Some((changed, _)), in_tree) => {
                    if in_tree == Some(*changed) {
                        self.tree.next();
                    }
                    let (key, change) = self.changes.next()?;
                    if let Some(value) = change {
                        return Some(Ok((key.to_vec(), value.clone())));
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(byte: u8) -> Value {
        vec![byte].into()
    }

    #[test]
    fn iteration_merges_layers_over_the_tree_in_key_order() {
        let tree: BTreeMap<Vec<u8>, Value> = (1..=5).map(|i| (vec![7, i], value(i))).collect();
        let mut store = Store::new(Arc::new(tree));
        store.remove(&[7, 2]);
        store.begin();
        store.insert(&[7, 3], vec![30]);
        store.insert(&[7, 0], vec![0]);
        store.insert(&[8, 0], vec![80]);
        let keys: Vec<_> = store.iterate(&[7]).unwrap().into_iter().map(|(k, v)| (k[1], v[0])).collect();
        assert_eq!(keys, [(0, 0), (1, 1), (3, 30), (4, 4), (5, 5)]);
        let keys: Vec<_> = store.iter_from(&[7], &[7, 3]).map(|e| e.unwrap().0[1]).collect();
        assert_eq!(keys, [3, 4, 5]);
    }

    #[test]
    fn a_rolled_back_layer_leaves_nothing() {
        let mut store = Store::empty();
        store.insert(&[1], vec![1]);
        store.begin();
        store.insert(&[1], vec![2]);
        store.rollback();
        assert_eq!(store.get(&[1]).unwrap(), Some(value(1)));
        store.begin();
        store.remove(&[1]);
        store.commit();
        assert_eq!(store.take_changes().into_iter().collect::<Vec<_>>(), [(vec![1], None)]);
    }
}
