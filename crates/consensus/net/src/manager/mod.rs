//! Who is connected, who is dialed, who is refused.
//!
//! One task decides; each connection, each handshake and the listener are tasks of their own and only report to it. It never
//! waits for any of them. Source: tendermint `p2p/switch.go`, `Switch`.

mod dials;
mod exchange;
mod shared;
mod tasks;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    net::SocketAddr,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use oasis_consensus_engine::PeerId;
use oasis_primitives::signature::Signer;
use tokio::{
    net::TcpListener,
    sync::{mpsc, oneshot},
    task::JoinSet,
    time::{Instant, sleep_until, timeout},
};
use tracing::{debug, info, warn};

pub(crate) use shared::Shared;
use shared::{Peer, Pending};
use tasks::{NewPeer, Wires};

use crate::{
    address::{NetAddress, PeerAddress},
    book::AddressBook,
    mux::{ChannelDescriptor, Link, Stop},
    network::{NetConfig, NetEvents, NetworkHandle, Queued, StartError},
    pex::{PEX_DESCRIPTOR, Pex},
    reason::Reason,
    redial::Redial,
    rng::Rng,
    upgrade::UpgradeError,
};

/// The module's name in the log. Source: tendermint `node/node.go`, the logger of `p2p`.
const LOG: &str = "tendermint/p2p";
/// Events that wait for the user at most; beyond, peers wait.
const EVENTS: usize = 1024;
/// Reports of tasks that wait at most.
const REPORTS: usize = 256;
/// Time between two writes of the address book. Source: tendermint `p2p/pex/params.go`, `dumpAddressInterval`.
const SAVE_PERIOD: Duration = Duration::from_secs(120);
/// A peer that stayed shorter counts as a failed attempt.
const STAYED: Duration = Duration::from_secs(10);
/// Most time for connections to close when we shut down.
const FAREWELL: Duration = Duration::from_secs(3);

/// What the user asks for.
pub(crate) enum Command {
    Disconnect { peer: PeerId, reason: String, ban: bool },
    MarkGood(PeerId),
    AddAddresses(Vec<NetAddress>),
    Shutdown(oneshot::Sender<()>),
}

/// What tasks report.
pub(crate) enum Report {
    /// Somebody dialed us and shook hands, or not.
    Accepted { remote: SocketAddr, result: Result<Box<NewPeer>, UpgradeError>, pending: Pending },
    /// Somebody was dialed.
    Dialed { id: PeerId, address: Option<NetAddress>, result: Result<Box<NewPeer>, UpgradeError> },
    /// A second connection with a peer was held for a while; none where it was closed meanwhile.
    Held { remote: NetAddress, outbound: bool, peer: Option<Box<NewPeer>> },
    /// A peer sent a message of the exchange of addresses.
    Exchange { peer: PeerId, bytes: Bytes },
    /// A connection ended.
    Gone { peer: PeerId, reason: Reason },
}

/// Why somebody is dialed.
#[derive(Debug)]
enum Purpose {
    Persistent,
    Book,
    /// With the seeds to try next.
    Seed(VecDeque<PeerAddress>),
}

/// A peer that is always wanted.
struct Wanted {
    address: PeerAddress,
    redial: Redial,
    due: Option<Instant>,
}

struct Manager {
    config: Arc<NetConfig>,
    signer: Arc<dyn Signer>,
    shared: Arc<Shared>,
    reports: mpsc::Sender<Report>,
    events: mpsc::Sender<Queued>,
    connections: JoinSet<()>,
    dialing: BTreeMap<PeerId, Purpose>,
    /// Peers of whose two connections one is held until it is clear which stays.
    held: BTreeSet<PeerId>,
    /// Connections that take the place of ones that are just ending.
    successors: BTreeMap<PeerId, (NetAddress, NewPeer, bool)>,
    wanted: BTreeMap<PeerId, Wanted>,
    book: AddressBook,
    pex: Pex,
    rng: Rng,
    ensure_at: Option<Instant>,
    save_at: Instant,
}

