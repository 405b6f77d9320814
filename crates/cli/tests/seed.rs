//! A seed as a process: what it answers, and whose data its directory holds.

use std::{
    fs,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use oasis_localnet::{Form, Layout};
use oasis_node_service::{
    api::status::Status,
    grpc::{Client, ClientError},
};
use oasis_primitives::cbor;

/// How long anything may take, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
const NOTHING: cbor::Value = cbor::Value::Null;

fn seed(dir: &Path, genesis: &Path, socket: &Path, port: u16) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_oasis-node"));
    command.arg("--datadir").arg(dir).arg("--genesis.file").arg(genesis).args(["--consensus.tendermint.mode", "seed"]);
    command.arg("--consensus.tendermint.core.listen_address").arg(format!("tcp://127.0.0.1:{port}"));
    command.args(["--debug.dont_blame_oasis", "--debug.allow_test_keys", "--debug.grpc.internal.socket_path"]).arg(socket);
    command.stdin(Stdio::null()).spawn().unwrap()
}

async fn connect(socket: &Path) -> Client {
    let start = Instant::now();
    loop {
        match Client::connect_unix(socket).await {
            Ok(client) => return client,
            Err(e) => assert!(start.elapsed() < PATIENCE, "{e}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Waits for a process to end by itself.
async fn end(mut child: Child) -> bool {
    let start = Instant::now();
    while start.elapsed() < PATIENCE {
        if let Some(status) = child.try_wait().unwrap() {
            return status.success();
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    child.kill().unwrap();
    panic!("the seed has not stopped");
}

async fn refused<Q: cbor::Encode + ?Sized>(client: &Client, method: &str, request: &Q) -> (String, u32) {
    match client.call_bytes(&format!("oasis-core.{method}"), cbor::to_vec(request)).await {
        Err(ClientError::Refused(e)) => (e.module, e.code),
        other => panic!("{method}: {other:?}"),
    }
}

/// As the original's end-to-end test of seeds asks.
#[tokio::test]
async fn a_seed_tells_of_itself_and_refuses_the_rest() {
    let root = tempfile::tempdir().unwrap();
    let form = Form { validators: 1, epoch_interval: 30, timeout_commit: 100, ports: Vec::new() };
    let layout = Layout::create(&root.path().join("network"), form).unwrap();
    let (dir, socket, port) = (root.path().join("seed"), root.path().join("seed.sock"), layout.form().ports[0]);
    let first = seed(&dir, &layout.genesis(), &socket, port);
    let client = connect(&socket).await;

    let synced: bool = client.call("oasis-core.NodeController/IsSynced", &NOTHING).await.unwrap();
    let ready: bool = client.call("oasis-core.NodeController/IsReady", &NOTHING).await.unwrap();
    assert!(synced && !ready);
    let status: Status = client.call("oasis-core.NodeController/GetStatus", &NOTHING).await.unwrap();
    let consensus = &status.consensus;
    assert_eq!((consensus.mode.as_str(), consensus.features, consensus.latest_height, consensus.is_validator), ("seed", 0, 0, false));
    assert_eq!(status.registration, Default::default());
    let context: String = client.call("oasis-core.Consensus/GetChainContext", &NOTHING).await.unwrap();
    assert_eq!(context.len(), 64);

    for method in ["Consensus/GetBlock", "Consensus/StateToGenesis", "ConsensusLight/GetLightBlock", "ConsensusLight/GetParameters"] {
        assert_eq!(refused(&client, method, &0i64).await, ("consensus".to_owned(), 4), "{method}");
    }
    assert_eq!(refused(&client, "Consensus/GetUnconfirmedTransactions", &NOTHING).await, ("consensus".to_owned(), 4));
    // Services that it does not have at all.
    assert_eq!(refused(&client, "DebugController/SetEpoch", &0u64).await.1, 0);
    assert_eq!(refused(&client, "Staking/TotalSupply", &0i64).await.1, 0);

    client.call_bytes("oasis-core.NodeController/RequestShutdown", cbor::to_vec(&true)).await.unwrap();
    assert!(end(first).await);

    // Nothing in its directory is of one network alone.
    let genesis = fs::read_to_string(layout.genesis()).unwrap().replace("\"localnet-", "\"another-");
    let another = root.path().join("another.json");
    fs::write(&another, genesis).unwrap();
    let second = seed(&dir, &another, &socket, port);
    let client = connect(&socket).await;
    let other: String = client.call("oasis-core.Consensus/GetChainContext", &NOTHING).await.unwrap();
    assert_ne!(other, context);
    client.call_bytes("oasis-core.NodeController/RequestShutdown", cbor::to_vec(&false)).await.unwrap();
    assert!(end(second).await);
}
