//! What happens to registrations when the epoch changes.
//!
//! Source: go/consensus/tendermint/apps/registry/registry.go, `onRegistryEpochChanged`.

use oasis_consensus_types::registry::stake_claim_for_node;
use oasis_primitives::address::Address;

use super::{events, state};
use crate::{
    block::BeginBlock,
    context::Context,
    epoch::EpochTime,
    error::Result,
    staking::{self, accumulator::StakeAccumulatorCache},
};

/// Starts a block.
pub fn begin_block(ctx: &mut Context<'_>, _request: &BeginBlock) -> Result<()> {
    match ctx.epoch_changed()? {
        Some(epoch) => on_epoch_changed(ctx, epoch),
        None => Ok(()),
    }
}

/// Ends a block.
pub fn end_block(_ctx: &mut Context<'_>) -> Result<()> {
    Ok(())
}

/// Notices ended registrations, and removes nodes whose stake can no longer be slashed.
fn on_epoch_changed(ctx: &mut Context<'_>, epoch: EpochTime) -> Result<()> {
    let nodes = state::nodes(ctx.store)?;
    let debonding_interval = staking::state::debonding_interval(ctx.store)?;
    let params = state::params(ctx.store)?;
    let mut stake = if params.debug_bypass_stake { None } else { Some(StakeAccumulatorCache::new(ctx.store)?) };

    let mut expired = Vec::new();
    for node in nodes.into_iter().filter(|node| node.is_expired(epoch)) {
        let mut status = state::node_status(ctx.store, &node.id)?;
        let is_news = !status.expiration_processed;
        if is_news {
            status.expiration_processed = true;
            state::set_node_status(ctx.store, &node.id, &status);
        }
        // A sum too large for 64 bits is never reached: such a node stays for ever.
        if node.expiration.checked_add(debonding_interval).is_some_and(|end| end < epoch) {
            state::remove_node(ctx.store, &node);
            if let Some(stake) = &mut stake {
                stake.remove_stake_claim(ctx.store, &Address::of_public_key(&node.entity_id), &stake_claim_for_node(&node.id))?;
            }
        }
        if is_news {
            expired.push(node);
        }
    }
    if let Some(stake) = stake {
        stake.commit(ctx.store);
    }
    ctx.emit(events::node_list_epoch(&expired));
    Ok(())
}
