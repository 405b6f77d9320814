//! The part of the past that evidence can still be about, kept in memory.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use crate::{
    block::CheckedBlock,
    evidence::History,
    merkle::Sha256Hash,
    proto::{Commit, Header},
    state::ChainState,
    validator_set::ValidatorSet,
};

/// Blocks that are not too old for evidence.
#[derive(Clone, Debug, Default)]
pub struct RecentBlocks {
    blocks: BTreeMap<i64, Recent>,
    committed: BTreeSet<Sha256Hash>,
}

#[derive(Clone, Debug)]
struct Recent {
    header: Header,
    validators: Arc<ValidatorSet>,
    commit: Option<Commit>,
}

impl RecentBlocks {
    /// Adds a block that was applied to `before`, and forgets those that are too old by height and by time.
    ///
    /// Source: tendermint `evidence/pool.go`, `Pool.isExpired`, `Pool.markEvidenceAsCommitted`.
    pub fn push(&mut self, before: &ChainState, block: &CheckedBlock) {
        let header = block.header();
        if let Some(last) = self.blocks.get_mut(&before.last_block_height) {
            last.commit = Some(block.last_commit().clone());
        }
        self.committed.extend(block.evidence().evidence.iter().map(|e| e.hash()));
        let recent = Recent { header: header.clone(), validators: Arc::clone(&before.validators), commit: None };
        self.blocks.insert(header.height, recent);
        let limits = &before.consensus_params.evidence;
        while let Some(oldest) = self.blocks.first_entry() {
            let age = header.time.nanos_since(&oldest.get().header.time);
            let blocks = header.height.saturating_sub(*oldest.key());
            if age <= limits.max_age_duration.as_nanos() || blocks <= limits.max_age_num_blocks {
                break;
            }
            oldest.remove();
        }
    }
}

impl History for RecentBlocks {
    fn header(&self, height: i64) -> Option<&Header> {
        self.blocks.get(&height).map(|b| &b.header)
    }

    fn commit(&self, height: i64) -> Option<&Commit> {
        self.blocks.get(&height).and_then(|b| b.commit.as_ref())
    }

    fn validators(&self, height: i64) -> Option<&ValidatorSet> {
        self.blocks.get(&height).map(|b| &*b.validators)
    }

    fn latest_height(&self) -> i64 {
        self.blocks.last_key_value().map_or(0, |(height, _)| *height)
    }

    fn is_committed(&self, hash: &Sha256Hash) -> bool {
        self.committed.contains(hash)
    }
}
