//! The state machine that the engine drives.
//!
//! Source: go/consensus/tendermint/abci/mux.go, `abciMux`; go/consensus/tendermint/abci/state.go, `applicationState`.

use std::{fmt, sync::Arc};

use oasis_consensus_app::{
    context::{BlockTime, Options},
    epoch::{self, EpochTime},
    error::{Error, Result},
    executor::{Config as ExecutorConfig, Executor, verify_inside},
    upgrade::Upgrader,
};
use oasis_consensus_engine::{
    ByzantineValidator, CheckedBlock, EngineGenesis, InitChainResponse, VoteInfo,
    ports::{AppCommit, AppInfo, Application, ApplyChunk, CheckTx, Fatal, OfferSnapshot, Snapshot},
    proto::AbciResponses,
};
use oasis_consensus_types::{
    consensus::TENDERMINT_APP_VERSION,
    errors::CodedError,
    upgrade::{Descriptor, ERR_STOP_FOR_UPGRADE, INVALID_UPGRADE_HEIGHT, UpgradeStage},
};
use oasis_mkvs::checkpoint::Restorer;
use oasis_primitives::{quantity::Quantity, sgx::Policy, signature::PublicKey};

use crate::{
    backend::{Backend, CheckpointJob, Note},
    checkpointer::Checkpointer,
    convert,
    network::Network,
    prepared::PreparedCache,
    prune::{Pruner, Pruning},
};

/// Memory for transactions that were checked and wait for their block, bytes: all of a full mempool where they are of usual size, since
/// they are checked again in their order after each block, and if the first are forgotten for the last none is found.
const PREPARED_BYTES: usize = 16 << 20;

/// What the operator chose.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// Which versions of the state are kept.
    pub pruning: Pruning,
    /// Least gas price for the mempool, base units a unit of gas.
    pub min_gas_price: Quantity,
    /// The node's own key, whose transactions may have any gas price.
    pub own_tx_signer: Option<PublicKey>,
    /// Whether no checkpoints are made.
    pub disable_checkpointer: bool,
    /// Upgrades that are pending before the first block; later the state says which, and more are submitted.
    pub upgrades: Vec<Descriptor>,
    /// Whether the node stops at every upgrade, as the original does; otherwise only at one that it cannot perform.
    pub stop_at_upgrades: bool,
}

/// Why the node has to stop, though nothing is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StopReason {
    /// The network ended with the block that was committed last.
    Halted {
        /// Height of that block.
        height: i64,
        /// The epoch in which the network ends.
        epoch: EpochTime,
    },
    /// The block of this height is to be executed by another version of the program.
    Upgrade {
        /// Height of the block.
        height: i64,
        /// Which upgrade is due, and why this program does not perform it.
        reason: String,
    },
}

impl fmt::Display for StopReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Halted { height, epoch } => write!(f, "the network halted at height {height}, in epoch {epoch}"),
            Self::Upgrade { height, reason } => write!(f, "stopped for an upgrade before block {height} is executed: {reason}"),
        }
    }
}

/// Why a machine does not start.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// The state failed.
    #[error(transparent)]
    State(#[from] Fatal),
    /// An upgrade began that this program cannot perform.
    #[error("a pending upgrade cannot be performed by this version: {0}")]
    Upgrade(CodedError),
    /// The configuration.
    #[error("pruning: expected 1 or more versions to keep, found 0")]
    Pruning,
}

/// What was executed and not committed.
#[derive(Clone, Copy, Debug)]
struct Executed {
    time: BlockTime,
}

/// The state machine over versions of the state.
pub struct Machine<T> {
    pub(crate) executor: Executor<T>,
    pub(crate) network: Network,
    config: Config,
    pub(crate) restorer: Restorer,
    prepared: PreparedCache,
    pruner: Pruner,
    checkpointer: Option<Checkpointer>,
    executed: Option<Executed>,
    stop: Option<StopReason>,
}

/// Module of the log. Source: go/upgrade/api/api.go, `ModuleName`.
const LOG_UPGRADE: &str = "upgrade";

