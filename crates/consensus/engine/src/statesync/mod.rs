//! State sync: the state of a height from a snapshot that peers offer, trusted by way of the light client.
//!
//! Unlike the original it asks for snapshots again, tries those whose height is not verifiable yet later, and gives up with a
//! reason when nothing happens for too long or every offer was rejected.
//!
//! Source: tendermint `statesync/{syncer,snapshots,chunks,reactor}.go`; go/consensus/tendermint/full/statesync.go.

mod chunks;
mod progress;
mod serve;
mod snapshots;

use std::collections::BTreeSet;

use crate::{
    light::{LightError, TrustedState},
    messages::{ChunkRequest, SnapshotsRequest, StateSyncMessage},
    peer::PeerId,
    ports::{AppInfo, ApplyChunk, OfferSnapshot, Snapshot},
    proto::{Commit, Timestamp},
    state::ChainState,
};

use chunks::Chunks;
pub use progress::{Stage, StateSyncProgress};
pub use serve::{Answer, SnapshotServer};
use snapshots::{Key, Snapshots};

/// Nanoseconds of a second.
const SECOND: i64 = 1_000_000_000;
/// How often [`Input::Tick`] should come, in nanoseconds.
pub const TICK: i64 = SECOND / 2;
/// How often the progress is told.
const PROGRESS_INTERVAL: i64 = 5 * SECOND;
/// A tick that comes this late means that this node stood still, not its peers.
const STALL: i64 = 3 * SECOND;
/// Peers that are kept.
const MAX_PEERS: usize = 1000;
/// Times that the application may want a snapshot from the beginning.
const MAX_RESTARTS: u32 = 3;
/// Times that a height is tried which the light client cannot verify yet.
const MAX_TRIES: u32 = 5;
/// Reasons that are kept.
const MAX_REASONS: usize = 5;

/// Times and limits of state sync; times in nanoseconds.
#[derive(Clone, Debug)]
pub struct Config {
    /// How long to collect offers before the first is tried.
    pub discovery: i64,
    /// How often peers are asked for snapshots. Source: tendermint `config/config.go`, `DiscoveryTime`.
    pub rediscovery: i64,
    /// When a chunk is asked of another peer. Source: `chunkRequestTimeout`.
    pub request_timeout: i64,
    /// When a snapshot is given up of which no chunk comes. Source: `chunkTimeout`.
    pub chunk_timeout: i64,
    /// Requests for chunks that are open. Source: `chunkFetchers`.
    pub fetchers: usize,
    /// Chunks that are asked for or wait; bounds memory, each has 16 MB at most.
    pub chunks_ahead: u32,
    /// When to give up if neither a snapshot nor a chunk was accepted; 0 for never.
    pub give_up_after: i64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            discovery: 5 * SECOND,
            rediscovery: 15 * SECOND,
            request_timeout: 10 * SECOND,
            chunk_timeout: 120 * SECOND,
            fetchers: 4,
            chunks_ahead: 6,
            give_up_after: 600 * SECOND,
        }
    }
}

/// What state sync is told.
#[derive(Clone, Debug)]
pub enum Input {
    /// A peer was connected.
    Connected(PeerId),
    /// A peer is gone.
    Gone(PeerId),
    /// A peer sent a message; requests are answered by [`SnapshotServer`].
    Message {
        /// Who.
        peer: PeerId,
        /// What.
        message: StateSyncMessage,
    },
    /// Time went by; see [`TICK`].
    Tick,
    /// What [`Effect::Trust`] came to.
    Trusted(Result<Box<TrustedState>, LightError>),
    /// What [`Effect::Offer`] came to.
    Offered(OfferSnapshot),
    /// What [`Effect::ApplyChunk`] came to.
    ChunkApplied(ApplyChunk),
    /// What the application holds after [`Effect::CheckApp`].
    App(AppInfo),
}

