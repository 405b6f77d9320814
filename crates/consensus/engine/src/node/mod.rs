//! The whole engine of a node: everything between the connections, the disk and the state machine.
//!
//! A node is told what comes in ([`Input`]) and answers with what is to be done ([`Effect`]). Disk, state machine and signer
//! it calls itself, over [`Ports`], while it handles an input; an error ([`Fatal`]) means that it cannot go on. What peers do
//! never is an error: those that misbehave are dropped ([`Effect::Drop`]).
//!
//! Source: tendermint `node/node.go`.

mod consensus;
mod execution;
mod handshake;
mod peers;
mod resync;
mod sync;
mod types;

#[cfg(test)]
pub(crate) mod tests;

use std::collections::BTreeSet;

use execution::BlockExecutor;
pub use handshake::OnReplay;
pub use types::{Applied, Effect, Input, Mode, NodeConfig, NodeEvent, Ports, SubmitError, TimerId};

use crate::{
    blocksync::{self, BlockServer, BlockSync, ProvenBlock},
    evidence_pool::{self, EvidencePool},
    gossip::{FORWARD_DELAY, Gossip, Outbox, QUERY_DELAY, View},
    mempool::Mempool,
    peer::PeerId,
    ports::Fatal,
    proto::{Evidence, Timestamp, Validator},
    reactors::{EvidenceReactor, MempoolReactor, REPEAT_AFTER},
    rounds::{self, Rounds, TimeoutInfo},
    state::{ChainState, EngineGenesis, InitChainResponse},
    statesync::{self, SnapshotServer, StateSync},
};

/// A node.
pub struct Node {
    config: NodeConfig,
    ports: Ports,
    /// The state after the last block.
    state: ChainState,
    mode: Mode,
    /// While the node takes part in consensus.
    rounds: Option<Rounds>,
    /// While it fetches blocks.
    block_sync: Option<BlockSync>,
    executor: BlockExecutor,
    mempool: Mempool,
    evidence: EvidencePool,
    gossip: Gossip,
    outbox: Outbox,
    mempool_reactor: MempoolReactor,
    evidence_reactor: EvidenceReactor,
    /// While it restores a state.
    state_sync: Option<StateSync>,
    /// The next chunk of that state, which waits for its turn.
    chunk: Option<(u32, Vec<u8>)>,
    server: BlockServer,
    snapshots: SnapshotServer,
    /// The next block of block sync, which waits for its turn.
    proven: Option<Box<ProvenBlock>>,
    /// Whether it goes back to block sync.
    resync: resync::Resync,
    peers: BTreeSet<PeerId>,
    /// What the rounds are told next, once others had a turn.
    pending: consensus::Queue,
    /// What the timer of the rounds is set for.
    timeout: Option<TimeoutInfo>,
    /// Timers that are set beside that of the rounds.
    forward_set: bool,
    query_set: bool,
    evidence_set: bool,
    effects: Vec<Effect>,
}

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Node").field("mode", &self.mode).field("height", &self.state.last_block_height).finish_non_exhaustive()
    }
}

/// What of the rounds the gossip looks at.
fn view(rounds: &Rounds) -> View<'_> {
    View {
        step: rounds.info(),
        proposal: rounds.proposal(),
        parts: rounds.proposal_parts(),
        votes: rounds.votes(),
        last_commit: rounds.last_commit(),
        own: rounds.own_address(),
    }
}

/// Source: tendermint `node/node.go`, `onlyValidatorIsUs`.
fn is_alone(ports: &Ports, validators: &[Validator]) -> bool {
    let own = ports.signer.as_ref().map(|s| s.public_key());
    own.is_some() && matches!(validators, [only] if only.key().ok() == own)
}

/// Whether a node has no blocks yet and others to get a state from. What the state machine holds does not matter: without
/// the blocks that go with it, it is a state whose restoring was cut short.
fn needs_state(ports: &Ports, genesis: &EngineGenesis) -> Result<bool, Fatal> {
    Ok(StateSync::is_needed(ports.store.chain_state()?.as_ref()) && !is_alone(ports, &genesis.validators))
}

impl Node {
    /// Starts a node on what its disk holds: brings store and state machine together, reads the log, and begins to sync or to
    /// take part. Gives what is to be done first.
    pub fn start(now: Timestamp, config: NodeConfig, ports: Ports, genesis: &EngineGenesis) -> Result<(Self, Vec<Effect>), Fatal> {
        Self::start_watched(now, config, ports, genesis, &mut |_, _| {})
    }

