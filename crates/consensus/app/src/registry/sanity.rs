//! Whether registrations fit together, in a genesis document or in the state.
//!
//! Source: go/registry/api/sanity_check.go.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Deref,
};

use oasis_consensus_types::{
    entity::{Entity, SignedEntity},
    node::{MultiSignedNode, Node},
    registry::{
        ConsensusParameters, Genesis, GovernanceModel, REGISTER_NODE_SIGNATURE_CONTEXT, Runtime, RuntimeKind, STAKE_CLAIM_REGISTER_ENTITY,
        stake_claim_for_node, stake_claim_for_runtime, stake_thresholds_for_node, stake_thresholds_for_runtime,
    },
    staking::{Account, EscrowAccount, StakeAccumulator, StakeThreshold, ThresholdKind, Thresholds},
};
use oasis_primitives::{address::Address, cbor::OrNil, namespace::Namespace, pvss::Point, signature::PublicKey};

use super::{
    state,
    verify::{Lookup, Rules, verify_register_entity, verify_register_node, wrap},
    verify_runtime::{verify_compute_runtime, verify_runtime},
};
use crate::{
    context::Context,
    epoch::EpochTime,
    error::{Error, Result},
    staking,
};

/// Accounts by address.
pub type Accounts = BTreeMap<Address, OrNil<Account>>;

/// Runtimes and nodes that were found to be in order.
#[derive(Clone, Debug, Default)]
pub struct Registered {
    runtimes: BTreeMap<Namespace, Runtime>,
    by_key: BTreeMap<PublicKey, PublicKey>,
    by_point: BTreeMap<Point, PublicKey>,
    /// The nodes, in the order in which they were checked.
    pub nodes: Vec<Node>,
}

impl Lookup for Registered {
    fn any_runtime(&self, id: &Namespace) -> Result<Option<Runtime>> {
        Ok(self.runtimes.get(id).cloned())
    }

    fn node_id_by_sub_key(&self, key: &PublicKey) -> Result<Option<PublicKey>> {
        Ok(self.by_key.get(key).copied())
    }

    fn node_id_by_beacon_point(&self, point: &Point) -> Result<Option<PublicKey>> {
        Ok(self.by_point.get(point).copied())
    }
}

/// Checks the registry's part of a genesis document.
///
/// Source: go/registry/api/sanity_check.go, `Genesis.SanityCheck`. `rules` are those of a genesis document.
pub fn check_genesis(
    genesis: &Genesis,
    rules: &Rules,
    base_epoch: EpochTime,
    accounts: &Accounts,
    thresholds: &Thresholds,
    blacklist: &BTreeSet<PublicKey>,
) -> Result<()> {
    let params = &genesis.parameters;
    if !rules.debug {
        if params.debug_allow_unroutable_addresses || params.debug_bypass_stake {
            return Err(Error::unknown("registry: sanity check failed: one or more unsafe debug flags set"));
        }
        if params.max_node_expiration == 0 {
            return Err(Error::unknown("registry: sanity check failed: maximum node expiration not specified"));
        }
    }
    let runtimes: Vec<&Runtime> = genesis.runtimes.iter().chain(&genesis.suspended_runtimes).map(Deref::deref).collect();
    let entities = check_entities(rules, genesis.entities.iter().map(Deref::deref))?;
    let mut registered = check_runtimes(rules, params, &runtimes)?;
    check_nodes(rules, params, genesis.nodes.iter().map(Deref::deref), &entities, &mut registered, base_epoch)?;

    if let Some(id) = entities.keys().find(|id| blacklist.contains(id)) {
        return Err(Error::unknown(format!("registry: sanity check failed: entity public key blacklisted: '{id}'")));
    }
    if let Some(runtime) = runtimes.iter().find(|rt| blacklist.contains(&rt.entity_id)) {
        let (id, entity) = (runtime.id, runtime.entity_id);
        return Err(Error::unknown(format!("registry: sanity check failed: runtime '{id}' owned by blacklisted entity: '{entity}'")));
    }
    for key in blacklist {
        if let Some(id) = registered.by_key.get(key) {
            return Err(Error::unknown(format!("registry: sanity check failed: node '{id}' uses blacklisted key: '{key}'")));
        }
    }
    if params.debug_bypass_stake {
        return Ok(());
    }
    check_stake(&entities.into_values().collect::<Vec<_>>(), accounts, &registered.nodes, &runtimes, thresholds, true)
}

