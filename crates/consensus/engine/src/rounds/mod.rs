//! The rounds in which validators agree on a block.

mod types;

pub use types::{Effect, Input, RoundMessage, RoundStepInfo, RoundsConfig, Step, TimeoutInfo, Unsigned, ValidBlockInfo};
