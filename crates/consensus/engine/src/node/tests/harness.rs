//! A network of nodes in one process, on virtual time.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
};

use oasis_primitives::signature::{ChainContext, MemorySigner, Signer as _, TENDERMINT_CONTEXT};
use prost::Message;

use super::super::*;
use crate::{
    CheckedBlock, InitChainResponse, VoteInfo,
    evidence::ByzantineValidator,
    light::TrustedState,
    messages::ChannelId,
    parts::PartSet,
    ports::{AppCommit, AppInfo, Application, ApplyChunk, CheckTx, OfferSnapshot, SignError, Signer, Snapshot, Store, Wal},
    proto::{
        AbciResponses, Block, BlockMeta, BlockParams, Commit, ConsensusParams, Duration, EvidenceParams, Part, Proposal,
        ResponseBeginBlock, ResponseDeliverTx, ResponseEndBlock, Validator, ValidatorParams, VersionParams, Vote,
    },
    rounds::RoundsConfig,
    validator_set::ValidatorSet,
};

pub(crate) const MS: i64 = 1_000_000;

/// What survives the end of a process.
#[derive(Default)]
pub(crate) struct Disk {
    state: Option<ChainState>,
    /// The state after each block.
    states: BTreeMap<i64, ChainState>,
    responses: BTreeMap<i64, AbciResponses>,
    /// How many writes succeed before the power fails; none for ever.
    pub(crate) fuse: Option<u32>,
    /// The commit of a restored state.
    restored: Option<Commit>,
    blocks: BTreeMap<i64, (Vec<u8>, BlockMeta, Commit)>,
    pub(crate) validators: BTreeMap<i64, ValidatorSet>,
    pub(crate) evidence: BTreeMap<[u8; 32], Evidence>,
    pub(crate) committed: BTreeSet<[u8; 32]>,
    log: Vec<Vec<u8>>,
    pub(crate) app: AppInfo,
    /// The height that the state machine ends before.
    pub(crate) end: Option<i64>,
    pub(crate) ended: bool,
    signed: BTreeMap<(i64, i32, i32), Vec<u8>>,
}

#[derive(Clone, Default)]
pub(crate) struct Shared(pub(crate) Arc<Mutex<Disk>>);

impl Shared {
    pub(crate) fn with<T>(&self, f: impl FnOnce(&mut Disk) -> T) -> T {
        f(&mut self.0.lock().unwrap())
    }
}

impl Shared {
    /// Fails if the power does.
    fn power(&self) -> Result<(), Fatal> {
        self.with(|d| match &mut d.fuse {
            Some(0) => Err(Fatal::new("power failure")),
            Some(n) => {
                *n -= 1;
                Ok(())
            }
            None => Ok(()),
        })
    }
}

