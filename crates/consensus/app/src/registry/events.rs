//! Events of the registry.
//!
//! Source: go/consensus/tendermint/apps/registry/api.go.

use oasis_consensus_types::{
    entity::Entity,
    node::Node,
    registry::{EntityEvent, Event as ApiEvent, NodeEvent, NodeUnfrozenEvent, Runtime, RuntimeEvent},
};
use oasis_primitives::{
    cbor::{self, Cbor},
    hash::Hash,
    signature::PublicKey,
};

use super::APP_NAME;
use crate::event::{self, Event};

const RUNTIME_REGISTERED: &str = "runtime.registered";
const ENTITY_REGISTERED: &str = "entity.registered";
const ENTITY_DEREGISTERED: &str = "entity.deregistered";
const NODE_REGISTERED: &str = "nodes.registered";
const NODES_EXPIRED: &str = "nodes.expired";
const NODE_UNFROZEN: &str = "nodes.unfrozen";
/// Attribute of a new epoch, in which the list of nodes is another.
pub const NODE_LIST_EPOCH: &str = "nodes.epoch";

/// The value of the event of an entity's removal.
///
/// Source: go/consensus/tendermint/apps/registry/api.go, `EntityDeregistration`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor)]
struct EntityDeregistration {
    entity: Entity,
}

fn new() -> Event {
    Event::new(APP_NAME)
}

/// A runtime was registered, changed or resumed.
pub(super) fn runtime_registered(runtime: &Runtime) -> Event {
    new().typed(RUNTIME_REGISTERED, runtime)
}

/// An entity was registered.
pub(super) fn entity_registered(entity: &Entity) -> Event {
    new().typed(ENTITY_REGISTERED, entity)
}

/// An entity was removed.
pub(super) fn entity_deregistered(entity: Entity) -> Event {
    new().typed(ENTITY_DEREGISTERED, &EntityDeregistration { entity })
}

/// A node was registered.
pub(super) fn node_registered(node: &Node) -> Event {
    new().typed(NODE_REGISTERED, node)
}

/// A node's freeze ended.
pub(super) fn node_unfrozen(id: &PublicKey) -> Event {
    new().typed(NODE_UNFROZEN, id)
}

/// The registry went into another epoch, in which some nodes' registrations have ended.
pub(super) fn node_list_epoch(expired: &[Node]) -> Event {
    let out = new().attr(NODE_LIST_EPOCH, *b"1");
    if expired.is_empty() { out } else { out.typed(NODES_EXPIRED, expired) }
}

/// What clients get for an event of this app; nothing for one of another app.
///
/// Source: go/consensus/tendermint/registry/registry.go, `EventsFromTendermint`.
pub fn to_api(event: &Event, height: i64, tx_hash: Hash) -> Result<Vec<ApiEvent>, cbor::Error> {
    let base = ApiEvent { height, tx_hash, ..ApiEvent::default() };
    event::to_api(event, APP_NAME, |key, value, out| {
        match std::str::from_utf8(key).unwrap_or_default() {
            NODES_EXPIRED => {
                for node in cbor::from_slice::<Vec<Node>>(value)? {
                    out.push(ApiEvent { node: Some(NodeEvent { node: Some(node), is_registration: false }), ..base.clone() });
                }
            }
            RUNTIME_REGISTERED => {
                out.push(ApiEvent { runtime: Some(RuntimeEvent { runtime: cbor::from_slice(value)? }), ..base.clone() });
            }
            ENTITY_REGISTERED => {
                let entity = Some(EntityEvent { entity: cbor::from_slice(value)?, is_registration: true });
                out.push(ApiEvent { entity, ..base.clone() });
            }
            ENTITY_DEREGISTERED => {
                let EntityDeregistration { entity } = cbor::from_slice(value)?;
                out.push(ApiEvent { entity: Some(EntityEvent { entity: Some(entity), is_registration: false }), ..base.clone() });
            }
            NODE_REGISTERED => {
                let node = Some(NodeEvent { node: cbor::from_slice(value)?, is_registration: true });
                out.push(ApiEvent { node, ..base.clone() });
            }
            NODE_UNFROZEN => {
                let node_unfrozen = Some(NodeUnfrozenEvent { node_id: cbor::from_slice(value)? });
                out.push(ApiEvent { node_unfrozen, ..base.clone() });
            }
            _ => {}
        }
        Ok(())
    })
}
