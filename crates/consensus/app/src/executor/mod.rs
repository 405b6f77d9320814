//! The seam that a consensus engine drives: init chain, begin block, deliver, end block, commit, check, simulate, query.
//!
//! Source: go/consensus/tendermint/abci/{mux,state}.go.

mod apps;
mod block;
mod events;
mod init;
mod inside;
mod tx;
mod versions;

use std::sync::Arc;

use oasis_consensus_types::consensus::Parameters;
use oasis_primitives::{
    hash::Hash,
    signature::{SignatureRules, Verified},
};

use crate::{
    context::{BlockContext, BlockTime, Context, Env, Mode, Options},
    epoch::{self, EpochTime},
    error::{Error, Result},
    store::{Changes, StateTree, Store},
    upgrade::Upgrader,
};

pub use tx::{PreparedTx, Preparer, verify_inside};
pub use versions::{MemoryVersions, apply_changes};

/// Key of the consensus parameters.
///
/// Source: go/consensus/tendermint/abci/state/state.go, `parametersKeyFmt`.
pub const KEY_PARAMETERS: &[u8] = &[0xf1];

/// Versions of the state, of which the newest can be extended.
pub trait VersionedTree {
    /// The newest version, uncommitted changes included.
    fn snapshot(&self) -> Arc<dyn StateTree>;

    /// A committed version; none where it is not retained.
    fn at(&self, version: u64) -> Result<Option<Arc<dyn StateTree>>>;

    /// Makes changes on top of the newest version and returns those that changed something.
    fn apply(&mut self, changes: Changes) -> Result<Changes>;

    /// The root hash of the newest version, uncommitted changes included.
    fn root(&mut self) -> Result<Hash>;

    /// Makes the changes a version that is kept, and returns its root hash.
    fn commit(&mut self, version: u64) -> Result<Hash>;

    /// Drops the changes since the last committed version.
    fn discard(&mut self) -> Result<()>;

    /// The newest committed version and its root hash; none before the first.
    fn latest(&self) -> Option<(u64, Hash)>;
}

/// What commits to a block's state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// The app hash that the next block's header carries.
    pub root: Hash,
    /// The keys whose values this block changed; those of the genesis document too in the first block.
    pub changes: Changes,
}

/// What a network is told apart by, and what its operator chose.
#[derive(Clone, Debug)]
pub struct Config {
    /// Height of the first block.
    pub initial_height: i64,
    /// Which signatures count.
    pub rules: SignatureRules,
    /// The first epoch of the network.
    pub base_epoch: EpochTime,
    /// The epoch in which the network stops; `EPOCH_INVALID` for never.
    pub halt_epoch: EpochTime,
    /// What the operator chose.
    pub options: Options,
}

/// The consensus layer's state machine over a versioned tree.
///
/// One block at a time: [`Executor::begin_block`], [`Executor::deliver_tx`] for each transaction, [`Executor::end_block`],
/// [`Executor::commit`]. An error from any of these is fatal: what the block did is lost with [`Executor::abandon`].
pub struct Executor<T> {
    tree: T,
    store: Store,
    check: Option<CheckState>,
    config: Config,
    options: Arc<Options>,
    params: Arc<Parameters>,
    block: BlockContext,
    last_height: i64,
    last_time: BlockTime,
    block_time: BlockTime,
    last_epoch: EpochTime,
    halted: bool,
    genesis_changes: Changes,
    sealed: Option<Commit>,
}

/// The state against which transactions for the mempool are checked, and the time of the last block.
struct CheckState {
    store: Store,
    block: BlockContext,
}

impl<T: VersionedTree> Executor<T> {
    /// Goes on from the tree's newest version; before the first, [`Executor::init_chain`] comes next.
    ///
    /// `last_time` is the time of the last committed block.
    pub fn new(tree: T, config: Config, upgrader: Option<Upgrader>, last_time: BlockTime) -> Result<Self> {
        let before_first = config.initial_height.saturating_sub(1);
        let last_height = match tree.latest() {
            Some((version, _)) => i64::try_from(version).map_err(|_| Error::fatal("version does not fit a height"))?,
            None => before_first,
        };
        let store = Store::new(tree.snapshot());
        let options = Arc::new(config.options.clone());
        let mut executor = Self {
            tree,
            store,
            check: None,
            config,
            options,
            params: Arc::default(),
            block: BlockContext { upgrader, ..BlockContext::default() },
            last_height,
            last_time,
            block_time: last_time,
            last_epoch: 0,
            halted: false,
            genesis_changes: Changes::new(),
            sealed: None,
        };
        if last_height > before_first {
            executor.load_parameters()?;
            executor.refresh_upgrades()?;
        }
        Ok(executor)
    }

