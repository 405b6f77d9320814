//! The generator of load against a network of one validator.

use std::{
    path::Path,
    process::{Command, Output},
    time::{Duration, Instant},
};

use oasis_localnet::{Form, Layout, Network, address};
use oasis_node_service::grpc::{Client, SOCKET_FILE};

/// How long the network may take until it makes blocks.
const PATIENCE: Duration = Duration::from_secs(60);

fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_oasis-node"))
}

fn network(dir: &Path) -> Network {
    let form = Form { validators: 1, epoch_interval: 20, timeout_commit: 1, ports: Vec::new() };
    let mut network = Network::new(Layout::create(dir, form).unwrap(), program());
    network.start_all().unwrap();
    let socket = network.layout().node(0).join(SOCKET_FILE);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let start = Instant::now();
    while runtime.block_on(Client::connect_unix(&socket)).is_err() {
        network.check().unwrap();
        assert!(start.elapsed() < PATIENCE, "no socket");
        std::thread::sleep(Duration::from_millis(50));
    }
    network
}

fn txsource(network: &Network, workload: &str, seconds: &str, more: &[&str]) -> Output {
    let mut command = Command::new(program());
    command.args(["debug", "txsource", "--workload", workload, "--time_limit", seconds, "-v"]);
    command.args(["--debug.dont_blame_oasis", "--debug.allow_test_keys"]);
    command.args(["--address", &address(network.layout(), 0)]).args(more);
    command.current_dir(network.layout().root()).output().unwrap()
}

/// What the summary says; the workload must not have failed.
fn summary(network: &Network, workload: &str, seconds: &str, more: &[&str]) -> String {
    let output = txsource(network, workload, seconds, more);
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{workload}: {out}{err}");
    out.into_owned()
}

/// The count after a word.
fn count(summary: &str, word: &str) -> u64 {
    let rest = summary.split_once(word).unwrap_or_else(|| panic!("{word} in {summary}")).1.trim_start();
    let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    rest[..digits].parse().unwrap()
}

#[test]
fn transactions_of_every_kind_are_taken_and_what_is_wrong_is_refused_with_its_error() {
    let dir = tempfile::tempdir().unwrap();
    let mut network = network(&dir.path().join("net"));
    // Of commissions a busy machine makes few.
    for (workload, seconds) in [("transfer", "6s"), ("delegation", "6s"), ("commission", "12s"), ("registration", "6s"), ("parallel", "6s")]
    {
        let text = summary(&network, workload, seconds, &[]);
        assert!(count(&text, "in blocks") > 5, "{text}");
        assert_eq!(count(&text, "refused as expected"), 0, "{text}");
    }
    let text = summary(&network, "oversized", "2s", &[]);
    assert!(count(&text, "an oversized transfer") > 0, "{text}");
    let entity = network.layout().entity(0).join("entity.json");
    let text = summary(&network, "governance", "8s", &["--validator_entity", entity.to_str().unwrap()]);
    assert!(count(&text, ", queries") > 3, "{text}");
    // The workload knows the error of each of its 24 faults.
    let text = summary(&network, "invalid", "16s", &[]);
    assert!(count(&text, "refused as expected") >= 24, "{text}");
    let text = summary(&network, "queries", "2s", &["--queries.consensus.num_kept_versions", "100"]);
    assert!(count(&text, ", queries") > 50, "{text}");
    network.check().unwrap();
    network.stop().unwrap();
}

#[test]
fn what_can_not_be_sent_says_why() {
    let dir = tempfile::tempdir().unwrap();
    let mut network = network(&dir.path().join("net"));
    let refusal = |workload: &str, more: &[&str]| {
        let output = txsource(&network, workload, "1s", more);
        assert!(!output.status.success());
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    assert!(refusal("runtime", &[]).contains("runtimes are not served yet"));
    assert!(refusal("nothing", &[]).contains("workload nothing not found; one of transfer, "));
    assert!(refusal("transfer", &["--seed", "short"]).contains("expected 32 characters or more, found 5"));
    assert!(refusal("transfer", &["--queries.runtime.enabled"]).contains("leave these flags out"));
    assert!(refusal("transfer", &["--time_limit", "5"]).contains("such as 90s or 1h30m"));
    let text = refusal("governance", &[]);
    assert!(text.contains("--validator_entity"), "{text}");
    network.stop().unwrap();
}
