//! What other apps ask of the registry.
//!
//! Source: go/consensus/tendermint/apps/registry/registry.go, `ExecuteMessage`.

use oasis_consensus_types::{registry::ERR_INVALID_ARGUMENT, roothash::RegistryMessage};

use super::tx_runtime::register_runtime;
use crate::{context::Context, error::Result};

/// Executes a runtime's message; the context's caller is the runtime.
pub fn execute(ctx: &mut Context<'_>, message: &RegistryMessage) -> Result<()> {
    match &message.update_runtime {
        Some(runtime) => register_runtime(ctx, runtime),
        None => Err(ERR_INVALID_ARGUMENT.into()),
    }
}
