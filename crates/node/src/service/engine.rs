//! The consensus engine on a thread of its own: it hears of peers, timers and users, and acts upon the world.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use oasis_consensus_engine::{
    light::{LightError, TrustedState},
    mempool::MempoolError,
    merkle::{Sha256Hash, sha256},
    messages::ChannelId,
    node::{Applied, Effect, Input, Mode, Node, NodeEvent, SubmitError, TimerId},
    ports::{CheckTx, Fatal},
    proto::{Evidence, Timestamp},
};
use oasis_consensus_net::{NetEvent, NetEvents, NetworkHandle};
use oasis_consensus_types::consensus::ERR_DUPLICATE_TX;
use tokio::sync::{broadcast, mpsc, oneshot, watch};

use crate::{
    api::notices::Notice,
    grpc::{ApiError, GrpcCode},
    metrics::Metrics,
};

/// Users' requests that wait.
const MAX_COMMANDS: usize = 4096;
/// Transactions whose users wait for a block.
const MAX_WAITING: usize = 65_536;
/// Blocks that wait for slow subscribers.
const MAX_NOTICES: usize = 64;
/// Events that are handled before timers are looked at again.
const BURST: usize = 64;

/// What a user asks of the engine.
pub enum Command {
    /// To take a transaction; the answer comes when it was checked, or if `wait` when it is in a block.
    Submit {
        /// The signed transaction in CBOR.
        tx: Vec<u8>,
        /// Whether to wait for a block.
        wait: bool,
        /// For the answer.
        answer: oneshot::Sender<Result<(), ApiError>>,
    },
    /// To take evidence.
    Evidence {
        /// The evidence.
        evidence: Box<Evidence>,
        /// For the answer.
        answer: oneshot::Sender<Result<(), String>>,
    },
    /// To tell which transactions wait for a block.
    Unconfirmed(oneshot::Sender<Vec<Vec<u8>>>),
    /// To carry on with a state that the light client found.
    Trusted(Result<Box<TrustedState>, LightError>),
    /// To stop.
    Stop,
}

/// What is public of the engine.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// What the node is doing.
    pub mode: Option<Mode>,
    /// Height of the last block.
    pub height: i64,
    /// Time of the last block, seconds since 1970.
    pub time: i64,
    /// The last block with its results; none before the first since the start.
    pub applied: Option<Arc<Applied>>,
    /// Why no further block is executed, though nothing is wrong.
    pub ended: Option<String>,
}

impl View {
    /// Whether the node has all blocks, as far as it can know. Source: go/consensus/tendermint/full/full.go, `syncWorker`.
    pub fn is_synced(&self) -> bool {
        const RECENT: i64 = 60;
        self.mode == Some(Mode::Consensus) && self.height > 0 && now().seconds.saturating_sub(self.time) < RECENT
    }
}

/// The present time.
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let seconds = i64::try_from(since.as_secs()).unwrap_or(i64::MAX);
    Timestamp { seconds, nanos: i32::try_from(since.subsec_nanos()).unwrap_or_default() }
}

/// A way to ask the engine.
#[derive(Clone)]
pub struct EngineHandle {
    commands: mpsc::Sender<Command>,
    view: watch::Receiver<View>,
    synced: Arc<AtomicBool>,
    notices: broadcast::Sender<Arc<Notice>>,
}

impl EngineHandle {
    /// Tells of each block from now on, when its state is there. Who is too slow hears how many passed.
    pub fn notices(&self) -> broadcast::Receiver<Arc<Notice>> {
        self.notices.subscribe()
    }

    /// For those who let others subscribe.
    pub fn notices_sender(&self) -> broadcast::Sender<Arc<Notice>> {
        self.notices.clone()
    }

    /// The transactions that wait for a block.
    pub async fn unconfirmed(&self) -> Result<Vec<Vec<u8>>, ApiError> {
        let gone = || ApiError::grpc(GrpcCode::Unavailable, "the node is stopping");
        let (answer, answered) = oneshot::channel();
        self.commands.send(Command::Unconfirmed(answer)).await.map_err(|_| gone())?;
        answered.await.map_err(|_| gone())
    }

