//! Where versions of the state are kept.

use oasis_consensus_app::{context::BlockTime, executor::VersionedTree};
use oasis_consensus_engine::ports::Fatal;
use oasis_consensus_types::upgrade::PendingUpgrade;
use oasis_mkvs::{
    NewNode, Root,
    checkpoint::{ChunkMetadata, Metadata},
};
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
    /// Whether the network halted with the block.
    #[cbor(omitempty)]
    pub halted: bool,
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

    /// Makes checkpoints and then removes old ones, if it takes long while other calls go on. What was in the making
    /// before has ended ([`Backend::making_from`]). Of a failure [`Backend::checkpoint_error`] tells.
    fn make_checkpoints(&mut self, job: CheckpointJob);

    /// The first version that is still read for checkpoints in the making; none where none are.
    fn making_from(&self) -> Option<u64>;

    /// Why checkpoints were not made, once.
    fn checkpoint_error(&mut self) -> Option<String>;

    /// The checkpoints that can be served, by version.
    fn checkpoints(&self) -> Vec<Metadata>;

    /// A chunk of a checkpoint.
    fn chunk(&self, chunk: &ChunkMetadata) -> Option<Vec<u8>>;

    /// Prepares for the nodes of a root that is later than all versions; what was imported before goes.
    fn start_restore(&mut self, root: &Root) -> Result<(), Fatal>;

    /// Keeps nodes of the root that is being restored.
    fn import(&mut self, root: &Root, nodes: Vec<NewNode>) -> Result<(), Fatal>;

    /// Makes the restored root the newest version. False where nodes are missing, and then nothing changed.
    fn finish_restore(&mut self, root: &Root) -> Result<bool, Fatal>;

    /// Drops what was imported.
    fn abort_restore(&mut self) -> Result<(), Fatal>;
}

/// Checkpoints to make.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CheckpointJob {
    /// Of which versions, the newest first.
    pub versions: Vec<u64>,
    /// Size of a chunk before compression, bytes.
    pub chunk_size: u64,
    /// How many checkpoints stay when they are made.
    pub keep: usize,
}