/// Begins the upgrades that are due, or says which this program can't perform.
///
/// Source: go/upgrade/upgrade.go, `checkStatus`, `StartupUpgrade`.
fn start_upgrades(upgrader: &mut Upgrader) -> Result<(), OpenError> {
    let before: Vec<_> = upgrader.pending().to_vec();
    let result = upgrader.start();
    for (before, now) in before.iter().zip(upgrader.pending()) {
        let handler = now.descriptor.handler.as_str();
        if !before.has_stage(UpgradeStage::STARTUP) && now.has_stage(UpgradeStage::STARTUP) {
            tracing::warn!(target: LOG_UPGRADE, handler, log_event = "upgrade/startup-upgrade", "performing startup upgrade");
        }
        if now.upgrade_height != INVALID_UPGRADE_HEIGHT
            && let Err(error) = now.descriptor.ensure_compatible()
        {
            let event = "upgrade/incompatible-binary";
            tracing::error!(target: LOG_UPGRADE, handler, %error, log_event = event, "incompatible binary version for upgrade");
        }
    }
    result.map_err(OpenError::Upgrade)
}

pub(crate) fn fatal(error: impl fmt::Display) -> Fatal {
    Fatal::new(error)
}

impl<T: Backend> Machine<T> {
    /// Goes on from the newest version of the state; before the first, the engine makes that of the genesis document.
    pub fn open(tree: T, network: Network, config: Config) -> Result<Self, OpenError> {
        if config.pruning == Pruning::KeepN(0) {
            return Err(OpenError::Pruning);
        }
        let note = tree.note()?;
        let mut upgrader = match &note {
            Some(note) => Upgrader::resume(note.upgrades.clone()),
            None => Upgrader::new(config.upgrades.clone()),
        };
        start_upgrades(&mut upgrader)?;
        if config.stop_at_upgrades {
            upgrader = upgrader.stopping_at_upgrades();
        }
        let document = &network.document;
        let executor_config = ExecutorConfig {
            initial_height: document.height,
            rules: network.rules.clone(),
            base_epoch: document.beacon.base,
            halt_epoch: document.halt_epoch,
            options: Options {
                debug: network.debug,
                min_gas_price: config.min_gas_price.clone(),
                own_tx_signer: config.own_tx_signer,
                sgx: Policy::new(network.debug),
                supplementary_sanity_interval: network.supplementary_sanity_interval,
            },
        };
        let genesis_time = BlockTime { seconds: document.time.seconds(), nanos: document.time.nanos() };
        let time = note.as_ref().map_or(genesis_time, Note::time);
        let pruner = Pruner::new(config.pruning, &tree);
        let halted = note.is_some_and(|note| note.halted);
        let mut executor = Executor::new(tree, executor_config, Some(upgrader), time).map_err(fatal)?;
        if halted {
            executor.resume_halted();
        }
        let first = u64::try_from(document.height).unwrap_or_default();
        let checkpointer = (!config.disable_checkpointer).then(|| Checkpointer::new(first));
        let mut machine = Self {
            executor,
            network,
            config,
            restorer: Restorer::new(),
            prepared: PreparedCache::new(PREPARED_BYTES),
            pruner,
            checkpointer,
            executed: None,
            stop: None,
        };
        if halted {
            machine.halt().map_err(fatal)?;
        }
        Ok(machine)
    }

    /// Why the node has to stop, where it has to. To be asked after each commit, and where a block failed.
    pub fn stop_reason(&self) -> Option<&StopReason> {
        self.stop.as_ref()
    }

    /// The executor: [`Executor::query`] for the state of a height, [`Executor::estimate_gas`], the parameters.
    pub fn executor(&self) -> &Executor<T> {
        &self.executor
    }

    /// What the operator chose.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The network.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// The height of the last committed block, 0 before the first.
    pub fn height(&self) -> i64 {
        let last = self.executor.last_height();
        if last < self.network.document.height { 0 } else { last }
    }

    /// The first height whose state is there; none before the first block.
    pub fn earliest_height(&self) -> Option<i64> {
        self.executor.tree().earliest().and_then(|v| i64::try_from(v).ok())
    }

    /// The versions of the state, for another machine to go on from.
    pub fn into_tree(self) -> T {
        self.executor.into_tree()
    }

    /// Why checkpoints were not made, once; for the log.
    pub fn checkpoint_error(&mut self) -> Option<String> {
        self.executor.tree_mut().checkpoint_error()
    }

    /// Has a checkpoint made of the newest version, besides those of the interval.
    ///
    /// Source: go/storage/mkvs/checkpoint/checkpointer.go, `ForceCheckpoint`.
    pub fn force_checkpoint(&mut self, chunk_size: u64) {
        let tree = self.executor.tree_mut();
        if let Some((version, _)) = tree.latest() {
            tree.make_checkpoints(CheckpointJob { versions: vec![version], chunk_size, keep: usize::MAX });
        }
    }

    /// Makes what was committed survive power loss.
    pub fn sync(&self) -> Result<(), Fatal> {
        self.executor.tree().sync()
    }

