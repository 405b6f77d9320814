//! What the nodes of a test network are made of: keys, owners, configurations.

use std::{
    net::TcpListener,
    path::{Path, PathBuf},
};

use oasis_consensus_engine::address_of;
use oasis_consensus_types::{genesis::network::Validator, node::Address};
use oasis_node_service::{
    entity::{descriptor, save_descriptor},
    files::{make_private_directory, replace},
    identity::Identity,
    signers::FileFactory,
};
use oasis_primitives::{
    identity::SignerRole,
    signature::{MemorySigner, Signer},
};
use serde_json::{Value, json};

use crate::LocalnetError;

/// A node on loopback: its files, and how peers reach it.
#[derive(Clone, Debug)]
pub struct Member {
    /// Its data directory.
    pub datadir: PathBuf,
    /// Its log.
    pub log: PathBuf,
    /// The port where peers reach it.
    pub port: u16,
    /// Whether it makes blocks.
    pub validator: bool,
    /// The descriptor of its owner, where it registers.
    pub entity: Option<PathBuf>,
}

impl Member {
    /// The node as its peers are told of it.
    pub fn peer(&self, identity: &Identity) -> String {
        format!("{}@127.0.0.1:{}", hex::encode(address_of(&identity.p2p.public_key().0)), self.port)
    }

    /// Its configuration, for our program and for the original's. JSON is YAML.
    pub fn config(&self, genesis: &Path, peers: &[&String]) -> Value {
        let address = format!("tcp://127.0.0.1:{}", self.port);
        let mut value = json!({
            "datadir": self.datadir,
            "log": {
                "file": self.log,
                "format": "JSON",
                "level": { "default": "info", "tendermint": "info", "tendermint/context": "error" },
            },
            "genesis": { "file": genesis },
            "consensus": {
                "validator": self.validator,
                "tendermint": {
                    "core": { "listen_address": address, "external_address": address },
                    "p2p": { "persistent_peer": peers },
                    // Addresses of loopback are not routable, and all nodes share one.
                    "debug": { "addr_book_lenient": true, "allow_duplicate_ip": true },
                    "submission": { "gas_price": 0 },
                },
            },
            // The test entity pays for `debug txsource`.
            "debug": { "dont_blame_oasis": true, "allow_test_keys": true },
        });
        if let (Some(entity), Some(all)) = (&self.entity, value.as_object_mut()) {
            all.insert("worker".to_owned(), json!({ "registration": { "entity": entity } }));
        }
        value
    }
}

/// A node's keys in its data directory, which is made.
pub fn identity(datadir: &Path) -> Result<Identity, LocalnetError> {
    make_private_directory(datadir).map_err(|e| LocalnetError::at(datadir, e))?;
    Identity::load_or_generate(datadir).map_err(|e| LocalnetError::new(e.to_string()))
}

/// A new account in a directory of its own, that of an entity with a node or of none: its key, and the public side as the original's
/// `registry entity init` writes it.
pub fn account(dir: &Path, node: Option<&Identity>) -> Result<MemorySigner, LocalnetError> {
    make_private_directory(dir).map_err(|e| LocalnetError::at(dir, e))?;
    let keys = FileFactory::new(dir, &[SignerRole::Entity]);
    let signer = keys.generate_memory(SignerRole::Entity).map_err(|e| LocalnetError::new(e.to_string()))?;
    let nodes = node.iter().map(|identity| identity.node.public_key()).collect();
    save_descriptor(dir, &descriptor(signer.public_key(), nodes)).map_err(|e| LocalnetError::at(dir, e))?;
    Ok(signer)
}

/// A validator of the genesis document.
pub fn validator<'a>(entity: &'a MemorySigner, identity: &'a Identity, port: u16) -> Validator<'a> {
    Validator {
        entity,
        node: &*identity.node,
        p2p: &*identity.p2p,
        consensus: &*identity.consensus,
        tls: identity.tls.signer(),
        beacon: identity.beacon.point(),
        address: Address::from_text(&format!("127.0.0.1:{port}")).unwrap_or_default(),
    }
}

/// Writes a file for its owner alone.
pub(crate) fn write(path: &Path, text: &str) -> Result<(), LocalnetError> {
    replace(path, text.as_bytes(), 0o600).map_err(|e| LocalnetError::at(path, e))
}

/// Ports of loopback that nobody uses. All are open at once, so that none is given twice.
pub fn free_ports(count: usize) -> Result<Vec<u16>, LocalnetError> {
    let fail = |e| LocalnetError::new(format!("no free port on 127.0.0.1: {e}"));
    let sockets = (0..count).map(|_| TcpListener::bind("127.0.0.1:0")).collect::<Result<Vec<_>, _>>().map_err(fail)?;
    sockets.iter().map(|socket| Ok(socket.local_addr()?.port())).collect::<Result<_, std::io::Error>>().map_err(fail)
}
