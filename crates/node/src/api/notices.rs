//! What subscribers are told of each block: worked out once for all of them, and only if somebody asks.

use std::sync::{Arc, OnceLock};

use oasis_consensus_app::{
    error::Result as AppResult, event::Event, governance, registry, roothash, scheduler, staking, store::Store as State,
};
use oasis_consensus_engine::node::Applied;
use oasis_consensus_types::{roothash::AnnotatedBlock, scheduler::CommitteeKind};
use oasis_primitives::{
    cbor::{self, Encode},
    namespace::Namespace,
};

use super::{
    block::Block,
    query::{self, BlockEvents, Source, node_list},
};

/// What can be subscribed to, for all runtimes alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feed {
    /// Blocks.
    Blocks,
    /// Epochs, one a block: who tells of changes compares.
    Epochs,
    /// Events of accounts.
    Staking,
    /// Entities that come and go.
    Entities,
    /// Nodes that come and go.
    Nodes,
    /// All nodes, at each epoch.
    NodeLists,
    /// Runtimes that are registered.
    Runtimes,
    /// Committees that are elected.
    Committees,
    /// Events of proposals.
    Governance,
}

const FEEDS: usize = 9;

/// Something about one runtime.
#[derive(Clone, Debug)]
pub struct OfRuntime {
    /// The runtime.
    pub id: Namespace,
    /// The round that ended, with its block; none for events.
    pub round: Option<u64>,
    /// The encoded message.
    pub message: Vec<u8>,
}

/// Encoded messages.
pub type Messages = Arc<[Vec<u8>]>;

/// A block, as its subscribers hear of it.
#[derive(Debug)]
pub struct Notice {
    applied: Arc<Applied>,
    feeds: [OnceLock<Messages>; FEEDS],
    runtimes: OnceLock<Arc<[OfRuntime]>>,
}

fn encoded<T: Encode>(items: impl IntoIterator<Item = T>) -> Vec<Vec<u8>> {
    items.into_iter().map(|item| cbor::to_vec(&item)).collect()
}

/// What a subscriber is told first. Source: go/common/pubsub/pubsub.go, `NewBrokerEx`; the brokers of each app.
pub fn first(feed: Feed, source: &dyn Source) -> Vec<Vec<u8>> {
    let of_state = |look: &dyn Fn(&State) -> AppResult<Vec<Vec<u8>>>| query::state(source, 0).and_then(|state| look(&state));
    let items = match feed {
        Feed::Epochs => query::current_epoch(source).map(|(epoch, _)| encoded([epoch])),
        Feed::NodeLists => of_state(&|state| Ok(encoded([node_list(state)?]))),
        Feed::Runtimes => of_state(&|state| registry::query::runtimes(state, true).map(encoded)),
        Feed::Committees => of_state(&|state| scheduler::query::all_committees(state).map(encoded)),
        Feed::Blocks | Feed::Staking | Feed::Entities | Feed::Nodes | Feed::Governance => Ok(Vec::new()),
    };
    items.unwrap_or_else(|error| {
        tracing::debug!(target: "grpc", ?feed, %error, "nothing to tell a new subscriber");
        Vec::new()
    })
}

impl Notice {
    /// A notice of a block.
    pub fn new(applied: Arc<Applied>) -> Self {
        Self { applied, feeds: Default::default(), runtimes: OnceLock::new() }
    }

    /// The block's height.
    pub fn height(&self) -> i64 {
        self.applied.block.header().height
    }

    /// What subscribers of a feed are told.
    pub fn messages(&self, feed: Feed, source: &dyn Source) -> Messages {
        let make = || self.make(feed, source).unwrap_or_else(|reason| self.failed(feed, &reason)).into();
        self.feeds.get(feed as usize).map(|slot| slot.get_or_init(make).clone()).unwrap_or_else(|| Vec::new().into())
    }

    /// What happened to runtimes.
    pub fn of_runtimes(&self, source: &dyn Source) -> Arc<[OfRuntime]> {
        let make = || self.make_of_runtimes(source).unwrap_or_else(|reason| self.failed("runtimes", &reason)).into();
        self.runtimes.get_or_init(make).clone()
    }

