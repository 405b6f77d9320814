//! What is known of the nodes that blocks are fetched from.

use std::collections::{BTreeMap, BTreeSet};

use crate::proto::Timestamp;

use super::Config;

/// Bytes a second that a peer must send while it owes blocks. Source: tendermint `blockchain/v0/pool.go`, `minRecvRate`.
const MIN_RATE: i64 = 7680;
/// Nanoseconds over which the rate is averaged, and before which it is not judged. Source: `bpPeer.resetMonitor`.
const RATE_WINDOW: i64 = 40 * SECOND;
/// Nanoseconds of a second.
pub(super) const SECOND: i64 = 1_000_000_000;
/// Blocks that a peer may say it has and then not have, before it is dropped.
const MAX_CONTRADICTIONS: u32 = 16;

/// Heights that are remembered as missing at one peer.
const MAX_MISSING: usize = 1000;

/// A node that blocks are fetched from.
#[derive(Clone, Debug)]
pub(super) struct Peer {
    /// First and last block that it says it has; none before it said.
    pub range: Option<(i64, i64)>,
    /// What it was asked for, and when.
    pub pending: BTreeMap<i64, Timestamp>,
    /// Heights in its range that it turned out not to have.
    missing: BTreeSet<i64>,
    /// When it last sent a block, or began to owe one.
    progress: Timestamp,
    /// Requests that may be open at the same time.
    limit: usize,
    /// Blocks delivered since the limit was raised.
    delivered: usize,
    contradictions: u32,
    /// Since when it owes blocks without a break, and the bytes that came since.
    busy_since: Timestamp,
    busy_bytes: i64,
}

/// What is wrong with a peer.
pub(super) type Fault = String;

impl Peer {
    pub fn new(now: Timestamp, config: &Config) -> Self {
        Self {
            range: None,
            pending: BTreeMap::new(),
            missing: BTreeSet::new(),
            progress: now,
            limit: config.requests_per_peer,
            delivered: 0,
            contradictions: 0,
            busy_since: now,
            busy_bytes: 0,
        }
    }

    /// What it says it has. Source: `BlockPool.SetPeerRange`.
    pub fn set_range(&mut self, base: i64, height: i64) {
        self.range = Some((base, height));
        self.missing.clear();
    }

    /// The last block that it has, as far as it contradicted itself not.
    pub fn height(&self) -> Option<i64> {
        let (_, height) = self.range?;
        Some(self.missing.last().map_or(height, |m| height.min(m.saturating_sub(1))))
    }

    /// Whether it may be asked for a block.
    pub fn can_give(&self, height: i64) -> bool {
        self.range.is_some_and(|(base, top)| (base..=top).contains(&height))
            && self.pending.len() < self.limit
            && !self.pending.contains_key(&height)
            && !self.missing.contains(&height)
    }

    pub fn ask(&mut self, now: Timestamp, height: i64) {
        if self.pending.is_empty() {
            self.progress = now;
            self.busy_since = now;
            self.busy_bytes = 0;
        }
        self.pending.insert(height, now);
    }

    /// Takes note of a block; false if it was not asked for.
    pub fn deliver(&mut self, now: Timestamp, height: i64, bytes: usize, config: &Config) -> bool {
        if self.pending.remove(&height).is_none() {
            return false;
        }
        self.progress = now;
        self.contradictions = 0;
        self.busy_bytes = self.busy_bytes.saturating_add(i64::try_from(bytes).unwrap_or(i64::MAX));
        self.delivered = self.delivered.saturating_add(1);
        if self.delivered >= self.limit {
            self.delivered = 0;
            self.limit = self.limit.saturating_mul(2).min(config.max_requests_per_peer);
        }
        true
    }

    /// Takes note that it has no such block; an error once that happened too often.
    pub fn lacks(&mut self, now: Timestamp, height: i64) -> Result<(), Fault> {
        if self.pending.remove(&height).is_none() {
            return Ok(());
        }
        self.progress = now;
        self.missing.insert(height);
        if self.missing.len() > MAX_MISSING {
            self.missing.pop_first();
        }
        self.contradictions = self.contradictions.saturating_add(1);
        if self.contradictions > MAX_CONTRADICTIONS {
            return Err(format!("has none of the blocks that it says it has, such as that of height {height}"));
        }
        Ok(())
    }

    /// Why it is too slow, if it is. Source: `BlockPool.removeTimedoutPeers`, `bpPeer.onTimeout`.
    pub fn is_slow(&mut self, now: Timestamp, config: &Config) -> Option<Fault> {
        let (oldest, _) = self.pending.first_key_value()?;
        let silent = now.nanos_since(&self.progress);
        if silent >= config.peer_timeout {
            return Some(format!("sent nothing for {} s, height {oldest} is open", silent / SECOND));
        }
        let busy = now.nanos_since(&self.busy_since);
        if busy < RATE_WINDOW {
            return None;
        }
        let rate = i128::from(self.busy_bytes).saturating_mul(i128::from(SECOND)).checked_div(i128::from(busy)).unwrap_or(0);
        if rate < i128::from(MIN_RATE) && self.oldest_request(now) >= config.peer_timeout {
            return Some(format!("sends {rate} bytes a second, at least {MIN_RATE} are expected"));
        }
        self.busy_since = now;
        self.busy_bytes = 0;
        None
    }

    /// Nanoseconds for which its oldest request has been open.
    fn oldest_request(&self, now: Timestamp) -> i64 {
        self.pending.values().map(|at| now.nanos_since(at)).max().unwrap_or(0)
    }

    /// Moves its times forward, after this node itself stood still.
    pub fn forgive(&mut self, now: Timestamp) {
        self.progress = now;
        self.busy_since = now;
        self.busy_bytes = 0;
        for at in self.pending.values_mut() {
            *at = now;
        }
    }
}
