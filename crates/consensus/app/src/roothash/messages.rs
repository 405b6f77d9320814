//! Messages from runtimes to other apps, and from other apps about runtimes.
//!
//! Source: go/consensus/tendermint/apps/roothash/{messages,roothash}.go.

use oasis_consensus_types::{
    registry::Runtime,
    roothash::{ERR_INVALID_ARGUMENT, Message, MessageEvent},
};
use oasis_primitives::{address::Address, namespace::Namespace};

use super::{events, genesis::create_runtime_state, state};
use crate::{
    context::{Child, Context},
    error::Result,
    gas::GasMeter,
    registry, staking,
};

/// A runtime was registered that was not there before.
///
/// Source: go/consensus/tendermint/apps/roothash/roothash.go, `ExecuteMessage`, `MessageNewRuntimeRegistered`.
pub fn on_runtime_registered(ctx: &mut Context<'_>, runtime: &Runtime) -> Result<()> {
    // What the genesis document registers is seen to when this app makes its first state.
    if ctx.is_init_chain() {
        return Ok(());
    }
    create_runtime_state(ctx, runtime, None, false)
}

/// A runtime is about to be registered or changed.
///
/// Source: go/consensus/tendermint/apps/roothash/roothash.go, `verifyRuntimeUpdate`.
pub fn on_runtime_updated(ctx: &mut Context<'_>, runtime: &Runtime) -> Result<()> {
    if ctx.is_init_chain() {
        return Ok(());
    }
    Ok(state::consensus_parameters(ctx.store)?.verify_runtime(runtime)?)
}

/// A suspended runtime is active again; the next committee starts its rounds.
pub fn on_runtime_resumed(_ctx: &mut Context<'_>, _runtime: &Runtime) -> Result<()> {
    Ok(())
}

/// Executes a runtime's messages. A message that fails leaves what it changed before, and its error in an event.
///
/// In a simulation, where the messages' gas is counted, nothing is kept.
///
/// Source: go/consensus/tendermint/apps/roothash/messages.go, `processRuntimeMessages`.
pub(super) fn process(ctx: &mut Context<'_>, runtime_id: &Namespace, messages: &[Message]) -> Result<()> {
    let child = Child { caller: Some(Address::of_runtime(runtime_id)), simulate: false, message_execution: true };
    ctx.child(child, |ctx| {
        if ctx.is_simulation() {
            return ctx.discard(|ctx| execute(ctx, runtime_id, messages));
        }
        // The gas was counted when the proposer's commitment was checked.
        ctx.with_gas(GasMeter::None, |ctx| execute(ctx, runtime_id, messages)).0
    })
}

/// Counts the gas of messages in the transaction that brings them.
pub(super) fn simulate(ctx: &mut Context<'_>, runtime_id: &Namespace, messages: &[Message]) -> Result<()> {
    ctx.child(Child { simulate: true, ..Child::default() }, |ctx| process(ctx, runtime_id, messages))
}

fn execute(ctx: &mut Context<'_>, runtime_id: &Namespace, messages: &[Message]) -> Result<()> {
    for (index, message) in messages.iter().enumerate() {
        let result = match message {
            Message { staking: Some(message), .. } => staking::messages::execute(ctx, message),
            Message { registry: Some(message), .. } => registry::messages::execute(ctx, message),
            _ => Err(ERR_INVALID_ARGUMENT.into()),
        };
        let (module, code) = match &result {
            Err(error) if error.is_fatal() => return result,
            Err(error) => {
                let (module, code) = error.module_and_code();
                (module.to_owned(), code)
            }
            Ok(()) => (String::new(), 0),
        };
        let index = u32::try_from(index).unwrap_or(u32::MAX);
        events::emit(ctx, runtime_id, MessageEvent { module, code, index });
    }
    Ok(())
}
