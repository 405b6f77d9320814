//! The machines that documents speak of: `/node`, `/localhost`, and a network.

use std::{
    fs,
    io::Read,
    net::TcpListener,
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use oasis_consensus_engine::address_of;
use oasis_localnet::{Form, Layout, Network};
use oasis_node_service::{config::Config, grpc::SOCKET_FILE, identity::Identity};
use oasis_primitives::{address::Address, signature::PublicKey};
use serde_json::Value;
use tempfile::TempDir;

use crate::markdown::{Block, fill};

/// How long anything may take, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// A runtime's identifier, as documents write one.
pub const RUNTIME: &str = "8000000000000000000000000000000000000000000000000000000000000000";
/// Directories that documents name from the root, and that a test has elsewhere.
const ROOTS: [&str; 3] = ["/node/", "/localhost/", "/serverdir/"];
/// What documents say in the place of the flags that name a key.
const SIGNER_FLAGS: &str = "... various signer flags ...";
/// Commands of documents that are run besides this program's.
const TOOLS: [&str; 3] = ["oasis-node", "cat", "mkdir"];

/// A place for the directories of a document, with a network to speak to.
pub struct World {
    dir: TempDir,
    network: Network,
    /// Of the node that the document configures.
    port: u16,
    /// What the document has set for the commands that follow.
    variables: String,
    node: Option<Child>,
}

fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_oasis-node"))
}

impl World {
    /// Everything that a document expects to be there: also an entity with tokens, unless the document makes one.
    pub fn new(makes_entity: bool) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let form = Form { validators: 1, epoch_interval: 30, timeout_commit: 100, ports: Vec::new() };
        let network = Network::new(Layout::create(&dir.path().join("net"), form).unwrap(), program());
        for path in ["node", "node/etc", "node/data", "node/entity", "node/bin", "node/runtimes", "localhost", "bin"] {
            fs::DirBuilder::new().mode(0o700).create(dir.path().join(path)).unwrap();
        }
        let at = |path: &str| dir.path().join(path);
        // The network is one of tests: its nodes are on loopback.
        let script = format!(
            "#!/bin/sh\ncase \"$1\" in\n\
             --*) exec {0} \"$@\" --debug.dont_blame_oasis --consensus.tendermint.debug.addr_book_lenient \\\n\
             --consensus.tendermint.debug.allow_duplicate_ip ;;\n\
             registry|stake|consensus|snapshot) exec {0} \"$@\" --debug.dont_blame_oasis ;;\n\
             *) exec {0} \"$@\" ;;\nesac\n",
            program().display()
        );
        fs::write(at("bin/oasis-node"), script).unwrap();
        fs::set_permissions(at("bin/oasis-node"), fs::Permissions::from_mode(0o700)).unwrap();
        fs::copy(network.layout().genesis(), at("node/etc/genesis.json")).unwrap();
        let wallet = network.layout().wallet();
        fs::copy(wallet.join("entity.json"), at("node/entity/entity.json")).unwrap();
        if !makes_entity {
            fs::rename(&wallet, at("localhost/entity")).unwrap();
        }
        let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        let world = Self { dir, network, port, variables: String::new(), node: None };
        for number in 1..=2 {
            let node = world.path(&format!("localhost/node{number}"));
            fs::DirBuilder::new().mode(0o700).create(&node).unwrap();
            let (datadir, id) = (node.to_str().unwrap(), world.entity_id("node/entity"));
            let init = ["registry", "node", "init", "--datadir", datadir, "--node.entity_id", &id, "--node.role", "validator"];
            let output = Command::new(program()).args(init).args(["--node.consensus_address", "1.2.3.4:26656"]).output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
        world
    }

    /// Lets the network make blocks.
    pub fn start_network(&mut self) {
        self.network.start_all().unwrap();
        let socket = self.socket();
        self.wait("the network makes blocks", || height(&socket).is_some_and(|height| height > 2));
    }

    fn entity_id(&self, dir: &str) -> String {
        let entity: Value = serde_json::from_slice(&fs::read(self.path(dir).join("entity.json")).unwrap()).unwrap();
        entity["id"].as_str().unwrap().to_owned()
    }

    /// A path below the world's root.
    pub fn path(&self, below: &str) -> PathBuf {
        self.dir.path().join(below)
    }

    /// The socket of the network's own node.
    pub fn socket(&self) -> PathBuf {
        self.network.layout().node(0).join(SOCKET_FILE)
    }

