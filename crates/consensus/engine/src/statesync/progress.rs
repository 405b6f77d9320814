//! How far state sync is, for people.

use std::fmt;

use crate::{blocksync::Seconds, proto::Timestamp};

use super::{Phase, SECOND, StateSync};

/// What state sync does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Looks for snapshots.
    Discovering {
        /// Snapshots that are known and not rejected.
        snapshots: usize,
    },
    /// Verifies the height of a snapshot with the light client.
    Verifying {
        /// The height.
        height: u64,
    },
    /// Fetches and applies chunks.
    Restoring {
        /// Height of the snapshot.
        height: u64,
        /// Chunks applied.
        applied: u32,
        /// All chunks.
        total: u32,
        /// Seconds until all are applied, once the first is.
        seconds_left: Option<u64>,
    },
}

/// How far state sync is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateSyncProgress {
    /// What it does.
    pub stage: Stage,
    /// Peers.
    pub peers: usize,
    /// What it waits for, if it does.
    pub waiting_for: Option<String>,
    /// Seconds until it gives up if nothing happens; none if it never does.
    pub gives_up_in: Option<u64>,
}

impl fmt::Display for StateSyncProgress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.stage {
            Stage::Discovering { snapshots } => write!(f, "looking for snapshots: {snapshots} known, {} peers", self.peers)?,
            Stage::Verifying { height } => write!(f, "verifying height {height} with the light client")?,
            Stage::Restoring { height, applied, total, seconds_left } => {
                write!(f, "snapshot {height}: {applied} of {total} chunks")?;
                if let Some(s) = seconds_left {
                    write!(f, ", {} left", Seconds(*s))?;
                }
            }
        }
        if let Some(what) = &self.waiting_for {
            write!(f, ", waiting for {what}")?;
            if let Some(s) = self.gives_up_in {
                write!(f, ", gives up in {}", Seconds(s))?;
            }
        }
        Ok(())
    }
}

impl StateSync {
    pub(super) fn progress(&self, now: Timestamp) -> StateSyncProgress {
        let (stage, waiting_for) = match &self.phase {
            Phase::Discovering => {
                let why = match self.peers.len() {
                    0 => "a peer: none is connected".to_owned(),
                    n if self.snapshots.len() == 0 => match self.rejections.last() {
                        Some(last) => format!("other snapshots of {n} peers; the last was rejected: {last}"),
                        None => format!("snapshots: none of {n} peers offers one"),
                    },
                    _ => match &self.last_trust_failure {
                        Some(reason) => format!("the light client: {reason}"),
                        None => "more offers".to_owned(),
                    },
                };
                (Stage::Discovering { snapshots: self.snapshots.len() }, Some(why))
            }
            Phase::Verifying { height, .. } => (Stage::Verifying { height: *height }, None),
            Phase::Offering | Phase::Restoring | Phase::Checking => {
                let Some(current) = &self.current else {
                    return StateSyncProgress {
                        stage: Stage::Discovering { snapshots: 0 },
                        peers: 0,
                        waiting_for: None,
                        gives_up_in: None,
                    };
                };
                let (applied, total) = current.chunks.count();
                let (idle, elapsed) = current.chunks.times(now);
                let left = i128::from(total.saturating_sub(applied)).saturating_mul(i128::from(elapsed));
                let left = left.checked_div(i128::from(applied).saturating_mul(i128::from(SECOND))).and_then(|n| u64::try_from(n).ok());
                let seconds = idle / SECOND;
                let waiting = (seconds > 2 && self.phase == Phase::Restoring).then(|| match current.chunks.waits_for() {
                    Some(peer) => format!("chunk {applied} from {peer} for {seconds} s"),
                    None => format!("chunk {applied} for {seconds} s"),
                });
                (Stage::Restoring { height: current.snapshot.height, applied, total, seconds_left: left }, waiting)
            }
            Phase::Done => (Stage::Discovering { snapshots: 0 }, None),
        };
        let left = self.config.give_up_after.saturating_sub(now.nanos_since(&self.last_progress)) / SECOND;
        let gives_up_in = if self.config.give_up_after > 0 { u64::try_from(left).ok() } else { None };
        StateSyncProgress { stage, peers: self.peers.len(), waiting_for, gives_up_in }
    }
}
