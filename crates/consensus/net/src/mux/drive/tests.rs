use std::{cell::RefCell, sync::Arc};

use oasis_primitives::signature::MemorySigner;
use tokio::io::{DuplexStream, ReadHalf, WriteHalf, duplex, split};

use super::*;
use crate::secret::{Sealer, connect};

type Reader = SecretReader<ReadHalf<DuplexStream>>;
type Writer = SecretWriter<WriteHalf<DuplexStream>>;

fn channels() -> Vec<ChannelDescriptor> {
    vec![ChannelDescriptor::new(1, 1), ChannelDescriptor { recv_message_capacity: 10_000, ..ChannelDescriptor::new(2, 5) }]
}

async fn pair(room: usize) -> ((Reader, Writer), (Reader, Writer)) {
    let (alice, bob) = (MemorySigner::for_test("alice"), MemorySigner::for_test("bob"));
    let (a, b) = duplex(room);
    let ((a_read, a_write), (b_read, b_write)) = (split(a), split(b));
    let (a, b) = tokio::join!(connect(a_read, a_write, &alice, [1; 32]), connect(b_read, b_write, &bob, [2; 32]));
    let ((_, a_read, a_write), (_, b_read, b_write)) = (a.unwrap(), b.unwrap());
    ((a_read, a_write), (b_read, b_write))
}

fn quick() -> ConnectionConfig {
    ConnectionConfig { ping_interval: Duration::from_secs(2), pong_timeout: Duration::from_secs(1), ..Default::default() }
}

/// Runs one end; collects what it receives and what it reports as sent.
async fn end(link: &Link, (reader, writer): (Reader, Writer), config: &ConnectionConfig) -> (Reason, Vec<(u8, Bytes)>, usize) {
    let (received, sent) = (RefCell::new(Vec::new()), RefCell::new(0));
    let deliver = |channel, message| {
        received.borrow_mut().push((channel, message));
        async {}
    };
    let report = |_, bytes| {
        *sent.borrow_mut() += bytes;
        async {}
    };
    let reason = run(link, reader, writer, &channels(), config, deliver, report).await;
    (reason, received.into_inner(), sent.into_inner())
}

#[tokio::test(start_paused = true)]
async fn messages_of_all_sizes_arrive_and_are_reported() {
    let config = ConnectionConfig::default();
    let (a, b) = pair(3000).await;
    let (link_a, link_b) = (Link::new(&channels(), &config), Link::new(&channels(), &config));
    for len in [0, 1, 1024, 1025, 300_000] {
        link_a.send(1, vec![1; len].into()).unwrap();
        link_b.send(1, vec![2; len].into()).unwrap();
    }
    link_a.stop(Stop::AfterSending(Reason::Asked("enough".into())));
    let (a, b) = tokio::join!(end(&link_a, a, &config), end(&link_b, b, &config));
    assert_eq!(a.0, Reason::Asked("enough".into()));
    assert_eq!(b.0, Reason::Closed);
    assert_eq!(a.2, 302_050);
    assert_eq!(b.1.iter().map(|(c, m)| (*c, m.len())).collect::<Vec<_>>(), [0, 1, 1024, 1025, 300_000].map(|l| (1, l)));
}