/// What state sync wants done. Of the effects that are answered there is one at a time.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Send a message.
    Send {
        /// To whom.
        peer: PeerId,
        /// What.
        message: StateSyncMessage,
    },
    /// Drop a peer, which is forgotten here already.
    PeerFault {
        /// Which.
        peer: PeerId,
        /// Why.
        reason: String,
        /// Whether it lied.
        ban: bool,
    },
    /// Ask the light client for the state after a height, [`crate::light::LightClient::state_after`], elsewhere if it takes
    /// long; answer with [`Input::Trusted`].
    Trust {
        /// The height.
        height: i64,
    },
    /// Offer a snapshot to the application; answer with [`Input::Offered`].
    Offer {
        /// The snapshot.
        snapshot: Snapshot,
        /// The root that its state must have.
        app_hash: Vec<u8>,
    },
    /// Hand a chunk to the application; answer with [`Input::ChunkApplied`].
    ApplyChunk {
        /// Its number.
        index: u32,
        /// Its bytes.
        chunk: Vec<u8>,
    },
    /// Ask the application what it holds; answer with [`Input::App`].
    CheckApp,
    /// The state was restored: keep it ([`crate::ports::Store::bootstrap`]) and begin block sync. Nothing comes after this.
    Done {
        /// The state after the snapshot's block.
        state: Box<ChainState>,
        /// The commit of that block.
        commit: Commit,
    },
    /// No snapshot could be restored. Nothing comes after this.
    GiveUp {
        /// Why.
        reason: String,
    },
    /// How far it is.
    Progress(StateSyncProgress),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Phase {
    Discovering,
    Verifying { key: Key, height: u64 },
    Offering,
    Restoring,
    Checking,
    Done,
}

/// The snapshot that is being restored.
#[derive(Clone, Debug)]
struct Current {
    key: Key,
    snapshot: Snapshot,
    trusted: Box<TrustedState>,
    chunks: Chunks,
    restarts: u32,
}

/// Finds a snapshot and restores it.
#[derive(Clone, Debug)]
pub struct StateSync {
    config: Config,
    phase: Phase,
    peers: BTreeSet<PeerId>,
    snapshots: Snapshots,
    current: Option<Current>,
    started: Timestamp,
    last_tick: Timestamp,
    last_request: Timestamp,
    last_report: Timestamp,
    last_progress: Timestamp,
    last_rejection: Timestamp,
    rejections: Vec<String>,
    last_trust_failure: Option<String>,
}

impl StateSync {
    /// Whether a node with this state needs a snapshot: one that has blocks goes on from there, whatever its configuration
    /// says.
    pub fn is_needed(state: Option<&ChainState>) -> bool {
        state.is_none_or(|s| s.last_block_height == 0)
    }

    /// Begins without peers.
    pub fn new(config: Config, now: Timestamp) -> Self {
        Self {
            config,
            phase: Phase::Discovering,
            peers: BTreeSet::new(),
            snapshots: Snapshots::default(),
            current: None,
            started: now,
            last_tick: now,
            last_request: now,
            last_report: now,
            last_progress: now,
            last_rejection: now,
            rejections: Vec::new(),
            last_trust_failure: None,
        }
    }

    /// Takes an input.
    pub fn handle(&mut self, now: Timestamp, input: Input) -> Vec<Effect> {
        let mut out = Vec::new();
        if self.phase == Phase::Done {
            return out;
        }
        match input {
            Input::Connected(peer) => {
                if self.peers.len() < MAX_PEERS && self.peers.insert(peer) {
                    out.push(request(peer));
                }
            }
            Input::Gone(peer) => self.forget(&peer, false),
            Input::Message { peer, message } => self.message(now, peer, message, &mut out),
            Input::Tick => self.tick(now, &mut out),
            Input::Trusted(outcome) => self.trusted(now, outcome, &mut out),
            Input::Offered(answer) => self.offered(now, answer, &mut out),
            Input::ChunkApplied(answer) => self.chunk_applied(now, answer, &mut out),
            Input::App(info) => self.check_app(now, &info, &mut out),
        }
        self.advance(now, &mut out);
        out
    }

    fn forget(&mut self, peer: &PeerId, liar: bool) {
        self.peers.remove(peer);
        self.snapshots.remove_peer(peer);
        if let Some(current) = &mut self.current {
            current.chunks.forget(peer, liar);
        }
    }

