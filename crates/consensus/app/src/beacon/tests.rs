#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use std::{collections::BTreeMap, sync::Arc};

use oasis_consensus_types::{
    beacon::{
        BACKEND_INSECURE, BACKEND_PVSS, ConsensusParameters, EpochTimeState, Genesis, InsecureParameters, METHOD_PVSS_COMMIT,
        METHOD_PVSS_REVEAL, METHOD_SET_EPOCH, PvssCommit, PvssParameters, PvssReveal, PvssState, RoundState,
    },
    genesis::Document,
    node::{BeaconInfo, MultiSignedNode, Node},
    registry::NodeStatus,
    staking::{Slash, SlashReason},
    transaction::Transaction,
};
use oasis_primitives::{
    address::Address,
    cbor::{self, Encode, NilVec, RawCbor},
    pvss::{Instance, Scalar, Xof},
    quantity::Quantity,
    signature::{MultiSigned, PublicKey},
};

use super::{METHODS, begin_block, execute_tx, init_chain, query, state};
use crate::{
    block::BeginBlock,
    context::{Mode, Options},
    epoch::EPOCH_INVALID,
    error::Result,
    event::Event,
    registry, scheduler, staking,
    testing::World,
};

const COMMIT_BLOCKS: i64 = 5;
const REVEAL_BLOCKS: i64 = 4;
const DELAY: i64 = 5;

fn key(kind: u8, number: u8) -> PublicKey {
    let mut bytes = [number; 32];
    bytes[0] = kind;
    PublicKey(bytes)
}

fn node_id(number: u8) -> PublicKey {
    key(1, number)
}

/// A network with validators of falling power, each with a private key for the beacon.
struct Network {
    world: World,
    keys: Vec<Scalar>,
    /// What each node knows of the round.
    instances: BTreeMap<u8, Instance>,
    stream: Xof,
    events: Vec<Event>,
}

impl Network {
    fn new(nodes: u8, parameters: ConsensusParameters) -> Self {
        let mut world = World::new();
        world.env.last_height = 0;
        let mut stream = Xof::new(b"network");
        let keys: Vec<Scalar> = (0..nodes).map(|_| Scalar::generate(&mut |out| stream.read(out))).collect();
        let mut validators = BTreeMap::new();
        for number in 0..nodes {
            let point = keys[usize::from(number)].point();
            let mut node =
                Node { v: 1, id: node_id(number), entity_id: key(9, number), beacon: Some(BeaconInfo { point }), ..Node::default() };
            (node.consensus.id, node.p2p.id, node.tls.pub_key) = (key(2, number), key(3, number), key(4, number));
            let signed = MultiSignedNode(MultiSigned { blob: cbor::to_vec(&node).into(), signatures: NilVec::NIL });
            registry::state::set_node(&mut world.store, None, &node, &signed);
            let status = NodeStatus { election_eligible_after: EPOCH_INVALID, ..NodeStatus::default() };
            registry::state::set_node_status(&mut world.store, &node.id, &status);
            validators.insert(node.consensus.id, 100 - i64::from(number));
            let mut account = staking::state::account(&world.store, &Address::of_public_key(&node.entity_id)).unwrap();
            account.escrow.active.balance = Quantity::from(1000u64);
            staking::state::set_account(&mut world.store, &Address::of_public_key(&node.entity_id), &account);
        }
        scheduler::state::set_current_validators(&mut world.store, &validators);
        let mut params = std::sync::Arc::unwrap_or_clone(staking::state::params(&world.store).unwrap_or_default());
        let penalties = [
            (SlashReason::BEACON_INVALID_COMMIT, 100u64, 5),
            (SlashReason::BEACON_INVALID_REVEAL, 200, 0),
            (SlashReason::BEACON_NONPARTICIPATION, 1, 0),
        ];
        for (reason, amount, freeze_interval) in penalties {
            params.slashing.insert(reason, Slash { amount: Quantity::from(amount), freeze_interval });
        }
        staking::state::set_params(&mut world.store, &params);
        staking::state::set_common_pool(&mut world.store, &Quantity::ZERO);

        let document = Document { height: 1, beacon: Genesis { base: 7, parameters }, ..Document::default() };
        init_chain(&mut world.ctx(Mode::InitChain), &document).unwrap();
        Self { world, keys, instances: BTreeMap::new(), stream, events: Vec::new() }
    }

