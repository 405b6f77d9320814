//! Networks of processes of this program.

use std::{
    collections::BTreeSet,
    fs,
    net::TcpListener,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use oasis_consensus_engine::proto;
use oasis_consensus_types::genesis::Document;
use oasis_localnet::{Form, Layout, Network};
use oasis_node_service::{
    api::light::LightBlock,
    grpc::{Client, SOCKET_FILE},
};
use prost::Message;
use serde_json::{Value, json};

const NODES: usize = 4;
/// How long anything may take, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_oasis-node"))
}

fn new_network(dir: &Path) -> Network {
    let form = Form { validators: NODES as u64, epoch_interval: 30, timeout_commit: 100, ports: Vec::new() };
    Network::new(Layout::create(dir, form).unwrap(), program())
}

/// What a start that must fail says.
fn refusal(network: &Network, config: &Path) -> String {
    let output = network.command(config).stderr(Stdio::piped()).output().unwrap();
    assert!(!output.status.success());
    String::from_utf8(output.stderr).unwrap()
}

/// The header of a height on a node.
async fn header(network: &Network, number: usize, height: i64) -> Option<proto::Header> {
    let client = Client::connect_unix(&network.layout().node(number).join(SOCKET_FILE)).await.ok()?;
    let block: LightBlock = client.call("oasis-core.ConsensusLight/GetLightBlock", &height).await.ok()?;
    proto::LightBlock::decode(block.meta.as_slice()).unwrap().signed_header?.header
}

/// The state of a height as the first node exports it.
async fn exported(network: &Network, height: i64) -> Document {
    let client = Client::connect_unix(&network.layout().node(0).join(SOCKET_FILE)).await.unwrap();
    let document: Document = client.call("oasis-core.Consensus/StateToGenesis", &height).await.unwrap();
    comparable(document)
}

/// The state of a height as it is read from the first node's directory.
fn dumped(network: &Network, height: i64) -> Document {
    let output = network.layout().root().join("dump.json");
    let mut command = Command::new(program());
    command.args(["debug", "dumpdb", "--debug.dont_blame_oasis", "--debug.allow_test_keys", "--datadir"]);
    command.arg(network.layout().node(0)).arg("-g").arg(network.layout().genesis()).arg("--dump.output").arg(&output);
    let done = command.arg("--dump.version").arg(height.to_string()).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    comparable(Document::from_json_text(&fs::read(output).unwrap()).unwrap())
}

/// Without what the two ways differ in, as in the original's own test of them.
fn comparable(mut document: Document) -> Document {
    document.beacon.base = 0;
    document.time = Default::default();
    document
}

