//! Where things are in a data directory.
//!
//! Keys and the memory of what was signed are where the original has them; the databases are this node's own.

use std::path::{Path, PathBuf};

use oasis_consensus_engine::sign_state::SIGN_STATE_FILE;

/// Directory of the consensus layer. Source: go/consensus/tendermint/common/common.go, `StateDir`.
const CONSENSUS: &str = "tendermint";

/// Paths in a data directory.
#[derive(Clone, Debug)]
pub struct Paths {
    /// The data directory.
    pub root: PathBuf,
}

impl Paths {
    /// Paths in a directory.
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// The consensus layer's directory.
    pub fn consensus(&self) -> PathBuf {
        self.root.join(CONSENSUS)
    }

    /// What the validator signed last. Source: go/consensus/tendermint/crypto/priv_val.go, `privValFileName`.
    pub fn sign_state(&self) -> PathBuf {
        self.consensus().join(SIGN_STATE_FILE)
    }

    /// The database of the state machine and of blocks.
    pub fn state(&self) -> PathBuf {
        self.consensus().join("state")
    }

    /// The checkpoints of the state machine.
    pub fn checkpoints(&self) -> PathBuf {
        self.consensus().join("checkpoints")
    }

    /// The consensus log.
    pub fn wal(&self) -> PathBuf {
        self.consensus().join("wal")
    }

    /// Addresses of peers. Source: tendermint `config/config.go`, `defaultAddrBookPath`.
    pub fn address_book(&self) -> PathBuf {
        self.consensus().join("config").join("addrbook.json")
    }

    /// What the node's workers remember.
    pub fn memory(&self) -> PathBuf {
        self.root.join("workers")
    }

    /// Upgrades that a seed was told of.
    pub fn seed_upgrades(&self) -> PathBuf {
        self.memory().join("upgrades")
    }

    /// Genesis documents of the network's end. Source: go/oasis-node/cmd/node/node.go, `exportsSubDir`.
    pub fn exports(&self) -> PathBuf {
        self.root.join("exports")
    }

    /// Held while a node runs.
    pub fn lock(&self) -> PathBuf {
        self.root.join("lock")
    }

    /// The network whose data this is.
    pub fn chain_context(&self) -> PathBuf {
        self.root.join("chain_context")
    }
}
