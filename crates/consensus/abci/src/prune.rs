//! Which versions of the state are kept.
//!
//! Source: go/consensus/tendermint/abci/prune.go.

use oasis_consensus_engine::ports::Fatal;

use crate::backend::Backend;

/// Versions that are dropped at most after one block, so that a block is not held up. More than one, so that a node whose
/// strategy was changed comes to an end with it.
const MAX_PER_BLOCK: usize = 4;

/// Which versions of the state are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pruning {
    /// All.
    #[default]
    None,
    /// This many before the newest, 1 or more.
    KeepN(u64),
}

/// Drops versions block by block.
#[derive(Debug)]
pub(crate) struct Pruner {
    strategy: Pruning,
    /// The first version that power loss leaves behind, and the blocks after which are still needed; 0 for all.
    retained: u64,
    /// Blocks since the state was last synced.
    unsynced: u64,
}

impl Pruner {
    /// The versions that are there are those that were kept.
    pub(crate) fn new<T: Backend>(strategy: Pruning, backend: &T) -> Self {
        let retained = match strategy {
            Pruning::None => 0,
            Pruning::KeepN(_) => backend.earliest().unwrap_or_default(),
        };
        Self { strategy, retained, unsynced: 0 }
    }

    /// Blocks below this height may be forgotten; 0 for none.
    ///
    /// Source: go/consensus/tendermint/abci/prune.go, `GetLastRetainedVersion`.
    pub(crate) fn retained(&self) -> u64 {
        self.retained
    }

    /// Drops some of the versions that are too old, but none from `hold` on.
    ///
    /// Source: go/consensus/tendermint/abci/prune.go, `genericPruner.doPrune`.
    pub(crate) fn after_commit<T: Backend>(&mut self, backend: &mut T, latest: u64, hold: Option<u64>) -> Result<(), Fatal> {
        let Pruning::KeepN(keep) = self.strategy else { return Ok(()) };
        let Some(from) = latest.checked_sub(keep) else { return Ok(()) };
        let from = hold.map_or(from, |hold| from.min(hold));
        for _ in 0..MAX_PER_BLOCK {
            match backend.earliest() {
                Some(earliest) if earliest < from => backend.prune_earliest()?,
                _ => break,
            }
        }
        // What is forgotten of the blocks must not be needed again after power loss.
        self.unsynced = self.unsynced.saturating_add(1);
        if self.unsynced >= T::SYNC_EVERY && backend.earliest().is_some_and(|earliest| earliest > self.retained) {
            backend.sync()?;
            self.unsynced = 0;
            self.retained = backend.earliest().unwrap_or_default();
        }
        Ok(())
    }
}