impl Store for Shared {
    fn chain_state(&self) -> Result<Option<ChainState>, Fatal> {
        Ok(self.with(|d| d.state.clone()))
    }
    fn save_genesis(&mut self, state: &ChainState) -> Result<(), Fatal> {
        self.power()?;
        self.with(|d| {
            d.validators.insert(state.next_height(), state.validators.as_ref().clone());
            d.state = Some(state.clone());
        });
        Ok(())
    }
    fn range(&self) -> (i64, i64) {
        self.with(|d| (d.blocks.keys().next().copied().unwrap_or(0), d.blocks.keys().last().copied().unwrap_or(0)))
    }
    fn save_block(&mut self, block: &CheckedBlock, parts: &PartSet, seen_commit: &Commit) -> Result<(), Fatal> {
        self.power()?;
        let header = block.header();
        let encoded = parts.bytes().unwrap();
        let meta = BlockMeta { block_id: block.id().clone(), block_size: encoded.len() as i64, header: header.clone(), num_txs: 0 };
        self.with(|d| d.blocks.insert(header.height, (encoded, meta, seen_commit.clone())));
        Ok(())
    }
    fn save_responses(&mut self, height: i64, responses: &AbciResponses) -> Result<(), Fatal> {
        self.power()?;
        self.with(|d| d.responses.insert(height, responses.clone()));
        Ok(())
    }
    fn save_applied(&mut self, state: &ChainState, committed: &[Evidence]) -> Result<(), Fatal> {
        self.power()?;
        self.with(|d| {
            d.validators.insert(state.next_height(), state.validators.as_ref().clone());
            d.state = Some(state.clone());
            d.states.insert(state.last_block_height, state.clone());
            for e in committed {
                d.evidence.remove(&e.hash());
                d.committed.insert(e.hash());
            }
        });
        Ok(())
    }
    fn bootstrap(&mut self, state: &ChainState, seen_commit: &Commit) -> Result<(), Fatal> {
        self.with(|d| {
            d.restored = Some(seen_commit.clone());
            d.validators.insert(state.next_height(), state.validators.as_ref().clone());
            d.state = Some(state.clone());
        });
        Ok(())
    }
    fn block(&self, height: i64) -> Result<Option<Vec<u8>>, Fatal> {
        Ok(self.with(|d| d.blocks.get(&height).map(|b| b.0.clone())))
    }
    fn block_meta(&self, height: i64) -> Result<Option<BlockMeta>, Fatal> {
        Ok(self.with(|d| d.blocks.get(&height).map(|b| b.1.clone())))
    }
    fn height_of(&self, _: &[u8]) -> Result<Option<i64>, Fatal> {
        Ok(None)
    }
    fn part(&self, height: i64, index: u32) -> Result<Option<Part>, Fatal> {
        let parts = self.block(height)?.map(|b| crate::parts::PartSet::from_bytes(&b));
        Ok(parts.and_then(|p| p.part(index).map(|p| p.as_ref().clone())))
    }
    fn commit(&self, height: i64) -> Result<Option<Commit>, Fatal> {
        Ok(self.block(height + 1)?.map(|b| Block::decode(b.as_slice()).unwrap().last_commit.unwrap()))
    }
    fn seen_commit(&self, height: i64) -> Result<Option<Commit>, Fatal> {
        let restored = |d: &Disk| d.restored.clone().filter(|c| c.height == height);
        Ok(self.with(|d| d.blocks.get(&height).map(|b| b.2.clone()).or_else(|| restored(d))))
    }
    fn validators(&self, height: i64) -> Result<Option<ValidatorSet>, Fatal> {
        Ok(self.with(|d| d.validators.get(&height).cloned()))
    }
    fn params(&self, _: i64) -> Result<Option<ConsensusParams>, Fatal> {
        Ok(None)
    }
    fn responses(&self, height: i64) -> Result<Option<AbciResponses>, Fatal> {
        Ok(self.with(|d| d.responses.get(&height).cloned()))
    }
    fn prune(&mut self, _: i64) -> Result<u64, Fatal> {
        Ok(0)
    }
    fn pending_evidence(&self) -> Result<Vec<Evidence>, Fatal> {
        Ok(self.with(|d| d.evidence.values().cloned().collect()))
    }
    fn add_evidence(&mut self, evidence: &Evidence) -> Result<(), Fatal> {
        self.power()?;
        self.with(|d| d.evidence.insert(evidence.hash(), evidence.clone()));
        Ok(())
    }
    fn remove_evidence(&mut self, hashes: &[[u8; 32]]) -> Result<(), Fatal> {
        self.with(|d| d.evidence.retain(|h, _| !hashes.contains(h)));
        Ok(())
    }
    fn is_committed(&self, hash: &[u8; 32]) -> Result<bool, Fatal> {
        Ok(self.with(|d| d.committed.contains(hash)))
    }
}

impl Wal for Shared {
    fn write(&mut self, record: &[u8], _: bool) -> Result<(), Fatal> {
        self.power()?;
        self.with(|d| d.log.push(record.to_vec()));
        Ok(())
    }
    fn records_after(&mut self, height: i64) -> Result<Option<Vec<Vec<u8>>>, Fatal> {
        let ends = |r: &Vec<u8>| crate::wal::WalRecord::decode(r) == Ok(crate::wal::WalRecord::EndHeight(height));
        Ok(self.with(|d| d.log.iter().rposition(ends).map(|at| d.log[at + 1..].to_vec())))
    }
}

/// Counts transactions; a transaction is a number that must not be zero.
pub(crate) struct Counter {
    disk: Shared,
    next: Option<(i64, u64)>,
}

