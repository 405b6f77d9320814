//! Transactions: proposals and votes.
//!
//! Source: go/consensus/tendermint/apps/governance/transactions.go.

use oasis_consensus_types::{
    errors::CodedError,
    governance::{
        ERR_INVALID_ARGUMENT, ERR_NO_SUCH_UPGRADE, ERR_NOT_ELIGIBLE, ERR_UPGRADE_ALREADY_PENDING, ERR_UPGRADE_TOO_SOON,
        ERR_VOTING_IS_CLOSED, GAS_OP_CAST_VOTE, GAS_OP_SUBMIT_PROPOSAL, METHOD_CAST_VOTE, METHOD_SUBMIT_PROPOSAL, Proposal,
        ProposalContent, ProposalState, ProposalSubmittedEvent, ProposalVote, VoteEvent,
    },
    staking::{ERR_FORBIDDEN, ERR_INSUFFICIENT_BALANCE},
    transaction::Transaction,
    upgrade::Descriptor,
};
use oasis_primitives::address::Address;

use super::{emit, state};
use crate::{
    context::Context,
    epoch::{self, EpochTime},
    error::Result,
    registry, scheduler, staking,
    store::Store,
};

/// Executes a transaction of the app.
///
/// Source: go/consensus/tendermint/apps/governance/governance.go, `ExecuteTx`.
pub fn execute_tx(ctx: &mut Context<'_>, tx: &Transaction) -> Result<()> {
    match tx.method.as_str() {
        METHOD_SUBMIT_PROPOSAL => submit_proposal(ctx, tx.body()?),
        METHOD_CAST_VOTE => cast_vote(ctx, &tx.body()?),
        _ => Err(ERR_INVALID_ARGUMENT.into()),
    }
}

/// The signer's account, which is not a reserved one.
fn signer(ctx: &Context<'_>) -> Result<Address> {
    let address = Address::of_public_key(&ctx.tx_signer());
    if address.is_reserved() { Err(ERR_FORBIDDEN.into()) } else { Ok(address) }
}

/// Submits a proposal, with a deposit. A check for the mempool looks at its form only.
///
/// Source: go/consensus/tendermint/apps/governance/transactions.go, `submitProposal`.
fn submit_proposal(ctx: &mut Context<'_>, content: ProposalContent) -> Result<()> {
    content.validate_basic().map_err(|e| ERR_INVALID_ARGUMENT.with(e))?;
    if ctx.is_check_only() {
        return Ok(());
    }
    let params = state::params(ctx.store)?;
    ctx.use_gas(1, GAS_OP_SUBMIT_PROPOSAL, &params.gas_costs)?;

    let submitter = signer(ctx)?;
    if staking::state::account(ctx.store, &submitter)?.general.balance < params.min_proposal_deposit {
        return Err(ERR_INSUFFICIENT_BALANCE.into());
    }

    let epoch = epoch::current(ctx.store)?.epoch;
    // Epochs wrap around, as in the original.
    if let Some(upgrade) = &content.upgrade {
        if upgrade.descriptor.epoch < params.upgrade_min_epoch_diff.wrapping_add(epoch) {
            return Err(ERR_UPGRADE_TOO_SOON.into());
        }
        check_distance(ctx.store, &upgrade.descriptor, params.upgrade_min_epoch_diff)?;
    } else if let Some(cancel) = &content.cancel_upgrade {
        let upgrade = state::pending_upgrade_proposal(ctx.store, cancel.proposal_id)?;
        if upgrade.descriptor.epoch < params.upgrade_cancel_min_epoch_diff.wrapping_add(epoch) {
            return Err(ERR_UPGRADE_TOO_SOON.into());
        }
    }

    staking::pools::transfer_to_governance_deposits(ctx, &submitter, &params.min_proposal_deposit)?;
    let id = state::next_proposal_id(ctx.store)?;
    state::set_next_proposal_id(ctx.store, id.wrapping_add(1));
    let proposal = Proposal {
        id,
        submitter,
        state: ProposalState::ACTIVE,
        deposit: params.min_proposal_deposit,
        content,
        created_at: epoch,
        closes_at: epoch.wrapping_add(params.voting_period),
        ..Proposal::default()
    };
    state::set_active_proposal(ctx.store, &proposal);
    emit(ctx, ProposalSubmittedEvent::KIND, &ProposalSubmittedEvent { id, submitter });
    Ok(())
}

/// Checks that no pending upgrade is nearer than `distance` epochs.
pub(super) fn check_distance(store: &Store, upgrade: &Descriptor, distance: EpochTime) -> Result<()> {
    match state::pending_upgrades(store)?.into_iter().find(|pending| pending.epoch.abs_diff(upgrade.epoch) < distance) {
        Some(near) => {
            let error = CodedError::from(ERR_UPGRADE_ALREADY_PENDING);
            Err(error.within(format_args!("upgrade already scheduled at epoch: {}", near.epoch)).into())
        }
        None => Ok(()),
    }
}

/// Casts a vote of an entity that has a validator, or changes it. A check for the mempool looks at nothing.
///
/// Source: go/consensus/tendermint/apps/governance/transactions.go, `castVote`. Any number is a vote.
fn cast_vote(ctx: &mut Context<'_>, cast: &ProposalVote) -> Result<()> {
    if ctx.is_check_only() {
        return Ok(());
    }
    let params = state::params(ctx.store)?;
    ctx.use_gas(1, GAS_OP_CAST_VOTE, &params.gas_costs)?;

    let submitter = signer(ctx)?;
    let entity = registry::state::find_entity(ctx.store, &ctx.tx_signer())?.ok_or(ERR_NOT_ELIGIBLE)?;
    let validators = scheduler::state::current_validators(ctx.store)?;
    let mut eligible = false;
    for id in &entity.nodes {
        // The original refuses a vote of an entity that names an unknown node before one that validates.
        let node = registry::state::node(ctx.store, id).map_err(|e| e.within("governance: failed to query entity node"))?;
        if validators.contains_key(&node.consensus.id) {
            eligible = true;
            break;
        }
    }
    if !eligible {
        return Err(ERR_NOT_ELIGIBLE.into());
    }

    let proposal = state::proposal(ctx.store, cast.id)?;
    if proposal.state != ProposalState::ACTIVE {
        return Err(ERR_VOTING_IS_CLOSED.into());
    }
    state::set_vote(ctx.store, proposal.id, &submitter, cast.vote);
    emit(ctx, VoteEvent::KIND, &VoteEvent { id: proposal.id, submitter, vote: cast.vote });
    Ok(())
}

/// The upgrade that a cancellation names, whatever its state.
pub(super) fn upgrade_of(store: &Store, id: u64) -> Result<Descriptor> {
    let upgrade = state::proposal(store, id)?.content.upgrade;
    Ok(upgrade.ok_or_else(|| ERR_NO_SUCH_UPGRADE.with("canceling proposal needs to be an upgrade proposal"))?.descriptor)
}