    fn pvss(nodes: u8, mock: bool) -> Self {
        let pvss = PvssParameters {
            participants: 3,
            threshold: 2,
            commit_interval: COMMIT_BLOCKS,
            reveal_interval: REVEAL_BLOCKS,
            transition_delay: DELAY,
            ..PvssParameters::default()
        };
        let backend = BACKEND_PVSS.to_owned();
        Self::new(
            nodes,
            ConsensusParameters { backend, debug_mock_backend: mock, pvss_parameters: Some(pvss), ..ConsensusParameters::default() },
        )
    }

    /// Begins the next block, by the node that proposes it.
    fn block(&mut self, proposer: u8) -> Result<()> {
        let height = self.world.env.last_height + 1;
        let epoch = state::epoch(&self.world.store).unwrap().epoch;
        self.world.block = Default::default();
        self.world.block.proposer = registry::state::tendermint_address(&key(2, proposer)).to_vec();
        let request =
            BeginBlock { height, hash: vec![height as u8; 32], last_commit_hash: vec![100 + height as u8; 32], ..BeginBlock::default() };
        let mut ctx = self.world.ctx(Mode::BeginBlock);
        begin_block(&mut ctx, &request)?;
        self.events = std::mem::take(&mut ctx.events);
        self.world.env.last_height = height;
        self.world.env.last_epoch = epoch;
        Ok(())
    }

    fn blocks(&mut self, count: i64) {
        for _ in 0..count {
            self.block(0).unwrap();
        }
    }

    fn execute<T: Encode>(&mut self, signer: u8, method: &str, body: &T) -> Result<()> {
        self.execute_raw(signer, method, cbor::to_vec(body))
    }

    fn execute_raw(&mut self, signer: u8, method: &str, body: Vec<u8>) -> Result<()> {
        let tx = Transaction { method: method.to_owned(), body: RawCbor(body), ..Transaction::default() };
        // The block that runs is the one that `block` began.
        self.world.env.last_height -= 1;
        let mut ctx = self.world.ctx(Mode::DeliverTx);
        ctx.set_tx_signer(node_id(signer));
        let result = execute_tx(&mut ctx, &tx);
        self.world.env.last_height += 1;
        result
    }

    fn round(&self) -> PvssState {
        state::pvss_state(&self.world.store).unwrap().unwrap()
    }

    fn participants(&self) -> Vec<u8> {
        self.round().participants.iter().map(|id| id.0[1]).collect()
    }

    fn start_dealing(&mut self) {
        let fresh = self.round().instance.unwrap();
        self.instances = self.participants().into_iter().map(|p| (p, fresh.clone())).collect();
    }

    fn deal(&mut self, dealer: u8) -> PvssCommit {
        let stream = &mut self.stream;
        let mut entropy = |out: &mut [u8]| stream.read(out);
        let commit = self.instances.get_mut(&dealer).unwrap().commit(&self.keys[usize::from(dealer)], &mut entropy).unwrap();
        for (node, instance) in self.instances.iter_mut().filter(|(node, _)| **node != dealer) {
            instance.on_commit_as(commit.clone(), &self.keys[usize::from(*node)], &mut entropy).unwrap();
        }
        let PvssState { epoch, round, .. } = self.round();
        PvssCommit { epoch, round, commit: Some(commit) }
    }

    fn open(&mut self, node: u8) -> PvssReveal {
        let reveal = self.instances.get_mut(&node).unwrap().reveal(&self.keys[usize::from(node)]).unwrap();
        let PvssState { epoch, round, .. } = self.round();
        PvssReveal { epoch, round, reveal: Some(reveal) }
    }

    /// Each of the nodes commits in a block of its own.
    fn commit_all(&mut self, nodes: &[u8]) {
        for node in nodes {
            let body = self.deal(*node);
            self.block(*node).unwrap();
            self.execute(*node, METHOD_PVSS_COMMIT, &body).unwrap();
        }
    }

