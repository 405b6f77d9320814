//! The original's JavaScript client beside this node. Needs Node.js with npm, and says so where they are missing.

mod common;

use std::{
    fs,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use common::{installed, not_run, program, root};
use oasis_localnet::{Form, Layout, Network};
use oasis_node_service::grpc::{Client, SOCKET_FILE};
use oasis_primitives::cbor;

/// How npm names a registry that can't be reached.
const UNREACHABLE: [&str; 6] = ["ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ECONNRESET", "ETIMEDOUT", "ENETUNREACH"];

/// Installs the packages of the lock file, once. An error is a registry that can't be reached.
fn install(npm: &Path, dir: &Path) -> Result<(), String> {
    fs::create_dir_all(dir).unwrap();
    for name in ["package.json", "package-lock.json", "bridge.mjs", "browser.mjs", "test.mjs"] {
        fs::copy(root().join("tests/client").join(name), dir.join(name)).unwrap();
    }
    let installed = dir.join("installed.json");
    let wanted = fs::read(dir.join("package-lock.json")).unwrap();
    if fs::read(&installed).is_ok_and(|found| found == wanted) {
        return Ok(());
    }
    let output = Command::new(npm).args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(dir).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    if !output.status.success() {
        assert!(UNREACHABLE.iter().any(|code| text.contains(code)), "npm ci: {text}");
        return Err(text);
    }
    fs::write(&installed, wanted).unwrap();
    Ok(())
}

#[tokio::test]
async fn the_javascript_client_reads_blocks_and_sends_a_transfer() {
    const NAME: &str = "the_javascript_client_reads_blocks_and_sends_a_transfer";
    let (Some(node), Some(npm)) = (installed(&["node", "nodejs"]), installed(&["npm"])) else {
        return not_run(NAME, "Node.js is not here (apt-get install nodejs npm)");
    };
    let packages = Path::new(env!("CARGO_TARGET_TMPDIR")).join("javascript");
    if let Err(e) = install(&npm, &packages) {
        return not_run(NAME, &format!("npm has nowhere to get its packages from: {e}"));
    }
    let dir = tempfile::tempdir().unwrap();
    let form = Form { validators: 1, epoch_interval: 30, timeout_commit: 200, ports: Vec::new() };
    let mut network = Network::new(Layout::create(dir.path(), form).unwrap(), program());
    network.start_all().unwrap();
    let socket = network.layout().node(0).join(SOCKET_FILE);
    let start = Instant::now();
    loop {
        network.check().unwrap();
        assert!(start.elapsed() < Duration::from_secs(60), "no block");
        if let Ok(client) = Client::connect_unix(&socket).await
            && client.call_bytes("oasis-core.Consensus/GetBlock", cbor::to_vec(&0i64)).await.is_ok()
        {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let wallet = network.layout().wallet().join("entity.pem");
    let output = Command::new(node).arg("test.mjs").arg(&socket).arg(&wallet).current_dir(&packages).output().unwrap();
    let (said, failed) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}{failed}");
    // Both clients have done everything.
    assert_eq!(said.lines().filter(|line| line.starts_with("ok: ")).count(), 12, "{said}");
    network.stop().unwrap();
}
