//! Makes proposals, judges blocks and executes them.

use crate::{
    block::{CheckedBlock, max_data_bytes},
    error::VerifyError,
    evidence_pool::{EvidencePool, StoredHistory, verify_signatures},
    mempool::{Invalidated, Mempool},
    ports::{Application, Fatal, Store},
    proto::{AbciResponses, Commit},
    state::{ChainState, LAST_COMMIT_FIELD},
};

/// Carries blocks out on the state machine. Source: tendermint `state/execution.go`, `BlockExecutor`.
#[derive(Debug, Default)]
pub(super) struct BlockExecutor {
    /// The block that was found valid last, by height and hash: what was verified once is not verified again.
    valid: Option<(i64, Vec<u8>)>,
    /// Whether the signatures of the commit in the block that is applied next were verified already.
    pub last_commit_verified: bool,
    /// A bug to show.
    #[cfg(feature = "planted-bugs")]
    pub planted: Option<crate::planted::PlantedBug>,
}

/// What came of a block.
#[derive(Debug)]
pub(super) struct Done {
    pub state: ChainState,
    pub responses: AbciResponses,
    pub invalidated: Vec<Invalidated>,
}

impl BlockExecutor {
    /// Nothing was judged yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Judges a block against the last state, with all signatures and evidence in it.
    ///
    /// Source: `BlockExecutor.ValidateBlock`.
    pub fn validate(
        &mut self,
        store: &mut dyn Store,
        state: &ChainState,
        pool: &mut EvidencePool,
        block: &CheckedBlock,
    ) -> Result<Result<(), VerifyError>, Fatal> {
        self.check(store, state, pool, block, false)
    }

    fn check(
        &mut self,
        store: &mut dyn Store,
        state: &ChainState,
        pool: &mut EvidencePool,
        block: &CheckedBlock,
        last_commit_verified: bool,
    ) -> Result<Result<(), VerifyError>, Fatal> {
        let this = (block.header().height, block.id().hash.clone());
        if self.valid.as_ref() == Some(&this) {
            return Ok(Ok(()));
        }
        #[cfg(feature = "planted-bugs")]
        if self.planted == Some(crate::planted::PlantedBug::EvidenceNotChecked) && !block.evidence().evidence.is_empty() {
            return Ok(Ok(()));
        }
        let history = StoredHistory::for_evidence(store, &block.evidence().evidence)?;
        let checked = state.validate_block(block, &history).and_then(|mut signatures| {
            signatures.retain(|s| !last_commit_verified || s.field != LAST_COMMIT_FIELD);
            verify_signatures(&signatures)
        });
        if let Err(e) = checked {
            return Ok(Err(e));
        }
        let judged = pool.check(store, block.evidence())?;
        if judged.is_ok() {
            self.valid = Some(this);
        }
        Ok(judged)
    }

    /// Makes a block of the evidence and transactions that wait. Source: `BlockExecutor.CreateProposalBlock`.
    pub fn create_proposal(
        &self,
        state: &ChainState,
        mempool: &Mempool,
        pool: &EvidencePool,
        last_commit: Commit,
        proposer: &[u8],
    ) -> Result<(CheckedBlock, Vec<u8>), VerifyError> {
        let params = &state.consensus_params;
        let (evidence, size) = pool.reap(params.evidence.max_bytes);
        let max = max_data_bytes(params.block.max_bytes, size, state.validators.validators().len()).unwrap_or(0);
        state.make_block(mempool.reap(max, params.block.max_gas), last_commit, evidence, proposer)
    }

    /// Executes the next block, keeps the state after it, and lets go of blocks that nobody needs any more.
    ///
    /// The state machine's answers are kept before it commits, so that they are there if only the state after is lost.
    ///
    /// Source: `BlockExecutor.ApplyBlock`.
    pub fn apply(
        &mut self,
        app: &mut dyn Application,
        store: &mut dyn Store,
        state: &ChainState,
        mempool: &mut Mempool,
        pool: &mut EvidencePool,
        block: &CheckedBlock,
    ) -> Result<Done, Fatal> {
        let known = std::mem::take(&mut self.last_commit_verified);
        let height = block.header().height;
        if let Err(e) = self.check(store, state, pool, block, known)? {
            return Err(Fatal::new(format_args!("block {height} was decided but does not hold: {e}")));
        }
        self.valid = None;
        let byzantine = block.evidence().byzantine_validators();
        let responses = app.execute(block, &state.vote_infos(block), &byzantine)?;
        store.save_responses(height, &responses)?;
        let commit = app.commit()?;
        let next = state.after_block(block, &responses, &commit.app_hash).map_err(Fatal::new)?;
        let invalidated = mempool.update(app, &next, block.txs(), &responses.deliver_txs)?;
        pool.update(store, &next, &block.evidence().evidence)?;
        store.save_applied(&next, &block.evidence().evidence)?;
        if commit.retain_height > 0 {
            store.prune(commit.retain_height)?;
        }
        Ok(Done { state: next, responses, invalidated })
    }
}