    /// Goes on from a state that was restored.
    pub(crate) fn on_restored(&mut self) -> Result<(), Fatal> {
        let document = &self.network.document;
        let time = BlockTime { seconds: document.time.seconds(), nanos: document.time.nanos() };
        self.executor.reload(time).map_err(fatal)?;
        self.executed = None;
        self.pruner = Pruner::new(self.config.pruning, self.executor.tree());
        Ok(())
    }

    /// Adds an upgrade that the operator submits.
    ///
    /// Source: go/upgrade/upgrade.go, `SubmitDescriptor`.
    pub fn submit_upgrade(&mut self, descriptor: Descriptor) -> Result<(), Error> {
        descriptor.validate_basic()?;
        self.change_upgrades(|upgrader| upgrader.submit(descriptor))
    }

    /// Cancels a pending upgrade that has not begun.
    ///
    /// Source: go/upgrade/upgrade.go, `CancelUpgrade`.
    pub fn cancel_upgrade(&mut self, descriptor: &Descriptor) -> Result<(), Error> {
        self.change_upgrades(|upgrader| upgrader.cancel(descriptor))
    }

    fn change_upgrades(&mut self, change: impl FnOnce(&mut Upgrader) -> Result<(), CodedError>) -> Result<(), Error> {
        let upgrader = self.executor.upgrader_mut().ok_or_else(|| Error::fatal("no upgrades are performed"))?;
        change(upgrader)?;
        self.keep_upgrades().map_err(Error::fatal)
    }

    /// Keeps what the upgrades are at now.
    fn keep_upgrades(&mut self) -> Result<(), Fatal> {
        let upgrades = self.executor.upgrader().map(|u| u.pending().to_vec()).unwrap_or_default();
        let tree = self.executor.tree_mut();
        match tree.note()? {
            Some(note) => tree.keep_note(Note { upgrades, ..note }),
            None => Ok(()),
        }
    }

    fn run(&mut self, block: &CheckedBlock, votes: &[VoteInfo], byzantine: &[ByzantineValidator]) -> Result<AbciResponses> {
        let last = block.header().height.saturating_sub(1);
        for pending in self.executor.upgrader().iter().flat_map(|u| u.pending()).filter(|p| !p.is_completed() && p.upgrade_height == last) {
            let handler = pending.descriptor.handler.as_str();
            tracing::warn!(target: LOG_UPGRADE, handler, log_event = "upgrade/consensus-upgrade", "performing consensus upgrade");
        }
        let begin = self.executor.begin_block(&convert::begin_block(block, votes, byzantine))?;
        let txs = self.prepared.take(block.txs(), self.executor.rules());
        // The signatures inside of the transactions, in one batch too.
        let inside = verify_inside(txs.iter().map(Arc::as_ref), self.executor.rules());
        self.executor.set_verified(Arc::new(inside));
        let results = txs.iter().map(|tx| self.executor.deliver_tx(tx)).collect::<Result<_>>()?;
        let end = self.executor.end_block()?;
        Ok(convert::responses(begin, results, end, self.executor.halted()))
    }

    /// Has the node stop after the last committed block, at which the network halted.
    ///
    /// It is known after a restart too. The original forgets, commits one block more, and waits for peers that are gone.
    ///
    /// Source: go/consensus/tendermint/abci/mux.go, `BeginBlock`.
    fn halt(&mut self) -> Result<()> {
        self.stop = Some(StopReason::Halted { height: self.executor.last_height(), epoch: self.epoch()? });
        Ok(())
    }

    /// The epoch in the state after the last committed block.
    fn epoch(&self) -> Result<EpochTime> {
        Ok(epoch::current(&self.executor.query(0)?)?.epoch)
    }
}

impl<T: Backend> Application for Machine<T> {
    /// Source: go/consensus/tendermint/abci/mux.go, `Info`.
    fn info(&self) -> Result<AppInfo, Fatal> {
        let last_height = self.height();
        let app_hash = match self.executor.tree().latest() {
            Some((_, root)) if last_height > 0 => root.0.to_vec(),
            _ => Vec::new(),
        };
        Ok(AppInfo { last_height, app_hash, app_version: TENDERMINT_APP_VERSION })
    }

