//! Penalties for those who do not do their part.
//!
//! Source: go/consensus/tendermint/apps/beacon/slashing.go.

use oasis_consensus_types::{consensus::ERR_NO_COMMITTED_BLOCKS, registry::FREEZE_FOREVER, staking::SlashReason};
use oasis_primitives::{address::Address, signature::PublicKey};

use crate::{context::Context, error::Result, registry, staking};

/// Freezes a node and slashes its entity, unless the node is frozen already.
///
/// Source: go/consensus/tendermint/apps/beacon/slashing.go, `onPVSSMisbehavior`.
pub(super) fn on_misbehavior(ctx: &mut Context<'_>, id: &PublicKey, reason: SlashReason) -> Result<()> {
    let penalty = staking::state::params(ctx.store)?.slashing.get(&reason).cloned().unwrap_or_default();
    let node = registry::state::node(ctx.store, id)?;
    if penalty.freeze_interval > 0 {
        let mut status = registry::state::node_status(ctx.store, &node.id)?;
        if status.is_frozen() {
            return Ok(());
        }
        // The original asks outside of the block that runs, which gives the epoch after the last committed block.
        if ctx.app_block_height() == 0 {
            return Err(ERR_NO_COMMITTED_BLOCKS.into());
        }
        status.freeze_end_time = ctx.env.last_epoch.checked_add(penalty.freeze_interval).unwrap_or(FREEZE_FOREVER);
        registry::state::set_node_status(ctx.store, &node.id, &status);
    }
    staking::slash_escrow(ctx, &Address::of_public_key(&node.entity_id), &penalty.amount)?;
    Ok(())
}