    fn fault(&mut self, peer: PeerId, reason: String, out: &mut Vec<Effect>) {
        self.forget(&peer, true);
        self.snapshots.reject_peer(peer);
        out.push(Effect::PeerFault { peer, reason, ban: true });
    }

    /// Source: `Reactor.Receive`.
    fn message(&mut self, now: Timestamp, peer: PeerId, message: StateSyncMessage, out: &mut Vec<Effect>) {
        if !self.peers.contains(&peer) {
            return;
        }
        match message {
            StateSyncMessage::SnapshotsResponse(m) => self.snapshots.add(peer, m),
            StateSyncMessage::ChunkResponse(m) => {
                let Some(current) = &mut self.current else { return };
                if (m.height, m.format) != (current.snapshot.height, current.snapshot.format) {
                    return;
                }
                if m.missing {
                    if current.chunks.missing(&peer, m.index) {
                        self.no_longer_has(now, &peer, out);
                    }
                } else if !current.chunks.put(peer, m.index, m.chunk, &self.config) {
                    self.fault(peer, format!("sent chunk {}, which nobody asked for", m.index), out);
                }
            }
            StateSyncMessage::SnapshotsRequest(_) | StateSyncMessage::ChunkRequest(_) => {}
        }
    }

    /// A peer does not have the snapshot, after all.
    fn no_longer_has(&mut self, now: Timestamp, peer: &PeerId, out: &mut Vec<Effect>) {
        let Some(current) = &mut self.current else { return };
        current.chunks.forget(peer, false);
        let key = current.key;
        if let Some(offer) = self.snapshots.get_mut(&key) {
            offer.peers.remove(peer);
        }
        self.check_peers(now, out);
    }

    /// Gives a snapshot up that nobody has any more.
    fn check_peers(&mut self, now: Timestamp, out: &mut Vec<Effect>) {
        let Some(current) = &self.current else { return };
        let alone = self.snapshots.get(&current.key).is_none_or(|o| o.peers.is_empty());
        if alone && matches!(self.phase, Phase::Restoring) && !current.chunks.is_done() {
            self.reject(now, "no peer has it any more", out);
        }
    }

    fn tick(&mut self, now: Timestamp, out: &mut Vec<Effect>) {
        if now.nanos_since(&self.last_tick) >= STALL
            && let Some(current) = &mut self.current
        {
            current.chunks.forgive(now);
        }
        self.last_tick = now;
        if self.phase == Phase::Discovering && now.nanos_since(&self.last_request) >= self.config.rediscovery {
            self.last_request = now;
            out.extend(self.peers.iter().copied().map(request));
        }
        if self.phase == Phase::Restoring {
            self.tick_chunks(now, out);
        }
        if now.nanos_since(&self.last_report) >= PROGRESS_INTERVAL {
            self.last_report = now;
            out.push(Effect::Progress(self.progress(now)));
        }
        let idle = now.nanos_since(&self.last_progress);
        if self.phase == Phase::Discovering && self.config.give_up_after > 0 && idle >= self.config.give_up_after {
            let why = self.progress(now).waiting_for.unwrap_or_default();
            self.give_up(format!("no snapshot could be restored within {} s; it was waiting for {why}", idle / SECOND), out);
            return;
        }
        // New offers have had time to come after the last rejection.
        let again = self.config.rediscovery.saturating_mul(2);
        if self.phase == Phase::Discovering
            && !self.rejections.is_empty()
            && self.snapshots.len() == 0
            && now.nanos_since(&self.last_rejection) >= again
        {
            self.give_up(format!("every snapshot that was offered was rejected: {}", self.rejections.join("; ")), out);
        }
    }

