//! Streams of a running node: subscribers that read, do not read, or go away.

mod common;

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use bytes::Bytes;
use common::program;
use http_body_util::{BodyExt as _, Full};
use hyper::{
    Request, StatusCode,
    body::Incoming,
    client::conn::http2::{Builder, SendRequest},
    header::{CONTENT_TYPE, TE},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use oasis_consensus_types::staking;
use oasis_localnet::{Counts, Form, Layout, Network, Transfers};
use oasis_node_service::{
    api::block::Block,
    grpc::{Client, GrpcCode, SOCKET_FILE, Watch},
};
use oasis_primitives::cbor;
use tokio::{net::UnixStream, sync::watch, time::timeout};

/// How long all of it may take, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(240);
/// Subscribers that do not read.
const SLOW: usize = 200;
/// Bytes that such a subscriber takes before it reads. A client's usual window holds thousands of blocks, so that the node would
/// have nothing to keep for long.
const WINDOW: u32 = 1024;
/// Blocks that are more than wait for all subscribers together, which is where a full one is dropped when it reads again.
const BLOCKS: i64 = 150;
/// Transfers whose events are more than a subscriber's window and queue hold.
const TRANSFERS: u64 = 100;
/// What slow subscribers may cost in all, bytes.
const COST: u64 = 48 << 20;
/// What one of them may find when it reads at last, bytes: its window and its queue, not what it missed.
const WAITING: usize = 64 << 10;

async fn subscribe(client: &Client, method: &str) -> Watch {
    client.watch(&format!("oasis-core.{method}"), &cbor::Value::Null).await.unwrap()
}

/// A subscriber that does not read: its answer, and its connection.
async fn slow_subscriber(socket: &Path, method: &str) -> (Incoming, SendRequest<Full<Bytes>>) {
    let stream = TokioIo::new(UnixStream::connect(socket).await.unwrap());
    let mut builder = Builder::new(TokioExecutor::new());
    let (mut sender, connection) = builder.initial_stream_window_size(WINDOW).handshake(stream).await.unwrap();
    tokio::spawn(connection);
    let argument = cbor::to_vec(&cbor::Value::Null);
    let message = [&[0], u32::try_from(argument.len()).unwrap().to_be_bytes().as_slice(), &argument].concat();
    let request = Request::post(format!("http://localhost/oasis-core.{method}")).header(CONTENT_TYPE, "application/grpc");
    let request = request.header(TE, "trailers").body(Full::from(message)).unwrap();
    let answer = sender.send_request(request).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.headers().get("grpc-status"), None);
    (answer.into_body(), sender)
}

/// Reads an answer to its end; gives how many bytes it had, and the status.
async fn read(mut answer: Incoming) -> (usize, i32, String) {
    let mut bytes = 0;
    while let Some(frame) = answer.frame().await {
        match frame.unwrap().into_data() {
            Ok(data) => bytes += data.len(),
            Err(frame) => {
                let trailers = frame.into_trailers().unwrap();
                let text = |name| trailers.get(name).map(|value| value.to_str().unwrap().to_owned());
                return (bytes, text("grpc-status").unwrap().parse().unwrap(), text("grpc-message").unwrap_or_default());
            }
        }
    }
    panic!("it ended without a status after {bytes} bytes");
}

/// Resident memory of a process, bytes.
fn memory(pid: u32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().strip_suffix("kB").unwrap().trim().parse::<u64>().unwrap() * 1024
}

/// Open sockets of a process.
fn sockets(pid: u32) -> usize {
    let open = fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
    // One may be closed meanwhile.
    let targets = open.filter_map(|entry| fs::read_link(entry.unwrap().path()).ok());
    targets.filter(|target| target.to_string_lossy().starts_with("socket:")).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_subscribers_cost_bounded_memory_and_gone_ones_nothing() {
    timeout(PATIENCE, subscribers()).await.expect("it takes too long");
}

async fn subscribers() {
    let dir = tempfile::tempdir().unwrap();
    let form = Form { validators: 1, epoch_interval: 50, timeout_commit: 1, ports: Vec::new() };
    let mut network = Network::new(Layout::create(dir.path(), form).unwrap(), program());
    network.start_all().unwrap();
    let pid = network.pid(0).unwrap();
    let socket = network.layout().node(0).join(SOCKET_FILE);
    let reader = loop {
        match Client::connect_unix(&socket).await {
            Ok(reader) => break reader,
            Err(_) => network.check().unwrap(),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };

    // One that reads hears every block, and the transfers.
    let mut blocks = subscribe(&reader, "Consensus/WatchBlocks").await;
    let first: Block = blocks.next().await.unwrap().unwrap();
    let (tell, stop) = watch::channel(false);
    let (seen, counts) = watch::channel(Counts::default());
    let load = tokio::spawn(Transfers::new(network.layout()).await.unwrap().run(50, seen, stop));
    let mut events = subscribe(&reader, "Staking/WatchEvents").await;
    let mut epochs = subscribe(&reader, "Beacon/WatchEpochs").await;
    let epoch: u64 = epochs.next().await.unwrap().unwrap();
    let event: staking::Event = events.next().await.unwrap().unwrap();
    assert!(event.transfer.is_some());
    assert_eq!(epochs.next::<u64>().await.unwrap(), Some(epoch + 1));
    drop((events, epochs));

    // Many that don't, on a connection each.
    let (before, open) = (memory(pid), sockets(pid));
    let mut slow = Vec::new();
    for method in ["Consensus/WatchBlocks", "Staking/WatchEvents"].iter().cycle().take(SLOW) {
        slow.push(slow_subscriber(&socket, method).await);
    }
    assert!(sockets(pid) > SLOW, "{}", sockets(pid));
    let sent = counts.borrow().submitted;
    let (start, mut height, mut most) = (Instant::now(), first.height, 0);
    // The height at which all of them have more than they take.
    let mut full = None;
    while full.is_none_or(|full| height < full + BLOCKS) {
        let block: Block = blocks.next().await.unwrap().unwrap();
        assert_eq!(block.height, height + 1);
        height = block.height;
        most = most.max(memory(pid));
        if counts.borrow().submitted >= sent + TRANSFERS {
            full.get_or_insert(height);
        }
    }
    let cost = most.saturating_sub(before);
    println!("{BLOCKS} blocks within {:?}; {SLOW} slow subscribers: {:.1} MB", start.elapsed(), cost as f64 / 1e6);
    assert!(cost < COST, "{cost} more bytes for {SLOW} subscribers");

    // Each was dropped, and hears why when it reads.
    let mut connections = Vec::new();
    for (answer, connection) in slow {
        let (bytes, status, message) = read(answer).await;
        assert_eq!(status, GrpcCode::ResourceExhausted as i32, "{message}");
        assert!(bytes > 0 && bytes < WAITING, "{bytes} bytes waited");
        connections.push(connection);
    }

    // Those that go away leave nothing open.
    drop(connections);
    while sockets(pid) > open {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    tell.send_replace(true);
    load.await.unwrap();
    network.stop().unwrap();
}
