use std::collections::BTreeMap;

use oasis_consensus_types::{
    node::{MultiSignedNode, Node, Roles},
    registry::{GovernanceModel, Runtime, RuntimeKind},
    roothash::{
        self as api, ConsensusParameters, ERR_DUPLICATE_EVIDENCE, ERR_INVALID_EVIDENCE, ERR_NO_EXECUTOR_POOL,
        ERR_PROPOSER_TIMEOUT_NOT_ALLOWED, EquivocationExecutorEvidence, Evidence, ExecutorCommit, ExecutorProposerTimeoutRequest,
        HeaderType, RuntimeState,
        commitment::{ComputeBody, ComputeResultsHeader, ExecutorCommitment, PROPOSED_BATCH_CONTEXT, Pool, ProposedBatch},
        receipt::RECEIPT_CONTEXT,
    },
    scheduler::{Committee, CommitteeKind, CommitteeNode, Role},
    staking::{Account, Slash, SlashReason},
    transaction::{SignedTransaction, Transaction},
};
use oasis_primitives::{
    address::Address,
    cbor::{self, Encode},
    hash::Hash,
    namespace::Namespace,
    quantity::Quantity,
    signature::{MemorySigner, MultiSigned, PublicKey, SignedBlob, Signer},
};

use super::{end_block, execute_tx, export, messages, state};
use crate::{
    context::Mode,
    error::Result,
    executor::{PreparedTx, verify_inside},
    registry::state as registry_state,
    scheduler::state as scheduler_state,
    staking::state as staking_state,
    testing::World,
};

const ID: Namespace = Namespace([0; 32]);

fn signer(number: u8) -> MemorySigner {
    MemorySigner::from_seed(&[number; 32])
}

fn node_key(number: u8) -> PublicKey {
    signer(number).public_key()
}

fn runtime() -> Runtime {
    let mut runtime = Runtime { id: ID, kind: RuntimeKind::COMPUTE, governance_model: GovernanceModel::CONSENSUS, ..Runtime::default() };
    runtime.executor.round_timeout = 5;
    runtime.storage.min_write_replication = 1;
    runtime.txn_scheduler.proposer_timeout = 3;
    runtime
}

/// A runtime with workers 1 and 2, backup worker 3, storage node 4; worker 1 proposes in even rounds.
fn world() -> World {
    let mut world = World::new();
    let params = ConsensusParameters { max_evidence_age: 10, ..ConsensusParameters::default() };
    state::set_consensus_parameters(&mut world.store, &params);
    staking_state::set_params(&mut world.store, &Default::default());
    messages::on_runtime_registered(&mut world.ctx(Mode::DeliverTx), &runtime()).unwrap();
    let members = [(Role::WORKER, 1), (Role::WORKER, 2), (Role::BACKUP_WORKER, 3)];
    let members = members.into_iter().map(|(role, n)| CommitteeNode { role, public_key: node_key(n) }.into()).collect();
    let executors = Committee { kind: CommitteeKind::COMPUTE_EXECUTOR, members, runtime_id: ID, valid_for: 1 };
    let storage = Committee {
        kind: CommitteeKind::STORAGE,
        members: vec![CommitteeNode { role: Role::WORKER, public_key: node_key(4) }.into()].into(),
        ..executors.clone()
    };
    scheduler_state::set_committee(&mut world.store, &executors);
    scheduler_state::set_committee(&mut world.store, &storage);
    update(&mut world, |state| {
        state.executor_pool = Some(Pool { runtime: Some(Box::new(runtime())), committee: Some(executors), ..Pool::default() });
    });
    world
}

fn update(world: &mut World, f: impl FnOnce(&mut RuntimeState)) {
    let mut rt_state = rt_state(world);
    f(&mut rt_state);
    state::set_runtime_state(&mut world.store, &rt_state);
}

fn rt_state(world: &World) -> RuntimeState {
    state::runtime_state(&world.store, &ID).unwrap()
}

fn body(world: &World, result: &[u8]) -> ComputeBody {
    let current = rt_state(world).current_block.into_inner().header;
    let chain = &world.env.rules.chain;
    let header = ComputeResultsHeader {
        round: current.round + 1,
        previous_hash: current.encoded_hash(),
        io_root: Some(Hash::EMPTY),
        state_root: Some(Hash::of(result)),
        messages_hash: Some(Hash::EMPTY),
    };
    let proposer = signer(if current.round.is_multiple_of(2) { 1 } else { 2 });
    let context = PROPOSED_BATCH_CONTEXT.with_suffix(&ID.to_string()).unwrap();
    let batch = ProposedBatch { header: current, ..ProposedBatch::default() };
    let mut body = ComputeBody { header, ..ComputeBody::default() };
    body.txn_sched_sig = proposer.sign(&context, chain, &cbor::to_vec(&batch)).unwrap();
    let receipt = cbor::to_vec(&body.receipt_body(ID));
    body.storage_signatures = vec![signer(4).sign(&RECEIPT_CONTEXT, chain, &receipt).unwrap()];
    body
}

