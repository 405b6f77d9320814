//! The genesis document of a simulated network: validators of equal stake, each of its own entity.

use oasis_consensus_types::{
    genesis::{
        Document,
        network::{Network, Validator},
    },
    node::Address,
};
use oasis_primitives::{pvss::Scalar, signature::MemorySigner};

/// The last epoch of a node's registration: no run is that long.
const EXPIRATION: u64 = 1_000_000;
/// Blocks of an epoch.
const INTERVAL: u64 = 30;

/// A node's keys.
#[derive(Clone, Debug)]
pub struct Keys {
    /// The owner, who also has the tokens.
    pub entity: MemorySigner,
    /// The node.
    pub node: MemorySigner,
    /// Its connections.
    pub p2p: MemorySigner,
    /// Its votes.
    pub consensus: MemorySigner,
    /// Its TLS certificate.
    pub tls: MemorySigner,
    /// Its part in the beacon.
    pub beacon: Scalar,
}

impl Keys {
    /// The keys of a number, the same in every run.
    pub fn of(number: usize) -> Self {
        let key = |role: &str| MemorySigner::for_test(&format!("simulated {role} {number}"));
        let mut byte = 0u8;
        let mut fill = |buffer: &mut [u8]| {
            for b in buffer {
                byte = byte.wrapping_add(1);
                *b = byte ^ (number as u8);
            }
        };
        let beacon = Scalar::generate(&mut fill);
        Self { entity: key("entity"), node: key("node"), p2p: key("p2p"), consensus: key("consensus"), tls: key("tls"), beacon }
    }

    fn validator(&self, number: usize) -> Validator<'_> {
        Validator {
            entity: &self.entity,
            node: &self.node,
            p2p: &self.p2p,
            consensus: &self.consensus,
            tls: &self.tls,
            beacon: self.beacon.point(),
            address: Address::from_text(&format!("127.0.0.1:{}", 20_000 + number)).unwrap_or_default(),
        }
    }
}

/// The document of a network of these validators.
pub fn document(validators: &[Keys], timeout_commit: u64) -> Result<Document, String> {
    let network = Network {
        chain_id: "simulated",
        genesis_time: "2021-06-01T12:00:00Z",
        epoch_interval: INTERVAL,
        timeout_commit,
        skip_timeout_commit: false,
        expiration: EXPIRATION,
        checkpoint_interval: 0,
        validators: validators.iter().enumerate().map(|(number, keys)| keys.validator(number)).collect(),
        accounts: Vec::new(),
    };
    network.document().map_err(|e| e.to_string())
}
