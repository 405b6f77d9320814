//! The consensus layer's state machine.
//!
//! State and a block go in; a new state, results, events and validator updates come out. Nothing here reads a clock, a
//! socket or a disk. Each app is a directory with the same rooms.

pub mod beacon;
pub mod block;
pub mod context;
pub mod epoch;
pub mod error;
pub mod event;
pub mod executor;
pub mod gas;
pub mod genesis;
pub mod governance;
pub mod keymanager;
pub mod registry;
pub mod roothash;
pub mod scheduler;
pub mod staking;
pub mod store;
pub mod supplementarysanity;
#[cfg(test)]
mod testing;
pub mod upgrade;