fn sign(world: &World, node: u8, body: &ComputeBody) -> ExecutorCommitment {
    let context = ExecutorCommitment::context(&ID).unwrap();
    ExecutorCommitment(SignedBlob::sign(&signer(node), &context, &world.env.rules.chain, body).unwrap())
}

/// Executes a transaction of node 9 and returns the keys of its events' first attributes.
fn execute<T: Encode>(world: &mut World, method: &str, body: &T, caller: PublicKey) -> (Result<()>, Vec<String>) {
    let tx = Transaction::new(0, None, method, body);
    let mut ctx = world.ctx(Mode::DeliverTx);
    ctx.set_tx_signer(caller);
    let result = execute_tx(&mut ctx, &tx);
    let keys = ctx.events.iter().map(|e| String::from_utf8(e.attributes[0].0.clone()).unwrap()).collect();
    (result, keys)
}

fn commit(world: &mut World, node: u8, result: &[u8]) -> (Result<()>, Vec<String>) {
    let commitment = sign(world, node, &body(world, result));
    execute(world, api::METHOD_EXECUTOR_COMMIT, &ExecutorCommit { id: ID, commits: vec![commitment].into() }, node_key(9))
}

#[test]
fn a_new_runtime_starts_with_its_genesis_block() {
    let world = world();
    let rt_state = rt_state(&world);
    assert_eq!(rt_state.genesis_block, rt_state.current_block);
    assert_eq!((rt_state.current_block_height, rt_state.last_normal_height), (11, 11));
    assert_eq!(rt_state.current_block.header.timestamp.0, 1_000);
    assert_eq!(state::state_root(&world.store, &ID).unwrap(), rt_state.current_block.header.state_root);
    let genesis = export(&world.store).unwrap();
    assert!(!genesis.runtime_states[&ID].state.is_nil());
}

#[test]
fn equal_commitments_make_a_block() {
    let mut world = world();
    let (result, events) = commit(&mut world, 1, b"state");
    result.unwrap();
    assert_eq!(events, ["executor-commit"]);
    assert_eq!(state::round_timeouts(&world.store).unwrap(), [(15, ID)]);
    let (result, events) = commit(&mut world, 2, b"state");
    result.unwrap();
    assert_eq!(events, ["finalized", "executor-commit"]);
    assert!(state::round_timeouts(&world.store).unwrap().is_empty());
    let rt_state = rt_state(&world);
    let header = &rt_state.current_block.header;
    assert_eq!((header.round, header.header_type, rt_state.last_normal_round), (1, HeaderType::NORMAL, 1));
    assert_eq!(header.state_root, Hash::of(b"state"));
    assert_eq!(state::state_root(&world.store, &ID).unwrap(), Hash::of(b"state"));
    assert_eq!(rt_state.executor_pool.unwrap().round, 1);
}

#[test]
fn a_refused_commitment_leaves_the_state() {
    let mut world = world();
    let before = rt_state(&world);
    let good = sign(&world, 1, &body(&world, b"state"));
    let stranger = sign(&world, 9, &body(&world, b"state"));
    let request = ExecutorCommit { id: ID, commits: vec![good, stranger].into() };
    let (result, events) = execute(&mut world, api::METHOD_EXECUTOR_COMMIT, &request, node_key(9));
    assert_eq!(result.unwrap_err().module_and_code(), ("roothash/commitment", 5));
    assert!(events.is_empty());
    assert_eq!(rt_state(&world), before);
}

/// Prepares a transaction with this body as if it had come in a block.
fn prepared<T: Encode>(world: &World, method: &str, body: &T) -> PreparedTx {
    let chain = &world.env.rules.chain;
    let signed = SignedTransaction::sign(&signer(9), chain, &Transaction::new(0, None, method, body)).unwrap();
    PreparedTx::new(&cbor::to_vec(&signed), &world.env.rules)
}

