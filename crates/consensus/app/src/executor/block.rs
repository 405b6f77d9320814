//! Blocks: begin, end, commit.
//!
//! Source: go/consensus/tendermint/abci/mux.go, `BeginBlock`, `EndBlock`, `Commit`.

use super::{CheckState, Commit, Executor, VersionedTree, apps, events, init::KEY_INIT_EVENTS};
use crate::{
    block::{BeginBlock, EndBlock},
    context::{BlockContext, Context, Mode},
    epoch,
    error::{Error, Result},
    event::Event,
    gas::GasAccountant,
    store::Store,
};

impl<T: VersionedTree> Executor<T> {
    /// Starts a block and returns its first events.
    ///
    /// In the halt epoch the first block is empty and the second is an error.
    pub fn begin_block(&mut self, request: &BeginBlock) -> Result<Vec<Event>> {
        let expected = self.last_height.saturating_add(1);
        if request.height != expected {
            return Err(Error::fatal(format!("block of height {} where {expected} comes next", request.height)));
        }
        self.block_time = request.time;
        let gas = (self.params.max_block_gas > 0).then(|| GasAccountant::new(self.params.max_block_gas));
        self.block =
            BlockContext { gas, proposer: request.proposer.clone(), upgrader: self.block.upgrader.take(), ..BlockContext::default() };
        let env = self.env(request.time);
        let mut ctx = Context::new(&mut self.store, &mut self.block, &env, Mode::BeginBlock);

        let epoch = ctx.current_epoch()?;
        apps::consensus_upgrade(&mut ctx, epoch)?;

        if self.halted {
            return Err(Error::fatal("the network halted in the block before"));
        }
        // In the first block the original only finds the epoch where that block's height is 1.
        let epoch_known = ctx.app_block_height() != 0 || ctx.initial_height() == 1;
        if epoch_known && epoch::current(ctx.store)?.epoch == self.config.halt_epoch {
            self.halted = true;
            return Ok(Vec::new());
        }

        apps::begin_block(&mut ctx, request)?;
        let mut out = Vec::new();
        if ctx.app_block_height() == 0
            && let Some(stored) = ctx.store.get_cbor(KEY_INIT_EVENTS)?
        {
            out = events::from_stored(stored);
            ctx.store.remove(KEY_INIT_EVENTS);
        }
        out.extend(ctx.events);
        Ok(out)
    }

    /// Ends a block: events and changes of the validator set.
    pub fn end_block(&mut self) -> Result<EndBlock> {
        if self.halted {
            return Ok(EndBlock::default());
        }
        let env = self.env(self.block_time);
        let mut ctx = Context::new(&mut self.store, &mut self.block, &env, Mode::EndBlock);
        let validator_updates = apps::end_block(&mut ctx)?;
        let epoch = ctx.current_epoch()?;
        apps::consensus_upgrade(&mut ctx, epoch)?;
        Ok(EndBlock { validator_updates, events: ctx.events })
    }

    /// Whether the network stopped with the block that runs: its results carry no parameter updates.
    pub fn halted(&self) -> bool {
        self.halted
    }

    /// Goes on after a block with which the network stopped, in a process that did not run it.
    pub fn resume_halted(&mut self) {
        self.halted = true;
    }

    /// The state after the block that ended: its root and the keys that changed. Nothing is kept yet.
    pub fn seal(&mut self) -> Result<&Commit> {
        if self.sealed.is_none() {
            let mut changes = std::mem::take(&mut self.genesis_changes);
            let first = !changes.is_empty();
            changes.extend(self.tree.apply(self.store.take_changes())?);
            if first {
                // What genesis made and the first block removed was never there.
                changes.retain(|_, change| change.is_some());
            }
            let root = self.tree.root()?;
            self.sealed = Some(Commit { root, changes });
        }
        self.sealed.as_ref().ok_or_else(|| Error::fatal("nothing was sealed"))
    }

    /// Keeps the state after the block that ended as a version.
    pub fn commit(&mut self) -> Result<Commit> {
        self.seal()?;
        let height = self.last_height.saturating_add(1);
        let version = u64::try_from(height).map_err(|_| Error::fatal("negative height"))?;
        let root = self.tree.commit(version)?;
        let sealed = self.sealed.take().ok_or_else(|| Error::fatal("nothing was sealed"))?;
        self.last_height = height;
        self.last_time = self.block_time;
        self.store.reset(self.tree.snapshot());
        self.load_parameters()?;
        self.check = None;
        Ok(Commit { root, ..sealed })
    }

    /// The state that the mempool's checks change: the last committed one, anew after each commit.
    pub(super) fn check_state(&mut self) -> &mut CheckState {
        let tree = &self.tree;
        self.check.get_or_insert_with(|| CheckState { store: Store::new(tree.snapshot()), block: BlockContext::default() })
    }
}
