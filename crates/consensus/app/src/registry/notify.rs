//! Tells the other apps about runtimes.
//!
//! Source: go/consensus/tendermint/apps/registry/api/api.go.

use oasis_consensus_types::registry::Runtime;

use crate::{context::Context, error::Result, roothash};

/// A runtime was registered that was not there before.
pub(super) fn runtime_registered(ctx: &mut Context<'_>, runtime: &Runtime) -> Result<()> {
    roothash::messages::on_runtime_registered(ctx, runtime)
}

/// A runtime is about to be registered or changed; the other apps may refuse.
pub(super) fn runtime_updated(ctx: &mut Context<'_>, runtime: &Runtime) -> Result<()> {
    roothash::messages::on_runtime_updated(ctx, runtime)
}

/// A suspended runtime is active again.
pub(super) fn runtime_resumed(ctx: &mut Context<'_>, runtime: &Runtime) -> Result<()> {
    roothash::messages::on_runtime_resumed(ctx, runtime)
}
