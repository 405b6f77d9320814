//! Tells the other apps about runtimes.
//!
//! Source: go/consensus/tendermint/apps/registry/api/api.go; go/consensus/tendermint/abci/messages.go, `Publish`.

use oasis_consensus_types::registry::Runtime;

use crate::{
    context::Context,
    error::{CodedError, Error, Result},
    roothash,
};

/// A runtime was registered that was not there before.
pub(super) fn runtime_registered(ctx: &mut Context<'_>, runtime: &Runtime) -> Result<()> {
    listed(roothash::messages::on_runtime_registered(ctx, runtime))
}

/// A runtime is about to be registered or changed; the other apps may refuse.
pub(super) fn runtime_updated(ctx: &mut Context<'_>, runtime: &Runtime) -> Result<()> {
    listed(roothash::messages::on_runtime_updated(ctx, runtime))
}

/// A suspended runtime is active again.
pub(super) fn runtime_resumed(ctx: &mut Context<'_>, runtime: &Runtime) -> Result<()> {
    listed(roothash::messages::on_runtime_resumed(ctx, runtime))
}

/// The original lists the refusals of all apps, even where there is only one.
fn listed(result: Result<()>) -> Result<()> {
    result.map_err(|error| match error {
        Error::Failed(CodedError { module, code, message }) => {
            Error::Failed(CodedError { module, code, message: format!("1 error occurred:\n\t* {message}\n\n").into() })
        }
        fatal @ Error::Fatal(_) => fatal,
    })
}
