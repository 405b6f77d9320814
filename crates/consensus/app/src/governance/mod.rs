//! Proposals to upgrade the network, and votes on them.
//!
//! Source: go/consensus/tendermint/apps/governance.

mod block;
pub mod events;
mod genesis;
pub mod query;
pub mod state;
mod tx;

pub use block::{begin_block, end_block, on_state_synced};
pub use genesis::{export, init_chain};
pub use oasis_consensus_types::governance::METHODS;
pub use tx::execute_tx;

use oasis_primitives::cbor::Encode;

use crate::{context::Context, event::Event};

/// Name of the app in events.
pub const APP_NAME: &str = "300_governance";

fn emit<T: Encode>(ctx: &mut Context<'_>, kind: &str, event: &T) {
    ctx.emit(Event::new(APP_NAME).typed(kind, event));
}

#[cfg(test)]
mod tests;
