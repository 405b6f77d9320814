//! Key managers: their policies, and which nodes serve.
//!
//! Source: go/consensus/tendermint/apps/keymanager.

mod block;
mod genesis;
pub mod query;
pub mod state;
pub mod status;
mod tx;

#[cfg(test)]
mod tests;

use oasis_consensus_types::{
    keymanager::{self as api, METHOD_UPDATE_POLICY, Status},
    transaction::Transaction,
};

pub use block::{begin_block, end_block};
pub use genesis::{check_statuses, export, init_chain};
pub use tx::verify_policy;

use crate::{
    context::Context,
    error::{Error, Result},
    event::Event,
};

/// The app's name, which orders the apps and names its events.
pub const APP_NAME: &str = "999_keymanager";

/// The methods that the app takes.
pub const METHODS: &[&str] = &api::METHODS;

/// Executes a transaction of the app.
///
/// Source: go/consensus/tendermint/apps/keymanager/keymanager.go, `ExecuteTx`.
pub fn execute_tx(ctx: &mut Context<'_>, tx: &Transaction) -> Result<()> {
    match tx.method.as_str() {
        METHOD_UPDATE_POLICY => tx::update_policy(ctx, &tx.body()?),
        method => Err(Error::unknown(format!("keymanager: invalid method: {method}"))),
    }
}

/// Statuses changed.
///
/// Source: go/consensus/tendermint/apps/keymanager/api.go, `KeyStatusUpdate`.
fn emit(ctx: &mut Context<'_>, statuses: &[Status]) {
    ctx.emit(Event::new(APP_NAME).typed("status", statuses));
}
