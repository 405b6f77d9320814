//! Metrics of a full node: what was counted, with what state, blocks and peers say when somebody asks.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use oasis_consensus_app::registry;
use oasis_consensus_engine::ports::Store;

use super::{
    full::Running,
    prepare::{Prepared, StartError},
    stop::Stop,
};
use crate::{
    api::query,
    metrics::{self, Metrics, More, Page, Server},
};

/// The registry is counted again after this time. Source: go/registry/metrics.go, `metricsUpdateInterval`.
const REGISTRY_PAUSE: Duration = Duration::from_secs(60);

/// Takes the address of the metrics, if there are any.
pub async fn bind(prepared: &Prepared) -> Result<Option<Server>, StartError> {
    Server::bind(&prepared.settings.metrics).await.map_err(StartError)
}

/// Starts to tell metrics, if that is configured. Ends when the node stops.
pub fn start(running: &Running, server: Option<Server>, stop: &Stop) {
    let (Some(server), Some(metrics)) = (server, running.prepared.metrics.clone()) else { return };
    let more = Numbers { running: running.clone(), metrics: Arc::clone(&metrics), registry: Mutex::default() };
    metrics::start(server, metrics, more, stop.receiver());
}

/// How many entities, nodes and runtimes there are.
type Registered = [usize; 3];

struct Numbers {
    running: Running,
    metrics: Arc<Metrics>,
    registry: Mutex<Option<(Instant, Registered)>>,
}

impl Numbers {
    fn registered(&self) -> Option<Registered> {
        let mut last = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((when, counts)) = *last
            && when.elapsed() < REGISTRY_PAUSE
        {
            return Some(counts);
        }
        let state = query::state(&self.running.source, 0).ok()?;
        let (entities, nodes) = (registry::query::entities(&state).ok()?.len(), registry::query::nodes(&state).ok()?.len());
        let counts = [entities, nodes, registry::query::runtimes(&state, false).ok()?.len()];
        *last = Some((Instant::now(), counts));
        Some(counts)
    }
}

impl More for Numbers {
    fn add(&self, page: &mut Page) {
        let paths = &self.running.prepared.paths;
        // The databases of state and blocks are one.
        #[allow(clippy::cast_precision_loss, reason = "the format has no other numbers")]
        let mib = metrics::size_of(&paths.state()) as f64 / f64::from(1 << 20);
        page.gauge("oasis_abci_db_size", "Total size of the ABCI database (MiB).", &[], mib);
        if let Some([entities, nodes, runtimes]) = self.registered() {
            page.gauge("oasis_registry_entities", "Number of registry entities.", &[], entities);
            page.gauge("oasis_registry_nodes", "Number of registry nodes.", &[], nodes);
            page.gauge("oasis_registry_runtimes", "Number of registry runtimes.", &[], runtimes);
        }
        let registered = self.running.registration.is_registered();
        page.gauge("oasis_worker_node_registered", "Is oasis node registered (binary).", &[], registered);
        if let Some(peers) = &self.running.peers {
            let peers: Vec<_> = peers.peers().into_iter().map(|peer| (peer.id, peer.bytes_waiting)).collect();
            self.metrics.chain.add_peers(page, &peers);
        }
        if let Ok(Some(meta)) = self.running.blocks.block_meta(self.metrics.chain.latest()) {
            self.metrics.chain.add_block_size(page, meta.block_size);
        }
    }
}
