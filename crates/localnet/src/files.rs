//! The files of a network.

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use oasis_consensus_engine::address_of;
use oasis_consensus_types::{
    genesis::network::{Network, Validator},
    node::Address,
};
use oasis_node_service::{
    entity::{DESCRIPTOR_FILE, descriptor, save_descriptor},
    files::{make_private_directory, replace},
    identity::Identity,
    signers::FileFactory,
};
use oasis_primitives::{
    identity::SignerRole,
    json::{self, Json, ToJson},
    signature::{MemorySigner, Signer},
    time::Timestamp,
};
use serde_json::json;

use crate::LocalnetError;

/// The most validators: their processes share one machine.
pub const MAX_VALIDATORS: u64 = 100;

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
        fs::create_dir_all(&root).map_err(|e| LocalnetError::at(&root, e))?;
        form.ports = free_ports(form.validators)?;
        let layout = Self { root, form };
        let entities = (0..layout.size()).map(|number| layout.account(&layout.entity(number))).collect::<Result<Vec<_>, _>>()?;
        let wallet = layout.account(&layout.wallet())?;
        let mut identities = Vec::new();
        for (number, entity) in entities.iter().enumerate() {
            let datadir = layout.node(number);
            make_private_directory(&datadir).map_err(|e| LocalnetError::at(&datadir, e))?;
            let identity = Identity::load_or_generate(&datadir).map_err(|e| LocalnetError::new(e.to_string()))?;
            layout.describe(&layout.entity(number), entity, Some(&identity))?;
            identities.push(identity);
        }
        layout.describe(&layout.wallet(), &wallet, None)?;
        layout.write_genesis(&entities, &identities, &wallet)?;
        let peers: Vec<String> = identities
            .iter()
            .zip(&layout.form.ports)
            .map(|(identity, port)| format!("{}@127.0.0.1:{port}", hex::encode(address_of(&identity.p2p.public_key().0))))
            .collect();
        for number in 0..layout.size() {
            layout.write(&layout.config(number), &layout.config_text(number, &peers))?;
        }
        layout.write(&layout.root.join("localnet.json"), &json::to_text_pretty(&layout.form.to_json()))?;
        Ok(layout)
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

    /// A new key in a directory of its own.
    fn account(&self, dir: &Path) -> Result<MemorySigner, LocalnetError> {
        make_private_directory(dir).map_err(|e| LocalnetError::at(dir, e))?;
        FileFactory::new(dir, &[SignerRole::Entity]).generate_memory(SignerRole::Entity).map_err(|e| LocalnetError::new(e.to_string()))
    }

    /// The public side of an account, as the original's `registry entity init` writes it.
    fn describe(&self, dir: &Path, owner: &MemorySigner, node: Option<&Identity>) -> Result<(), LocalnetError> {
        let nodes = node.iter().map(|identity| identity.node.public_key()).collect();
        save_descriptor(dir, &descriptor(owner.public_key(), nodes)).map_err(|e| LocalnetError::at(dir, e))
    }

    fn write_genesis(&self, entities: &[MemorySigner], identities: &[Identity], wallet: &MemorySigner) -> Result<(), LocalnetError> {
        let fail = |e: &dyn std::fmt::Display| LocalnetError::at(&self.genesis(), e);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_err(|e| fail(&e))?.as_secs();
        let time = Timestamp::from_unix(now.cast_signed(), 0).to_string();
        let mut validators = Vec::new();
        for ((entity, identity), port) in entities.iter().zip(identities).zip(&self.form.ports) {
            validators.push(Validator {
                entity,
                node: &*identity.node,
                p2p: &*identity.p2p,
                consensus: &*identity.consensus,
                tls: identity.tls.signer(),
                beacon: identity.beacon.point(),
                address: Address::from_text(&format!("127.0.0.1:{port}")).unwrap_or_default(),
            });
        }
        let network = Network {
            chain_id: &format!("localnet-{now}"),
            genesis_time: &time,
            epoch_interval: self.form.epoch_interval,
            timeout_commit: self.form.timeout_commit,
            skip_timeout_commit: self.form.timeout_commit < 10,
            expiration: 5,
            checkpoint_interval: 0,
            validators,
            accounts: vec![wallet.public_key()],
        };
        let document = network.document().map_err(|e| fail(&e))?;
        self.write(&self.genesis(), &json::to_text_pretty(&document.to_json()))
    }

    fn config_text(&self, number: usize, peers: &[String]) -> String {
        let others: Vec<&String> = peers.iter().enumerate().filter(|(peer, _)| *peer != number).map(|(_, address)| address).collect();
        let address = format!("tcp://127.0.0.1:{}", self.form.ports[number]);
        let value = json!({
            "datadir": self.node(number),
            "log": { "file": self.node(number).join("node.log"), "format": "JSON", "level": { "default": "info" } },
            "genesis": { "file": self.genesis() },
            "consensus": {
                "validator": true,
                "tendermint": {
                    "core": { "listen_address": address, "external_address": address },
                    "p2p": { "persistent_peer": others },
                    // Addresses of loopback are not routable, and all nodes share one.
                    "debug": { "addr_book_lenient": true, "allow_duplicate_ip": true },
                },
            },
            "worker": { "registration": { "entity": self.entity(number).join(DESCRIPTOR_FILE) } },
            "debug": { "dont_blame_oasis": true },
        });
        // JSON is YAML.
        json::to_text_pretty(&value)
    }

    fn write(&self, path: &Path, text: &str) -> Result<(), LocalnetError> {
        replace(path, text.as_bytes(), 0o600).map_err(|e| LocalnetError::at(path, e))
    }
}

/// Ports of loopback that nobody uses. All are open at once, so that none is given twice.
fn free_ports(count: u64) -> Result<Vec<u16>, LocalnetError> {
    let fail = |e| LocalnetError::new(format!("no free port on 127.0.0.1: {e}"));
    let sockets = (0..count).map(|_| TcpListener::bind("127.0.0.1:0")).collect::<Result<Vec<_>, _>>().map_err(fail)?;
    sockets.iter().map(|socket| Ok(socket.local_addr()?.port())).collect::<Result<_, std::io::Error>>().map_err(fail)
}
