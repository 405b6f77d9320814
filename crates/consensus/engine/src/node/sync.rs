//! Syncing before taking part.

use std::{collections::VecDeque, sync::Arc};

use super::{Effect, Mode, Node, NodeEvent, TimerId};
use crate::{
    blocksync::{self, BlockSync, ProvenBlock},
    evidence_pool::EvidencePool,
    mempool::Mempool,
    messages::ChannelId,
    ports::Fatal,
    proto::{Commit, Timestamp},
    state::ChainState,
    statesync::{self, StateSync},
};

impl Node {
    /// Begins to fetch blocks. Source: tendermint `blockchain/v0/reactor.go`, `BlockchainReactor.OnStart`, `SwitchToFastSync`.
    pub(super) fn start_block_sync(&mut self, now: Timestamp) -> Result<(), Fatal> {
        self.set_mode(Mode::BlockSync);
        let sync = BlockSync::new(self.config.block_sync.clone(), self.state.clone(), now);
        self.begin_fetching(now, sync)
    }

    pub(super) fn begin_fetching(&mut self, now: Timestamp, sync: BlockSync) -> Result<(), Fatal> {
        self.block_sync = Some(sync);
        self.effects.push(Effect::SetTimer { id: TimerId::BlockSync, after: blocksync::TICK });
        for peer in self.peers.clone() {
            self.block_sync_input(now, blocksync::Input::Connected(peer))?;
        }
        Ok(())
    }

    pub(super) fn tick_block_sync(&mut self, now: Timestamp) -> Result<(), Fatal> {
        if self.block_sync.is_none() {
            return Ok(());
        }
        self.effects.push(Effect::SetTimer { id: TimerId::BlockSync, after: blocksync::TICK });
        self.block_sync_input(now, blocksync::Input::Tick)?;
        self.watch_resync(now)
    }

    /// Tells block sync something and carries out all that follows.
    pub(super) fn block_sync_input(&mut self, now: Timestamp, input: blocksync::Input) -> Result<(), Fatal> {
        let mut queue = VecDeque::from([input]);
        while let Some(input) = queue.pop_front() {
            let Some(sync) = &mut self.block_sync else { return Ok(()) };
            for effect in sync.handle(now, input) {
                match effect {
                    blocksync::Effect::Send { peer, message } => self.outbox.send(peer, ChannelId::BLOCKCHAIN, message.to_bytes()),
                    blocksync::Effect::PeerFault { peer, reason, ban } => self.drop_peer(now, peer, reason, ban)?,
                    blocksync::Effect::Verify(batch) if self.config.verify_elsewhere => self.effects.push(Effect::Verify(batch)),
                    blocksync::Effect::Verify(batch) => queue.push_back(blocksync::Input::Verified(batch.verify())),
                    blocksync::Effect::Apply(proven) => {
                        // One at a time, so that messages are not left lying for long.
                        self.proven = Some(proven);
                        if !self.is_probing() {
                            self.effects.push(Effect::SetTimer { id: TimerId::Apply, after: 0 });
                        }
                    }
                    blocksync::Effect::CaughtUp { .. } if self.is_probing() => self.end_resync(now),
                    blocksync::Effect::CaughtUp { synced, .. } => self.start_consensus(now, synced == 0)?,
                    blocksync::Effect::Progress(_) if self.is_probing() => {}
                    blocksync::Effect::Progress(progress) => self.event(NodeEvent::BlockSync(progress)),
                }
            }
        }
        Ok(())
    }

    /// Keeps and executes the next block. Source: tendermint `blockchain/v0/reactor.go`, `BlockchainReactor.poolRoutine`.
    pub(super) fn apply_proven(&mut self, now: Timestamp) -> Result<(), Fatal> {
        if self.is_probing() {
            return Ok(());
        }
        let Some(proven) = self.proven.take() else { return Ok(()) };
        let ProvenBlock { block, encoded, commit, last_commit_verified } = *proven;
        self.ports.store.save_fetched(&block, &encoded, &commit)?;
        if !self.apply(Arc::new(block), last_commit_verified)? {
            return Ok(());
        }
        self.block_sync_input(now, blocksync::Input::Applied(Box::new(self.state.clone())))
    }

