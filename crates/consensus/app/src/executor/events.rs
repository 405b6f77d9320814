//! Events of the genesis state, which wait in the state for the first block.

use oasis_primitives::cbor::{Cbor, NilVec};

use crate::event::Event;

/// An event as the original encodes Tendermint's structure.
///
/// Source: Tendermint 0.34, abci/types/types.pb.go, `Event`; go/consensus/tendermint/abci/mux.go, `InitChain`.
#[derive(Clone, Debug, Default, Cbor)]
pub(super) struct StoredEvent {
    #[cbor(rename = "type", omitempty)]
    kind: String,
    #[cbor(omitempty)]
    attributes: Vec<StoredAttribute>,
}

#[derive(Clone, Debug, Default, Cbor)]
struct StoredAttribute {
    #[cbor(omitempty)]
    key: Vec<u8>,
    #[cbor(omitempty)]
    value: Vec<u8>,
    #[cbor(omitempty)]
    index: bool,
}

/// Events in their stored form; no events are Go's nil slice.
pub(super) fn to_stored(events: &[Event]) -> NilVec<StoredEvent> {
    let attribute = |(key, value): &(Vec<u8>, Vec<u8>)| StoredAttribute { key: key.clone(), value: value.clone(), index: false };
    let event = |e: &Event| StoredEvent { kind: e.kind.clone(), attributes: e.attributes.iter().map(attribute).collect() };
    events.iter().map(event).collect()
}

/// Events from their stored form.
pub(super) fn from_stored(events: NilVec<StoredEvent>) -> Vec<Event> {
    let event = |e: StoredEvent| Event { kind: e.kind, attributes: e.attributes.into_iter().map(|a| (a.key, a.value)).collect() };
    events.into_vec().into_iter().map(event).collect()
}
