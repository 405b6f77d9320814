//! The state machine, with the time that blocks take.

use std::{sync::Arc, time::Instant};

use oasis_consensus_engine::{
    ByzantineValidator, CheckedBlock, EngineGenesis, InitChainResponse, VoteInfo,
    ports::{AppCommit, AppInfo, Application, ApplyChunk, CheckTx, Fatal, OfferSnapshot, Snapshot},
    proto::AbciResponses,
};

use super::Metrics;

/// A state machine whose blocks are timed. Source: tendermint `state/execution.go`, `BlockExecutor.ApplyBlock`.
pub struct Timed<A> {
    app: A,
    metrics: Arc<Metrics>,
}

impl<A> Timed<A> {
    /// Times the blocks of a state machine.
    pub fn new(app: A, metrics: Arc<Metrics>) -> Self {
        Self { app, metrics }
    }
}

impl<A: Application> Application for Timed<A> {
    fn info(&self) -> Result<AppInfo, Fatal> {
        self.app.info()
    }

    fn init_chain(&mut self, genesis: &EngineGenesis) -> Result<InitChainResponse, Fatal> {
        self.app.init_chain(genesis)
    }

    fn execute(&mut self, block: &CheckedBlock, votes: &[VoteInfo], byzantine: &[ByzantineValidator]) -> Result<AbciResponses, Fatal> {
        let start = Instant::now();
        let responses = self.app.execute(block, votes, byzantine);
        self.metrics.chain.executed(start.elapsed());
        responses
    }

    fn ended(&self) -> Option<String> {
        self.app.ended()
    }

    fn commit(&mut self) -> Result<AppCommit, Fatal> {
        self.app.commit()
    }

    fn check_tx(&mut self, tx: &[u8], recheck: bool) -> Result<CheckTx, Fatal> {
        self.app.check_tx(tx, recheck)
    }

    fn snapshots(&self) -> Vec<Snapshot> {
        self.app.snapshots()
    }

    fn snapshot_chunk(&self, height: u64, format: u32, chunk: u32) -> Option<Vec<u8>> {
        self.app.snapshot_chunk(height, format, chunk)
    }

    fn offer_snapshot(&mut self, snapshot: &Snapshot, app_hash: &[u8]) -> Result<OfferSnapshot, Fatal> {
        self.app.offer_snapshot(snapshot, app_hash)
    }

    fn apply_chunk(&mut self, index: u32, chunk: &[u8]) -> Result<ApplyChunk, Fatal> {
        self.app.apply_chunk(index, chunk)
    }
}
