//! Transactions, genesis, descriptors, events and parameters of the consensus layer.

pub mod beacon;
pub mod consensus;
pub mod entity;
pub mod errors;
pub mod genesis;
pub mod governance;
pub mod keymanager;
pub mod node;
pub mod pretty;
pub mod registry;
pub mod roothash;
pub mod scheduler;
pub mod staking;
pub mod transaction;
pub mod upgrade;
