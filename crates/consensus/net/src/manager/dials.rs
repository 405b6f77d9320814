//! Whom to dial, and what came of it.

use std::collections::VecDeque;

use oasis_consensus_engine::PeerId;
use tokio::time::Instant;
use tracing::{debug, info};

use super::{LOG, Manager, Purpose, tasks, unix_now};
use crate::{
    address::{NetAddress, PeerAddress},
    pex::{BAN, MayDial},
    upgrade::UpgradeError,
};

impl Manager {
    /// Whether a node is a peer or about to be one, or shares its IP address with one. Source: `IsDialingOrExistingAddress`.
    pub(super) fn is_busy(&self, address: &NetAddress) -> bool {
        self.is_known(&address.id) || (!self.config.allow_duplicate_ip && self.shared.has_ip(&address.ip))
    }

    fn is_known(&self, id: &PeerId) -> bool {
        *id == self.shared.info.id || self.dialing.contains_key(id) || self.shared.is_connected(id)
    }

    /// Dials the persistent peers that are due. Source: `reconnectToPeer`.
    pub(super) fn dial_wanted(&mut self, now: Instant) {
        let mut targets = Vec::new();
        for (id, wanted) in &mut self.wanted {
            if wanted.due.is_some_and(|due| due <= now) {
                wanted.due = None;
                targets.push((*id, wanted.address.clone()));
            }
        }
        for (id, address) in targets {
            if self.shared.is_connected(&id) {
                continue;
            }
            match self.dialing.get_mut(&id) {
                Some(purpose) => *purpose = Purpose::Persistent,
                None => self.dial(address, Purpose::Persistent),
            }
        }
    }

    fn dial(&mut self, address: PeerAddress, purpose: Purpose) {
        debug!(target: LOG, %address, ?purpose, "dialing");
        self.dialing.insert(address.id, purpose);
        tokio::spawn(tasks::dial(self.wires(), address));
    }

    /// Dials addresses of the book, as many as peers are missing. Source: `dialPeer`.
    pub(super) fn dial_known(&mut self, addresses: Vec<NetAddress>, now: Instant) -> usize {
        let mut dialed = 0usize;
        for address in addresses {
            if self.is_busy(&address) || self.is_banned(&address.id) {
                continue;
            }
            match self.pex.may_dial(&address, now, &mut self.rng) {
                MayDial::Yes => {
                    self.dial(address.into(), Purpose::Book);
                    dialed = dialed.saturating_add(1);
                }
                MayDial::TooEarly => self.pex.not_visited(&address.id),
                MayDial::Never => {
                    self.pex.dial_succeeded(&address.socket());
                    self.ban(address.id, BAN);
                }
            }
        }
        dialed
    }

    /// Outbound peers that are missing, those being dialed counted as there.
    pub(super) fn missing(&self) -> (usize, usize) {
        let (outbound, _) = self.shared.count(&self.config);
        (outbound, self.config.max_outbound.saturating_sub(outbound.saturating_add(self.dialing.len())))
    }

    /// Tries the seeds in random order until one answers. Source: `dialSeeds`.
    pub(super) fn dial_seeds(&mut self) {
        if self.config.seeds.iter().any(|seed| seed.id != self.shared.info.id && self.is_known(&seed.id)) {
            return;
        }
        let mut seeds = self.config.seeds.clone();
        self.rng.shuffle(&mut seeds);
        self.next_seed(seeds.into());
    }

    fn next_seed(&mut self, mut seeds: VecDeque<PeerAddress>) {
        while let Some(seed) = seeds.pop_front() {
            if !self.is_known(&seed.id) && !self.is_banned(&seed.id) {
                self.dial(seed, Purpose::Seed(seeds));
                return;
            }
        }
    }

    /// Somebody was dialed. Source: `addOutboundPeerWithConfig`, `markAddrInBookBasedOnErr`.
    pub(super) fn dialed(&mut self, id: PeerId, address: Option<NetAddress>, result: Result<Box<tasks::NewPeer>, UpgradeError>) {
        let now = Instant::now();
        let purpose = self.dialing.remove(&id);
        let error = match (result, address) {
            (Ok(peer), Some(address)) if self.is_twin(&id, true) => {
                self.hold(address, *peer, true);
                return;
            }
            (Ok(peer), Some(address)) => match self.refusal(&id, &address.socket()) {
                None => {
                    self.pex.dial_succeeded(&address.socket());
                    self.add(address, *peer, true);
                    return;
                }
                // Only what was there first stays; a persistent peer is tried again later.
                Some(reason) => reason.to_owned(),
            },
            (Ok(_), None) => "no address".to_owned(),
            (Err(e), _) => {
                if let (UpgradeError::Ourselves, Some(address)) = (&e, address) {
                    self.book.remove(&id);
                    self.book.add_our_address(address);
                }
                e.to_string()
            }
        };
        let persistent = self.wanted.contains_key(&id);
        if persistent {
            info!(target: LOG, peer = %id, reason = %error, "persistent peer not reached");
        } else {
            debug!(target: LOG, peer = %id, reason = %error, "peer not reached");
        }
        if let Some(address) = address
            && !self.shared.is_connected(&id)
        {
            self.book.mark_attempt(&id, unix_now());
            self.pex.dial_failed(&address, now);
        }
        let longest = self.config.persistent_peers_max_dial_period;
        if let Some(wanted) = self.wanted.get_mut(&id)
            && !self.shared.is_connected(&id)
        {
            wanted.due = now.checked_add(wanted.redial.failed(longest, self.config.dial_jitter, &mut self.rng));
        }
        if let Some(Purpose::Seed(rest)) = purpose {
            self.next_seed(rest);
        }
    }
}