    /// Like [`Node::start`], for a user who wants to hear of blocks that have to be executed again.
    pub fn start_watched(
        now: Timestamp,
        config: NodeConfig,
        mut ports: Ports,
        genesis: &EngineGenesis,
        on_replay: OnReplay<'_>,
    ) -> Result<(Self, Vec<Effect>), Fatal> {
        let restore = config.state_sync.is_some() && needs_state(&ports, genesis)?;
        let state = if restore {
            // The state machine is left empty for the state of others.
            ChainState::from_genesis(genesis, 0, &InitChainResponse::default()).map_err(Fatal::new)?
        } else {
            handshake::handshake(ports.app.as_mut(), ports.store.as_mut(), genesis, on_replay)?
        };
        let mempool = Mempool::new(config.mempool.clone(), &state);
        let evidence = EvidencePool::new(&state, ports.store.as_mut())?;
        let gossip = Gossip::new(config.seed);
        let mut node = Self {
            config,
            ports,
            state,
            mode: Mode::Consensus,
            rounds: None,
            block_sync: None,
            executor: BlockExecutor::new(),
            mempool,
            evidence,
            gossip,
            outbox: Outbox::default(),
            mempool_reactor: MempoolReactor::default(),
            evidence_reactor: EvidenceReactor::default(),
            state_sync: None,
            chunk: None,
            server: BlockServer::default(),
            snapshots: SnapshotServer::default(),
            proven: None,
            resync: resync::Resync::default(),
            peers: BTreeSet::new(),
            pending: consensus::Queue::new(),
            timeout: None,
            forward_set: false,
            query_set: false,
            evidence_set: false,
            effects: Vec::new(),
        };
        #[cfg(feature = "planted-bugs")]
        {
            node.executor.planted = node.config.rounds.planted;
        }
        if restore {
            node.start_state_sync(now);
        } else if node.config.sync_blocks && !node.is_only_validator() {
            node.start_block_sync(now)?;
        } else {
            node.start_consensus(now, true)?;
        }
        let effects = node.finish();
        Ok((node, effects))
    }

    /// Whether nobody else can make blocks.
    fn is_only_validator(&self) -> bool {
        is_alone(&self.ports, self.state.validators.validators())
    }

    /// Acts upon an input.
    pub fn handle(&mut self, now: Timestamp, input: Input) -> Result<Vec<Effect>, Fatal> {
        match input {
            Input::Connected { peer, .. } => self.connected(now, peer)?,
            Input::Gone { peer } => self.gone(now, &peer)?,
            Input::Message { peer, channel, bytes } => self.message(now, peer, channel, &bytes)?,
            Input::Sent { peer, channel, bytes } => self.sent(now, peer, channel, bytes)?,
            Input::Timer(id) => self.timer(now, id)?,
            Input::Trusted(result) => self.state_sync_input(now, statesync::Input::Trusted(result))?,
            Input::Verified(verdict) => self.block_sync_input(now, blocksync::Input::Verified(verdict))?,
            Input::SubmitTx { id, tx } => self.submit_txs(now, vec![(id, tx)])?,
            Input::SubmitTxs(txs) => self.submit_txs(now, txs)?,
            Input::SubmitEvidence { id, evidence } => {
                let result = self.submit_evidence(*evidence)?;
                self.event(NodeEvent::EvidenceChecked { id, result });
            }
        }
        Ok(self.finish())
    }

    fn timer(&mut self, now: Timestamp, id: TimerId) -> Result<(), Fatal> {
        match id {
            TimerId::Round => match self.timeout.take() {
                Some(timeout) => self.drive(now, rounds::Input::Timeout(timeout)),
                None => Ok(()),
            },
            TimerId::NextHeight => self.drive_queue(now, consensus::Queue::new()),
            TimerId::Gossip => {
                self.forward_set = false;
                match &self.rounds {
                    Some(rounds) => self.gossip.forward(&view(rounds), self.ports.store.as_ref(), now, &mut self.outbox),
                    None => Ok(()),
                }
            }
            TimerId::Query => {
                self.query_set = false;
                match &self.rounds {
                    Some(rounds) => self.gossip.query(&view(rounds), self.ports.store.as_ref(), &mut self.outbox),
                    None => Ok(()),
                }
            }
            TimerId::Evidence => {
                self.evidence_set = false;
                self.evidence_reactor.repeat();
                self.evidence_reactor.send_all(&self.gossip, &self.evidence, &self.state, &mut self.outbox);
                Ok(())
            }
            TimerId::BlockSync => self.tick_block_sync(now),
            TimerId::StateSync => self.tick_state_sync(now),
            TimerId::Apply => {
                self.apply_chunk(now)?;
                self.apply_proven(now)
            }
        }
    }

