//! What happens to key managers when the epoch changes.
//!
//! Source: go/consensus/tendermint/apps/keymanager/keymanager.go, `onEpochChange`.

use oasis_consensus_types::{
    keymanager::Status,
    registry::{GovernanceModel, Runtime, RuntimeKind},
};

use super::{emit, state, status::generate};
use crate::{
    block::BeginBlock,
    context::Context,
    error::{Error, Result},
    registry::{self, verify::Rules},
    staking::accumulator::StakeAccumulatorCache,
};

/// Starts a block.
pub fn begin_block(ctx: &mut Context<'_>, _request: &BeginBlock) -> Result<()> {
    match ctx.epoch_changed()? {
        Some(_) => on_epoch_changed(ctx),
        None => Ok(()),
    }
}

/// Ends a block.
pub fn end_block(_ctx: &mut Context<'_>) -> Result<()> {
    Ok(())
}

fn on_epoch_changed(ctx: &mut Context<'_>) -> Result<()> {
    let runtimes = registry::state::runtimes(ctx.store)?;
    let nodes = registry::state::nodes(ctx.store)?;
    let params = registry::state::params(ctx.store)?;
    let mut stake = if params.debug_bypass_stake { None } else { Some(StakeAccumulatorCache::new(ctx.store)?) };
    let rules = Rules::of(ctx);

    let mut changed = Vec::new();
    for runtime in runtimes.iter().filter(|rt| rt.kind == RuntimeKind::KEY_MANAGER) {
        if let Some(stake) = &mut stake
            && !has_stake(ctx, stake, runtime)?
        {
            registry::state::suspend_runtime(ctx.store, &runtime.id)?;
            continue;
        }
        let old = state::find_status(ctx.store, &runtime.id)?;
        let is_new = old.is_none();
        let old = old.unwrap_or_else(|| Status { id: runtime.id, ..Status::default() });
        let new = generate(&rules, runtime, &old, &nodes);
        if is_new || old != new {
            state::set_status(ctx.store, &new);
            changed.push(new);
        }
    }
    if !changed.is_empty() {
        emit(ctx, &changed);
    }
    Ok(())
}

/// Whether the stake of the account that stands for a runtime covers its claims.
fn has_stake(ctx: &Context<'_>, stake: &mut StakeAccumulatorCache, runtime: &Runtime) -> Result<bool> {
    if runtime.governance_model == GovernanceModel::CONSENSUS {
        return Ok(true);
    }
    let Some(address) = runtime.staking_address() else {
        let (id, model) = (runtime.id, runtime.governance_model);
        return Err(Error::unknown(format!("unknown runtime governance model on runtime {id}: {model}")));
    };
    match stake.check_stake_claims(ctx.store, &address) {
        Ok(()) => Ok(true),
        Err(e) if e.is_fatal() => Err(e),
        Err(_) => Ok(false),
    }
}
