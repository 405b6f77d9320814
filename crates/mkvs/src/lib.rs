//! The authenticated key-value tree: a binary radix tree whose nodes are hashed, so that one root hash stands for the
//! whole state and short proofs stand for parts of it.
//!
//! [`Tree`] is the tree. It keeps what was read and written in memory and gets the rest from a [`NodeStore`]; cloning it
//! is cheap, since clones share nodes. [`Overlay`] collects changes that may be dropped. [`proof`] has the proofs that
//! travel between nodes, [`checkpoint`] the format of whole trees in transit.
//!
//! No clock, socket or disk is touched here, and what comes from outside can neither panic nor exhaust memory: every
//! walk is a loop with its own stack, whatever the depth of the tree.
//!
//! Source: go/storage/mkvs.

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::arithmetic_side_effects)
)]

mod bits;
pub mod checkpoint;
mod error;
mod lanes;
mod node;
mod overlay;
pub mod proof;
mod root;
mod small;
mod store;
mod tree;
mod write_log;

pub use error::Error;
pub use overlay::{KeyValue, Overlay, OverlayIter};
pub use root::{Root, RootType};
pub use store::{MemoryStore, NewNode, NodeKey, NodeStore, Place, StoreError};
pub use tree::{Commit, Item, Iter, Tree};
pub use write_log::{LogEntry, WriteLog};

/// The longest key in bytes: a key's length in bits has to fit into 16 bits.
///
/// Source: go/storage/mkvs/node/depth.go, `Depth`.
pub const MAX_KEY_LEN: usize = 8191;
