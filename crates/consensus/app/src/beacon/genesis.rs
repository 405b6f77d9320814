//! The app's state from the genesis document, and back.
//!
//! Source: go/consensus/tendermint/apps/beacon/genesis.go.

use oasis_consensus_types::{beacon::Genesis, genesis::Document};

use super::{Backend, events, insecure, state};
use crate::{context::Context, error::Result, store::Store};

/// Sets the parameters and, unless transactions set the epochs, the first epoch.
pub fn init_chain(ctx: &mut Context<'_>, document: &Document) -> Result<()> {
    let params = &document.beacon.parameters;
    state::set_params(ctx.store, params);
    let backend = Backend::of(params)?;
    if params.debug_mock_backend {
        return Ok(());
    }
    let base = document.beacon.base;
    let height = ctx.initial_height();
    state::set_epoch(ctx.store, base, height);
    ctx.emit(events::epoch(base));
    match backend {
        Backend::Insecure => insecure::schedule(ctx, params, base.wrapping_add(1)),
        // The first block draws the participants of a round.
        Backend::Pvss => Ok(()),
    }
}

/// The section of the genesis document that starts a network where this state ends.
pub fn export(store: &Store) -> Result<Genesis> {
    Ok(Genesis { base: state::epoch(store)?.epoch, parameters: state::params(store)? })
}
