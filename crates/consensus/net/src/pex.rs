//! The exchange of addresses: messages and rules, without sockets or clocks.
//!
//! Source: tendermint `p2p/pex/pex_reactor.go`, `Reactor`.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    time::Duration,
};

use bytes::Bytes;
use oasis_consensus_engine::PeerId;
use prost::Message;
use thiserror::Error;
use tokio::time::Instant;

use crate::{
    address::{AddressError, NetAddress},
    book::{AddressBook, MAX_SELECTION},
    mux::ChannelDescriptor,
    rng::Rng,
    wire::{PexAddrs, PexMessage, PexSum, PingPong, WireError, decode},
};

/// The channel. Source: `PexChannel`.
pub const PEX_CHANNEL: u8 = 0;
/// Time between two looks at whether there are enough peers. Source: `defaultEnsurePeersPeriod`.
pub const ENSURE_PEERS_PERIOD: Duration = Duration::from_secs(30);
/// Time between two visits of a seed to the same node. Source: `minTimeBetweenCrawls`.
const CRAWL_PERIOD: Duration = Duration::from_secs(120);
/// Failed attempts after which a node is banned. Source: `maxAttemptsToDial`.
const MAX_ATTEMPTS: u32 = 16;
/// Share of new addresses that a seed tells, in percent. Source: `biasToSelectNewPeers`.
pub(crate) const SEED_NEW_PERCENT: usize = 30;
/// How long nodes are banned that abuse the exchange. Source: `defaultBanTime`.
pub(crate) const BAN: Duration = Duration::from_secs(24 * 3600);
/// Addresses whose failures are remembered.
const MAX_REMEMBERED: usize = 4096;

/// The channel's limits. Source: `GetChannels`.
pub const PEX_DESCRIPTOR: ChannelDescriptor = ChannelDescriptor {
    id: PEX_CHANNEL,
    priority: 1,
    send_queue_capacity: 10,
    recv_buffer_capacity: 4096,
    recv_message_capacity: 256 * MAX_SELECTION,
};

/// A message of the exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exchange {
    /// Whom do you know?
    Request,
    /// These.
    Addresses(Vec<NetAddress>),
}

/// What a peer did wrong.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum PexFault {
    /// Not a message.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// A message of no kind.
    #[error("exchange of addresses: a message of no kind")]
    Empty,
    /// Not an address.
    #[error("exchange of addresses: {0}")]
    Address(#[from] AddressError),
    /// More addresses than anybody sends.
    #[error("exchange of addresses: {0} addresses, at most 250 are sent")]
    TooMany(usize),
    /// Nobody asked.
    #[error("exchange of addresses: addresses that nobody asked for")]
    Unsolicited,
    /// Asked again too soon.
    #[error("exchange of addresses: asked again too soon")]
    TooSoon,
}

impl Exchange {
    /// As bytes.
    pub fn encode(&self) -> Bytes {
        let sum = match self {
            Self::Request => PexSum::Request(PingPong {}),
            Self::Addresses(list) => PexSum::Addrs(PexAddrs { addrs: list.iter().map(|a| a.to_message()).collect() }),
        };
        PexMessage { sum: Some(sum) }.encode_to_vec().into()
    }

    /// From bytes. Source: `decodeMsg`, tendermint `p2p/netaddress.go`, `NetAddressesFromProto`.
    pub fn decode(bytes: &Bytes) -> Result<Self, PexFault> {
        match decode::<PexMessage>(bytes, "exchange of addresses")?.sum {
            None => Err(PexFault::Empty),
            Some(PexSum::Request(_)) => Ok(Self::Request),
            Some(PexSum::Addrs(PexAddrs { addrs })) if addrs.len() > MAX_SELECTION => Err(PexFault::TooMany(addrs.len())),
            Some(PexSum::Addrs(PexAddrs { addrs })) => {
                Ok(Self::Addresses(addrs.iter().map(NetAddress::from_message).collect::<Result<_, _>>()?))
            }
        }
    }
}

/// Whether to dial now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MayDial {
    Yes,
    TooEarly,
    /// It failed too often.
    Never,
}

/// What is remembered of the exchange.
#[derive(Debug)]
pub(crate) struct Pex {
    /// Least time between two requests of a peer. Source: `minReceiveRequestInterval`.
    least_interval: Duration,
    asked: BTreeSet<PeerId>,
    /// None for a peer whose next request is free.
    requests: BTreeMap<PeerId, Option<Instant>>,
    failures: BTreeMap<SocketAddr, (u32, Instant)>,
    visited: BTreeMap<PeerId, Instant>,
}

