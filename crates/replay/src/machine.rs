//! What a replay drives: the state machine and where its state is kept.

use oasis_primitives::hash::Hash;

use crate::{chain::Change, compare::Computed, verify::VerifiedBlock};

/// What the state machine made of a block, not yet committed.
#[derive(Debug, Default)]
pub struct Executed {
    pub(crate) computed: Computed,
    /// Keys whose values are others than before, sorted.
    pub(crate) diff: Vec<Change>,
}

/// Executes blocks one after another.
pub trait Machine {
    /// The height of the last committed block, 0 before the first.
    fn height(&self) -> i64;

    /// Makes the state of the genesis document; gives its root.
    fn init_chain(&mut self) -> Result<Hash, String>;

    /// Executes the next block.
    fn execute(&mut self, block: &VerifiedBlock) -> Result<Executed, String>;

    /// Computes the root of the state after the block that was executed.
    fn root(&mut self) -> Result<Hash, String>;

    /// Keeps the state after the block that was executed, once it was found to be right.
    fn commit(&mut self, block: &VerifiedBlock) -> Result<(), String>;

    /// Makes what was committed survive power loss.
    fn finish(&mut self) -> Result<(), String>;
}