    fn reveal_all(&mut self, nodes: &[u8]) {
        for node in nodes {
            let body = self.open(*node);
            self.block(*node).unwrap();
            self.execute(*node, METHOD_PVSS_REVEAL, &body).unwrap();
        }
    }

    /// Begins blocks up to a height.
    fn reach(&mut self, height: i64) {
        self.blocks(height - self.world.env.last_height);
    }

    fn balance(&self, node: u8) -> Quantity {
        staking::state::escrow_balance(&self.world.store, &Address::of_public_key(&key(9, node))).unwrap()
    }

    fn status(&self, node: u8) -> NodeStatus {
        registry::state::node_status(&self.world.store, &node_id(node)).unwrap()
    }

    fn has_event(&self, attribute: &str) -> bool {
        self.events.iter().any(|e| e.attributes.iter().any(|(k, _)| k == attribute.as_bytes()))
    }
}

#[test]
fn a_round_of_all_participants_starts_the_next_epoch() {
    let mut network = Network::pvss(4, false);
    network.block(0).unwrap();
    assert_eq!(network.participants(), [0, 1, 2], "by voting power");
    assert!(network.has_event("pvss_round"));
    let round = network.round();
    assert_eq!((round.epoch, round.round, round.state, round.commit_deadline), (8, 0, RoundState::COMMIT, 1 + COMMIT_BLOCKS));

    network.start_dealing();
    network.commit_all(&[0, 1]);
    network.reach(round.commit_deadline - 2);
    network.commit_all(&[2]);
    assert_eq!(network.status(3).election_eligible_after, EPOCH_INVALID);
    network.block(0).unwrap();
    assert_eq!(network.round().state, RoundState::REVEAL);
    assert_eq!(network.status(3).election_eligible_after, 7, "eligible after the current epoch");

    network.reveal_all(&[2, 0, 1]);
    network.reach(round.reveal_deadline);
    let complete = network.round();
    assert_eq!((complete.state, complete.entropy.len()), (RoundState::COMPLETE, 32));
    assert!(complete.bad_participants.is_empty());
    let scheduled = EpochTimeState { epoch: 8, height: round.transition_height };
    assert_eq!(query::future_epoch(&network.world.store).unwrap(), Some(scheduled));
    assert!(query::beacon(&network.world.store).is_err());

    network.reach(round.transition_height);
    assert_eq!(query::epoch(&network.world.store).unwrap(), scheduled);
    assert_eq!(query::beacon(&network.world.store).unwrap().len(), 32);
    assert!(network.has_event("epoch") && network.has_event("beacon"));
    assert!(state::pvss_state(&network.world.store).unwrap().is_none());
    assert!((0..4).all(|n| network.balance(n) == Quantity::from(1000u64)));

    network.block(0).unwrap();
    assert_eq!((network.round().epoch, network.round().round), (9, 0));
}

#[test]
fn too_few_commits_start_another_attempt_without_those_who_failed() {
    let mut network = Network::pvss(5, false);
    network.block(0).unwrap();
    let first = network.round();
    network.start_dealing();
    network.commit_all(&[1]);
    network.reach(first.commit_deadline);
    let second = network.round();
    assert_eq!((second.epoch, second.round, second.state), (8, 1, RoundState::COMMIT));
    assert_eq!(network.participants(), [1, 3, 4], "0 and 2 did not commit");
    assert!(second.bad_participants.contains_key(&node_id(0)) && second.bad_participants.contains_key(&node_id(2)));
    assert_eq!(second.runtime_disable_height, first.transition_height);
    assert!(second.instance.unwrap().commits.is_empty());

    // A commit of the attempt before is refused without a penalty.
    let stale = PvssCommit { epoch: 8, round: 0, commit: None };
    network.block(3).unwrap();
    network.execute(3, METHOD_PVSS_COMMIT, &stale).unwrap_err();
    assert_eq!(network.balance(3), Quantity::from(1000u64));
    // One who failed is out.
    network.block(0).unwrap();
    let error = network.execute(0, METHOD_PVSS_COMMIT, &stale).unwrap_err();
    assert!(error.to_string().contains("bad participant"), "{error}");
}