/// Starts everything.
pub(crate) async fn start(
    config: NetConfig,
    signer: Arc<dyn Signer>,
    mut descriptors: Vec<ChannelDescriptor>,
) -> Result<(NetworkHandle, NetEvents), StartError> {
    if config.pex {
        descriptors.push(PEX_DESCRIPTOR);
    }
    let channels: Vec<u8> = descriptors.iter().map(|d| d.id).collect();
    if let Some((_, twice)) = channels.iter().enumerate().find(|(at, c)| channels.iter().take(*at).any(|d| d == *c)) {
        return Err(StartError::Channel(*twice));
    }
    let id = PeerId::of_key(&signer.public_key().0);
    let listener = match config.listen {
        Some(at) => Some(TcpListener::bind(at).await.map_err(|e| StartError::Listen(at, e))?),
        None => None,
    };
    let listening = listener.as_ref().and_then(|l| l.local_addr().ok());
    let info = config.node_info(id, listening, channels);
    info.check()?;
    let book = load_book(&config, id, listening, info.address())?;

    let (events, receiver) = mpsc::channel(EVENTS);
    let (reports, inbox) = mpsc::channel(REPORTS);
    let (commands, orders) = mpsc::unbounded_channel();
    let config = Arc::new(config);
    let shared = Arc::new(Shared::new(info, listening, descriptors));
    let mut rng = Rng::System;
    let now = Instant::now();
    let mut wanted = BTreeMap::new();
    for address in config.persistent_peers.iter().filter(|a| a.id != id) {
        let due = now.checked_add(rng.time_below(config.dial_jitter));
        wanted.insert(address.id, Wanted { address: address.clone(), redial: Redial::default(), due });
    }
    let manager = Manager {
        pex: Pex::new(config.ensure_peers_period),
        ensure_at: config.pex.then_some(now),
        save_at: now + SAVE_PERIOD,
        connections: JoinSet::new(),
        dialing: BTreeMap::new(),
        held: BTreeSet::new(),
        successors: BTreeMap::new(),
        signer,
        shared: shared.clone(),
        reports: reports.clone(),
        events,
        wanted,
        book,
        rng,
        config,
    };
    let accepting = listener.map(|listener| tokio::spawn(tasks::accept(listener, manager.wires())));
    tokio::spawn(async move {
        let done = manager.run(inbox, orders).await;
        if let Some(accepting) = accepting {
            accepting.abort();
            let _ = accepting.await;
        }
        if let Some(done) = done {
            let _ = done.send(());
        }
    });
    Ok((NetworkHandle { shared, commands }, NetEvents(receiver)))
}

fn load_book(config: &NetConfig, id: PeerId, listening: Option<SocketAddr>, told: Option<NetAddress>) -> Result<AddressBook, StartError> {
    let mut book = match &config.address_book {
        Some(path) => match AddressBook::load(path, config.address_book_strict) {
            Err(e @ crate::book::BookFileError::Content(..)) => {
                warn!(target: LOG, error = %e, "the address book is damaged: starting with an empty one");
                AddressBook::new(config.address_book_strict)
            }
            other => other?,
        },
        None => AddressBook::new(config.address_book_strict),
    };
    book.add_our_id(id);
    for address in listening.map(|socket| NetAddress::new(id, socket)).into_iter().chain(told) {
        book.add_our_address(address);
    }
    book.add_private(config.private_peer_ids.iter().copied());
    book.remove(&id);
    Ok(book)
}

impl Manager {
    fn wires(&self) -> Wires {
        Wires {
            config: self.config.clone(),
            signer: self.signer.clone(),
            shared: self.shared.clone(),
            reports: self.reports.clone(),
            events: self.events.clone(),
        }
    }

    async fn run(mut self, mut inbox: mpsc::Receiver<Report>, mut orders: mpsc::UnboundedReceiver<Command>) -> Option<oneshot::Sender<()>> {
        let done = loop {
            let due = self.wanted.values().filter_map(|w| w.due).chain(self.ensure_at).chain([self.save_at]).min();
            tokio::select! {
                order = orders.recv() => match order {
                    None => break None,
                    Some(Command::Shutdown(done)) => break Some(done),
                    Some(order) => self.obey(order),
                },
                Some(report) = inbox.recv() => self.hear(report),
                Some(_) = self.connections.join_next() => {}
                () = sleep_until(due.unwrap_or(self.save_at)) => self.tick(),
            }
        };
        self.farewell(inbox).await;
        done
    }

