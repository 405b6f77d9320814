//! A state without blocks, for tests of apps.

use std::sync::Arc;

use oasis_primitives::signature::{Blacklist, ChainContext, SignatureRules};

use crate::{
    context::{BlockContext, BlockTime, Context, Env, Mode, Options},
    store::Store,
};

/// A state and what contexts need besides.
pub(crate) struct World {
    pub(crate) store: Store,
    pub(crate) block: BlockContext,
    pub(crate) env: Env,
}

impl World {
    /// An empty state; the last committed height is 10.
    pub(crate) fn new() -> Self {
        let rules = SignatureRules::new(ChainContext::new("test chain").unwrap(), Blacklist::default());
        let env = Env {
            initial_height: 1,
            last_height: 10,
            now: BlockTime { seconds: 1_000, nanos: 0 },
            params: Arc::default(),
            last_epoch: 0,
            base_epoch: 0,
            rules,
            options: Arc::new(Options::default()),
        };
        Self { store: Store::empty(), block: BlockContext::default(), env }
    }

    /// A context over the state.
    pub(crate) fn ctx(&mut self, mode: Mode) -> Context<'_> {
        Context::new(&mut self.store, &mut self.block, &self.env, mode)
    }
}