    /// Whether the node has had all blocks since it started; once it had, it counts as synced.
    pub fn is_synced(&self) -> bool {
        if self.view.borrow().is_synced() {
            self.synced.store(true, Ordering::Relaxed);
        }
        self.synced.load(Ordering::Relaxed)
    }

    /// Tells of each new view; some may be passed over.
    pub fn watch(&self) -> watch::Receiver<View> {
        self.view.clone()
    }

    /// Waits until no further block is executed, though nothing is wrong. Gives the reason.
    pub async fn ended(&self) -> String {
        let mut view = self.view.clone();
        match view.wait_for(|view| view.ended.is_some()).await.map(|view| view.ended.clone()) {
            Ok(Some(reason)) => reason,
            // An engine that is gone tells by its thread's end.
            _ => std::future::pending().await,
        }
    }

    /// Submits a transaction.
    pub async fn submit(&self, tx: Vec<u8>, wait: bool) -> Result<(), ApiError> {
        let gone = || ApiError::grpc(GrpcCode::Unavailable, "the node is stopping");
        let (answer, answered) = oneshot::channel();
        self.commands.send(Command::Submit { tx, wait, answer }).await.map_err(|_| gone())?;
        answered.await.map_err(|_| gone())?
    }

    /// Submits evidence.
    pub async fn submit_evidence(&self, evidence: Evidence) -> Result<(), String> {
        let gone = || "the node is stopping".to_owned();
        let (answer, answered) = oneshot::channel();
        self.commands.send(Command::Evidence { evidence: Box::new(evidence), answer }).await.map_err(|_| gone())?;
        answered.await.map_err(|_| gone())?
    }

    /// Hands in what the light client found.
    pub async fn trusted(&self, result: Result<Box<TrustedState>, LightError>) {
        let _ = self.commands.send(Command::Trusted(result)).await;
    }

    /// Tells the engine to stop.
    pub async fn stop(&self) {
        let _ = self.commands.send(Command::Stop).await;
    }
}

/// What the engine asks of the rest of the node.
pub enum Request {
    /// To ask the light client for the state after a height.
    Trust(i64),
}

/// Where a user waits for what came of a transaction.
type TxAnswer = oneshot::Sender<Result<(), ApiError>>;

/// Why the engine stopped.
pub type Ended = Result<(), Fatal>;

struct Engine {
    node: Node,
    net: NetworkHandle,
    timers: BTreeMap<TimerId, Instant>,
    view: watch::Sender<View>,
    notices: broadcast::Sender<Arc<Notice>>,
    requests: mpsc::UnboundedSender<Request>,
    verdicts: mpsc::UnboundedSender<Input>,
    next_id: u64,
    /// Users whose transactions are being checked.
    checking: BTreeMap<u64, (Sha256Hash, bool, TxAnswer)>,
    /// Users whose transactions wait for a block.
    waiting: BTreeMap<Sha256Hash, Vec<TxAnswer>>,
    evidence: BTreeMap<u64, oneshot::Sender<Result<(), String>>>,
    last_progress: Option<Instant>,
    metrics: Option<Arc<Metrics>>,
}

/// Makes the ends of a user's way to an engine that is yet to start.
pub fn channel() -> (EngineHandle, EngineEnds) {
    let (commands, receiver) = mpsc::channel(MAX_COMMANDS);
    let (view, viewed) = watch::channel(View::default());
    let (notices, _) = broadcast::channel(MAX_NOTICES);
    let handle = EngineHandle { commands, view: viewed, synced: Arc::default(), notices: notices.clone() };
    (handle, EngineEnds { commands: receiver, view, notices })
}

/// The engine's ends of the ways to its users.
pub struct EngineEnds {
    commands: mpsc::Receiver<Command>,
    view: watch::Sender<View>,
    notices: broadcast::Sender<Arc<Notice>>,
}

