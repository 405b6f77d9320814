//! Slashing of escrow accounts, and of validators for what the engine has evidence of.
//!
//! Source: go/consensus/tendermint/apps/staking/slashing.go, go/consensus/tendermint/apps/staking/state/state.go, `SlashEscrow`.

use oasis_consensus_types::{
    registry::FREEZE_FOREVER,
    staking::{SlashReason, TakeEscrowEvent, slash_escrow as split_loss},
};
use oasis_primitives::{address::Address, quantity::Quantity};

use super::{emit_unless_check, nodes, state};
use crate::{
    block::{Misbehaviour, MisbehaviourKind},
    context::Context,
    error::Result,
    registry,
};

/// Moves up to `amount` base units of an account's active and debonding stake to the common pool; returns how much that was.
///
/// Source: go/consensus/tendermint/apps/staking/state/state.go, `SlashEscrow`.
pub fn slash_escrow(ctx: &mut Context<'_>, address: &Address, amount: &Quantity) -> Result<Quantity> {
    let mut common_pool = state::common_pool(ctx.store)?;
    let mut account = state::account(ctx.store, address)?;
    let slashed = split_loss(&mut account.escrow, amount);
    if slashed.is_zero() {
        return Ok(slashed);
    }
    common_pool.add(&slashed);
    state::set_common_pool(ctx.store, &common_pool);
    state::set_account(ctx.store, address, &account);
    emit_unless_check(ctx, &TakeEscrowEvent { owner: *address, amount: slashed.clone() });
    Ok(slashed)
}

/// Slashes and freezes a validator that misbehaved, unless it is frozen or unknown.
///
/// The freeze counts from the epoch after the last committed block, also where a new one starts with this block: the original
/// asks without the block's context. Source: go/consensus/tendermint/apps/staking/slashing.go, `onEvidenceByzantineConsensus`.
pub(super) fn on_misbehaviour(ctx: &mut Context<'_>, evidence: &Misbehaviour) -> Result<()> {
    let reason = match evidence.kind {
        MisbehaviourKind::DuplicateVote => SlashReason::CONSENSUS_EQUIVOCATION,
        MisbehaviourKind::LightClientAttack => SlashReason::CONSENSUS_LIGHT_CLIENT_ATTACK,
    };
    let Some(node) = nodes::by_consensus_address(ctx.store, &evidence.address)? else { return Ok(()) };
    let Some(mut status) = nodes::status(ctx.store, &node.id)? else { return Ok(()) };
    if status.is_frozen() {
        return Ok(());
    }
    let penalty = state::params(ctx.store)?.slashing.get(&reason).cloned().unwrap_or_default();
    if penalty.freeze_interval > 0 {
        status.freeze_end_time = ctx.env.last_epoch.checked_add(penalty.freeze_interval).unwrap_or(FREEZE_FOREVER);
    }
    slash_escrow(ctx, &Address::of_public_key(&node.entity_id), &penalty.amount)?;
    registry::state::set_node_status(ctx.store, &node.id, &status);
    Ok(())
}
