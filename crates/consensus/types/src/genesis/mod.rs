//! The genesis document.
//!
//! Source: go/genesis/api.

mod document;
mod problem;

pub use document::{Document, ReadError};
pub use problem::Problem;

use oasis_primitives::{
    cbor::{self, Cbor, NilMap, NilVec},
    hash::Hash,
    json::{self, Json, ToJson},
    time::Timestamp,
};

use crate::{beacon, consensus, governance, keymanager, registry, roothash, scheduler, staking};

/// What a network starts with.
///
/// Source: go/genesis/api/api.go, `Document`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct Document {
    /// The height of the first block.
    pub height: i64,
    /// When the document was made: the time of the first block.
    #[cbor(rename = "genesis_time")]
    pub time: Timestamp,
    /// The name of the network.
    pub chain_id: String,
    /// Entities, nodes and runtimes.
    pub registry: registry::Genesis,
    /// The runtimes' states.
    pub roothash: roothash::Genesis,
    /// The ledger.
    pub staking: staking::Genesis,
    /// The key managers.
    pub keymanager: keymanager::Genesis,
    /// Elections.
    pub scheduler: scheduler::Genesis,
    /// Epochs and the random beacon.
    pub beacon: beacon::Genesis,
    /// Proposals and votes.
    pub governance: governance::Genesis,
    /// The consensus layer itself.
    pub consensus: consensus::Genesis,
    /// The epoch at which the network stops.
    pub halt_epoch: u64,
    /// What else the network's makers wanted to keep.
    pub extra_data: NilMap<String, NilVec<u8>>,
}

impl Document {
    /// The hash of the document's canonical encoding.
    pub fn hash(&self) -> Hash {
        Hash::of_cbor(self)
    }

    /// What separates the signatures of this network from those of others: the hash in hexadecimal.
    ///
    /// Source: go/genesis/api/api.go, `Document.ChainContext`.
    pub fn chain_context(&self) -> String {
        self.hash().to_string()
    }

    /// Reads the canonical encoding.
    pub fn from_cbor(bytes: &[u8]) -> Result<Self, cbor::Error> {
        cbor::from_slice_trusted(bytes)
    }

    /// Reads a genesis file.
    ///
    /// Source: go/genesis/file/file.go, `NewFileProvider`.
    pub fn from_json(bytes: &[u8]) -> Result<Self, Problem> {
        let value: json::Value = serde_json::from_slice(bytes).map_err(|e| Problem::because("", format!("malformed JSON: {e}")))?;
        let document: Result<Self, json::Error> = json::read(&value);
        document.map_err(|e| Problem::because(e.path.trim_start_matches('.'), e.reason))
    }

    /// The genesis file: indented by two spaces, with a line end after it.
    ///
    /// Source: go/genesis/api/api.go, `Document.CanonicalJSON`.
    pub fn to_canonical_json(&self) -> String {
        let mut out = json::to_text_pretty(&self.to_json());
        out.push('\n');
        out
    }
}
