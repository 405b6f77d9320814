#![allow(clippy::unwrap_used, clippy::arithmetic_side_effects)]

use std::sync::Arc;

use oasis_consensus_types::{
    consensus::Parameters,
    entity::{Entity, SignedEntity},
    governance::*,
    node::{MultiSignedNode, Node},
    staking::{Account, ERR_INSUFFICIENT_BALANCE},
    transaction::Transaction,
    upgrade::{Descriptor, ERR_STOP_FOR_UPGRADE},
};
use oasis_primitives::{
    address::Address,
    cbor,
    quantity::Quantity,
    signature::{MemorySigner, MultiSigned, PublicKey, SignatureRules, SignedBlob, Signer},
    version::VERSIONS,
};

use super::*;
use crate::{
    block::BeginBlock,
    context::{BlockContext, BlockTime, Env, Mode, Options},
    epoch::{self, EpochTimeState},
    error::Result,
    registry, scheduler, staking,
    store::Store,
    upgrade::Upgrader,
};

const NOW: u64 = 10;

/// A network of two entities with a validator each and 100 and 300 base units in escrow.
struct Network {
    store: Store,
    block: BlockContext,
    env: Env,
}

fn key(name: &str) -> PublicKey {
    MemorySigner::for_test(name).public_key()
}

fn address(name: &str) -> Address {
    Address::of_public_key(&key(name))
}

fn upgrade(epoch: u64) -> ProposalContent {
    let descriptor = Descriptor { v: 1, handler: "__e2e-test-valid".into(), target: VERSIONS, epoch };
    ProposalContent { upgrade: Some(UpgradeProposal { descriptor }), cancel_upgrade: None }
}

fn cancel(proposal_id: u64) -> ProposalContent {
    ProposalContent { upgrade: None, cancel_upgrade: Some(CancelUpgradeProposal { proposal_id }) }
}

impl Network {
    fn new() -> Self {
        let env = Env {
            initial_height: 1,
            last_height: 100,
            now: BlockTime::default(),
            params: Arc::new(Parameters::default()),
            last_epoch: NOW,
            base_epoch: 0,
            rules: SignatureRules::default(),
            options: Arc::new(Options::default()),
        };
        let mut store = Store::empty();
        for (name, escrow) in [("small", 100u64), ("large", 300)] {
            let entity = Entity { v: 2, id: key(name), nodes: vec![key(&format!("{name} node"))] };
            let blob = SignedBlob { blob: cbor::to_vec(&entity).into(), ..SignedBlob::default() };
            registry::state::set_entity(&mut store, &entity.id, &SignedEntity(blob));
            let mut node = Node { v: 1, id: entity.nodes[0], entity_id: entity.id, ..Node::default() };
            node.consensus.id = key(&format!("{name} validator"));
            node.p2p.id = key(&format!("{name} p2p"));
            node.tls.pub_key = key(&format!("{name} tls"));
            let signed = MultiSignedNode(MultiSigned { blob: cbor::to_vec(&node).into(), ..MultiSigned::default() });
            registry::state::set_node(&mut store, None, &node, &signed);
            let mut account = Account::default();
            account.general.balance = Quantity::from(50u64);
            account.escrow.active.balance = Quantity::from(escrow);
            staking::state::set_account(&mut store, &address(name), &account);
        }
        let validators = ["small", "large"].map(|name| (key(&format!("{name} validator")), 1)).into();
        scheduler::state::set_current_validators(&mut store, &validators);
        let params = ConsensusParameters {
            min_proposal_deposit: Quantity::from(20u64),
            voting_period: 5,
            quorum: 75,
            threshold: 90,
            upgrade_min_epoch_diff: 20,
            upgrade_cancel_min_epoch_diff: 15,
            ..ConsensusParameters::default()
        };
        state::set_params(&mut store, &params);
        let mut network = Self { store, block: BlockContext::default(), env };
        network.set_epoch(NOW);
        network
    }

    fn set_epoch(&mut self, epoch: u64) {
        self.store.insert_cbor(epoch::KEY_CURRENT, &EpochTimeState { epoch, height: 100 });
    }

