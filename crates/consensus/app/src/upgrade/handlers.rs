//! What each upgrade changes in the state.
//!
//! Source: go/upgrade/migrations.

use std::sync::Arc;

use oasis_consensus_types::{
    consensus::Parameters,
    entity::{self, Entity, SignedEntity},
    governance, registry as registry_api, roothash as roothash_api,
    staking::{self as staking_api, Account, StakeThreshold, ThresholdKind},
};
use oasis_primitives::{
    address::Address,
    signature::{MemorySigner, SignedBlob, Signer},
};

use crate::{
    context::{Context, Mode, missing},
    error::{Error, Result},
    executor::KEY_PARAMETERS,
    governance::state as governance_state,
    registry, roothash, scheduler, staking,
};

/// The handler of an upgrade.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Handler {
    /// Source: go/upgrade/migrations/consensus_max_allowances.go.
    MaxAllowances16,
    /// Source: go/upgrade/migrations/consensus_parameters.go.
    ParametersUpdate202108,
    /// For tests. Source: go/upgrade/migrations/dummy.go.
    Dummy,
}

impl Handler {
    /// Source: go/upgrade/migrations/migrations.go, `GetHandler`.
    pub(super) fn by_name(name: &str) -> Option<Self> {
        match name {
            "consensus-max-allowances-16" => Some(Self::MaxAllowances16),
            "consensus-params-update-2021-08" => Some(Self::ParametersUpdate202108),
            "__e2e-test-valid" => Some(Self::Dummy),
            _ => None,
        }
    }

    /// Changes the state; called at the begin and at the end of the upgrade's block.
    pub(super) fn upgrade(self, ctx: &mut Context<'_>) -> Result<()> {
        match (self, ctx.mode()) {
            (Self::Dummy, Mode::BeginBlock) => add_test_entity(ctx),
            (_, Mode::BeginBlock) => Ok(()),
            (Self::MaxAllowances16, Mode::EndBlock) => {
                let mut params = Arc::unwrap_or_clone(staking::state::params(ctx.store)?);
                params.max_allowances = 16;
                staking::state::set_params(ctx.store, &params);
                Ok(())
            }
            (Self::ParametersUpdate202108, Mode::EndBlock) => update_parameters(ctx),
            (Self::Dummy, Mode::EndBlock) => {
                let mut params: Parameters = ctx.store.get_cbor(KEY_PARAMETERS)?.ok_or_else(|| missing("consensus parameters"))?;
                params.max_tx_size = params.max_tx_size.wrapping_add(1);
                ctx.store.insert_cbor(KEY_PARAMETERS, &params);
                Ok(())
            }
            (_, mode) => Err(Error::fatal(format!("upgrade handler called in unexpected context: {mode:?}"))),
        }
    }
}

/// Source: go/upgrade/migrations/consensus_parameters.go, `ConsensusUpgrade`.
fn update_parameters(ctx: &mut Context<'_>) -> Result<()> {
    let mut params = Arc::unwrap_or_clone(staking::state::params(ctx.store)?);
    params.max_allowances = 16;
    for operation in [staking_api::GAS_OP_AMEND_COMMISSION_SCHEDULE, staking_api::GAS_OP_ALLOW, staking_api::GAS_OP_WITHDRAW] {
        params.gas_costs.insert(operation.to_owned(), 1000);
    }
    staking::state::set_params(ctx.store, &params);

    let mut params = governance_state::params(ctx.store)?;
    for operation in [governance::GAS_OP_CAST_VOTE, governance::GAS_OP_SUBMIT_PROPOSAL] {
        params.gas_costs.insert(operation.to_owned(), 1000);
    }
    governance_state::set_params(ctx.store, &params);

    let mut params = roothash::state::consensus_parameters(ctx.store)?;
    for operation in [roothash_api::GAS_OP_EVIDENCE, roothash_api::GAS_OP_PROPOSER_TIMEOUT] {
        params.gas_costs.insert(operation.to_owned(), 5000);
    }
    roothash::state::set_consensus_parameters(ctx.store, &params);

    let mut params = scheduler::state::consensus_parameters(ctx.store)?;
    params.max_validators = 110;
    scheduler::state::set_consensus_parameters(ctx.store, &params);
    Ok(())
}

/// Registers an entity by which tests see that the upgrade was performed.
///
/// Source: go/upgrade/migrations/dummy.go, `ConsensusUpgrade`.
fn add_test_entity(ctx: &mut Context<'_>) -> Result<()> {
    let signer = MemorySigner::for_test("__e2e-test-migration-entity");
    let entity = Entity { v: entity::LATEST_DESCRIPTOR_VERSION, id: signer.public_key(), nodes: Vec::new() };
    let context = &registry_api::REGISTER_ENTITY_SIGNATURE_CONTEXT;
    let signed = SignedBlob::sign(&signer, context, &ctx.env.rules.chain, &entity)
        .map_err(|e| Error::fatal(format!("failed to sign entity: {e}")))?;
    registry::state::set_entity(ctx.store, &entity.id, &SignedEntity(signed));

    let mut account = Account::default();
    let thresholds = vec![StakeThreshold::global(ThresholdKind::ENTITY)].into();
    account.escrow.stake_accumulator.add_claim_unchecked(registry_api::STAKE_CLAIM_REGISTER_ENTITY, thresholds);
    staking::state::set_account(ctx.store, &Address::of_public_key(&entity.id), &account);
    Ok(())
}
