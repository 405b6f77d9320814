//! The metrics of a running node beside those of the original's.

use std::{
    collections::BTreeMap,
    fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    path::Path,
    time::{Duration, Instant},
};

use oasis_localnet::{Form, Layout, Network};
use serde_json::{Value, json};

/// How long anything may take, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// Of Go and its libraries.
const NOT_OURS: [&str; 3] = ["go_", "promhttp_", "tcp_"];

/// Values of one name, as the page has them.
#[derive(Debug, Default)]
struct Family {
    kind: String,
    help: String,
    labels: Vec<String>,
    /// Bounds of a histogram.
    bounds: Vec<String>,
    /// The last value, of those of a name its first.
    value: f64,
}

/// Reads a page.
fn read(page: &str) -> BTreeMap<String, Family> {
    let mut families: BTreeMap<String, Family> = BTreeMap::new();
    for line in page.lines() {
        if let Some((name, help)) = line.strip_prefix("# HELP ").and_then(|rest| rest.split_once(' ')) {
            families.entry(name.to_owned()).or_default().help = help.to_owned();
        } else if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' ')) {
            families.entry(name.to_owned()).or_default().kind = kind.to_owned();
        } else {
            let (series, value) = line.rsplit_once(' ').unwrap();
            let (name, labels) = series.split_once('{').unwrap_or((series, ""));
            let base =
                ["_bucket", "_sum", "_count"].iter().filter_map(|end| name.strip_suffix(end)).find(|base| families.contains_key(*base));
            let family = families.get_mut(base.unwrap_or(name)).unwrap_or_else(|| panic!("{line}: no kind"));
            let mut found = Vec::new();
            for label in labels.trim_end_matches('}').split("\",").filter(|label| !label.is_empty()) {
                let (name, value) = label.split_once("=\"").unwrap();
                match name {
                    "le" => family.bounds.push(value.trim_end_matches('"').to_owned()),
                    name => found.push(name.to_owned()),
                }
            }
            found.sort();
            family.labels = found;
            family.value = value.parse().unwrap();
        }
    }
    families
}

fn ask(port: u16) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, page) = answer.split_once("\r\n\r\n")?;
    assert!(head.starts_with("HTTP/1.1 200 OK"), "{head}");
    Some(page.to_owned())
}

/// A network whose first node tells metrics, and the port.
fn network(dir: &Path) -> (Network, u16) {
    let form = Form { validators: 2, epoch_interval: 10, timeout_commit: 100, ports: Vec::new() };
    let network = Network::new(Layout::create(dir, form).unwrap(), Path::new(env!("CARGO_BIN_EXE_oasis-node")));
    let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
    let path = network.layout().config(0);
    let mut config: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    config["metrics"] = json!({ "mode": "pull", "address": format!("127.0.0.1:{port}") });
    fs::write(&path, config.to_string()).unwrap();
    (network, port)
}

#[test]
fn vectors_a_node_tells_what_the_original_tells() {
    let dir = tempfile::tempdir().unwrap();
    let (mut network, port) = network(dir.path());
    network.start_all().unwrap();
    let start = Instant::now();
    let is_far = |families: &BTreeMap<String, Family>| {
        let value = |name: &str| families.get(name).map_or(0.0, |family| family.value);
        let far = value("tendermint_consensus_latest_block_height") > 12.0 && value("oasis_worker_node_registered") > 0.0;
        far && value("oasis_consensus_proposed_blocks") > 0.0 && families.contains_key("tendermint_consensus_block_parts")
    };
    let families = loop {
        network.check().unwrap();
        // A client that asks is counted.
        let _ = oasis_status(&network);
        let families = ask(port).map(|page| read(&page)).unwrap_or_default();
        if is_far(&families) {
            break families;
        }
        assert!(start.elapsed() < PATIENCE, "{families:?}");
        std::thread::sleep(Duration::from_millis(300));
    };
    let value = |name: &str| families[name].value;
    assert_eq!(value("tendermint_consensus_validators"), 2.0);
    assert_eq!(value("oasis_registry_nodes"), 2.0);
    assert_eq!(value("tendermint_p2p_peers"), 1.0);
    assert_eq!(value("tendermint_consensus_height"), value("tendermint_consensus_latest_block_height") + 1.0);
    assert!(value("tendermint_consensus_validator_last_signed_height") > 0.0);
    assert!(value("oasis_node_mem_rss_anon_bytes") > 1e6 && value("oasis_node_disk_usage_bytes") > 1e4);
    assert!(value("tendermint_state_block_processing_time") > 0.0 && value("tendermint_consensus_block_interval_seconds") > 0.0);

    oasis_test_vectors::for_each("metrics/go.json.gz", |_, bytes| {
        for original in serde_json::from_slice::<Vec<Value>>(bytes)? {
            let name = original["name"].as_str().unwrap();
            let seldom = name == "tendermint_consensus_validator_missed_blocks";
            if seldom || NOT_OURS.iter().any(|start| name.starts_with(start)) {
                continue;
            }
            let ours = families.get(name).unwrap_or_else(|| panic!("{name} is not told"));
            assert_eq!(ours.kind, original["type"].as_str().unwrap(), "{name}");
            assert_eq!(ours.help, original["help"].as_str().unwrap(), "{name}");
            assert_eq!(json!(ours.labels), original["labels"], "{name}");
            let bounds = original.get("bounds").cloned().unwrap_or(json!([]));
            let number = |text: &Value| text.as_str().unwrap().parse::<f64>().unwrap();
            let expected: Vec<f64> = bounds.as_array().unwrap().iter().map(number).collect();
            assert_eq!(ours.bounds.iter().map(|text| text.parse::<f64>().unwrap()).collect::<Vec<_>>(), expected, "{name}");
        }
        Ok(())
    })
    .unwrap();
    network.stop().unwrap();
}

/// Asks a node for its state, as an operator does.
fn oasis_status(network: &Network) -> std::process::Output {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_oasis-node"));
    command.args(["control", "status", "-a", &oasis_localnet::address(network.layout(), 0)]).output().unwrap()
}
