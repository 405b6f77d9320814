//! The app's events.
//!
//! Source: go/consensus/tendermint/apps/roothash/api.go.

use base64::{Engine, prelude::BASE64_STANDARD};
use oasis_consensus_types::roothash::{ExecutionDiscrepancyDetectedEvent, ExecutorCommittedEvent, FinalizedEvent, MessageEvent};
use oasis_primitives::{
    cbor::{Cbor, Decode, Encode},
    namespace::Namespace,
};

use super::APP_NAME;
use crate::{context::Context, event::Event};

/// Attribute: the runtime, in base64.
pub const KEY_RUNTIME_ID: &str = "runtime-id";

/// The value of an attribute: the runtime and what happened.
///
/// Source: go/consensus/tendermint/apps/roothash/api.go, `ValueFinalized` and the like.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor)]
pub struct Value<T: Encode + Decode + Default> {
    /// The runtime.
    pub id: Namespace,
    /// What happened.
    pub event: T,
}

/// What happens to runtimes.
pub trait RuntimeEvent: Encode + Decode + Default {
    /// The attribute's key.
    const KEY: &'static str;
}

impl RuntimeEvent for ExecutorCommittedEvent {
    const KEY: &'static str = "executor-commit";
}

impl RuntimeEvent for ExecutionDiscrepancyDetectedEvent {
    const KEY: &'static str = "execution-discrepancy";
}

impl RuntimeEvent for FinalizedEvent {
    const KEY: &'static str = "finalized";
}

impl RuntimeEvent for MessageEvent {
    const KEY: &'static str = "message";
}

/// Adds an event about a runtime.
pub(super) fn emit<E: RuntimeEvent>(ctx: &mut Context<'_>, id: &Namespace, event: E) {
    let runtime = BASE64_STANDARD.encode(id.0);
    ctx.emit(Event::new(APP_NAME).typed(E::KEY, &Value { id: *id, event }).attr(KEY_RUNTIME_ID, runtime));
}
