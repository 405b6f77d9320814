//! Parameters of the consensus engine: hash, validity, changes.

use prost::Message;

use crate::{
    error::{VerifyError, ensure},
    merkle::{self, Sha256Hash},
    proto::{AbciConsensusParams, ConsensusParams, HashedParams},
};

/// Name of the only key type of this network. Source: tendermint `types/protobuf.go`, `ABCIPubKeyTypeEd25519`.
pub const KEY_TYPE_ED25519: &str = "ed25519";
/// Source: tendermint `types/protobuf.go`, `ABCIPubKeyTypeSecp256k1`.
const KEY_TYPE_SECP256K1: &str = "secp256k1";
/// Source: tendermint `types/params.go`, `MaxBlockSizeBytes`.
const MAX_BLOCK_SIZE_BYTES: i64 = 104_857_600;

impl ConsensusParams {
    /// The hash that headers carry, of the limits on blocks only.
    ///
    /// Source: tendermint `types/params.go`, `HashConsensusParams`.
    pub fn hash(&self) -> Sha256Hash {
        let hashed = HashedParams { block_max_bytes: self.block.max_bytes, block_max_gas: self.block.max_gas };
        merkle::sha256(&hashed.encode_to_vec())
    }

    /// Source: tendermint `types/params.go`, `ValidateConsensusParams`.
    pub fn check(&self) -> Result<(), VerifyError> {
        let (block, evidence) = (&self.block, &self.evidence);
        let sizes = 1..=MAX_BLOCK_SIZE_BYTES;
        ensure(sizes.contains(&block.max_bytes), "block.max_bytes", "1 to 104857600", block.max_bytes)?;
        ensure(block.max_gas >= -1, "block.max_gas", "-1 or more", block.max_gas)?;
        ensure(block.time_iota_ms > 0, "block.time_iota_ms", "above zero", block.time_iota_ms)?;
        ensure(evidence.max_age_num_blocks > 0, "evidence.max_age_num_blocks", "above zero", evidence.max_age_num_blocks)?;
        let age = evidence.max_age_duration.as_nanos();
        ensure(age > 0, "evidence.max_age_duration", "above zero", age)?;
        let fits = (0..=block.max_bytes).contains(&evidence.max_bytes);
        ensure(fits, "evidence.max_bytes", format_args!("0 to {}", block.max_bytes), evidence.max_bytes)?;
        let types = &self.validator.pub_key_types;
        ensure(!types.is_empty(), "validator.pub_key_types", "at least one", 0)?;
        let unknown = types.iter().find(|t| *t != KEY_TYPE_ED25519 && *t != KEY_TYPE_SECP256K1);
        ensure(unknown.is_none(), "validator.pub_key_types", "known key types", unknown.map_or("", String::as_str))
    }

    /// The parameters after a change by the application. Source: tendermint `types/params.go`, `UpdateConsensusParams`.
    #[must_use]
    pub fn updated(&self, change: &AbciConsensusParams) -> Self {
        let mut params = self.clone();
        if let Some(block) = &change.block {
            params.block.max_bytes = block.max_bytes;
            params.block.max_gas = block.max_gas;
        }
        if let Some(evidence) = change.evidence {
            params.evidence = evidence;
        }
        if let Some(validator) = &change.validator {
            params.validator = validator.clone();
        }
        if let Some(version) = change.version {
            params.version = version;
        }
        params
    }
}
