use std::collections::{BTreeMap, BTreeSet};

use oasis_consensus_types::{
    beacon,
    node::{MultiSignedNode, Node, Roles, Runtime as NodeRuntime},
    registry::{LimitConstraint, NodeStatus, Runtime, RuntimeKind, SchedulingConstraints},
    scheduler::{CommitteeKind, ConsensusParameters, Role},
    staking::Account,
};
use oasis_primitives::{
    address::Address,
    cbor,
    hash::Hash,
    namespace::Namespace,
    quantity::Quantity,
    signature::{MultiSigned, PublicKey},
};

use super::{begin_block, diff_validators, end_block, state};
use crate::{
    beacon::state as beacon_state, block::BeginBlock, context::Mode, registry::state as registry_state, staking::state as staking_state,
    testing::World,
};

fn key(kind: u8, number: u8) -> PublicKey {
    PublicKey(Hash::of(&[kind, number]).0)
}

fn entity(number: u8) -> PublicKey {
    key(b'e', number)
}

/// Registers a node of an entity; its consensus key is `key(b'c', number)`.
fn add_node(world: &mut World, number: u8, owner: u8, roles: Roles) {
    let mut node = Node { v: 1, id: key(b'n', number), entity_id: entity(owner), expiration: 100, roles, ..Node::default() };
    node.consensus.id = key(b'c', number);
    node.p2p.id = key(b'p', number);
    node.tls.pub_key = key(b't', number);
    node.runtimes = vec![NodeRuntime { id: runtime_id(), ..NodeRuntime::default() }.into()].into();
    let signed = MultiSignedNode(MultiSigned { blob: cbor::to_vec(&node).into(), ..MultiSigned::default() });
    registry_state::set_node(&mut world.store, None, &node, &signed);
    registry_state::set_node_status(&mut world.store, &node.id, &NodeStatus::default());
}

fn runtime_id() -> Namespace {
    Namespace([0; 32])
}

fn runtime(workers: u16, backup_workers: u16) -> Runtime {
    let mut runtime = Runtime { id: runtime_id(), kind: RuntimeKind::COMPUTE, ..Runtime::default() };
    runtime.executor.group_size = workers;
    runtime.executor.group_backup_size = backup_workers;
    runtime.storage.group_size = 1;
    runtime
}

/// Epoch 5 begins with this block; entity `i` has `stakes[i]` base units in escrow.
fn world(stakes: &[u64], params: ConsensusParameters) -> World {
    let mut world = World::new();
    world.env.last_epoch = 4;
    beacon_state::set_epoch(&mut world.store, 5, 11);
    beacon_state::set_beacon(&mut world.store, &[7; 32]);
    let beacon_params = beacon::ConsensusParameters { backend: beacon::BACKEND_INSECURE.to_owned(), ..Default::default() };
    beacon_state::set_params(&mut world.store, &beacon_params);
    staking_state::set_params(&mut world.store, &Default::default());
    for (number, stake) in (0..).zip(stakes) {
        let mut account = Account::default();
        account.escrow.active.balance = Quantity::from(*stake);
        staking_state::set_account(&mut world.store, &Address::of_public_key(&entity(number)), &account);
    }
    state::set_consensus_parameters(&mut world.store, &params);
    world
}

fn params(max: i64, per_entity: i64) -> ConsensusParameters {
    ConsensusParameters { min_validators: 1, max_validators: max, max_validators_per_entity: per_entity, ..Default::default() }
}

fn elect(world: &mut World) -> crate::error::Result<()> {
    begin_block(&mut world.ctx(Mode::BeginBlock), &BeginBlock::default())
}

fn committee(world: &World, kind: CommitteeKind) -> Option<Vec<(Role, PublicKey)>> {
    let committee = state::committee(&world.store, kind, &runtime_id()).unwrap()?;
    Some(committee.members.iter().map(|m| (m.role, m.public_key)).collect())
}

#[test]
fn the_difference_of_validator_sets_removes_with_power_zero_and_is_sorted() {
    let key = |n: u8| PublicKey([n; 32]);
    let current = BTreeMap::from([(key(1), 10), (key(2), 20), (key(4), 40)]);
    let pending = BTreeMap::from([(key(2), 20), (key(3), 30), (key(4), 41)]);
    let updates: Vec<_> = diff_validators(&current, &pending).into_iter().map(|u| (u.public_key, u.power)).collect();
    assert_eq!(updates, [(key(1), 0), (key(3), 30), (key(4), 41)]);
}

#[test]
fn validators_are_those_with_the_most_stake_within_the_limit_an_entity() {
    let mut world = world(&[1600, 3200, 160, 10], params(3, 1));
    for (node, owner) in [(0, 0), (1, 0), (2, 1), (3, 2), (4, 3)] {
        add_node(&mut world, node, owner, Roles::VALIDATOR);
    }
    elect(&mut world).unwrap();
    let pending = state::pending_validators(&world.store).unwrap().unwrap();
    assert_eq!(pending.values().copied().collect::<BTreeSet<_>>(), BTreeSet::from([100, 200, 10]));
    assert_eq!(pending.len(), 3);
    assert_eq!(pending.get(&key(b'c', 2)), Some(&200));
    assert!(!pending.contains_key(&key(b'c', 4)));

    let updates = end_block(&mut world.ctx(Mode::EndBlock)).unwrap();
    assert_eq!(updates.len(), 3);
    assert_eq!(state::current_validators(&world.store).unwrap(), pending);
    assert_eq!(state::pending_validators(&world.store).unwrap(), None);
    assert!(end_block(&mut world.ctx(Mode::EndBlock)).unwrap().is_empty());
}

