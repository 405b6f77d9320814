//! Snapshots for other nodes.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, VecDeque},
};

use crate::{
    messages::{ChannelId, ChunkRequest, ChunkResponse, SnapshotsResponse, StateSyncMessage},
    peer::PeerId,
    ports::Application,
};

/// Snapshots that are offered. Source: tendermint `statesync/reactor.go`, `recentSnapshots`.
const MAX_OFFERS: usize = 10;
/// Chunk requests of one peer that wait; more are not answered.
const MAX_QUEUE: usize = 32;

/// Answers requests for snapshots and chunks: one chunk at a time for each peer.
///
/// Source: tendermint `statesync/reactor.go`, `Reactor.Receive`, `Reactor.recentSnapshots`.
#[derive(Clone, Debug, Default)]
pub struct SnapshotServer {
    peers: BTreeMap<PeerId, Client>,
}

#[derive(Clone, Debug, Default)]
struct Client {
    queue: VecDeque<ChunkRequest>,
    in_flight: usize,
}

/// Bytes to send on a channel.
pub type Answer = (ChannelId, Vec<u8>);

impl SnapshotServer {
    /// A peer was connected.
    pub fn connected(&mut self, peer: PeerId) {
        self.peers.insert(peer, Client::default());
    }

    /// A peer is gone.
    pub fn gone(&mut self, peer: &PeerId) {
        self.peers.remove(peer);
    }

    /// Takes a message; gives what to send.
    pub fn message(&mut self, peer: &PeerId, message: &StateSyncMessage, app: &dyn Application) -> Vec<Answer> {
        match message {
            StateSyncMessage::SnapshotsRequest(_) => offers(app),
            StateSyncMessage::ChunkRequest(m) => {
                if let Some(client) = self.peers.get_mut(peer)
                    && client.queue.len() < MAX_QUEUE
                {
                    client.queue.push_back(*m);
                }
                self.next(peer, app)
            }
            _ => Vec::new(),
        }
    }

    /// Bytes of the chunk channel have left for the peer; gives what to send next.
    pub fn sent(&mut self, peer: &PeerId, bytes: usize, app: &dyn Application) -> Vec<Answer> {
        if let Some(client) = self.peers.get_mut(peer) {
            client.in_flight = client.in_flight.saturating_sub(bytes);
        }
        self.next(peer, app)
    }

    fn next(&mut self, peer: &PeerId, app: &dyn Application) -> Vec<Answer> {
        let mut out = Vec::new();
        let Some(client) = self.peers.get_mut(peer) else { return out };
        while client.in_flight == 0
            && let Some(ChunkRequest { height, format, index }) = client.queue.pop_front()
        {
            // On the wire an empty chunk is a missing one.
            let chunk = app.snapshot_chunk(height, format, index).unwrap_or_default();
            let missing = chunk.is_empty();
            let bytes = StateSyncMessage::ChunkResponse(ChunkResponse { height, format, index, chunk, missing }).to_bytes();
            client.in_flight = bytes.len();
            out.push((ChannelId::CHUNK, bytes));
        }
        out
    }
}

fn offers(app: &dyn Application) -> Vec<Answer> {
    let mut snapshots = app.snapshots();
    snapshots.sort_by_key(|s| Reverse((s.height, s.format)));
    let answer = |s: crate::ports::Snapshot| {
        let crate::ports::Snapshot { height, format, chunks, hash, metadata } = s;
        let m = SnapshotsResponse { height, format, chunks, hash, metadata };
        (ChannelId::SNAPSHOT, StateSyncMessage::SnapshotsResponse(m).to_bytes())
    };
    snapshots.into_iter().take(MAX_OFFERS).map(answer).collect()
}