    fn tick_chunks(&mut self, now: Timestamp, out: &mut Vec<Effect>) {
        let Some(current) = &mut self.current else { return };
        let tired = current.chunks.expire(now, &self.config);
        let key = current.key;
        let (idle, _) = current.chunks.times(now);
        if let Some(offer) = self.snapshots.get_mut(&key) {
            for peer in tired.iter().filter(|_| offer.peers.len() > 1).collect::<Vec<_>>() {
                if offer.peers.len() > 1 {
                    offer.peers.remove(peer);
                }
            }
        }
        if idle >= self.config.chunk_timeout {
            self.reject(now, &format!("no chunk came for {} s", idle / SECOND), out);
        } else {
            self.check_peers(now, out);
        }
    }

    fn give_up(&mut self, reason: String, out: &mut Vec<Effect>) {
        self.phase = Phase::Done;
        self.current = None;
        out.push(Effect::GiveUp { reason });
    }

    /// Source: `snapshotPool.Add`, which asks for the trusted root when the snapshot is offered.
    fn trusted(&mut self, now: Timestamp, outcome: Result<Box<TrustedState>, LightError>, out: &mut Vec<Effect>) {
        let Phase::Verifying { key, height } = self.phase.clone() else { return };
        self.phase = Phase::Discovering;
        let trusted = match outcome {
            Ok(trusted) => trusted,
            Err(e @ (LightError::Divergence { .. } | LightError::Options(_) | LightError::Expired { .. })) => {
                return self.give_up(e.to_string(), out);
            }
            Err(e) => return self.not_trusted(now, key, height, &e),
        };
        let Some(offer) = self.snapshots.get(&key) else { return };
        self.last_trust_failure = None;
        self.phase = Phase::Offering;
        let snapshot = offer.snapshot.clone();
        out.push(Effect::Offer { snapshot: snapshot.clone(), app_hash: trusted.state.app_hash.clone() });
        let chunks = Chunks::new(snapshot.chunks, now);
        self.current = Some(Current { key, snapshot, trusted, chunks, restarts: 0 });
    }

    fn not_trusted(&mut self, now: Timestamp, key: Key, height: u64, e: &LightError) {
        self.last_trust_failure = Some(e.to_string());
        let may_come = matches!(e, LightError::NotAvailable { may_come: true, .. });
        let Some(offer) = self.snapshots.get_mut(&key) else { return };
        offer.tries = offer.tries.saturating_add(1);
        if may_come && offer.tries < MAX_TRIES {
            let later = i64::from(offer.tries).saturating_mul(10);
            offer.not_before = Some(Timestamp { seconds: now.seconds.saturating_add(later), nanos: now.nanos });
            return;
        }
        self.snapshots.reject(&key);
        self.note_rejection(now, height, &e.to_string());
    }

    /// Source: `syncer.offerSnapshot`, `syncer.SyncAny`.
    fn offered(&mut self, now: Timestamp, answer: OfferSnapshot, out: &mut Vec<Effect>) {
        if self.phase != Phase::Offering {
            return;
        }
        let Some(current) = &mut self.current else { return };
        let (key, format) = (current.key, current.snapshot.format);
        match answer {
            OfferSnapshot::Accept => {
                self.phase = Phase::Restoring;
                self.last_progress = now;
                current.chunks.restart(now);
            }
            OfferSnapshot::Abort => self.give_up("the application refused to restore any snapshot".into(), out),
            OfferSnapshot::Reject => self.reject(now, "the application refused it", out),
            OfferSnapshot::RejectFormat => {
                self.reject(now, &format!("the application does not know format {format}"), out);
                self.snapshots.reject_format(format);
            }
            OfferSnapshot::RejectSender => {
                let peers = self.snapshots.get(&key).map(|o| o.peers.clone()).unwrap_or_default();
                for peer in peers {
                    self.fault(peer, "offers snapshots that the application refuses".into(), out);
                }
                self.reject(now, "the application refused its senders", out);
            }
        }
    }

    fn note_rejection(&mut self, now: Timestamp, height: u64, reason: &str) {
        self.last_rejection = now;
        if self.rejections.len() >= MAX_REASONS {
            self.rejections.remove(0);
        }
        self.rejections.push(format!("snapshot {height}: {reason}"));
    }