impl Application for Counter {
    fn info(&self) -> Result<AppInfo, Fatal> {
        Ok(self.disk.with(|d| d.app.clone()))
    }
    fn init_chain(&mut self, _: &EngineGenesis) -> Result<InitChainResponse, Fatal> {
        Ok(InitChainResponse { app_hash: vec![0; 8], ..Default::default() })
    }
    fn execute(&mut self, block: &CheckedBlock, _: &[VoteInfo], byzantine: &[ByzantineValidator]) -> Result<AbciResponses, Fatal> {
        let height = block.header().height;
        if self.disk.with(|d| d.end.is_some_and(|end| end <= height)) {
            self.disk.with(|d| d.ended = true);
            return Err(Fatal::new("the end"));
        }
        let before = self.disk.with(|d| d.app.app_hash.clone().try_into().map_or(0, u64::from_be_bytes));
        let count = before + block.txs().len() as u64 + 1000 * byzantine.len() as u64;
        self.next = Some((height, count));
        Ok(AbciResponses {
            deliver_txs: vec![ResponseDeliverTx::default(); block.txs().len()],
            begin_block: Some(ResponseBeginBlock::default()),
            end_block: Some(ResponseEndBlock::default()),
        })
    }
    fn ended(&self) -> Option<String> {
        self.disk.with(|d| d.ended.then(|| "the end".to_owned()))
    }
    fn commit(&mut self) -> Result<AppCommit, Fatal> {
        let (height, count) = self.next.take().ok_or_else(|| Fatal::new("nothing was executed"))?;
        self.disk.power()?;
        let app_hash = count.to_be_bytes().to_vec();
        self.disk.with(|d| d.app = AppInfo { last_height: height, app_hash: app_hash.clone(), app_version: 0 });
        Ok(AppCommit { app_hash, retain_height: 0 })
    }
    fn check_tx(&mut self, tx: &[u8], _: bool) -> Result<CheckTx, Fatal> {
        Ok(CheckTx { code: u32::from(tx == [0]), ..Default::default() })
    }
    fn snapshots(&self) -> Vec<Snapshot> {
        let of = |(height, state): (&i64, &ChainState)| Snapshot {
            height: *height as u64,
            format: 1,
            chunks: 2,
            hash: state.app_hash.clone(),
            metadata: Vec::new(),
        };
        self.disk.with(|d| d.states.iter().rev().filter(|(h, _)| **h % 10 == 0).map(of).collect())
    }
    fn snapshot_chunk(&self, height: u64, _: u32, index: u32) -> Option<Vec<u8>> {
        let half = |hash: &[u8]| hash.chunks(4).nth(index as usize).map(<[u8]>::to_vec);
        self.disk.with(|d| d.states.get(&(height as i64)).and_then(|s| half(&s.app_hash)))
    }
    fn offer_snapshot(&mut self, snapshot: &Snapshot, _: &[u8]) -> Result<OfferSnapshot, Fatal> {
        self.disk.with(|d| d.app = AppInfo { last_height: snapshot.height as i64, ..Default::default() });
        Ok(OfferSnapshot::Accept)
    }
    fn apply_chunk(&mut self, _: u32, chunk: &[u8]) -> Result<ApplyChunk, Fatal> {
        self.disk.with(|d| d.app.app_hash.extend(chunk));
        Ok(ApplyChunk::Accept)
    }
}

/// Signs nothing twice.
pub(crate) struct Key {
    key: MemorySigner,
    disk: Shared,
}

impl Key {
    fn sign(&self, step: (i64, i32, i32), bytes: &[u8], content: Vec<u8>) -> Result<Vec<u8>, SignError> {
        self.disk.power()?;
        let before = self.disk.with(|d| d.signed.insert(step, content.clone()));
        if before.is_some_and(|b| b != content) {
            return Err(SignError::Refused(format!("something else was signed at {step:?}")));
        }
        let last = self.disk.with(|d| d.signed.keys().last().copied());
        if last.is_some_and(|l| l > step) {
            return Err(SignError::Refused(format!("{step:?} comes before {last:?}")));
        }
        let signed = self.key.sign(&TENDERMINT_CONTEXT, &ChainContext::UNSET, bytes).unwrap();
        Ok(signed.signature.0.to_vec())
    }
}

