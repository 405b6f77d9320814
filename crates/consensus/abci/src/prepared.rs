//! Transactions that were decoded and whose signatures were verified: a transaction is checked when it comes, again after
//! each block, and executed at last, and its signature need be verified only once.

use std::{collections::BTreeMap, sync::Arc};

use oasis_consensus_app::executor::{PreparedTx, Preparer};
use oasis_consensus_engine::merkle::{Sha256Hash, sha256};
use oasis_primitives::signature::{SignatureRules, UnpackedKeys};

/// What an entry takes beside the transaction's bytes; the decoded form takes about as much as the bytes again.
const OVERHEAD: usize = 512;
/// Public keys whose points are remembered, about 200 bytes each: once there are more, all are forgotten.
const MAX_KEYS: usize = 1 << 13;

/// Remembers the newest prepared transactions.
pub(crate) struct PreparedCache {
    limit: usize,
    bytes: usize,
    next: u64,
    entries: BTreeMap<Sha256Hash, Entry>,
    order: BTreeMap<u64, Sha256Hash>,
    keys: UnpackedKeys,
}

struct Entry {
    tx: Arc<PreparedTx>,
    size: usize,
    number: u64,
}

impl PreparedCache {
    /// Remembers up to about `limit` bytes.
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, bytes: 0, next: 0, entries: BTreeMap::new(), order: BTreeMap::new(), keys: UnpackedKeys::default() }
    }

    /// Prepares a transaction for a check, and remembers it.
    pub(crate) fn check(&mut self, raw: &[u8], rules: &SignatureRules) -> Arc<PreparedTx> {
        let hash = sha256(raw);
        if let Some(entry) = self.entries.get(&hash) {
            return Arc::clone(&entry.tx);
        }
        let (tx, keys) = self.preparer(rules).only(raw);
        self.keep(keys);
        let tx = Arc::new(tx);
        self.remember(hash, Arc::clone(&tx), raw.len());
        tx
    }

    /// Prepares transactions that are not known for their checks, in one batch, and remembers them.
    pub(crate) fn prepare(&mut self, txs: &[&[u8]], rules: &SignatureRules) {
        let mut preparer = self.preparer(rules);
        let mut new = Vec::new();
        for raw in txs {
            let hash = sha256(raw);
            if !self.entries.contains_key(&hash) {
                preparer.push(raw);
                new.push((hash, raw.len()));
            }
        }
        for ((hash, size), tx) in new.into_iter().zip(self.finish(preparer)) {
            self.remember(hash, Arc::new(tx), size);
        }
    }

    fn preparer<'a>(&mut self, rules: &'a SignatureRules) -> Preparer<'a> {
        Preparer::with_keys(rules, std::mem::take(&mut self.keys))
    }

    fn finish(&mut self, preparer: Preparer<'_>) -> Vec<PreparedTx> {
        let (txs, keys) = preparer.finish_with_keys();
        self.keep(keys);
        txs
    }

    fn keep(&mut self, keys: UnpackedKeys) {
        if keys.len() <= MAX_KEYS {
            self.keys = keys;
        }
    }

    /// Remembers a transaction, unless it is refused anyway and so not worth the room.
    fn remember(&mut self, hash: Sha256Hash, tx: Arc<PreparedTx>, size: usize) {
        if tx.transaction().is_ok() {
            self.insert(hash, tx, size);
        }
    }

    fn insert(&mut self, hash: Sha256Hash, tx: Arc<PreparedTx>, size: usize) {
        let size = size.saturating_mul(2).saturating_add(OVERHEAD);
        if size > self.limit || self.entries.contains_key(&hash) {
            return;
        }
        let number = self.next;
        self.next = self.next.saturating_add(1);
        self.bytes = self.bytes.saturating_add(size);
        self.entries.insert(hash, Entry { tx, size, number });
        self.order.insert(number, hash);
        while self.bytes > self.limit {
            let Some((_, oldest)) = self.order.pop_first() else { break };
            self.remove(&oldest);
        }
    }

    fn remove(&mut self, hash: &Sha256Hash) -> Option<Arc<PreparedTx>> {
        let Entry { tx, size, number } = self.entries.remove(hash)?;
        self.bytes = self.bytes.saturating_sub(size);
        self.order.remove(&number);
        Some(tx)
    }

    /// Prepares the transactions of a block, those that are not known in one batch, and forgets them.
    pub(crate) fn take(&mut self, txs: &[Vec<u8>], rules: &SignatureRules) -> Vec<Arc<PreparedTx>> {
        let mut preparer = self.preparer(rules);
        let known: Vec<Option<Arc<PreparedTx>>> = txs
            .iter()
            .map(|raw| {
                let known = if self.entries.is_empty() { None } else { self.remove(&sha256(raw)) };
                if known.is_none() {
                    preparer.push(raw);
                }
                known
            })
            .collect();
        let mut new = self.finish(preparer).into_iter().map(Arc::new);
        known.into_iter().filter_map(|known| known.or_else(|| new.next())).collect()
    }
}

#[cfg(test)]
mod tests {
    use oasis_primitives::signature::{Blacklist, ChainContext};

    use super::*;

    #[test]
    fn what_is_remembered_stays_within_its_limit() {
        let chain = ChainContext::new("a".repeat(64)).unwrap();
        let rules = SignatureRules::new(chain, Blacklist::new(true));
        let mut cache = PreparedCache::new(10 * (OVERHEAD + 8));
        for i in 0..100u8 {
            let tx = Arc::new(PreparedTx::new(&[i], &rules));
            cache.insert(sha256(&[i]), tx, 4);
            assert!(cache.bytes <= cache.limit && cache.entries.len() == cache.order.len());
        }
        assert_eq!(cache.entries.len(), 10);
        assert!(cache.remove(&sha256(&[99])).is_some() && cache.remove(&sha256(&[0])).is_none());
        cache.insert(sha256(&[0]), Arc::new(PreparedTx::new(&[0], &rules)), usize::MAX);
        assert_eq!((cache.entries.len(), cache.order.len()), (9, 9));
    }
}