#[test]
fn too_few_nodes_for_another_attempt_stop_the_network() {
    let mut network = Network::pvss(4, false);
    network.block(0).unwrap();
    let deadline = network.round().commit_deadline;
    network.reach(deadline - 1);
    let error = network.block(0).unwrap_err();
    assert!(error.is_fatal() && error.to_string().contains("insufficient beacon participants: 1 (want 3)"), "{error}");
}

#[test]
fn runtimes_are_disabled_where_the_epoch_is_late() {
    let mut network = Network::pvss(12, false);
    network.block(0).unwrap();
    let height = network.round().runtime_disable_height;
    let mut disabled = Vec::new();
    while network.world.env.last_height < height + 1 {
        network.block(0).unwrap();
        if network.has_event("disable_runtimes") {
            disabled.push(network.world.env.last_height);
        }
    }
    assert_eq!(disabled, [height]);
    assert!(network.round().round > 0);
}

#[test]
fn who_does_not_reveal_is_slashed_where_the_round_succeeds() {
    let mut network = Network::pvss(3, false);
    network.block(0).unwrap();
    let round = network.round();
    network.start_dealing();
    network.commit_all(&[0, 1, 2]);
    network.reach(round.commit_deadline);
    network.reveal_all(&[0, 2]);
    network.reach(round.reveal_deadline);
    assert_eq!(network.round().state, RoundState::COMPLETE);
    assert_eq!([0, 1, 2].map(|n| network.balance(n)), [1000u64, 999, 1000].map(Quantity::from));
    assert_eq!(network.round().bad_participants.keys().copied().collect::<Vec<_>>(), [node_id(1)]);
}

#[test]
fn too_few_reveals_start_another_attempt() {
    let mut network = Network::pvss(6, false);
    network.block(0).unwrap();
    let round = network.round();
    network.start_dealing();
    network.commit_all(&[0, 1, 2]);
    network.reach(round.commit_deadline);
    network.reveal_all(&[2]);
    network.reach(round.reveal_deadline);
    assert_eq!((network.round().round, network.participants()), (1, vec![2, 3, 4]));
    assert_eq!(network.balance(0), Quantity::from(1000u64), "only a round that succeeds slashes");
}

#[test]
fn a_wrong_commit_is_slashed_and_frozen_once_though_its_transaction_fails() {
    let mut network = Network::pvss(3, false);
    network.block(0).unwrap();
    network.start_dealing();
    let mut body = network.deal(1);
    let shares = body.commit.as_mut().unwrap().shares.0.as_mut().unwrap();
    shares.swap(0, 1);
    for _ in 0..2 {
        network.block(1).unwrap();
        assert!(network.round().state == RoundState::COMMIT);
        network.execute(1, METHOD_PVSS_COMMIT, &body).unwrap_err();
        assert_eq!(network.balance(1), Quantity::from(900u64), "a frozen node is not slashed again");
    }
    assert_eq!(network.status(1).freeze_end_time, network.world.env.last_epoch + 5);
    assert!(network.round().instance.unwrap().commits.is_empty());
}

#[test]
fn a_penalty_that_fails_does_not_hide_why_the_transaction_was_refused() {
    let mut network = Network::pvss(3, false);
    // In the first block there is no epoch from which the freeze would count.
    network.block(0).unwrap();
    let refused = network.execute_raw(0, METHOD_PVSS_COMMIT, vec![0x01]).unwrap_err();
    assert_eq!(refused.module_and_code(), ("unknown", 1));
    assert_eq!((network.balance(0), network.status(0).freeze_end_time), (Quantity::from(1000u64), 0));
}

#[test]
fn commits_that_do_not_decode_or_have_no_content_are_to_blame() {
    for (body, slashed) in [
        (cbor::to_vec(&PvssCommit { epoch: 8, round: 0, commit: None }), true),
        (cbor::to_vec(&PvssCommit { epoch: 9, round: 0, commit: None }), false),
        (vec![0x01], true),
        (vec![0xa1, 0x61, b'x', 0x01], true),
        // No body at all.
        (Vec::new(), false),
    ] {
        let mut network = Network::pvss(3, false);
        network.blocks(2);
        network.execute_raw(0, METHOD_PVSS_COMMIT, body.clone()).unwrap_err();
        assert_eq!(network.balance(0) == Quantity::from(900u64), slashed, "{body:02x?}");
    }
}

