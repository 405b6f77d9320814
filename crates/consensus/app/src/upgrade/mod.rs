//! Upgrades of the network, as a node performs them.
//!
//! A node stops at the epoch of an upgrade, and a later binary goes on from there. A node of this implementation knows the
//! handlers of all upgrades up to its own protocol versions, so it goes on at once where it can; it stops where the upgrade
//! is to versions that it does not speak, or has a handler that it does not know.
//!
//! Source: go/upgrade/upgrade.go.

mod handlers;

use oasis_consensus_types::{
    errors::CodedError,
    upgrade::{
        Descriptor, ERR_ALREADY_PENDING, ERR_STOP_FOR_UPGRADE, ERR_UPGRADE_IN_PROGRESS, ERR_UPGRADE_NOT_FOUND, INVALID_UPGRADE_HEIGHT,
        PendingUpgrade, UpgradeStage,
    },
};

use crate::{
    context::Context,
    epoch::{EPOCH_INVALID, EpochTime},
    error::{Error, Result},
};
use handlers::Handler;

/// The upgrades that a node knows of and has not finished.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Upgrader {
    pending: Vec<PendingUpgrade>,
    always_stop: bool,
}

impl Upgrader {
    /// Upgrades that an operator submitted, in the order of their submission; duplicates are dropped.
    pub fn new(descriptors: impl IntoIterator<Item = Descriptor>) -> Self {
        let mut out = Self::default();
        for descriptor in descriptors {
            // Refused only where it is pending already.
            let _ = out.submit(descriptor);
        }
        out
    }

    /// Goes on from upgrades kept before.
    pub fn resume(pending: Vec<PendingUpgrade>) -> Self {
        Self { pending: pending.into_iter().filter(|p| !p.is_completed()).collect(), always_stop: false }
    }

    /// Stops at the epoch of every upgrade, until [`Upgrader::start`].
    #[must_use]
    pub fn stopping_at_upgrades(mut self) -> Self {
        self.always_stop = true;
        self
    }

    /// The upgrades, in the order of their submission.
    pub fn pending(&self) -> &[PendingUpgrade] {
        &self.pending
    }

    /// Adds an upgrade.
    ///
    /// Source: go/upgrade/upgrade.go, `SubmitDescriptor`.
    pub fn submit(&mut self, descriptor: Descriptor) -> Result<(), CodedError> {
        if self.get(&descriptor).is_some() {
            return Err(ERR_ALREADY_PENDING.into());
        }
        self.pending.push(PendingUpgrade::new(descriptor));
        Ok(())
    }

    /// Removes an upgrade that has not begun.
    ///
    /// Source: go/upgrade/upgrade.go, `CancelUpgrade`; one that is not known is no error.
    pub fn cancel(&mut self, descriptor: &Descriptor) -> Result<(), CodedError> {
        if self.get(descriptor).is_some_and(PendingUpgrade::in_progress) {
            return Err(ERR_UPGRADE_IN_PROGRESS.into());
        }
        self.pending.retain(|p| *p.descriptor != *descriptor);
        Ok(())
    }

    /// The upgrade with a descriptor.
    ///
    /// Source: go/upgrade/upgrade.go, `GetUpgrade`.
    pub fn get(&self, descriptor: &Descriptor) -> Option<&PendingUpgrade> {
        self.pending.iter().find(|p| *p.descriptor == *descriptor)
    }

    /// Like [`Upgrader::get`], with the error that clients see.
    pub fn find(&self, descriptor: &Descriptor) -> Result<&PendingUpgrade, CodedError> {
        self.get(descriptor).ok_or_else(|| ERR_UPGRADE_NOT_FOUND.into())
    }

    /// Whether an upgrade is performed at a height.
    ///
    /// Source: go/upgrade/upgrade.go, `HasPendingUpgradeAt`.
    pub fn has_pending_at(&self, height: i64) -> bool {
        height != INVALID_UPGRADE_HEIGHT && self.pending.iter().any(|p| !p.is_completed() && p.upgrade_height == height)
    }

    /// What a node does when it starts: an upgrade whose epoch was reached must be one that this binary can perform.
    ///
    /// Source: go/upgrade/upgrade.go, `checkStatus`, `StartupUpgrade`. No handler changes anything then.
    pub fn start(&mut self) -> Result<(), CodedError> {
        for pending in self.pending.iter_mut().filter(|p| p.upgrade_height != INVALID_UPGRADE_HEIGHT) {
            begin(pending)?;
        }
        Ok(())
    }

    /// Source: go/upgrade/upgrade.go, `ConsensusUpgrade`. Unlike there, an upgrade that is done is forgotten at once, also
    /// where another one is pending.
    fn consensus_upgrade(&mut self, ctx: &mut Context<'_>, epoch: EpochTime) -> Result<()> {
        let height = ctx.block_height();
        for pending in &mut self.pending {
            if pending.upgrade_height == INVALID_UPGRADE_HEIGHT {
                // Before the first block no epoch is known.
                if epoch == EPOCH_INVALID || epoch < pending.descriptor.epoch {
                    break;
                }
                pending.upgrade_height = height;
                if self.always_stop {
                    return Err(ERR_STOP_FOR_UPGRADE.into());
                }
                begin(pending).map_err(|e| ERR_STOP_FOR_UPGRADE.with(e))?;
            }
            if pending.upgrade_height < height {
                pending.last_completed_stage = UpgradeStage::CONSENSUS;
                continue;
            }
            if pending.upgrade_height > height {
                return Err(Error::fatal("upgrade height is in the future, but its epoch was seen already"));
            }
            if !pending.has_stage(UpgradeStage::CONSENSUS) {
                handler_of(&pending.descriptor)?.upgrade(ctx)?;
            }
        }
        self.pending.retain(|p| !p.is_completed());
        Ok(())
    }
}

fn handler_of(descriptor: &Descriptor) -> Result<Handler, CodedError> {
    Handler::by_name(&descriptor.handler).ok_or_else(|| CodedError::unknown("missing migration handler"))
}

fn begin(pending: &mut PendingUpgrade) -> Result<(), CodedError> {
    pending.descriptor.ensure_compatible()?;
    handler_of(&pending.descriptor)?;
    pending.last_completed_stage = pending.last_completed_stage.max(UpgradeStage::STARTUP);
    Ok(())
}

/// Performs the upgrades that are due; called at the begin and at the end of every block.
///
/// The error is [`ERR_STOP_FOR_UPGRADE`] where the node must stop.
pub fn consensus_upgrade(ctx: &mut Context<'_>, epoch: EpochTime) -> Result<()> {
    let Some(mut upgrader) = ctx.block.upgrader.take() else { return Ok(()) };
    let result = upgrader.consensus_upgrade(ctx, epoch);
    ctx.block.upgrader = Some(upgrader);
    result
}

#[cfg(test)]
mod tests;
