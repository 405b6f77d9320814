//! Nodes on this machine find each other, stay connected, and keep their limits.

mod common;

use std::{collections::BTreeSet, time::Duration};

use bytes::Bytes;
use common::{Node, Stranger, config, soon};
use oasis_consensus_net::{NetConfig, NetEvent, PeerAddress, PeerId, Reason, SendError};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_connect_and_talk() {
    let mut alice = Node::start("alice", config()).await;
    let mut bob = Node::start("bob", NetConfig { persistent_peers: vec![alice.address.clone()], ..config() }).await;
    alice.connected(bob.id()).await;
    bob.connected(alice.id()).await;
    let big: Bytes = (0..3_000_000u32).map(|n| n as u8).collect();
    alice.handle.send(&bob.id(), 0x20, big.clone()).unwrap();
    bob.handle.send(&alice.id(), 0x30, Bytes::from_static(b"hello")).unwrap();
    assert_eq!(alice.message().await, (bob.id(), 0x30, Bytes::from_static(b"hello")));
    let (mut came, mut credit) = (false, 0);
    let both = |event| {
        match event {
            NetEvent::Message { peer, channel, bytes } => came = (peer, channel, bytes) == (alice.id(), 0x20, big.clone()),
            NetEvent::Sent { channel: 0x30, bytes, .. } => credit += bytes,
            _ => {}
        }
        (came && credit == 5).then_some(())
    };
    bob.wait("the message comes, and the credit comes back", both).await;

    let snapshot = alice.handle.peers();
    assert_eq!(snapshot.len(), 1);
    assert!(!snapshot[0].outbound && !snapshot[0].persistent && snapshot[0].bytes_sent > 3_000_000);
    let snapshot = bob.handle.peers();
    assert!(snapshot[0].outbound && snapshot[0].persistent && snapshot[0].info.network == common::CHAIN);
    assert_eq!(alice.handle.send(&bob.id(), 0x77, Bytes::new()), Err(SendError::PeerLacksChannel(0x77)));
    assert_eq!(alice.handle.send(&PeerId::default(), 0x20, Bytes::new()), Err(SendError::NotConnected));

    soon("shutting down", bob.handle.shutdown()).await;
    assert_eq!(alice.gone(bob.id()).await, Reason::Closed);
    while let Some(event) = bob.events.recv().await {
        assert!(!matches!(event, NetEvent::Connected { .. }));
    }
}

