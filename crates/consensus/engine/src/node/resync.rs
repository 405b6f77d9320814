//! Back from consensus to block sync, for a node that has fallen far behind.
//!
//! The original never goes back: what a node missed comes by gossip, a block at a time with pauses in between, and on a fast
//! network it may stay behind for ever. Here what peers say of their heights only makes the node fetch blocks while it goes on
//! with consensus; it leaves consensus once so many blocks are proven, each by more than two thirds of its validators, that
//! nobody can have made them up. It returns when it has caught up, or when no more blocks come.

use super::{Effect, Mode, Node, NodeEvent, TimerId};
use crate::{
    blocksync::{self, BlockSync},
    ports::Fatal,
    proto::Timestamp,
};

const SECOND: i64 = 1_000_000_000;
/// Blocks by which a peer must be ahead.
const MIN_BEHIND: i64 = 20;
/// Nanoseconds for which one must have been ahead so far.
const LAG_TIME: i64 = 2 * SECOND;
/// Blocks beyond the next that must be proven before consensus is left.
const MIN_PROVEN: usize = 8;
/// Nanoseconds in which they must be.
const PROOF_TIME: i64 = 5 * SECOND;
/// Nanoseconds without a block after which consensus begins again.
const STALL_TIME: i64 = 5 * SECOND;
/// Nanoseconds to the next attempt after one that got blocks.
const REST: i64 = SECOND;
/// Nanoseconds to the next after one that failed; twice as many after each further one, to a limit.
const PAUSE: i64 = 10 * SECOND;
const MAX_FAILURES: u32 = 5;

/// Where a node stands with going back to block sync.
#[derive(Debug, Default)]
pub(super) struct Resync {
    /// Since when a peer has been far ahead.
    behind_since: Option<Timestamp>,
    /// No attempt is made before this time.
    not_before: Option<Timestamp>,
    /// Attempts in a row that led nowhere.
    failures: u32,
    /// How many attempts there were: tells the batches of one from those of another.
    attempts: u64,
    /// Since when blocks are fetched beside consensus.
    probing_since: Option<Timestamp>,
    /// The height at which consensus was left.
    left_at: Option<i64>,
    /// The last height seen while syncing, and when it changed.
    moved: Option<(i64, Timestamp)>,
}

impl Node {
    /// Looks whether a peer is far ahead; to be called when one said where it stands.
    pub(super) fn notice_lag(&mut self, now: Timestamp) -> Result<(), Fatal> {
        if self.rounds.is_none() || self.block_sync.is_some() || !self.config.sync_blocks {
            return Ok(());
        }
        let own = self.state.next_height();
        let ahead = self.gossip.peers().any(|(_, peer)| peer.height().saturating_sub(own) > MIN_BEHIND);
        if !ahead {
            self.resync.behind_since = None;
            return Ok(());
        }
        let since = *self.resync.behind_since.get_or_insert(now);
        let paused = self.resync.not_before.is_some_and(|t| t.nanos_since(&now) > 0);
        if paused || now.nanos_since(&since) < LAG_TIME {
            return Ok(());
        }
        self.resync.attempts = self.resync.attempts.saturating_add(1);
        self.resync.probing_since = Some(now);
        let sync = BlockSync::again(self.config.block_sync.clone(), self.state.clone(), now, self.resync.attempts);
        self.begin_fetching(now, sync)
    }

    /// Whether blocks are fetched beside consensus.
    pub(super) fn is_probing(&self) -> bool {
        self.resync.probing_since.is_some()
    }

    /// Consensus begins: whatever was under way has ended.
    pub(super) fn end_resync(&mut self, now: Timestamp) {
        self.block_sync = None;
        self.proven = None;
        let r = &mut self.resync;
        if r.probing_since.take().is_some() {
            r.failures = r.failures.saturating_add(1).min(MAX_FAILURES);
        } else if r.left_at.take().is_none() {
            return;
        }
        r.moved = None;
        r.behind_since = None;
        let pause = r.failures.checked_sub(1).map_or(REST, |more| PAUSE.checked_shl(more).unwrap_or(PAUSE));
        r.not_before = Some(now.plus_nanos(pause));
    }

    /// Looks what has come of it; to be called now and then while blocks are fetched.
    pub(super) fn watch_resync(&mut self, now: Timestamp) -> Result<(), Fatal> {
        if let Some(since) = self.resync.probing_since {
            return self.watch_probe(now, since);
        }
        let Some(left_at) = self.resync.left_at else { return Ok(()) };
        let height = self.state.last_block_height;
        match self.resync.moved {
            Some((before, at)) if before == height => {
                if now.nanos_since(&at) >= STALL_TIME {
                    self.resync.failures = if height > left_at { 0 } else { self.resync.failures.saturating_add(1).min(MAX_FAILURES) };
                    return self.start_consensus(now, height == left_at);
                }
            }
            _ => {
                self.resync.failures = 0;
                self.resync.moved = Some((height, now));
            }
        }
        Ok(())
    }

    fn watch_probe(&mut self, now: Timestamp, since: Timestamp) -> Result<(), Fatal> {
        let height = self.state.last_block_height;
        if self.block_sync.as_ref().is_some_and(|s| s.state().last_block_height < height) {
            // Consensus went on meanwhile.
            self.proven = None;
            self.block_sync_input(now, blocksync::Input::Applied(Box::new(self.state.clone())))?;
        }
        let enough = self.block_sync.as_ref().is_some_and(|s| s.proven() >= MIN_PROVEN);
        let fits = self.proven.as_ref().is_some_and(|p| p.block.header().height == self.state.next_height());
        if enough && fits {
            self.resync.probing_since = None;
            self.resync.left_at = Some(height);
            self.resync.moved = Some((height, now));
            self.rounds = None;
            self.timeout = None;
            self.pending.clear();
            self.event(NodeEvent::Warn(format!("far behind the others after block {height}: fetching blocks before taking part again")));
            self.set_mode(Mode::BlockSync);
            self.effects.push(Effect::SetTimer { id: TimerId::Apply, after: 0 });
        } else if now.nanos_since(&since) >= PROOF_TIME {
            self.end_resync(now);
        }
        Ok(())
    }
}
