//! The state of a node that does not run, for tools.

use std::{fs::File, path::Path, sync::Arc};

use oasis_consensus_abci::{Disk, DiskOptions, Network};
use oasis_consensus_app::{context::BlockTime, store::Store as State};
use oasis_consensus_engine::ports::Store as _;
use oasis_storage::{BlockDb, BlockOptions, Together};

use super::{
    paths::Paths,
    prepare::{StartError, hold},
};
use crate::api::{query::Source as _, source::DiskSource};

/// Memory for what was read lately, bytes.
const CACHE_BYTES: u64 = 8 << 20;

/// A stopped node's states and blocks. While they are open no node starts on them.
pub struct Stopped {
    source: DiskSource,
    blocks: BlockDb,
    _lock: File,
}

impl Stopped {
    /// Whether a node has kept states in a data directory.
    pub fn is_there(datadir: &Path) -> bool {
        Paths::new(datadir).state().is_dir()
    }

    /// Opens what a node of a network left in its data directory.
    pub fn open(datadir: &Path, network: Network) -> Result<Self, StartError> {
        let paths = Paths::new(datadir);
        let held = hold(&paths, None)?;
        let path = paths.state();
        let failed = |e: &dyn std::fmt::Display| StartError::at(&path, e);
        let together = Together::open(&path, CACHE_BYTES).map_err(|e| failed(&e))?;
        let tree = Disk::on(together.state, &path, DiskOptions::new(network.chain_context.clone())).map_err(|e| failed(&e))?;
        let options = BlockOptions { context: network.chain_context.clone(), with_state: true, ..BlockOptions::default() };
        let blocks = BlockDb::on(together.blocks, &path, options).map_err(|e| failed(&e))?;
        let source = DiskSource::new(Arc::new(network), false, tree.reader(), blocks.clone());
        Ok(Self { source, blocks, _lock: held })
    }

    /// Height of the last state; 0 before the first block.
    pub fn last_height(&self) -> i64 {
        self.source.last_height()
    }

    /// The state after a block, and the block's time; none where they are not kept.
    pub fn state(&self, height: i64) -> Result<Option<(State, BlockTime)>, StartError> {
        let failed = |e: &dyn std::fmt::Display| StartError(format!("height {height}: {e}"));
        let header = self.blocks.header(height).map_err(|e| failed(&e))?;
        let state = self.source.state_at(height).map_err(|e| failed(&e))?;
        let time = |header: oasis_consensus_engine::proto::Header| {
            let time = header.time;
            BlockTime { seconds: time.seconds, nanos: u32::try_from(time.nanos).unwrap_or_default() }
        };
        Ok(state.zip(header.map(time)))
    }
}
