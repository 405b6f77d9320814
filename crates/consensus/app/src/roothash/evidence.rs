//! Evidence transactions.
//!
//! Source: go/consensus/tendermint/apps/roothash/transactions.go, `submitEvidence`.

use oasis_consensus_types::{
    roothash::{ERR_DUPLICATE_EVIDENCE, ERR_INVALID_EVIDENCE, ERR_RUNTIME_DOES_NOT_SLASH, Evidence, GAS_OP_EVIDENCE},
    staking::SlashReason,
};

use super::{slashing, state, tx};
use crate::{context::Context, error::Result};

/// Slashes the node that the evidence is against.
pub(super) fn submit(ctx: &mut Context<'_>, evidence: &Evidence) -> Result<()> {
    let shown = evidence.validate_basic(&ctx.env.rules).map_err(|reason| ERR_INVALID_EVIDENCE.with(reason))?;
    if ctx.is_check_only() {
        return Ok(());
    }
    let params = state::consensus_parameters(ctx.store)?;
    ctx.use_gas(1, GAS_OP_EVIDENCE, &params.gas_costs)?;
    if ctx.is_simulation() {
        return Ok(());
    }

    let rt_state = tx::active_runtime_state(ctx, &evidence.id)?;
    let runtime = &rt_state.runtime;
    let penalty = runtime.staking.slashing.get(&SlashReason::RUNTIME_EQUIVOCATION).map(|s| s.amount.clone()).unwrap_or_default();
    if penalty.is_zero() {
        return Err(ERR_RUNTIME_DOES_NOT_SLASH.into());
    }
    // The sum wraps around in the original too.
    if shown.round.wrapping_add(params.max_evidence_age) < rt_state.current_block.header.round {
        return Err(ERR_INVALID_EVIDENCE.with("equivocation evidence expired").into());
    }
    let hash = shown.hash();
    if state::evidence_exists(ctx.store, &runtime.id, shown.round, &hash)? {
        return Err(ERR_DUPLICATE_EVIDENCE.into());
    }
    state::set_evidence(ctx.store, &runtime.id, shown.round, &hash);
    slashing::on_equivocation(ctx, &shown.signer, runtime, &penalty)
}
