//! Transactions, genesis, descriptors, events and parameters of the consensus layer.

pub mod consensus;
pub mod errors;
pub mod scheduler;
pub mod staking;
pub mod transaction;
