//! The network as its user sees it: start it, hear of peers and messages, send.

use std::{collections::BTreeSet, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use bytes::Bytes;
use oasis_consensus_engine::PeerId;
use oasis_primitives::signature::Signer;
use thiserror::Error;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};

use crate::{
    address::{NetAddress, PeerAddress},
    book::BookFileError,
    manager::{self, Command, Shared},
    mux::{ChannelDescriptor, ConnectionConfig, SendError},
    node_info::{NodeInfo, NodeInfoError, P2P_PROTOCOL},
    pex::ENSURE_PEERS_PERIOD,
    reason::Reason,
    redial::JITTER,
};

/// How the network is set up.
///
/// The defaults are those of the original with Oasis' settings: tendermint `config/config.go`, `DefaultP2PConfig`;
/// go/consensus/tendermint/common/common.go.
#[derive(Clone, Debug)]
pub struct NetConfig {
    /// Where to listen; none to take no connections.
    pub listen: Option<SocketAddr>,
    /// The address told to others, such as `1.2.3.4:26656`; else that to listen on.
    pub external_address: Option<String>,
    /// The chain: the first 50 characters of the chain context.
    pub network: String,
    /// Version of the application's protocol.
    pub app_version: u64,
    /// Version of the blocks' protocol.
    pub block_version: u64,
    /// Version of the software, told to others; may be empty.
    pub version: String,
    /// The node's name for people.
    pub moniker: String,
    /// Nodes to ask for addresses.
    pub seeds: Vec<PeerAddress>,
    /// Nodes to stay connected with.
    pub persistent_peers: Vec<PeerAddress>,
    /// Most time between two attempts to reach a persistent peer; none for the original's growing waits.
    pub persistent_peers_max_dial_period: Option<Duration>,
    /// Nodes that others are not told of.
    pub private_peer_ids: BTreeSet<PeerId>,
    /// Nodes that no limit keeps out.
    pub unconditional_peer_ids: BTreeSet<PeerId>,
    /// Most peers that dialed us.
    pub max_inbound: usize,
    /// Most peers that we dial, persistent ones counted but never left out.
    pub max_outbound: usize,
    /// Whether several peers may have one IP address.
    pub allow_duplicate_ip: bool,
    /// Whether addresses are exchanged.
    pub pex: bool,
    /// Whether to be a seed: visit nodes, tell addresses, and stay connected with nobody.
    pub seed_mode: bool,
    /// How long a seed stays connected at most.
    pub seed_disconnect_after: Duration,
    /// Where the address book is kept; none to forget it.
    pub address_book: Option<PathBuf>,
    /// Whether only addresses are kept to which the internet leads.
    pub address_book_strict: bool,
    /// Most time to connect.
    pub dial_timeout: Duration,
    /// Most time from a connection to a peer.
    pub handshake_timeout: Duration,
    /// Random time before dials.
    pub dial_jitter: Duration,
    /// Time between two looks at whether there are enough peers.
    pub ensure_peers_period: Duration,
    /// How long a node is banned that broke the rules of the protocol.
    pub ban: Duration,
    /// How connections behave.
    pub connection: ConnectionConfig,
}

impl NetConfig {
    /// The defaults, for a chain and a version of its application.
    pub fn new(network: impl Into<String>, app_version: u64) -> Self {
        Self {
            listen: Some(SocketAddr::from(([0, 0, 0, 0], 26656))),
            external_address: None,
            network: network.into(),
            app_version,
            block_version: 11,
            version: String::new(),
            moniker: "oasis-node".to_owned(),
            seeds: Vec::new(),
            persistent_peers: Vec::new(),
            persistent_peers_max_dial_period: None,
            private_peer_ids: BTreeSet::new(),
            unconditional_peer_ids: BTreeSet::new(),
            max_inbound: 40,
            max_outbound: 20,
            allow_duplicate_ip: false,
            pex: true,
            seed_mode: false,
            seed_disconnect_after: Duration::from_secs(28 * 3600),
            address_book: None,
            address_book_strict: true,
            dial_timeout: Duration::from_secs(3),
            handshake_timeout: Duration::from_secs(5),
            dial_jitter: JITTER,
            ensure_peers_period: ENSURE_PEERS_PERIOD,
            ban: Duration::from_secs(600),
            connection: ConnectionConfig::default(),
        }
    }

    /// Makes the node a sentry of these: persistent, never told of, never kept out.
    ///
    /// Source: go/consensus/tendermint/full/full.go, `lazyInit`, the sentry upstream addresses.
    pub fn add_sentry_upstreams(&mut self, upstreams: impl IntoIterator<Item = PeerAddress>) {
        for upstream in upstreams {
            self.private_peer_ids.insert(upstream.id);
            self.unconditional_peer_ids.insert(upstream.id);
            self.persistent_peers.push(upstream);
        }
    }

    /// What the node says of itself. Source: tendermint `node/node.go`, `makeNodeInfo`.
    pub(crate) fn node_info(&self, id: PeerId, listening: Option<SocketAddr>, channels: Vec<u8>) -> NodeInfo {
        let listening = listening.map_or_else(|| "0.0.0.0:0".to_owned(), |socket| socket.to_string());
        let listen_addr = self.external_address.clone().filter(|a| !a.is_empty()).unwrap_or_else(|| format!("tcp://{listening}"));
        NodeInfo {
            p2p_version: P2P_PROTOCOL,
            block_version: self.block_version,
            app_version: self.app_version,
            id,
            listen_addr,
            network: self.network.clone(),
            version: self.version.clone(),
            channels,
            moniker: self.moniker.clone(),
            tx_index: "off".to_owned(),
            rpc_address: String::new(),
        }
    }
}

