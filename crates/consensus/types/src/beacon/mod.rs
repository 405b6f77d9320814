//! Epochs and the random beacon.
//!
//! Source: go/beacon/api.

mod pvss;
mod sanity;

pub use pvss::{METHOD_PVSS_COMMIT, METHOD_PVSS_REVEAL, PvssCommit, PvssEvent, PvssParameters, PvssReveal, PvssState, RoundState};

use oasis_primitives::{cbor::Cbor, json::Json};

use crate::errors::Code;

/// Name of the module in error codes and methods.
pub const MODULE_NAME: &str = "beacon";

/// There is no beacon at the height.
pub const ERR_BEACON_NOT_AVAILABLE: Code = Code::new(MODULE_NAME, 1, "beacon: random beacon not available");

/// Method that sets the epoch in test networks; its body is the epoch.
///
/// Source: go/consensus/tendermint/apps/beacon/api.go, `MethodSetEpoch`; the module is the app's name.
pub const METHOD_SET_EPOCH: &str = "000_beacon.SetEpoch";

/// Bytes of a beacon.
pub const BEACON_SIZE: usize = 32;

/// The backend that takes the entropy of block hashes.
pub const BACKEND_INSECURE: &str = "insecure";
/// The backend that takes the entropy of secret sharing among validators.
pub const BACKEND_PVSS: &str = "pvss";

/// Epochs since the network's start.
pub type EpochTime = u64;

/// The epoch that stands for none.
pub const EPOCH_INVALID: EpochTime = u64::MAX;

/// An epoch and the height at which it starts.
///
/// Source: go/beacon/api/api.go, `EpochTimeState`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct EpochTimeState {
    /// The epoch.
    pub epoch: EpochTime,
    /// The height of its first block.
    pub height: i64,
}

/// The beacon section of the genesis document.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct Genesis {
    /// The first epoch.
    pub base: EpochTime,
    /// The parameters.
    #[cbor(rename = "params")]
    pub parameters: ConsensusParameters,
}

/// The beacon's parameters.
///
/// Source: go/beacon/api/api.go, `ConsensusParameters`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct ConsensusParameters {
    /// Where the entropy comes from: [`BACKEND_INSECURE`] or [`BACKEND_PVSS`].
    pub backend: String,
    /// Whether transactions set the epoch; for tests.
    #[cbor(omitempty)]
    pub debug_mock_backend: bool,
    /// Whether the entropy is the same always; for tests.
    #[cbor(omitempty)]
    pub debug_deterministic: bool,
    /// Parameters of the insecure backend.
    #[cbor(omitempty)]
    pub insecure_parameters: Option<InsecureParameters>,
    /// Parameters of the secret sharing backend.
    #[cbor(omitempty)]
    pub pvss_parameters: Option<PvssParameters>,
}

/// Parameters of the insecure backend.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct InsecureParameters {
    /// Blocks an epoch.
    #[cbor(omitempty)]
    pub interval: i64,
}
