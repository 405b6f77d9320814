//! The election of validators.
//!
//! Source: go/consensus/tendermint/apps/scheduler/scheduler.go, `electValidators`.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use oasis_consensus_types::{
    node::{Node, Roles},
    scheduler::voting_power_from_stake,
};
use oasis_primitives::{address::Address, quantity::Quantity, signature::PublicKey};

use super::{Election, committees::generator, state};
use crate::{
    context::Context,
    error::{Error, Result},
    store::Store,
};

const RNG_CONTEXT_VALIDATORS: &[u8] = b"EkS-ABCI-Validators";
const RNG_CONTEXT_ENTITIES: &[u8] = b"EkS-ABCI-Entities";

/// Elects the validators after this block, and notes their entities. Without enough of them the chain stops.
pub(super) fn elect(ctx: &mut Context<'_>, election: &mut Election, nodes: &[Node]) -> Result<()> {
    let mut candidates = Vec::new();
    let mut entities = BTreeSet::new();
    for node in nodes.iter().filter(|n| n.has_roles(Roles::VALIDATOR)) {
        let entity = Address::of_public_key(&node.entity_id);
        if election.covers_claims(ctx.store, &entity)? {
            candidates.push((entity, node));
            entities.insert(entity);
        }
    }
    let entities = by_stake(ctx.store, election, entities)?;

    // Where an entity has several nodes, chance decides which come first.
    let count = u32::try_from(candidates.len()).map_err(Error::fatal)?;
    let order = generator(&election.entropy, &[], RNG_CONTEXT_VALIDATORS)?.perm(count).map_err(Error::fatal)?;
    let mut by_entity: BTreeMap<Address, Vec<&Node>> = BTreeMap::new();
    for (entity, node) in order.into_iter().filter_map(|i| candidates.get(i)) {
        by_entity.entry(*entity).or_default().push(node);
    }

    let per_entity = usize::try_from(election.params.max_validators_per_entity).unwrap_or(0);
    let most = usize::try_from(election.params.max_validators).unwrap_or(0);
    let mut validators: BTreeMap<PublicKey, i64> = BTreeMap::new();
    'elect: for (entity, stake) in entities {
        for node in by_entity.get(&entity).into_iter().flatten().take(per_entity) {
            election.reward(&entity);
            let power = match &stake {
                None => 1,
                Some(stake) => voting_power_from_stake(stake)
                    .ok_or_else(|| Error::fatal(format!("scheduler: stake of {stake} is too much for voting power")))?,
            };
            election.validator_entities.insert(entity);
            validators.insert(node.consensus.id, power);
            if validators.len() >= most {
                break 'elect;
            }
        }
    }

    if validators.is_empty() {
        return Err(Error::fatal("tendermint/scheduler: failed to elect any validators"));
    }
    if i64::try_from(validators.len()).is_ok_and(|n| n < election.params.min_validators) {
        return Err(Error::fatal("tendermint/scheduler: insufficient validators"));
    }
    state::set_pending_validators(ctx.store, &validators);
    Ok(())
}

/// Entities by descending stake, equal ones in the order of a draw; without stake in that order alone.
///
/// Source: go/consensus/tendermint/apps/scheduler/scheduler.go, `stakingAddressMapToSliceByStake`.
fn by_stake(store: &Store, election: &mut Election, entities: BTreeSet<Address>) -> Result<Vec<(Address, Option<Quantity>)>> {
    let mut out: Vec<(Address, Option<Quantity>)> = entities.into_iter().map(|e| (e, None)).collect();
    generator(&election.entropy, &[], RNG_CONTEXT_ENTITIES)?.shuffle(&mut out).map_err(Error::fatal)?;
    if let Some(stakes) = &mut election.stakes {
        for (entity, stake) in &mut out {
            *stake = Some(stakes.escrow_balance(store, entity)?);
        }
        // The sort keeps the order of equal ones.
        out.sort_by_key(|(_, stake)| Reverse(stake.clone()));
    }
    Ok(out)
}
