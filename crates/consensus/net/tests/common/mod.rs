//! Nodes on this machine, and strangers that talk to them.

#![allow(dead_code, missing_docs)]

use std::{future::Future, sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use oasis_consensus_net::{
    ChannelDescriptor, MAX_NODE_INFO, NetConfig, NetEvent, NetEvents, Network, NetworkHandle, NodeInfo, P2P_PROTOCOL, PeerAddress, PeerId,
    Reason,
    mux::Packet,
    secret::{SecretReader, SecretWriter, StreamError, connect},
};
use oasis_primitives::signature::{MemorySigner, Signer};
use tokio::{
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    time::timeout,
};

pub const CHAIN: &str = "cccccccccccccccccccccccccccccccccccccccccccccccccc";

/// Whatever takes longer is wrong.
pub async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    match timeout(Duration::from_secs(60), future).await {
        Ok(value) => value,
        Err(_) => panic!("it took too long: {what}"),
    }
}

pub fn channels() -> Vec<ChannelDescriptor> {
    vec![ChannelDescriptor::new(0x20, 5), ChannelDescriptor { recv_message_capacity: 2000, ..ChannelDescriptor::new(0x30, 1) }]
}

pub fn config() -> NetConfig {
    NetConfig {
        listen: Some(([127, 0, 0, 1], 0).into()),
        allow_duplicate_ip: true,
        address_book_strict: false,
        dial_jitter: Duration::from_millis(50),
        ensure_peers_period: Duration::from_millis(300),
        persistent_peers_max_dial_period: Some(Duration::from_millis(100)),
        dial_timeout: Duration::from_secs(10),
        handshake_timeout: Duration::from_secs(10),
        ..NetConfig::new(CHAIN, 4)
    }
}

pub struct Node {
    pub handle: NetworkHandle,
    pub events: NetEvents,
    pub address: PeerAddress,
}

impl Node {
    pub async fn start(name: &str, config: NetConfig) -> Self {
        let (handle, events) = Network::start(config, Arc::new(MemorySigner::for_test(name)), channels()).await.unwrap();
        let socket = handle.listening().unwrap();
        let address = PeerAddress { id: handle.id(), host: socket.ip().to_string(), port: socket.port() };
        Self { handle, events, address }
    }

    pub fn id(&self) -> PeerId {
        self.address.id
    }

    /// The next event that fits.
    pub async fn wait<T>(&mut self, what: &str, mut fits: impl FnMut(NetEvent) -> Option<T>) -> T {
        soon(what, async {
            loop {
                let event = self.events.recv().await.expect("the network runs");
                if let Some(found) = fits(event) {
                    return found;
                }
            }
        })
        .await
    }

    pub async fn connected(&mut self, id: PeerId) {
        let fits = |event| matches!(event, NetEvent::Connected { peer, .. } if peer == id).then_some(());
        self.wait("a peer connects", fits).await;
    }

    pub async fn gone(&mut self, id: PeerId) -> Reason {
        let fits = |event| match event {
            NetEvent::Gone { peer, reason } if peer == id => Some(reason),
            _ => None,
        };
        self.wait("a peer leaves", fits).await
    }

    pub async fn message(&mut self) -> (PeerId, u8, Bytes) {
        let fits = |event| match event {
            NetEvent::Message { peer, channel, bytes } => Some((peer, channel, bytes)),
            _ => None,
        };
        self.wait("a message comes", fits).await
    }

    /// Waits until the peers are as they should be, whatever happens meanwhile.
    pub async fn peers_are(&mut self, what: &str, fit: impl Fn(&NetworkHandle) -> bool) {
        soon(what, async {
            while !fit(&self.handle) {
                let _ = timeout(Duration::from_millis(20), self.events.recv()).await;
            }
        })
        .await;
    }
}

/// Somebody who is no node of ours, and may do anything.
pub struct Stranger {
    pub id: PeerId,
    pub reader: SecretReader<OwnedReadHalf>,
    pub writer: SecretWriter<OwnedWriteHalf>,
}

pub async fn tcp(to: &Node) -> TcpStream {
    TcpStream::connect((to.address.host.as_str(), to.address.port)).await.unwrap()
}

pub fn info(id: PeerId) -> NodeInfo {
    NodeInfo {
        p2p_version: P2P_PROTOCOL,
        block_version: 11,
        app_version: 4,
        id,
        listen_addr: "tcp://127.0.0.1:9".into(),
        network: CHAIN.into(),
        channels: vec![0x20, 0x30, 0],
        moniker: "stranger".into(),
        ..Default::default()
    }
}

impl Stranger {
    /// Connects up to the secret connection.
    pub async fn secret(name: &str, to: &Node) -> Self {
        let signer = MemorySigner::for_test(name);
        let (read, write) = tcp(to).await.into_split();
        let (key, reader, writer) = soon("a handshake", connect(read, write, &signer, [9; 32])).await.unwrap();
        assert_eq!(PeerId::of_key(&key.0), to.id());
        Self { id: PeerId::of_key(&signer.public_key().0), reader, writer }
    }

    /// Connects and says of itself what it should.
    pub async fn peer(name: &str, to: &Node) -> Self {
        let mut stranger = Self::secret(name, to).await;
        let info = info(stranger.id);
        stranger.introduce(&info).await.unwrap();
        stranger
    }

    pub async fn introduce(&mut self, info: &NodeInfo) -> Result<NodeInfo, StreamError> {
        self.writer.write(&info.encode()).await?;
        let theirs = soon("an introduction", self.reader.message(MAX_NODE_INFO)).await?;
        Ok(NodeInfo::decode(&theirs).unwrap())
    }

    pub async fn send(&mut self, packets: impl IntoIterator<Item = Packet>) {
        let mut out = BytesMut::new();
        for packet in packets {
            packet.put(&mut out);
        }
        let _ = self.writer.write(&out).await;
    }

    pub async fn message(&mut self, channel: u8, bytes: Bytes) {
        self.send([Packet::Piece { channel, last: true, data: bytes }]).await;
    }

    /// The next packet with a piece of a message.
    pub async fn piece(&mut self) -> (u8, Bytes) {
        loop {
            let bytes = soon("a packet", self.reader.message(2000)).await.unwrap();
            if let Packet::Piece { channel, data, .. } = Packet::decode(&bytes).unwrap() {
                return (channel, data);
            }
        }
    }

    /// Waits until the other side has closed the connection.
    pub async fn closed(&mut self) {
        soon("the connection is closed", async { while self.reader.fill().await.is_ok() {} }).await;
    }
}