#[test]
fn a_repeated_commit_is_to_blame_and_a_repeated_reveal_is_not() {
    let mut network = Network::pvss(3, false);
    network.block(0).unwrap();
    let round = network.round();
    network.start_dealing();
    let commit = network.deal(0);
    network.block(0).unwrap();
    network.execute(0, METHOD_PVSS_COMMIT, &commit).unwrap();
    network.commit_all(&[1]);
    network.reach(round.commit_deadline);
    assert_eq!(network.round().state, RoundState::REVEAL);

    let reveal = network.open(0);
    for expected in [true, false] {
        network.block(0).unwrap();
        assert_eq!(network.execute(0, METHOD_PVSS_REVEAL, &reveal).is_ok(), expected);
        assert_eq!(network.balance(0), Quantity::from(1000u64));
    }
    let altered = PvssReveal { reveal: Some(oasis_primitives::pvss::Reveal { index: 0, ..Default::default() }), ..reveal };
    network.block(0).unwrap();
    network.execute(0, METHOD_PVSS_REVEAL, &altered).unwrap_err();
    assert_eq!(network.balance(0), Quantity::from(800u64));

    let mut network = Network::pvss(3, false);
    network.block(0).unwrap();
    network.start_dealing();
    let commit = network.deal(0);
    for (expected, balance) in [(true, 1000u64), (false, 900)] {
        network.block(0).unwrap();
        assert_eq!(network.execute(0, METHOD_PVSS_COMMIT, &commit).is_ok(), expected);
        assert_eq!(network.balance(0), Quantity::from(balance));
    }
}

#[test]
fn early_reveals_are_to_blame_and_late_ones_are_not() {
    let mut network = Network::pvss(3, false);
    network.block(0).unwrap();
    let round = network.round();
    let empty = |index| PvssReveal { epoch: 8, round: 0, reveal: Some(oasis_primitives::pvss::Reveal { index, ..Default::default() }) };
    network.execute(0, METHOD_PVSS_REVEAL, &empty(0)).unwrap_err();
    assert_eq!(network.balance(0), Quantity::from(800u64));

    network.start_dealing();
    network.commit_all(&[0, 1]);
    network.reach(round.commit_deadline);
    network.reveal_all(&[0, 1]);
    network.reach(round.reveal_deadline);
    network.block(2).unwrap();
    let balance = network.balance(2);
    network.execute(2, METHOD_PVSS_REVEAL, &empty(2)).unwrap_err();
    assert_eq!(network.balance(2), balance);
}

#[test]
fn only_the_proposer_sends_and_only_once_a_block() {
    let mut network = Network::pvss(3, false);
    network.block(0).unwrap();
    network.start_dealing();
    let body = network.deal(1);
    let error = network.execute(1, METHOD_PVSS_COMMIT, &body).unwrap_err();
    assert!(error.to_string().contains("not from proposer"), "{error}");
    network.block(1).unwrap();
    network.execute(1, METHOD_PVSS_COMMIT, &body).unwrap();
    let error = network.execute(1, METHOD_PVSS_COMMIT, &body).unwrap_err();
    assert!(error.to_string().contains("multiple beacon txes"), "{error}");
    assert_eq!(network.balance(1), Quantity::from(1000u64));
}

#[test]
fn the_mempool_takes_only_the_nodes_own_transactions() {
    let mut network = Network::pvss(3, false);
    network.block(0).unwrap();
    network.start_dealing();
    let tx = Transaction { method: METHOD_PVSS_COMMIT.into(), body: RawCbor(cbor::to_vec(&network.deal(0))), ..Transaction::default() };
    for (own, accepted) in [(Some(node_id(1)), false), (None, false), (Some(node_id(0)), true)] {
        network.world.env.options = Arc::new(Options { own_tx_signer: own, ..Options::default() });
        let mut ctx = network.world.ctx(Mode::CheckTx);
        ctx.set_tx_signer(node_id(0));
        assert_eq!(execute_tx(&mut ctx, &tx).is_ok(), accepted);
    }
}

