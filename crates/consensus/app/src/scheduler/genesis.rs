//! The scheduler's part of the genesis document.
//!
//! Source: go/consensus/tendermint/apps/scheduler/genesis.go.

use std::collections::BTreeMap;

use oasis_consensus_types::{
    genesis::Document,
    node::Roles,
    scheduler::{Genesis, voting_power_from_stake},
};
use oasis_primitives::{address::Address, quantity::Quantity, signature::PublicKey};

use super::state;
use crate::{
    block::ValidatorUpdate,
    context::Context,
    error::{Error, Result},
    registry,
    store::Store,
};

/// The most voting power of all validators.
///
/// Source: Tendermint 0.34, types/validator_set.go, `MaxTotalVotingPower`.
const MAX_TOTAL_VOTING_POWER: i64 = i64::MAX >> 3;

/// The validators of the first block, by descending voting power.
///
/// Source: go/consensus/tendermint/api/genesis.go, `convertValidators`. Signatures of the nodes are checked elsewhere.
pub fn genesis_validators(document: &Document) -> Result<Vec<ValidatorUpdate>> {
    let params = &document.scheduler.parameters;
    let mut by_entity: BTreeMap<PublicKey, i64> = BTreeMap::new();
    let mut out = Vec::new();
    for signed in &document.registry.nodes {
        let node = signed.untrusted().map_err(Error::fatal)?;
        if !node.has_roles(Roles::VALIDATOR) || node.is_expired(document.beacon.base) {
            continue;
        }
        let power = if params.debug_bypass_stake {
            1
        } else {
            let account = document.staking.ledger.get(&Address::of_public_key(&node.entity_id));
            let stake = account.map_or(Quantity::ZERO, |a| a.escrow.active.balance.clone());
            voting_power_from_stake(&stake)
                .ok_or_else(|| Error::fatal(format!("stake of {stake} of entity {} is too much for voting power", node.entity_id)))?
        };
        // The first node of an entity counts always, whatever the limit.
        match by_entity.get_mut(&node.entity_id) {
            Some(count) if *count >= params.max_validators_per_entity => continue,
            Some(count) => *count = count.saturating_add(1),
            None => {
                by_entity.insert(node.entity_id, 1);
            }
        }
        out.push(ValidatorUpdate { public_key: node.consensus.id, power });
    }
    out.sort_by_key(|v| std::cmp::Reverse(v.power));
    out.truncate(usize::try_from(params.max_validators).unwrap_or(0));
    Ok(out)
}

/// Makes the scheduler's first state.
///
/// Source: go/consensus/tendermint/apps/scheduler/genesis.go, `InitChain`.
pub fn init_chain(ctx: &mut Context<'_>, document: &Document) -> Result<()> {
    let params = &document.scheduler.parameters;
    state::set_consensus_parameters(ctx.store, params);
    let configured = |value: i64, what: &str| {
        if value > 0 { Ok(()) } else { Err(Error::fatal(format!("tendermint/scheduler: {what} not configured"))) }
    };
    configured(params.min_validators, "minimum number of validators")?;
    configured(params.max_validators, "maximum number of validators")?;
    configured(params.max_validators_per_entity, "maximum number of validators per entity")?;

    let registered = registry::state::nodes(ctx.store)?;
    let mut validators = BTreeMap::new();
    for validator in genesis_validators(document)? {
        let key = validator.public_key;
        if !registered.iter().any(|n| n.has_roles(Roles::VALIDATOR) && n.consensus.id == key) {
            return Err(Error::fatal(format!("scheduler: genesis validator {key} not in registry")));
        }
        validators.insert(key, validator.power);
    }
    state::set_current_validators(ctx.store, &validators);

    if !params.debug_bypass_stake {
        let supply = &document.staking.total_supply;
        if voting_power_from_stake(supply).is_none_or(|power| power > MAX_TOTAL_VOTING_POWER) {
            return Err(Error::fatal(format!("init chain: total supply of {supply} exceeds Tendermint voting power limit")));
        }
    }
    Ok(())
}

/// The genesis state that continues from this state.
pub fn export(store: &Store) -> Result<Genesis> {
    Ok(Genesis { parameters: state::consensus_parameters(store)? })
}
