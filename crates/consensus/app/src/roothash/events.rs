//! The app's events.
//!
//! Source: go/consensus/tendermint/apps/roothash/api.go.

use base64::{Engine, prelude::BASE64_STANDARD};
use oasis_consensus_types::roothash::{
    Event as ApiEvent, ExecutionDiscrepancyDetectedEvent, ExecutorCommittedEvent, FinalizedEvent, MessageEvent,
};
use oasis_primitives::{
    cbor::{self, Cbor, Decode, Encode},
    hash::Hash,
    namespace::Namespace,
};

use super::APP_NAME;
use crate::{
    context::Context,
    event::{self, Event, read},
};

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

/// What clients see of an event; nothing of other apps' events and of keys that are unknown.
///
/// `tx_hash` is that of the transaction's bytes, for events of the block the hash of nothing.
/// Source: go/consensus/tendermint/roothash/roothash.go, `EventsFromTendermint`.
pub fn to_api(event: &Event, height: i64, tx_hash: Hash) -> Result<Vec<ApiEvent>, cbor::Error> {
    event::to_api(event, APP_NAME, |key, value, out| {
        let mut api = ApiEvent { height, tx_hash, ..ApiEvent::default() };
        let known = read_of_runtime(key, value, &mut api.runtime_id, &mut api.executor_committed)?
            || read_of_runtime(key, value, &mut api.runtime_id, &mut api.execution_discrepancy_detected)?
            || read_of_runtime(key, value, &mut api.runtime_id, &mut api.finalized)?
            || read_of_runtime(key, value, &mut api.runtime_id, &mut api.message)?;
        out.extend(known.then_some(api));
        Ok(())
    })
}

fn read_of_runtime<T: RuntimeEvent>(key: &[u8], value: &[u8], id: &mut Namespace, place: &mut Option<T>) -> Result<bool, cbor::Error> {
    let mut found = None::<Value<T>>;
    let known = read(key, T::KEY, value, &mut found)?;
    if let Some(value) = found {
        *id = value.id;
        *place = Some(value.event);
    }
    Ok(known)
}
