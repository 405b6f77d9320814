//! What the node answers on its socket: calls of users, queries of blocks and states, and streams of what happens.
//!
//! Source: go/control, go/consensus/api/grpc.go, go/consensus/tendermint/full.

mod debug;
pub mod seed;
mod status;
mod streams;
mod threads;

use std::{pin::Pin, sync::Arc, task::Poll};

use oasis_consensus_engine::proto;
use oasis_consensus_types::{
    consensus::{ERR_INVALID_ARGUMENT, ERR_UNSUPPORTED},
    transaction::{SignedTransaction, Transaction},
    upgrade::Descriptor,
};
use oasis_primitives::{
    cbor::{self, Cbor},
    signature::PublicKey,
};
use prost::Message;
use tokio::{runtime::Handle, sync::broadcast::error::RecvError, task::JoinHandle};

pub use threads::ApiThreads;

use super::full::Running;
use crate::{
    api::{
        SERVICE_PREFIX,
        light::EvidenceMessage,
        query::{self, Answer, app_error, coded, current_epoch, ok, read, unknown},
    },
    config::Mode,
    grpc::{ApiError, GrpcCode, Reply, Service},
};

/// This node's own: what is configured and not served, by key. The original's status has no room for it.
const GET_NOT_SERVED: &str = "GetNotServed";

/// Methods that change something, wait for something, or tell of the node itself; queries and streams have their own lists.
const METHODS: &[(&str, &[&str])] = &[
    (
        "NodeController",
        &["RequestShutdown", "WaitSync", "IsSynced", "WaitReady", "IsReady", "UpgradeBinary", "CancelUpgrade", "GetStatus", GET_NOT_SERVED],
    ),
    ("DebugController", &["SetEpoch", "WaitNodesRegistered"]),
    ("Consensus", &["SubmitTx", "EstimateGas", "GetUnconfirmedTransactions", "GetStatus"]),
    ("ConsensusLight", &["SubmitTxNoWait", "SubmitEvidence"]),
    ("Beacon", &["WaitEpoch"]),
];

/// Answers calls from the node's parts.
pub struct NodeApi {
    running: Arc<Running>,
    /// Where runs what may take long.
    tasks: Handle,
}

/// Source: go/consensus/api/api.go, `EstimateGasRequest`.
#[derive(Clone, Debug, Default, Cbor)]
struct EstimateGasRequest {
    signer: PublicKey,
    transaction: Option<Transaction>,
}

/// The answer of methods that say nothing: an empty message, as gRPC for Go sends for nil.
fn nothing() -> Answer {
    Ok(Vec::new())
}

fn stopping() -> ApiError {
    ApiError::grpc(GrpcCode::Unavailable, "the node is stopping")
}

fn has(table: &[(&str, &[&str])], service: &str, method: &str) -> bool {
    table.iter().any(|(name, methods)| *name == service && methods.contains(&method))
}

/// Those that hand something in and wait for its answer.
const LIGHT: &[(&str, &[&str])] = &[
    ("NodeController", &["WaitSync", "IsSynced", "WaitReady", "IsReady"]),
    ("Consensus", &["SubmitTx", "GetUnconfirmedTransactions"]),
    ("ConsensusLight", &["SubmitTxNoWait"]),
];

/// A task that ends when nobody waits for it any more.
struct Task<T>(JoinHandle<T>);

impl<T> Future for Task<T> {
    type Output = Result<T, tokio::task::JoinError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut std::task::Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(context)
    }
}

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What kind of method one is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Call,
    Query,
    Stream,
}

impl NodeApi {
    /// An API of a running node. What may take long is done where this is called.
    pub fn new(running: Running) -> Self {
        Self { running: Arc::new(running), tasks: Handle::current() }
    }

    /// Calls that wait for nothing but other tasks need no other threads.
    fn call_of(&self, service: String, method: String, request: Vec<u8>) -> Reply {
        let running = Arc::clone(&self.running);
        let light = has(LIGHT, &service, &method);
        let answer = async move { running.answer(&service, &method, request).await };
        if light {
            return Reply::Unary(Box::pin(answer));
        }
        let task = Task(self.tasks.spawn(answer));
        Reply::Unary(Box::pin(async move { task.await.map_err(unknown)? }))
    }