#[tokio::test(start_paused = true)]
async fn quiet_peers_ping_and_stay() {
    let config = quick();
    let (a, b) = pair(3000).await;
    let (link_a, link_b) = (Link::new(&channels(), &config), Link::new(&channels(), &config));
    let stop = async {
        tokio::time::sleep(Duration::from_secs(60)).await;
        link_a.stop(Stop::Now(Reason::Shutdown));
    };
    let (a, b, ()) = tokio::join!(end(&link_a, a, &config), end(&link_b, b, &config), stop);
    assert_eq!((a.0, b.0), (Reason::Shutdown, Reason::Closed));
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_answers_no_ping_is_dropped() {
    let config = quick();
    let (a, _b) = pair(30_000).await;
    let link = Link::new(&channels(), &config);
    assert_eq!(end(&link, a, &config).await.0, Reason::PongTimeout(config.pong_timeout));
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_takes_nothing_is_dropped() {
    let config = ConnectionConfig { ping_interval: Duration::from_secs(600), ..Default::default() };
    let (a, _b) = pair(3000).await;
    let link = Link::new(&channels(), &config);
    link.send(1, vec![0; 100_000].into()).unwrap();
    assert_eq!(end(&link, a, &config).await.0, Reason::WriteTimeout(config.pong_timeout));
}

#[tokio::test(start_paused = true)]
async fn a_peer_for_whom_too_much_waits_is_dropped() {
    let config = ConnectionConfig { send_queue_bytes: 100_000, ..Default::default() };
    let (a, _b) = pair(3000).await;
    let link = Link::new(&channels(), &config);
    link.send(1, vec![0; 90_000].into()).unwrap();
    assert!(link.send(1, vec![0; 20_000].into()).is_err());
    assert!(matches!(end(&link, a, &config).await.0, Reason::TooSlow { .. }));
}

#[tokio::test(start_paused = true)]
async fn what_nobody_sends_is_a_fault() {
    let config = ConnectionConfig::default();
    let piece = |channel, len| {
        let mut out = BytesMut::new();
        Packet::Piece { channel, last: true, data: vec![0; len].into() }.put(&mut out);
        out.to_vec()
    };
    let too_long = [[&[0x89, 0x08][..]].concat(), vec![0; 1033]].concat();
    let endless: Vec<u8> = (0..11)
        .flat_map(|_| {
            let mut out = BytesMut::new();
            Packet::Piece { channel: 2, last: false, data: vec![0; 1000].into() }.put(&mut out);
            out
        })
        .collect();
    for (bytes, text) in [
        (vec![0xff; 20], "64 bits"),
        (vec![3, 1, 2, 3], "malformed packet"),
        (vec![0], "no kind"),
        (piece(3, 1), "unknown channel 0x03"),
        (piece(1, 1025), "at most 1034"),
        (too_long, "malformed packet"),
        (endless, "more than 10000 bytes"),
    ] {
        let (a, (_reader, mut writer)) = pair(30_000).await;
        writer.write(&bytes).await.unwrap();
        let link = Link::new(&channels(), &config);
        let (reason, received, _) = end(&link, a, &config).await;
        assert!(reason.is_fault() && reason.to_string().contains(text), "{reason} instead of {text}");
        assert!(received.is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_that_never_ends_is_a_fault() {
    let config = ConnectionConfig { message_timeout: Duration::from_secs(20), ..quick() };
    let (a, (mut reader, mut writer)) = pair(3000).await;
    let link = Link::new(&channels(), &config);
    let drip = async {
        loop {
            let mut out = BytesMut::new();
            Packet::Piece { channel: 1, last: false, data: Bytes::from_static(b".") }.put(&mut out);
            Packet::Pong.put(&mut out);
            if writer.write(&out).await.is_err() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    };
    let drain = async { while reader.fill().await.is_ok() {} };
    let (reason, ..) = tokio::select! {
        end = end(&link, a, &config) => end,
        _ = async { tokio::join!(drip, drain) } => panic!("the dripping ended first"),
    };
    assert!(reason.to_string().contains("did not end within 20s"), "{reason}");
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_pings_is_answered_in_few_pongs() {
    let config = ConnectionConfig::default();
    let (a, (mut reader, mut writer)) = pair(100_000).await;
    let link = Arc::new(Link::new(&channels(), &config));
    let flood = async {
        for _ in 0..50 {
            let mut out = BytesMut::new();
            for _ in 0..300 {
                Packet::Ping.put(&mut out);
            }
            writer.write(&out).await.unwrap();
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        link.stop(Stop::Now(Reason::Shutdown));
    };
    let drain = async { while reader.fill().await.is_ok() {} };
    tokio::join!(end(&link, a, &config), flood, drain);
    assert!(link.traffic().0 < 100 * 1044, "{} bytes", link.traffic().0);
}

#[tokio::test(start_paused = true)]
async fn the_receive_rate_is_kept() {
    let config = ConnectionConfig { recv_rate: 100_000, send_rate: 0, ..Default::default() };
    let (a, b) = pair(10_000).await;
    let (link_a, link_b) = (Link::new(&channels(), &config), Link::new(&channels(), &config));
    link_a.send(1, vec![0; 500_000].into()).unwrap();
    link_a.stop(Stop::AfterSending(Reason::Shutdown));
    let start = Instant::now();
    let _ = tokio::join!(end(&link_a, a, &config), end(&link_b, b, &config));
    let elapsed = start.elapsed();
    assert!(elapsed >= Duration::from_secs(4), "{elapsed:?}");
}

#[test]
fn sealing_numbers_do_not_repeat_after_a_write() {
    let mut sealer = Sealer::new(&[1; 32]);
    let (mut first, mut second) = (Vec::new(), Vec::new());
    sealer.seal(b"x", &mut first).unwrap();
    sealer.seal(b"x", &mut second).unwrap();
    assert_ne!(first, second);
}
