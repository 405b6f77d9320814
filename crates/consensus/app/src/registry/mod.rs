//! Registrations of entities, nodes and runtimes.
//!
//! Source: go/consensus/tendermint/apps/registry.

mod block;
pub mod events;
mod genesis;
pub mod messages;
mod notify;
pub mod query;
pub mod sanity;
pub mod state;
mod tx;
mod tx_node;
mod tx_runtime;
pub mod verify;
pub mod verify_runtime;

#[cfg(test)]
mod tests;

use oasis_consensus_types::{
    registry::{
        self as api, ERR_INVALID_ARGUMENT, METHOD_DEREGISTER_ENTITY, METHOD_REGISTER_ENTITY, METHOD_REGISTER_NODE, METHOD_REGISTER_RUNTIME,
        METHOD_UNFREEZE_NODE,
    },
    transaction::Transaction,
};

pub use block::{begin_block, end_block};
pub use genesis::{export, init_chain};

use crate::{context::Context, error::Result};

/// The app's name, which orders the apps and names its events.
pub const APP_NAME: &str = "200_registry";

/// The methods that the app takes.
pub const METHODS: &[&str] = &api::METHODS;

/// Executes a transaction of the app.
///
/// Source: go/consensus/tendermint/apps/registry/registry.go, `ExecuteTx`.
pub fn execute_tx(ctx: &mut Context<'_>, tx: &Transaction) -> Result<()> {
    match tx.method.as_str() {
        METHOD_REGISTER_ENTITY => tx::register_entity(ctx, &tx.body()?),
        // The body is not looked at.
        METHOD_DEREGISTER_ENTITY => tx::deregister_entity(ctx),
        METHOD_REGISTER_NODE => tx_node::register_node(ctx, &tx.body()?),
        METHOD_UNFREEZE_NODE => tx::unfreeze_node(ctx, &tx.body()?),
        METHOD_REGISTER_RUNTIME => tx_runtime::register_runtime(ctx, &tx.body()?),
        _ => Err(ERR_INVALID_ARGUMENT.into()),
    }
}