    fn init_chain(&mut self, genesis: &EngineGenesis) -> Result<InitChainResponse, Fatal> {
        let height = self.height();
        if height != 0 {
            return Err(Fatal::new(format_args!("asked for the genesis state, but the state is that of height {height}")));
        }
        if *genesis != self.network.engine {
            return Err(Fatal::new("the engine's genesis document is not that of the state machine's network"));
        }
        // Where it was made before and nothing was committed since.
        self.executor.abandon().map_err(fatal)?;
        self.executed = None;
        let root = self.executor.init_chain(&self.network.document).map_err(fatal)?;
        Ok(convert::init_chain(genesis, root))
    }

    fn execute(&mut self, block: &CheckedBlock, votes: &[VoteInfo], byzantine: &[ByzantineValidator]) -> Result<AbciResponses, Fatal> {
        let height = block.header().height;
        if let Some(stop) = &self.stop {
            return Err(Fatal::new(stop));
        }
        if self.executed.is_some() {
            return Err(Fatal::new(format_args!("block {height} was to be executed before the block before it was committed")));
        }
        // Syncing from snapshots was given up.
        self.abort_restore()?;
        match self.run(block, votes, byzantine) {
            Ok(responses) => {
                self.executed = Some(Executed { time: convert::block_time(&block.header().time) });
                Ok(responses)
            }
            Err(error) => {
                let error = if error.is(ERR_STOP_FOR_UPGRADE) {
                    fatal(self.stop.insert(StopReason::Upgrade { height, reason: error.to_string() }))
                } else {
                    Fatal::new(format_args!("block {height}: {error}"))
                };
                let left = self.executor.abandon().map_err(fatal);
                // The next start is to know that the upgrade is due.
                let left = if self.stop.is_some() { left.and_then(|()| self.keep_upgrades()) } else { left };
                match left {
                    Ok(()) => Err(error),
                    Err(second) => Err(Fatal::new(format_args!("{error}; {second}"))),
                }
            }
        }
    }

    fn ended(&self) -> Option<String> {
        self.stop.as_ref().map(ToString::to_string)
    }

    /// Source: go/consensus/tendermint/abci/state.go, `doCommit`.
    fn commit(&mut self) -> Result<AppCommit, Fatal> {
        let Some(Executed { time }) = self.executed.take() else {
            return Err(Fatal::new("a block was to be committed, but none was executed"));
        };
        let upgrades = self.executor.upgrader().map(|u| u.pending().to_vec()).unwrap_or_default();
        let halted = self.executor.halted();
        self.executor.tree_mut().set_note(Note { seconds: time.seconds, nanos: time.nanos, upgrades, halted });
        let root = self.executor.commit().map_err(fatal)?.root;
        let height = self.executor.last_height();
        if halted {
            self.halt().map_err(fatal)?;
        }
        let version = u64::try_from(height).map_err(fatal)?;
        let params = Arc::clone(self.executor.parameters());
        let tree = self.executor.tree_mut();
        if let Some(checkpointer) = &mut self.checkpointer {
            checkpointer.after_commit(tree, version, &params);
        }
        let hold = tree.making_from();
        self.pruner.after_commit(tree, version, hold)?;
        let retain_height = i64::try_from(self.pruner.retained()).map_err(fatal)?;
        Ok(AppCommit { app_hash: root.0.to_vec(), retain_height })
    }

    fn prepare(&mut self, txs: &[&[u8]]) {
        self.prepared.prepare(txs, self.executor.rules());
    }

    /// Source: go/consensus/tendermint/abci/mux.go, `CheckTx`.
    fn check_tx(&mut self, tx: &[u8], _recheck: bool) -> Result<CheckTx, Fatal> {
        let tx = self.prepared.check(tx, self.executor.rules());
        Ok(match self.executor.check_tx(&tx) {
            Ok(result) => {
                CheckTx { code: result.code, codespace: result.module, log: result.message, gas_wanted: result.gas_wanted.cast_signed() }
            }
            // A transaction must not stop the node before it is in a block.
            Err(error) => {
                let (module, code) = error.module_and_code();
                CheckTx { code, codespace: module.to_owned(), log: error.to_string(), gas_wanted: 0 }
            }
        })
    }

    fn snapshots(&self) -> Vec<Snapshot> {
        self.list_snapshots()
    }

    fn snapshot_chunk(&self, height: u64, format: u32, chunk: u32) -> Option<Vec<u8>> {
        self.load_chunk(height, format, chunk)
    }

    fn offer_snapshot(&mut self, snapshot: &Snapshot, app_hash: &[u8]) -> Result<OfferSnapshot, Fatal> {
        self.start_restore(snapshot, app_hash)
    }

    fn apply_chunk(&mut self, index: u32, chunk: &[u8]) -> Result<ApplyChunk, Fatal> {
        self.restore_chunk(index, chunk)
    }
}
