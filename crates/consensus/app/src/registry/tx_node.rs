//! Registration of nodes.
//!
//! Source: go/consensus/tendermint/apps/registry/transactions.go, `registerNode`.

use oasis_consensus_types::{
    node::{MultiSignedNode, Node, Roles},
    registry::{
        ConsensusParameters, ERR_FORBIDDEN, ERR_INCORRECT_TX_SIGNER, ERR_INVALID_ARGUMENT, ERR_NODE_EXPIRED,
        GAS_OP_RUNTIME_EPOCH_MAINTENANCE, GovernanceModel, NodeStatus, Runtime, stake_claim_for_node, stake_thresholds_for_node,
    },
};
use oasis_primitives::{address::Address, cbor::NilVec};

use super::{
    events, notify, state,
    verify::{Rules, verify_node_update, verify_register_node},
};
use crate::{
    context::Context,
    epoch::{self, EPOCH_INVALID, EpochTime},
    error::{Error, Result},
    staking::accumulator::StakeAccumulatorCache,
    store::Store,
};

/// A registration that passed all checks of its descriptor.
struct Registration<'a> {
    signed: &'a MultiSignedNode,
    node: Node,
    /// The registered runtimes that the node names, in its order.
    runtimes: Vec<Runtime>,
    /// What was registered before.
    existing: Option<Node>,
    epoch: EpochTime,
}

impl Registration<'_> {
    /// The node before, where its registration has not ended.
    fn live(&self) -> Option<&Node> {
        self.existing.as_ref().filter(|node| !node.is_expired(self.epoch))
    }
}

/// Registers or changes a node.
///
/// Source: go/consensus/tendermint/apps/registry/transactions.go, `registerNode`.
pub(super) fn register_node(ctx: &mut Context<'_>, signed: &MultiSignedNode) -> Result<()> {
    if ctx.is_check_only() {
        return Ok(());
    }
    let untrusted = signed.untrusted()?;
    let entity = state::entity(ctx.store, &untrusted.entity_id)?;
    let params = state::params(ctx.store)?;
    let epoch = epoch::current(ctx.store)?.epoch;
    let (node, runtimes) = verify_register_node(&Rules::of(ctx), &params, signed, &entity, epoch, &*ctx.store)?;

    // At genesis there is no transaction and no signer of one.
    if !ctx.is_init_chain() && ctx.tx_signer() != node.id {
        return Err(ERR_INCORRECT_TX_SIGNER.into());
    }
    for runtime in &runtimes {
        check_whitelist(ctx.store, &node, runtime, epoch)?;
    }
    // A registration that ends with this epoch counts as ended, though the state would keep it through the epoch.
    if !ctx.is_init_chain() && node.expiration <= epoch {
        return Err(ERR_NODE_EXPIRED.into());
    }
    let existing = state::find_node(ctx.store, &node.id)?;
    let registration = Registration { signed, node, runtimes, existing, epoch };
    ctx.use_gas(maintenance_fees(&registration), GAS_OP_RUNTIME_EPOCH_MAINTENANCE, &params.gas_costs)?;

    ctx.checkpoint(|ctx| apply(ctx, &params, &registration))?;
    ctx.emit(events::node_registered(&registration.node));
    Ok(())
}

/// Whether a runtime's list of entities lets the node register.
fn check_whitelist(store: &Store, node: &Node, runtime: &Runtime, epoch: EpochTime) -> Result<()> {
    let Some(whitelist) = &runtime.admission_policy.entity_whitelist else { return Ok(()) };
    let config = whitelist.entities.get(&node.entity_id).ok_or(ERR_FORBIDDEN)?;
    if config.max_nodes.is_empty() {
        return Ok(());
    }
    for (role, _) in Roles::ALL.into_iter().filter(|(role, _)| node.has_roles(*role)) {
        let max = config.max_nodes.get(&role).copied().unwrap_or_default();
        if max == 0 {
            return Err(ERR_FORBIDDEN.into());
        }
        let counts =
            |other: &Node| other.id != node.id && !other.is_expired(epoch) && other.runtime(&runtime.id).is_some() && other.has_roles(role);
        let others = state::entity_nodes(store, &node.entity_id)?.iter().filter(|other| counts(other)).count();
        // This node is one more.
        if others >= usize::from(max) {
            return Err(ERR_FORBIDDEN.into());
        }
    }
    Ok(())
}

/// Epochs to be paid for, over all runtimes; those paid before are not paid again.
fn maintenance_fees(registration: &Registration<'_>) -> u64 {
    let Registration { node, epoch, .. } = registration;
    let paid = registration.live().map_or(0, |old| old.expiration.saturating_sub(*epoch));
    let epochs = node.expiration.saturating_sub(*epoch).saturating_sub(paid);
    // The original multiplies without looking for an overflow.
    (registration.runtimes.len() as u64).wrapping_mul(epochs)
}

fn apply(ctx: &mut Context<'_>, params: &ConsensusParameters, registration: &Registration<'_>) -> Result<()> {
    let Registration { signed, node, runtimes, existing, epoch } = registration;
    let mut stake = None;
    if !params.debug_bypass_stake {
        let mut accumulator = StakeAccumulatorCache::new(ctx.store)?;
        let thresholds = stake_thresholds_for_node(node, runtimes);
        let address = Address::of_public_key(&node.entity_id);
        // No thresholds at all are Go's nil slice.
        accumulator.add_stake_claim(ctx.store, &address, &stake_claim_for_node(&node.id), thresholds.into_iter().collect::<NilVec<_>>())?;
        accumulator.commit(ctx.store);
        stake = Some(StakeAccumulatorCache::new(ctx.store)?);
    }
    if let Some(existing) = existing {
        verify_node_update(existing, node, *epoch)?;
    }
    state::set_node(ctx.store, existing.as_ref(), node, signed);

    if registration.live().is_none() {
        let mut status = match existing {
            Some(_) => state::node_status(ctx.store, &node.id).map_err(|_| Error::from(ERR_INVALID_ARGUMENT))?,
            None => NodeStatus::default(),
        };
        status.expiration_processed = false;
        status.election_eligible_after = EPOCH_INVALID;
        state::set_node_status(ctx.store, &node.id, &status);
    }
    for runtime in runtimes {
        resume(ctx, stake.as_mut(), runtime)?;
    }
    Ok(())
}

/// Resumes a suspended runtime that the node has paid for, unless its stake would suspend it again.
fn resume(ctx: &mut Context<'_>, stake: Option<&mut StakeAccumulatorCache>, runtime: &Runtime) -> Result<()> {
    if let Some(stake) = stake
        && runtime.governance_model != GovernanceModel::CONSENSUS
    {
        let Some(address) = runtime.staking_address() else {
            let (id, model) = (runtime.id, runtime.governance_model);
            return Err(Error::unknown(format!("unknown runtime governance model on runtime {id}: {model}")));
        };
        match stake.check_stake_claims(ctx.store, &address) {
            Ok(()) => {}
            Err(e) if e.is_fatal() => return Err(e),
            Err(_) => return Ok(()),
        }
    }
    if state::resume_runtime(ctx.store, &runtime.id)? {
        notify::runtime_resumed(ctx, runtime)?;
        ctx.emit(events::runtime_registered(runtime));
    }
    Ok(())
}