    fn kind(&self, service: &str, method: &str) -> Option<Kind> {
        if service == "DebugController" && !self.running.prepared.settings.debug {
            return None;
        }
        let tables = [(METHODS, Kind::Call), (query::METHODS, Kind::Query), (streams::METHODS, Kind::Stream)];
        tables.into_iter().find(|(table, _)| has(table, service, method)).map(|(_, kind)| kind)
    }
}

impl Service for NodeApi {
    fn call(&self, service: &str, method: &str, request: Vec<u8>) -> Option<Reply> {
        let service = service.strip_prefix(SERVICE_PREFIX)?;
        let running = &self.running;
        Some(match self.kind(service, method)? {
            Kind::Call => self.call_of(service.to_owned(), method.to_owned(), request),
            Kind::Query if has(query::QUICK, service, method) => Reply::Ready(running.look_up(service, method, &request)),
            Kind::Query => Reply::Unary(Box::pin(Arc::clone(running).query(service.to_owned(), method.to_owned(), request))),
            Kind::Stream => match streams::open(&self.tasks, streams::Desk::of(running), service, method, &request) {
                Ok(messages) => Reply::Stream(messages),
                Err(error) => Reply::Unary(Box::pin(async move { Err(error) })),
            },
        })
    }

    fn is_stream(&self, service: &str, method: &str) -> Option<bool> {
        let service = service.strip_prefix(SERVICE_PREFIX)?;
        self.kind(service, method).map(|kind| kind == Kind::Stream)
    }

    fn knows(&self, service: &str) -> bool {
        let Some(service) = service.strip_prefix(SERVICE_PREFIX) else { return false };
        let debug = service == "DebugController";
        (!debug || self.running.prepared.settings.debug)
            && [METHODS, query::METHODS].iter().any(|t| t.iter().any(|(name, _)| *name == service))
    }
}

impl Running {
    fn is_archive(&self) -> bool {
        self.prepared.settings.mode == Mode::Archive
    }

    /// Answers from blocks and states.
    fn look_up(&self, service: &str, method: &str, request: &[u8]) -> Answer {
        let missing = || Err(ApiError::unimplemented(&format!("{SERVICE_PREFIX}{service}"), method));
        query::answer(&self.source, service, method, request).unwrap_or_else(missing)
    }

    /// Answers from blocks and states what takes longer, on a thread of its own, so that it keeps nobody waiting.
    async fn query(self: Arc<Self>, service: String, method: String, request: Vec<u8>) -> Answer {
        tokio::task::spawn_blocking(move || self.look_up(&service, &method, &request)).await.map_err(unknown)?
    }

