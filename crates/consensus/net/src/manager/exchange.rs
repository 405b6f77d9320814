//! The exchange of addresses at work.
//!
//! Source: tendermint `p2p/pex/pex_reactor.go`.

use std::time::Duration;

use bytes::Bytes;
use oasis_consensus_engine::PeerId;
use tokio::time::Instant;
use tracing::debug;

use super::{LOG, Manager, unix_now};
use crate::{
    mux::Stop,
    node_info::NodeInfo,
    pex::{BAN, Exchange, PEX_CHANNEL, PexFault, SEED_NEW_PERCENT},
    reason::Reason,
};

/// A seed visits a node that introduced itself after this time.
const NEWCOMER: Duration = Duration::from_secs(1);

impl Manager {
    /// A peer is there: those that we dialed are asked, those that dialed us are noted. Source: `AddPeer`.
    pub(super) fn greet(&mut self, id: &PeerId, info: &NodeInfo, outbound: bool) {
        if !self.config.pex {
            return;
        }
        if outbound {
            if self.book.needs_more() || self.config.seed_mode {
                self.ask(*id);
            }
        } else if let Some(address) = info.address() {
            match self.book.add(address, address, unix_now(), &mut self.rng) {
                // A seed does not keep those who are new waiting until its next round: a small network gets going sooner.
                Ok(_) if self.config.seed_mode && !self.pex.is_visited(id) => {
                    let soon = Instant::now() + NEWCOMER;
                    self.ensure_at = self.ensure_at.map(|at| at.min(soon));
                }
                Ok(_) => {}
                Err(e) => debug!(target: LOG, %address, error = %e, "address not taken"),
            }
        }
    }

    fn ask(&mut self, peer: PeerId) {
        if self.pex.ask(peer) && self.shared.send(&peer, PEX_CHANNEL, Exchange::Request.encode()).is_err() {
            self.pex.gone(&peer);
        }
    }

    /// A message came. Source: `Receive`.
    pub(super) fn exchange(&mut self, peer: PeerId, bytes: &Bytes) {
        if let Err(fault) = self.try_exchange(peer, bytes) {
            self.ban(peer, BAN);
            self.drop_peer(&peer, Stop::Now(Reason::fault(fault)));
        }
    }

    fn try_exchange(&mut self, id: PeerId, bytes: &Bytes) -> Result<(), PexFault> {
        let Some(peer) = self.shared.get(&id) else { return Ok(()) };
        let now = Instant::now();
        match Exchange::decode(bytes)? {
            Exchange::Request if self.config.seed_mode && !peer.outbound => {
                if self.pex.first_request(id, now) {
                    let selection = self.book.selection_with_bias(SEED_NEW_PERCENT, &mut self.rng);
                    let _ = self.shared.send(&id, PEX_CHANNEL, Exchange::Addresses(selection).encode());
                    self.drop_peer(&id, Stop::AfterSending(Reason::Asked("a seed tells its addresses and leaves".to_owned())));
                }
            }
            Exchange::Request => {
                self.pex.requested(id, now)?;
                let selection = self.book.selection(&mut self.rng);
                let _ = self.shared.send(&id, PEX_CHANNEL, Exchange::Addresses(selection).encode());
            }
            Exchange::Addresses(addresses) => {
                self.pex.answered(&id)?;
                let source = peer.info.address().unwrap_or(peer.remote);
                let mut taken = Vec::new();
                for address in addresses {
                    match self.book.add(address, source, unix_now(), &mut self.rng) {
                        Ok(_) => taken.push(address),
                        Err(e) => debug!(target: LOG, %address, error = %e, "address not taken"),
                    }
                }
                // What a seed tells is used at once.
                if !self.config.seed_mode && self.config.seeds.iter().any(|seed| seed.id == id) {
                    self.rng.shuffle(&mut taken);
                    taken.retain(|address| !self.is_busy(address));
                    taken.truncate(self.missing().1);
                    self.dial_known(taken, now);
                }
            }
        }
        Ok(())
    }

    /// Dials where peers are missing; asks where addresses are. Source: `ensurePeers`.
    pub(super) fn ensure_peers(&mut self, now: Instant) {
        let (outbound, missing) = self.missing();
        if missing == 0 {
            return;
        }
        let mut rng = std::mem::replace(&mut self.rng, crate::rng::Rng::System);
        let chosen = self.pex.choose(&self.book, outbound, missing, |address| self.is_busy(address), now, &mut rng);
        self.rng = rng;
        let dialed = self.dial_known(chosen, now);
        if !self.book.needs_more() {
            return;
        }
        self.book.reinstate(unix_now());
        let peers = self.shared.ids();
        if let Some(peer) = peers.get(self.rng.below(peers.len())) {
            self.ask(*peer);
        }
        if dialed == 0 {
            self.dial_seeds();
        }
    }

    /// What a seed does instead: visits nodes, leaves those it was with for long. Source: `crawlPeersRoutine`, `attemptDisconnects`.
    pub(super) fn crawl(&mut self, now: Instant) {
        if let Some(before) = now.checked_sub(self.config.seed_disconnect_after) {
            for id in self.shared.older(before) {
                self.drop_peer(&id, Stop::AfterSending(Reason::Asked("a seed does not stay".to_owned())));
            }
        }
        self.book.reinstate(unix_now());
        let selection = self.book.selection(&mut self.rng);
        if selection.is_empty() {
            self.dial_seeds();
            return;
        }
        let visits = self.pex.visit(selection, now);
        self.dial_known(visits, now);
    }
}