impl Signer for Key {
    fn public_key(&self) -> [u8; 32] {
        self.key.public_key().0
    }
    fn sign_vote(&mut self, chain_id: &str, vote: &mut Vote) -> Result<(), SignError> {
        let step = (vote.height, vote.round, vote.r#type);
        vote.signature = self.sign(step, &vote.sign_bytes(chain_id), vote.block_id.encode_to_vec())?;
        Ok(())
    }
    fn sign_proposal(&mut self, chain_id: &str, proposal: &mut Proposal) -> Result<(), SignError> {
        let step = (proposal.height, proposal.round, 0);
        proposal.signature = self.sign(step, &proposal.sign_bytes(chain_id), proposal.block_id.encode_to_vec())?;
        Ok(())
    }
}

pub(crate) fn genesis(keys: &[MemorySigner]) -> EngineGenesis {
    EngineGenesis {
        genesis_time: Timestamp { seconds: 1_600_000_000, nanos: 0 },
        chain_id: "test chain".to_owned(),
        initial_height: 1,
        consensus_params: ConsensusParams {
            block: BlockParams { max_bytes: 1 << 22, max_gas: -1, time_iota_ms: 1 },
            evidence: EvidenceParams {
                max_age_num_blocks: 100,
                max_age_duration: Duration { seconds: 3600, nanos: 0 },
                max_bytes: 1 << 20,
            },
            validator: ValidatorParams { pub_key_types: vec!["ed25519".to_owned()] },
            version: VersionParams { app_version: 0 },
        },
        validators: keys.iter().map(|k| Validator::new(&k.public_key().0, 10)).collect(),
    }
}

#[derive(Clone, Debug)]
pub(crate) enum What {
    Input(Input),
    /// The timer, if it was not set again since.
    Timer(TimerId, u64),
}

pub(crate) struct Network {
    pub(crate) now: i64,
    pub(crate) turn: u64,
    pub(crate) keys: Vec<MemorySigner>,
    pub(crate) validators: usize,
    pub(crate) disks: Vec<Shared>,
    pub(crate) nodes: Vec<Option<Node>>,
    pub(crate) timers: BTreeMap<(usize, TimerId), u64>,
    pub(crate) queue: BTreeMap<(i64, u64), (usize, What)>,
    pub(crate) events: Vec<Vec<NodeEvent>>,
    pub(crate) dropped: Vec<(usize, PeerId, String, bool)>,
    pub(crate) sent: BTreeMap<ChannelId, (usize, usize)>,
    pub(crate) fired: BTreeMap<TimerId, usize>,
    /// Bytes sent to peers that are none of the nodes and take nothing.
    pub(crate) to_strangers: usize,
    pub(crate) power_failures: usize,
    /// Nodes that consensus does not reach: of its messages only where others stand.
    pub(crate) deaf: BTreeSet<usize>,
    /// How far apart nodes are at most that are connected.
    pub(crate) reach: usize,
    pub(crate) config: NodeConfig,
}

pub(crate) fn peer(node: usize) -> PeerId {
    PeerId([node as u8; 20])
}

impl Network {
    pub(crate) fn new(nodes: usize, validators: usize) -> Self {
        let keys: Vec<_> = (0..nodes).map(|i| MemorySigner::for_test(&format!("node {i}"))).collect();
        let rounds = RoundsConfig { timeout_commit: 100 * MS, ..Default::default() };
        Self {
            now: 0,
            turn: 0,
            validators,
            disks: vec![(); nodes].into_iter().map(|()| Shared::default()).collect(),
            nodes: (0..nodes).map(|_| None).collect(),
            timers: BTreeMap::new(),
            queue: BTreeMap::new(),
            events: vec![Vec::new(); nodes],
            dropped: Vec::new(),
            sent: BTreeMap::new(),
            fired: BTreeMap::new(),
            to_strangers: 0,
            power_failures: 0,
            deaf: BTreeSet::new(),
            reach: usize::MAX,
            config: NodeConfig { rounds, sync_blocks: false, ..Default::default() },
            keys,
        }
    }

    pub(crate) fn time(&self) -> Timestamp {
        Timestamp { seconds: 1_600_000_001, nanos: 0 }.plus_nanos(self.now)
    }

    pub(crate) fn at(&mut self, after: i64, node: usize, what: What) {
        self.turn += 1;
        self.queue.insert((self.now + after, self.turn), (node, what));
    }

    pub(crate) fn start(&mut self, node: usize) {
        let disk = self.disks[node].clone();
        let ports = Ports {
            app: Box::new(Counter { disk: disk.clone(), next: None }),
            store: Box::new(disk.clone()),
            wal: Box::new(disk.clone()),
            signer: Some(Box::new(Key { key: self.keys[node].clone(), disk })),
        };
        let config = NodeConfig { seed: node as u64, ..self.config.clone() };
        let (new, effects) = Node::start(self.time(), config, ports, &genesis(&self.keys[..self.validators])).unwrap();
        self.nodes[node] = Some(new);
        self.carry_out(node, effects);
        for other in 0..self.nodes.len() {
            if other != node && self.nodes[other].is_some() && other.abs_diff(node) <= self.reach {
                self.connect(node, other);
            }
        }
    }

    pub(crate) fn connect(&mut self, a: usize, b: usize) {
        self.at(0, a, What::Input(Input::Connected { peer: peer(b), outbound: true, persistent: true }));
        self.at(0, b, What::Input(Input::Connected { peer: peer(a), outbound: false, persistent: true }));
    }

    pub(crate) fn crash(&mut self, node: usize) {
        self.nodes[node] = None;
        self.queue.retain(|_, (to, what)| {
            let from = matches!(what, What::Input(Input::Message { peer: from, .. }) if *from == peer(node));
            *to != node && !from
        });
        for other in 0..self.nodes.len() {
            self.at(0, other, What::Input(Input::Gone { peer: peer(node) }));
        }
    }