    /// Begins to look for a state to restore. Source: tendermint `node/node.go`, `startStateSync`.
    pub(super) fn start_state_sync(&mut self, now: Timestamp) {
        let Some(config) = self.config.state_sync.clone() else { return };
        self.state_sync = Some(StateSync::new(config, now));
        self.set_mode(Mode::StateSync);
        self.effects.push(Effect::SetTimer { id: TimerId::StateSync, after: statesync::TICK });
    }

    pub(super) fn tick_state_sync(&mut self, now: Timestamp) -> Result<(), Fatal> {
        if self.state_sync.is_none() {
            return Ok(());
        }
        self.effects.push(Effect::SetTimer { id: TimerId::StateSync, after: statesync::TICK });
        self.state_sync_input(now, statesync::Input::Tick)
    }

    /// Tells state sync something and carries out all that follows.
    pub(super) fn state_sync_input(&mut self, now: Timestamp, input: statesync::Input) -> Result<(), Fatal> {
        let mut queue = VecDeque::from([input]);
        while let Some(input) = queue.pop_front() {
            let Some(sync) = &mut self.state_sync else { return Ok(()) };
            for effect in sync.handle(now, input) {
                match effect {
                    statesync::Effect::Send { peer, message } => self.outbox.send(peer, message.channel(), message.to_bytes()),
                    statesync::Effect::PeerFault { peer, reason, ban } => self.drop_peer(now, peer, reason, ban)?,
                    statesync::Effect::Trust { height } => self.effects.push(Effect::Trust { height }),
                    statesync::Effect::Offer { snapshot, app_hash } => {
                        queue.push_back(statesync::Input::Offered(self.ports.app.offer_snapshot(&snapshot, &app_hash)?));
                    }
                    statesync::Effect::ApplyChunk { index, chunk } => {
                        // One at a time, so that messages are not left lying for long.
                        self.chunk = Some((index, chunk));
                        self.effects.push(Effect::SetTimer { id: TimerId::Apply, after: 0 });
                    }
                    statesync::Effect::CheckApp => queue.push_back(statesync::Input::App(self.ports.app.info()?)),
                    statesync::Effect::Done { state, commit } => return self.restored(now, *state, &commit),
                    statesync::Effect::GiveUp { reason } => {
                        let hint = "start again to try again, or disable consensus.tendermint.state_sync to fetch every block";
                        return Err(Fatal::new(format_args!("state sync gives up: {reason}; {hint}")));
                    }
                    statesync::Effect::Progress(progress) => self.event(NodeEvent::StateSync(progress)),
                }
            }
        }
        Ok(())
    }

    /// Hands the next chunk to the state machine.
    pub(super) fn apply_chunk(&mut self, now: Timestamp) -> Result<(), Fatal> {
        let Some((index, chunk)) = self.chunk.take() else { return Ok(()) };
        let answer = self.ports.app.apply_chunk(index, &chunk)?;
        self.state_sync_input(now, statesync::Input::ChunkApplied(answer))
    }

    /// Goes on from a restored state. Source: tendermint `node/node.go`, `startStateSync`.
    fn restored(&mut self, now: Timestamp, state: ChainState, commit: &Commit) -> Result<(), Fatal> {
        self.ports.store.bootstrap(&state, commit)?;
        self.state_sync = None;
        self.mempool = Mempool::new(self.config.mempool.clone(), &state);
        self.evidence = EvidencePool::new(&state, self.ports.store.as_mut())?;
        self.event(NodeEvent::Restored { height: state.last_block_height });
        self.state = state;
        if self.config.sync_blocks { self.start_block_sync(now) } else { self.start_consensus(now, false) }
    }
}