    /// Source: `snapshotPool.Reject`.
    fn reject(&mut self, now: Timestamp, reason: &str, out: &mut Vec<Effect>) {
        let Some(current) = self.current.take() else { return };
        self.phase = Phase::Discovering;
        self.snapshots.reject(&current.key);
        self.note_rejection(now, current.snapshot.height, reason);
        // Others may have become known meanwhile.
        self.last_request = now;
        out.extend(self.peers.iter().copied().map(request));
    }

    /// Source: `syncer.applyChunks`.
    fn chunk_applied(&mut self, now: Timestamp, answer: ApplyChunk, out: &mut Vec<Effect>) {
        if self.phase != Phase::Restoring {
            return;
        }
        let Some(current) = &mut self.current else { return };
        match answer {
            ApplyChunk::Accept => {
                current.chunks.accepted(now);
                self.last_progress = now;
                if current.chunks.is_done() {
                    self.phase = Phase::Checking;
                    out.push(Effect::CheckApp);
                }
            }
            ApplyChunk::Abort(reason) => self.give_up(format!("the application stopped the restoration: {reason}"), out),
            ApplyChunk::RefetchFromOthers => {
                let (index, _) = current.chunks.count();
                if let Some(peer) = current.chunks.damaged() {
                    self.fault(peer, format!("sent a damaged chunk {index}"), out);
                }
                self.check_peers(now, out);
            }
            ApplyChunk::RetrySnapshot => {
                current.restarts = current.restarts.saturating_add(1);
                if current.restarts > MAX_RESTARTS {
                    return self.reject(now, "the application began it again and again", out);
                }
                current.chunks.restart(now);
                self.phase = Phase::Offering;
                let (snapshot, app_hash) = (current.snapshot.clone(), current.trusted.state.app_hash.clone());
                out.push(Effect::Offer { snapshot, app_hash });
            }
            ApplyChunk::RejectSnapshot(reason) => self.reject(now, &reason, out),
        }
    }

    /// Source: `syncer.verifyApp`.
    fn check_app(&mut self, now: Timestamp, info: &AppInfo, out: &mut Vec<Effect>) {
        if self.phase != Phase::Checking {
            return;
        }
        let Some(current) = &self.current else { return };
        let state = &current.trusted.state;
        if info.app_hash != state.app_hash || info.last_height != state.last_block_height {
            let (found, expected) = (hex::encode(&info.app_hash), hex::encode(&state.app_hash));
            let reason = format!("the restored state has height {} and root {found}, not {expected}", info.last_height);
            return self.reject(now, &reason, out);
        }
        let TrustedState { mut state, commit } = TrustedState::clone(&current.trusted);
        state.app_version = info.app_version;
        self.phase = Phase::Done;
        self.current = None;
        out.push(Effect::Done { state: Box::new(state), commit });
    }

    /// Does what has become possible.
    fn advance(&mut self, now: Timestamp, out: &mut Vec<Effect>) {
        match self.phase {
            Phase::Discovering => {
                if now.nanos_since(&self.started) < self.config.discovery {
                    return;
                }
                let best = self.snapshots.best(now).and_then(|key| self.snapshots.get(&key).map(|o| (key, o.snapshot.height)));
                if let Some((key, height)) = best {
                    self.phase = Phase::Verifying { key, height };
                    out.push(Effect::Trust { height: i64::try_from(height).unwrap_or(i64::MAX) });
                }
            }
            Phase::Restoring => {
                let Some(current) = &mut self.current else { return };
                if let Some((index, chunk)) = current.chunks.take() {
                    out.push(Effect::ApplyChunk { index, chunk });
                }
                let Some(offer) = self.snapshots.get(&current.key) else { return };
                let Snapshot { height, format, .. } = current.snapshot;
                while let Some((peer, index)) = current.chunks.ask(now, &offer.peers, &self.config) {
                    let message = StateSyncMessage::ChunkRequest(ChunkRequest { height, format, index });
                    out.push(Effect::Send { peer, message });
                }
            }
            _ => {}
        }
    }
}

fn request(peer: PeerId) -> Effect {
    Effect::Send { peer, message: StateSyncMessage::SnapshotsRequest(SnapshotsRequest {}) }
}
