//! Tells the other apps about runtimes.
//!
//! Source: go/consensus/tendermint/apps/registry/api/api.go.

use oasis_consensus_types::registry::Runtime;

use crate::{context::Context, error::Result};

/// A runtime was registered that was not there before.
pub(super) fn runtime_registered(_ctx: &mut Context<'_>, _runtime: &Runtime) -> Result<()> {
    Ok(())
}

/// A runtime is about to be registered or changed; the other apps may refuse.
pub(super) fn runtime_updated(_ctx: &mut Context<'_>, _runtime: &Runtime) -> Result<()> {
    Ok(())
}

/// A suspended runtime is active again.
pub(super) fn runtime_resumed(_ctx: &mut Context<'_>, _runtime: &Runtime) -> Result<()> {
    Ok(())
}
