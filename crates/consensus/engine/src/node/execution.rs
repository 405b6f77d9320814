//! Executes blocks, makes proposals, brings store and state machine together at the start.

use crate::{
    block::CheckedBlock,
    error::VerifyError,
    evidence_pool::{EvidencePool, StoredHistory, verify_signatures},
    mempool::{Invalidated, Mempool, max_data_bytes},
    ports::{Application, Fatal, Store},
    proto::{AbciResponses, Commit},
    state::{ChainState, EngineGenesis},
};

/// Carries blocks out on the state machine.
#[derive(Debug, Default)]
pub(super) struct BlockExecutor;

/// What came of a block.
#[derive(Debug)]
pub(super) struct Done {
    pub state: ChainState,
    pub responses: AbciResponses,
    pub invalidated: Vec<Invalidated>,
}

impl BlockExecutor {
    pub fn new() -> Self {
        Self
    }
    pub fn validate(
        &self,
        store: &mut dyn Store,
        state: &ChainState,
        pool: &mut EvidencePool,
        block: &CheckedBlock,
    ) -> Result<Result<(), VerifyError>, Fatal> {
        let history = StoredHistory::for_evidence(store, &block.evidence().evidence)?;
        if let Err(e) = state.validate_block(block, &history).and_then(|c| verify_signatures(&c)) {
            return Ok(Err(e));
        }
        pool.check(store, block.evidence())
    }
    pub fn create_proposal(
        &self,
        state: &ChainState,
        mempool: &Mempool,
        pool: &EvidencePool,
        _height: i64,
        last_commit: Commit,
        proposer: &[u8],
    ) -> Result<(CheckedBlock, Vec<u8>), VerifyError> {
        let params = &state.consensus_params;
        let (evidence, size) = pool.reap(params.evidence.max_bytes);
        let max = max_data_bytes(params.block.max_bytes, size, state.validators.validators().len());
        state.make_block(mempool.reap(max, params.block.max_gas), last_commit, evidence, proposer)
    }
    pub fn apply(
        &self,
        app: &mut dyn Application,
        store: &mut dyn Store,
        state: &ChainState,
        mempool: &mut Mempool,
        pool: &mut EvidencePool,
        block: &CheckedBlock,
    ) -> Result<Done, Fatal> {
        if let Err(e) = self.validate(store, state, pool, block)? {
            return Err(Fatal::new(e));
        }
        let byzantine = block.evidence().byzantine_validators();
        let responses = app.execute(block, &state.vote_infos(block), &byzantine)?;
        store.save_responses(block.header().height, &responses)?;
        let commit = app.commit()?;
        let next = state.after_block(block, &responses, &commit.app_hash).map_err(Fatal::new)?;
        let invalidated = mempool.update(app, &next, block.txs(), &responses.deliver_txs)?;
        pool.update(store, &next, &block.evidence().evidence)?;
        store.save_applied(&next, &block.evidence().evidence)?;
        Ok(Done { state: next, responses, invalidated })
    }
}

/// The state to go on from.
pub(super) fn handshake(app: &mut dyn Application, store: &mut dyn Store, genesis: &EngineGenesis) -> Result<ChainState, Fatal> {
    if let Some(state) = store.chain_state()?
        && state.last_block_height > 0
    {
        return Ok(state);
    }
    let info = app.info()?;
    let response = app.init_chain(genesis)?;
    let state = ChainState::from_genesis(genesis, info.app_version, &response).map_err(Fatal::new)?;
    store.save_genesis(&state)?;
    Ok(state)
}
