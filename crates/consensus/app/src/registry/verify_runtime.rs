//! Which runtimes are accepted.
//!
//! Source: go/registry/api/api.go, `VerifyRuntime` and what follows it.

use oasis_consensus_types::{
    node::{SgxConstraints, TeeHardware},
    registry::{
        ConsensusParameters, ERR_FORBIDDEN, ERR_INVALID_ARGUMENT, ERR_NO_ENCLAVE_FOR_RUNTIME, ERR_NO_SUCH_RUNTIME,
        ERR_RUNTIME_UPDATE_NOT_ALLOWED, GovernanceModel, Runtime, RuntimeGenesis, RuntimeKind,
    },
};
use oasis_primitives::{cbor, signature::Context as SignatureContext};

use super::verify::{Lookup, Rules, invalid};
use crate::error::{Error, Result};

/// Context of storage receipts.
///
/// Source: go/storage/api/api.go, `ReceiptSignatureContext`.
const RECEIPT_SIGNATURE_CONTEXT: SignatureContext = SignatureContext::new("oasis-core/storage: receipt").with_chain_separation();

/// Source: go/registry/api/api.go, `VerifyRuntime`.
pub fn verify_runtime(rules: &Rules, params: &ConsensusParameters, runtime: &Runtime) -> Result<()> {
    runtime.validate_basic(rules.strict_version(), rules.debug).map_err(|e| invalid(&e))?;
    if runtime.id.is_test() && !params.debug_allow_test_runtimes {
        return Err(invalid("test runtime not allowed"));
    }
    verify_genesis(rules, &runtime.genesis)?;
    if params.enable_runtime_governance_models.is_empty() {
        return Err(ERR_FORBIDDEN.with("no runtime governance models are enabled").into());
    }
    let model = runtime.governance_model;
    if params.enable_runtime_governance_models.get(&model) != Some(&true) {
        return Err(ERR_FORBIDDEN.with(format_args!("runtime governance model is not enabled: {model}")).into());
    }
    if runtime.tee_hardware >= TeeHardware::RESERVED {
        return Err(invalid("invalid TEE hardware"));
    }
    if runtime.tee_hardware == TeeHardware::INTEL_SGX {
        let constraints: SgxConstraints =
            cbor::from_nil_slice(runtime.version.tee.0.as_deref()).map_err(|_| invalid("invalid SGX TEE constraints"))?;
        if constraints.enclaves.is_empty() {
            return Err(ERR_NO_ENCLAVE_FOR_RUNTIME.with("invalid SGX TEE constraints").into());
        }
    }
    let policy = &runtime.admission_policy;
    if policy.any_node.is_some() == policy.entity_whitelist.is_some() {
        return Err(invalid("invalid admission policy"));
    }
    if model == GovernanceModel::RUNTIME && runtime.kind != RuntimeKind::COMPUTE {
        return Err(invalid("runtime governance can only be used with compute runtimes"));
    }
    for (entity, config) in policy.entity_whitelist.iter().flat_map(|list| list.entities.iter()) {
        if !rules.is_valid(entity) {
            return Err(invalid("invalid entity ID in entity whitelist"));
        }
        if config.max_nodes.keys().any(|role| !role.is_single()) {
            return Err(invalid("non-single role in entity whitelist max nodes map"));
        }
    }
    Ok(())
}

/// Source: go/registry/api/runtime.go, `RuntimeGenesis.SanityCheck`. None of the errors has a code of its own.
fn verify_genesis(rules: &Rules, genesis: &RuntimeGenesis) -> Result<()> {
    if rules.is_genesis || !genesis.state.is_empty() || genesis.state_root.is_empty() {
        return Ok(());
    }
    if genesis.storage_receipts.is_empty() {
        return Err(Error::unknown(
            "runtimegenesis: sanity check failed: when State is empty either StorageReceipts must be populated or StateRoot must be empty",
        ));
    }
    for receipt in &genesis.storage_receipts {
        let key = receipt.public_key;
        if !rules.is_valid(&key) {
            return Err(Error::unknown(format!(
                "runtimegenesis: sanity check failed: when State is empty either all StorageReceipts must be valid or StateRoot must be empty (public_key {key})"
            )));
        }
        if !receipt.verify(&rules.signatures, &RECEIPT_SIGNATURE_CONTEXT, &genesis.state_root.0) {
            return Err(Error::unknown(format!(
                "runtimegenesis: sanity check failed: StorageReceipt verification on StateRoot failed (public_key {key})"
            )));
        }
    }
    Ok(())
}

/// Checks a compute runtime's key manager, where it has one.
///
/// Source: go/registry/api/api.go, `VerifyRegisterComputeRuntimeArgs`.
pub fn verify_compute_runtime(runtime: &Runtime, lookup: &dyn Lookup) -> Result<()> {
    let Some(id) = &runtime.key_manager else { return Ok(()) };
    let key_manager = lookup.any_runtime(id)?.ok_or_else(|| Error::from(ERR_NO_SUCH_RUNTIME))?;
    if key_manager.kind != RuntimeKind::KEY_MANAGER {
        return Err(ERR_INVALID_ARGUMENT.into());
    }
    if !runtime.id.is_test() && runtime.tee_hardware != TeeHardware::INTEL_SGX {
        return Err(invalid("compute runtime without SGX using key manager"));
    }
    Ok(())
}

/// What may change in a runtime's descriptor.
///
/// Source: go/registry/api/api.go, `VerifyRuntimeUpdate`.
pub fn verify_runtime_update(current: &Runtime, new: &Runtime) -> Result<()> {
    let key_manager_kept = current.key_manager.is_none() || current.key_manager == new.key_manager;
    let model_kept = current.governance_model == new.governance_model
        || (current.governance_model == GovernanceModel::ENTITY && new.governance_model == GovernanceModel::RUNTIME);
    let model_fits = new.governance_model != GovernanceModel::RUNTIME || new.kind == RuntimeKind::COMPUTE;
    let allowed = current.entity_id == new.entity_id
        && current.id == new.id
        && current.kind == new.kind
        && current.genesis.equal(&new.genesis)
        && key_manager_kept
        && model_kept
        && model_fits;
    if allowed { Ok(()) } else { Err(ERR_RUNTIME_UPDATE_NOT_ALLOWED.into()) }
}
