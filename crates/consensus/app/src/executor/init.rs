//! The first state, from the genesis document.
//!
//! Source: go/consensus/tendermint/abci/mux.go, `InitChain`; go/consensus/tendermint/abci/state.go, `doInitChain`.

use oasis_consensus_types::genesis::Document;
use oasis_primitives::hash::Hash;

use super::{Executor, KEY_PARAMETERS, VersionedTree, apps, events};
use crate::{
    context::{BlockTime, Context, Mode},
    error::{Error, Result},
};

/// Key of the network's chain context, which tells apart two states that are equal otherwise.
const KEY_GENESIS_DIGEST: &[u8] = b"OasisGenesisDigest";

/// Key of the events of the genesis state, until the first block takes them.
pub(super) const KEY_INIT_EVENTS: &[u8] = b"OasisInitChainEvents";

impl<T: VersionedTree> Executor<T> {
    /// Makes the state before the first block and returns its root, which the first block's header carries.
    ///
    /// The state is kept with the first block's.
    pub fn init_chain(&mut self, document: &Document) -> Result<Hash> {
        if document.height != self.config.initial_height {
            let expected = self.config.initial_height;
            return Err(Error::fatal(format!("genesis height is {}, expected {expected}", document.height)));
        }
        let digest = self.config.rules.chain.as_str().unwrap_or_default().as_bytes().to_vec();
        self.store.insert(KEY_GENESIS_DIGEST, digest);

        let now = BlockTime { seconds: document.time.seconds(), nanos: document.time.nanos() };
        let env = self.env(now);
        let mut ctx = Context::new(&mut self.store, &mut self.block, &env, Mode::InitChain);
        apps::init_chain(&mut ctx, document)?;
        let stored = events::to_stored(&ctx.events);
        ctx.store.insert_cbor(KEY_INIT_EVENTS, &stored);
        ctx.store.insert_cbor(KEY_PARAMETERS, &document.consensus.parameters);

        self.genesis_changes = self.tree.apply(self.store.take_changes())?;
        let root = self.tree.root()?;
        self.store.reset(self.tree.snapshot());
        self.last_time = now;
        self.load_parameters()?;
        // Before the first block there is no epoch to compare with.
        self.last_epoch = 0;
        Ok(root)
    }
}