/// Both dial in the same moment, again and again: one connection must stay, without waiting for another attempt.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_that_dial_each_other_at_once_keep_one_connection() {
    let patient = || NetConfig { persistent_peers_max_dial_period: None, dial_jitter: Duration::ZERO, pex: false, ..config() };
    for round in 0..12 {
        let [alice, bob] = [format!("alice {round}"), format!("bob {round}")];
        let first = [Node::start(&alice, patient()).await, Node::start(&bob, patient()).await];
        let addresses = first.each_ref().map(|n| n.address.clone());
        for node in &first {
            node.handle.shutdown().await;
        }
        let listen = |n: usize| Some(std::net::SocketAddr::new([127, 0, 0, 1].into(), addresses[n].port));
        let (mut alice, mut bob) = tokio::join!(
            Node::start(&alice, NetConfig { listen: listen(0), persistent_peers: vec![addresses[1].clone()], ..patient() }),
            Node::start(&bob, NetConfig { listen: listen(1), persistent_peers: vec![addresses[0].clone()], ..patient() }),
        );
        let start = std::time::Instant::now();
        // Both have the same connection, and it stays.
        let (mut stable, outbound) = (0, |node: &Node| node.handle.peers().first().map(|p| p.outbound));
        while stable < 40 {
            tokio::time::sleep(Duration::from_millis(20)).await;
            while alice.events.try_recv().is_some() || bob.events.try_recv().is_some() {}
            let one = matches!((outbound(&alice), outbound(&bob)), (Some(a), Some(b)) if a != b);
            stable = if one { stable + 1 } else { 0 };
            assert!(start.elapsed() < Duration::from_secs(4), "round {round}: no connection stays");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_persistent_peer_is_dialed_until_it_is_back() {
    let alice = Node::start("alice", config()).await;
    let (at, to_alice) = (alice.handle.listening(), alice.address.clone());
    let mut bob = Node::start("bob", NetConfig { persistent_peers: vec![to_alice], ..config() }).await;
    bob.connected(alice.id()).await;
    soon("shutting down", alice.handle.shutdown()).await;
    bob.gone(alice.id()).await;
    let mut alice = Node::start("alice", NetConfig { listen: at, ..config() }).await;
    bob.connected(alice.id()).await;
    // Dropped by either side, it comes back; a ban does not hold against the configuration.
    bob.handle.disconnect(alice.id(), "a test", true);
    assert_eq!(bob.gone(alice.id()).await, Reason::Asked("a test".into()));
    bob.connected(alice.id()).await;
    alice.connected(bob.id()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_nodes_find_each_other_through_a_seed() {
    let seed = Node::start("seed", NetConfig { seed_mode: true, ..config() }).await;
    let mut nodes = Vec::new();
    for n in 0..10 {
        nodes.push(Node::start(&format!("node {n}"), NetConfig { seeds: vec![seed.address.clone()], ..config() }).await);
    }
    let ids: BTreeSet<PeerId> = nodes.iter().map(Node::id).collect();
    soon("everybody knows everybody", async {
        loop {
            // Of two connections that were made at the same time one ends soon.
            let stays = |p: &&oasis_consensus_net::PeerSnapshot| ids.contains(&p.id) && p.connected_for > Duration::from_millis(1500);
            let known = |node: &Node| node.handle.peers().iter().filter(stays).count();
            if nodes.iter().all(|node| known(node) == 9) {
                break;
            }
            for node in &mut nodes {
                while node.events.try_recv().is_some() {}
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    // One message to each of them arrives.
    for peer in ids.iter().filter(|id| **id != nodes[0].id()) {
        nodes[0].handle.send(peer, 0x20, Bytes::from_static(b"all")).unwrap();
    }
    let first = nodes[0].id();
    for node in &mut nodes[1..] {
        assert_eq!(node.message().await, (first, 0x20, Bytes::from_static(b"all")));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_hold_for_all_but_unconditional_peers() {
    let friend = Stranger::secret("friend", &Node::start("any", config()).await).await.id;
    let limits = NetConfig { max_inbound: 2, unconditional_peer_ids: [friend].into(), pex: false, ..config() };
    let mut alice = Node::start("alice", limits).await;
    let mut in_time = Vec::new();
    for name in ["one", "two"] {
        let stranger = Stranger::peer(name, &alice).await;
        alice.connected(stranger.id).await;
        in_time.push(stranger);
    }
    Stranger::peer("three", &alice).await.closed().await;
    let friend = Stranger::peer("friend", &alice).await;
    alice.connected(friend.id).await;
    assert_eq!(alice.handle.peers().len(), 3);
    drop(in_time.remove(0));
    alice.peers_are("room", |handle| handle.peers().len() == 2).await;
    let four = Stranger::peer("four", &alice).await;
    alice.connected(four.id).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_ip_address_has_one_peer_unless_allowed() {
    let mut alice = Node::start("alice", NetConfig { allow_duplicate_ip: false, ..config() }).await;
    let one = Stranger::peer("one", &alice).await;
    alice.connected(one.id).await;
    let mut stream = common::tcp(&alice).await;
    let closed = async { tokio::io::AsyncReadExt::read(&mut stream, &mut [0; 64]).await };
    assert_eq!(soon("it is refused before the handshake", closed).await.unwrap_or(0), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_node_is_a_peer_once() {
    let mut alice = Node::start("alice", config()).await;
    let one = Stranger::peer("one", &alice).await;
    alice.connected(one.id).await;
    Stranger::peer("one", &alice).await.closed().await;
    assert_eq!(alice.handle.peers().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_never_becomes_its_own_peer() {
    let alice = Node::start("alice", config()).await;
    let to_itself = alice.address.clone();
    let named_otherwise = PeerAddress { id: PeerId([5; 20]), ..to_itself.clone() };
    alice.handle.shutdown().await;
    let listen = alice.handle.listening();
    let peers = vec![to_itself.clone(), named_otherwise];
    let mut alice = Node::start("alice", NetConfig { listen, persistent_peers: peers.clone(), seeds: peers, ..config() }).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(alice.events.try_recv().is_none());
    assert!(alice.handle.peers().is_empty());
    // Somebody with our own key is refused, too.
    Stranger::secret("alice", &alice).await.closed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn private_peers_are_not_told_of() {
    let secret = Node::start("secret", config()).await;
    let mut sentry_config = config();
    sentry_config.add_sentry_upstreams([secret.address.clone()]);
    let mut sentry = Node::start("sentry", sentry_config).await;
    sentry.connected(secret.id()).await;
    let mut stranger = Stranger::peer("stranger", &sentry).await;
    sentry.connected(stranger.id).await;
    stranger.message(0, oasis_consensus_net::Exchange::Request.encode()).await;
    let answer = loop {
        let (channel, data) = stranger.piece().await;
        match oasis_consensus_net::Exchange::decode(&data).unwrap() {
            oasis_consensus_net::Exchange::Addresses(list) if channel == 0 => break list,
            _ => {}
        }
    };
    assert!(answer.iter().all(|a| a.id != secret.id()), "{answer:?}");
    assert!(answer.iter().any(|a| a.id == stranger.id), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_seed_tells_its_addresses_and_leaves() {
    let mut seed = Node::start("seed", NetConfig { seed_mode: true, ..config() }).await;
    seed.handle.add_addresses(vec!["00112233445566778899aabbccddeeff00112233@8.8.8.8:1".parse().unwrap()]);
    let mut stranger = Stranger::peer("stranger", &seed).await;
    seed.connected(stranger.id).await;
    stranger.message(0, oasis_consensus_net::Exchange::Request.encode()).await;
    let (_, data) = stranger.piece().await;
    let oasis_consensus_net::Exchange::Addresses(list) = oasis_consensus_net::Exchange::decode(&data).unwrap() else { panic!() };
    assert!(list.iter().any(|a| a.port == 1));
    stranger.closed().await;
    assert!(matches!(seed.gone(stranger.id).await, Reason::Asked(_)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_address_book_outlives_the_node() {
    let dir = tempfile::tempdir().unwrap();
    let book = Some(dir.path().join("config").join("addrbook.json"));
    let mut alice = Node::start("alice", NetConfig { address_book: book.clone(), ..config() }).await;
    let bob = Node::start("bob", NetConfig { persistent_peers: vec![alice.address.clone()], ..config() }).await;
    alice.connected(bob.id()).await;
    alice.handle.mark_good(bob.id());
    soon("shutting down", alice.handle.shutdown()).await;
    let mut alice = Node::start("alice again", NetConfig { address_book: book, ..config() }).await;
    alice.connected(bob.id()).await;
    assert!(alice.handle.peers()[0].outbound);
}
