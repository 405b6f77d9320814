//! The chunks of the snapshot that is being restored.

use std::collections::{BTreeMap, BTreeSet};

use crate::{peer::PeerId, proto::Timestamp};

use super::Config;

/// Late requests that are remembered, so that a late answer is taken.
const MAX_LATE: usize = 256;
/// Requests in a row that a peer may leave without an answer.
const MAX_STRIKES: u32 = 3;

/// Fetches a few chunks ahead of the one that is applied.
#[derive(Clone, Debug)]
pub(super) struct Chunks {
    total: u32,
    next: u32,
    applying: Option<PeerId>,
    held: BTreeMap<u32, (PeerId, Vec<u8>)>,
    asked: BTreeMap<u32, (PeerId, Timestamp)>,
    late: BTreeSet<(PeerId, u32)>,
    /// Peers that failed to give a chunk.
    failed: BTreeMap<u32, BTreeSet<PeerId>>,
    strikes: BTreeMap<PeerId, u32>,
    /// When the last chunk was applied.
    progress: Timestamp,
    started: Timestamp,
}

impl Chunks {
    pub fn new(total: u32, now: Timestamp) -> Self {
        Self {
            total,
            next: 0,
            applying: None,
            held: BTreeMap::new(),
            asked: BTreeMap::new(),
            late: BTreeSet::new(),
            failed: BTreeMap::new(),
            strikes: BTreeMap::new(),
            progress: now,
            started: now,
        }
    }

    /// Begins again, with nothing applied.
    pub fn restart(&mut self, now: Timestamp) {
        let asked = std::mem::take(&mut self.asked).into_iter().map(|(index, (peer, _))| (peer, index));
        let late = std::mem::take(&mut self.late);
        *self = Self::new(self.total, now);
        self.late = late.into_iter().chain(asked).take(MAX_LATE).collect();
    }

    /// Chunks applied, and how many there are.
    pub fn count(&self) -> (u32, u32) {
        (self.next, self.total)
    }

    pub fn is_done(&self) -> bool {
        self.next >= self.total
    }

    /// Nanoseconds since the last chunk was applied, and since the first was asked for.
    pub fn times(&self, now: Timestamp) -> (i64, i64) {
        (now.nanos_since(&self.progress), now.nanos_since(&self.started))
    }

    /// Who was asked for the next chunk.
    pub fn waits_for(&self) -> Option<PeerId> {
        self.asked.get(&self.next).map(|(peer, _)| *peer)
    }

    /// The next chunk, once it is here and the one before is applied.
    pub fn take(&mut self) -> Option<(u32, Vec<u8>)> {
        if self.applying.is_some() {
            return None;
        }
        let (peer, chunk) = self.held.remove(&self.next)?;
        self.applying = Some(peer);
        Some((self.next, chunk))
    }

    /// The chunk taken last was accepted.
    pub fn accepted(&mut self, now: Timestamp) {
        self.applying = None;
        self.failed.remove(&self.next);
        self.next = self.next.saturating_add(1);
        self.progress = now;
    }

    /// The chunk taken last was damaged; tells who gave it.
    pub fn damaged(&mut self) -> Option<PeerId> {
        self.applying.take()
    }

    /// What to ask of whom next.
    pub fn ask(&mut self, now: Timestamp, peers: &BTreeSet<PeerId>, config: &Config) -> Option<(PeerId, u32)> {
        if self.asked.len() >= config.fetchers || peers.is_empty() {
            return None;
        }
        let end = self.next.saturating_add(config.chunks_ahead).min(self.total);
        let first = self.next.saturating_add(u32::from(self.applying.is_some()));
        let index = (first..end).find(|i| !self.held.contains_key(i) && !self.asked.contains_key(i))?;
        let failed = self.failed.entry(index).or_default();
        if peers.iter().all(|p| failed.contains(p)) {
            failed.clear();
        }
        let open = |peer: &PeerId| self.asked.values().filter(|(p, _)| p == peer).count();
        let able = peers.iter().filter(|p| !failed.contains(*p));
        let peer = *able.min_by_key(|p| (self.strikes.get(*p).copied().unwrap_or(0), open(p)))?;
        self.asked.insert(index, (peer, now));
        Some((peer, index))
    }

