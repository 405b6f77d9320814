//! The consensus layer's state machine as the engine drives it.
//!
//! [`Machine`] stands between the engine's [`Application`](oasis_consensus_engine::ports::Application) and the apps'
//! executor: it turns blocks into calls and results into the original's messages, keeps versions of the state over a
//! [`Backend`], prunes them, and makes, serves and restores snapshots. [`Disk`] is the backend of nodes.

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::arithmetic_side_effects)
)]

mod backend;
mod checkpointer;
mod convert;
mod disk;
mod machine;
mod network;
mod prepared;
mod prune;
mod shared;
mod snapshots;

#[cfg(test)]
extern crate self as oasis_consensus_abci;
#[cfg(test)]
#[allow(dead_code)]
#[path = "../tests/common/memory.rs"]
mod memory;

pub use backend::{Backend, CheckpointJob, Note};
pub use convert::{begin_block, block_time, responses};
pub use disk::{Disk, DiskOptions, DiskReader};
pub use machine::{Config, Machine, OpenError, StopReason};
pub use network::Network;
pub use prune::Pruning;
pub use shared::Shared;