#[test]
fn commitments_verified_ahead_come_out_as_those_that_are_not() {
    let request = |world: &World, change: &dyn Fn(&mut ExecutorCommitment)| {
        let mut commits = vec![sign(world, 1, &body(world, b"state")), sign(world, 2, &body(world, b"state"))];
        change(&mut commits[1]);
        ExecutorCommit { id: ID, commits: commits.into() }
    };
    let spoilt_receipt = |world: &World| {
        let mut body = body(world, b"state");
        body.storage_signatures[0].signature.0[0] ^= 1;
        sign(world, 2, &body)
    };
    type Change<'a> = (usize, &'a dyn Fn(&World) -> ExecutorCommit);
    let changes: [Change; 4] = [
        // Two executors, and one storage node whose receipt both have.
        (3, &|world| request(world, &|_| {})),
        (2, &|world| request(world, &|commitment| commitment.0.signature.signature.0[0] ^= 1)),
        (2, &|world| request(world, &|commitment| commitment.0.blob.push(0))),
        (3, &|world| request(world, &|commitment| *commitment = spoilt_receipt(world))),
    ];
    for (i, (hold, request)) in changes.into_iter().enumerate() {
        let (mut plain, mut ahead) = (world(), world());
        let request = request(&plain);
        let verified = verify_inside(&[prepared(&plain, api::METHOD_EXECUTOR_COMMIT, &request)], &plain.env.rules);
        assert_eq!(verified.len(), hold, "{i}");
        ahead.env.rules.verified = verified.into();
        let run = |world: &mut World| execute(world, api::METHOD_EXECUTOR_COMMIT, &request, node_key(9));
        let (expected, got) = (run(&mut plain), run(&mut ahead));
        assert_eq!(expected, got);
        assert_eq!(expected.0.is_ok(), i == 0);
        assert_eq!(rt_state(&plain), rt_state(&ahead));
    }
}

#[test]
fn a_discrepancy_is_resolved_by_backup_workers_and_slashed() {
    let mut world = world();
    update(&mut world, |state| {
        let slash = Slash { amount: Quantity::from(50u64), ..Slash::default() };
        state.runtime.staking.slashing = BTreeMap::from([(SlashReason::RUNTIME_INCORRECT_RESULTS, slash)]);
        state.runtime.staking.reward_slash_bad_results_percent = 30;
    });
    let owners: Vec<Address> = [1, 2, 3].into_iter().map(|n| own(&mut world, n, 1000)).collect();
    commit(&mut world, 1, b"good").0.unwrap();
    let (result, events) = commit(&mut world, 2, b"bad");
    result.unwrap();
    assert_eq!(events, ["execution-discrepancy", "executor-commit"]);
    let (result, events) = commit(&mut world, 3, b"good");
    result.unwrap();
    assert_eq!(events.last().unwrap(), "executor-commit");
    assert_eq!(rt_state(&world).current_block.header.header_type, HeaderType::NORMAL);
    let account = |address: &Address| staking_state::account(&world.store, address).unwrap();
    assert_eq!(account(&owners[1]).escrow.active.balance, Quantity::from(950u64));
    assert_eq!(account(&Address::of_runtime(&ID)).general.balance, Quantity::from(15u64));
    // 35 base units in two parts, rounded down.
    assert_eq!(account(&owners[0]).escrow.active.balance, Quantity::from(1017u64));
    assert_eq!(account(&owners[2]).escrow.active.balance, Quantity::from(1017u64));
}

/// Registers a node of an entity of its own, with stake, and returns the entity's account.
fn own(world: &mut World, number: u8, stake: u64) -> Address {
    let mut node = Node { v: 1, id: node_key(number), entity_id: node_key(number + 100), roles: Roles::COMPUTE_WORKER, ..Node::default() };
    node.consensus.id = node_key(number + 50);
    let signed = MultiSignedNode(MultiSigned { blob: cbor::to_vec(&node).into(), ..MultiSigned::default() });
    registry_state::set_node(&mut world.store, None, &node, &signed);
    let address = Address::of_public_key(&node.entity_id);
    let mut account = Account::default();
    account.escrow.active.balance = Quantity::from(stake);
    account.escrow.active.total_shares = Quantity::from(stake);
    staking_state::set_account(&mut world.store, &address, &account);
    address
}

#[test]
fn a_round_times_out_at_the_end_of_the_block_it_was_scheduled_for() {
    let mut world = world();
    commit(&mut world, 1, b"state").0.unwrap();
    world.env.last_height = 14;
    end_block(&mut world.ctx(Mode::EndBlock)).unwrap();
    assert!(!rt_state(&world).executor_pool.unwrap().discrepancy);
    world.env.last_height = 15;
    end_block(&mut world.ctx(Mode::EndBlock)).unwrap();
    let pool = rt_state(&world).executor_pool.unwrap();
    assert!(pool.discrepancy);
    // Half as much time again: 15 + 7.
    assert_eq!(pool.next_timeout, 22);
    assert_eq!(state::round_timeouts(&world.store).unwrap(), [(22, ID)]);
    world.env.last_height = 22;
    let mut ctx = world.ctx(Mode::EndBlock);
    end_block(&mut ctx).unwrap();
    assert_eq!(ctx.events.len(), 1);
    let rt_state = rt_state(&world);
    assert_eq!(rt_state.current_block.header.header_type, HeaderType::ROUND_FAILED);
    assert_eq!(rt_state.last_normal_round, 0);
    assert!(state::round_timeouts(&world.store).unwrap().is_empty());
}

