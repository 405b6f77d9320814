//! Peers that come and go, and what they send.

use super::{Effect, Node, view};
use crate::{
    blocksync,
    gossip::Received,
    messages::{BlockSyncMessage, ChannelId, ConsensusMessage, EvidenceMessage, StateSyncMessage, TxsMessage},
    peer::PeerId,
    ports::Fatal,
    proto::Timestamp,
    rounds, statesync,
};

/// Blocks and other answers of block sync that may be on the way to a peer which asks for more; further questions are passed over.
const MAX_ANSWERS: usize = 4096;

impl Node {
    /// Source: tendermint `AddPeer` of the reactors.
    pub(super) fn connected(&mut self, now: Timestamp, peer: PeerId) -> Result<(), Fatal> {
        if self.peers.contains(&peer) {
            self.forget(now, &peer)?;
        }
        self.peers.insert(peer);
        self.outbox.connected(peer);
        let view = self.rounds.as_ref().map(view);
        self.gossip.connected(view.as_ref(), now, peer, &mut self.outbox);
        self.mempool_reactor.connected(peer);
        self.evidence_reactor.connected(peer);
        let status = self.server.connected(peer, self.ports.store.as_ref());
        self.outbox.send(peer, ChannelId::BLOCKCHAIN, status);
        self.snapshots.connected(peer);
        self.state_sync_input(now, statesync::Input::Connected(peer))?;
        self.block_sync_input(now, blocksync::Input::Connected(peer))
    }

    pub(super) fn gone(&mut self, now: Timestamp, peer: &PeerId) -> Result<(), Fatal> {
        if !self.peers.contains(peer) {
            return Ok(());
        }
        self.forget(now, peer)
    }

    fn forget(&mut self, now: Timestamp, peer: &PeerId) -> Result<(), Fatal> {
        self.peers.remove(peer);
        self.outbox.gone(peer);
        self.gossip.gone(peer);
        self.mempool_reactor.gone(peer);
        self.evidence_reactor.gone(peer);
        self.mempool.forget_peer(peer);
        self.server.gone(peer);
        self.snapshots.gone(peer);
        self.state_sync_input(now, statesync::Input::Gone(*peer))?;
        self.block_sync_input(now, blocksync::Input::Gone(*peer))?;
        self.drive(now, rounds::Input::PeerGone(*peer))
    }

    /// Drops a peer for what it did.
    pub(super) fn drop_peer(&mut self, now: Timestamp, peer: PeerId, reason: impl ToString, ban: bool) -> Result<(), Fatal> {
        if !self.peers.contains(&peer) {
            return Ok(());
        }
        self.effects.push(Effect::Drop { peer, reason: reason.to_string(), ban });
        self.forget(now, &peer)
    }

    /// Source: tendermint `Receive` of the reactors.
    pub(super) fn message(&mut self, now: Timestamp, peer: PeerId, channel: ChannelId, bytes: &[u8]) -> Result<(), Fatal> {
        if !self.peers.contains(&peer) {
            return Ok(());
        }
        match channel {
            ChannelId::STATE | ChannelId::DATA | ChannelId::VOTE | ChannelId::VOTE_SET_BITS => match ConsensusMessage::decode(bytes) {
                Ok(message) => self.consensus_message(now, peer, channel, message),
                Err(e) => self.drop_peer(now, peer, e, true),
            },
            ChannelId::MEMPOOL => match TxsMessage::decode_message(bytes) {
                Ok(message) => self.txs(now, peer, message),
                Err(e) => self.drop_peer(now, peer, e, true),
            },
            ChannelId::EVIDENCE => match EvidenceMessage::decode(bytes) {
                Ok(message) => self.evidence_of(now, peer, message),
                Err(e) => self.drop_peer(now, peer, e, true),
            },
            ChannelId::BLOCKCHAIN => match BlockSyncMessage::decode(bytes) {
                Ok(message) => self.block_message(now, peer, message),
                Err(e) => self.drop_peer(now, peer, e, true),
            },
            ChannelId::SNAPSHOT | ChannelId::CHUNK => match StateSyncMessage::decode(bytes) {
                Ok(message) => {
                    for (channel, bytes) in self.snapshots.message(&peer, &message, self.ports.app.as_ref()) {
                        if channel == ChannelId::SNAPSHOT {
                            self.outbox.try_send(peer, channel, bytes);
                        } else {
                            self.outbox.send(peer, channel, bytes);
                        }
                    }
                    self.state_sync_input(now, statesync::Input::Message { peer, message })
                }
                Err(e) => self.drop_peer(now, peer, e, true),
            },
            other => self.drop_peer(now, peer, format_args!("a message over channel {other:?}, which is not in use"), true),
        }
    }

