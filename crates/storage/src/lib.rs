//! Databases that keep trees on disk.
//!
//! [`NodeDb`] keeps the versions of trees: several roots a version, of which some are finalized, old ones pruned, whole
//! ones restored from checkpoints. It stands on an [`engine::Engine`], an embedded ordered key-value store; which one
//! and why is in `docs/adr/0003-storage-engine.md`. [`CheckpointDir`] keeps checkpoints as files.
//!
//! What a commit wrote survives the end of the process at any moment. Power loss may take the last commits, never what
//! was synced before, and never leaves half of a commit. Every record is checked when it is read: damage is an error that
//! names the database and what is wrong, never other data.

mod blocks;
mod checkpoints;
mod db;
pub mod engine;
mod error;
mod record;
mod wal;

pub use blocks::{BlockDb, BlockOptions};
pub use checkpoints::{CheckpointDir, Error as CheckpointDirError};
pub use db::{CheckReport, Committed, NodeDb, Options};
pub use engine::{Durability, EngineKind, Together};
pub use error::Error;
pub use wal::FileWal;