#[test]
fn a_worker_ends_the_round_of_an_idle_proposer() {
    let mut world = world();
    let request = ExecutorProposerTimeoutRequest { id: ID, round: 0 };
    let timeout = |world: &mut World| execute(world, api::METHOD_EXECUTOR_PROPOSER_TIMEOUT, &request, node_key(2));
    // The block came at height 11.
    world.env.last_height = 13;
    assert!(timeout(&mut world).0.unwrap_err().is(ERR_PROPOSER_TIMEOUT_NOT_ALLOWED));
    world.env.last_height = 14;
    let (result, events) = timeout(&mut world);
    result.unwrap();
    assert_eq!(events, ["finalized"]);
    assert_eq!(rt_state(&world).current_block.header.header_type, HeaderType::ROUND_FAILED);
}

#[test]
fn equivocation_is_slashed_once_a_round() {
    let mut world = world();
    let address = own(&mut world, 1, 1000);
    let evidence = Evidence {
        id: ID,
        equivocation_executor: Some(EquivocationExecutorEvidence {
            commit_a: sign(&world, 1, &body(&world, b"a")),
            commit_b: sign(&world, 1, &body(&world, b"b")),
        }),
        equivocation_batch: None,
    };
    let submit = |world: &mut World, evidence: &Evidence| execute(world, api::METHOD_EVIDENCE, evidence, node_key(9)).0;
    assert_eq!(submit(&mut world, &evidence).unwrap_err().module_and_code(), ("roothash", 8));
    update(&mut world, |state| {
        let slash = Slash { amount: Quantity::from(100u64), ..Slash::default() };
        state.runtime.staking.slashing = BTreeMap::from([(SlashReason::RUNTIME_EQUIVOCATION, slash)]);
    });
    submit(&mut world, &evidence).unwrap();
    assert_eq!(staking_state::escrow_balance(&world.store, &address).unwrap(), Quantity::from(900u64));
    // The caller is no node: it gets the reward into its own escrow.
    let caller = Address::of_public_key(&node_key(9));
    assert_eq!(staking_state::escrow_balance(&world.store, &caller).unwrap(), Quantity::from(100u64));
    assert!(submit(&mut world, &evidence).unwrap_err().is(ERR_DUPLICATE_EVIDENCE));

    let mut same = evidence.clone();
    same.equivocation_executor.as_mut().unwrap().commit_b = sign(&world, 1, &body(&world, b"a"));
    assert!(submit(&mut world, &same).unwrap_err().is(ERR_INVALID_EVIDENCE));
    update(&mut world, |state| state.current_block.header.round = 12);
    assert!(submit(&mut world, &evidence).unwrap_err().is(ERR_INVALID_EVIDENCE));
}

#[test]
fn expired_evidence_is_removed_in_key_order_until_one_is_too_new() {
    let mut world = world();
    for (round, byte) in [(1, 1), (2, 2), (3, 3)] {
        state::set_evidence(&mut world.store, &ID, round, &Hash([byte; 32]));
    }
    state::remove_expired_evidence(&mut world.store, &ID, 2).unwrap();
    let exists = |round: u64, byte: u8| state::evidence_exists(&world.store, &ID, round, &Hash([byte; 32])).unwrap();
    assert_eq!([exists(1, 1), exists(2, 2), exists(3, 3)], [false, false, true]);
}

#[test]
fn runtimes_without_committee_take_no_commitments() {
    let mut world = world();
    update(&mut world, |state| state.executor_pool = None);
    assert!(commit(&mut world, 1, b"state").0.unwrap_err().is(ERR_NO_EXECUTOR_POOL));
    state::set_reject_transactions(&mut world.store, true);
    assert_eq!(commit(&mut world, 1, b"state").0.unwrap_err().module_and_code(), ("unknown", 1));
}

#[test]
fn round_results_name_messages_and_each_entity_once() {
    let mut world = world();
    own(&mut world, 1, 0);
    own(&mut world, 2, 0);
    let event = |id: Namespace| api::Event { runtime_id: id, ..api::Event::default() };
    let message = api::MessageEvent { index: 3, ..api::MessageEvent::default() };
    let finalized =
        api::FinalizedEvent { round: 1, good_compute_nodes: vec![node_key(1), node_key(1)], bad_compute_nodes: vec![node_key(2)] };
    let events = [
        api::Event { message: Some(message.clone()), ..event(ID) },
        api::Event { message: Some(api::MessageEvent::default()), ..event(Namespace([1; 32])) },
        api::Event { finalized: Some(finalized), ..event(ID) },
    ];
    let results = super::query::round_results(&world.store, &ID, &events).unwrap();
    assert_eq!(results.messages, [message]);
    assert_eq!(results.good_compute_entities, [node_key(101)]);
    assert_eq!(results.bad_compute_entities, [node_key(102)]);
}
