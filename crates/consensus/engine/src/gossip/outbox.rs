//! Messages on their way out, and how many a peer may have on the way.

use std::{collections::BTreeMap, sync::Arc};

use crate::{messages::ChannelId, peer::PeerId};

/// A message to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// To whom.
    pub peer: PeerId,
    /// Over which channel.
    pub channel: ChannelId,
    /// What.
    pub bytes: Arc<[u8]>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct InFlight {
    messages: usize,
    bytes: usize,
}

/// Most messages and bytes of a channel that may be on the way to a peer before more is sent. A single message may go past
/// the bytes.
fn limit(channel: ChannelId) -> InFlight {
    let (messages, bytes) = match channel {
        ChannelId::STATE => (512, 1 << 18),
        ChannelId::DATA => (16, 1 << 19),
        ChannelId::VOTE => (256, 1 << 18),
        ChannelId::VOTE_SET_BITS => (16, 1 << 16),
        // Few, so that transactions go together.
        ChannelId::MEMPOOL => (2, 1 << 19),
        ChannelId::EVIDENCE => (4, 1 << 19),
        ChannelId::BLOCKCHAIN => (64, 1 << 22),
        ChannelId::SNAPSHOT => (16, 1 << 20),
        ChannelId::CHUNK => (4, 1 << 24),
        _ => (16, 1 << 16),
    };
    InFlight { messages, bytes }
}

/// What waits for the connections, and what the peers have room for.
#[derive(Debug, Default)]
pub struct Outbox {
    peers: BTreeMap<PeerId, BTreeMap<ChannelId, InFlight>>,
    messages: Vec<Outgoing>,
}

impl Outbox {
    /// A peer is there.
    pub fn connected(&mut self, peer: PeerId) {
        self.peers.insert(peer, BTreeMap::new());
    }

    /// A peer is gone, with all that was on the way to it.
    pub fn gone(&mut self, peer: &PeerId) {
        self.peers.remove(peer);
        self.messages.retain(|m| m.peer != *peer);
    }

    /// Whether another message may go to a peer.
    pub fn has_room(&self, peer: &PeerId, channel: ChannelId) -> bool {
        let most = limit(channel);
        self.peers.get(peer).is_some_and(|channels| {
            let now = channels.get(&channel).copied().unwrap_or_default();
            now.messages < most.messages && now.bytes < most.bytes
        })
    }

    /// Messages of a channel that are on the way to a peer.
    pub fn on_the_way(&self, peer: &PeerId, channel: ChannelId) -> usize {
        self.peers.get(peer).and_then(|channels| channels.get(&channel)).map_or(0, |now| now.messages)
    }

    /// Sends a message; nothing happens when the peer is not there.
    pub fn send(&mut self, peer: PeerId, channel: ChannelId, bytes: impl Into<Arc<[u8]>>) {
        let Some(channels) = self.peers.get_mut(&peer) else { return };
        let bytes = bytes.into();
        let now = channels.entry(channel).or_default();
        now.messages = now.messages.saturating_add(1);
        now.bytes = now.bytes.saturating_add(bytes.len());
        self.messages.push(Outgoing { peer, channel, bytes });
    }

    /// Sends a message if there is room for it; whether there was.
    pub fn try_send(&mut self, peer: PeerId, channel: ChannelId, bytes: impl Into<Arc<[u8]>>) -> bool {
        let room = self.has_room(&peer, channel);
        if room {
            self.send(peer, channel, bytes);
        }
        room
    }

    /// A message of so many bytes has left. Whether only now there is room again.
    pub fn sent(&mut self, peer: &PeerId, channel: ChannelId, bytes: usize) -> bool {
        let full = !self.has_room(peer, channel);
        if let Some(now) = self.peers.get_mut(peer).and_then(|channels| channels.get_mut(&channel)) {
            now.messages = now.messages.saturating_sub(1);
            now.bytes = now.bytes.saturating_sub(bytes);
        }
        full && self.has_room(peer, channel)
    }

    /// What was sent since the last call, in order.
    pub fn take(&mut self) -> Vec<Outgoing> {
        std::mem::take(&mut self.messages)
    }
}
