//! Transactions about entities and the end of a node's freeze.
//!
//! Source: go/consensus/tendermint/apps/registry/transactions.go.

use oasis_consensus_types::{
    entity::SignedEntity,
    registry::{
        ERR_BAD_ENTITY_FOR_NODE, ERR_ENTITY_HAS_NODES, ERR_ENTITY_HAS_RUNTIMES, ERR_INCORRECT_TX_SIGNER, ERR_NODE_CANNOT_BE_UNFROZEN,
        GAS_OP_DEREGISTER_ENTITY, GAS_OP_REGISTER_ENTITY, GAS_OP_REGISTER_NODE, GAS_OP_UNFREEZE_NODE, STAKE_CLAIM_REGISTER_ENTITY,
        UnfreezeNode,
    },
    staking::{StakeThreshold, ThresholdKind},
};
use oasis_primitives::address::Address;

use super::{
    events, state,
    verify::{Rules, verify_register_entity},
};
use crate::{
    context::Context,
    epoch,
    error::{Error, Result},
    staking::accumulator,
};

/// Registers or changes an entity.
///
/// Source: go/consensus/tendermint/apps/registry/transactions.go, `registerEntity`.
pub(super) fn register_entity(ctx: &mut Context<'_>, signed: &SignedEntity) -> Result<()> {
    let entity = verify_register_entity(&Rules::of(ctx), signed)?;
    if ctx.is_check_only() {
        return Ok(());
    }
    let params = state::params(ctx.store)?;
    ctx.use_gas(1, GAS_OP_REGISTER_ENTITY, &params.gas_costs)?;
    ctx.use_gas(entity.nodes.len() as u64, GAS_OP_REGISTER_NODE, &params.gas_costs)?;

    // At genesis there is no transaction and no signer of one.
    if !ctx.is_init_chain() && signed.0.signature.public_key != ctx.tx_signer() {
        return Err(ERR_INCORRECT_TX_SIGNER.into());
    }
    if !params.debug_bypass_stake {
        let address = Address::of_public_key(&entity.id);
        let thresholds = vec![StakeThreshold::global(ThresholdKind::ENTITY)];
        accumulator::add_stake_claim(ctx.store, &address, STAKE_CLAIM_REGISTER_ENTITY, thresholds)?;
    }
    state::set_entity(ctx.store, &entity.id, signed);
    ctx.emit(events::entity_registered(&entity));
    Ok(())
}

/// Removes the signer's entity.
///
/// Source: go/consensus/tendermint/apps/registry/transactions.go, `deregisterEntity`.
pub(super) fn deregister_entity(ctx: &mut Context<'_>) -> Result<()> {
    if ctx.is_check_only() {
        return Ok(());
    }
    let params = state::params(ctx.store)?;
    ctx.use_gas(1, GAS_OP_DEREGISTER_ENTITY, &params.gas_costs)?;

    let id = ctx.tx_signer();
    if state::has_entity_nodes(ctx.store, &id)? {
        return Err(ERR_ENTITY_HAS_NODES.into());
    }
    if state::has_entity_runtimes(ctx.store, &id)? {
        return Err(ERR_ENTITY_HAS_RUNTIMES.into());
    }
    let entity = state::remove_entity(ctx.store, &id)?;
    if !params.debug_bypass_stake {
        accumulator::remove_stake_claim(ctx.store, &Address::of_public_key(&id), STAKE_CLAIM_REGISTER_ENTITY)
            .map_err(|e| Error::fatal(format!("stake claim of an entity: {e}")))?;
    }
    ctx.emit(events::entity_deregistered(entity));
    Ok(())
}

/// Ends a node's freeze, where its time is over.
///
/// Source: go/consensus/tendermint/apps/registry/transactions.go, `unfreezeNode`.
pub(super) fn unfreeze_node(ctx: &mut Context<'_>, unfreeze: &UnfreezeNode) -> Result<()> {
    if ctx.is_check_only() {
        return Ok(());
    }
    let params = state::params(ctx.store)?;
    ctx.use_gas(1, GAS_OP_UNFREEZE_NODE, &params.gas_costs)?;

    let node = state::node(ctx.store, &unfreeze.node_id)?;
    if ctx.tx_signer() != node.entity_id {
        return Err(ERR_BAD_ENTITY_FOR_NODE.into());
    }
    let mut status = state::node_status(ctx.store, &unfreeze.node_id)?;
    if status.freeze_end_time > epoch::current(ctx.store)?.epoch {
        return Err(ERR_NODE_CANNOT_BE_UNFROZEN.into());
    }
    status.unfreeze();
    state::set_node_status(ctx.store, &node.id, &status);
    ctx.emit(events::node_unfrozen(&node.id));
    Ok(())
}