/// Drives a node until it is told to stop, or can't go on.
pub async fn drive(
    node: Node,
    first: Vec<Effect>,
    net: NetworkHandle,
    mut events: NetEvents,
    ends: EngineEnds,
    requests: mpsc::UnboundedSender<Request>,
    metrics: Option<Arc<Metrics>>,
) -> Ended {
    let EngineEnds { mut commands, view, notices } = ends;
    let (verdicts, mut verified) = mpsc::unbounded_channel();
    let state = node.state();
    view.send_modify(|v| {
        v.mode = Some(node.mode());
        v.height = state.last_block_height;
        v.time = state.last_block_time.seconds;
    });
    if let Some(metrics) = &metrics {
        metrics.chain.start(state, node.mode());
    }
    let mut engine = Engine {
        node,
        net,
        timers: BTreeMap::new(),
        view,
        notices,
        requests,
        verdicts,
        next_id: 0,
        checking: BTreeMap::new(),
        waiting: BTreeMap::new(),
        evidence: BTreeMap::new(),
        last_progress: None,
        metrics,
    };
    engine.carry_out(first);
    loop {
        engine.fire_timers()?;
        let until = engine.timers.values().min().copied().unwrap_or_else(|| Instant::now() + Duration::from_secs(3600));
        tokio::select! {
            biased;
            input = verified.recv() => if let Some(input) = input {
                engine.tell(input)?;
            },
            command = commands.recv() => {
                let Some(command) = command else { return Ok(()) };
                if engine.commands(command, &mut commands)? {
                    return Ok(());
                }
                // Users do not keep the peers waiting either.
                for _ in 0..BURST {
                    let Some(event) = events.try_recv() else { break };
                    engine.net_event(event)?;
                }
            }
            event = events.recv() => {
                let Some(event) = event else { return Ok(()) };
                engine.net_event(event)?;
                for _ in 0..BURST {
                    let Some(event) = events.try_recv() else { break };
                    engine.net_event(event)?;
                }
            }
            // A timer that is due already is not slept for: the runtime's sleep takes a millisecond at least.
            () = tokio::task::yield_now(), if until <= Instant::now() => {}
            () = tokio::time::sleep_until(until.into()) => {}
        }
    }
}

impl Engine {
    fn tell(&mut self, input: Input) -> Ended {
        let effects = self.node.handle(now(), input)?;
        self.carry_out(effects);
        if let Some(metrics) = &self.metrics {
            metrics.chain.mempool(self.node.mempool());
        }
        Ok(())
    }

    fn fire_timers(&mut self) -> Ended {
        let now = Instant::now();
        let due: Vec<TimerId> = self.timers.iter().filter(|(_, at)| **at <= now).map(|(id, _)| *id).collect();
        for id in due {
            self.timers.remove(&id);
            self.tell(Input::Timer(id))?;
        }
        Ok(())
    }

    fn net_event(&mut self, event: NetEvent) -> Ended {
        if let Some(metrics) = &self.metrics {
            match &event {
                NetEvent::Message { peer, channel, bytes } => metrics.chain.received(*peer, *channel, bytes),
                NetEvent::Gone { peer, .. } => metrics.chain.gone(peer),
                NetEvent::Connected { .. } | NetEvent::Sent { .. } => {}
            }
        }
        let input = match event {
            NetEvent::Connected { peer, outbound, persistent, info } => {
                tracing::info!(target: "tendermint/p2p", %peer, moniker = info.moniker, outbound, "peer connected");
                Input::Connected { peer, outbound, persistent }
            }
            NetEvent::Gone { peer, reason } => {
                tracing::info!(target: "tendermint/p2p", %peer, %reason, "peer gone");
                Input::Gone { peer }
            }
            NetEvent::Message { peer, channel, bytes } => Input::Message { peer, channel: ChannelId(channel), bytes: bytes.to_vec() },
            NetEvent::Sent { peer, channel, bytes } => Input::Sent { peer, channel: ChannelId(channel), bytes },
        };
        self.tell(input)
    }

    /// Does what users ask, of several at once; their transactions are judged together. Whether one has asked to stop.
    fn commands(&mut self, first: Command, more: &mut mpsc::Receiver<Command>) -> Result<bool, Fatal> {
        let mut txs = Vec::new();
        let mut next = Some(first);
        for left in (0..BURST).rev() {
            match next.take() {
                None => break,
                Some(Command::Submit { tx, wait, answer }) => txs.extend(self.take_tx(tx, wait, answer)),
                Some(command) => {
                    // In the order in which they were asked.
                    self.judge(&mut txs)?;
                    if matches!(command, Command::Stop) {
                        return Ok(true);
                    }
                    self.command(command)?;
                }
            }
            if left > 0 {
                next = more.try_recv().ok();
            }
        }
        self.judge(&mut txs)?;
        Ok(false)
    }