    fn tick(&mut self) {
        let now = Instant::now();
        self.dial_wanted(now);
        if self.ensure_at.is_some_and(|at| at <= now) {
            self.ensure_at = now.checked_add(self.config.ensure_peers_period);
            if self.config.seed_mode { self.crawl(now) } else { self.ensure_peers(now) }
        }
        if self.save_at <= now {
            self.save_at = now + SAVE_PERIOD;
            self.save();
        }
    }

    fn obey(&mut self, order: Command) {
        match order {
            Command::Disconnect { peer, reason, ban } => {
                if ban {
                    self.ban(peer, crate::pex::BAN);
                }
                self.drop_peer(&peer, Stop::Now(Reason::Asked(reason)));
            }
            Command::MarkGood(peer) => self.book.mark_good(&peer, unix_now()),
            Command::AddAddresses(addresses) => {
                let source = NetAddress { id: self.shared.info.id, ip: [127, 0, 0, 1].into(), port: 0 };
                for address in addresses {
                    self.book.remove(&address.id);
                    if let Err(e) = self.book.add(address, source, unix_now(), &mut self.rng) {
                        debug!(target: LOG, %address, error = %e, "address not taken");
                    }
                }
            }
            Command::Shutdown(_) => {}
        }
    }

    fn hear(&mut self, report: Report) {
        match report {
            Report::Accepted { remote, result, pending } => {
                drop(pending);
                match result {
                    Ok(peer) => self.admit_inbound(remote, *peer),
                    Err(e) => debug!(target: LOG, %remote, error = %e, "inbound connection refused"),
                }
            }
            Report::Dialed { id, address, result } => self.dialed(id, address, result),
            Report::Held { remote, outbound, peer } => self.settle(remote, outbound, peer),
            Report::Exchange { peer, bytes } => self.exchange(peer, &bytes),
            Report::Gone { peer, reason } => self.gone(peer, &reason),
        }
    }

    /// Source: `acceptRoutine`.
    fn admit_inbound(&mut self, remote: SocketAddr, peer: NewPeer) {
        let id = peer.info.id;
        if self.is_twin(&id, false) {
            self.hold(NetAddress::new(id, remote), peer, false);
            return;
        }
        let refused = if !self.config.unconditional_peer_ids.contains(&id) && self.shared.count(&self.config).1 >= self.config.max_inbound {
            Some("enough inbound peers")
        } else {
            self.refusal(&id, &remote)
        };
        if let Some(reason) = refused {
            debug!(target: LOG, peer = %id, %remote, reason, "inbound peer refused");
            return;
        }
        self.add(NetAddress::new(id, remote), peer, false);
    }

