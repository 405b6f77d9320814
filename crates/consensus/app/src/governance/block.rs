//! Blocks: upgrades that are due, and proposals whose votes are counted.
//!
//! Source: go/consensus/tendermint/apps/governance/governance.go.

use std::collections::{BTreeMap, btree_map::Entry};

use oasis_consensus_types::{
    governance::{ConsensusParameters, ERR_INVALID_ARGUMENT, Proposal, ProposalExecutedEvent, ProposalFinalizedEvent, ProposalState},
    registry::ERR_NO_SUCH_NODE,
    upgrade::{ERR_STOP_FOR_UPGRADE, UpgradeStage},
};
use oasis_primitives::{address::Address, quantity::Quantity};

use super::{
    emit, state,
    tx::{check_distance, upgrade_of},
};
use crate::{
    block::BeginBlock,
    context::Context,
    error::{Error, Result},
    registry, scheduler, staking,
    store::Store,
};

/// Stops a node that is not performing an upgrade that is due; otherwise takes the upgrade off the pending ones.
///
/// Source: go/consensus/tendermint/apps/governance/governance.go, `BeginBlock`.
pub fn begin_block(ctx: &mut Context<'_>, _request: &BeginBlock) -> Result<()> {
    let Some(epoch) = ctx.epoch_changed()? else { return Ok(()) };
    let Some(due) = state::pending_upgrades(ctx.store)?.into_iter().find(|upgrade| upgrade.epoch == epoch) else {
        return Ok(());
    };
    if let Some(upgrader) = &ctx.block.upgrader {
        let performing = upgrader.get(&due).is_some_and(|pending| pending.has_stage(UpgradeStage::STARTUP));
        if !performing {
            return Err(ERR_STOP_FOR_UPGRADE.into());
        }
    }
    state::remove_pending_upgrades_for_epoch(ctx.store, epoch)
}

/// Counts the votes on proposals that close with this epoch, and executes those that passed.
///
/// Source: go/consensus/tendermint/apps/governance/governance.go, `EndBlock`.
pub fn end_block(ctx: &mut Context<'_>) -> Result<()> {
    let Some(epoch) = ctx.epoch_changed()? else { return Ok(()) };
    let params = state::params(ctx.store)?;
    let closing: Vec<Proposal> = state::active_proposals(ctx.store)?.into_iter().filter(|p| p.closes_at == epoch).collect();
    if closing.is_empty() {
        return Ok(());
    }
    let (total, escrow) = validators_escrow(ctx.store)?;
    if total.is_zero() {
        return Err(Error::unknown("consensus/governance: total voting stake is zero"));
    }
    for mut proposal in closing {
        count_votes(ctx.store, &mut proposal, &escrow)?;
        proposal.close(&total, params.quorum, params.threshold)?;
        if proposal.state == ProposalState::PASSED {
            execute(ctx, &params, &mut proposal)?;
        }
        state::set_proposal(ctx.store, &proposal);
        state::remove_active_proposal(ctx.store, &proposal);
        emit(ctx, ProposalFinalizedEvent::KIND, &ProposalFinalizedEvent { id: proposal.id, state: proposal.state });
        if proposal.state == ProposalState::REJECTED {
            staking::pools::discard_governance_deposit(ctx, &proposal.deposit)?;
        } else {
            staking::pools::transfer_from_governance_deposits(ctx, &proposal.submitter, &proposal.deposit)?;
        }
    }
    Ok(())
}

/// The escrow of the entities that have validators, and its sum, base units; an entity counts once.
///
/// Source: go/consensus/tendermint/apps/governance/governance.go, `validatorsEscrow`.
fn validators_escrow(store: &Store) -> Result<(Quantity, BTreeMap<Address, Quantity>)> {
    let mut total = Quantity::ZERO;
    let mut by_entity = BTreeMap::new();
    for id in scheduler::state::current_validators(store)?.keys() {
        let node = registry::state::find_node_by_sub_key(store, id)?.ok_or(ERR_NO_SUCH_NODE)?;
        let entity = Address::of_public_key(&node.entity_id);
        let escrow = staking::state::escrow_balance(store, &entity)?;
        if let Entry::Vacant(place) = by_entity.entry(entity) {
            total.add(&escrow);
            place.insert(escrow);
        }
    }
    Ok((total, by_entity))
}

/// Adds up the votes of entities that have validators now; others are counted as invalid.
///
/// Source: go/consensus/tendermint/apps/governance/governance.go, `closeProposal`.
fn count_votes(store: &Store, proposal: &mut Proposal, escrow: &BTreeMap<Address, Quantity>) -> Result<()> {
    proposal.results.clear();
    for entry in state::votes(store, proposal.id)? {
        match escrow.get(&entry.voter) {
            Some(stake) => proposal.results.entry(entry.vote).or_default().add(stake),
            None => proposal.invalid_votes = proposal.invalid_votes.wrapping_add(1),
        }
    }
    Ok(())
}

/// Executes a proposal that passed; one that can't be executed failed.
fn execute(ctx: &mut Context<'_>, params: &ConsensusParameters, proposal: &mut Proposal) -> Result<()> {
    match try_execute(ctx, params, proposal) {
        Ok(()) => {
            emit(ctx, ProposalExecutedEvent::KIND, &ProposalExecutedEvent { id: proposal.id });
            Ok(())
        }
        Err(error) if error.is_fatal() => Err(error),
        Err(_) => {
            proposal.state = ProposalState::FAILED;
            Ok(())
        }
    }
}

/// Adds a pending upgrade or removes one, in the state and in the node's own list.
///
/// Source: go/consensus/tendermint/apps/governance/governance.go, `executeProposal`.
fn try_execute(ctx: &mut Context<'_>, params: &ConsensusParameters, proposal: &Proposal) -> Result<()> {
    if let Some(upgrade) = &proposal.content.upgrade {
        check_distance(ctx.store, &upgrade.descriptor, params.upgrade_min_epoch_diff)?;
        state::set_pending_upgrade(ctx.store, proposal.id, upgrade.descriptor.epoch);
        if let Some(upgrader) = &mut ctx.block.upgrader {
            // What an operator submitted already is pending already.
            let _ = upgrader.submit(upgrade.descriptor.clone());
        }
        Ok(())
    } else if let Some(cancel) = &proposal.content.cancel_upgrade {
        let canceled = upgrade_of(ctx.store, cancel.proposal_id)?;
        let upgrade = state::pending_upgrade_proposal(ctx.store, cancel.proposal_id)?;
        state::remove_pending_upgrade(ctx.store, cancel.proposal_id, canceled.epoch);
        if let Some(upgrader) = &mut ctx.block.upgrader {
            // An upgrade in progress goes on.
            let _ = upgrader.cancel(&upgrade.descriptor);
        }
        Ok(())
    } else {
        Err(ERR_INVALID_ARGUMENT.into())
    }
}

/// Tells a node that starts from existing state of the pending upgrades in it.
///
/// Source: go/consensus/tendermint/apps/governance/governance.go, `ExecuteMessage`, `MessageStateSyncCompleted`.
pub fn on_state_synced(ctx: &mut Context<'_>) -> Result<()> {
    let pending = state::pending_upgrades(ctx.store)?;
    if let Some(upgrader) = &mut ctx.block.upgrader {
        for upgrade in pending {
            // Those that the node knows stay as they are.
            let _ = upgrader.submit(upgrade);
        }
    }
    Ok(())
}
