//! The snapshots that peers offer.

use std::collections::{BTreeMap, BTreeSet};

use prost::Message;

use crate::{
    merkle::{self, Sha256Hash},
    messages::SnapshotsResponse,
    peer::PeerId,
    ports::Snapshot,
    proto::Timestamp,
};

/// Snapshots of one peer. Source: tendermint `statesync/reactor.go`, `recentSnapshots`.
const MAX_PER_PEER: usize = 10;
/// Bytes of all snapshots' metadata.
const MAX_BYTES: usize = 32 << 20;
/// Bytes of one snapshot's hash and metadata.
const MAX_METADATA: usize = 2 << 20;
/// Snapshots, formats and peers that are remembered as rejected.
const MAX_REJECTED: usize = 10_000;

/// What names a snapshot: all its fields, since peers may make different ones of the same height.
///
/// Source: tendermint `statesync/snapshots.go`, `snapshot.Key`.
pub(super) type Key = Sha256Hash;

#[derive(Clone, Debug)]
pub(super) struct Offer {
    pub snapshot: Snapshot,
    pub peers: BTreeSet<PeerId>,
    /// Times that its height could not be verified yet, and when to try again.
    pub tries: u32,
    pub not_before: Option<Timestamp>,
}

impl Offer {
    fn bytes(&self) -> usize {
        self.snapshot.hash.len().saturating_add(self.snapshot.metadata.len())
    }
}

/// Snapshots by who offers them; those rejected are never taken again. Source: tendermint `statesync/snapshots.go`.
#[derive(Clone, Debug, Default)]
pub(super) struct Snapshots {
    offers: BTreeMap<Key, Offer>,
    bytes: usize,
    rejected: BTreeSet<Key>,
    rejected_formats: BTreeSet<u32>,
    rejected_peers: BTreeSet<PeerId>,
}

impl Snapshots {
    pub fn len(&self) -> usize {
        self.offers.len()
    }

    /// Takes an offer. Source: `snapshotPool.Add`.
    pub fn add(&mut self, peer: PeerId, m: SnapshotsResponse) {
        let key = merkle::sha256(&m.encode_to_vec());
        let SnapshotsResponse { height, format, chunks, hash, metadata } = m;
        let refused = self.rejected_peers.contains(&peer) || self.rejected_formats.contains(&format) || self.rejected.contains(&key);
        let count = self.offers.values().filter(|o| o.peers.contains(&peer)).count();
        if refused || count >= MAX_PER_PEER || i64::try_from(height).is_err() {
            return;
        }
        if let Some(offer) = self.offers.get_mut(&key) {
            offer.peers.insert(peer);
            return;
        }
        let snapshot = Snapshot { height, format, chunks, hash, metadata };
        let offer = Offer { snapshot, peers: BTreeSet::from([peer]), tries: 0, not_before: None };
        let bytes = self.bytes.saturating_add(offer.bytes());
        if offer.bytes() <= MAX_METADATA && bytes <= MAX_BYTES {
            self.bytes = bytes;
            self.offers.insert(key, offer);
        }
    }

    /// The snapshot to try: the newest of those that were tried least. Source: `snapshotPool.Ranked`.
    pub fn best(&self, now: Timestamp) -> Option<Key> {
        let ready = self.offers.iter().filter(|(_, o)| o.not_before.is_none_or(|t| t <= now));
        let rank = |o: &Offer| (std::cmp::Reverse(o.tries), o.snapshot.height, o.snapshot.format, o.peers.len());
        ready.max_by_key(|(_, o)| rank(o)).map(|(key, _)| *key)
    }

    pub fn get(&self, key: &Key) -> Option<&Offer> {
        self.offers.get(key)
    }

    pub fn get_mut(&mut self, key: &Key) -> Option<&mut Offer> {
        self.offers.get_mut(key)
    }

    fn remove(&mut self, key: &Key) {
        if let Some(offer) = self.offers.remove(key) {
            self.bytes = self.bytes.saturating_sub(offer.bytes());
        }
    }

    /// Source: `snapshotPool.Reject`.
    pub fn reject(&mut self, key: &Key) {
        self.remove(key);
        remember(&mut self.rejected, *key);
    }

    /// Source: `snapshotPool.RejectFormat`.
    pub fn reject_format(&mut self, format: u32) {
        remember(&mut self.rejected_formats, format);
        let keys: Vec<Key> = self.offers.iter().filter(|(_, o)| o.snapshot.format == format).map(|(k, _)| *k).collect();
        keys.iter().for_each(|k| self.remove(k));
    }

    /// Source: `snapshotPool.RejectPeer`.
    pub fn reject_peer(&mut self, peer: PeerId) {
        self.remove_peer(&peer);
        remember(&mut self.rejected_peers, peer);
    }

    /// Source: `snapshotPool.RemovePeer`.
    pub fn remove_peer(&mut self, peer: &PeerId) {
        let mut alone = Vec::new();
        for (key, offer) in &mut self.offers {
            if offer.peers.remove(peer) && offer.peers.is_empty() {
                alone.push(*key);
            }
        }
        alone.iter().for_each(|k| self.remove(k));
    }
}

fn remember<T: Ord>(set: &mut BTreeSet<T>, item: T) {
    if set.len() >= MAX_REJECTED {
        set.pop_first();
    }
    set.insert(item);
}
