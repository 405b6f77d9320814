//! How fast blocks are applied, and how long the rest will take.

use std::{collections::VecDeque, fmt};

use crate::proto::Timestamp;

use super::{BlockSync, peers::SECOND};

/// Times of applied blocks that are kept to measure the rate.
const SAMPLES: usize = 200;
/// Nanoseconds over which the rate is measured at most.
const WINDOW: i64 = 30 * SECOND;

/// How far block sync is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// The last applied block.
    pub height: i64,
    /// The highest block that a peer says it has, 0 if none says so.
    pub target: i64,
    /// Thousandths of a block a second.
    pub millirate: u64,
    /// Seconds until the target is reached; none while nothing moves.
    pub seconds_left: Option<u64>,
    /// Peers, and how many of them said what they have.
    pub peers: (usize, usize),
    /// What it waits for, if it does.
    pub waiting_for: Option<String>,
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, tenths) = (self.millirate / 1000, self.millirate % 1000 / 100);
        write!(f, "block {} of {}, {whole}.{tenths} blocks/s", self.height, self.target)?;
        if let Some(s) = self.seconds_left {
            write!(f, ", {} left", Seconds(s))?;
        }
        match &self.waiting_for {
            Some(what) => write!(f, ", waiting for {what}"),
            None => Ok(()),
        }
    }
}

/// A length of time in words.
pub(crate) struct Seconds(pub u64);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            s @ 0..=119 => write!(f, "{s} s"),
            s @ 120..=7199 => write!(f, "{} min", s / 60),
            s @ 7200..=172_799 => write!(f, "{} h {} min", s / 3600, s % 3600 / 60),
            s => write!(f, "{} d {} h", s / 86_400, s % 86_400 / 3600),
        }
    }
}

/// Measures how many blocks are applied in a time.
#[derive(Clone, Debug)]
pub(super) struct RateMeter {
    times: VecDeque<Timestamp>,
}

impl RateMeter {
    pub fn new(now: Timestamp) -> Self {
        Self { times: VecDeque::from([now]) }
    }

    pub fn applied(&mut self, now: Timestamp) {
        self.times.push_back(now);
        if self.times.len() > SAMPLES {
            self.times.pop_front();
        }
    }

    /// Thousandths of a block a second.
    pub fn millirate(&mut self, now: Timestamp) -> u64 {
        while self.times.len() > 1 && self.times.front().is_some_and(|t| now.nanos_since(t) > WINDOW) {
            self.times.pop_front();
        }
        let Some(first) = self.times.front() else { return 0 };
        let nanos = i128::from(now.nanos_since(first).max(1));
        let count = i128::try_from(self.times.len().saturating_sub(1)).unwrap_or(0);
        let rate = count.saturating_mul(1000).saturating_mul(i128::from(SECOND)).checked_div(nanos).unwrap_or(0);
        u64::try_from(rate).unwrap_or(u64::MAX)
    }
}

impl BlockSync {
    pub(super) fn progress(&mut self, now: Timestamp) -> Progress {
        let target = self.target();
        let height = self.state.last_block_height;
        let millirate = self.rate.millirate(now);
        let left = u64::try_from(target.saturating_sub(height)).unwrap_or(0);
        let seconds_left = left.saturating_mul(1000).checked_div(millirate);
        let told = self.peers.values().filter(|p| p.range.is_some()).count();
        Progress { height, target, millirate, seconds_left, peers: (self.peers.len(), told), waiting_for: self.waiting_for(now, told) }
    }

    fn waiting_for(&self, now: Timestamp, told: usize) -> Option<String> {
        if self.peers.is_empty() {
            return Some("a peer: none is connected".into());
        }
        if told == 0 {
            return Some(format!("a peer that says which blocks it has: none of {} does", self.peers.len()));
        }
        if self.applying {
            return None;
        }
        let height = self.pool.first_missing()?;
        if height > self.target() {
            return None;
        }
        let asked = self.pool.asked(height).unwrap_or_default();
        let since = |id| self.peers.get(id).and_then(|p| p.pending.get(&height)).map(|at| now.nanos_since(at) / SECOND);
        match asked.first() {
            Some(id) => match since(id) {
                Some(seconds) if seconds > 0 => Some(format!("block {height}, asked of {id} {seconds} s ago")),
                _ => None,
            },
            None if self.best_peer(height).is_none() => Some(format!("block {height}, which no peer has")),
            None => None,
        }
    }
}
