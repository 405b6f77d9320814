//! The files of a network.

use std::{
    fs::{self, File, TryLockError},
    net::TcpListener,
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use oasis_consensus_types::genesis::network::Network;
use oasis_node_service::{entity::test_signer, grpc::SOCKET_FILE, identity::Identity, signers::FileFactory};
use oasis_primitives::{
    identity::SignerRole,
    json::{self, Json, ToJson},
    signature::{MemorySigner, Signer},
    time::Timestamp,
};

use crate::{
    LocalnetError,
    member::{self, Member, free_ports},
};

/// The most validators: their processes share one machine.
pub const MAX_VALIDATORS: u64 = 100;

/// Longest path of a socket, bytes. Source: unix(7), `sun_path`.
const MAX_SOCKET_PATH: usize = 107;

/// What a network is like; fixed when it is made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Json)]
pub struct Form {
    /// How many validators, 1 to 100.
    pub validators: u64,
    /// Blocks of an epoch, at least 10.
    pub epoch_interval: u64,
    /// Milliseconds from a block to the next proposal.
    pub timeout_commit: u64,
    /// Ports of the nodes on loopback, in their order; chosen when the network is made.
    pub ports: Vec<u16>,
}

/// A network's directory.
#[derive(Clone, Debug)]
pub struct Layout {
    root: PathBuf,
    form: Form,
}

impl Layout {
    /// Opens the network of a directory, if there is one.
    pub fn open(root: &Path) -> Result<Option<Self>, LocalnetError> {
        // Sockets have absolute paths in what people are told to type.
        let root = std::path::absolute(root).map_err(|e| LocalnetError::at(root, e))?;
        let path = root.join("localnet.json");
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(LocalnetError::at(&path, e)),
        };
        let value = json::parse(&text).map_err(|e| LocalnetError::at(&path, e))?;
        let form: Form = json::read(&value).map_err(|e| LocalnetError::at(&path, e))?;
        if form.ports.len() as u64 != form.validators || form.validators == 0 {
            return Err(LocalnetError::at(&path, "expected a port for each validator; remove the directory to begin anew"));
        }
        Ok(Some(Self { root, form }))
    }

    /// Makes a network in a directory that has none. The form's ports are chosen here.
    pub fn create(root: &Path, mut form: Form) -> Result<Self, LocalnetError> {
        if !(1..=MAX_VALIDATORS).contains(&form.validators) {
            return Err(LocalnetError::new(format!("--validators: expected 1 to {MAX_VALIDATORS}, found {}", form.validators)));
        }
        if form.epoch_interval < 10 {
            return Err(LocalnetError::new(format!(
                "--epoch-interval: expected 10 blocks or more, so that validators can register in time, found {}",
                form.epoch_interval
            )));
        }
        let root = std::path::absolute(root).map_err(|e| LocalnetError::at(root, e))?;
        for name in ["genesis.json", "node0", "entity0", "wallet"] {
            if root.join(name).exists() {
                let text =
                    format!("no network, yet it has {name}, which a new network would replace; name another directory, or remove it");
                return Err(LocalnetError::at(&root, text));
            }
        }
        let longest = root.join(format!("node{}", form.validators)).join(SOCKET_FILE);
        if longest.as_os_str().len() > MAX_SOCKET_PATH {
            return Err(LocalnetError::at(
                &root,
                format!("the paths of sockets have at most {MAX_SOCKET_PATH} bytes; name a shorter directory"),
            ));
        }
        fs::create_dir_all(&root).map_err(|e| LocalnetError::at(&root, e))?;
        form.ports = free_ports(form.validators as usize)?;
        let layout = Self { root, form };
        let mut entities = Vec::new();
        let mut identities = Vec::new();
        for number in 0..layout.size() {
            let identity = member::identity(&layout.node(number))?;
            entities.push(member::account(&layout.entity(number), Some(&identity))?);
            identities.push(identity);
        }
        let wallet = member::account(&layout.wallet(), None)?;
        layout.write_genesis(&entities, &identities, &wallet)?;
        let peers: Vec<String> = identities.iter().enumerate().map(|(number, identity)| layout.member(number).peer(identity)).collect();
        for number in 0..layout.size() {
            let others: Vec<&String> = peers.iter().enumerate().filter(|(peer, _)| *peer != number).map(|(_, address)| address).collect();
            let config = layout.member(number).config(&layout.genesis(), &others);
            member::write(&layout.config(number), &json::to_text_pretty(&config))?;
        }
        layout.write_form()?;
        Ok(layout)
    }

    /// Has the network for this process alone, for as long as what is given lives.
    pub fn lock(&self) -> Result<File, LocalnetError> {
        let path = self.root.join("localnet.json");
        let file = File::open(&path).map_err(|e| LocalnetError::at(&path, e))?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(TryLockError::WouldBlock) => {
                let text = "its network is running already; stop that one, or name another directory for a second network";
                Err(LocalnetError::at(&self.root, text))
            }
            Err(TryLockError::Error(e)) => Err(LocalnetError::at(&path, e)),
        }
    }

    /// Gives nodes whose port somebody else has taken another one. The network must not be running.
    pub fn renew_ports(&mut self) -> Result<(), LocalnetError> {
        let taken: Vec<u16> = self.form.ports.iter().copied().filter(|port| TcpListener::bind(("127.0.0.1", *port)).is_err()).collect();
        if taken.is_empty() {
            return Ok(());
        }
        let fresh = free_ports(taken.len())?;
        for number in 0..self.size() {
            let path = self.config(number);
            let mut text = fs::read_to_string(&path).map_err(|e| LocalnetError::at(&path, e))?;
            for (old, new) in taken.iter().zip(&fresh) {
                text = text.replace(&format!("127.0.0.1:{old}\""), &format!("127.0.0.1:{new}\""));
            }
            member::write(&path, &text)?;
        }
        for port in &mut self.form.ports {
            if let Some((_, new)) = taken.iter().zip(&fresh).find(|(old, _)| *old == port) {
                *port = *new;
            }
        }
        self.write_form()
    }

    fn write_form(&self) -> Result<(), LocalnetError> {
        member::write(&self.root.join("localnet.json"), &json::to_text_pretty(&self.form.to_json()))
    }

    /// What the network is like.
    pub fn form(&self) -> &Form {
        &self.form
    }

    /// How many nodes there are.
    pub fn size(&self) -> usize {
        self.form.ports.len()
    }

    /// The directory.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The genesis document.
    pub fn genesis(&self) -> PathBuf {
        self.root.join("genesis.json")
    }

    /// A node's data directory.
    pub fn node(&self, number: usize) -> PathBuf {
        self.root.join(format!("node{number}"))
    }

    /// A node's configuration.
    pub fn config(&self, number: usize) -> PathBuf {
        self.root.join(format!("node{number}.yml"))
    }

    /// The directory of a node's owner.
    pub fn entity(&self, number: usize) -> PathBuf {
        self.root.join(format!("entity{number}"))
    }

    /// The directory of the funded account.
    pub fn wallet(&self) -> PathBuf {
        self.root.join("wallet")
    }

    /// The key in a directory of an account.
    pub fn signer(&self, dir: &Path) -> Result<MemorySigner, LocalnetError> {
        FileFactory::new(dir, &[SignerRole::Entity]).load_memory(SignerRole::Entity).map_err(|e| LocalnetError::new(e.to_string()))
    }

    fn member(&self, number: usize) -> Member {
        Member {
            datadir: self.node(number),
            log: self.node(number).join("node.log"),
            port: self.form.ports[number],
            validator: true,
            entity: Some(self.entity(number).join("entity.json")),
        }
    }

    fn write_genesis(&self, entities: &[MemorySigner], identities: &[Identity], wallet: &MemorySigner) -> Result<(), LocalnetError> {
        let fail = |e: &dyn std::fmt::Display| LocalnetError::at(&self.genesis(), e);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_err(|e| fail(&e))?.as_secs();
        let time = Timestamp::from_unix(now.cast_signed(), 0).to_string();
        let all = entities.iter().zip(identities).zip(&self.form.ports);
        let validators = all.map(|((entity, identity), port)| member::validator(entity, identity, *port)).collect();
        let network = Network {
            chain_id: &format!("localnet-{now}"),
            genesis_time: &time,
            epoch_interval: self.form.epoch_interval,
            timeout_commit: self.form.timeout_commit,
            skip_timeout_commit: self.form.timeout_commit < 10,
            expiration: 5,
            checkpoint_interval: 0,
            validators,
            accounts: vec![wallet.public_key(), test_signer().public_key()],
        };
        let document = network.document().map_err(|e| fail(&e))?;
        member::write(&self.genesis(), &json::to_text_pretty(&document.to_json()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form() -> Form {
        Form { validators: 2, epoch_interval: 10, timeout_commit: 100, ports: Vec::new() }
    }

    #[test]
    fn a_port_that_somebody_took_is_changed_in_every_configuration() {
        let dir = tempfile::tempdir().unwrap();
        Layout::create(dir.path(), form()).unwrap();
        let mut layout = Layout::open(dir.path()).unwrap().unwrap();
        let ports = layout.form().ports.clone();
        let texts = |layout: &Layout| [0, 1].map(|number| fs::read_to_string(layout.config(number)).unwrap());
        let before = texts(&layout);
        layout.renew_ports().unwrap();
        assert_eq!((&layout.form().ports, texts(&layout)), (&ports, before.clone()));
        let held = TcpListener::bind(("127.0.0.1", ports[1])).unwrap();
        layout.renew_ports().unwrap();
        let now = layout.form().ports.clone();
        assert!(now[0] == ports[0] && now[1] != ports[1]);
        let (old, new) = (format!(":{}\"", ports[1]), format!(":{}\"", now[1]));
        assert_eq!(texts(&layout), before.map(|text| text.replace(&old, &new)));
        assert_eq!(Layout::open(dir.path()).unwrap().unwrap().form(), layout.form());
        drop(held);
    }

    #[test]
    fn a_network_is_run_once_at_a_time_and_replaces_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::create(dir.path(), form()).unwrap();
        let held = layout.lock().unwrap();
        let error = layout.lock().unwrap_err().to_string();
        assert!(error.contains("is running already"), "{error}");
        drop(held);
        layout.lock().unwrap();
        let other = dir.path().join("other");
        fs::create_dir_all(other.join("wallet")).unwrap();
        let error = Layout::create(&other, form()).unwrap_err().to_string();
        assert!(error.contains("it has wallet, which a new network would replace"), "{error}");
        let error = Layout::create(&dir.path().join("d".repeat(100)), form()).unwrap_err().to_string();
        assert!(error.contains("name a shorter directory") && !dir.path().join("d".repeat(100)).exists(), "{error}");
    }
}