    /// A block with the world's paths and values in the place of the document's.
    pub fn own(&self, text: &str) -> String {
        let identity = Identity::load_or_generate(&self.network.layout().node(0)).unwrap();
        let id = hex::encode(address_of(&identity.p2p.public_key().0));
        let (network, key) = (self.network.layout().form().ports[0], identity.node.public_key().to_string());
        let filled = fill(text, |name, after_at, before_port| match name {
            "runtime_id" => RUNTIME.to_owned(),
            "runtime_bin_path" => "/node/runtimes/foo-paratime.sgxs".to_owned(),
            "runtime_sig_path" => "/node/runtimes/foo-paratime.sig".to_owned(),
            "entity_id" => self.entity_id("localhost/entity"),
            "entity_address" => Address::of_public_key(&PublicKey::from_base64(&self.entity_id("localhost/entity")).unwrap()).to_string(),
            "snapshot_hash" => self.snapshot_hash(),
            "trusted_height" => "1".to_owned(),
            "trusted_height_hash" => "ab".repeat(32),
            name if name.ends_with("public_key") || name.ends_with("pubkey") => key.clone(),
            name if name.ends_with("_ip") => "127.0.0.1".to_owned(),
            name if name.ends_with("_id") => id.clone(),
            name if name.ends_with("port") => network.to_string(),
            _ if before_port => "127.0.0.1".to_owned(),
            _ if after_at => format!("127.0.0.1:{network}"),
            name if name.starts_with("ias") => format!("{key}@127.0.0.1:{network}"),
            name if name.ends_with("address") => format!("{id}@127.0.0.1:{network}"),
            name => panic!("{name}: no value is known for it"),
        });
        let filled = filled.replace(SIGNER_FLAGS, "--signer.backend file --signer.dir /localhost/entity");
        let filled = filled.replace("<PATH-TO-entity.json>", "/localhost/entity/entity.json");
        self.rooted(&filled).replace(":26656", &format!(":{}", self.port))
    }

    /// What somebody else would say of the block of a snapshot that was made before.
    fn snapshot_hash(&self) -> String {
        let output = self.shell("oasis-node snapshot show node.snapshot");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let shown = String::from_utf8(output.stdout).unwrap();
        shown.split_once(", hash ").unwrap().1.split_whitespace().next().unwrap().to_owned()
    }