    /// Why somebody may not become a peer. Source: `filterPeer`, tendermint `p2p/transport.go`, `ConnDuplicateIPFilter`.
    fn refusal(&self, id: &PeerId, remote: &SocketAddr) -> Option<&'static str> {
        if self.is_banned(id) {
            return Some("banned");
        }
        if self.shared.is_connected(id) {
            return Some("already connected");
        }
        if !self.config.allow_duplicate_ip && self.shared.has_ip(&remote.ip().to_canonical()) {
            return Some("a peer has the same IP address");
        }
        None
    }

    /// Whether a connection is the second with a peer because both dialed at the same time.
    ///
    /// The original keeps whichever it sees first, so that both may be closed. Here the second is held for a moment: where the
    /// peer closes one of them the other stays, else the one that the higher name dialed.
    fn is_twin(&self, id: &PeerId, outbound: bool) -> bool {
        let fresh = |peer: Peer| peer.outbound != outbound && peer.since.elapsed() < self.config.handshake_timeout;
        !self.held.contains(id) && !self.successors.contains_key(id) && self.shared.get(id).is_some_and(fresh)
    }

    fn hold(&mut self, remote: NetAddress, peer: NewPeer, outbound: bool) {
        debug!(target: LOG, peer = %remote.id, %remote, outbound, "both dialed: the second connection is held");
        self.held.insert(remote.id);
        tokio::spawn(tasks::hold(self.wires(), remote, peer, outbound));
    }

    fn settle(&mut self, remote: NetAddress, outbound: bool, peer: Option<Box<NewPeer>>) {
        let id = remote.id;
        self.held.remove(&id);
        let Some(peer) = peer else { return };
        if !self.shared.is_connected(&id) {
            if self.refusal(&id, &remote.socket()).is_none() {
                self.add(remote, *peer, outbound);
            }
        } else if outbound == (self.shared.info.id > id) {
            self.successors.insert(id, (remote, *peer, outbound));
            self.drop_peer(&id, Stop::Now(Reason::Asked("both dialed: the other connection stays".to_owned())));
        }
    }

    /// Source: `addPeer`.
    fn add(&mut self, remote: NetAddress, peer: NewPeer, outbound: bool) {
        let id = remote.id;
        let persistent = self.wanted.contains_key(&id);
        let link = Arc::new(Link::new(&self.shared.descriptors, &self.config.connection));
        let info = peer.info.clone();
        let entry = Peer { link: link.clone(), info: info.clone(), remote, outbound, persistent, since: Instant::now() };
        self.shared.insert(id, entry);
        info!(target: LOG, peer = %id, %remote, outbound, persistent, moniker = %info.moniker, "peer connected");
        self.connections.spawn(tasks::serve(self.wires(), link, peer, outbound, persistent));
        self.greet(&id, &info, outbound);
    }

    fn gone(&mut self, id: PeerId, reason: &Reason) {
        let Some(peer) = self.shared.remove(&id) else { return };
        info!(target: LOG, peer = %id, reason = %reason, "peer gone");
        self.pex.gone(&id);
        if let Some((remote, successor, outbound)) = self.successors.remove(&id)
            && !reason.is_fault()
        {
            self.add(remote, successor, outbound);
            return;
        }
        if reason.is_fault() {
            self.ban(id, self.config.ban);
        }
        let (now, jitter, longest) = (Instant::now(), self.config.dial_jitter, self.config.persistent_peers_max_dial_period);
        if let Some(wanted) = self.wanted.get_mut(&id) {
            let wait = if now.saturating_duration_since(peer.since) < STAYED {
                wanted.redial.failed(longest, jitter, &mut self.rng)
            } else {
                wanted.redial.succeeded();
                self.rng.time_below(jitter)
            };
            wanted.due = now.checked_add(wait);
        }
    }

    fn drop_peer(&self, id: &PeerId, how: Stop) {
        if let Some(link) = self.shared.link(id) {
            link.stop(how);
        }
    }

    /// Nodes that the configuration wants are not banned.
    fn ban(&mut self, id: PeerId, time: Duration) {
        if self.wanted.contains_key(&id) || self.config.unconditional_peer_ids.contains(&id) {
            return;
        }
        let now = unix_now();
        let until = now.saturating_add(i64::try_from(time.as_secs()).unwrap_or(i64::MAX));
        info!(target: LOG, peer = %id, seconds = time.as_secs(), "peer banned");
        self.book.ban(id, until, now);
    }

    fn is_banned(&self, id: &PeerId) -> bool {
        self.book.is_banned(id, unix_now())
    }

    fn save(&mut self) {
        let Some(path) = self.config.address_book.clone() else { return };
        if !self.book.take_changed() {
            return;
        }
        let text = self.book.to_text();
        tokio::task::spawn_blocking(move || {
            if let Err(e) = AddressBook::write(&path, &text) {
                warn!(target: LOG, error = %e, "the address book was not kept");
            }
        });
    }

    /// Source: `OnStop`.
    async fn farewell(mut self, mut inbox: mpsc::Receiver<Report>) {
        self.shared.stop_all();
        let closed = async {
            while !self.connections.is_empty() {
                tokio::select! {
                    Some(_) = self.connections.join_next() => {}
                    Some(_) = inbox.recv() => {}
                }
            }
        };
        let _ = timeout(FAREWELL, closed).await;
        self.connections.shutdown().await;
        self.shared.clear();
        if let Some(path) = self.config.address_book.clone()
            && let Err(e) = AddressBook::write(&path, &self.book.to_text())
        {
            warn!(target: LOG, error = %e, "the address book was not kept");
        }
    }
}

/// Unix seconds.
fn unix_now() -> i64 {
    let passed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(passed.as_secs()).unwrap_or(i64::MAX)
}
