//! Syncing before taking part.

use std::{collections::VecDeque, sync::Arc};

use super::{Effect, Mode, Node, NodeEvent, TimerId};
use crate::{
    blocksync::{self, BlockSync},
    messages::ChannelId,
    ports::Fatal,
    proto::Timestamp,
};

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
                    blocksync::Effect::Verify(batch) => queue.push_back(blocksync::Input::Verified(batch.verify())),
                    blocksync::Effect::Apply(proven) => {
                        let blocksync::ProvenBlock { block, encoded, commit, .. } = *proven;
                        self.ports.store.save_block(&block, &encoded, &commit)?;
                        self.apply(Arc::new(block))?;
                        queue.push_back(blocksync::Input::Applied(self.state.clone()));
                    }
                    blocksync::Effect::CaughtUp { synced, .. } => self.start_consensus(now, synced == 0)?,
                    blocksync::Effect::Progress(progress) => self.event(NodeEvent::BlockSync(progress)),
                }
            }
        }
        Ok(())
    }
}
