//! The state from a genesis document, and back.
//!
//! Source: go/consensus/tendermint/apps/governance/genesis.go.

use oasis_consensus_types::governance::{Genesis, ProposalState, pending_upgrades};
use oasis_primitives::cbor::{NilVec, OrNil};

use super::state;
use crate::{context::Context, error::Result, store::Store};

/// Makes the first state.
///
/// Source: go/consensus/tendermint/apps/governance/genesis.go, `InitChain`. The epoch is not known yet and counts as the
/// last one, so that no upgrade is pending.
pub fn init_chain(ctx: &mut Context<'_>, genesis: &Genesis) -> Result<()> {
    let epoch = ctx.current_epoch()?;
    state::set_params(ctx.store, &genesis.parameters);
    for proposal in &genesis.proposals {
        if proposal.state == ProposalState::ACTIVE {
            state::set_active_proposal(ctx.store, proposal);
        } else {
            state::set_proposal(ctx.store, proposal);
        }
        if let Some(votes) = genesis.vote_entries.get(&proposal.id) {
            for entry in votes {
                state::set_vote(ctx.store, proposal.id, &entry.voter, entry.vote);
            }
        }
    }
    for (id, upgrade) in pending_upgrades(&genesis.proposals, epoch) {
        state::set_pending_upgrade(ctx.store, id, upgrade.epoch);
    }
    let largest = genesis.proposals.iter().map(|p| p.id).max().unwrap_or_default();
    state::set_next_proposal_id(ctx.store, largest.wrapping_add(1));
    Ok(())
}

/// The state as a genesis document's section.
///
/// Source: go/consensus/tendermint/apps/governance/genesis.go, `Genesis`.
pub fn export(store: &Store) -> Result<Genesis> {
    let proposals = state::proposals(store)?;
    let votes = |id| Ok((id, state::votes(store, id)?.into_iter().map(OrNil::from).collect::<NilVec<_>>()));
    let vote_entries = proposals.iter().map(|p| votes(p.id)).collect::<Result<_>>()?;
    Ok(Genesis { parameters: state::params(store)?, proposals: proposals.into_iter().map(OrNil::from).collect(), vote_entries })
}
