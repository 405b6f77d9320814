//! Signers beside files: the remote one with its server, and several at once.

use std::{
    fs,
    io::{BufRead, BufReader},
    net::TcpListener,
    path::Path,
    process::{Child, Command, Output, Stdio},
};

fn command(dir: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_oasis-node"));
    command.args(args).current_dir(dir).stdin(Stdio::null());
    command
}

fn run(dir: &Path, args: &[&str]) -> Output {
    command(dir, args).output().unwrap()
}

/// What a command that must succeed prints.
fn good(dir: &Path, args: &[&str]) -> String {
    let output = run(dir, args);
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// What a command that must fail says.
fn bad(dir: &Path, args: &[&str]) -> String {
    let output = run(dir, args);
    assert_eq!(output.status.code(), Some(1), "{args:?}");
    String::from_utf8(output.stderr).unwrap()
}

struct Signer(Child);

impl Drop for Signer {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// Starts a remote signer with its keys in `server`, and gives its address.
fn serve(dir: &Path) -> (Signer, String) {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
    let args =
        ["signer", "remote", "--datadir", "server", "--client.certificate", "client/remote_signer_client_cert.pem", "--grpc.port", &port];
    let mut child = command(dir, &args).stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stderr.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.contains("signing for"), "{line}");
    (Signer(child), format!("127.0.0.1:{port}"))
}

const REMOTE: [&str; 6] = [
    "--signer.remote.client.certificate",
    "client/remote_signer_client_cert.pem",
    "--signer.remote.client.key",
    "client/remote_signer_client_key.pem",
    "--signer.remote.server.certificate",
    "server/remote_signer_server_cert.pem",
];

#[test]
fn a_remote_signer_signs_what_its_key_in_a_file_would() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    assert!(bad(dir, &["signer", "remote", "--datadir", "server"]).contains("signer remote init"));
    good(dir, &["signer", "remote", "init", "--datadir", "server"]);
    assert!(bad(dir, &["signer", "remote", "init", "--datadir", "server"]).contains("key already exists"));
    good(dir, &["signer", "remote", "init_client", "--datadir", "client"]);
    let (signer, address) = serve(dir);
    let remote = [&REMOTE[..], &["--signer.remote.address", &address]].concat();

    fs::create_dir(dir.join("far")).unwrap();
    let far = [&["registry", "entity", "init", "--entity.reuse_signer", "--signer.backend", "remote", "--signer.dir", "far"], &remote[..]]
        .concat();
    good(dir, &far);
    good(dir, &["registry", "entity", "init", "--entity.reuse_signer", "--signer.dir", "server"]);
    for name in ["entity.json", "entity_genesis.json"] {
        assert_eq!(fs::read(dir.join("far").join(name)).unwrap(), fs::read(dir.join("server").join(name)).unwrap(), "{name}");
    }
    assert!(!dir.join("far").join("entity.pem").exists());

    let composite = ["signer", "export", "--signer.dir", "far", "--signer.backend", "composite", "--signer.composite.backends"];
    good(dir, &[&composite[..], &["entity:remote,node:file"], &remote[..]].concat());
    assert!(bad(dir, &[&composite[..], &["node:file"]].concat()).contains("not set up for entity keys"));
    assert!(bad(dir, &[&composite[..], &["entity"]].concat()).contains("for example: entity:remote"));

    let without = ["registry", "entity", "init", "--signer.backend", "remote", "--signer.dir", "far"];
    assert!(bad(dir, &[&without[..], &remote[..]].concat()).contains("makes no entity key"));
    drop(signer);
    assert!(bad(dir, &far).contains(&address));
    assert!(bad(dir, &without).contains("signer.remote.address"));
}

#[test]
fn signers_that_can_not_be_say_what_would_be_right() {
    let dir = tempfile::tempdir().unwrap();
    let export = ["signer", "export", "--signer.backend"];
    let refused = |rest: &[&str]| bad(dir.path(), &[&export[..], rest].concat());
    assert!(refused(&["hsm"]).contains("unsupported signer backend: hsm"));
    assert!(refused(&["memory"]).contains("only for testing"));
    assert!(refused(&["file"]).contains("--signer.dir /localhost/entity"));
    assert!(refused(&["plugin"]).contains("--signer.plugin.name ledger"));
    assert!(
        refused(&["plugin", "--signer.plugin.name", "example", "--signer.plugin.path", "/bin/true"]).contains("/bin/true: signer plugin")
    );
}

#[test]
fn a_plugin_of_the_original_makes_a_key_and_signs() {
    // The original's example plugin, where somebody built it: see docs/running.md.
    let Some(plugin) = std::env::var_os("OASIS_EXAMPLE_SIGNER_PLUGIN") else {
        eprintln!("OASIS_EXAMPLE_SIGNER_PLUGIN is not set: the original's example plugin is not asked");
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let path = plugin.to_str().unwrap();
    let flags = ["--signer.backend", "plugin", "--signer.plugin.name", "example", "--signer.plugin.path", path];
    good(dir.path(), &[&["registry", "entity", "init", "--signer.dir", "."], &flags[..]].concat());
    assert!(dir.path().join("entity_genesis.json").exists());
    // Its keys are gone with it.
    assert!(bad(dir.path(), &[&["signer", "export"], &flags[..]].concat()).contains("failed to load/generate key"));
    let other = ["--signer.backend", "plugin", "--signer.plugin.name", "other", "--signer.plugin.path", path];
    assert!(bad(dir.path(), &[&["signer", "export"], &other[..]].concat()).contains("plugin exited before we could connect"));
}

#[test]
fn versions_are_printed_as_the_original_prints_them() {
    let dir = tempfile::tempdir().unwrap();
    let text = good(dir.path(), &["--version"]);
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with("Software version: "), "{text}");
    assert_eq!(
        lines[1..6],
        [
            "Consensus:",
            "  Consensus protocol version: 4.0.0",
            "Runtime:",
            "  Host protocol version:      4.0.0",
            "  Committee protocol version: 3.0.0"
        ]
    );
}