#[test]
fn test_networks_set_epochs_by_transaction() {
    let mut network = Network::pvss(3, true);
    assert_eq!(query::epoch(&network.world.store).unwrap(), EpochTimeState::default(), "the base epoch is not set");
    network.block(0).unwrap();
    network.execute(9, METHOD_SET_EPOCH, &0u64).unwrap_err();
    network.execute(9, METHOD_SET_EPOCH, &5u64).unwrap();
    network.execute(9, METHOD_SET_EPOCH, &5u64).unwrap();
    network.execute(9, METHOD_SET_EPOCH, &6u64).unwrap_err();

    network.start_dealing();
    network.commit_all(&[0, 1, 2]);
    // All have committed: the phase ends with the next block.
    network.block(0).unwrap();
    assert_eq!((network.round().state, network.round().height), (RoundState::REVEAL, 5));
    network.reveal_all(&[0, 1, 2]);
    network.block(0).unwrap();
    assert_eq!(network.round().state, RoundState::COMPLETE);
    network.block(0).unwrap();
    assert_eq!(query::future_epoch(&network.world.store).unwrap(), Some(EpochTimeState { epoch: 5, height: 11 }));
    network.block(0).unwrap();
    assert_eq!(query::epoch(&network.world.store).unwrap(), EpochTimeState { epoch: 5, height: 11 });
    network.execute(9, METHOD_SET_EPOCH, &5u64).unwrap_err();

    let mut production = Network::pvss(3, false);
    production.block(0).unwrap();
    let error = production.execute(9, METHOD_SET_EPOCH, &50u64).unwrap_err();
    assert!(error.to_string().contains("disabled via consensus"), "{error}");
}

fn insecure(mock: bool) -> Network {
    let backend = BACKEND_INSECURE.to_owned();
    let insecure_parameters = Some(InsecureParameters { interval: 2 });
    Network::new(1, ConsensusParameters { backend, debug_mock_backend: mock, insecure_parameters, ..ConsensusParameters::default() })
}

#[test]
fn the_insecure_backend_changes_epochs_by_height() {
    let mut network = insecure(false);
    assert_eq!(query::epoch(&network.world.store).unwrap(), EpochTimeState { epoch: 7, height: 1 });
    network.reach(15);
    assert_eq!(query::epoch(&network.world.store).unwrap().epoch, 7);
    network.block(0).unwrap();
    assert_eq!(query::epoch(&network.world.store).unwrap(), EpochTimeState { epoch: 8, height: 16 });
    assert_eq!(query::future_epoch(&network.world.store).unwrap(), Some(EpochTimeState { epoch: 9, height: 18 }));
    assert!(network.has_event("beacon"));
    let first = query::beacon(&network.world.store).unwrap();
    network.reach(18);
    assert_ne!(query::beacon(&network.world.store).unwrap(), first);
    assert_eq!(query::state_to_genesis(&network.world.store).unwrap().base, 9);
}

#[test]
fn the_insecure_backend_of_test_networks_changes_epochs_in_the_block_after_the_next() {
    let mut network = insecure(true);
    network.block(0).unwrap();
    network.execute(0, METHOD_SET_EPOCH, &3u64).unwrap();
    network.execute(0, METHOD_SET_EPOCH, &4u64).unwrap_err();
    network.block(0).unwrap();
    assert_eq!(query::epoch(&network.world.store).unwrap(), EpochTimeState { epoch: 3, height: 2 });
    assert_eq!(query::future_epoch(&network.world.store).unwrap(), None);
    network.execute(0, METHOD_SET_EPOCH, &3u64).unwrap_err();
    for method in [METHOD_PVSS_COMMIT, METHOD_PVSS_REVEAL] {
        network.execute(0, method, &3u64).unwrap_err();
    }
    assert!(METHODS.contains(&METHOD_SET_EPOCH));
}

#[test]
fn an_unknown_backend_is_refused() {
    let mut world = World::new();
    let mut document = Document::default();
    document.beacon.parameters.backend = "dice".into();
    assert!(init_chain(&mut world.ctx(Mode::InitChain), &document).is_err());
}