/// Why the network did not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The address to listen on.
    #[error("listening for peers on {0}: {1}")]
    Listen(SocketAddr, std::io::Error),
    /// What the node would say of itself.
    #[error("peers would refuse us: {0}")]
    Info(#[from] NodeInfoError),
    /// A channel stands twice, or has the number of the exchange of addresses.
    #[error("channel {0:#04x} stands twice")]
    Channel(u8),
    /// The address book.
    #[error(transparent)]
    Book(#[from] BookFileError),
}

/// What happens in the network.
///
/// Of one peer first comes `Connected`, last `Gone`. A peer that is gone may connect anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NetEvent {
    /// A peer is there.
    Connected {
        /// Its name.
        peer: PeerId,
        /// What it says of itself.
        info: Box<NodeInfo>,
        /// Whether we dialed it.
        outbound: bool,
        /// Whether the configuration wants it always.
        persistent: bool,
    },
    /// A peer is gone.
    Gone {
        /// Its name.
        peer: PeerId,
        /// Why.
        reason: Reason,
    },
    /// A peer sent a message.
    Message {
        /// Its name.
        peer: PeerId,
        /// The channel.
        channel: u8,
        /// The message.
        bytes: Bytes,
    },
    /// Messages to a peer have left.
    Sent {
        /// Its name.
        peer: PeerId,
        /// The channel.
        channel: u8,
        /// Their bytes.
        bytes: usize,
    },
}

/// An event and what it holds back while it waits: as many bytes fewer are read from its peer.
pub(crate) type Queued = (NetEvent, Option<OwnedSemaphorePermit>);

/// What happens, in order.
#[derive(Debug)]
pub struct NetEvents(pub(crate) mpsc::Receiver<Queued>);

impl NetEvents {
    /// The next event; none after the network shut down. May be cancelled.
    pub async fn recv(&mut self) -> Option<NetEvent> {
        self.0.recv().await.map(|(event, _)| event)
    }

    /// The next event, if there is one already.
    pub fn try_recv(&mut self) -> Option<NetEvent> {
        self.0.try_recv().ok().map(|(event, _)| event)
    }
}

/// A peer at one moment.
#[derive(Clone, Debug)]
pub struct PeerSnapshot {
    /// Its name.
    pub id: PeerId,
    /// What it says of itself.
    pub info: NodeInfo,
    /// The other end of the connection.
    pub remote: NetAddress,
    /// Whether we dialed it.
    pub outbound: bool,
    /// Whether the configuration wants it always.
    pub persistent: bool,
    /// How long it is there.
    pub connected_for: Duration,
    /// Bytes that were sent to it, sealed.
    pub bytes_sent: u64,
    /// Bytes that it sent, sealed.
    pub bytes_received: u64,
    /// Bytes of messages that wait to be sent to it.
    pub bytes_waiting: usize,
}

/// The network.
pub struct Network;

impl Network {
    /// Starts to listen and to dial, on the current tokio runtime.
    ///
    /// `descriptors` are the user's channels; that of the exchange of addresses is added.
    pub async fn start(
        config: NetConfig,
        node_key: Arc<dyn Signer>,
        descriptors: Vec<ChannelDescriptor>,
    ) -> Result<(NetworkHandle, NetEvents), StartError> {
        manager::start(config, node_key, descriptors).await
    }
}

/// A hand on the network; the network shuts down with the last one.
#[derive(Clone)]
pub struct NetworkHandle {
    pub(crate) shared: Arc<Shared>,
    pub(crate) commands: mpsc::UnboundedSender<Command>,
}

impl NetworkHandle {
    /// Our own name.
    pub fn id(&self) -> PeerId {
        self.shared.info.id
    }

    /// Where we listen.
    pub fn listening(&self) -> Option<SocketAddr> {
        self.shared.listening
    }

    /// Queues a message; never waits. Where too many bytes wait, the peer is dropped.
    pub fn send(&self, peer: &PeerId, channel: u8, bytes: Bytes) -> Result<(), SendError> {
        self.shared.send(peer, channel, bytes)
    }

    /// Drops a peer, at once; bans it for a day where asked, unless the configuration wants it always.
    pub fn disconnect(&self, peer: PeerId, reason: impl Into<String>, ban: bool) {
        let _ = self.commands.send(Command::Disconnect { peer, reason: reason.into(), ban });
    }

    /// A peer did something useful: its address is kept among the good ones.
    ///
    /// Source: tendermint `p2p/switch.go`, `MarkPeerAsGood`.
    pub fn mark_good(&self, peer: PeerId) {
        let _ = self.commands.send(Command::MarkGood(peer));
    }

    /// Puts addresses into the book that are known from elsewhere, such as the genesis document's validators.
    ///
    /// Source: go/consensus/tendermint/seed/seed.go, `populateAddrBookFromGenesis`.
    pub fn add_addresses(&self, addresses: Vec<NetAddress>) {
        let _ = self.commands.send(Command::AddAddresses(addresses));
    }

    /// The peers.
    pub fn peers(&self) -> Vec<PeerSnapshot> {
        self.shared.snapshot()
    }

    /// Sends what waits, closes all connections, keeps the address book.
    pub async fn shutdown(&self) {
        let (done, wait) = oneshot::channel();
        if self.commands.send(Command::Shutdown(done)).is_ok() {
            let _ = wait.await;
        }
    }
}
