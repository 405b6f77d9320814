//! Snapshots of a network's node, and a node that begins with one.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
    time::{Duration, Instant},
};

use oasis_consensus_engine::proto;
use oasis_localnet::{Form, Layout, Network};
use oasis_node_service::{
    api::light::LightBlock,
    grpc::{Client, SOCKET_FILE},
};
use prost::Message;

const PATIENCE: Duration = Duration::from_secs(90);

fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_oasis-node"))
}

fn run(args: &[&str]) -> Output {
    Command::new(program()).args(args).arg("--debug.dont_blame_oasis").output().unwrap()
}

fn good(args: &[&str]) -> String {
    let output = run(args);
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn bad(args: &[&str]) -> String {
    let output = run(args);
    assert_eq!(output.status.code(), Some(1), "{args:?}");
    String::from_utf8(output.stderr).unwrap()
}

async fn header(network: &Network, number: usize, height: i64) -> Option<proto::Header> {
    let client = Client::connect_unix(&network.layout().node(number).join(SOCKET_FILE)).await.ok()?;
    let block: LightBlock = client.call("oasis-core.ConsensusLight/GetLightBlock", &height).await.ok()?;
    proto::LightBlock::decode(block.meta.as_slice()).unwrap().signed_header?.header
}

async fn wait(network: &mut Network, number: usize, height: i64) -> proto::Header {
    let start = Instant::now();
    loop {
        if let Some(header) = header(network, number, height).await {
            return header;
        }
        network.check().unwrap();
        assert!(start.elapsed() < PATIENCE, "node {number} has not reached height {height}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Names of all files below a directory.
fn names(dir: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(names(&path));
        }
        found.push(path.file_name().unwrap().to_str().unwrap().to_owned());
    }
    found
}

#[tokio::test]
async fn a_node_goes_on_from_the_snapshot_of_another() {
    let dir = tempfile::tempdir().unwrap();
    let form = Form { validators: 4, epoch_interval: 30, timeout_commit: 100, ports: Vec::new() };
    let mut network = Network::new(Layout::create(dir.path(), form).unwrap(), program());
    network.start_all().unwrap();
    wait(&mut network, 3, 8).await;
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let (node, file) = (text(&network.layout().node(3)), text(&dir.path().join("node.snapshot")));
    let create = ["snapshot", "create", "--datadir", &node, "--output", &file];
    assert!(bad(&create).contains("another node is running"), "a running node is left alone");
    network.kill(3).unwrap();
    let said = good(&create);
    let last = said.lines().find_map(|line| line.strip_prefix("Last header: height ")).unwrap();
    let (height, hash) = last.split_once(", hash ").unwrap();
    assert!(bad(&create).contains("there is a file already"));
    // Others have the same block.
    let trusted = wait(&mut network, 0, height.parse().unwrap()).await;
    assert_eq!(hex::encode_upper(trusted.hash()), hash);

    let genesis = text(&network.layout().genesis());
    let fresh = text(&dir.path().join("fresh"));
    let restore = |file: &str, hash: &str| {
        let flags = ["--datadir", &fresh, "--genesis.file", &genesis, "--trust-hash", hash, "--trust-height", height];
        run(&[&["snapshot", "restore", file], &flags[..]].concat())
    };
    let refused = |file: &str, hash: &str| {
        let output = restore(file, hash);
        assert_eq!(output.status.code(), Some(1));
        assert!(!Path::new(&fresh).join("tendermint").join("state").exists());
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(refused(&file, &"2A".repeat(32)).contains("which is not the one that is trusted"));
    assert!(bad(&["snapshot", "restore", &file, "--datadir", &fresh, "--genesis.file", &genesis]).contains("ask another node"));
    let mut damaged = fs::read(&file).unwrap();
    damaged[100] ^= 1;
    let other = text(&dir.path().join("damaged.snapshot"));
    fs::write(&other, &damaged).unwrap();
    assert!(refused(&other, hash).contains("the snapshot is damaged in chunk 1 of"));
    fs::write(&other, &damaged[..damaged.len() - 9]).unwrap();
    assert!(refused(&other, hash).contains("cut off"));

    let output = restore(&file, hash);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let made = names(Path::new(&fresh));
    assert!(!made.iter().any(|name| name.ends_with(".pem") || name.ends_with(".json")), "{made:?}");
    assert!(String::from_utf8(restore(&file, hash).stderr).unwrap().contains("there is a node's state already"));

    // The node goes on with this state in place of its own, and with its keys.
    let (own, restored) = (network.layout().node(3).join("tendermint"), Path::new(&fresh).join("tendermint"));
    fs::remove_dir_all(own.join("state")).unwrap();
    fs::remove_dir_all(own.join("wal")).unwrap();
    fs::rename(restored.join("state"), own.join("state")).unwrap();
    network.start(3).unwrap();
    let next: i64 = height.parse::<i64>().unwrap() + 10;
    assert_eq!(wait(&mut network, 3, next).await, wait(&mut network, 0, next).await);
    assert!(header(&network, 3, 1).await.is_none(), "blocks before the snapshot are not there");
    network.stop().unwrap();
}