    /// What the light client says of a height.
    fn trusted(&self, height: i64) -> TrustedState {
        let state = self.disks[0].with(|d| d.states[&height].clone());
        TrustedState { state, commit: self.disks[0].commit(height).unwrap().unwrap() }
    }

    pub(crate) fn carry_out(&mut self, node: usize, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Send { peer: to, channel, bytes } => {
                    let count = self.sent.entry(channel).or_default();
                    *count = (count.0 + 1, count.1 + bytes.len());
                    let strange = usize::from(to.0[0]) >= self.nodes.len();
                    if strange {
                        self.to_strangers += bytes.len();
                        continue;
                    }
                    let latency = 2 * MS + (self.turn as i64 * 7919) % (3 * MS);
                    self.at(latency, node, What::Input(Input::Sent { peer: to, channel, bytes: bytes.len() }));
                    // In order on each connection.
                    let to = usize::from(to.0[0]);
                    let bytes = bytes.to_vec();
                    if self.deaf.contains(&to) && [ChannelId::DATA, ChannelId::VOTE, ChannelId::VOTE_SET_BITS].contains(&channel) {
                        continue;
                    }
                    self.at(5 * MS, to, What::Input(Input::Message { peer: peer(node), channel, bytes }));
                }
                Effect::SetTimer { id, after } => {
                    self.turn += 1;
                    self.timers.insert((node, id), self.turn);
                    let turn = self.turn;
                    self.at(after, node, What::Timer(id, turn));
                }
                Effect::Drop { peer: other, reason, ban } => {
                    self.dropped.push((node, other, reason, ban));
                    let other = usize::from(other.0[0]);
                    if other < self.nodes.len() {
                        self.at(0, other, What::Input(Input::Gone { peer: peer(node) }));
                    }
                }
                Effect::Event(event) => self.events[node].push(event),
                Effect::Good { .. } => {}
                Effect::Trust { height } => {
                    let result = Ok(Box::new(self.trusted(height)));
                    self.at(20 * MS, node, What::Input(Input::Trusted(result)));
                }
                Effect::Verify(batch) => self.at(3 * MS, node, What::Input(Input::Verified(batch.verify()))),
            }
        }
    }

    pub(crate) fn give(&mut self, node: usize, input: Input) {
        let now = self.time();
        if let Some(n) = &mut self.nodes[node] {
            match n.handle(now, input) {
                Ok(effects) => self.carry_out(node, effects),
                Err(e) => {
                    assert_eq!(e.0, "power failure");
                    self.disks[node].with(|d| d.fuse = None);
                    self.power_failures += 1;
                    self.crash(node);
                    self.start(node);
                }
            }
        }
    }

    /// Runs for a time, or until the condition holds. Whether it does.
    pub(crate) fn run(&mut self, nanos: i64, until: impl Fn(&Self) -> bool) -> bool {
        let end = self.now + nanos;
        while !until(self) {
            let Some(((at, _), _)) = self.queue.first_key_value() else { break };
            if *at > end {
                break;
            }
            let Some(((at, _), (node, what))) = self.queue.pop_first() else { break };
            self.now = self.now.max(at);
            match what {
                What::Input(input) => self.give(node, input),
                What::Timer(id, turn) => {
                    if self.timers.get(&(node, id)) == Some(&turn) {
                        *self.fired.entry(id).or_default() += 1;
                        self.give(node, Input::Timer(id));
                    }
                }
            }
        }
        self.now = self.now.max(if until(self) { self.now } else { end });
        until(self)
    }

    pub(crate) fn height(&self, node: usize) -> i64 {
        self.disks[node].with(|d| d.app.last_height)
    }

    pub(crate) fn reaches(&mut self, height: i64, nanos: i64) {
        let all = |n: &Self| (0..n.nodes.len()).all(|i| n.nodes[i].is_none() || n.height(i) >= height);
        let reached = self.run(nanos, all);
        let heights: Vec<_> = (0..self.nodes.len()).map(|i| self.height(i)).collect();
        assert!(reached, "{heights:?} after {} ms; {:?}", self.now / MS, self.dropped);
        self.agree();
    }

    pub(crate) fn agree(&self) {
        let least = (0..self.nodes.len()).map(|i| self.height(i)).min().unwrap();
        for height in 1..=least {
            // Nothing stands below a restored state.
            let blocks: BTreeSet<_> = self.disks.iter().filter_map(|d| d.block(height).unwrap()).collect();
            assert_eq!(blocks.len(), 1, "height {height}");
        }
    }
}