    fn failed<T>(&self, what: impl std::fmt::Debug, reason: &str) -> Vec<T> {
        tracing::warn!(target: "grpc", height = self.height(), ?what, reason, "subscribers are not told");
        Vec::new()
    }

    fn events(&self) -> BlockEvents<'_> {
        BlockEvents { height: self.height(), txs: self.applied.block.txs(), responses: &self.applied.responses }
    }

    fn state(&self, source: &dyn Source) -> Result<State, String> {
        source.state_at(self.height()).map_err(|e| e.to_string())?.ok_or_else(|| "the state is not kept".to_owned())
    }

    fn make(&self, feed: Feed, source: &dyn Source) -> Result<Vec<Vec<u8>>, String> {
        let text = |e: cbor::Error| e.to_string();
        let events = self.events();
        Ok(match feed {
            Feed::Blocks => encoded([Block::new(self.applied.block.header(), Some(self.applied.block.last_commit()))]),
            Feed::Epochs => {
                let epoch = oasis_consensus_app::epoch::current(&self.state(source)?).map_err(|e| e.to_string())?;
                encoded([epoch.epoch])
            }
            Feed::Staking => encoded(events.of(staking::events::to_api).map_err(text)?),
            Feed::Governance => encoded(events.of(governance::events::to_api).map_err(text)?),
            Feed::Entities => encoded(events.of(registry::events::to_api).map_err(text)?.into_iter().filter_map(|e| e.entity)),
            Feed::Nodes => encoded(events.of(registry::events::to_api).map_err(text)?.into_iter().filter_map(|e| e.node)),
            Feed::Runtimes => {
                let runtimes = events.of(registry::events::to_api).map_err(text)?.into_iter().filter_map(|e| e.runtime);
                encoded(runtimes.map(|e| e.runtime))
            }
            Feed::NodeLists => {
                let mut out = Vec::new();
                for _ in self.attributes(registry::APP_NAME, registry::events::NODE_LIST_EPOCH) {
                    out.extend(encoded([node_list(&self.state(source)?).map_err(|e| e.to_string())?]));
                }
                out
            }
            Feed::Committees => {
                let mut out = Vec::new();
                for value in self.attributes(scheduler::APP_NAME, scheduler::KEY_ELECTED) {
                    // A list of bytes is a byte string.
                    let kinds: Vec<u8> = cbor::from_slice(&value).map_err(text)?;
                    let kinds: Vec<CommitteeKind> = kinds.into_iter().map(CommitteeKind).collect();
                    out.extend(encoded(scheduler::query::kinds_committees(&self.state(source)?, &kinds).map_err(|e| e.to_string())?));
                }
                out
            }
        })
    }

    /// The values of an app's attributes with a key.
    fn attributes(&self, app: &str, key: &str) -> Vec<Vec<u8>> {
        let kind = Event::new(app).kind;
        let mut out = Vec::new();
        let _ = self.events().each(|event, _| -> Result<(), std::convert::Infallible> {
            if event.kind == kind {
                out.extend(event.attributes.iter().filter(|(k, _)| k == key.as_bytes()).map(|(_, value)| value.clone()));
            }
            Ok(())
        });
        out
    }

    /// Source: go/consensus/tendermint/roothash/roothash.go, `DeliverEvent`, `processFinalizedEvent`.
    fn make_of_runtimes(&self, source: &dyn Source) -> Result<Vec<OfRuntime>, String> {
        let mut out = Vec::new();
        for event in self.events().of(roothash::events::to_api).map_err(|e| e.to_string())? {
            let id = event.runtime_id;
            let Some(finalized) = &event.finalized else {
                out.push(OfRuntime { id, round: None, message: cbor::to_vec(&event) });
                continue;
            };
            let block = roothash::query::latest_block(&self.state(source)?, &id).map_err(|e| e.to_string())?;
            if block.header.round == finalized.round {
                let message = cbor::to_vec(&AnnotatedBlock { height: self.height(), block: Some(block) });
                out.push(OfRuntime { id, round: Some(finalized.round), message });
            }
        }
        Ok(out)
    }
}