impl Pex {
    pub fn new(ensure_peers_period: Duration) -> Self {
        Self {
            least_interval: ensure_peers_period / 3,
            asked: BTreeSet::new(),
            requests: BTreeMap::new(),
            failures: BTreeMap::new(),
            visited: BTreeMap::new(),
        }
    }

    /// Whether to ask a peer: not while an answer is awaited. Source: `RequestAddrs`.
    pub fn ask(&mut self, peer: PeerId) -> bool {
        self.asked.insert(peer)
    }

    /// An answer came. Source: `ReceiveAddrs`.
    pub fn answered(&mut self, peer: &PeerId) -> Result<(), PexFault> {
        if self.asked.remove(peer) { Ok(()) } else { Err(PexFault::Unsolicited) }
    }

    /// A request came: the first two are free, then there must be some time between. Source: `receiveRequest`.
    pub fn requested(&mut self, peer: PeerId, now: Instant) -> Result<(), PexFault> {
        match self.requests.get_mut(&peer) {
            None => {
                self.requests.insert(peer, None);
            }
            Some(last) => {
                if last.is_some_and(|last| now.saturating_duration_since(last) < self.least_interval) {
                    return Err(PexFault::TooSoon);
                }
                *last = Some(now);
            }
        }
        Ok(())
    }

    /// The first request to a seed, which answers no second one.
    pub fn first_request(&mut self, peer: PeerId, now: Instant) -> bool {
        self.requests.insert(peer, Some(now)).is_none()
    }

    /// A peer is gone.
    pub fn gone(&mut self, peer: &PeerId) {
        self.asked.remove(peer);
        self.requests.remove(peer);
    }

    /// Whether to dial an address: the wait doubles with every failure. Source: `dialPeer`.
    pub fn may_dial(&self, address: &NetAddress, now: Instant, rng: &mut Rng) -> MayDial {
        let Some((failed, last)) = self.failures.get(&address.socket()) else { return MayDial::Yes };
        if *failed > MAX_ATTEMPTS {
            return MayDial::Never;
        }
        let wait = Duration::from_secs(1u64 << (*failed).min(MAX_ATTEMPTS)).saturating_add(rng.time_below(Duration::from_secs(1)));
        if now.saturating_duration_since(*last) < wait { MayDial::TooEarly } else { MayDial::Yes }
    }

    /// An address failed.
    pub fn dial_failed(&mut self, address: &NetAddress, now: Instant) {
        if self.failures.len() >= MAX_REMEMBERED
            && let Some(oldest) = self.failures.iter().min_by_key(|(_, (_, last))| *last).map(|(socket, _)| *socket)
        {
            self.failures.remove(&oldest);
        }
        let entry = self.failures.entry(address.socket()).or_insert((0, now));
        *entry = (entry.0.saturating_add(1), now);
        self.not_visited(&address.id);
    }

    /// An address did not fail.
    pub fn dial_succeeded(&mut self, socket: &SocketAddr) {
        self.failures.remove(socket);
    }

    /// Addresses to dial for the missing peers. Source: `ensurePeers`.
    pub fn choose(
        &self,
        book: &AddressBook,
        outbound: usize,
        missing: usize,
        skip: impl Fn(&NetAddress) -> bool,
        now: Instant,
        rng: &mut Rng,
    ) -> Vec<NetAddress> {
        let new_percent = (outbound.min(8) as u32).saturating_mul(10).saturating_add(10);
        let mut chosen = BTreeMap::new();
        for _ in 0..missing.saturating_mul(3) {
            if chosen.len() >= missing {
                break;
            }
            let Some(address) = book.pick(new_percent, rng) else { break };
            if !skip(&address) && self.may_dial(&address, now, rng) != MayDial::TooEarly {
                chosen.insert(address.id, address);
            }
        }
        chosen.into_values().collect()
    }

    /// Takes back that a seed visited a node.
    pub fn not_visited(&mut self, id: &PeerId) {
        self.visited.remove(id);
    }

    /// Whether a seed visited a node lately.
    pub fn is_visited(&self, id: &PeerId) -> bool {
        self.visited.contains_key(id)
    }

