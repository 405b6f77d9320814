//! Passes transactions on.

use std::collections::BTreeMap;

use crate::{
    gossip::{Gossip, Outbox},
    mempool::Mempool,
    messages::{ChannelId, TxsMessage},
    peer::PeerId,
};

/// The most bytes of transactions that go in one message, but for one that is larger.
const MAX_TOGETHER: usize = 1 << 16;

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
    /// While messages are on the way more comes together, which then goes in one. A peer that is more than a block behind the check
    /// of a transaction gets it once it has come as far; who sent a transaction does not get it back.
    pub fn send(&mut self, peer: PeerId, gossip: &Gossip, mempool: &Mempool, out: &mut Outbox) {
        let Some(next) = self.peers.get_mut(&peer) else { return };
        let height = gossip.peer_height(&peer);
        if height == 0 {
            return;
        }
        let (mut txs, mut bytes) = (Vec::new(), 0usize);
        while out.has_room(&peer, ChannelId::MEMPOOL) {
            let waiting = mempool.at_or_after(*next).filter(|(_, waiting)| height >= waiting.height.saturating_sub(1));
            let together = waiting.is_some_and(|(_, waiting)| bytes.saturating_add(waiting.tx.len()) <= MAX_TOGETHER);
            if !txs.is_empty() && !together {
                out.send(peer, ChannelId::MEMPOOL, TxsMessage { txs: std::mem::take(&mut txs) }.to_bytes());
                bytes = 0;
                continue;
            }
            let Some((place, waiting)) = waiting else { return };
            if !waiting.senders.contains(&peer) {
                bytes = bytes.saturating_add(waiting.tx.len());
                txs.push(waiting.tx.clone());
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