    fn judge(&mut self, txs: &mut Vec<(u64, Vec<u8>)>) -> Ended {
        if txs.is_empty() { Ok(()) } else { self.tell(Input::SubmitTxs(std::mem::take(txs))) }
    }

    /// Gives a user's transaction its number, if there is room for another who waits.
    fn take_tx(&mut self, tx: Vec<u8>, wait: bool, answer: TxAnswer) -> Option<(u64, Vec<u8>)> {
        if self.waiting.len() >= MAX_WAITING {
            // Users who went away wait no more.
            self.waiting.retain(|_, users| {
                users.retain(|user| !user.is_closed());
                !users.is_empty()
            });
        }
        if self.waiting.len() >= MAX_WAITING {
            let _ = answer.send(Err(ApiError::grpc(GrpcCode::ResourceExhausted, "too many transactions wait for a block")));
            return None;
        }
        let id = self.take_id();
        self.checking.insert(id, (sha256(&tx), wait, answer));
        Some((id, tx))
    }

    fn command(&mut self, command: Command) -> Ended {
        match command {
            Command::Evidence { evidence, answer } => {
                let id = self.take_id();
                self.evidence.insert(id, answer);
                self.tell(Input::SubmitEvidence { id, evidence })
            }
            Command::Unconfirmed(answer) => {
                let _ = answer.send(self.node.mempool().reap(-1, -1));
                Ok(())
            }
            Command::Trusted(result) => self.tell(Input::Trusted(result)),
            Command::Submit { .. } | Command::Stop => Ok(()),
        }
    }

    fn take_id(&mut self) -> u64 {
        self.next_id = self.next_id.wrapping_add(1);
        self.next_id
    }