#[test]
fn too_few_validators_stop_the_chain() {
    let mut world = world(&[1600], ConsensusParameters { min_validators: 2, ..params(3, 1) });
    add_node(&mut world, 0, 0, Roles::VALIDATOR);
    assert!(elect(&mut world).unwrap_err().is_fatal());
}

#[test]
fn frozen_and_expired_nodes_are_not_elected() {
    let mut world = world(&[1600, 1600, 1600], params(3, 1));
    for number in 0..3 {
        add_node(&mut world, number, number, Roles::VALIDATOR);
    }
    let frozen = NodeStatus { freeze_end_time: 9, ..NodeStatus::default() };
    registry_state::set_node_status(&mut world.store, &key(b'n', 0), &frozen);
    elect(&mut world).unwrap();
    let pending = state::pending_validators(&world.store).unwrap().unwrap();
    assert_eq!(pending.into_keys().collect::<BTreeSet<_>>(), BTreeSet::from([key(b'c', 1), key(b'c', 2)]));
}

#[test]
fn nothing_is_elected_in_the_base_epoch_or_within_an_epoch() {
    let mut world = world(&[1600], params(3, 1));
    add_node(&mut world, 0, 0, Roles::VALIDATOR);
    world.env.base_epoch = 5;
    elect(&mut world).unwrap();
    world.env.base_epoch = 0;
    world.env.last_epoch = 5;
    elect(&mut world).unwrap();
    assert_eq!(state::pending_validators(&world.store).unwrap(), None);
}

#[test]
fn committees_have_workers_then_backup_workers_and_are_announced() {
    let mut world = world(&[1600], params(3, 1));
    add_node(&mut world, 0, 0, Roles::VALIDATOR);
    for number in 1..=6 {
        add_node(&mut world, number, 0, Roles::COMPUTE_WORKER.with(Roles::STORAGE_WORKER));
    }
    registry_state::set_runtime(&mut world.store, &runtime(3, 2), false);
    let mut ctx = world.ctx(Mode::BeginBlock);
    begin_block(&mut ctx, &BeginBlock::default()).unwrap();
    // The kinds are bytes, and so a byte string.
    assert_eq!(ctx.events.last().unwrap().attributes, [(b"elected".to_vec(), vec![0x42, 1, 2])]);
    let members = committee(&world, CommitteeKind::COMPUTE_EXECUTOR).unwrap();
    assert_eq!(members.iter().map(|m| m.0.0).collect::<Vec<_>>(), [1, 1, 1, 2, 2]);
    let expected = super::permutation(&[7; 32], &runtime_id(), b"EkS-ABCI-ComputeWorker", 6).unwrap();
    let nodes: Vec<PublicKey> =
        registry_state::nodes(&world.store).unwrap().iter().filter(|n| n.id != key(b'n', 0)).map(|n| n.id).collect();
    assert_eq!(members[..3].iter().map(|m| m.1).collect::<Vec<_>>(), expected[..3].iter().map(|i| nodes[*i]).collect::<Vec<_>>());
    assert_eq!(committee(&world, CommitteeKind::STORAGE).unwrap().len(), 1);
}

#[test]
fn a_committee_without_enough_nodes_is_removed() {
    let mut world = world(&[1600], params(3, 1));
    add_node(&mut world, 0, 0, Roles::VALIDATOR);
    for number in 1..=3 {
        add_node(&mut world, number, 0, Roles::COMPUTE_WORKER);
    }
    registry_state::set_runtime(&mut world.store, &runtime(3, 0), false);
    elect(&mut world).unwrap();
    assert_eq!(committee(&world, CommitteeKind::COMPUTE_EXECUTOR).unwrap().len(), 3);
    assert_eq!(committee(&world, CommitteeKind::STORAGE), None);
    for (workers, constraints) in [
        (4, SchedulingConstraints::default()),
        (3, SchedulingConstraints { min_pool_size: Some(LimitConstraint { limit: 4 }), ..Default::default() }),
        (3, SchedulingConstraints { max_nodes: Some(LimitConstraint { limit: 2 }), ..Default::default() }),
    ] {
        let mut runtime = runtime(workers, 0);
        runtime.constraints = BTreeMap::from([(CommitteeKind::COMPUTE_EXECUTOR, BTreeMap::from([(Role::WORKER, constraints)]).into())]);
        registry_state::set_runtime(&mut world.store, &runtime, false);
        elect(&mut world).unwrap();
        assert_eq!(committee(&world, CommitteeKind::COMPUTE_EXECUTOR), None);
    }
}

#[test]
fn only_entities_with_a_validator_pass_the_validator_set_constraint() {
    let mut world = world(&[1600, 1600], params(3, 1));
    add_node(&mut world, 0, 0, Roles::VALIDATOR);
    add_node(&mut world, 1, 0, Roles::COMPUTE_WORKER);
    add_node(&mut world, 2, 1, Roles::COMPUTE_WORKER);
    let constraints = SchedulingConstraints { validator_set: Some(Default::default()), ..Default::default() };
    let mut runtime = runtime(1, 1);
    runtime.constraints = BTreeMap::from([(CommitteeKind::COMPUTE_EXECUTOR, BTreeMap::from([(Role::WORKER, constraints)]).into())]);
    registry_state::set_runtime(&mut world.store, &runtime, false);
    elect(&mut world).unwrap();
    let members = committee(&world, CommitteeKind::COMPUTE_EXECUTOR).unwrap();
    assert_eq!(members[0], (Role::WORKER, key(b'n', 1)));
}
