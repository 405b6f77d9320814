//! Syncing before taking part.

use std::{collections::VecDeque, sync::Arc};

use super::{Effect, Mode, Node, NodeEvent, TimerId};
use crate::{
    blocksync::{self, BlockSync, ProvenBlock},
    messages::{ChannelId, ChunkResponse, SnapshotsResponse, StateSyncMessage},
    peer::PeerId,
    ports::{Fatal, Snapshot},
    proto::Timestamp,
};

/// Most snapshots that a node tells of. Source: tendermint `statesync/reactor.go`, `recentSnapshots`.
const RECENT_SNAPSHOTS: usize = 10;

impl Node {
    /// Begins to fetch blocks. Source: tendermint `blockchain/v0/reactor.go`, `BlockchainReactor.OnStart`, `SwitchToFastSync`.
    pub(super) fn start_block_sync(&mut self, now: Timestamp) {
        self.block_sync = Some(BlockSync::new(self.config.block_sync.clone(), self.state.clone(), now));
        self.set_mode(Mode::BlockSync);
        self.effects.push(Effect::SetTimer { id: TimerId::BlockSync, after: blocksync::TICK });
    }

    pub(super) fn tick_block_sync(&mut self, now: Timestamp) -> Result<(), Fatal> {
        if self.block_sync.is_none() {
            return Ok(());
        }
        self.effects.push(Effect::SetTimer { id: TimerId::BlockSync, after: blocksync::TICK });
        self.block_sync_input(now, blocksync::Input::Tick)
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
                        self.effects.push(Effect::SetTimer { id: TimerId::Apply, after: 0 });
                    }
                    blocksync::Effect::CaughtUp { synced, .. } => self.start_consensus(now, synced == 0)?,
                    blocksync::Effect::Progress(progress) => self.event(NodeEvent::BlockSync(progress)),
                }
            }
        }
        Ok(())
    }

    /// Keeps and executes the next block. Source: tendermint `blockchain/v0/reactor.go`, `BlockchainReactor.poolRoutine`.
    pub(super) fn apply_proven(&mut self, now: Timestamp) -> Result<(), Fatal> {
        let Some(proven) = self.proven.take() else { return Ok(()) };
        let ProvenBlock { block, encoded, commit, .. } = *proven;
        self.ports.store.save_block(&block, &encoded, &commit)?;
        self.apply(Arc::new(block))?;
        self.block_sync_input(now, blocksync::Input::Applied(self.state.clone()))
    }

    /// Serves snapshots of the state. Source: tendermint `statesync/reactor.go`, `Reactor.Receive`.
    pub(super) fn snapshot_message(&mut self, peer: PeerId, message: StateSyncMessage) {
        match message {
            StateSyncMessage::SnapshotsRequest(_) => {
                for s in self.ports.app.snapshots().into_iter().take(RECENT_SNAPSHOTS) {
                    let Snapshot { height, format, chunks, hash, metadata } = s;
                    let message = StateSyncMessage::SnapshotsResponse(SnapshotsResponse { height, format, chunks, hash, metadata });
                    self.outbox.try_send(peer, ChannelId::SNAPSHOT, message.to_bytes());
                }
            }
            // No more than the peer takes: it asks again for a chunk that does not come.
            StateSyncMessage::ChunkRequest(m) if self.outbox.has_room(&peer, ChannelId::CHUNK) => {
                let chunk = self.ports.app.snapshot_chunk(m.height, m.format, m.index).filter(|c| !c.is_empty());
                let (missing, chunk) = (chunk.is_none(), chunk.unwrap_or_default());
                let response = ChunkResponse { height: m.height, format: m.format, index: m.index, chunk, missing };
                self.outbox.send(peer, ChannelId::CHUNK, StateSyncMessage::ChunkResponse(response).to_bytes());
            }
            _ => {}
        }
    }
}
