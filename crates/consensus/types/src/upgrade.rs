//! Descriptors of upgrades, and the upgrades that a node has pending.
//!
//! Source: go/upgrade/api/api.go.

use oasis_primitives::{
    cbor::{Cbor, OrNil},
    json::Json,
    version::{ProtocolVersions, VERSIONS},
};

use crate::errors::{Code, CodedError};

/// Name of the module in error codes.
pub const MODULE_NAME: &str = "upgrade";

/// The network reached the epoch of an upgrade: the node stops.
pub const ERR_STOP_FOR_UPGRADE: Code = Code::new(MODULE_NAME, 1, "upgrade: reached upgrade epoch");
/// The same upgrade is pending.
pub const ERR_ALREADY_PENDING: Code =
    Code::new(MODULE_NAME, 5, "upgrade: submitted upgrade is already pending, can not resubmit descriptor");
/// The upgrade has begun and can't be canceled.
pub const ERR_UPGRADE_IN_PROGRESS: Code = Code::new(MODULE_NAME, 6, "upgrade: can not cancel upgrade in progress");
/// There is no such upgrade.
pub const ERR_UPGRADE_NOT_FOUND: Code = Code::new(MODULE_NAME, 7, "upgrade: not found");
/// The descriptor is malformed.
pub const ERR_BAD_DESCRIPTOR: Code = Code::new(MODULE_NAME, 8, "upgrade: bad descriptor");

/// The version of descriptors, the least and the latest.
pub const DESCRIPTOR_VERSION: u16 = 1;
/// The version of pending upgrades.
pub const PENDING_UPGRADE_VERSION: u16 = 1;
/// The fewest and the most bytes of a handler's name.
pub const HANDLER_LENGTH: std::ops::RangeInclusive<usize> = 3..=32;
/// The first and the last epoch at which an upgrade may be.
pub const UPGRADE_EPOCHS: std::ops::RangeInclusive<u64> = 1..=u64::MAX - 1;

/// A height that says that the upgrade's epoch was not reached yet.
pub const INVALID_UPGRADE_HEIGHT: i64 = 0;

/// An upgrade: what is done, by which versions, and when.
///
/// Source: go/upgrade/api/api.go, `Descriptor`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct Descriptor {
    /// Version of the descriptor.
    pub v: u16,
    /// Name of the handler that changes the state.
    pub handler: String,
    /// Versions of the protocols after the upgrade.
    pub target: ProtocolVersions,
    /// Epoch at whose start the upgrade is.
    pub epoch: u64,
}

impl Descriptor {
    /// Source: go/upgrade/api/api.go, `Descriptor.ValidateBasic`.
    pub fn validate_basic(&self) -> Result<(), CodedError> {
        if self.v != DESCRIPTOR_VERSION {
            return Err(CodedError::unknown(format!(
                "invalid upgrade descriptor version: {} (min: {DESCRIPTOR_VERSION} max: {DESCRIPTOR_VERSION})",
                self.v
            )));
        }
        if !HANDLER_LENGTH.contains(&self.handler.len()) {
            return Err(CodedError::unknown(format!(
                "invalid upgrade descriptor handler: invalid length: {} (min: {} max: {})",
                self.handler.len(),
                HANDLER_LENGTH.start(),
                HANDLER_LENGTH.end()
            )));
        }
        if !self.target.is_valid() {
            return Err(CodedError::unknown("invalid upgrade descriptor target version"));
        }
        if !UPGRADE_EPOCHS.contains(&self.epoch) {
            return Err(CodedError::unknown(format!(
                "invalid upgrade descriptor epoch: {} (min: {} max: {})",
                self.epoch,
                UPGRADE_EPOCHS.start(),
                UPGRADE_EPOCHS.end()
            )));
        }
        Ok(())
    }

    /// Whether this implementation speaks the consensus protocol that the upgrade is to, by its major part.
    ///
    /// Source: go/upgrade/api/api.go, `Descriptor.EnsureCompatible`.
    pub fn ensure_compatible(&self) -> Result<(), CodedError> {
        let (own, target) = (VERSIONS.consensus_protocol, self.target.consensus_protocol);
        if own.major != target.major {
            return Err(CodedError::unknown(format!("binary consensus version not compatible: own: {own}, required: {target}")));
        }
        Ok(())
    }
}

/// How far an upgrade has come.
///
/// Source: go/upgrade/api/api.go, `UpgradeStage`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Cbor, Json)]
#[cbor(transparent)]
pub struct UpgradeStage(pub u64);

impl UpgradeStage {
    /// Nothing was done.
    pub const NONE: Self = Self(0);
    /// What a node does when it starts was done.
    pub const STARTUP: Self = Self(1);
    /// The state was changed; the last stage.
    pub const CONSENSUS: Self = Self(2);
}

/// An upgrade that a node knows of.
///
/// Source: go/upgrade/api/api.go, `PendingUpgrade`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct PendingUpgrade {
    /// Version of this structure.
    pub v: u16,
    /// What is to be done.
    pub descriptor: OrNil<Descriptor>,
    /// The last height before the upgrade, or [`INVALID_UPGRADE_HEIGHT`].
    pub upgrade_height: i64,
    /// The last stage that was done.
    pub last_completed_stage: UpgradeStage,
}

impl PendingUpgrade {
    /// An upgrade whose epoch is still to come.
    pub fn new(descriptor: Descriptor) -> Self {
        Self { v: PENDING_UPGRADE_VERSION, descriptor: descriptor.into(), ..Self::default() }
    }

    /// Whether nothing is left to do.
    pub fn is_completed(&self) -> bool {
        self.has_stage(UpgradeStage::CONSENSUS)
    }

    /// Whether a stage was done.
    pub fn has_stage(&self, stage: UpgradeStage) -> bool {
        self.last_completed_stage >= stage
    }

    /// Whether the upgrade's epoch was reached, so that it can't be canceled.
    pub fn in_progress(&self) -> bool {
        self.upgrade_height != INVALID_UPGRADE_HEIGHT || self.last_completed_stage > UpgradeStage::NONE
    }
}
