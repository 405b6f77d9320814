//! Changes of policies.
//!
//! Source: go/consensus/tendermint/apps/keymanager/transactions.go.

use oasis_consensus_types::{
    keymanager::{POLICY_SIGNATURE_CONTEXT, SignedPolicySgx, Status},
    registry::{GAS_OP_UPDATE_KEY_MANAGER, RuntimeKind},
};
use oasis_primitives::{cbor, signature::SignatureRules};

use super::{emit, state, status::generate};
use crate::{
    context::Context,
    error::{Error, Result},
    registry::{self, verify::Rules},
};

/// Checks a policy's signatures, and against the policy before that it is the same key manager's and newer.
///
/// None of the errors has a code of its own.
///
/// Source: go/keymanager/api/policy_sgx.go, `SanityCheckSignedPolicySGX`.
pub fn verify_policy(rules: &SignatureRules, current: Option<&SignedPolicySgx>, new: &SignedPolicySgx) -> Result<()> {
    let raw = cbor::to_vec(&new.policy);
    for signature in &new.signatures {
        let key = signature.public_key;
        if !key.is_valid(&rules.blacklist) {
            return Err(Error::unknown(format!("keymanager: sanity check failed: SGX policy signature's public key {key} is invalid")));
        }
        if !signature.verify(rules, &POLICY_SIGNATURE_CONTEXT, &raw) {
            return Err(Error::unknown(format!("keymanager: sanity check failed: SGX policy signature from {key} is invalid")));
        }
    }
    let Some(SignedPolicySgx { policy: current, .. }) = current else { return Ok(()) };
    if new.policy.id != current.id {
        let (from, to) = (current.id, new.policy.id);
        return Err(Error::unknown(format!("keymanager: sanity check failed: SGX policy runtime ID changed from {from} to {to}")));
    }
    if current.serial >= new.policy.serial {
        return Err(Error::unknown("keymanager: sanity check failed: SGX policy serial number did not increase"));
    }
    Ok(())
}

/// Sets a key manager's policy and finds the nodes that serve under it.
///
/// Source: go/consensus/tendermint/apps/keymanager/transactions.go, `updatePolicy`.
pub(super) fn update_policy(ctx: &mut Context<'_>, signed: &SignedPolicySgx) -> Result<()> {
    let id = signed.policy.id;
    let runtime = registry::state::runtime(ctx.store, &id)?;
    if runtime.kind != RuntimeKind::KEY_MANAGER {
        return Err(Error::unknown(format!("keymanager: runtime is not a key manager: {id}")));
    }
    if runtime.entity_id != ctx.tx_signer() {
        return Err(Error::unknown(format!("keymanager: invalid update signer: {id}")));
    }
    let old = state::find_status(ctx.store, &id)?.unwrap_or_else(|| Status { id, ..Status::default() });
    verify_policy(&ctx.env.rules, old.policy.as_ref(), signed)?;
    if ctx.is_check_only() {
        return Ok(());
    }
    let params = registry::state::params(ctx.store)?;
    ctx.use_gas(1, GAS_OP_UPDATE_KEY_MANAGER, &params.gas_costs)?;

    let nodes = registry::state::nodes(ctx.store)?;
    let old = Status { policy: Some(signed.clone()), ..old };
    let new = generate(&Rules::of(ctx), &runtime, &old, &nodes);
    state::set_status(ctx.store, &new);
    emit(ctx, &[new]);
    Ok(())
}
