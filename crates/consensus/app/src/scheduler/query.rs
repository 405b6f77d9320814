//! What clients ask about elections.
//!
//! Source: go/consensus/tendermint/apps/scheduler/query.go.

use oasis_consensus_types::{
    registry::ERR_NO_SUCH_NODE,
    scheduler::{Committee, CommitteeKind, ConsensusParameters, Validator},
};
use oasis_primitives::namespace::Namespace;

use super::state;
use crate::{error::Result, registry, store::Store};

/// The validators, in the order of their consensus keys.
pub fn validators(store: &Store) -> Result<Vec<Validator>> {
    let mut out = Vec::new();
    for (key, voting_power) in state::current_validators(store)? {
        let node = registry::state::find_node_by_sub_key(store, &key)?.ok_or(ERR_NO_SUCH_NODE)?;
        out.push(Validator { id: node.id, voting_power });
    }
    Ok(out)
}

/// All committees.
pub fn all_committees(store: &Store) -> Result<Vec<Committee>> {
    state::all_committees(store)
}

/// The committees of some kinds.
pub fn kinds_committees(store: &Store, kinds: &[CommitteeKind]) -> Result<Vec<Committee>> {
    state::committees_of_kinds(store, kinds)
}

/// The committees of a runtime.
///
/// Source: go/consensus/tendermint/scheduler/scheduler.go, `GetCommittees`.
pub fn runtime_committees(store: &Store, runtime_id: &Namespace) -> Result<Vec<Committee>> {
    Ok(state::all_committees(store)?.into_iter().filter(|c| c.runtime_id == *runtime_id).collect())
}

/// The parameters.
pub fn consensus_parameters(store: &Store) -> Result<ConsensusParameters> {
    state::consensus_parameters(store)
}
