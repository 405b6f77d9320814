//! Block sync: blocks of the past, fetched from several nodes at a time, verified ahead of their execution, given out in order.
//!
//! A block is proven by the commit that the next block carries. Commits of many blocks are verified in one batch ahead of
//! execution, as long as the headers that are proven already name the same validators; the batch may be verified on another
//! thread. The set of validators itself, and everything else in a block, is checked when the block is applied.
//!
//! Source: tendermint `blockchain/v0/pool.go`, `blockchain/v0/reactor.go`.

mod peers;
mod pool;
mod progress;
mod serve;
mod verify;

use std::collections::BTreeMap;

use crate::{
    block::{CheckedBlock, part_set_header},
    messages::{BlockRequest, BlockSyncMessage, StatusRequest},
    peer::PeerId,
    proto::{Commit, Timestamp},
    state::ChainState,
};

use peers::{Peer, SECOND};
use pool::{Held, Pool};
pub use progress::Progress;
use progress::RateMeter;
pub(crate) use progress::Seconds;
pub use serve::BlockServer;
use verify::Pipeline;
pub use verify::{Batch, Verdict};

/// How often [`Input::Tick`] should come, in nanoseconds.
pub const TICK: i64 = SECOND / 10;
/// How often peers are asked for their heights. Source: `statusUpdateIntervalSeconds`.
const STATUS_INTERVAL: i64 = 10 * SECOND;
/// How often it is looked whether consensus can begin. Source: `switchToConsensusIntervalSeconds`.
const SWITCH_INTERVAL: i64 = SECOND;
/// How long to wait for heights of peers that did not tell theirs. Source: `BlockPool.IsCaughtUp`.
const SWITCH_WAIT: i64 = 5 * SECOND;
/// How often the progress is told.
const PROGRESS_INTERVAL: i64 = SECOND;
/// A block that everything waits for is asked of a second peer after this time.
const HEDGE_AFTER: i64 = 2 * SECOND;
/// Blocks from the first missing one on that everything is said to wait for.
const HEDGED: usize = 20;
/// A tick that comes this late means that this node stood still, not its peers.
const STALL: i64 = 2 * SECOND;
/// Most peers that are kept.
const MAX_PEERS: usize = 1000;

/// Limits of block sync.
#[derive(Clone, Debug)]
pub struct Config {
    /// Requests open at one peer at first. Source: `maxPendingRequestsPerPeer`.
    pub requests_per_peer: usize,
    /// Requests open at one peer that delivers.
    pub max_requests_per_peer: usize,
    /// Blocks that are open or wait. Source: `maxTotalRequesters`.
    pub max_blocks: usize,
    /// Bytes of blocks that may wait, as encoded.
    pub max_bytes: usize,
    /// Nanoseconds that a peer which owes blocks may be silent. Source: `peerTimeout`.
    pub peer_timeout: i64,
    /// Signatures that are verified together.
    pub batch_signatures: usize,
    /// Batches that may be with the verifier.
    pub batches_in_flight: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            requests_per_peer: 20,
            max_requests_per_peer: 160,
            max_blocks: 600,
            max_bytes: 32 << 20,
            peer_timeout: 15 * SECOND,
            batch_signatures: 512,
            batches_in_flight: 2,
        }
    }
}

/// What block sync is told.
#[derive(Clone, Debug)]
pub enum Input {
    /// A peer was connected.
    Connected(PeerId),
    /// A peer is gone.
    Gone(PeerId),
    /// A peer sent a message; requests are answered by [`BlockServer`].
    Message {
        /// Who.
        peer: PeerId,
        /// What.
        message: BlockSyncMessage,
    },
    /// Time went by; see [`TICK`].
    Tick,
    /// A batch of signatures was verified.
    Verified(Verdict),
    /// The block given out by [`Effect::Apply`] was applied.
    Applied(Box<ChainState>),
}