    fn carry_out(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Send { peer, channel, bytes } => match self.net.send(&peer, channel.0, Bytes::copy_from_slice(&bytes)) {
                    Ok(()) => {
                        if let Some(metrics) = &self.metrics {
                            metrics.chain.sent(peer, channel.0, bytes.len());
                        }
                    }
                    Err(error) => tracing::debug!(target: "tendermint/p2p", %peer, %error, "message not sent"),
                },
                Effect::Drop { peer, reason, ban } => {
                    tracing::warn!(target: "tendermint/p2p", %peer, reason, ban, "peer dropped");
                    self.net.disconnect(peer, reason, ban);
                }
                Effect::Good { peer } => self.net.mark_good(peer),
                Effect::SetTimer { id, after } => {
                    let after = Duration::from_nanos(u64::try_from(after).unwrap_or_default());
                    self.timers.insert(id, Instant::now() + after);
                }
                Effect::Trust { height } => drop(self.requests.send(Request::Trust(height))),
                Effect::Verify(batch) => {
                    let verdicts = self.verdicts.clone();
                    tokio::task::spawn_blocking(move || drop(verdicts.send(Input::Verified(batch.verify()))));
                }
                Effect::Event(event) => self.event(event),
            }
        }
    }

    fn event(&mut self, event: NodeEvent) {
        match event {
            NodeEvent::Mode(mode) => {
                tracing::info!(target: "tendermint", mode = ?mode, "the node does something else now");
                self.view.send_modify(|view| view.mode = Some(mode));
                if let Some(metrics) = &self.metrics {
                    metrics.chain.mode(mode);
                }
            }
            NodeEvent::Applied(applied) => self.applied(applied),
            NodeEvent::Step(step) => {
                tracing::debug!(target: "tendermint/consensus", height = step.height, round = step.round, step = ?step.step, "step");
                if let Some(metrics) = &self.metrics {
                    metrics.chain.step(step.height, step.round);
                }
            }
            NodeEvent::BlockSync(progress) => self.progress(&format_args!("block sync: {progress}")),
            NodeEvent::StateSync(progress) => self.progress(&format_args!("state sync: {progress}")),
            NodeEvent::Restored { height } => {
                // Source: go/consensus/tendermint/abci/mux.go, `LogEventABCIStateSyncComplete`.
                tracing::info!(target: "tendermint/statesync", height, log_event = "tendermint/abci/state_sync_complete", "state restored");
                self.view.send_modify(|view| view.height = height);
            }
            NodeEvent::TxChecked { id, result } => self.tx_checked(id, result),
            NodeEvent::EvidenceChecked { id, result } => {
                if let Some(answer) = self.evidence.remove(&id) {
                    let _ = answer.send(result);
                }
            }
            NodeEvent::Refused(reason) => tracing::warn!(target: "tendermint/consensus", reason, "not signed"),
            NodeEvent::Warn(text) => tracing::warn!(target: "tendermint", "{text}"),
            NodeEvent::Ended(reason) => self.view.send_modify(|view| view.ended = Some(reason)),
            NodeEvent::Halted(reason) => tracing::error!(target: "tendermint/consensus", reason, "consensus has stopped"),
        }
    }

    /// Tells people how far syncing is, once in a while.
    fn progress(&mut self, text: &dyn std::fmt::Display) {
        const PAUSE: Duration = Duration::from_secs(5);
        let now = Instant::now();
        if self.last_progress.is_none_or(|last| now.duration_since(last) >= PAUSE) {
            self.last_progress = Some(now);
            tracing::info!(target: "tendermint/sync", "{text}");
        }
    }

    fn applied(&mut self, applied: Arc<Applied>) {
        let header = applied.block.header();
        tracing::info!(
            target: "tendermint/state",
            height = header.height,
            txs = applied.block.txs().len(),
            app_hash = hex::encode(&applied.app_hash),
            "block executed"
        );
        if let Some(metrics) = &self.metrics {
            metrics.chain.applied(&applied, self.node.state());
        }
        if !self.waiting.is_empty() {
            for (tx, result) in applied.block.txs().iter().zip(&applied.responses.deliver_txs) {
                let outcome = outcome(result.code, &result.codespace, || String::from_utf8_lossy(&result.log).into_owned());
                self.answer(&sha256(tx), &outcome);
            }
            for invalid in &applied.invalidated {
                self.answer(&invalid.hash, &Err(refused(&invalid.reason)));
            }
        }
        let (height, time) = (header.height, header.time.seconds);
        // Nobody may listen.
        let _ = self.notices.send(Arc::new(Notice::new(Arc::clone(&applied))));
        self.view.send_modify(|view| {
            view.height = height;
            view.time = time;
            view.applied = Some(applied);
        });
    }

    fn answer(&mut self, hash: &Sha256Hash, outcome: &Result<(), ApiError>) {
        for answer in self.waiting.remove(hash).unwrap_or_default() {
            let _ = answer.send(outcome.clone());
        }
    }

    /// Source: go/consensus/tendermint/full/full.go, `broadcastTxRaw`, `SubmitTx`.
    fn tx_checked(&mut self, id: u64, result: Result<CheckTx, SubmitError>) {
        let Some((hash, wait, answer)) = self.checking.remove(&id) else { return };
        let checked = match result {
            Ok(check) => outcome(check.code, &check.codespace, || check.log.clone()),
            Err(SubmitError::Refused(reason)) => Err(refused(&reason)),
            Err(e @ SubmitError::Syncing) => Err(ApiError::grpc(GrpcCode::Unavailable, e.to_string())),
        };
        match checked {
            Ok(()) if wait => self.waiting.entry(hash).or_default().push(answer),
            done => drop(answer.send(done)),
        }
    }
}

fn outcome(code: u32, codespace: &str, log: impl FnOnce() -> String) -> Result<(), ApiError> {
    if code == 0 {
        return Ok(());
    }
    Err(ApiError { module: codespace.to_owned(), code, message: log(), grpc: GrpcCode::Unknown })
}

fn refused(reason: &MempoolError) -> ApiError {
    match reason {
        MempoolError::InCache => ApiError::from(oasis_consensus_types::errors::CodedError::from(ERR_DUPLICATE_TX)),
        MempoolError::Refused(check) => {
            ApiError { module: check.codespace.clone(), code: check.code, message: check.log.clone(), grpc: GrpcCode::Unknown }
        }
        other => ApiError::unknown(format!("tendermint: failed to submit to local mempool: {other}")),
    }
}
