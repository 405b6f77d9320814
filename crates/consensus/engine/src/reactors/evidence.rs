//! Passes evidence on.

use std::collections::BTreeMap;

use crate::{
    evidence_pool::EvidencePool,
    gossip::{Gossip, Outbox},
    messages::{ChannelId, EvidenceMessage},
    peer::PeerId,
    state::ChainState,
};

/// How often evidence that still waits is sent again, in nanoseconds.
///
/// Source: tendermint `evidence/reactor.go`, `broadcastEvidenceIntervalS`.
pub const REPEAT_AFTER: i64 = 10_000_000_000;

/// Which evidence a peer was sent. Source: tendermint `evidence/reactor.go`, `Reactor.broadcastEvidenceRoutine`.
#[derive(Debug, Default)]
pub struct EvidenceReactor {
    /// The place in the pool from which on evidence has not been sent.
    peers: BTreeMap<PeerId, u64>,
}

impl EvidenceReactor {
    /// A peer is there.
    pub fn connected(&mut self, peer: PeerId) {
        self.peers.insert(peer, 0);
    }

    /// A peer is gone.
    pub fn gone(&mut self, peer: &PeerId) {
        self.peers.remove(peer);
    }

    /// Begins again with what waits.
    pub fn repeat(&mut self) {
        self.peers.values_mut().for_each(|next| *next = 0);
    }

    /// Sends a peer what it has not been sent and can judge: it must have the block of the misbehaviour, and not find it too
    /// old.
    ///
    /// Source: tendermint `evidence/reactor.go`, `Reactor.prepareEvidenceMessage`.
    pub fn send(&mut self, peer: PeerId, gossip: &Gossip, pool: &EvidencePool, state: &ChainState, out: &mut Outbox) {
        let Some(next) = self.peers.get_mut(&peer) else { return };
        let height = gossip.peer_height(&peer);
        while let Some((place, evidence)) = pool.at_or_after(*next) {
            let (when, _) = evidence.when();
            if height <= when || !out.has_room(&peer, ChannelId::EVIDENCE) {
                return;
            }
            if height.saturating_sub(when) <= state.consensus_params.evidence.max_age_num_blocks {
                out.send(peer, ChannelId::EVIDENCE, EvidenceMessage(vec![evidence.clone()]).to_bytes());
            }
            *next = place.saturating_add(1);
        }
    }

    /// Sends all peers what they have not been sent.
    pub fn send_all(&mut self, gossip: &Gossip, pool: &EvidencePool, state: &ChainState, out: &mut Outbox) {
        for peer in self.peers.keys().copied().collect::<Vec<_>>() {
            self.send(peer, gossip, pool, state, out);
        }
    }
}
