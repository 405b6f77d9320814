//! Directories and processes of a network.

use std::{
    fs::{self, File},
    io::{Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use oasis_consensus_types::genesis::network::Network as Genesis;
use oasis_localnet::{
    member::{self, Member},
    usage,
};
use oasis_node_service::{files::make_private_directory, grpc::SOCKET_FILE};
use oasis_primitives::{json::ToJson, signature::PublicKey};
use serde_json::Value;

/// How often a log is looked at.
const POLL: Duration = Duration::from_millis(5);
/// How long a process may take to stop.
const STOP_TIME: Duration = Duration::from_secs(20);

/// A program.
#[derive(Clone, Debug)]
pub struct Kind {
    /// What it is called in tables.
    pub name: &'static str,
    program: PathBuf,
    /// What its log says of a block that was executed and committed.
    committed: &'static str,
}

impl Kind {
    /// Ours.
    pub fn ours(program: &Path) -> Result<Self> {
        Ok(Self { name: "ours", program: found(program)?, committed: r#""msg":"block executed""# })
    }

    /// The original's.
    pub fn go(program: &Path) -> Result<Self> {
        Ok(Self { name: "Go", program: found(program)?, committed: r#""msg":"committed state""# })
    }
}

fn found(program: &Path) -> Result<PathBuf> {
    program.canonicalize().with_context(|| format!("program {}", program.display()))
}

/// Every process that was started and is not yet stopped; none starts once they were ended.
#[derive(Clone, Default)]
pub struct Processes(Arc<Mutex<(Vec<Child>, bool)>>);

impl Processes {
    fn spawn(&self, command: &mut Command) -> Result<u32> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.1 {
            bail!("stopped");
        }
        let child = command.spawn()?;
        let id = child.id();
        all.0.push(child);
        Ok(id)
    }

    fn has_ended(&self, id: u32) -> bool {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let child = all.0.iter_mut().find(|c| c.id() == id);
        child.is_none_or(|c| !matches!(c.try_wait(), Ok(None)))
    }

    fn kill(&self, id: u32) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = all.0.iter().position(|c| c.id() == id) {
            let mut child = all.0.swap_remove(at);
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Kills all of them.
    pub fn end(&self) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.1 = true;
        for mut child in all.0.drain(..) {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// What a network is to be like.
pub struct Spec {
    /// Validators, first in the order of nodes.
    pub validators: usize,
    /// Nodes that only follow.
    pub followers: usize,
    /// Milliseconds from a block to the next proposal; no pause where they are few and all have voted.
    pub timeout_commit: u64,
    /// Blocks of an epoch.
    pub epoch_interval: u64,
    /// Whether validators register anew in each epoch, as they do in practice.
    pub register: bool,
    /// Where the first nodes live that only prepare something, and how many: on a disk in memory, so that it takes less long.
    pub scratch: Option<(PathBuf, usize)>,
    /// Accounts with tokens.
    pub accounts: Vec<PublicKey>,
}

impl Default for Spec {
    /// Four validators like those in use.
    fn default() -> Self {
        Self { validators: 4, followers: 0, timeout_commit: 1000, epoch_interval: 30, register: true, scratch: None, accounts: Vec::new() }
    }
}

/// Pauses that are shorter count as none.
const NO_PAUSE: u64 = 10;

/// A directory in memory where there is such a thing, else among the others.
pub fn scratch(other: &Path) -> Result<tempfile::TempDir> {
    let make = |place: &Path| tempfile::Builder::new().prefix("bench-net").tempdir_in(place);
    Ok(make(Path::new("/dev/shm")).or_else(|_| make(other))?)
}

/// A network in a directory.
pub struct Network {
    dir: PathBuf,
    nodes: Vec<(Member, String)>,
}

/// The last epoch of the first registration.
const EXPIRATION: u64 = 1_000_000;

impl Network {
    /// Makes keys and a genesis document. Nothing runs yet.
    pub fn new(dir: PathBuf, spec: &Spec) -> Result<Self> {
        make_private_directory(&dir)?;
        let mut nodes = Vec::new();
        let mut validators = Vec::new();
        for (number, port) in member::free_ports(spec.validators + spec.followers)?.into_iter().enumerate() {
            let root = spec.scratch.as_ref().filter(|(_, count)| number < *count).map_or(&dir, |(path, _)| path);
            let mut node = Member {
                datadir: root.join(format!("node{number}")),
                log: dir.join(format!("node{number}.log")),
                port,
                validator: number < spec.validators,
                entity: None,
            };
            let keys = member::identity(&node.datadir)?;
            let peer = node.peer(&keys);
            if node.validator {
                let entity = dir.join(format!("entity{number}"));
                let owner = member::account(&entity, Some(&keys))?;
                node.entity = spec.register.then(|| entity.join("entity.json"));
                validators.push((owner, keys, port));
            }
            nodes.push((node, peer));
        }
        let genesis = Genesis {
            chain_id: "bench-net",
            genesis_time: "2021-06-01T12:00:00Z",
            epoch_interval: spec.epoch_interval,
            timeout_commit: spec.timeout_commit,
            skip_timeout_commit: spec.timeout_commit < NO_PAUSE,
            expiration: EXPIRATION,
            checkpoint_interval: 0,
            validators: validators.iter().map(|(owner, keys, port)| member::validator(owner, keys, *port)).collect(),
            accounts: spec.accounts.clone(),
        };
        fs::write(dir.join("genesis.json"), genesis.document()?.to_json().to_string())?;
        Ok(Self { dir, nodes })
    }

    /// The same file for either program.
    fn config(&self, number: usize, peers: &[usize]) -> Result<PathBuf> {
        let (node, _) = self.nodes.get(number).context("no such node")?;
        let others = peers.iter().filter(|peer| **peer != number).filter_map(|peer| self.nodes.get(*peer));
        let others: Vec<&String> = others.map(|(_, peer)| peer).collect();
        let path = self.dir.join(format!("node{number}.yml"));
        fs::write(&path, node.config(&self.dir.join("genesis.json"), &others).to_string())?;
        Ok(path)
    }

    /// Starts a node with these peers.
    pub fn start(&self, processes: &Processes, number: usize, kind: &Kind, peers: &[usize]) -> Result<Running> {
        let config = self.config(number, peers)?;
        let (node, _) = self.nodes.get(number).context("no such node")?;
        let (log, socket) = (node.log.clone(), node.datadir.join(SOCKET_FILE));
        let offset = fs::metadata(&log).map_or(0, |m| m.len());
        let console = File::options().create(true).append(true).open(self.dir.join(format!("node{number}.console.log")))?;
        // The original wants many open files.
        let mut command = Command::new("sh");
        command.args(["-c", r#"ulimit -n "$(ulimit -H -n)"; exec "$0" --config "$1""#]).arg(&kind.program).arg(&config);
        command.stdin(Stdio::null()).stdout(console.try_clone()?).stderr(console);
        let started = Instant::now();
        let id = processes.spawn(&mut command)?;
        let reader = LogReader { path: log, offset, rest: Vec::new(), committed: kind.committed };
        Ok(Running { id, started, socket, name: format!("node {number} ({})", kind.name), processes: processes.clone(), reader, height: 0 })
    }
}

/// A process of a network, killed when it is dropped.
pub struct Running {
    id: u32,
    /// When it was started.
    pub started: Instant,
    /// Where it answers calls.
    pub socket: PathBuf,
    name: String,
    processes: Processes,
    reader: LogReader,
    /// The last height that its log tells of.
    pub height: u64,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.processes.kill(self.id);
    }
}

impl Running {
    /// Waits until a block of at least this height is committed; gives when that was seen.
    pub fn wait_height(&mut self, height: u64, patience: Duration) -> Result<Instant> {
        let start = Instant::now();
        let mut last = (self.height, start);
        loop {
            self.height = self.reader.read()?.unwrap_or(self.height);
            let now = Instant::now();
            if self.height >= height {
                return Ok(now);
            }
            if self.processes.has_ended(self.id) {
                bail!("{} has ended: {}", self.name, self.reader.tail());
            }
            if self.height > last.0 {
                last = (self.height, now);
            }
            if now.duration_since(last.1) > patience {
                bail!("{} does not get beyond height {}: {}", self.name, self.height, self.reader.tail());
            }
            std::thread::sleep(POLL);
        }
    }

    /// Stops it as an operator does.
    pub fn stop(self) -> Result<()> {
        usage::terminate(self.id);
        let start = Instant::now();
        while !self.processes.has_ended(self.id) {
            if start.elapsed() > STOP_TIME {
                bail!("{} does not stop", self.name);
            }
            std::thread::sleep(POLL);
        }
        Ok(())
    }

    /// Processor time so far.
    pub fn processor_time(&self) -> Result<Duration> {
        usage::processor_time(self.id).context("processor time is read from /proc")
    }

    /// Resident memory, MiB.
    pub fn memory(&self) -> Result<f64> {
        Ok(usage::resident_memory(self.id).context("memory is read from /proc")? as f64 / f64::from(1 << 20))
    }
}

/// Reads what a log has more.
struct LogReader {
    path: PathBuf,
    offset: u64,
    rest: Vec<u8>,
    committed: &'static str,
}

impl LogReader {
    /// The height of the last block that the new lines tell of.
    fn read(&mut self) -> Result<Option<u64>> {
        let Ok(mut file) = File::open(&self.path) else { return Ok(None) };
        file.seek(SeekFrom::Start(self.offset))?;
        self.offset += file.read_to_end(&mut self.rest)? as u64;
        let Some(end) = self.rest.iter().rposition(|b| *b == b'\n') else { return Ok(None) };
        let lines = String::from_utf8_lossy(self.rest.get(..end).unwrap_or_default()).into_owned();
        self.rest.drain(..=end);
        let line = lines.lines().rev().find(|l| l.contains(self.committed));
        let height = line.and_then(|l| serde_json::from_str::<Value>(l).ok()).and_then(|v| v.get("height")?.as_u64());
        Ok(height)
    }

    fn tail(&self) -> String {
        let text = fs::read_to_string(&self.path).unwrap_or_default();
        let console = fs::read_to_string(self.path.with_extension("console.log")).unwrap_or_default();
        let last: Vec<&str> = text.lines().rev().take(10).collect();
        format!("{}\n{console}", last.into_iter().rev().collect::<Vec<_>>().join("\n"))
    }
}
