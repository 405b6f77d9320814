//! The ledger: transfers, escrow, delegation, rewards, fees and slashing.
//!
//! Source: go/consensus/tendermint/apps/staking.

pub mod accumulator;
mod auth;
mod block;
mod escrow_tx;
pub mod events;
mod fees;
mod genesis;
pub mod messages;
mod nodes;
pub mod pools;
pub mod query;
pub mod rewards;
pub mod slashing;
pub mod state;
mod tx;

#[cfg(test)]
mod tests;

pub use accumulator::StakeAccumulatorCache;
pub use auth::{authenticate_tx, post_execute_tx};
pub use block::{begin_block, end_block};
pub use genesis::{export, init_chain};
pub use oasis_consensus_types::staking::METHODS;
pub use rewards::add_rewards;
pub use slashing::slash_escrow;
pub use tx::execute_tx;

use oasis_consensus_types::staking::TypedEvent;

use crate::{context::Context, event::Event};

/// Name of the app in events.
pub const APP_NAME: &str = "100_staking";

/// Adds an event of this app.
fn emit<T: TypedEvent>(ctx: &mut Context<'_>, event: &T) {
    ctx.emit(Event::new(APP_NAME).typed(T::KIND, event));
}

/// Adds an event of this app unless a transaction is only checked.
fn emit_unless_check<T: TypedEvent>(ctx: &mut Context<'_>, event: &T) {
    if !ctx.is_check_only() {
        emit(ctx, event);
    }
}