async fn wait_height(network: &mut Network, height: i64) {
    let start = Instant::now();
    for number in 0..NODES {
        while header(network, number, height).await.is_none() {
            network.check().unwrap();
            assert!(start.elapsed() < PATIENCE, "node {number} has not reached height {height}: {}", tail(&log(network, number)));
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

fn log(network: &Network, number: usize) -> String {
    fs::read_to_string(network.layout().node(number).join("node.log")).unwrap_or_default()
}

/// Waits until a node says something in its log.
async fn wait_log(network: &mut Network, number: usize, text: &str) {
    let start = Instant::now();
    while !log(network, number).contains(text) {
        network.check().unwrap();
        assert!(start.elapsed() < PATIENCE, "node {number} does not say {text:?}: {}", tail(&log(network, number)));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Changes a file of the network, which is JSON.
fn change(path: &Path, change: impl FnOnce(&mut Value)) {
    let mut value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    change(&mut value);
    fs::write(path, value.to_string()).unwrap();
}

/// The end of a log.
fn tail(text: &str) -> &str {
    text.get(text.len().saturating_sub(4000)..).unwrap_or(text)
}

#[tokio::test]
async fn four_processes_agree_through_kills_and_stop_when_told() {
    let dir = tempfile::tempdir().unwrap();
    let mut network = new_network(dir.path());
    network.start_all().unwrap();
    wait_height(&mut network, 5).await;

    let text = refusal(&network, &network.layout().config(0));
    assert!(text.contains("another node is running on this data directory"), "{text}");

    for height in [12, 20] {
        network.kill(3).unwrap();
        network.start(3).unwrap();
        wait_height(&mut network, height).await;
    }
    for height in 1..=20 {
        let first = header(&network, 0, height).await.unwrap();
        for number in 1..NODES {
            assert_eq!(header(&network, number, height).await.unwrap(), first, "height {height} of node {number}");
        }
    }
    let exported = exported(&network, 20).await;
    network.stop().unwrap();
    assert_eq!(dumped(&network, 20), exported);

    let genesis = fs::read_to_string(network.layout().genesis()).unwrap();
    let another = dir.path().join("another.json");
    fs::write(&another, genesis.replace("\"localnet-", "\"another-")).unwrap();
    let config = fs::read_to_string(network.layout().config(0)).unwrap();
    let other = dir.path().join("other.yml");
    fs::write(&other, config.replace("genesis.json", "another.json")).unwrap();
    let text = refusal(&network, &other);
    assert!(text.contains("the data directory belongs to another network"), "{text}");
}

#[tokio::test]
async fn where_the_network_ends_nodes_serve_the_last_block_until_they_are_told_to_stop() {
    const END: &str = "no further block is executed";
    let dir = tempfile::tempdir().unwrap();
    let mut network = new_network(dir.path());
    change(&network.layout().genesis(), |genesis| genesis["halt_epoch"] = 1.into());
    for number in 0..NODES {
        // None stops by itself before the test is over.
        let path = network.layout().config(number);
        change(&path, |config| config["consensus"]["tendermint"]["upgrade"] = json!({ "stop_delay": "1h" }));
    }
    for number in 0..3 {
        network.start(number).unwrap();
    }
    for number in 0..3 {
        wait_log(&mut network, number, END).await;
    }
    // One that was away to the end can still have all that the others have.
    network.start(3).unwrap();
    wait_log(&mut network, 3, END).await;
    let last = header(&network, 0, 30).await.unwrap();
    assert_eq!(header(&network, 3, 30).await.unwrap(), last);
    // The state is there to go on with.
    let mut exports = BTreeSet::new();
    for number in 0..NODES {
        wait_log(&mut network, number, "the state is written as a genesis document").await;
        let files = fs::read_dir(network.layout().node(number).join("exports")).unwrap();
        exports.extend(files.map(|file| (file.as_ref().unwrap().file_name(), fs::read(file.unwrap().path()).unwrap())));
    }
    assert_eq!(exports.len(), 1);
    network.stop().unwrap();
    // Started again they say so, instead of waiting for others.
    fs::remove_dir_all(network.layout().node(1).join("exports")).unwrap();
    let text = refusal(&network, &network.layout().config(1));
    assert!(text.contains("the network halted at height 31, in epoch 1") && text.contains("a network that goes on begins with"), "{text}");
    assert_eq!(fs::read_dir(network.layout().node(1).join("exports")).unwrap().count(), 1);
}

#[test]
fn a_port_in_use_stops_a_node_before_it_signs() {
    let dir = tempfile::tempdir().unwrap();
    let network = new_network(dir.path());
    let port = network.layout().form().ports[0];
    let held = TcpListener::bind(("127.0.0.1", port)).unwrap();
    let text = refusal(&network, &network.layout().config(0));
    let wanted = "consensus.tendermint.core.listen_address: expected an address and a port that are free, found";
    assert!(text.contains(&format!("{wanted} {}", held.local_addr().unwrap())), "{text}");

    let path = network.layout().config(1);
    change(&path, |config| config["worker"] = json!({ "consensusrpc": { "enabled": true }, "client": { "port": port } }));
    let text = refusal(&network, &path);
    assert!(text.contains(&format!("worker.client.port: expected a port that is free, found {port}")), "{text}");
    for number in 0..2 {
        assert!(!network.layout().node(number).join("tendermint").join("oasis_priv_validator.json").exists());
    }
}

/// Runs `oasis-node localnet`, and gives its exit and what it printed.
fn localnet(dir: &Path, arguments: &[&str]) -> (bool, String) {
    let mut command = Command::new(program());
    command.arg("localnet").arg("--dir").arg(dir).args(arguments);
    let output = command.output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(text).unwrap())
}

/// The heights that a run printed.
fn heights(text: &str) -> Vec<u64> {
    let lines = text.lines().filter_map(|line| line.strip_prefix("height "));
    lines.map(|line| line.split(' ').next().unwrap().parse().unwrap()).collect()
}

#[test]
fn a_network_in_one_command_survives_a_stop() {
    let dir = tempfile::tempdir().unwrap();
    let new = ["--validators", "2", "--epoch-interval", "10", "--timeout-commit", "50", "--for", "8", "--transfers-per-second", "20"];
    let (good, text) = localnet(dir.path(), &new);
    assert!(good, "{text}");
    let first = heights(&text);
    assert!(first.last() > first.first() && text.contains("stopped at height"), "{text}");
    assert!(text.lines().any(|line| line.starts_with("height ") && !line.contains("transactions 0 ")), "{text}");

    let (good, text) = localnet(dir.path(), &["--for", "5"]);
    assert!(good, "{text}");
    assert!(heights(&text).first() >= first.last(), "{first:?} then {text}");

    let (good, text) = localnet(dir.path(), &["--validators", "3"]);
    assert!(!good && text.contains("--validators: found 3, but the network"), "{text}");
    let (good, text) = localnet(&dir.path().join("other"), &["--validators", "0"]);
    assert!(!good && text.contains("expected a whole number from 1 to 100, for example 4"), "{text}");
}
