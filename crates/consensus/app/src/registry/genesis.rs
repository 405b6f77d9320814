//! The registry's part of the genesis document.
//!
//! Source: go/consensus/tendermint/apps/registry/genesis.go.

use std::collections::BTreeMap;

use oasis_consensus_types::{
    node::Roles,
    registry::{Genesis, RuntimeKind},
};
use oasis_primitives::cbor::OrNil;

use super::{
    state, tx,
    tx_node::register_node,
    tx_runtime::register_runtime,
    verify::{Rules, wrap},
    verify_runtime::verify_runtime,
};
use crate::{
    context::Context,
    error::{Error, Result},
    store::Store,
};

/// Makes the first state.
///
/// Source: go/consensus/tendermint/apps/registry/genesis.go, `InitChain`.
pub fn init_chain(ctx: &mut Context<'_>, genesis: &Genesis) -> Result<()> {
    state::set_params(ctx.store, &genesis.parameters);
    for entity in &genesis.entities {
        tx::register_entity(ctx, entity).map_err(|e| wrap("registry: genesis entity registration failure", e))?;
    }
    // Key managers first, so that the runtimes that use them find them.
    for kind in [RuntimeKind::KEY_MANAGER, RuntimeKind::COMPUTE] {
        for runtime in &genesis.runtimes {
            verify_runtime(&Rules::of(ctx), &genesis.parameters, runtime)?;
            if runtime.kind == kind {
                register_runtime(ctx, runtime).map_err(|e| wrap("registry: genesis runtime registration failure", e))?;
            }
        }
    }
    for runtime in &genesis.suspended_runtimes {
        register_runtime(ctx, runtime).map_err(|e| wrap("registry: genesis suspended runtime registration failure", e))?;
        state::suspend_runtime(ctx.store, &runtime.id).map_err(|e| wrap("registry: failed to suspend runtime at genesis", e))?;
    }
    for node in &genesis.nodes {
        if node.0.signatures.is_empty() {
            return Err(Error::unknown("registry: genesis node without signatures"));
        }
        register_node(ctx, node).map_err(|e| wrap("registry: genesis node registration failure", e))?;
    }
    for (id, status) in &genesis.node_statuses {
        state::set_node_status(ctx.store, id, status);
    }
    Ok(())
}

/// The state as a genesis document has it: of the nodes, only validators.
///
/// Source: go/consensus/tendermint/apps/registry/genesis.go, `Genesis`.
pub fn export(store: &Store) -> Result<Genesis> {
    let mut nodes = Vec::new();
    let mut node_statuses = BTreeMap::new();
    for signed in state::signed_nodes(store)? {
        let node = signed.untrusted()?;
        if node.has_roles(Roles::VALIDATOR) {
            node_statuses.insert(node.id, state::node_status(store, &node.id)?.into());
            nodes.push(signed.into());
        }
    }
    Ok(Genesis {
        parameters: state::params(store)?,
        entities: state::signed_entities(store)?.into_iter().map(OrNil::from).collect(),
        runtimes: state::runtimes(store)?.into_iter().map(OrNil::from).collect(),
        suspended_runtimes: state::suspended_runtimes(store)?.into_iter().map(OrNil::from).collect(),
        nodes,
        node_statuses,
    })
}
