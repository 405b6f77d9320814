//! Slashing of runtimes' nodes, and who gets what they lose.
//!
//! Source: go/consensus/tendermint/apps/roothash/slashing.go.

use oasis_consensus_types::{registry::Runtime, roothash::ERR_INVALID_EVIDENCE};
use oasis_primitives::{address::Address, namespace::Namespace, quantity::Quantity, signature::PublicKey};

use crate::{
    context::Context,
    error::{Error, Result},
    registry,
    staking::{pools, slash_escrow},
};

/// Slashes a node that signed two different things; `penalty` in base units.
///
/// Source: go/consensus/tendermint/apps/roothash/slashing.go, `onEvidenceRuntimeEquivocation`.
pub(super) fn on_equivocation(ctx: &mut Context<'_>, key: &PublicKey, runtime: &Runtime, penalty: &Quantity) -> Result<()> {
    // Old evidence may be against a node that is gone.
    let node = registry::state::find_node(ctx.store, key)?.ok_or(ERR_INVALID_EVIDENCE)?;
    let slashed = slash_escrow(ctx, &Address::of_public_key(&node.entity_id), penalty)?;
    if slashed.is_zero() {
        return Ok(());
    }
    // A node's reward goes to its entity.
    let reward_address = match registry::state::find_node(ctx.store, &ctx.tx_signer())? {
        Some(caller) => Address::of_public_key(&caller.entity_id),
        None => ctx.caller_address(),
    };
    let percent = runtime.staking.reward_slash_equivocation_percent;
    distribute(ctx, &slashed, percent, &runtime.id, &[reward_address])
}

/// Slashes the nodes with wrong results, and rewards those with the right ones; `penalty` in base units, a node.
///
/// Source: go/consensus/tendermint/apps/roothash/slashing.go, `onRuntimeIncorrectResults`.
pub(super) fn on_incorrect_results(
    ctx: &mut Context<'_>,
    causers: &[PublicKey],
    resolvers: &[PublicKey],
    runtime: &Runtime,
    penalty: &Quantity,
) -> Result<()> {
    let mut slashed = Quantity::ZERO;
    for key in causers {
        if let Some(node) = registry::state::find_node(ctx.store, key)? {
            slashed.add(&slash_escrow(ctx, &Address::of_public_key(&node.entity_id), penalty)?);
        }
    }
    // Entities without stake left don't fail the round.
    if slashed.is_zero() {
        return Ok(());
    }
    let mut rewarded = Vec::new();
    for key in resolvers {
        if let Some(node) = registry::state::find_node(ctx.store, key)? {
            rewarded.push(Address::of_public_key(&node.entity_id));
        }
    }
    distribute(ctx, &slashed, runtime.staking.reward_slash_bad_results_percent, &runtime.id, &rewarded)
}

/// Gives the runtime its percentage, and equal parts of the rest to the others' escrow, rounded down.
///
/// Source: go/consensus/tendermint/apps/roothash/slashing.go, `distributeSlashedFunds`.
fn distribute(ctx: &mut Context<'_>, total: &Quantity, percent: u8, runtime_id: &Namespace, others: &[Address]) -> Result<()> {
    let divided = |amount: &Quantity, by: u64| amount.checked_div(&Quantity::from(by)).unwrap_or_default();
    let for_runtime = divided(&total.times(&Quantity::from(u64::from(percent))), 100);
    pools::transfer_from_common(ctx, &Address::of_runtime(runtime_id), &for_runtime, false)?;
    if others.is_empty() {
        return Ok(());
    }
    let rest = total.checked_sub(&for_runtime).ok_or_else(|| Error::unknown("roothash: reward exceeds what was slashed"))?;
    let each = divided(&rest, others.len() as u64);
    for address in others {
        pools::transfer_from_common(ctx, address, &each, true)?;
    }
    Ok(())
}