    fn run<T>(&mut self, mode: Mode, f: impl FnOnce(&mut Context<'_>) -> Result<T>) -> Result<T> {
        f(&mut Context::new(&mut self.store, &mut self.block, &self.env, mode))
    }

    fn submit(&mut self, who: &str, content: &ProposalContent) -> Result<()> {
        self.run(Mode::DeliverTx, |ctx| {
            ctx.set_tx_signer(key(who));
            execute_tx(ctx, &Transaction::new(0, None, METHOD_SUBMIT_PROPOSAL, content))
        })
    }

    fn vote(&mut self, who: &str, id: u64, vote: Vote) -> Result<()> {
        self.run(Mode::DeliverTx, |ctx| {
            ctx.set_tx_signer(key(who));
            execute_tx(ctx, &Transaction::new(0, None, METHOD_CAST_VOTE, &ProposalVote { id, vote }))
        })
    }

    /// Ends a block in which a new epoch began.
    fn end_of_epoch_change(&mut self, epoch: u64) -> Result<()> {
        self.env.last_epoch = epoch - 1;
        self.set_epoch(epoch);
        self.run(Mode::EndBlock, end_block)
    }

    fn balance(&self, who: &str) -> u64 {
        staking::state::account(&self.store, &address(who)).unwrap().general.balance.to_u64().unwrap()
    }
}

#[test]
fn a_proposal_takes_a_deposit_and_gets_it_back_when_it_passes() {
    let mut network = Network::new();
    network.submit("small", &upgrade(40)).unwrap();
    assert_eq!(network.balance("small"), 30);
    assert_eq!(staking::state::governance_deposits(&network.store).unwrap(), Quantity::from(20u64));
    network.vote("large", 0, Vote::YES).unwrap();
    network.end_of_epoch_change(14).unwrap();
    assert_eq!(state::proposal(&network.store, 0).unwrap().state, ProposalState::ACTIVE);
    network.end_of_epoch_change(15).unwrap();
    let closed = state::proposal(&network.store, 0).unwrap();
    assert_eq!((closed.state, closed.created_at, closed.closes_at), (ProposalState::PASSED, 10, 15));
    assert_eq!(closed.results, [(Vote::YES, Quantity::from(300u64))].into());
    assert_eq!(network.balance("small"), 50);
    assert_eq!(state::pending_upgrades(&network.store).unwrap().len(), 1);
    assert!(state::active_proposals(&network.store).unwrap().is_empty());
}

#[test]
fn a_rejected_proposal_loses_its_deposit() {
    let mut network = Network::new();
    network.submit("small", &upgrade(40)).unwrap();
    network.vote("small", 0, Vote::YES).unwrap();
    network.end_of_epoch_change(15).unwrap();
    assert_eq!(state::proposal(&network.store, 0).unwrap().state, ProposalState::REJECTED);
    assert_eq!(network.balance("small"), 30);
    assert_eq!(staking::state::common_pool(&network.store).unwrap(), Quantity::from(20u64));
}

#[test]
fn votes_of_former_validators_are_invalid_and_later_votes_replace_earlier_ones() {
    let mut network = Network::new();
    network.submit("small", &upgrade(40)).unwrap();
    network.vote("large", 0, Vote::NO).unwrap();
    network.vote("large", 0, Vote::YES).unwrap();
    network.vote("small", 0, Vote(77)).unwrap();
    scheduler::state::set_current_validators(&mut network.store, &[(key("large validator"), 1)].into());
    network.end_of_epoch_change(15).unwrap();
    let closed = state::proposal(&network.store, 0).unwrap();
    assert_eq!((closed.state, closed.invalid_votes), (ProposalState::PASSED, 1));
}

#[test]
fn submissions_are_checked_in_order() {
    let mut network = Network::new();
    let err = |result: Result<()>| result.unwrap_err();
    assert!(err(network.submit("small", &ProposalContent::default())).is(ERR_INVALID_ARGUMENT));
    assert!(err(network.submit("nobody", &upgrade(5))).is(ERR_INSUFFICIENT_BALANCE));
    assert!(err(network.submit("small", &upgrade(29))).is(ERR_UPGRADE_TOO_SOON));
    assert!(err(network.submit("small", &cancel(0))).is(ERR_NO_SUCH_PROPOSAL));
    network.submit("small", &upgrade(30)).unwrap();
    assert!(err(network.submit("small", &cancel(0))).is(ERR_NO_SUCH_UPGRADE));
    network.vote("large", 0, Vote::YES).unwrap();
    network.end_of_epoch_change(15).unwrap();
    assert!(err(network.submit("large", &upgrade(49))).is(ERR_UPGRADE_ALREADY_PENDING));
    network.submit("large", &cancel(0)).unwrap();
    network.set_epoch(16);
    assert!(err(network.submit("large", &cancel(0))).is(ERR_UPGRADE_TOO_SOON));
    assert!(err(network.vote("large", 0, Vote::YES)).is(ERR_VOTING_IS_CLOSED));
    assert!(err(network.vote("large", 9, Vote::YES)).is(ERR_NO_SUCH_PROPOSAL));
    assert!(err(network.vote("nobody", 1, Vote::YES)).is(ERR_NOT_ELIGIBLE));
    assert_eq!(state::next_proposal_id(&network.store).unwrap(), 2);
}

#[test]
fn a_cancellation_that_passes_cancels_also_in_the_node() {
    let mut network = Network::new();
    network.block.upgrader = Some(Upgrader::default());
    network.submit("small", &upgrade(40)).unwrap();
    network.vote("large", 0, Vote::YES).unwrap();
    network.end_of_epoch_change(15).unwrap();
    assert_eq!(network.block.upgrader.as_ref().unwrap().pending().len(), 1);
    network.submit("small", &cancel(0)).unwrap();
    network.vote("large", 1, Vote::YES).unwrap();
    network.end_of_epoch_change(20).unwrap();
    assert_eq!(state::proposal(&network.store, 1).unwrap().state, ProposalState::PASSED);
    assert!(state::pending_upgrades(&network.store).unwrap().is_empty());
    assert!(network.block.upgrader.as_ref().unwrap().pending().is_empty());
}

#[test]
fn a_proposal_that_cannot_be_executed_failed_and_gets_its_deposit_back() {
    let mut network = Network::new();
    network.submit("small", &upgrade(40)).unwrap();
    network.submit("large", &upgrade(45)).unwrap();
    network.vote("large", 0, Vote::YES).unwrap();
    network.vote("large", 1, Vote::YES).unwrap();
    network.end_of_epoch_change(15).unwrap();
    let states = [0, 1].map(|id| state::proposal(&network.store, id).unwrap().state);
    assert_eq!(states, [ProposalState::PASSED, ProposalState::FAILED]);
    assert_eq!(network.balance("large"), 50);
}

#[test]
fn a_due_upgrade_stops_a_node_that_does_not_perform_it() {
    let mut network = Network::new();
    state::set_proposal(&mut network.store, &Proposal { id: 3, content: upgrade(40), ..Proposal::default() });
    state::set_pending_upgrade(&mut network.store, 3, 40);
    network.set_epoch(40);
    network.block.upgrader = Some(Upgrader::default());
    let request = BeginBlock::default();
    let stopped = network.run(Mode::BeginBlock, |ctx| begin_block(ctx, &request)).unwrap_err();
    assert!(stopped.is(ERR_STOP_FOR_UPGRADE));
    network.block.upgrader = None;
    network.run(Mode::BeginBlock, |ctx| begin_block(ctx, &request)).unwrap();
    assert!(state::pending_upgrades(&network.store).unwrap().is_empty());
}

#[test]
fn exported_state_makes_the_same_state_without_pending_upgrades() {
    let mut network = Network::new();
    network.submit("small", &upgrade(40)).unwrap();
    network.submit("large", &upgrade(90)).unwrap();
    network.vote("large", 0, Vote::YES).unwrap();
    network.end_of_epoch_change(15).unwrap();
    let exported = export(&network.store).unwrap();
    assert_eq!(exported.proposals.len(), 2);
    assert!(exported.vote_entries[&1].is_nil());
    exported.sanity_check(15, &Quantity::ZERO).unwrap();
    network.env.last_height = 0;
    network.store = Store::empty();
    network.run(Mode::InitChain, |ctx| init_chain(ctx, &exported)).unwrap();
    assert_eq!(export(&network.store).unwrap(), exported);
    assert!(state::pending_upgrades(&network.store).unwrap().is_empty());
}

#[test]
fn a_check_for_the_mempool_looks_at_the_form_only() {
    let mut network = Network::new();
    let check =
        |ctx: &mut Context<'_>, content: &ProposalContent| execute_tx(ctx, &Transaction::new(0, None, METHOD_SUBMIT_PROPOSAL, content));
    network.run(Mode::CheckTx, |ctx| check(ctx, &upgrade(11))).unwrap();
    assert!(network.run(Mode::CheckTx, |ctx| check(ctx, &upgrade(0))).unwrap_err().is(ERR_INVALID_ARGUMENT));
    assert_eq!(state::next_proposal_id(&network.store).unwrap(), 0);
}
