//! The key managers' part of the genesis document.
//!
//! Source: go/consensus/tendermint/apps/keymanager/genesis.go; go/keymanager/api/api.go, `SanityCheckStatuses`.

use oasis_consensus_types::{
    keymanager::{Genesis, Status},
    registry::{self as registry_api, RuntimeKind},
};
use oasis_primitives::{
    cbor::{NilVec, OrNil},
    signature::SignatureRules,
};

use super::{emit, state, tx::verify_policy};
use crate::{
    context::Context,
    error::{Error, Result},
    registry::{verify::Rules, verify_runtime::verify_runtime},
    store::Store,
};

/// Makes the first state; statuses of runtimes that are no key managers of the genesis document are passed over.
///
/// Source: go/consensus/tendermint/apps/keymanager/genesis.go, `InitChain`.
pub fn init_chain(ctx: &mut Context<'_>, genesis: &Genesis, registry: &registry_api::Genesis) -> Result<()> {
    let rules = Rules { is_genesis: true, ..Rules::of(ctx) };
    let is_key_manager = |status: &Status| {
        let mut candidates = registry.runtimes.iter().filter(|rt| rt.id == status.id && rt.kind == RuntimeKind::KEY_MANAGER);
        candidates.any(|rt| verify_runtime(&rules, &registry.parameters, rt).is_ok())
    };
    let mut known = Vec::new();
    for status in genesis.statuses.iter().filter(|status| is_key_manager(status)) {
        if !status.nodes.is_nil() {
            return Err(Error::unknown("tendermint/keymanager: genesis key manager has nodes"));
        }
        state::set_status(ctx.store, status);
        known.push(Status::clone(status));
    }
    if !known.is_empty() {
        emit(ctx, &known);
    }
    Ok(())
}

/// The state as a genesis document has it: without nodes.
///
/// Source: go/consensus/tendermint/apps/keymanager/genesis.go, `Genesis`.
pub fn export(store: &Store) -> Result<Genesis> {
    let without_nodes = |status| OrNil::from(Status { nodes: NilVec::NIL, ..status });
    Ok(Genesis { statuses: state::statuses(store)?.into_iter().map(without_nodes).collect() })
}

/// Checks statuses of a genesis document or of the state.
///
/// Source: go/keymanager/api/api.go, `SanityCheckStatuses`.
pub fn check_statuses<'a>(rules: &SignatureRules, statuses: impl IntoIterator<Item = &'a Status>) -> Result<()> {
    for status in statuses {
        let id = status.id;
        if !id.is_key_manager() {
            return Err(Error::unknown(format!("keymanager: sanity check failed: key manager runtime ID {id} is invalid")));
        }
        if let Some(node) = status.nodes.iter().find(|node| !node.is_valid(&rules.blacklist)) {
            return Err(Error::unknown(format!("keymanager: sanity check failed: key manager node ID {node} is invalid")));
        }
        if let Some(policy) = &status.policy {
            verify_policy(rules, None, policy)?;
        }
    }
    Ok(())
}
