//! Blocks, peers and transactions.
//!
//! Source: tendermint `consensus/metrics.go`, `mempool/metrics.go`, `p2p/metrics.go`, `state/metrics.go`; go/consensus/metrics/metrics.go,
//! go/roothash/metrics.go.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use oasis_consensus_app::roothash;
use oasis_consensus_engine::{
    ChainState, ValidatorSet,
    mempool::{Mempool, MempoolCounts},
    messages::ChannelId,
    node::{Applied, Mode},
    proto::{EvidenceSum, Timestamp},
};
use oasis_consensus_net::PeerId;
use oasis_primitives::namespace::Namespace;

use super::{Family, Histogram, Page, Sample};
use crate::api::query::BlockEvents;

/// Label of the consensus layer. Source: go/consensus/tendermint/full/full.go, `labelTendermint`.
const BACKEND: [(&str, &str); 1] = [("backend", "tendermint")];
/// Runtimes whose blocks are told apart; those of more count together with the others' number only.
const MAX_RUNTIMES: usize = 256;
/// Start of a part of a block in the encoding of the consensus messages. Source: tendermint `proto/tendermint/consensus/types.proto`.
const BLOCK_PART_TAG: u8 = 5 << 3 | 2;

/// What is counted of one validator: this node.
#[derive(Clone, Copy, Debug)]
struct Own {
    power: i64,
    last_signed: Option<i64>,
    missed: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Traffic {
    received: u64,
    sent: u64,
}

#[derive(Debug)]
struct Counts {
    mode: Option<Mode>,
    height: i64,
    round: i32,
    latest: i64,
    validators: (usize, i64),
    missing: (usize, i64),
    byzantine: (usize, i64),
    own: Option<Own>,
    /// The last block's time, and who signs for it.
    last: Option<(i64, Timestamp, Arc<ValidatorSet>)>,
    intervals: Histogram,
    txs: usize,
    total_txs: u64,
    parts: BTreeMap<PeerId, u64>,
    traffic: BTreeMap<(PeerId, u8), Traffic>,
    proposed: u64,
    signed: u64,
    processing: Histogram,
    mempool: usize,
    mempool_counts: MempoolCounts,
    rounds: u64,
    runtimes: BTreeMap<Namespace, (Instant, u64, Duration)>,
}

/// What is counted of the chain.
#[derive(Debug)]
pub struct Chain {
    id: String,
    /// The validator that this node may be.
    address: Vec<u8>,
    counts: Mutex<Counts>,
}

impl Chain {
    pub(super) fn new(chain_id: &str, address: Vec<u8>) -> Self {
        /// Source: prometheus/client_golang, `DefBuckets`.
        const SECONDS: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
        let counts = Counts {
            mode: None,
            height: 0,
            round: 0,
            latest: 0,
            validators: (0, 0),
            missing: (0, 0),
            byzantine: (0, 0),
            own: None,
            last: None,
            intervals: Histogram::new(SECONDS),
            txs: 0,
            total_txs: 0,
            parts: BTreeMap::new(),
            traffic: BTreeMap::new(),
            proposed: 0,
            signed: 0,
            processing: Histogram::new(Histogram::linear(1.0, 10.0, 10)),
            mempool: 0,
            mempool_counts: MempoolCounts::default(),
            rounds: 0,
            runtimes: BTreeMap::new(),
        };
        Self { id: chain_id.to_owned(), address, counts: Mutex::new(counts) }
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The node does something else now.
    pub fn mode(&self, mode: Mode) {
        self.lock().mode = Some(mode);
    }

    /// A step of a round began.
    pub fn step(&self, height: i64, round: i32) {
        let mut counts = self.lock();
        counts.height = height;
        counts.round = round;
    }

    /// A peer sent a message.
    pub fn received(&self, peer: PeerId, channel: u8, bytes: &[u8]) {
        let mut counts = self.lock();
        counts.traffic.entry((peer, channel)).or_default().received += bytes.len() as u64;
        if channel == ChannelId::DATA.0 && bytes.first() == Some(&BLOCK_PART_TAG) {
            *counts.parts.entry(peer).or_default() += 1;
        }
    }

    /// A message to a peer was queued.
    pub fn sent(&self, peer: PeerId, channel: u8, bytes: usize) {
        self.lock().traffic.entry((peer, channel)).or_default().sent += bytes as u64;
    }

    /// A peer is gone, and is no longer told of.
    pub fn gone(&self, peer: &PeerId) {
        let mut counts = self.lock();
        counts.parts.remove(peer);
        counts.traffic.retain(|(of, _), _| of != peer);
    }

    /// How the mempool is.
    pub fn mempool(&self, mempool: &Mempool) {
        let mut counts = self.lock();
        counts.mempool = mempool.len();
        counts.mempool_counts.clone_from(mempool.counts());
    }

    /// A block was executed, in this time.
    pub fn executed(&self, took: Duration) {
        self.lock().processing.observe(took.as_secs_f64() * 1000.0);
    }

    /// What the chain was when the node started.
    pub fn start(&self, state: &ChainState, mode: Mode) {
        let mut counts = self.lock();
        counts.mode = Some(mode);
        counts.follow(state);
    }

    /// A block was applied; `state` is the one after it, or after a later one.
    pub fn applied(&self, applied: &Applied, state: &ChainState) {
        let mut counts = self.lock();
        let (header, commit) = (applied.block.header(), applied.block.last_commit());
        // Source: go/consensus/tendermint/full/full.go, `fullService.metrics`.
        if header.proposer_address == self.address {
            counts.proposed += 1;
        }
        let own = commit.signatures.iter().find(|vote| vote.validator_address == self.address);
        if own.is_some_and(|vote| vote.is_for_block()) {
            counts.signed += 1;
        }
        for id in finalized_runtimes(applied) {
            counts.round_of(id);
        }
        counts.latest = header.height;
        counts.height = header.height.saturating_add(1);
        // Those of a chain that is only followed are not told, as in the original.
        if counts.mode == Some(Mode::Consensus) {
            self.record(&mut counts, applied, state);
        }
        counts.follow(state);
    }

    /// Source: tendermint `consensus/state.go`, `State.recordMetrics`.
    fn record(&self, counts: &mut Counts, applied: &Applied, state: &ChainState) {
        let (header, commit) = (applied.block.header(), applied.block.last_commit());
        counts.missing = (0, 0);
        counts.byzantine = (0, 0);
        if state.last_block_height == header.height {
            let validators = &state.last_validators;
            counts.validators = (validators.validators().len(), validators.total_voting_power());
            for item in &applied.block.evidence().evidence {
                if let Some(EvidenceSum::DuplicateVote(votes)) = &item.sum
                    && let Some(vote) = &votes.vote_a
                    && let Some((_, validator)) = validators.get(&vote.validator_address)
                {
                    counts.byzantine.0 += 1;
                    counts.byzantine.1 = counts.byzantine.1.saturating_add(validator.voting_power);
                }
            }
        }
        if let Some((height, time, signers)) = counts.last.clone()
            && height.checked_add(1) == Some(header.height)
            && height > 0
        {
            counts.intervals.observe(seconds_between(&time, &header.time));
            for (validator, vote) in signers.validators().iter().zip(&commit.signatures) {
                if vote.is_absent() {
                    counts.missing.0 += 1;
                    counts.missing.1 = counts.missing.1.saturating_add(validator.voting_power);
                }
                if validator.address == self.address {
                    let own = counts.own.get_or_insert(Own { power: 0, last_signed: None, missed: 0 });
                    own.power = validator.voting_power;
                    if vote.is_for_block() {
                        own.last_signed = Some(header.height);
                    } else {
                        own.missed += 1;
                    }
                }
            }
        }
        counts.txs = applied.block.txs().len();
        counts.total_txs += counts.txs as u64;
    }

    /// Tells what was counted.
    pub(super) fn add(&self, page: &mut Page) {
        let counts = self.lock();
        let chain = [("chain_id", self.id.as_str())];
        page.counter("oasis_consensus_proposed_blocks", "Number of blocks proposed by the node.", &BACKEND, counts.proposed);
        page.counter("oasis_consensus_signed_blocks", "Number of blocks signed by the node.", &BACKEND, counts.signed);
        page.counter("oasis_finalized_rounds", "Number of finalized rounds.", &[], counts.rounds);
        for (id, (_, count, sum)) in counts.runtimes.iter().filter(|(_, (_, count, _))| *count > 0) {
            let (runtime, help) = (id.to_string(), "Time between roothash blocks (seconds).");
            let sample = Sample::Sum(*count, sum.as_secs_f64());
            page.add(Family::Summary, "oasis_roothash_block_interval", help, &[("runtime", &runtime)], sample);
        }
        let gauges: [(&'static str, &'static str, Sample); 14] = [
            ("tendermint_consensus_height", "Height of the chain.", counts.height.into()),
            ("tendermint_consensus_latest_block_height", "The latest block height.", counts.latest.into()),
            ("tendermint_consensus_rounds", "Number of rounds.", counts.round.into()),
            ("tendermint_consensus_validators", "Number of validators.", counts.validators.0.into()),
            ("tendermint_consensus_validators_power", "Total power of all validators.", counts.validators.1.into()),
            ("tendermint_consensus_missing_validators", "Number of validators who did not sign.", counts.missing.0.into()),
            ("tendermint_consensus_missing_validators_power", "Total power of the missing validators.", counts.missing.1.into()),
            ("tendermint_consensus_byzantine_validators", "Number of validators who tried to double sign.", counts.byzantine.0.into()),
            ("tendermint_consensus_byzantine_validators_power", "Total power of the byzantine validators.", counts.byzantine.1.into()),
            ("tendermint_consensus_num_txs", "Number of transactions.", counts.txs.into()),
            // A gauge in the original, though it only grows.
            ("tendermint_consensus_total_txs", "Total number of transactions.", counts.total_txs.into()),
            (
                "tendermint_consensus_fast_syncing",
                "Whether or not a node is fast syncing. 1 if yes, 0 if no.",
                (counts.mode == Some(Mode::BlockSync)).into(),
            ),
            (
                "tendermint_consensus_state_syncing",
                "Whether or not a node is state syncing. 1 if yes, 0 if no.",
                (counts.mode == Some(Mode::StateSync)).into(),
            ),
            ("tendermint_mempool_size", "Size of the mempool (number of uncommitted transactions).", counts.mempool.into()),
        ];
        for (name, help, value) in gauges {
            page.gauge(name, help, &chain, value);
        }
        if let Some(own) = counts.own {
            let address = hex::encode_upper(&self.address);
            let labels = [("chain_id", self.id.as_str()), ("validator_address", address.as_str())];
            page.gauge("tendermint_consensus_validator_power", "Power of a validator", &labels, own.power);
            if let Some(height) = own.last_signed {
                page.gauge("tendermint_consensus_validator_last_signed_height", "Last signed height for a validator", &labels, height);
            }
            if own.missed > 0 {
                page.gauge("tendermint_consensus_validator_missed_blocks", "Total missed blocks for a validator", &labels, own.missed);
            }
        }
        let histograms = [
            ("tendermint_consensus_block_interval_seconds", "Time between this and the last block.", counts.intervals.clone()),
            ("tendermint_state_block_processing_time", "Time between BeginBlock and EndBlock in ms.", counts.processing.clone()),
            ("tendermint_mempool_tx_size_bytes", "Transaction sizes in bytes.", sizes(&counts.mempool_counts)),
        ];
        for (name, help, value) in histograms {
            page.add(Family::Histogram, name, help, &chain, value);
        }
        page.counter("tendermint_mempool_failed_txs", "Number of failed transactions.", &chain, counts.mempool_counts.failed);
        let help = "Number of times transactions are rechecked in the mempool.";
        page.counter("tendermint_mempool_recheck_times", help, &chain, counts.mempool_counts.rechecked);
        for (peer, parts) in &counts.parts {
            let peer = peer.to_string();
            let labels = [("chain_id", self.id.as_str()), ("peer_id", peer.as_str())];
            page.counter("tendermint_consensus_block_parts", "Number of blockparts transmitted by peer.", &labels, *parts);
        }
        for ((peer, channel), traffic) in &counts.traffic {
            let (peer, channel) = (peer.to_string(), format!("{channel:#x}"));
            let labels = [("chID", channel.as_str()), ("chain_id", self.id.as_str()), ("peer_id", peer.as_str())];
            let (received, sent) = (traffic.received, traffic.sent);
            page.counter("tendermint_p2p_peer_receive_bytes_total", "Number of bytes received from a given peer.", &labels, received);
            page.counter("tendermint_p2p_peer_send_bytes_total", "Number of bytes sent to a given peer.", &labels, sent);
        }
    }

    /// Tells how much waits to be sent to peers, by name.
    pub fn add_peers(&self, page: &mut Page, waiting: &[(PeerId, usize)]) {
        page.gauge("tendermint_p2p_peers", "Number of peers.", &[("chain_id", self.id.as_str())], waiting.len());
        for (peer, bytes) in waiting {
            let peer = peer.to_string();
            let labels = [("chain_id", self.id.as_str()), ("peer_id", peer.as_str())];
            let help = "Number of pending bytes to be sent to a given peer.";
            page.gauge("tendermint_p2p_peer_pending_send_bytes", help, &labels, *bytes);
        }
    }

    /// Tells the size of the last block, bytes.
    pub fn add_block_size(&self, page: &mut Page, bytes: i64) {
        page.gauge("tendermint_consensus_block_size_bytes", "Size of the block.", &[("chain_id", self.id.as_str())], bytes);
    }

    /// The last block's height.
    pub fn latest(&self) -> i64 {
        self.lock().latest
    }
}

impl Counts {
    fn follow(&mut self, state: &ChainState) {
        self.last = Some((state.last_block_height, state.last_block_time, Arc::clone(&state.last_validators)));
        if self.latest == 0 {
            self.latest = state.last_block_height;
            self.height = state.last_block_height.saturating_add(1);
        }
    }

