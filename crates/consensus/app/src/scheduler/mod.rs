//! Elections: validators by stake, committees by lot.
//!
//! Source: go/consensus/tendermint/apps/scheduler.

mod committees;
mod genesis;
pub mod query;
pub mod state;
mod validators;

use std::collections::{BTreeMap, BTreeSet};

use oasis_consensus_types::{
    beacon::BACKEND_PVSS,
    node::Node,
    scheduler::{CommitteeKind, ConsensusParameters},
    staking::{TakeEscrowEvent, TypedEvent},
};
use oasis_primitives::{address::Address, signature::PublicKey};

pub use committees::permutation;
pub use genesis::{export, genesis_validators, init_chain};

use crate::{
    beacon,
    block::{BeginBlock, ValidatorUpdate},
    context::Context,
    epoch::{EPOCH_INVALID, EpochTime},
    error::Result,
    event::Event,
    registry,
    staking::{self, StakeAccumulatorCache},
    store::{Store, Value},
};

/// The app's name, which its events carry.
pub const APP_NAME: &str = "200_scheduler";
/// Attribute of the event of an election: the kinds of committees.
pub const KEY_ELECTED: &str = "elected";

/// The kinds of committees that are elected, in order.
const KINDS: [CommitteeKind; 2] = [CommitteeKind::COMPUTE_EXECUTOR, CommitteeKind::STORAGE];

/// What an election goes by, and whom it found.
struct Election {
    epoch: EpochTime,
    /// The epoch's random bytes.
    entropy: Value,
    params: ConsensusParameters,
    /// None where stake is ignored.
    stakes: Option<StakeAccumulatorCache>,
    /// Who gets a reward; none where the epoch did not change.
    rewarded: Option<BTreeSet<Address>>,
    /// Accounts of the entities with a validator.
    validator_entities: BTreeSet<Address>,
}

impl Election {
    fn covers_claims(&mut self, store: &Store, address: &Address) -> Result<bool> {
        match self.stakes.as_mut().map_or(Ok(()), |s| s.check_stake_claims(store, address)) {
            Err(fatal) if fatal.is_fatal() => Err(fatal),
            checked => Ok(checked.is_ok()),
        }
    }

    fn reward(&mut self, address: &Address) {
        if let Some(rewarded) = &mut self.rewarded {
            rewarded.insert(*address);
        }
    }
}

/// Elects at the start of an epoch, and after a slashing in this block's start.
///
/// Source: go/consensus/tendermint/apps/scheduler/scheduler.go, `BeginBlock`.
pub fn begin_block(ctx: &mut Context<'_>, _request: &BeginBlock) -> Result<()> {
    let slashed = ctx.has_event(staking::APP_NAME, TakeEscrowEvent::KIND);
    let (epoch_changed, epoch) = ctx.epoch_changed_or_current()?;
    if !epoch_changed && !slashed {
        return Ok(());
    }
    // The first epoch has no random bytes for elections, and no registrations.
    if epoch == ctx.env.base_epoch {
        return Ok(());
    }

    let filter_by_eligibility = beacon::state::params(ctx.store)?.backend == BACKEND_PVSS;
    let entropy = beacon::state::beacon(ctx.store)?;
    let runtimes = registry::state::runtimes(ctx.store)?;
    let (nodes, committee_nodes) = eligible_nodes(ctx.store, epoch, filter_by_eligibility)?;

    let params = state::consensus_parameters(ctx.store)?;
    let stakes = if params.debug_bypass_stake { None } else { Some(StakeAccumulatorCache::new(ctx.store)?) };
    let rewarded = epoch_changed.then(BTreeSet::new);
    let mut election = Election { epoch, entropy, params, stakes, rewarded, validator_entities: BTreeSet::new() };

    validators::elect(ctx, &mut election, &nodes)?;
    for kind in KINDS {
        for runtime in &runtimes {
            committees::elect(ctx, &mut election, runtime, &committee_nodes, kind)?;
        }
    }
    // A slice of one-byte integers is encoded as a byte string.
    ctx.emit(Event::new(APP_NAME).typed(KEY_ELECTED, &KINDS.map(|kind| kind.0)[..]));

    if let Some(rewarded) = election.rewarded {
        let accounts: Vec<Address> = rewarded.into_iter().collect();
        staking::add_rewards(ctx, epoch, &election.params.reward_factor_epoch_election_any, &accounts)?;
    }
    Ok(())
}

/// The nodes that may be validators, and those that may be committee members.
fn eligible_nodes(store: &Store, epoch: EpochTime, filter_by_eligibility: bool) -> Result<(Vec<Node>, Vec<Node>)> {
    let (mut nodes, mut committee_nodes) = (Vec::new(), Vec::new());
    for node in registry::state::nodes(store)? {
        let status = registry::state::node_status(store, &node.id)?;
        // Expired nodes may not have been removed yet.
        if status.is_frozen() || node.is_expired(epoch) {
            continue;
        }
        let eligible_after = status.election_eligible_after;
        if !filter_by_eligibility || (eligible_after != EPOCH_INVALID && epoch > eligible_after) {
            committee_nodes.push(node.clone());
        }
        nodes.push(node);
    }
    Ok((nodes, committee_nodes))
}

/// Applies the election of this block: the changes of the validator set, in the order of the keys.
///
/// Source: go/consensus/tendermint/apps/scheduler/scheduler.go, `EndBlock`, `diffValidators` (which orders them at random).
pub fn end_block(ctx: &mut Context<'_>) -> Result<Vec<ValidatorUpdate>> {
    let Some(pending) = state::pending_validators(ctx.store)? else { return Ok(Vec::new()) };
    let current = state::current_validators(ctx.store)?;
    state::remove_pending_validators(ctx.store);
    let updates = diff_validators(&current, &pending);
    state::set_current_validators(ctx.store, &pending);
    Ok(updates)
}

fn diff_validators(current: &BTreeMap<PublicKey, i64>, pending: &BTreeMap<PublicKey, i64>) -> Vec<ValidatorUpdate> {
    let removed = current.keys().filter(|key| !pending.contains_key(key)).map(|key| (*key, 0));
    let changed = pending.iter().filter(|(key, power)| current.get(key) != Some(power)).map(|(key, power)| (*key, *power));
    let sorted: BTreeMap<PublicKey, i64> = removed.chain(changed).collect();
    sorted.into_iter().map(|(public_key, power)| ValidatorUpdate { public_key, power }).collect()
}

#[cfg(test)]
mod tests;
