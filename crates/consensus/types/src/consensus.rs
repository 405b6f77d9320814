//! Parameters and errors of the consensus layer itself.
//!
//! Source: go/consensus/genesis/genesis.go, go/consensus/api/api.go.

use oasis_primitives::{cbor::Cbor, json::Json, signature::PublicKey};

use crate::{errors::Code, transaction::Costs};

/// No block was committed yet.
pub const ERR_NO_COMMITTED_BLOCKS: Code = Code::new("consensus", 1, "consensus: no committed blocks");
/// The transaction has more bytes than the parameters allow.
pub const ERR_OVERSIZED_TX: Code = Code::new("consensus", 2, "consensus: oversized transaction");
/// The height is not retained.
pub const ERR_VERSION_NOT_FOUND: Code = Code::new("consensus", 3, "consensus: version not found");
/// The method is not supported.
pub const ERR_UNSUPPORTED: Code = Code::new("consensus", 4, "consensus: method not supported");
/// The transaction is known already.
pub const ERR_DUPLICATE_TX: Code = Code::new("consensus", 5, "consensus: duplicate transaction");
/// An argument is invalid.
pub const ERR_INVALID_ARGUMENT: Code = Code::new("consensus", 6, "consensus: invalid argument");

/// Gas operation: each byte of a transaction.
pub const GAS_OP_TX_BYTE: &str = "tx_byte";

/// The application version that blocks carry: major 4 in the highest 16 of 48 bits, minor and patch 0.
///
/// Source: go/common/version/version.go, `TendermintAppVersion`.
pub const TENDERMINT_APP_VERSION: u64 = 4 << 32;

/// The consensus section of the genesis document.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct Genesis {
    /// The engine, `tendermint`.
    pub backend: String,
    /// The parameters.
    #[cbor(rename = "params")]
    pub parameters: Parameters,
}

/// The consensus parameters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct Parameters {
    /// Wait after a commit before the next height, nanoseconds.
    pub timeout_commit: i64,
    /// Go on as soon as all precommits are in.
    pub skip_timeout_commit: bool,
    /// Time between empty blocks, nanoseconds.
    pub empty_block_interval: i64,
    /// Largest transaction, bytes; 0 for no limit.
    pub max_tx_size: u64,
    /// Largest block, bytes.
    pub max_block_size: u64,
    /// Gas a block; 0 for no limit.
    pub max_block_gas: u64,
    /// Evidence a block, bytes.
    pub max_evidence_size: u64,
    /// Blocks between state checkpoints; 0 for none.
    pub state_checkpoint_interval: u64,
    /// State checkpoints kept at least.
    #[cbor(omitempty)]
    pub state_checkpoint_num_kept: u64,
    /// Size of a checkpoint's chunks, bytes.
    #[cbor(omitempty)]
    pub state_checkpoint_chunk_size: u64,
    /// Gas costs by operation.
    #[cbor(omitempty)]
    pub gas_costs: Costs,
    /// Keys whose signatures are never accepted.
    #[cbor(omitempty)]
    pub public_key_blacklist: Vec<PublicKey>,
}
