//! Registration of runtimes.
//!
//! Source: go/consensus/tendermint/apps/registry/transactions.go, `registerRuntime`.

use oasis_consensus_types::registry::{
    ConsensusParameters, ERR_FORBIDDEN, ERR_INCORRECT_TX_SIGNER, ERR_INVALID_ARGUMENT, GAS_OP_REGISTER_RUNTIME, GovernanceModel, Runtime,
    RuntimeKind, stake_claim_for_runtime, stake_thresholds_for_runtime,
};
use oasis_primitives::address::Address;

use super::{
    events, notify, state,
    verify::Rules,
    verify_runtime::{verify_compute_runtime, verify_runtime, verify_runtime_update},
};
use crate::{context::Context, error::Result, staking::accumulator};

/// Registers or changes a runtime: by transaction, by the runtime's own message, or at genesis.
///
/// Source: go/consensus/tendermint/apps/registry/transactions.go, `registerRuntime`.
pub(super) fn register_runtime(ctx: &mut Context<'_>, runtime: &Runtime) -> Result<()> {
    let params = state::params(ctx.store)?;
    if params.disable_runtime_registration {
        return Err(ERR_FORBIDDEN.into());
    }
    verify_runtime(&Rules::of(ctx), &params, runtime)?;
    if runtime.kind == RuntimeKind::KEY_MANAGER && params.disable_key_manager_runtime_registration {
        return Err(ERR_FORBIDDEN.into());
    }
    if runtime.kind == RuntimeKind::COMPUTE {
        verify_compute_runtime(runtime, &*ctx.store)?;
    }
    if ctx.is_check_only() {
        return Ok(());
    }
    ctx.use_gas(1, GAS_OP_REGISTER_RUNTIME, &params.gas_costs)?;

    let active = state::find_runtime(ctx.store, &runtime.id)?;
    let suspended = if active.is_none() { state::find_suspended_runtime(ctx.store, &runtime.id)? } else { None };
    let is_suspended = suspended.is_some();
    let existing = active.or(suspended);
    if let Some(existing) = &existing {
        verify_runtime_update(existing, runtime)?;
    }
    if !ctx.is_init_chain() {
        // Who may change the model is decided by the model before.
        check_caller(ctx, existing.as_ref().unwrap_or(runtime))?;
    }
    claim_stake(ctx, &params, runtime)?;
    if existing.is_none() {
        notify::runtime_registered(ctx, runtime)?;
    }
    notify::runtime_updated(ctx, runtime)?;
    state::set_runtime(ctx.store, runtime, is_suspended);
    if !is_suspended {
        ctx.emit(events::runtime_registered(runtime));
    }
    Ok(())
}

fn check_caller(ctx: &Context<'_>, runtime: &Runtime) -> Result<()> {
    // Runtimes that the consensus layer governs are registered at genesis only.
    let expected = runtime.staking_address().ok_or(ERR_FORBIDDEN)?;
    if ctx.caller_address() == expected {
        return Ok(());
    }
    Err(match runtime.governance_model {
        GovernanceModel::ENTITY => ERR_INCORRECT_TX_SIGNER,
        GovernanceModel::RUNTIME => ERR_FORBIDDEN,
        _ => ERR_INVALID_ARGUMENT,
    }
    .into())
}

fn claim_stake(ctx: &mut Context<'_>, params: &ConsensusParameters, runtime: &Runtime) -> Result<()> {
    let address = match runtime.governance_model {
        _ if params.debug_bypass_stake => return Ok(()),
        GovernanceModel::CONSENSUS => return Ok(()),
        GovernanceModel::ENTITY => Address::of_public_key(&runtime.entity_id),
        // Where an entity hands the runtime over to itself this is still the entity's account; at genesis it is no account.
        GovernanceModel::RUNTIME => ctx.caller_address(),
        _ => return Err(ERR_INVALID_ARGUMENT.into()),
    };
    let thresholds = stake_thresholds_for_runtime(runtime);
    accumulator::add_stake_claim(ctx.store, &address, &stake_claim_for_runtime(&runtime.id), thresholds)
}
