//! Where light blocks come from.

use crate::proto::{ConsensusParams, Evidence, LightBlock};

/// Why a node gave no light block.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// It does not have that height, or not yet.
    #[error("it has no such height")]
    NotFound,
    /// It did not answer.
    #[error("no answer: {0}")]
    NoResponse(String),
    /// It answered something that is none.
    #[error("invalid answer: {0}")]
    Bad(String),
}

/// Nodes that give light blocks, by number from 0; calls return when the node answered or was given up.
///
/// Source: tendermint `light/provider/provider.go`; go/consensus/tendermint/light/client.go, `lightClientProvider`.
pub trait LightBlockSource {
    /// Count of nodes, two or more.
    fn count(&self) -> usize;
    /// What people know a node by.
    fn name(&self, node: usize) -> String;
    /// The light block of a height.
    fn light_block(&mut self, node: usize, height: i64) -> Result<LightBlock, SourceError>;
    /// The parameters that hold at a height, with the height that they are of.
    fn params(&mut self, node: usize, height: i64) -> Result<(i64, ConsensusParams), SourceError>;
    /// Tells a node of misbehaviour.
    fn report(&mut self, node: usize, evidence: Evidence);
    /// Returns after some nanoseconds, in which a node may get what it does not have yet.
    fn wait(&mut self, nanos: i64);
}