    /// Takes a chunk; false if nobody asked that peer for it. One that was asked for before a new beginning, and is far ahead
    /// now, is not kept.
    pub fn put(&mut self, peer: PeerId, index: u32, chunk: Vec<u8>, config: &Config) -> bool {
        if !self.answered(&peer, index) {
            return false;
        }
        self.strikes.remove(&peer);
        let end = self.next.saturating_add(u32::from(self.applying.is_some()));
        let ahead = self.next.saturating_add(config.chunks_ahead).min(self.total);
        if (end..ahead).contains(&index) && !self.held.contains_key(&index) {
            self.asked.remove(&index);
            self.held.insert(index, (peer, chunk));
        }
        true
    }

    /// A peer has no such chunk; false if nobody asked it.
    pub fn missing(&mut self, peer: &PeerId, index: u32) -> bool {
        self.answered(peer, index)
    }

    fn answered(&mut self, peer: &PeerId, index: u32) -> bool {
        if self.asked.get(&index).is_some_and(|(p, _)| p == peer) {
            self.asked.remove(&index);
            return true;
        }
        self.late.remove(&(*peer, index))
    }

    /// Gives up requests that are open for too long; tells which peers left several without an answer.
    pub fn expire(&mut self, now: Timestamp, config: &Config) -> Vec<PeerId> {
        let old = |(_, at): &(PeerId, Timestamp)| now.nanos_since(at) >= config.request_timeout;
        let expired: Vec<(u32, PeerId)> = self.asked.iter().filter(|(_, a)| old(a)).map(|(i, (p, _))| (*i, *p)).collect();
        let mut tired = Vec::new();
        for (index, peer) in expired {
            self.asked.remove(&index);
            self.failed.entry(index).or_default().insert(peer);
            if self.late.len() >= MAX_LATE {
                self.late.pop_first();
            }
            self.late.insert((peer, index));
            let strikes = self.strikes.entry(peer).or_default();
            *strikes = strikes.saturating_add(1);
            if *strikes >= MAX_STRIKES {
                tired.push(peer);
            }
        }
        tired
    }

    /// Forgets a peer's open requests, and for a liar what it gave.
    pub fn forget(&mut self, peer: &PeerId, liar: bool) {
        self.asked.retain(|_, (p, _)| p != peer);
        self.late.retain(|(p, _)| p != peer);
        self.strikes.remove(peer);
        if liar {
            self.held.retain(|_, (p, _)| p != peer);
        }
    }

    /// Counts open requests from now on, after this node itself stood still.
    pub fn forgive(&mut self, now: Timestamp) {
        for (_, at) in self.asked.values_mut() {
            *at = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn late_chunks_far_ahead_of_a_new_beginning_are_not_kept() {
        let (config, peer) = (Config::default(), PeerId([1; 20]));
        let (now, peers) = (Timestamp::default(), BTreeSet::from([peer]));
        let mut chunks = Chunks::new(100, now);
        while chunks.next < 50 {
            let (_, index) = chunks.ask(now, &peers, &config).unwrap();
            assert!(chunks.put(peer, index, vec![1], &config));
            chunks.take().unwrap();
            chunks.accepted(now);
        }
        assert_eq!(chunks.ask(now, &peers, &config), Some((peer, 50)));
        chunks.restart(now);
        assert!(chunks.put(peer, 50, vec![1], &config), "it was asked for");
        assert!(chunks.held.is_empty());
        assert_eq!(chunks.ask(now, &peers, &config), Some((peer, 0)));
        assert!(chunks.put(peer, 0, vec![1], &config));
        assert_eq!(chunks.held.len(), 1);
    }
}