    fn rooted(&self, text: &str) -> String {
        let mut out = String::new();
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            let within = out.chars().last().is_some_and(|last| last.is_alphanumeric() || matches!(last, '/' | '.' | '-' | '_'));
            if !within && ROOTS.iter().any(|root| rest.starts_with(root)) {
                out.push_str(self.dir.path().to_str().unwrap());
            }
            out.push(c);
            rest = &rest[c.len_utf8()..];
        }
        out
    }

    /// Whether a block has commands for this program. All of its commands must be known then.
    pub fn is_for_us(block: &Block) -> bool {
        let lines = commands(&block.text);
        let program = |line: &String| line.split_whitespace().next().unwrap_or_default().to_owned();
        let ours = |line: &String| TOOLS.contains(&program(line).as_str()) || is_assignment(line);
        let is = lines.iter().any(|line| program(line) == TOOLS[0] || (line.starts_with("cat ") && line.contains("entity.json")));
        assert!(!is || lines.iter().all(ours), "{}: a command that is not known among this program's", block.place);
        is
    }

    /// Runs a block's commands; gives what each printed.
    pub fn run(&mut self, block: &Block) -> Vec<(String, String)> {
        let mut printed = Vec::new();
        for command in commands(&block.text) {
            // What a command makes may be named in the next one.
            let command = self.own(&command);
            if is_assignment(&command) {
                self.variables.push_str(&format!("{command}\n"));
                continue;
            }
            if is_node(&command) {
                self.start(&command);
                continue;
            }
            // Whoever has no jq reads the file as it is.
            let command = command.replace(" | jq", "");
            if command.contains("submit_tx") {
                self.catch_up();
            }
            let output = self.shell(&command);
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(output.status.success(), "{}: {command}: {said}", block.place);
            if command.contains("registry entity init") {
                self.fund();
            }
            printed.push((command, String::from_utf8(output.stdout).unwrap()));
        }
        printed
    }

    /// Waits until the node of the document knows what the network has done.
    fn catch_up(&mut self) {
        let (network, own) = (self.socket(), self.path("node/data").join(SOCKET_FILE));
        let reached = height(&network);
        if self.node.is_some() {
            self.wait("the node follows the network", || height(&own) >= reached);
        }
    }

    /// Gives tokens to the entity that a document has made.
    fn fund(&self) {
        let at = |path: &Path| path.to_str().unwrap().to_owned();
        let (wallet, genesis) = (at(&self.network.layout().wallet()), at(&self.network.layout().genesis()));
        let to = Address::of_public_key(&PublicKey::from_base64(&self.entity_id("localhost/entity")).unwrap());
        let file = at(&self.path("fund.json"));
        let make = format!(
            "oasis-node stake account gen_transfer --stake.transfer.destination {to} --stake.amount 1000000000000 -y \
             --genesis.file {genesis} --signer.dir {wallet} --transaction.file {file} --transaction.nonce 0 --transaction.fee.gas 2000"
        );
        let submit = format!("oasis-node consensus submit_tx -a unix:{} --transaction.file {file}", self.socket().display());
        for command in [make, submit] {
            let output = self.shell(&command);
            assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
        }
    }

    fn bash(&self, command: &str) -> Command {
        let mut shell = Command::new("bash");
        let path = format!("{}:{}", self.path("bin").display(), std::env::var("PATH").unwrap_or_default());
        shell.arg("-ec").arg(format!("{}{command}", self.variables)).current_dir(self.dir.path()).env("PATH", path).stdin(Stdio::null());
        shell
    }

    fn shell(&self, command: &str) -> Output {
        self.bash(command).output().unwrap()
    }

    /// Starts the node of the document, and waits until it answers.
    fn start(&mut self, command: &str) {
        let log = fs::File::create(self.path("log")).unwrap();
        let mut shell = self.bash(&format!("exec {command}"));
        self.node = Some(shell.stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap());
        let socket = self.path("node/data").join(SOCKET_FILE);
        self.wait("the node answers and follows the network", || height(&socket).is_some_and(|height| height > 2));
    }

    /// What the node of the document has said; it is stopped.
    pub fn stop_node(&mut self) -> Option<String> {
        let mut node = self.node.take()?;
        let stopped = Command::new("kill").arg(node.id().to_string()).status().unwrap();
        assert!(stopped.success());
        let ended = node.wait().unwrap();
        let mut log = String::new();
        fs::File::open(self.path("log")).unwrap().read_to_string(&mut log).unwrap();
        assert!(ended.success(), "{log}");
        // A document may start it again.
        fs::remove_dir_all(self.path("node/data")).unwrap();
        fs::DirBuilder::new().mode(0o700).create(self.path("node/data")).unwrap();
        Some(log)
    }

    fn wait(&mut self, what: &str, mut done: impl FnMut() -> bool) {
        let start = Instant::now();
        while !done() {
            self.network.check().unwrap();
            let path = self.path("log");
            let log = || fs::read_to_string(&path).unwrap_or_default();
            let ended = self.node.as_mut().is_some_and(|node| node.try_wait().unwrap().is_some());
            assert!(!ended, "{what}: the node has ended: {}", log());
            assert!(start.elapsed() < PATIENCE, "{what}: it is late: {}", log());
            std::thread::sleep(Duration::from_millis(200));
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if let Some(mut node) = self.node.take() {
            let _ = node.kill();
            let _ = node.wait();
        }
    }
}

/// The last height of a node; none where it does not answer yet.
fn height(socket: &Path) -> Option<i64> {
    let output = Command::new(program()).args(["control", "status", "-a"]).arg(format!("unix:{}", socket.display())).output().unwrap();
    let status: Value = serde_json::from_slice(&output.stdout).ok()?;
    status["consensus"]["latest_height"].as_i64()
}

/// Commands of a block, each on a line of its own.
fn commands(text: &str) -> Vec<String> {
    let joined = text.replace("\\\n", " ");
    let lines = joined.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| line.strip_prefix("$ ").unwrap_or(line).to_owned()).collect()
}

fn is_assignment(line: &str) -> bool {
    let name = line.strip_prefix("export ").unwrap_or(line).split('=').next().unwrap_or_default();
    line.contains('=') && !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Whether a command runs a node: it is the program with flags alone.
fn is_node(command: &str) -> bool {
    command.strip_prefix("oasis-node ").is_some_and(|rest| rest.trim_start().starts_with("--"))
}

/// Whether a block is a node's configuration.
pub fn is_configuration(block: &Block) -> bool {
    let first = |line: &&str| line.split(':').next().is_some_and(|key| is_section(key) && line.contains(':'));
    let yaml = ["yaml", "yml"].contains(&block.language.as_str());
    yaml && block.text.lines().filter(|line| !line.starts_with([' ', '#', '-']) && !line.is_empty()).any(|line| first(&line))
}

fn is_section(key: &str) -> bool {
    oasis_node_service::config::KEYS.iter().any(|known| known.name.split('.').next() == Some(key))
}

/// Reads a block as a configuration.
pub fn configuration(place: &str, text: &str) -> Config {
    let whole = if text.lines().any(|line| line.starts_with("datadir:")) { text.to_owned() } else { format!("datadir: /d\n{text}") };
    Config::from_yaml(place, &whole).unwrap_or_else(|e| panic!("{e}"))
}
