//! The document: the state with which a network starts.
//!
//! Source: go/genesis/api/api.go.

use oasis_primitives::{
    cbor::{self, Cbor, NilMap, NilVec},
    hash::Hash,
    json::{self, Json, ToJson},
    signature::ChainContext,
    time::Timestamp,
};

use crate::{beacon, consensus, governance, keymanager, registry, roothash, scheduler, staking};

/// A genesis document.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct Document {
    /// Height of the first block.
    pub height: i64,
    /// Time of the network's start.
    #[cbor(rename = "genesis_time")]
    pub time: Timestamp,
    /// The network's name.
    pub chain_id: String,
    /// Entities, nodes and runtimes.
    pub registry: registry::Genesis,
    /// Runtimes' states.
    pub roothash: roothash::Genesis,
    /// Accounts.
    pub staking: staking::Genesis,
    /// Key managers.
    pub keymanager: keymanager::Genesis,
    /// Parameters of elections.
    pub scheduler: scheduler::Genesis,
    /// Epochs and randomness.
    pub beacon: beacon::Genesis,
    /// Proposals.
    pub governance: governance::Genesis,
    /// Parameters of the consensus layer itself.
    pub consensus: consensus::Genesis,
    /// The epoch in which the network halts.
    pub halt_epoch: u64,
    /// Anything else; the protocol does not look at it.
    pub extra_data: NilMap<String, NilVec<u8>>,
}

/// Why a document cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The text is not JSON.
    #[error("not JSON: {0}")]
    Syntax(String),
    /// A value does not fit.
    #[error(transparent)]
    Value(#[from] json::Error),
}

impl Document {
    /// The hash of the document's canonical encoding.
    pub fn hash(&self) -> Hash {
        Hash::of_cbor(self)
    }

    /// What separates signatures for this network from those for others.
    pub fn chain_context(&self) -> ChainContext {
        ChainContext::of_genesis_hash(&self.hash())
    }

    /// Reads a document in JSON.
    pub fn from_json_text(text: &[u8]) -> Result<Self, ReadError> {
        let value: json::Value = json::parse(text).map_err(|e| ReadError::Syntax(e.to_string()))?;
        Ok(json::read(&value)?)
    }

    /// The document in JSON as the original writes it to files: two spaces a level and a line break at the end.
    ///
    /// Source: go/genesis/api/api.go, `CanonicalJSON`.
    pub fn to_json_text(&self) -> String {
        let mut text = json::to_text_pretty(&self.to_json());
        text.push('\n');
        text
    }

    /// Reads the canonical encoding.
    pub fn from_cbor(bytes: &[u8]) -> Result<Self, cbor::Error> {
        cbor::from_slice_higher_limits(bytes)
    }
}