    fn consensus_message(&mut self, now: Timestamp, peer: PeerId, channel: ChannelId, message: ConsensusMessage) -> Result<(), Fatal> {
        let moves = matches!(message, ConsensusMessage::NewRoundStep(_) | ConsensusMessage::NewValidBlock(_));
        let view_now = self.rounds.as_ref().map(view);
        let received = match self.gossip.receive(view_now.as_ref(), self.state.initial_height, peer, channel, message) {
            Ok(received) => received,
            Err(e) => return self.drop_peer(now, peer, e, true),
        };
        match received {
            Received::Done => {}
            Received::Round(msg) => return self.drive(now, rounds::Input::Message { from: Some(peer), msg }),
            Received::Majority { height, round, kind, block_id } => {
                self.drive(now, rounds::Input::Maj23 { peer, height, round, kind, block_id: block_id.clone() })?;
                if let Some(rounds) = self.rounds.as_ref().filter(|r| r.height() == height) {
                    self.gossip.answer_majority(&view(rounds), peer, round, kind, block_id, &mut self.outbox);
                }
            }
        }
        if moves {
            if let Some(rounds) = &self.rounds {
                self.gossip.respond(&view(rounds), self.ports.store.as_ref(), now, peer, &mut self.outbox)?;
            }
            self.send_pools(peer);
            self.notice_lag(now)?;
        }
        Ok(())
    }

    /// Sends a peer the transactions and the evidence that it can take now.
    fn send_pools(&mut self, peer: PeerId) {
        if self.config.broadcast_txs {
            self.mempool_reactor.send(peer, &self.gossip, &self.mempool, &mut self.outbox);
        }
        self.evidence_reactor.send(peer, &self.gossip, &self.evidence, &self.state, &mut self.outbox);
    }

    /// Source: tendermint `mempool/reactor.go`, `Reactor.Receive`. While it syncs, a node cannot judge transactions.
    fn txs(&mut self, now: Timestamp, peer: PeerId, message: TxsMessage) -> Result<(), Fatal> {
        if self.rounds.is_none() {
            return Ok(());
        }
        let before = self.mempool.next_place();
        self.mempool.prepare(self.ports.app.as_mut(), message.txs.iter().map(Vec::as_slice));
        for tx in message.txs {
            // Whoever sends a transaction may not know yet that it is no longer good.
            let _refused = self.mempool.check(self.ports.app.as_mut(), tx, Some(peer))?;
        }
        if self.mempool.next_place() == before {
            return Ok(());
        }
        self.offer_txs(now)
    }

    /// Source: tendermint `evidence/reactor.go`, `Reactor.Receive`.
    fn evidence_of(&mut self, now: Timestamp, peer: PeerId, message: EvidenceMessage) -> Result<(), Fatal> {
        if self.rounds.is_none() {
            return Ok(());
        }
        for evidence in message.0 {
            if let Err(e) = self.evidence.add(self.ports.store.as_mut(), evidence)? {
                return self.drop_peer(now, peer, e.inside("evidence"), false);
            }
        }
        self.evidence_reactor.send_all(&self.gossip, &self.evidence, &self.state, &mut self.outbox);
        Ok(())
    }

    fn block_message(&mut self, now: Timestamp, peer: PeerId, message: BlockSyncMessage) -> Result<(), Fatal> {
        if self.outbox.on_the_way(&peer, ChannelId::BLOCKCHAIN) < MAX_ANSWERS {
            for bytes in self.server.message(&peer, &message, self.ports.store.as_ref())? {
                self.outbox.send(peer, ChannelId::BLOCKCHAIN, bytes);
            }
        }
        self.block_sync_input(now, blocksync::Input::Message { peer, message })
    }

    /// A message has left: there may be room for more.
    pub(super) fn sent(&mut self, now: Timestamp, peer: PeerId, channel: ChannelId, bytes: usize) -> Result<(), Fatal> {
        if !self.peers.contains(&peer) {
            return Ok(());
        }
        let room = self.outbox.sent(&peer, channel, bytes);
        match channel {
            ChannelId::STATE | ChannelId::DATA | ChannelId::VOTE if room => match &self.rounds {
                Some(rounds) => self.gossip.has_room(&view(rounds), self.ports.store.as_ref(), now, peer, &mut self.outbox),
                None => Ok(()),
            },
            ChannelId::MEMPOOL | ChannelId::EVIDENCE if room => {
                self.send_pools(peer);
                Ok(())
            }
            ChannelId::BLOCKCHAIN => {
                for bytes in self.server.sent(&peer, bytes, self.ports.store.as_ref())? {
                    self.outbox.send(peer, ChannelId::BLOCKCHAIN, bytes);
                }
                Ok(())
            }
            ChannelId::CHUNK => {
                for (channel, bytes) in self.snapshots.sent(&peer, bytes, self.ports.app.as_ref()) {
                    self.outbox.send(peer, channel, bytes);
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }
}
