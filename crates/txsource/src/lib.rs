//! A generator of load: transactions of every kind, valid and not, for any node.
//!
//! What is sent is decided by a seed and by what the node answers ([`Random`], [`Workload`]); the only way to a node and to a clock is the
//! trait [`World`], of which [`NodeWorld`] speaks to a node's socket. The keys that a seed gives are those that the original's generator
//! draws from it, and so are most choices.
//!
//! Source: go/oasis-node/cmd/debug/txsource.

mod node;
mod random;
mod session;
mod workloads;
mod world;

pub use node::NodeWorld;
pub use random::Random;
pub use session::{Counts, Error};
pub use workloads::{Options, Workload, run};
pub use world::{Call, World};

/// The seed where none is given. Source: go/oasis-node/cmd/debug/txsource/txsource.go, `init`.
pub const DEFAULT_SEED: &str = "seeeeeeeeeeeeeeeeeeeeeeeeeeeeeed";
