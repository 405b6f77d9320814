//! Peers that mean harm are dropped, remembered, and no burden to others.

mod common;

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use common::{Node, Stranger, config, info, soon};
use oasis_consensus_net::{
    ConnectionConfig, Exchange, NetAddress, NetConfig, NetEvent, NodeInfo, PeerId, Reason, SendError,
    mux::Packet,
    wire::{BytesValue, put_delimited},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::Instant,
};

/// Sends bytes to a fresh socket and waits until the node hangs up.
async fn hangs_up(node: &Node, bytes: &[u8]) {
    let mut stream = common::tcp(node).await;
    let _ = stream.write_all(bytes).await;
    let mut sink = Vec::new();
    let _ = soon("the node hangs up", stream.read_to_end(&mut sink)).await;
}

fn quick() -> NetConfig {
    NetConfig { handshake_timeout: Duration::from_millis(1500), ..config() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbage_instead_of_a_handshake_is_refused() {
    let mut alice = Node::start("alice", quick()).await;
    let mut low_order = BytesMut::new();
    put_delimited(&BytesValue { value: Bytes::from_static(&[0; 32]) }, &mut low_order);
    let mut then_garbage = BytesMut::new();
    put_delimited(&BytesValue { value: Bytes::from_static(&[9; 32]) }, &mut then_garbage);
    then_garbage.extend_from_slice(&[7; 1044]);
    let start = Instant::now();
    for bytes in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0xff; 100], &[0; 50], &low_order, &then_garbage] {
        hangs_up(&alice, bytes).await;
    }
    assert!(start.elapsed() < Duration::from_millis(1500), "they were not only timed out");
    assert!(alice.events.try_recv().is_none());
    let honest = Stranger::peer("honest", &alice).await;
    alice.connected(honest.id).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_handshakes_end_and_do_not_keep_others_out() {
    let mut alice = Node::start("alice", quick()).await;
    let mut slow = Vec::new();
    for n in 0..70 {
        let mut stream = common::tcp(&alice).await;
        if n % 2 == 0 {
            let _ = stream.write_all(&[0x22]).await;
        }
        slow.push(stream);
    }
    let honest = Stranger::peer("honest", &alice).await;
    alice.connected(honest.id).await;
    for mut stream in slow {
        let mut sink = Vec::new();
        let _ = soon("a slow handshake ends", stream.read_to_end(&mut sink)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn introductions_that_do_not_fit_are_refused() {
    let mut alice = Node::start("alice", quick()).await;
    let wrong: [fn(&mut NodeInfo); 5] = [
        |i| i.network = "another chain".into(),
        |i| i.block_version = 10,
        |i| i.channels = vec![0x99],
        |i| i.id = PeerId([1; 20]),
        |i| i.moniker = String::new(),
    ];
    for change in wrong {
        let mut stranger = Stranger::secret("stranger", &alice).await;
        let mut info = info(stranger.id);
        change(&mut info);
        let _ = stranger.introduce(&info).await;
        stranger.closed().await;
    }
    for garbage in [&[0xff; 40][..], &[0x81, 0x80, 0x04], &[5, 1, 2, 3, 4, 5]] {
        let mut stranger = Stranger::secret("stranger", &alice).await;
        stranger.writer.write(garbage).await.unwrap();
        stranger.closed().await;
    }
    // One that says nothing.
    Stranger::secret("stranger", &alice).await.closed().await;
    assert!(alice.events.try_recv().is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_breaks_the_rules_is_dropped_and_stays_out() {
    let dir = tempfile::tempdir().unwrap();
    let with_book = || NetConfig { address_book: Some(dir.path().join("addrbook.json")), ..quick() };
    let mut alice = Node::start("alice", with_book()).await;
    let request = || Packet::Piece { channel: 0, last: true, data: Exchange::Request.encode() };
    let unasked = NetAddress { id: PeerId([1; 20]), ip: [8, 8, 8, 8].into(), port: 1 };
    let unasked = Exchange::Addresses(vec![unasked]).encode();
    let cases: Vec<(&str, Vec<Packet>, &str)> = vec![
        ("channel", vec![Packet::Piece { channel: 0x55, last: true, data: Bytes::from_static(b"x") }], "unknown channel 0x55"),
        (
            "long",
            (0..3).map(|_| Packet::Piece { channel: 0x30, last: false, data: vec![0; 1000].into() }).collect(),
            "more than 2000 bytes",
        ),
        ("exchange", vec![Packet::Piece { channel: 0, last: true, data: Bytes::from_static(&[1, 2, 3]) }], "exchange of addresses"),
        ("unasked", vec![Packet::Piece { channel: 0, last: true, data: unasked }], "nobody asked"),
        ("greedy", vec![request(), request(), request()], "too soon"),
    ];
    let mut banned = Vec::new();
    for (name, packets, why) in cases {
        let mut stranger = Stranger::peer(name, &alice).await;
        alice.connected(stranger.id).await;
        stranger.send(packets).await;
        let reason = alice.gone(stranger.id).await;
        assert!(reason.is_fault() && reason.to_string().contains(why), "{name}: {reason}");
        banned.push(name);
    }
    let mut stranger = Stranger::peer("frames", &alice).await;
    alice.connected(stranger.id).await;
    stranger.writer.write(&[0xff; 30]).await.unwrap();
    assert!(alice.gone(stranger.id).await.is_fault());
    banned.push("frames");
    // Whom the engine bans stays out as well.
    let asked = Stranger::peer("asked", &alice).await;
    alice.connected(asked.id).await;
    alice.handle.disconnect(asked.id, "forged votes", true);
    assert_eq!(alice.gone(asked.id).await, Reason::Asked("forged votes".into()));
    banned.push("asked");
    // Also after a restart.
    for _ in 0..2 {
        for name in &banned {
            Stranger::peer(name, &alice).await.closed().await;
        }
        assert!(alice.events.try_recv().is_none());
        soon("shutting down", alice.handle.shutdown()).await;
        alice = Node::start("alice", with_book()).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_dropped_without_a_fault_may_come_back() {
    let mut alice = Node::start("alice", config()).await;
    let stranger = Stranger::peer("stranger", &alice).await;
    alice.connected(stranger.id).await;
    alice.handle.disconnect(stranger.id, "not now", false);
    alice.gone(stranger.id).await;
    alice.peers_are("it is gone", |handle| handle.peers().is_empty()).await;
    let stranger = Stranger::peer("stranger", &alice).await;
    alice.connected(stranger.id).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_takes_nothing_does_not_hold_up_others() {
    let connection = ConnectionConfig { send_queue_bytes: 8 << 20, ..Default::default() };
    let mut alice = Node::start("alice", NetConfig { connection, ..config() }).await;
    let lazy = Stranger::peer("lazy", &alice).await;
    alice.connected(lazy.id).await;
    let mut bob = Node::start("bob", NetConfig { persistent_peers: vec![alice.address.clone()], ..config() }).await;
    alice.connected(bob.id()).await;
    bob.connected(alice.id()).await;
    let megabyte = Bytes::from(vec![1; 1 << 20]);
    let mut full = 0;
    for n in 0..100u8 {
        match alice.handle.send(&lazy.id, 0x20, megabyte.clone()) {
            Ok(()) => assert!(alice.handle.peers().iter().all(|p| p.bytes_waiting <= 8 << 20)),
            Err(SendError::Full { .. } | SendError::NotConnected) => full += 1,
            Err(e) => panic!("{e}"),
        }
        alice.handle.send(&bob.id(), 0x20, vec![n].into()).unwrap();
        assert_eq!(bob.message().await.2, [n][..]);
    }
    assert!(full > 0);
    assert!(matches!(alice.gone(lazy.id).await, Reason::TooSlow { .. }));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_waits_in_its_own_socket() {
    let connection = ConnectionConfig { recv_queue_bytes: 1 << 20, recv_rate: 0, ..Default::default() };
    let mut alice = Node::start("alice", NetConfig { connection, ..config() }).await;
    let mut flood = Stranger::peer("flood", &alice).await;
    alice.connected(flood.id).await;
    let id = flood.id;
    let flooding = tokio::spawn(async move {
        loop {
            flood.send((0..64).map(|_| Packet::Piece { channel: 0x20, last: true, data: vec![0; 1000].into() })).await;
        }
    });
    tokio::time::sleep(Duration::from_secs(1)).await;
    // The engine reads nothing: what was taken from the socket is bounded, and another peer's messages still come through.
    let received = alice.handle.peers()[0].bytes_received;
    assert!(received < 3 << 20, "{received} bytes were taken");
    let mut quiet = Stranger::peer("quiet", &alice).await;
    quiet.message(0x30, Bytes::from_static(b"here I am")).await;
    let found =
        alice.wait("the quiet one is heard", |event| matches!(&event, NetEvent::Message { channel: 0x30, .. }).then_some(event)).await;
    assert_eq!(found, NetEvent::Message { peer: quiet.id, channel: 0x30, bytes: Bytes::from_static(b"here I am") });
    flooding.abort();
    let _ = flooding.await;
    alice.gone(id).await;
}
