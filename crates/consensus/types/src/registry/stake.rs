//! Stake that registrations claim.
//!
//! Source: go/registry/api/api.go, `StakeClaimForNode` and what follows it.

use oasis_primitives::{namespace::Namespace, signature::PublicKey};

use super::{Runtime, RuntimeKind};
use crate::{
    node::{Node, Roles},
    staking::{StakeThreshold, ThresholdKind},
};

/// The claim of an entity's registration.
pub const STAKE_CLAIM_REGISTER_ENTITY: &str = "registry.RegisterEntity";

/// The claim of a node's registration.
pub fn stake_claim_for_node(id: &PublicKey) -> String {
    format!("registry.RegisterNode.{id}")
}

/// The claim of a runtime's registration.
pub fn stake_claim_for_runtime(id: &Namespace) -> String {
    format!("registry.RegisterRuntime.{id}")
}

/// What a node must have staked; `runtimes` are the node's, in the order of its descriptor.
///
/// Source: go/registry/api/api.go, `StakeThresholdsForNode`.
pub fn stake_thresholds_for_node(node: &Node, runtimes: &[Runtime]) -> Vec<StakeThreshold> {
    let mut out = Vec::new();
    if node.has_roles(Roles::VALIDATOR) {
        out.push(StakeThreshold::global(ThresholdKind::NODE_VALIDATOR));
    }
    let by_role = [
        (Roles::KEY_MANAGER, ThresholdKind::NODE_KEY_MANAGER),
        (Roles::COMPUTE_WORKER, ThresholdKind::NODE_COMPUTE),
        (Roles::STORAGE_WORKER, ThresholdKind::NODE_STORAGE),
    ];
    for runtime in runtimes {
        for (_, kind) in by_role.iter().filter(|(role, _)| node.has_roles(*role)) {
            out.push(StakeThreshold::global(*kind));
            if let Some(amount) = runtime.staking.thresholds.get(kind).filter(|amount| !amount.is_zero()) {
                out.push(StakeThreshold::constant(amount.clone()));
            }
        }
    }
    out
}

/// What a runtime must have staked; none for a kind without a meaning.
///
/// Source: go/registry/api/api.go, `StakeThresholdsForRuntime`.
pub fn stake_thresholds_for_runtime(runtime: &Runtime) -> Vec<StakeThreshold> {
    match runtime.kind {
        RuntimeKind::COMPUTE => vec![StakeThreshold::global(ThresholdKind::RUNTIME_COMPUTE)],
        RuntimeKind::KEY_MANAGER => vec![StakeThreshold::global(ThresholdKind::RUNTIME_KEY_MANAGER)],
        _ => Vec::new(),
    }
}