    /// Looks at the state machine on a thread that may wait for a block.
    async fn blocking<T: Send + 'static>(&self, look: impl FnOnce(&Self) -> Result<T, ApiError> + Send + 'static) -> Result<T, ApiError> {
        let running = self.clone();
        tokio::task::spawn_blocking(move || look(&running)).await.map_err(unknown)?
    }

    async fn answer(&self, service: &str, method: &str, request: Vec<u8>) -> Answer {
        match (service, method) {
            ("NodeController", "RequestShutdown") => self.leave(read(&request)?).await,
            ("NodeController", "IsSynced" | "IsReady") => ok(&self.is_synced()),
            ("NodeController", "WaitSync" | "WaitReady") => self.wait_synced().await,
            ("NodeController", "UpgradeBinary") => {
                let descriptor: Descriptor = read(&request)?;
                self.blocking(move |running| running.machine.lock().submit_upgrade(descriptor).map_err(app_error)).await?;
                nothing()
            }
            ("NodeController", "CancelUpgrade") => {
                let descriptor: Descriptor = read(&request)?;
                self.blocking(move |running| running.machine.lock().cancel_upgrade(&descriptor).map_err(app_error)).await?;
                nothing()
            }
            ("NodeController", "GetStatus") => ok(&self.blocking(Self::status).await?),
            ("NodeController", GET_NOT_SERVED) => ok(&self.prepared.settings.not_served),
            ("Consensus", "GetStatus") => ok(&self.blocking(Self::consensus_status).await?),
            ("Consensus", "SubmitTx") => self.submit(&request, true).await,
            ("Consensus", "EstimateGas") => self.estimate_gas(&request).await,
            ("Consensus", "GetUnconfirmedTransactions") => {
                self.refuse_in_archive()?;
                ok(&self.engine.unconfirmed().await?)
            }
            ("ConsensusLight", "SubmitTxNoWait") => self.submit(&request, false).await,
            ("ConsensusLight", "SubmitEvidence") => self.submit_evidence(&request).await,
            ("Beacon", "WaitEpoch") => self.wait_epoch(read(&request)?).await,
            ("DebugController", "SetEpoch") => self.set_epoch(read(&request)?).await,
            ("DebugController", "WaitNodesRegistered") => self.wait_nodes_registered(read(&request)?).await,
            _ => Err(ApiError::unimplemented(&format!("{SERVICE_PREFIX}{service}"), method)),
        }
    }

    /// An archive has no part in its network. Source: go/consensus/tendermint/full/archive.go, common.go.
    fn refuse_in_archive(&self) -> Result<(), ApiError> {
        if self.is_archive() { Err(coded(ERR_UNSUPPORTED)) } else { Ok(()) }
    }

    /// Lets the node leave; where asked to, answers only when it stops.
    async fn leave(&self, wait: bool) -> Answer {
        self.leaving.ask().map_err(unknown)?;
        // Looks at once, not only at the next block.
        tokio::spawn(super::leave::watch(self.clone()));
        if wait {
            self.stopper.stopped().await;
        }
        nothing()
    }

    /// Whether the node has all blocks; an archive always has.
    fn is_synced(&self) -> bool {
        self.is_archive() || self.engine.is_synced()
    }

    async fn wait_synced(&self) -> Answer {
        let mut views = self.engine.watch();
        while !self.is_synced() {
            tokio::select! {
                changed = views.changed() => changed.map_err(|_| stopping())?,
                () = self.stopper.stopped() => return Err(stopping()),
            }
        }
        nothing()
    }

    async fn submit(&self, request: &[u8], wait: bool) -> Answer {
        self.refuse_in_archive()?;
        let tx: SignedTransaction = read(request)?;
        tokio::select! {
            submitted = self.engine.submit(cbor::to_vec(&tx), wait) => submitted?,
            () = self.stopper.stopped() => return Err(stopping()),
        }
        nothing()
    }

    async fn estimate_gas(&self, request: &[u8]) -> Answer {
        let EstimateGasRequest { signer, transaction } = read(request)?;
        self.refuse_in_archive()?;
        let tx = transaction.ok_or_else(|| coded(ERR_INVALID_ARGUMENT))?;
        ok(&self.blocking(move |running| running.machine.lock().executor().estimate_gas(signer, &tx).map_err(app_error)).await?)
    }

    /// Source: go/consensus/tendermint/full/full.go, `SubmitEvidence`.
    async fn submit_evidence(&self, request: &[u8]) -> Answer {
        self.refuse_in_archive()?;
        let EvidenceMessage { meta } = read(request)?;
        let malformed = |e| unknown(format_args!("tendermint: malformed evidence while unmarshalling: {e}"));
        let evidence = proto::Evidence::decode(meta.as_slice()).map_err(malformed)?;
        if evidence.sum.is_none() {
            return Err(unknown("tendermint: malformed evidence while converting: evidence is not recognized"));
        }
        let failed = |e| unknown(format_args!("tendermint: broadcast evidence failed: {e}"));
        self.engine.submit_evidence(evidence).await.map_err(failed)?;
        nothing()
    }

    /// Answers once something holds: looks now, and again after each block.
    async fn until<T>(&self, mut look: impl FnMut() -> Option<T>) -> Result<T, ApiError> {
        let mut notices = self.engine.notices();
        loop {
            if let Some(found) = look() {
                return Ok(found);
            }
            tokio::select! {
                // Blocks that were passed over are no loss here.
                notice = notices.recv() => if matches!(notice, Err(RecvError::Closed)) {
                    return Err(stopping());
                },
                () = self.stopper.stopped() => return Err(stopping()),
            }
        }
    }

    /// Source: go/consensus/tendermint/beacon/beacon.go, `WaitEpoch`.
    async fn wait_epoch(&self, epoch: u64) -> Answer {
        self.until(|| current_epoch(&self.source).is_ok_and(|(now, _)| now >= epoch).then_some(())).await?;
        nothing()
    }
}