/// A block whose name more than two thirds of its validators signed.
#[derive(Clone, Debug)]
pub struct ProvenBlock {
    /// The block.
    pub block: CheckedBlock,
    /// Its encoding.
    pub encoded: Vec<u8>,
    /// The commit that proves it, every signature of it verified.
    pub commit: Commit,
    /// Whether the signatures of the commit in this block were verified too, so that they need not be verified again.
    pub last_commit_verified: bool,
}

/// What block sync wants done.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Send a message.
    Send {
        /// To whom.
        peer: PeerId,
        /// What.
        message: BlockSyncMessage,
    },
    /// Drop a peer, which is forgotten here already.
    PeerFault {
        /// Which.
        peer: PeerId,
        /// Why.
        reason: String,
        /// Whether it lied, rather than being slow.
        ban: bool,
    },
    /// Verify signatures, here or elsewhere, and answer with [`Input::Verified`].
    Verify(Batch),
    /// Apply a block and answer with [`Input::Applied`]. There is at most one at a time.
    Apply(Box<ProvenBlock>),
    /// No peer has more: begin consensus. Nothing comes after this.
    CaughtUp {
        /// Last block that was applied.
        height: i64,
        /// Blocks applied by block sync.
        synced: u64,
    },
    /// How far it is.
    Progress(Progress),
}

/// Fetches, orders and verifies blocks.
#[derive(Debug)]
pub struct BlockSync {
    config: Config,
    state: ChainState,
    started: Timestamp,
    last_tick: Timestamp,
    last_status: Timestamp,
    last_switch: Timestamp,
    last_progress: Timestamp,
    peers: BTreeMap<PeerId, Peer>,
    pool: Pool,
    pipeline: Pipeline,
    rate: RateMeter,
    applying: bool,
    synced: u64,
    done: bool,
    /// Answers to an earlier run's requests may still come.
    again: bool,
}

impl BlockSync {
    /// Begins after `state`, with the peers that are connected.
    pub fn new(config: Config, state: ChainState, now: Timestamp) -> Self {
        let next = state.next_height();
        Self {
            pool: Pool::new(next, &config),
            pipeline: Pipeline::new(next),
            rate: RateMeter::new(now),
            config,
            state,
            started: now,
            last_tick: now,
            last_status: now,
            last_switch: now,
            last_progress: now,
            peers: BTreeMap::new(),
            applying: false,
            synced: 0,
            done: false,
            again: false,
        }
    }

    /// Begins once more in the same process: what an earlier run asked for, and had verified, is not taken for this one's.
    ///
    /// `run` must be another one each time, and not 0.
    pub fn again(config: Config, state: ChainState, now: Timestamp, run: u64) -> Self {
        let mut sync = Self::new(config, state, now);
        sync.pipeline.number_from(run);
        sync.again = true;
        sync
    }

    /// Blocks that are proven and wait, beside the one that was given out.
    pub fn proven(&self) -> usize {
        self.pipeline.proven()
    }

    /// The state after the last applied block.
    pub fn state(&self) -> &ChainState {
        &self.state
    }

    /// Bytes of the blocks that wait, as encoded.
    pub fn bytes_waiting(&self) -> usize {
        self.pool.bytes()
    }

    /// The highest block that a peer says it has, 0 if none says so. Source: `BlockPool.MaxPeerHeight`.
    pub fn target(&self) -> i64 {
        self.peers.values().filter_map(Peer::height).max().unwrap_or(0)
    }

    /// Takes an input.
    pub fn handle(&mut self, now: Timestamp, input: Input) -> Vec<Effect> {
        let mut out = Vec::new();
        if self.done {
            return out;
        }
        match input {
            Input::Connected(peer) => self.connected(now, peer, &mut out),
            Input::Gone(peer) => self.forget(&peer),
            Input::Message { peer, message } => self.message(now, peer, message, &mut out),
            Input::Tick => self.tick(now, &mut out),
            Input::Verified(verdict) => self.verified(verdict, &mut out),
            Input::Applied(state) => self.applied(now, *state),
        }
        if !self.done {
            self.advance(now, &mut out);
        }
        out
    }

