//! Passes transactions on.

use std::collections::BTreeMap;

use crate::{
    gossip::{Gossip, Outbox},
    mempool::Mempool,
    messages::{ChannelId, TxsMessage},
    peer::PeerId,
};

/// Which transactions a peer was sent. Source: tendermint `mempool/reactor.go`, `Reactor.broadcastTxRoutine`.
#[derive(Debug, Default)]
pub struct MempoolReactor {
    /// The place in the mempool from which on transactions have not been sent.
    peers: BTreeMap<PeerId, u64>,
}

impl MempoolReactor {
    /// A peer is there.
    pub fn connected(&mut self, peer: PeerId) {
        self.peers.insert(peer, 0);
    }

    /// A peer is gone.
    pub fn gone(&mut self, peer: &PeerId) {
        self.peers.remove(peer);
    }

    /// Sends a peer what it has not been sent, in the order in which it came, as far as there is room.
    ///
    /// A peer that is more than a block behind the check of a transaction gets it once it has come as far; who sent a
    /// transaction does not get it back.
    pub fn send(&mut self, peer: PeerId, gossip: &Gossip, mempool: &Mempool, out: &mut Outbox) {
        let Some(next) = self.peers.get_mut(&peer) else { return };
        let height = gossip.peer_height(&peer);
        while let Some((place, waiting)) = mempool.at_or_after(*next) {
            if height == 0 || height < waiting.height.saturating_sub(1) || !out.has_room(&peer, ChannelId::MEMPOOL) {
                return;
            }
            if !waiting.senders.contains(&peer) {
                out.send(peer, ChannelId::MEMPOOL, TxsMessage { txs: vec![waiting.tx.clone()] }.to_bytes());
            }
            *next = place.saturating_add(1);
        }
    }

    /// Sends all peers what they have not been sent.
    pub fn send_all(&mut self, gossip: &Gossip, mempool: &Mempool, out: &mut Outbox) {
        for peer in self.peers.keys().copied().collect::<Vec<_>>() {
            self.send(peer, gossip, mempool, out);
        }
    }
}
