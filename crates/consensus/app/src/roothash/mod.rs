//! Rounds of runtimes: commitments, discrepancies, timeouts, evidence, messages.
//!
//! Source: go/consensus/tendermint/apps/roothash.

mod block;
pub mod events;
mod evidence;
mod finalize;
mod genesis;
pub mod messages;
pub mod query;
mod slashing;
pub mod state;
mod tx;

pub use block::{begin_block, end_block};
pub use genesis::{export, init_chain};
pub use tx::execute_tx;

/// The app's name, which its events carry.
pub const APP_NAME: &str = "999_roothash";

/// The methods that the app takes.
pub const METHODS: &[&str] = &oasis_consensus_types::roothash::METHODS;

#[cfg(test)]
mod tests;
