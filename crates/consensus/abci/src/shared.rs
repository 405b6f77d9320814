//! One machine for the engine and for those who ask it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use oasis_consensus_engine::{
    ByzantineValidator, CheckedBlock, EngineGenesis, InitChainResponse, VoteInfo,
    ports::{AppCommit, AppInfo, Application, ApplyChunk, CheckTx, Fatal, OfferSnapshot, Snapshot},
    proto::AbciResponses,
};

use crate::{backend::Backend, machine::Machine};

/// A handle on a machine: the engine drives one, others query it in between. While a block executes they wait.
pub struct Shared<T>(Arc<Mutex<Machine<T>>>);

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T: Backend> Shared<T> {
    /// Shares a machine.
    pub fn new(machine: Machine<T>) -> Self {
        Self(Arc::new(Mutex::new(machine)))
    }

    /// The machine, until the guard goes.
    pub fn lock(&self) -> MutexGuard<'_, Machine<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Backend> Application for Shared<T> {
    fn info(&self) -> Result<AppInfo, Fatal> {
        self.lock().info()
    }

    fn init_chain(&mut self, genesis: &EngineGenesis) -> Result<InitChainResponse, Fatal> {
        self.lock().init_chain(genesis)
    }

    fn execute(&mut self, block: &CheckedBlock, votes: &[VoteInfo], byzantine: &[ByzantineValidator]) -> Result<AbciResponses, Fatal> {
        self.lock().execute(block, votes, byzantine)
    }

    fn ended(&self) -> Option<String> {
        self.lock().ended()
    }

    fn commit(&mut self) -> Result<AppCommit, Fatal> {
        self.lock().commit()
    }

    fn prepare(&mut self, txs: &[&[u8]]) {
        self.lock().prepare(txs);
    }

    fn check_tx(&mut self, tx: &[u8], recheck: bool) -> Result<CheckTx, Fatal> {
        self.lock().check_tx(tx, recheck)
    }

    fn snapshots(&self) -> Vec<Snapshot> {
        self.lock().snapshots()
    }

    fn snapshot_chunk(&self, height: u64, format: u32, chunk: u32) -> Option<Vec<u8>> {
        self.lock().snapshot_chunk(height, format, chunk)
    }

    fn offer_snapshot(&mut self, snapshot: &Snapshot, app_hash: &[u8]) -> Result<OfferSnapshot, Fatal> {
        self.lock().offer_snapshot(snapshot, app_hash)
    }

    fn apply_chunk(&mut self, index: u32, chunk: &[u8]) -> Result<ApplyChunk, Fatal> {
        self.lock().apply_chunk(index, chunk)
    }
}