    /// A runtime's round ended. Source: go/roothash/metrics.go, `metricsWrapper.worker`.
    fn round_of(&mut self, id: Namespace) {
        self.rounds += 1;
        let now = Instant::now();
        match self.runtimes.get_mut(&id) {
            Some((last, count, sum)) => {
                *sum = sum.saturating_add(now.duration_since(*last));
                *count += 1;
                *last = now;
            }
            None => {
                if self.runtimes.len() < MAX_RUNTIMES {
                    self.runtimes.insert(id, (now, 0, Duration::ZERO));
                }
            }
        }
    }
}

/// The runtimes of which a round ended in a block.
fn finalized_runtimes(applied: &Applied) -> Vec<Namespace> {
    let events = BlockEvents { height: applied.block.header().height, txs: applied.block.txs(), responses: &applied.responses };
    let events = events.of(roothash::events::to_api).unwrap_or_default();
    events.into_iter().filter(|event| event.finalized.is_some()).map(|event| event.runtime_id).collect()
}

/// Source: tendermint `mempool/metrics.go`, `PrometheusMetrics`.
fn sizes(counts: &MempoolCounts) -> Histogram {
    let bounds = Histogram::exponential(1.0, 3.0, u32::try_from(counts.sizes.len()).unwrap_or_default().saturating_sub(1));
    #[allow(clippy::cast_precision_loss, reason = "the format has no other numbers")]
    Histogram::counted(bounds, counts.sizes.to_vec(), counts.bytes as f64)
}

fn seconds_between(earlier: &Timestamp, later: &Timestamp) -> f64 {
    #[allow(clippy::cast_precision_loss, reason = "blocks are not millions of years apart")]
    let seconds = later.seconds.saturating_sub(earlier.seconds) as f64;
    seconds + f64::from(later.nanos.saturating_sub(earlier.nanos)) / 1e9
}
