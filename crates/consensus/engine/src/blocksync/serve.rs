//! Blocks for other nodes.

use std::collections::{BTreeMap, VecDeque};

use crate::{
    messages::{BlockResponse, BlockSyncMessage, NoBlockResponse, StatusResponse},
    peer::PeerId,
    ports::{Fatal, Store},
};

/// Requests of one peer that wait; more are not answered, as those beyond the send queue of the original.
const MAX_QUEUE: usize = 256;
/// Bytes that may be on their way to one peer before it gets another block.
const MAX_IN_FLIGHT: usize = 2 << 20;

/// Answers requests for blocks, as fast as each peer takes them.
///
/// Source: tendermint `blockchain/v0/reactor.go`, `BlockchainReactor.Receive`, `respondToPeer`, `AddPeer`.
#[derive(Clone, Debug, Default)]
pub struct BlockServer {
    peers: BTreeMap<PeerId, Client>,
}

#[derive(Clone, Debug, Default)]
struct Client {
    queue: VecDeque<i64>,
    in_flight: usize,
}

impl BlockServer {
    /// A peer was connected; gives what to send it.
    pub fn connected(&mut self, peer: PeerId, store: &dyn Store) -> Vec<u8> {
        self.peers.insert(peer, Client::default());
        status(store)
    }

    /// A peer is gone.
    pub fn gone(&mut self, peer: &PeerId) {
        self.peers.remove(peer);
    }

    /// Takes a message; gives what to send.
    pub fn message(&mut self, peer: &PeerId, message: &BlockSyncMessage, store: &dyn Store) -> Result<Vec<Vec<u8>>, Fatal> {
        match message {
            BlockSyncMessage::StatusRequest(_) => Ok(vec![status(store)]),
            BlockSyncMessage::BlockRequest(m) => {
                if let Some(client) = self.peers.get_mut(peer)
                    && client.queue.len() < MAX_QUEUE
                {
                    client.queue.push_back(m.height);
                }
                self.next(peer, store)
            }
            _ => Ok(Vec::new()),
        }
    }

    /// Bytes of this channel have left for the peer; gives what to send next.
    pub fn sent(&mut self, peer: &PeerId, bytes: usize, store: &dyn Store) -> Result<Vec<Vec<u8>>, Fatal> {
        if let Some(client) = self.peers.get_mut(peer) {
            client.in_flight = client.in_flight.saturating_sub(bytes);
        }
        self.next(peer, store)
    }

    fn next(&mut self, peer: &PeerId, store: &dyn Store) -> Result<Vec<Vec<u8>>, Fatal> {
        let mut out = Vec::new();
        let Some(client) = self.peers.get_mut(peer) else { return Ok(out) };
        while client.in_flight < MAX_IN_FLIGHT
            && let Some(height) = client.queue.pop_front()
        {
            let message = match store.block(height)? {
                Some(block) => BlockSyncMessage::BlockResponse(BlockResponse { block: Some(block) }),
                None => BlockSyncMessage::NoBlockResponse(NoBlockResponse { height }),
            };
            let bytes = message.to_bytes();
            client.in_flight = client.in_flight.saturating_add(bytes.len());
            out.push(bytes);
        }
        Ok(out)
    }
}

/// Which blocks this node has.
fn status(store: &dyn Store) -> Vec<u8> {
    let (base, height) = store.range();
    BlockSyncMessage::StatusResponse(StatusResponse { height, base }).to_bytes()
}