/// Checks the registry's part of the state.
///
/// Source: go/consensus/tendermint/apps/supplementarysanity/checks.go, `checkRegistry`.
pub fn check_state(ctx: &Context<'_>, epoch: EpochTime) -> Result<()> {
    let rules = Rules { is_genesis: false, is_sanity_check: true, ..Rules::of(ctx) };
    let params = state::params(ctx.store)?;
    let entities = check_entities(&rules, &state::signed_entities(ctx.store)?)?;
    let mut registered = check_runtimes(&rules, &params, &state::all_runtimes(ctx.store)?.iter().collect::<Vec<_>>())?;
    check_nodes(&rules, &params, &state::signed_nodes(ctx.store)?, &entities, &mut registered, epoch)
}

/// Checks that the claims on the stake of entities are those of what they registered.
///
/// Source: go/consensus/tendermint/apps/supplementarysanity/checks.go, `checkStakeClaims`.
pub fn check_stake_state(ctx: &Context<'_>) -> Result<()> {
    if state::params(ctx.store)?.debug_bypass_stake {
        return Ok(());
    }
    let entities = state::entities(ctx.store)?;
    let mut accounts = Accounts::new();
    for entity in &entities {
        let address = Address::of_public_key(&entity.id);
        accounts.insert(address, staking::state::account(ctx.store, &address)?.into());
    }
    let runtimes = state::all_runtimes(ctx.store)?;
    let thresholds = staking::state::thresholds(ctx.store)?;
    check_stake(&entities, &accounts, &state::nodes(ctx.store)?, &runtimes.iter().collect::<Vec<_>>(), &thresholds, false)
}

/// Source: go/registry/api/sanity_check.go, `SanityCheckEntities`: by the rules of genesis even in the state.
fn check_entities<'a>(rules: &Rules, entities: impl IntoIterator<Item = &'a SignedEntity>) -> Result<BTreeMap<PublicKey, Entity>> {
    let rules = Rules { is_genesis: true, is_sanity_check: true, ..rules.clone() };
    let check = |signed| verify_register_entity(&rules, signed).map(|entity| (entity.id, entity));
    entities.into_iter().map(check).collect::<Result<_>>().map_err(|e| wrap("entity sanity check failed", e))
}

/// Source: go/registry/api/sanity_check.go, `SanityCheckRuntimes`.
fn check_runtimes(rules: &Rules, params: &ConsensusParameters, runtimes: &[&Runtime]) -> Result<Registered> {
    let rules = Rules { is_sanity_check: true, ..rules.clone() };
    let mut registered = Registered::default();
    for runtime in runtimes.iter().copied() {
        verify_runtime(&rules, params, runtime).map_err(|e| wrap("runtime sanity check failed", e))?;
        if registered.runtimes.insert(runtime.id, runtime.clone()).is_some() {
            return Err(Error::unknown(format!("runtime sanity check failed: duplicate runtime: {}", runtime.id)));
        }
    }
    for runtime in runtimes.iter().copied().filter(|rt| rt.kind == RuntimeKind::COMPUTE) {
        verify_compute_runtime(runtime, &registered).map_err(|e| wrap("compute runtime sanity check failed", e))?;
    }
    Ok(registered)
}

/// Source: go/registry/api/sanity_check.go, `SanityCheckNodes`.
fn check_nodes<'a>(
    rules: &Rules,
    params: &ConsensusParameters,
    nodes: impl IntoIterator<Item = &'a MultiSignedNode>,
    entities: &BTreeMap<PublicKey, Entity>,
    registered: &mut Registered,
    epoch: EpochTime,
) -> Result<()> {
    let rules = Rules { is_sanity_check: true, ..rules.clone() };
    for signed in nodes {
        let untrusted: Node = signed
            .0
            .open(&rules.signatures, &REGISTER_NODE_SIGNATURE_CONTEXT)
            .map_err(|_| Error::unknown("registry: sanity check failed: unable to open signed node"))?;
        let id = untrusted.id;
        if !rules.is_valid(&id) {
            return Err(Error::unknown(format!("registry: node sanity check failed: ID {id} is invalid")));
        }
        let entity = entities
            .get(&untrusted.entity_id)
            .ok_or_else(|| Error::unknown(format!("registry: node sanity check failed node: {id} references a missing entity")))?;
        let (node, _) = verify_register_node(&rules, params, signed, entity, epoch, registered)
            .map_err(|e| wrap(&format!("registry: node sanity check failed: ID: {id}, error"), e))?;
        for key in [node.consensus.id, node.p2p.id, node.tls.pub_key] {
            registered.by_key.insert(key, node.id);
        }
        if let Some(beacon) = &node.beacon {
            registered.by_point.insert(beacon.point, node.id);
        }
        registered.nodes.push(node);
    }
    Ok(())
}

