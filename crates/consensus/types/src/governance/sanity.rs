//! Checks of a genesis document and of exported state.
//!
//! Source: go/governance/api/sanity_check.go.

use std::ops::Deref;

use oasis_primitives::{address::Address, quantity::Quantity};

use super::{ConsensusParameters, EpochTime, Genesis, Proposal, ProposalState, VoteEntry, pending_upgrades};
use crate::{errors::CodedError, upgrade::Descriptor};

fn fail(reason: String) -> Result<(), CodedError> {
    Err(CodedError::unknown(reason))
}

fn is_valid(address: &Address) -> bool {
    !address.is_reserved()
}

/// Checks proposals against the epoch and the deposits held, base units.
///
/// Source: go/governance/api/sanity_check.go, `SanityCheckProposals`.
pub fn sanity_check_proposals<'a>(
    proposals: impl IntoIterator<Item = &'a Proposal>,
    epoch: EpochTime,
    deposits: &Quantity,
) -> Result<(), CodedError> {
    let mut active_deposits = Quantity::ZERO;
    for p in proposals {
        if p.created_at > epoch {
            return fail(format!("proposal {}: with created epoch in the future", p.id));
        }
        if !is_valid(&p.submitter) {
            return fail(format!("proposal {}: invalid proposal submitter", p.id));
        }
        if let Err(e) = p.content.validate_basic() {
            return fail(format!("proposal {}: basic validation failure: {e}", p.id));
        }
        if p.state == ProposalState::ACTIVE {
            if p.closes_at < epoch {
                return fail(format!("proposal {}: active proposal with past closing epoch", p.id));
            }
            if !p.results.is_empty() {
                return fail(format!("proposal {}: active proposal with results", p.id));
            }
            if p.invalid_votes != 0 {
                return fail(format!("proposal {}: active proposal with non-zero invalid votes", p.id));
            }
            if p.content.upgrade.as_ref().is_some_and(|u| u.descriptor.epoch < epoch) {
                return fail(format!("proposal {}: active proposal with past upgrade epoch", p.id));
            }
            active_deposits.add(&p.deposit);
        } else if p.closes_at > epoch {
            return fail(format!("proposal {}: closed proposal with future closing epoch", p.id));
        }
    }
    if active_deposits != *deposits {
        return fail(format!("sum of active proposals deposits ({active_deposits}) doesn't match governance deposit ({deposits})"));
    }
    Ok(())
}

/// Source: go/governance/api/sanity_check.go, `SanityCheckVotes`.
pub fn sanity_check_votes<'a>(proposal: &Proposal, votes: impl IntoIterator<Item = &'a VoteEntry>) -> Result<(), CodedError> {
    if votes.into_iter().all(|v| is_valid(&v.voter)) { Ok(()) } else { fail(format!("proposal {}: invalid voter", proposal.id)) }
}

/// Checks that pending upgrades are valid, not over, and far enough from each other.
///
/// Source: go/governance/api/sanity_check.go, `SanityCheckPendingUpgrades`.
pub fn sanity_check_pending_upgrades(upgrades: &[&Descriptor], epoch: EpochTime, params: &ConsensusParameters) -> Result<(), CodedError> {
    let mut epochs = Vec::with_capacity(upgrades.len());
    for upgrade in upgrades {
        if let Err(e) = upgrade.validate_basic() {
            return fail(format!("pending upgrade {}: descriptor validation failure: {e}", upgrade.handler));
        }
        if upgrade.epoch < epoch {
            return fail(format!("pending upgrade {}: past upgrade epoch", upgrade.handler));
        }
        epochs.push(upgrade.epoch);
    }
    epochs.sort_unstable();
    let mut pairs = epochs.iter().zip(epochs.iter().skip(1));
    match pairs.find(|(a, b)| a.abs_diff(**b) < params.upgrade_min_epoch_diff) {
        Some((a, b)) => fail(format!("pending upgrades not UpgradeMinEpochDiff({}) apart: {a}, {b}", params.upgrade_min_epoch_diff)),
        None => Ok(()),
    }
}

impl Genesis {
    /// Checks the section; `deposits` is the balance of the governance deposits, base units.
    ///
    /// Source: go/governance/api/sanity_check.go, `Genesis.SanityCheck`.
    pub fn sanity_check(&self, now: EpochTime, deposits: &Quantity) -> Result<(), CodedError> {
        let within = |what: &'static str| move |e: CodedError| CodedError::unknown(format!("governance: {what} sanity check failed: {e}"));
        self.parameters.sanity_check().map_err(within("parameters"))?;
        sanity_check_proposals(self.proposals.iter().map(Deref::deref), now, deposits).map_err(within("proposals"))?;
        for proposal in &self.proposals {
            if let Some(votes) = self.vote_entries.get(&proposal.id) {
                sanity_check_votes(proposal, votes.iter().map(Deref::deref)).map_err(within("votes"))?;
            }
        }
        let upgrades: Vec<_> = pending_upgrades(&self.proposals, now).into_iter().map(|(_, descriptor)| descriptor).collect();
        sanity_check_pending_upgrades(&upgrades, now, &self.parameters).map_err(within("pending upgrades"))
    }
}