    /// Addresses that a seed visits now. Source: `crawlPeers`, `cleanupCrawlPeerInfos`.
    pub fn visit(&mut self, addresses: Vec<NetAddress>, now: Instant) -> Vec<NetAddress> {
        self.visited.retain(|_, last| now.saturating_duration_since(*last) < CRAWL_PERIOD);
        addresses.into_iter().filter(|a| !self.visited.contains_key(&a.id) && self.visited.insert(a.id, now).is_none()).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::rng::Rng;

    fn address(n: u8) -> NetAddress {
        NetAddress { id: PeerId([n; 20]), ip: std::net::Ipv4Addr::new(8, n, 0, 1).into(), port: 1 }
    }

    #[test]
    fn only_asked_for_addresses_are_taken_and_only_once() {
        let mut pex = Pex::new(ENSURE_PEERS_PERIOD);
        let peer = PeerId([1; 20]);
        assert_eq!(pex.answered(&peer), Err(PexFault::Unsolicited));
        assert!(pex.ask(peer) && !pex.ask(peer));
        assert_eq!(pex.answered(&peer), Ok(()));
        assert_eq!(pex.answered(&peer), Err(PexFault::Unsolicited));
    }

    #[test]
    fn requests_need_time_between_them() {
        let (mut pex, peer, now) = (Pex::new(ENSURE_PEERS_PERIOD), PeerId([1; 20]), Instant::now());
        assert_eq!((pex.requested(peer, now), pex.requested(peer, now)), (Ok(()), Ok(())));
        assert_eq!(pex.requested(peer, now + Duration::from_secs(9)), Err(PexFault::TooSoon));
        assert_eq!(pex.requested(peer, now + Duration::from_secs(10)), Ok(()));
        pex.gone(&peer);
        assert_eq!(pex.requested(peer, now), Ok(()));
    }

    #[test]
    fn a_failing_address_is_tried_ever_less_often_and_then_no_more() {
        let (mut pex, mut rng, mut now) = (Pex::new(ENSURE_PEERS_PERIOD), Rng::Seeded(1), Instant::now());
        assert_eq!(pex.may_dial(&address(1), now, &mut rng), MayDial::Yes);
        for failed in 1..=16 {
            pex.dial_failed(&address(1), now);
            assert_eq!(
                pex.may_dial(&address(1), now + Duration::from_secs(1 << failed) - Duration::from_secs(1), &mut rng),
                MayDial::TooEarly
            );
            now += Duration::from_secs((1 << failed) + 1);
            assert_eq!(pex.may_dial(&address(1), now, &mut rng), MayDial::Yes);
        }
        pex.dial_failed(&address(1), now);
        assert_eq!(pex.may_dial(&address(1), now, &mut rng), MayDial::Never);
        pex.dial_succeeded(&address(1).socket());
        assert_eq!(pex.may_dial(&address(1), now, &mut rng), MayDial::Yes);
    }

    #[test]
    fn failures_of_endless_addresses_are_bounded() {
        let (mut pex, now) = (Pex::new(ENSURE_PEERS_PERIOD), Instant::now());
        for n in 0..MAX_REMEMBERED as u32 + 10 {
            let ip = std::net::Ipv4Addr::from(n).into();
            pex.dial_failed(&NetAddress { ip, ..address(1) }, now + Duration::from_secs(n.into()));
        }
        assert_eq!(pex.failures.len(), MAX_REMEMBERED);
    }

    #[test]
    fn a_seed_visits_a_node_once_in_two_minutes() {
        let (mut pex, now) = (Pex::new(ENSURE_PEERS_PERIOD), Instant::now());
        assert_eq!(pex.visit(vec![address(1), address(2)], now).len(), 2);
        assert_eq!(pex.visit(vec![address(1), address(3)], now + Duration::from_secs(119)), [address(3)]);
        assert_eq!(pex.visit(vec![address(1)], now + Duration::from_secs(120)), [address(1)]);
        // One that was not there has not been visited.
        pex.dial_failed(&address(3), now);
        assert!(!pex.is_visited(&address(3).id) && pex.is_visited(&address(1).id));
    }

    proptest! {
        #[test]
        fn messages_come_back(ns in prop::collection::vec(any::<u8>(), 0..20)) {
            let message = Exchange::Addresses(ns.into_iter().map(address).collect());
            prop_assert_eq!(Exchange::decode(&message.encode()), Ok(message));
        }

        #[test]
        fn any_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            let _ = Exchange::decode(&bytes.into());
        }
    }

    #[test]
    fn what_nobody_sends_is_refused() {
        assert_eq!(Exchange::decode(&Bytes::new()), Err(PexFault::Empty));
        let many = Exchange::Addresses(vec![address(1); 251]).encode();
        assert_eq!(Exchange::decode(&many), Err(PexFault::TooMany(251)));
        let port = PexSum::Addrs(PexAddrs { addrs: vec![crate::wire::NetAddressMessage { port: 65_536, ..address(1).to_message() }] });
        let port = PexMessage { sum: Some(port) }.encode_to_vec().into();
        assert!(matches!(Exchange::decode(&port), Err(PexFault::Address(_))));
        assert_eq!(Exchange::decode(&Exchange::Request.encode()), Ok(Exchange::Request));
    }
}