/// Checks that entities and runtimes have the stake for what they registered; in the state, that the claims are the same.
///
/// Source: go/registry/api/sanity_check.go, `SanityCheckStake`.
pub fn check_stake(
    entities: &[Entity],
    accounts: &Accounts,
    nodes: &[Node],
    runtimes: &[&Runtime],
    thresholds: &Thresholds,
    is_genesis: bool,
) -> Result<()> {
    let mut claims: BTreeMap<Address, StakeAccumulator> = BTreeMap::new();
    for entity in entities {
        let thresholds = vec![StakeThreshold::global(ThresholdKind::ENTITY)];
        claims.entry(Address::of_public_key(&entity.id)).or_default().add_claim_unchecked(STAKE_CLAIM_REGISTER_ENTITY, thresholds.into());
    }
    for runtime in runtimes.iter().filter(|rt| rt.governance_model == GovernanceModel::RUNTIME) {
        claims.entry(Address::of_runtime(&runtime.id)).or_default();
    }
    // The registry takes runtimes of accounts that are no entities; on them the original panics.
    let missing = |what: &str| Error::unknown(format!("registry: sanity check failed: {what} of an entity that is not registered"));
    let by_id: BTreeMap<Namespace, &Runtime> = runtimes.iter().map(|rt| (rt.id, *rt)).collect();
    for node in nodes {
        let named: Vec<Runtime> = node.runtimes.iter().filter_map(|rt| by_id.get(&rt.id).map(|rt| (*rt).clone())).collect();
        let escrow = claims.get_mut(&Address::of_public_key(&node.entity_id)).ok_or_else(|| missing("node"))?;
        escrow.add_claim_unchecked(&stake_claim_for_node(&node.id), stake_thresholds_for_node(node, &named).into_iter().collect());
    }
    for runtime in runtimes {
        let Some(address) = runtime.staking_address() else { continue };
        let escrow = match claims.get_mut(&address) {
            Some(escrow) => escrow,
            None if is_genesis => return Err(missing("runtime")),
            None => continue,
        };
        escrow.add_claim_unchecked(&stake_claim_for_runtime(&runtime.id), stake_thresholds_for_runtime(runtime).into());
    }
    for entity in entities {
        let address = Address::of_public_key(&entity.id);
        let expected = claims.remove(&address).unwrap_or_default();
        let actual = accounts.get(&address).map(|account| account.escrow.clone()).unwrap_or_default();
        if is_genesis {
            check_covered(&address, expected, &actual, thresholds)?;
        } else {
            check_same_claims(&address, &expected, &actual.stake_accumulator)?;
        }
    }
    Ok(())
}

fn check_covered(address: &Address, claims: StakeAccumulator, actual: &EscrowAccount, thresholds: &Thresholds) -> Result<()> {
    let escrow = EscrowAccount { active: actual.active.clone(), stake_accumulator: claims, ..EscrowAccount::default() };
    escrow.check_stake_claims(thresholds).map_err(|e| {
        let expected = escrow.stake_accumulator.total_claims(thresholds, None).map_or_else(|_| "unknown".to_owned(), |q| q.to_string());
        let got = &escrow.active.balance;
        wrap(&format!("insufficient stake for account {address} (expected: {expected} got: {got})"), e.into())
    })
}

fn check_same_claims(address: &Address, expected: &StakeAccumulator, actual: &StakeAccumulator) -> Result<()> {
    let differs = |what: String| Err(Error::unknown(format!("{what} for account {address}")));
    if expected.claims.len() != actual.claims.len() {
        return differs("incorrect number of stake claims".into());
    }
    for (claim, thresholds) in &expected.claims {
        let Some(found) = actual.claims.get(claim) else { return differs(format!("missing claim {claim}")) };
        if found.len() != thresholds.len() {
            return differs(format!("incorrect number of thresholds for claim {claim}"));
        }
        if let Some(i) = found.iter().zip(thresholds).position(|(a, b)| !a.same(b)) {
            return differs(format!("incorrect threshold in position {i} for claim {claim}"));
        }
    }
    Ok(())
}
