//! What the network's tasks and its user look at together.

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use oasis_consensus_engine::PeerId;
use tokio::time::Instant;

use crate::{
    address::NetAddress,
    mux::{ChannelDescriptor, Link, SendError, Stop},
    network::{NetConfig, PeerSnapshot},
    node_info::NodeInfo,
    reason::Reason,
};

pub(crate) struct Shared {
    pub info: NodeInfo,
    pub listening: Option<SocketAddr>,
    pub descriptors: Vec<ChannelDescriptor>,
    peers: Mutex<BTreeMap<PeerId, Peer>>,
    /// Handshakes of those that dialed us, by IP address.
    pending: Mutex<BTreeMap<IpAddr, usize>>,
}

#[derive(Clone)]
pub(super) struct Peer {
    pub link: Arc<Link>,
    pub info: NodeInfo,
    pub remote: NetAddress,
    pub outbound: bool,
    pub persistent: bool,
    pub since: Instant,
}

/// A handshake in progress, counted until it is dropped.
pub(crate) struct Pending {
    shared: Arc<Shared>,
    ip: IpAddr,
}

impl Drop for Pending {
    fn drop(&mut self) {
        let mut pending = lock(&self.shared.pending);
        let left = pending.get(&self.ip).map_or(0, |n| n.saturating_sub(1));
        match left {
            0 => pending.remove(&self.ip),
            left => pending.insert(self.ip, left),
        };
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    pub fn new(info: NodeInfo, listening: Option<SocketAddr>, descriptors: Vec<ChannelDescriptor>) -> Self {
        Self { info, listening, descriptors, peers: Mutex::default(), pending: Mutex::default() }
    }

    pub fn send(&self, peer: &PeerId, channel: u8, bytes: Bytes) -> Result<(), SendError> {
        let link = {
            let peers = lock(&self.peers);
            let peer = peers.get(peer).ok_or(SendError::NotConnected)?;
            // Source: tendermint `p2p/peer.go`, `hasChannel`.
            if !peer.info.channels.contains(&channel) {
                return Err(SendError::PeerLacksChannel(channel));
            }
            peer.link.clone()
        };
        link.send(channel, bytes)
    }

    pub fn snapshot(&self) -> Vec<PeerSnapshot> {
        let peers = lock(&self.peers).clone();
        let snapshot = |(id, peer): (PeerId, Peer)| {
            let (bytes_sent, bytes_received) = peer.link.traffic();
            PeerSnapshot {
                id,
                remote: peer.remote,
                outbound: peer.outbound,
                persistent: peer.persistent,
                connected_for: peer.since.elapsed(),
                bytes_sent,
                bytes_received,
                bytes_waiting: peer.link.waiting(),
                info: peer.info,
            }
        };
        peers.into_iter().map(snapshot).collect()
    }

    /// Counts a handshake with somebody who dialed us; none where there are too many from one place.
    pub fn begin(self: &Arc<Self>, ip: IpAddr, most: usize) -> Option<Pending> {
        let mut pending = lock(&self.pending);
        let count = pending.entry(ip).or_insert(0);
        if *count >= most {
            return None;
        }
        *count = count.saturating_add(1);
        drop(pending);
        Some(Pending { shared: self.clone(), ip })
    }

    /// Peers that we dialed and that dialed us, without the unconditional. Source: tendermint `p2p/switch.go`, `NumPeers`.
    pub fn count(&self, config: &NetConfig) -> (usize, usize) {
        let peers = lock(&self.peers);
        let counted = peers.iter().filter(|(id, _)| !config.unconditional_peer_ids.contains(id));
        let outbound = counted.clone().filter(|(_, p)| p.outbound).count();
        (outbound, counted.count().saturating_sub(outbound))
    }

    pub(super) fn insert(&self, id: PeerId, peer: Peer) {
        lock(&self.peers).insert(id, peer);
    }

    pub(super) fn remove(&self, id: &PeerId) -> Option<Peer> {
        lock(&self.peers).remove(id)
    }

    pub(super) fn get(&self, id: &PeerId) -> Option<Peer> {
        lock(&self.peers).get(id).cloned()
    }

    pub fn link(&self, id: &PeerId) -> Option<Arc<Link>> {
        lock(&self.peers).get(id).map(|p| p.link.clone())
    }

    pub fn is_connected(&self, id: &PeerId) -> bool {
        lock(&self.peers).contains_key(id)
    }

    pub fn has_ip(&self, ip: &IpAddr) -> bool {
        lock(&self.peers).values().any(|p| p.remote.ip == *ip)
    }

    pub fn ids(&self) -> Vec<PeerId> {
        lock(&self.peers).keys().copied().collect()
    }

    /// Peers that are there since before a time and that nobody wants always.
    pub fn older(&self, than: Instant) -> Vec<PeerId> {
        lock(&self.peers).iter().filter(|(_, p)| p.since < than && !p.persistent).map(|(id, _)| *id).collect()
    }

    pub fn stop_all(&self) {
        for peer in lock(&self.peers).values() {
            peer.link.stop(Stop::AfterSending(Reason::Shutdown));
        }
    }

    pub fn clear(&self) {
        lock(&self.peers).clear();
    }
}