    /// The height of the last committed block; one below the initial height before the first.
    pub fn last_height(&self) -> i64 {
        self.last_height
    }

    /// The consensus parameters in force.
    pub fn parameters(&self) -> &Arc<Parameters> {
        &self.params
    }

    /// Which signatures count.
    pub fn rules(&self) -> &SignatureRules {
        &self.config.rules
    }

    /// Names signatures that were verified elsewhere, so that they are not verified again; they replace those named before.
    pub fn set_verified(&mut self, verified: Arc<Verified>) {
        self.config.rules.verified = verified;
    }

    /// The versioned tree.
    pub fn tree(&self) -> &T {
        &self.tree
    }

    /// The versioned tree, for pruning.
    pub fn tree_mut(&mut self) -> &mut T {
        &mut self.tree
    }

    /// The pending upgrades, where operators submit any.
    pub fn upgrader(&self) -> Option<&Upgrader> {
        self.block.upgrader.as_ref()
    }

    /// The pending upgrades, for an operator who adds or cancels one.
    pub fn upgrader_mut(&mut self) -> Option<&mut Upgrader> {
        self.block.upgrader.as_mut()
    }

    /// The tree alone, to go on from later.
    pub fn into_tree(self) -> T {
        self.tree
    }

    /// Goes on from the tree's newest version after it was replaced, as by one from a checkpoint.
    ///
    /// Source: go/consensus/tendermint/abci/state.go, `doApplyStateSync`.
    pub fn reload(&mut self, last_time: BlockTime) -> Result<()> {
        self.abandon()?;
        self.check = None;
        self.halted = false;
        (self.last_time, self.block_time) = (last_time, last_time);
        self.last_height = match self.tree.latest() {
            Some((version, _)) => i64::try_from(version).map_err(|_| Error::fatal("version does not fit a height"))?,
            None => self.config.initial_height.saturating_sub(1),
        };
        if self.last_height >= self.config.initial_height {
            self.load_parameters()?;
            self.refresh_upgrades()?;
        }
        Ok(())
    }

    /// The state after the last committed block, or after another retained one: what queries read.
    pub fn query(&self, height: i64) -> Result<Store> {
        use oasis_consensus_types::consensus::{ERR_NO_COMMITTED_BLOCKS, ERR_VERSION_NOT_FOUND};
        if self.last_height < self.config.initial_height {
            return Err(ERR_NO_COMMITTED_BLOCKS.into());
        }
        let height = if height <= 0 || height > self.last_height { self.last_height } else { height };
        let version = u64::try_from(height).unwrap_or_default();
        self.tree.at(version)?.map(Store::new).ok_or_else(|| ERR_VERSION_NOT_FOUND.into())
    }

    /// Forgets what a block did since the last commit. Before the first commit the genesis state goes too.
    pub fn abandon(&mut self) -> Result<()> {
        self.tree.discard()?;
        self.sealed = None;
        self.genesis_changes.clear();
        self.store.reset(self.tree.snapshot());
        self.block = BlockContext { upgrader: self.block.upgrader.take(), ..BlockContext::default() };
        Ok(())
    }

    fn load_parameters(&mut self) -> Result<()> {
        let params: Parameters =
            self.store.get_cbor(KEY_PARAMETERS)?.ok_or_else(|| Error::fatal("the state has no consensus parameters"))?;
        self.params = Arc::new(params);
        self.last_epoch = epoch::current(&self.store)?.epoch;
        Ok(())
    }

    /// Governance tells the upgrader of pending upgrades when a node starts from existing state.
    ///
    /// Source: go/consensus/tendermint/abci/mux.go, `finishInitialization`.
    fn refresh_upgrades(&mut self) -> Result<()> {
        let env = self.env(self.block_time);
        let mut ctx = Context::new(&mut self.store, &mut self.block, &env, Mode::EndBlock);
        apps::on_state_synced(&mut ctx)
    }

    fn env(&self, now: BlockTime) -> Env {
        Env {
            initial_height: self.config.initial_height,
            last_height: self.last_height,
            now,
            params: self.params.clone(),
            last_epoch: self.last_epoch,
            base_epoch: self.config.base_epoch,
            rules: self.config.rules.clone(),
            options: self.options.clone(),
        }
    }
}
