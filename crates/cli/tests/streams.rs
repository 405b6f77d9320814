//! Streams of a running node: subscribers that read, do not read, or go away.

mod common;

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use common::program;
use oasis_consensus_types::staking;
use oasis_localnet::{Counts, Form, Layout, Network, Transfers};
use oasis_node_service::{
    api::block::Block,
    grpc::{Client, ClientError, GrpcCode, SOCKET_FILE, Watch},
};
use oasis_primitives::cbor;
use tokio::sync::watch;

/// Subscribers that do not read.
const SLOW: usize = 200;
/// What they may cost in all, bytes: each has its window of the connection and a short queue.
const COST: u64 = 96 << 20;

async fn connect(socket: &Path) -> Client {
    Client::connect_unix(socket).await.unwrap()
}

async fn subscribe(client: &Client, method: &str) -> Watch {
    client.watch(&format!("oasis-core.{method}"), &cbor::Value::Null).await.unwrap()
}

/// Resident memory of a process, bytes.
fn memory(pid: u32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().strip_suffix("kB").unwrap().trim().parse::<u64>().unwrap() * 1024
}

/// Open files and sockets of a process.
fn descriptors(pid: u32) -> usize {
    fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_subscribers_cost_bounded_memory_and_gone_ones_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let form = Form { validators: 1, epoch_interval: 50, timeout_commit: 1, ports: Vec::new() };
    let mut network = Network::new(Layout::create(dir.path(), form).unwrap(), program());
    network.start_all().unwrap();
    let pid = network.pid(0).unwrap();
    let socket = network.layout().node(0).join(SOCKET_FILE);
    let start = Instant::now();
    while Client::connect_unix(&socket).await.is_err() {
        network.check().unwrap();
        assert!(start.elapsed() < Duration::from_secs(60), "no socket");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }

    // One that reads hears every block, and the transfers.
    let reader = connect(&socket).await;
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

    // Many that don't: they have a connection each, and 30 s and a queue later they are dropped.
    let (before, open) = (memory(pid), descriptors(pid));
    let mut slow = Vec::new();
    for number in 0..SLOW {
        let client = connect(&socket).await;
        let method = ["Consensus/WatchBlocks", "Staking/WatchEvents"][number % 2];
        slow.push((subscribe(&client, method).await, client));
    }
    assert!(descriptors(pid) >= open + SLOW);
    let (mut height, mut most) = (first.height, 0);
    // So many blocks fill the window of a connection, and the queue behind it; then patience ends.
    let (start, mut full) = (Instant::now(), None);
    while full.is_none_or(|full: Instant| full.elapsed() < Duration::from_secs(35)) {
        let block: Block = blocks.next().await.unwrap().unwrap();
        assert_eq!(block.height, height + 1);
        height = block.height;
        most = most.max(memory(pid));
        if height >= first.height + 200 {
            full.get_or_insert_with(Instant::now);
        }
        assert!(start.elapsed() < Duration::from_secs(300), "only {} blocks", height - first.height);
    }
    let cost = most.saturating_sub(before);
    println!("{} blocks; {SLOW} slow subscribers: {:.1} MB", height - first.height, cost as f64 / 1e6);
    assert!(cost < COST, "{cost} more bytes for {SLOW} subscribers");
    let (dropped, _client) = &mut slow[0];
    let error = loop {
        match dropped.next::<Block>().await {
            Ok(block) => assert!(block.is_some(), "it ended without a reason"),
            Err(error) => break error,
        }
    };
    let ClientError::Refused(error) = error else { panic!("{error}") };
    assert_eq!(error.grpc, GrpcCode::ResourceExhausted, "{error}");

    // Those that go away leave nothing open.
    drop(slow);
    let start = Instant::now();
    while descriptors(pid) > open {
        assert!(start.elapsed() < Duration::from_secs(20), "{} descriptors of {open}", descriptors(pid));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(counts.borrow().submitted > 100);
    tell.send_replace(true);
    load.await.unwrap();
    network.stop().unwrap();
}
