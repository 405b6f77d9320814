//! A full node: the engine on its thread, the network of peers, workers, and the API.

use std::{sync::Arc, thread, time::Duration};

use oasis_consensus_abci::{Config as MachineConfig, Disk, DiskOptions, DiskReader, Machine, Network, Pruning, Shared};
use oasis_consensus_engine::{
    node::{Node, NodeConfig, Ports},
    ports::Fatal,
    rounds::RoundsConfig,
};
use oasis_consensus_net::{Network as Peers, NetworkHandle};
use oasis_primitives::quantity::Quantity;
use oasis_storage::{BlockDb, BlockOptions, FileWal, Together};
use tokio::sync::{mpsc, oneshot};

use super::{
    api::{self, ApiThreads},
    byzantine,
    engine::{self, EngineHandle, Request},
    export,
    leave::{self, Leaving},
    net, numbers,
    prepare::{Prepared, StartError},
    public, sentry, signer,
    stop::{Stop, Stopper},
    workers,
};
use crate::{
    api::source::DiskSource,
    config::{Mode, Prune},
    grpc,
    identity::entropy,
    metrics::{Counted, Timed},
};

/// Blocks that were executed again at the start are told of so often.
const REPLAY_NOTE: i64 = 500;
/// Peers are served for so long at least after the last block. Source: go/consensus/tendermint/full/full.go, `minUpgradeStopWaitPeriod`.
const MIN_LAST_SERVICE: Duration = Duration::from_secs(5);
/// Threads for calls.
const API_THREADS: usize = 2;
/// The engine's stack: blocks are decoded and executed on it.
const STACK: usize = 8 << 20;

/// A running node, as its parts see it.
#[derive(Clone)]
pub struct Running {
    /// What was configured, the keys, the network.
    pub prepared: Arc<Prepared>,
    /// The state machine.
    pub machine: Shared<Disk>,
    /// Answers from states and blocks.
    pub source: DiskSource,
    /// Blocks.
    pub blocks: BlockDb,
    /// The engine.
    pub engine: EngineHandle,
    /// The key of the servers over TLS; none if there are none.
    pub tls: Option<grpc::ServerKey>,
    /// The peers; none in an archive.
    pub peers: Option<NetworkHandle>,
    /// The node's registration.
    pub registration: workers::RegistrationState,
    /// Whether the node is to leave the network.
    pub leaving: Leaving,
    /// Lets the node stop.
    pub stopper: Stopper,
}

fn fatal(e: impl std::fmt::Display) -> StartError {
    StartError(e.to_string())
}

/// Memory for what was read of state and blocks lately, bytes.
const CACHE_BYTES: u64 = 8 << 20;

/// Opens the state machine.
fn open_machine(prepared: &Prepared, together: &Together) -> Result<(Shared<Disk>, DiskReader), StartError> {
    let settings = &prepared.settings;
    let options = DiskOptions::new(prepared.network.chain_context.clone()).with_checkpoints(prepared.paths.checkpoints());
    let tree = Disk::on(Arc::clone(&together.state), &prepared.paths.state(), options).map_err(fatal)?;
    let mut network = Network::clone(&prepared.network);
    network.supplementary_sanity_interval = settings.supplementary_sanity_interval;
    let config = MachineConfig {
        pruning: match settings.prune {
            Prune::None => Pruning::None,
            Prune::KeepN(count) => Pruning::KeepN(count),
        },
        min_gas_price: Quantity::from(settings.min_gas_price),
        own_tx_signer: Some(prepared.identity.node.public_key()),
        disable_checkpointer: settings.checkpointer.disabled,
        stop_at_upgrades: true,
        ..MachineConfig::default()
    };
    let reader = tree.reader();
    Ok((Shared::new(Machine::open(tree, network, config).map_err(fatal)?), reader))
}

/// Timeouts of the rounds: those of the genesis document, the rest as in the original.
///
/// Source: go/consensus/tendermint/full/full.go, `lazyInit`.
fn rounds(prepared: &Prepared) -> RoundsConfig {
    let params = &prepared.network.document.consensus.parameters;
    RoundsConfig {
        timeout_commit: params.timeout_commit,
        skip_timeout_commit: params.skip_timeout_commit,
        create_empty_blocks_interval: params.empty_block_interval,
        ..RoundsConfig::default()
    }
}

