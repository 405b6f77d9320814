//! Where versions of the state are kept.

use oasis_consensus_app::{context::BlockTime, executor::VersionedTree};
use oasis_consensus_engine::ports::Fatal;
use oasis_consensus_types::upgrade::PendingUpgrade;
use oasis_primitives::cbor::Cbor;

/// What is known beside the state after a block.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor)]
pub struct Note {
    /// Time of the block, seconds since 1970.
    pub seconds: i64,
    /// Nanoseconds of its second.
    pub nanos: u32,
    /// The upgrades that are pending.
    #[cbor(omitempty)]
    pub upgrades: Vec<PendingUpgrade>,
}

impl Note {
    /// The time of the block.
    pub fn time(&self) -> BlockTime {
        BlockTime { seconds: self.seconds, nanos: self.nanos }
    }
}

/// Keeps versions of the state, and beside them what the machine has to know.
pub trait Backend: VersionedTree {
    /// Every how many blocks it may be synced for the sake of pruning.
    const SYNC_EVERY: u64;

    /// The note that was kept last.
    fn note(&self) -> Result<Option<Note>, Fatal>;

    /// A note to keep in the same write as the next version.
    fn set_note(&mut self, note: Note);

    /// Keeps a note at once.
    fn keep_note(&mut self, note: Note) -> Result<(), Fatal>;

    /// The first version that is there.
    fn earliest(&self) -> Option<u64>;

    /// Drops the first version, which is not the newest.
    fn prune_earliest(&mut self) -> Result<(), Fatal>;

    /// Makes what was written survive power loss.
    fn sync(&self) -> Result<(), Fatal>;
}
