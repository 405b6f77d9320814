//! Answers from a node's own databases.

use std::sync::Arc;

use oasis_consensus_abci::{DiskReader, Network};
use oasis_consensus_app::{error::Result, store::Store as State};
use oasis_consensus_engine::ports::Store as Blocks;
use oasis_mkvs::{Root, Tree};
use oasis_storage::BlockDb;

use super::query::{Recent, Source};

/// States and blocks on disk; they are read while the engine goes on.
#[derive(Clone)]
pub struct DiskSource {
    network: Arc<Network>,
    archive: bool,
    state: DiskReader,
    blocks: BlockDb,
    recent: Arc<Recent>,
}

impl DiskSource {
    /// The databases of a node, or of an archive.
    pub fn new(network: Arc<Network>, archive: bool, state: DiskReader, blocks: BlockDb) -> Self {
        Self { network, archive, state, blocks, recent: Arc::default() }
    }
}

impl Source for DiskSource {
    fn network(&self) -> &Network {
        &self.network
    }

    fn is_archive(&self) -> bool {
        self.archive
    }

    fn blocks(&self) -> &dyn Blocks {
        &self.blocks
    }

    fn recent(&self) -> Option<&Recent> {
        Some(&self.recent)
    }

    fn last_height(&self) -> i64 {
        let last = self.state.latest().and_then(|version| i64::try_from(version).ok()).unwrap_or_default();
        if last < self.network.document.height { 0 } else { last }
    }

    fn state_at(&self, height: i64) -> Result<Option<State>> {
        let Ok(version) = u64::try_from(height) else { return Ok(None) };
        Ok(self.state.at(version)?.map(State::new))
    }

    fn tree(&self, root: &Root) -> Result<Option<Tree>> {
        self.state.tree(root)
    }
}