/// Runs a full node or an archive until it is told to stop.
pub async fn run(prepared: Prepared, stopper: Stopper, stop: &mut Stop) -> Result<(), StartError> {
    let prepared = Arc::new(prepared);
    let together = Together::open(&prepared.paths.state(), CACHE_BYTES).map_err(fatal)?;
    let (machine, reader) = open_machine(&prepared, &together)?;
    let options = BlockOptions { context: prepared.network.chain_context.clone(), with_state: true, ..BlockOptions::default() };
    let blocks = BlockDb::on(together.blocks, &prepared.paths.state(), options).map_err(fatal)?;
    let (handle, ends) = engine::channel();
    let archive = prepared.settings.mode == Mode::Archive;
    let source = DiskSource::new(Arc::clone(&prepared.network), archive, reader, blocks.clone());
    let mut running = Running {
        prepared: Arc::clone(&prepared),
        machine,
        source,
        blocks,
        engine: handle,
        tls: public::key(&prepared)?,
        peers: None,
        registration: workers::RegistrationState::default(),
        leaving: Leaving::load(&prepared)?,
        stopper: stopper.clone(),
    };
    if !archive {
        export::refuse_after_halt(&running)?;
    }
    // A socket that is in use stops the node before it does anything.
    let socket = prepared.settings.socket.clone().unwrap_or_else(|| prepared.paths.root.join(grpc::SOCKET_FILE));
    let socket = grpc::UnixServer::bind(&socket).await.map_err(|e| StartError(e.to_string()))?;
    let public = public::bind(&prepared).await?;
    let sentry = sentry::bind(&prepared).await?;
    let numbers = numbers::bind(&prepared).await?;
    let ended = match prepared.settings.mode {
        Mode::Archive => None,
        _ => {
            let (thread, peers) = start_engine(&running, ends).await?;
            running.peers = Some(peers);
            Some(thread)
        }
    };
    let service = Counted::over(Arc::new(api::NodeApi::new(running.clone())), prepared.metrics.as_ref());
    let threads = ApiThreads::start(API_THREADS).map_err(|e| StartError(format!("threads: {e}")))?;
    let mut server = tokio::spawn({
        let (stop, threads) = (stop.receiver(), threads.handles());
        async move { socket.serve_on(threads, service, stop).await }
    });
    public::start(&running, public, stop);
    sentry::start(&running, sentry, stop);
    numbers::start(&running, numbers, stop);
    let workers = workers::start(&running, stop);
    tokio::spawn(leave::watch(running.clone()));
    let mut ended = ended;
    let result = tokio::select! {
        // First: the server ends too when the node is told to stop, which is no failure.
        biased;
        () = stop.wait() => Ok(()),
        result = engine_end(&mut ended) => result.map_err(fatal),
        () = last_service(&running) => Ok(()),
        error = byzantine::run(&running) => Err(error),
        served = &mut server => Err(StartError(match served {
            Ok(Err(e)) => e.to_string(),
            Ok(Ok(())) => "the API has stopped".to_owned(),
            Err(e) => e.to_string(),
        })),
    };
    stopper.stop();
    let _ = tokio::time::timeout(Duration::from_secs(5), running.engine.stop()).await;
    if ended.is_some() {
        let _ = tokio::time::timeout(Duration::from_secs(30), engine_end(&mut ended)).await;
    }
    if let Some(peers) = &running.peers {
        peers.shutdown().await;
    }
    let _ = workers.await;
    // What was written since the last block survives power loss too.
    let synced = running.blocks.sync().map_err(fatal).and_then(|()| running.machine.lock().sync().map_err(fatal));
    tracing::info!(target: "node", "stopped");
    result.and(synced)
}

type EngineEnd = oneshot::Receiver<Result<(), Fatal>>;

async fn engine_end(ended: &mut Option<EngineEnd>) -> Result<(), Fatal> {
    match ended {
        Some(end) => {
            let result = end.await.unwrap_or_else(|_| Err(Fatal::new("the engine's thread has ended")));
            *ended = None;
            result
        }
        None => std::future::pending().await,
    }
}