    fn connected(&mut self, now: Timestamp, peer: PeerId, out: &mut Vec<Effect>) {
        if self.peers.len() >= MAX_PEERS || self.peers.contains_key(&peer) {
            return;
        }
        self.peers.insert(peer, Peer::new(now, &self.config));
        out.push(Effect::Send { peer, message: BlockSyncMessage::StatusRequest(StatusRequest {}) });
    }

    /// Takes back what was asked of a peer. Source: `BlockPool.removePeer`.
    fn forget(&mut self, id: &PeerId) {
        if let Some(peer) = self.peers.remove(id) {
            for height in peer.pending.keys() {
                self.pool.unask(*height, id);
            }
        }
    }

    fn fault(&mut self, peer: PeerId, reason: String, ban: bool, out: &mut Vec<Effect>) {
        self.forget(&peer);
        if ban && self.pool.drop_unproven_of(&peer, self.pipeline.proven_to()) {
            self.pipeline.restart();
        }
        out.push(Effect::PeerFault { peer, reason, ban });
    }

    /// Source: `BlockchainReactor.Receive`.
    fn message(&mut self, now: Timestamp, id: PeerId, message: BlockSyncMessage, out: &mut Vec<Effect>) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        match message {
            BlockSyncMessage::StatusResponse(m) => peer.set_range(m.base, m.height),
            BlockSyncMessage::NoBlockResponse(m) => {
                let outcome = peer.lacks(now, m.height);
                self.pool.unask(m.height, &id);
                if let Err(reason) = outcome {
                    self.fault(id, reason, false, out);
                }
            }
            BlockSyncMessage::BlockResponse(m) => self.block(now, id, m.block.unwrap_or_default(), out),
            BlockSyncMessage::BlockRequest(_) | BlockSyncMessage::StatusRequest(_) => {}
        }
    }

    /// Source: `BlockPool.AddBlock`.
    fn block(&mut self, now: Timestamp, id: PeerId, encoded: Vec<u8>, out: &mut Vec<Effect>) {
        // As leniently as in consensus: what the others decided must not stop a node that syncs.
        let block = match CheckedBlock::decode_live(&encoded, &part_set_header(&encoded)) {
            Ok(block) => block,
            Err(e) => return self.fault(id, format!("sent an invalid block: {e}"), true, out),
        };
        let header = block.header();
        let height = header.height;
        if header.chain_id != self.state.chain_id {
            return self.fault(id, format!("sent a block of another chain, {:?}", header.chain_id), true, out);
        }
        let asked = self.peers.get_mut(&id).is_some_and(|p| p.deliver(now, height, encoded.len(), &self.config));
        if !asked {
            if self.again {
                return;
            }
            return self.fault(id, format!("sent block {height}, which nobody asked for"), true, out);
        }
        self.pool.put(Held { block, encoded, from: id }, self.pipeline.next_to_check());
    }

    fn tick(&mut self, now: Timestamp, out: &mut Vec<Effect>) {
        if now.nanos_since(&self.last_tick) >= STALL {
            self.peers.values_mut().for_each(|p| p.forgive(now));
        }
        self.last_tick = now;
        let slow: Vec<_> = self.peers.iter_mut().filter_map(|(id, p)| p.is_slow(now, &self.config).map(|why| (*id, why))).collect();
        for (id, reason) in slow {
            self.fault(id, reason, false, out);
        }
        if now.nanos_since(&self.last_status) >= STATUS_INTERVAL {
            self.last_status = now;
            let ask = |peer: &PeerId| Effect::Send { peer: *peer, message: BlockSyncMessage::StatusRequest(StatusRequest {}) };
            out.extend(self.peers.keys().map(ask));
        }
        if now.nanos_since(&self.last_progress) >= PROGRESS_INTERVAL {
            self.last_progress = now;
            out.push(Effect::Progress(self.progress(now)));
        }
        if now.nanos_since(&self.last_switch) >= SWITCH_INTERVAL {
            self.last_switch = now;
            if self.is_caught_up(now) {
                self.done = true;
                self.pool = Pool::new(self.state.next_height(), &self.config);
                out.push(Effect::CaughtUp { height: self.state.last_block_height, synced: self.synced });
                return;
            }
        }
        self.hedge(now, out);
    }

    /// Whether no peer has a block that could be proven and is not applied.
    ///
    /// Source: `BlockPool.IsCaughtUp`. The original's wait is cut short by a condition that always holds; here it ends early
    /// once every peer told its height.
    fn is_caught_up(&self, now: Timestamp) -> bool {
        let told = self.peers.values().filter(|p| p.range.is_some()).count();
        let waited = told == self.peers.len() || now.nanos_since(&self.started) >= SWITCH_WAIT;
        told > 0 && waited && !self.applying && self.state.next_height() >= self.target().saturating_sub(1)
    }

    /// Asks a second peer for the blocks that everything waits for.
    fn hedge(&mut self, now: Timestamp, out: &mut Vec<Effect>) {
        let Some(first) = self.pool.first_missing() else { return };
        for height in (first..).take(HEDGED) {
            let Some([only]) = self.pool.asked(height) else { continue };
            let since = self.peers.get(only).and_then(|p| p.pending.get(&height));
            if since.is_some_and(|at| now.nanos_since(at) >= HEDGE_AFTER)
                && let Some(peer) = self.best_peer(height)
            {
                self.ask(now, peer, height, out);
            }
        }
    }

    /// The peer with the fewest open requests among those that have a block.
    fn best_peer(&self, height: i64) -> Option<PeerId> {
        let able = self.peers.iter().filter(|(_, p)| p.can_give(height));
        able.min_by_key(|(_, p)| p.pending.len()).map(|(id, _)| *id)
    }

    fn ask(&mut self, now: Timestamp, id: PeerId, height: i64, out: &mut Vec<Effect>) {
        if let Some(peer) = self.peers.get_mut(&id) {
            peer.ask(now, height);
            self.pool.ask(height, id);
            out.push(Effect::Send { peer: id, message: BlockSyncMessage::BlockRequest(BlockRequest { height }) });
        }
    }

    fn applied(&mut self, now: Timestamp, state: ChainState) {
        self.applying = false;
        self.synced = self.synced.saturating_add(1);
        self.state = state;
        let next = self.state.next_height();
        self.pool.advance_to(next);
        self.pipeline.advance_to(next);
        self.rate.applied(now);
    }

    /// Does what has become possible: verifies, applies, asks for more.
    fn advance(&mut self, now: Timestamp, out: &mut Vec<Effect>) {
        loop {
            match self.pipeline.prepare(&self.config, &self.state, &self.pool) {
                Ok(Some(batch)) => out.push(Effect::Verify(batch)),
                Ok(None) => break,
                Err(lie) => self.lied(lie, out),
            }
        }
        if !self.applying
            && let Some(proven) = self.pipeline.take(self.state.next_height(), &mut self.pool)
        {
            self.applying = true;
            out.push(Effect::Apply(Box::new(proven)));
        }
        let target = self.target();
        while let Some(height) = self.pool.next_wanted(target) {
            let Some(peer) = self.best_peer(height) else {
                if !self.pool.skip_wanted(height) {
                    break;
                }
                continue;
            };
            self.ask(now, peer, height, out);
        }
        self.pool.end_skips();
    }

    fn verified(&mut self, verdict: Verdict, out: &mut Vec<Effect>) {
        if let Some(lie) = self.pipeline.verdict(verdict, &self.pool) {
            self.lied(lie, out);
        }
    }

    /// A block was proven to be a lie: whoever gave it is dropped, with all that it gave and that is not proven.
    ///
    /// Source: `BlockPool.RedoRequest`, which drops the givers of two blocks, because it does not find out whose was the lie.
    fn lied(&mut self, lie: verify::Lie, out: &mut Vec<Effect>) {
        self.pipeline.restart();
        if let Some(peer) = self.pool.drop_block(lie.height) {
            self.fault(peer, format!("sent a false block {}: {}", lie.height, lie.reason), true, out);
        }
    }
}
