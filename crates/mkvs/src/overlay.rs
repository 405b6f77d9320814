//! Changes that may be dropped.

use std::{collections::BTreeMap, iter::Peekable, ops::Bound, sync::Arc};

use crate::{Error, Tree, tree::Item};

/// Goes through the keys of an [`Overlay`] or [`Tree`] in order.
pub type OverlayIter<'a> = Box<dyn Iterator<Item = Item<'a>> + 'a>;

/// Keys and values that can be read and changed.
///
/// Source: go/storage/mkvs/mkvs.go, `KeyValueTree`.
pub trait KeyValue {
    /// The value of a key.
    fn get(&self, key: &[u8]) -> Result<Option<Arc<[u8]>>, Error>;
    /// Sets the value of a key.
    fn insert(&mut self, key: &[u8], value: &[u8]) -> Result<(), Error>;
    /// Removes a key if it is there.
    fn remove(&mut self, key: &[u8]) -> Result<(), Error>;
    /// The keys from `start` on in order.
    fn iter_from<'a>(&'a self, start: &[u8]) -> Result<OverlayIter<'a>, Error>;
}

impl KeyValue for Tree {
    fn get(&self, key: &[u8]) -> Result<Option<Arc<[u8]>>, Error> {
        Self::get(self, key)
    }

    fn insert(&mut self, key: &[u8], value: &[u8]) -> Result<(), Error> {
        Self::insert(self, key, value)
    }

    fn remove(&mut self, key: &[u8]) -> Result<(), Error> {
        Self::remove(self, key)
    }

    fn iter_from<'a>(&'a self, start: &[u8]) -> Result<OverlayIter<'a>, Error> {
        Ok(Box::new(Self::iter_from(self, start)?))
    }
}

impl<T: KeyValue + ?Sized> KeyValue for &mut T {
    fn get(&self, key: &[u8]) -> Result<Option<Arc<[u8]>>, Error> {
        (**self).get(key)
    }

    fn insert(&mut self, key: &[u8], value: &[u8]) -> Result<(), Error> {
        (**self).insert(key, value)
    }

    fn remove(&mut self, key: &[u8]) -> Result<(), Error> {
        (**self).remove(key)
    }

    fn iter_from<'a>(&'a self, start: &[u8]) -> Result<OverlayIter<'a>, Error> {
        (**self).iter_from(start)
    }
}

/// Changes over something else, which is not touched until [`Overlay::commit`].
///
/// Source: go/storage/mkvs/overlay.go.
#[derive(Clone, Debug)]
pub struct Overlay<T> {
    inner: T,
    changes: BTreeMap<Box<[u8]>, Option<Arc<[u8]>>>,
}

impl<T: KeyValue> Overlay<T> {
    /// No changes yet.
    pub fn new(inner: T) -> Self {
        Self { inner, changes: BTreeMap::new() }
    }

    /// Makes the changes below: first what was set, then what was removed, each in the order of keys.
    ///
    /// Source: go/storage/mkvs/overlay.go, `treeOverlay.Commit`.
    pub fn commit(mut self) -> Result<T, Error> {
        for (key, value) in &self.changes {
            if let Some(value) = value {
                self.inner.insert(key, value)?;
            }
        }
        for (key, value) in &self.changes {
            if value.is_none() {
                self.inner.remove(key)?;
            }
        }
        Ok(self.inner)
    }

    /// Drops the changes.
    pub fn discard(self) -> T {
        self.inner
    }
}

impl<T: KeyValue> KeyValue for Overlay<T> {
    fn get(&self, key: &[u8]) -> Result<Option<Arc<[u8]>>, Error> {
        match self.changes.get(key) {
            Some(change) => Ok(change.clone()),
            None => self.inner.get(key),
        }
    }

    fn insert(&mut self, key: &[u8], value: &[u8]) -> Result<(), Error> {
        if key.len() > crate::MAX_KEY_LEN {
            return Err(Error::KeyTooLong(key.len()));
        }
        self.changes.insert(key.into(), Some(value.into()));
        Ok(())
    }

    fn remove(&mut self, key: &[u8]) -> Result<(), Error> {
        if key.len() > crate::MAX_KEY_LEN {
            return Err(Error::KeyTooLong(key.len()));
        }
        self.changes.insert(key.into(), None);
        Ok(())
    }

    fn iter_from<'a>(&'a self, start: &[u8]) -> Result<OverlayIter<'a>, Error> {
        let changes = self.changes.range::<[u8], _>((Bound::Included(start), Bound::Unbounded));
        Ok(Box::new(Merged { inner: self.inner.iter_from(start)?.peekable(), changes: changes.peekable() }))
    }
}

/// Source: go/storage/mkvs/overlay.go, `treeOverlayIterator`.
struct Merged<'a, C: Iterator<Item = (&'a Box<[u8]>, &'a Option<Arc<[u8]>>)>> {
    inner: Peekable<OverlayIter<'a>>,
    changes: Peekable<C>,
}

impl<'a, C: Iterator<Item = (&'a Box<[u8]>, &'a Option<Arc<[u8]>>)>> Iterator for Merged<'a, C> {
    type Item = Item<'a>;

    fn next(&mut self) -> Option<Item<'a>> {
        loop {
            let inner_key = match self.inner.peek() {
                Some(Ok((key, _))) => Some(*key),
                Some(Err(_)) => return self.inner.next(),
                None => None,
            };
            let Some((key, _)) = self.changes.peek() else { return self.inner.next() };
            let key: &[u8] = key;
            if inner_key.is_some_and(|inner| inner < key) {
                return self.inner.next();
            }
            if inner_key == Some(key) {
                self.inner.next();
            }
            if let Some((key, Some(value))) = self.changes.next() {
                return Some(Ok((key, value)));
            }
        }
    }
}