/// Waits for the end. Then writes the state as a genesis document, and serves peers for a while, so that the last votes reach them and
/// they can fetch the last block. Nodes do not all stop at once.
///
/// Source: go/consensus/tendermint/full/full.go, the halt hook of `lazyInit`; go/oasis-node/cmd/node/node.go, `initNode`.
async fn last_service(running: &Running) {
    let reason = running.engine.ended().await;
    let mut byte = [0];
    entropy(&mut byte);
    let timeout_commit = running.prepared.network.document.consensus.parameters.timeout_commit;
    let timeout_commit = Duration::from_nanos(u64::try_from(timeout_commit).unwrap_or_default());
    let stop_delay = running.prepared.settings.upgrade_stop_delay;
    let pause = MIN_LAST_SERVICE.max(timeout_commit) + stop_delay.mul_f64(0.5 + f64::from(byte[0]) / 256.0);
    tracing::warn!(target: "node", reason, seconds = pause.as_secs(), "no further block is executed; serving peers for a while before stopping");
    let writing = running.clone();
    match tokio::task::spawn_blocking(move || export::write(&writing)).await {
        Ok(Ok(path)) => tracing::info!(target: "node", path = %path.display(), "the state is written as a genesis document"),
        Ok(Err(error)) => tracing::error!(target: "node", %error, "the state is not written as a genesis document"),
        Err(error) => tracing::error!(target: "node", %error, "the state is not written as a genesis document"),
    }
    tokio::time::sleep(pause).await;
    tracing::info!(target: "node", "stopping after the last block");
}

/// Starts the network of peers, and the engine on a thread of its own.
async fn start_engine(running: &Running, ends: engine::EngineEnds) -> Result<(EngineEnd, NetworkHandle), StartError> {
    let prepared = Arc::clone(&running.prepared);
    let settings = &prepared.settings;
    let (handle, events) =
        Peers::start(net::config(&prepared), prepared.identity.p2p.clone(), net::channels()).await.map_err(net::failed)?;
    tracing::info!(target: "tendermint/p2p", id = %handle.id(), listening = ?handle.listening(), "listening for peers");
    let wal = FileWal::open(prepared.paths.wal()).map_err(fatal)?;
    if let Some(aside) = wal.repaired() {
        tracing::warn!(target: "tendermint/consensus", aside = %aside.display(), "the log ended in the middle of a record, which was put aside");
    }
    let signer = signer::open(&prepared.paths.sign_state(), prepared.identity.consensus.clone()).map_err(fatal)?;
    let ports = Ports {
        app: match &prepared.metrics {
            Some(metrics) => Box::new(Timed::new(running.machine.clone(), Arc::clone(metrics))),
            None => Box::new(running.machine.clone()),
        },
        store: Box::new(running.blocks.clone()),
        wal: Box::new(wal),
        signer: Some(Box::new(signer)),
    };
    let mut seed = [0; 8];
    entropy(&mut seed);
    let config = NodeConfig {
        rounds: rounds(&prepared),
        state_sync: settings.state_sync.as_ref().map(|_| Default::default()),
        verify_elsewhere: true,
        seed: u64::from_le_bytes(seed),
        ..NodeConfig::default()
    };
    let (requests, requested) = mpsc::unbounded_channel();
    tokio::spawn(answer_requests(running.clone(), requested));
    let (end, ended) = oneshot::channel();
    let net = handle.clone();
    let spawned = thread::Builder::new().name("engine".to_owned()).stack_size(STACK).spawn(move || {
        let run = || -> Result<(), Fatal> {
            let mut on_replay = |height: i64, last: i64| {
                if height % REPLAY_NOTE == 0 || height == last {
                    tracing::info!(target: "tendermint/consensus", height, last, "block executed again");
                }
            };
            let genesis = &prepared.network.engine;
            let (node, first) = Node::start_watched(engine::now(), config, ports, genesis, &mut on_replay)?;
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_time().max_blocking_threads(2).build().map_err(Fatal::new)?;
            runtime.block_on(engine::drive(node, first, net, events, ends, requests, prepared.metrics.clone()))
        };
        let result = run();
        if let Err(error) = &result {
            tracing::error!(target: "tendermint/consensus", %error, "the engine can't go on");
        }
        let _ = end.send(result);
    });
    spawned.map_err(|e| StartError(format!("engine thread: {e}")))?;
    Ok((ended, handle))
}

async fn answer_requests(running: Running, mut requests: mpsc::UnboundedReceiver<Request>) {
    while let Some(Request::Trust(height)) = requests.recv().await {
        let result = super::light::trusted_state(&running.prepared, height).await;
        running.engine.trusted(result).await;
    }
}
