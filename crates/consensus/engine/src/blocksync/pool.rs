//! The blocks that are wanted, asked for, or here and not yet applied.

use std::collections::{BTreeMap, BTreeSet};

use crate::{block::CheckedBlock, peer::PeerId};

use super::Config;

/// Bytes that a block is thought to have before the first came.
const FIRST_ESTIMATE: usize = 32 << 10;
/// Heights without a peer that are looked at in one go.
const MAX_SKIPS: usize = 16;

/// A block that came and is not yet given out.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub block: CheckedBlock,
    pub encoded: Vec<u8>,
    pub from: PeerId,
}

#[derive(Clone, Debug)]
enum Slot {
    Asked(Vec<PeerId>),
    Here(Box<Held>),
}

/// Blocks from the next one on, in a window whose bytes are bounded.
#[derive(Clone, Debug)]
pub(super) struct Pool {
    /// First height that is not applied.
    next: i64,
    slots: BTreeMap<i64, Slot>,
    /// Heights below the frontier that are neither asked for nor here.
    wanted: BTreeSet<i64>,
    /// First height that was never asked for.
    frontier: i64,
    bytes: usize,
    average: usize,
    max_blocks: usize,
    max_bytes: usize,
    skipped: BTreeSet<i64>,
}

impl Pool {
    pub fn new(next: i64, config: &Config) -> Self {
        Self {
            next,
            slots: BTreeMap::new(),
            wanted: BTreeSet::new(),
            frontier: next,
            bytes: 0,
            average: FIRST_ESTIMATE,
            max_blocks: config.max_blocks.max(2),
            max_bytes: config.max_bytes,
            skipped: BTreeSet::new(),
        }
    }

    /// Bytes of the blocks that are here.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// First height beyond those that may be asked for now.
    fn end(&self) -> i64 {
        let blocks = self.max_bytes.checked_div(self.average).unwrap_or(2).clamp(2, self.max_blocks);
        self.next.saturating_add(i64::try_from(blocks).unwrap_or(i64::MAX))
    }

    /// The lowest height to ask for.
    pub fn next_wanted(&self, target: i64) -> Option<i64> {
        let end = self.end();
        let height = self.wanted.first().copied().unwrap_or(self.frontier);
        (height < end && height <= target).then_some(height)
    }

    /// Passes over a height that no peer has; false if there is no use in going on.
    pub fn skip_wanted(&mut self, height: i64) -> bool {
        if self.skipped.len() >= MAX_SKIPS || !self.wanted.remove(&height) {
            return false;
        }
        self.skipped.insert(height);
        true
    }

    /// Wants what was passed over again.
    pub fn end_skips(&mut self) {
        self.wanted.append(&mut self.skipped);
    }

    pub fn ask(&mut self, height: i64, peer: PeerId) {
        self.wanted.remove(&height);
        self.frontier = self.frontier.max(height.saturating_add(1));
        match self.slots.entry(height).or_insert_with(|| Slot::Asked(Vec::new())) {
            Slot::Asked(peers) => peers.push(peer),
            Slot::Here(_) => {}
        }
    }

    /// Takes back that a peer was asked.
    pub fn unask(&mut self, height: i64, peer: &PeerId) {
        if let Some(Slot::Asked(peers)) = self.slots.get_mut(&height) {
            peers.retain(|p| p != peer);
            if peers.is_empty() {
                self.slots.remove(&height);
                self.wanted.insert(height);
            }
        }
    }

    /// Who was asked for a block that is not here yet.
    pub fn asked(&self, height: i64) -> Option<&[PeerId]> {
        match self.slots.get(&height) {
            Some(Slot::Asked(peers)) => Some(peers),
            _ => None,
        }
    }

    /// Takes a block; blocks above `keep` make room for it if need be, the highest first.
    pub fn put(&mut self, held: Held, keep: i64) {
        let height = held.block.header().height;
        if height < self.next || matches!(self.slots.get(&height), Some(Slot::Here(_))) {
            return;
        }
        let size = held.encoded.len();
        self.bytes = self.bytes.saturating_add(size);
        self.average = self.average.saturating_mul(15).saturating_add(size) / 16;
        self.average = self.average.max(1);
        self.wanted.remove(&height);
        self.slots.insert(height, Slot::Here(Box::new(held)));
        let keep = keep.max(self.next.saturating_add(1));
        while self.bytes > self.max_bytes {
            let above = self.slots.range(keep.saturating_add(1)..).rev();
            let Some(highest) = above.filter(|(_, s)| matches!(s, Slot::Here(_))).map(|(h, _)| *h).next() else { break };
            self.remove(highest);
        }
    }

    /// Forgets a block that is here, and wants it again.
    fn remove(&mut self, height: i64) -> Option<Held> {
        match self.slots.remove(&height)? {
            Slot::Here(held) => {
                self.bytes = self.bytes.saturating_sub(held.encoded.len());
                self.wanted.insert(height);
                Some(*held)
            }
            asked @ Slot::Asked(_) => {
                self.slots.insert(height, asked);
                None
            }
        }
    }

    /// A block that is here.
    pub fn get(&self, height: i64) -> Option<&Held> {
        match self.slots.get(&height) {
            Some(Slot::Here(held)) => Some(held),
            _ => None,
        }
    }

    /// Gives the next block out.
    pub fn take(&mut self, height: i64) -> Option<Held> {
        let held = self.remove(height)?;
        self.wanted.remove(&height);
        Some(held)
    }

    /// The lowest height that is not here.
    pub fn first_missing(&self) -> Option<i64> {
        let mut height = self.next;
        while self.get(height).is_some() {
            height = height.checked_add(1)?;
        }
        Some(height)
    }

    /// Whether `count` blocks are here from a height on.
    pub fn has_run(&self, from: i64, count: usize) -> bool {
        let here = self.slots.range(from..).take(count).zip(from..).filter(|((h, s), i)| *h == i && matches!(s, Slot::Here(_)));
        here.count() >= count
    }

    /// Forgets a false block; tells who gave it.
    pub fn drop_block(&mut self, height: i64) -> Option<PeerId> {
        self.remove(height).map(|held| held.from)
    }

    /// Forgets the blocks from `proven_to` on that a peer gave; tells whether there were any.
    pub fn drop_unproven_of(&mut self, peer: &PeerId, proven_to: i64) -> bool {
        let of_peer = |s: &Slot| matches!(s, Slot::Here(held) if held.from == *peer);
        let heights: Vec<i64> = self.slots.range(proven_to..).filter(|(_, s)| of_peer(s)).map(|(h, _)| *h).collect();
        for height in &heights {
            self.remove(*height);
        }
        !heights.is_empty()
    }

    /// Forgets everything below the next height.
    pub fn advance_to(&mut self, next: i64) {
        self.next = next;
        while let Some(entry) = self.slots.first_entry().filter(|e| *e.key() < next) {
            if let Slot::Here(held) = entry.remove() {
                self.bytes = self.bytes.saturating_sub(held.encoded.len());
            }
        }
        self.wanted = self.wanted.split_off(&next);
        self.frontier = self.frontier.max(next);
    }
}