    fn submit_txs(&mut self, now: Timestamp, txs: Vec<(u64, Vec<u8>)>) -> Result<(), Fatal> {
        let judges = self.rounds.is_some();
        if judges {
            self.mempool.prepare(self.ports.app.as_mut(), txs.iter().map(|(_, tx)| tx.as_slice()));
        }
        for (id, tx) in txs {
            let result = if judges {
                self.mempool.check(self.ports.app.as_mut(), tx, None)?.map_err(SubmitError::Refused)
            } else {
                Err(SubmitError::Syncing)
            };
            self.event(NodeEvent::TxChecked { id, result });
        }
        if judges { self.offer_txs(now) } else { Ok(()) }
    }

    fn submit_evidence(&mut self, evidence: Evidence) -> Result<Result<(), String>, Fatal> {
        let result = match self.evidence.add(self.ports.store.as_mut(), evidence)? {
            Ok(evidence_pool::Added::Full) => Err("no room: too much evidence waits".to_owned()),
            Ok(_) => Ok(()),
            Err(e) => Err(e.to_string()),
        };
        self.evidence_reactor.send_all(&self.gossip, &self.evidence, &self.state, &mut self.outbox);
        Ok(result)
    }

    /// Passes new transactions on, and tells the rounds of them where those wait for some.
    fn offer_txs(&mut self, now: Timestamp) -> Result<(), Fatal> {
        if self.config.broadcast_txs {
            self.mempool_reactor.send_all(&self.gossip, &self.mempool, &mut self.outbox);
        }
        let waits = self.rounds.as_ref().is_some_and(|r| r.config().waits_for_txs());
        if self.mempool.take_available() && waits {
            self.drive(now, rounds::Input::TxsAvailable)?;
        }
        Ok(())
    }

    /// Everything that is to be done now, with the timers that are due.
    fn finish(&mut self) -> Vec<Effect> {
        let consensus = self.rounds.is_some() && !self.peers.is_empty();
        if self.gossip.take_forward_due() && consensus && !self.forward_set {
            self.forward_set = true;
            self.effects.push(Effect::SetTimer { id: TimerId::Gossip, after: FORWARD_DELAY });
        }
        if self.gossip.take_query_due() && consensus && !self.query_set {
            self.query_set = true;
            self.effects.push(Effect::SetTimer { id: TimerId::Query, after: QUERY_DELAY });
        }
        if !self.evidence.is_empty() && !self.peers.is_empty() && !self.evidence_set {
            self.evidence_set = true;
            self.effects.push(Effect::SetTimer { id: TimerId::Evidence, after: REPEAT_AFTER });
        }
        let messages = self.outbox.take().into_iter();
        self.effects.extend(messages.map(|m| Effect::Send { peer: m.peer, channel: m.channel, bytes: m.bytes }));
        std::mem::take(&mut self.effects)
    }

    fn event(&mut self, event: NodeEvent) {
        self.effects.push(Effect::Event(event));
    }

    fn set_mode(&mut self, mode: Mode) {
        self.mode = mode;
        self.event(NodeEvent::Mode(mode));
    }

    /// What the node is doing.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// The state after the last block.
    pub fn state(&self) -> &ChainState {
        &self.state
    }

    /// The rounds, while the node takes part in consensus.
    pub fn rounds(&self) -> Option<&Rounds> {
        self.rounds.as_ref()
    }

    /// The transactions that wait.
    pub fn mempool(&self) -> &Mempool {
        &self.mempool
    }

    /// The evidence that waits.
    pub fn evidence(&self) -> &EvidencePool {
        &self.evidence
    }

    /// What is known of the peers.
    pub fn gossip(&self) -> &Gossip {
        &self.gossip
    }

    /// The world around the node.
    pub fn ports(&self) -> &Ports {
        &self.ports
    }

    /// The world around the node, for queries that need to change something in it.
    pub fn ports_mut(&mut self) -> &mut Ports {
        &mut self.ports
    }

    /// Ends the node; gives its ports back.
    pub fn into_ports(self) -> Ports {
        self.ports
    }
}
