//! The ledger, operation by operation, and under random operations.

use std::sync::Arc;

use oasis_consensus_types::{
    node::{MultiSignedNode, Node},
    registry::NodeStatus,
    staking::{
        Account, Allow, Burn, CommissionRateBoundStep, CommissionRateStep, CommissionScheduleRules, ConsensusParameters, Delegation,
        ERR_FORBIDDEN, ERR_INSUFFICIENT_BALANCE, ERR_INSUFFICIENT_STAKE, ERR_INVALID_ARGUMENT, ERR_TOO_MANY_ALLOWANCES,
        ERR_UNDER_MIN_DELEGATION_AMOUNT, Escrow, Genesis, METHOD_ADD_ESCROW, METHOD_ALLOW, METHOD_BURN, METHOD_RECLAIM_ESCROW,
        METHOD_TRANSFER, METHOD_WITHDRAW, ReclaimEscrow, RewardStep, Slash, SlashReason, StakeThreshold, ThresholdKind, Transfer, Withdraw,
    },
    transaction::{ERR_GAS_PRICE_TOO_LOW, ERR_INSUFFICIENT_FEE_BALANCE, ERR_INVALID_NONCE, Fee, Transaction},
};
use oasis_primitives::{
    address::Address,
    cbor::{self, Encode, NilMap},
    quantity::Quantity,
    signature::{MultiSigned, PublicKey, SignatureRules},
};
use proptest::prelude::*;

use super::*;
use crate::{
    block::{BeginBlock, Misbehaviour, MisbehaviourKind, Vote},
    context::{BlockContext, Child, Env, Mode, Options},
    epoch::{self, EpochTimeState},
    error::{Error, Result},
    registry,
    store::Store,
};

fn q(n: u64) -> Quantity {
    Quantity::from(n)
}

fn key(n: u8) -> PublicKey {
    PublicKey([n; 32])
}

fn addr(n: u8) -> Address {
    Address::of_public_key(&key(n))
}

/// A ledger with accounts 1 to 4 of 1,000 base units each and 10,000 in the common pool.
struct World {
    store: Store,
    block: BlockContext,
    env: Env,
}

fn genesis() -> Genesis {
    let mut parameters = ConsensusParameters {
        debonding_interval: 5,
        max_allowances: 2,
        min_delegation_amount: q(10),
        reward_schedule: vec![RewardStep { until: 100, scale: q(1_000_000) }],
        reward_factor_block_proposed: q(1),
        reward_factor_epoch_signed: q(1),
        signing_reward_threshold_numerator: 1,
        signing_reward_threshold_denominator: 2,
        fee_split_weight_propose: q(2),
        fee_split_weight_vote: q(1),
        fee_split_weight_next_propose: q(1),
        ..ConsensusParameters::default()
    };
    parameters.thresholds = ThresholdKind::ALL.into_iter().map(|kind| (kind, q(100))).collect();
    parameters.slashing.insert(SlashReason::CONSENSUS_EQUIVOCATION, Slash { amount: q(50), freeze_interval: 3 });
    parameters.gas_costs = [("transfer".to_owned(), 10)].into();
    let account = |balance| {
        let mut account = Account::default();
        account.general.balance = q(balance);
        account
    };
    Genesis {
        parameters,
        token_symbol: "TEST".to_owned(),
        total_supply: q(14_000),
        common_pool: q(9_900),
        last_block_fees: q(100),
        ledger: (1..=4).map(|n| (addr(n), account(1_000).into())).collect(),
        ..Genesis::default()
    }
}

impl World {
    fn new() -> Self {
        Self::with(&genesis())
    }

    fn with(genesis: &Genesis) -> Self {
        let env = Env {
            initial_height: 1,
            last_height: 10,
            now: Default::default(),
            params: Arc::default(),
            last_epoch: 7,
            base_epoch: 0,
            rules: SignatureRules::default(),
            options: Arc::new(Options { min_gas_price: q(2), own_tx_signer: Some(key(4)), ..Options::default() }),
        };
        let mut world = Self { store: Store::empty(), block: BlockContext::default(), env };
        world.run(Mode::InitChain, |ctx| init_chain(ctx, genesis)).unwrap();
        world.set_epoch(7);
        world
    }

    fn set_epoch(&mut self, epoch: u64) {
        self.store.insert_cbor(epoch::KEY_CURRENT, &EpochTimeState { epoch, height: 1 });
    }

    fn run<T>(&mut self, mode: Mode, f: impl FnOnce(&mut Context<'_>) -> T) -> T {
        self.run_with_events(mode, f).0
    }

    fn run_with_events<T>(&mut self, mode: Mode, f: impl FnOnce(&mut Context<'_>) -> T) -> (T, Vec<String>) {
        let mut ctx = Context::new(&mut self.store, &mut self.block, &self.env, mode);
        let result = f(&mut ctx);
        let kinds = ctx.events.iter().map(|e| String::from_utf8(e.attributes[0].0.clone()).unwrap()).collect();
        (result, kinds)
    }

    /// Runs a transaction without authentication.
    fn tx<T: Encode>(&mut self, from: u8, method: &str, body: &T) -> Result<()> {
        self.run(Mode::DeliverTx, |ctx| {
            ctx.set_tx_signer(key(from));
            execute_tx(ctx, &Transaction::new(0, None, method, body))
        })
    }

    fn account(&self, n: u8) -> Account {
        state::account(&self.store, &addr(n)).unwrap()
    }

    fn balance(&self, n: u8) -> u64 {
        self.account(n).general.balance.to_u64().unwrap()
    }

    fn common_pool(&self) -> u64 {
        state::common_pool(&self.store).unwrap().to_u64().unwrap()
    }

    fn set_params(&mut self, change: impl FnOnce(&mut ConsensusParameters)) {
        let mut params = std::sync::Arc::unwrap_or_clone(state::params(&self.store).unwrap());
        change(&mut params);
        state::set_params(&mut self.store, &params);
    }

    /// Registers node `n` of entity `n`; its Tendermint address is 20 times `n`.
    fn register(&mut self, n: u8) {
        let node = Node { v: 1, id: key(n), entity_id: key(n), ..Node::default() };
        let signed = MultiSignedNode(MultiSigned { blob: cbor::to_vec(&node).into(), ..MultiSigned::default() });
        registry::state::set_node(&mut self.store, None, &node, &signed);
        self.store.insert(&[&[0x14], [n; 20].as_slice()].concat(), key(n).0.to_vec());
        registry::state::set_node_status(&mut self.store, &key(n), &NodeStatus::default());
    }

    /// Checks the whole ledger.
    fn check(&self) {
        let mut exported = export(&self.store).unwrap();
        exported.token_symbol = "TEST".to_owned();
        exported.sanity_check(7).unwrap();
    }
}

fn transfer(to: u8, amount: u64) -> Transfer {
    Transfer { to: addr(to), amount: q(amount) }
}

fn escrow(to: u8, amount: u64) -> Escrow {
    Escrow { account: addr(to), amount: q(amount) }
}

fn is_insufficient(result: Result<()>) -> bool {
    matches!(result, Err(Error::Failed(e)) if e.module == "unknown" && e.code == 1)
}

#[test]
fn the_first_state_moves_last_block_fees_to_the_common_pool() {
    let world = World::new();
    assert_eq!(world.common_pool(), 10_000);
    assert!(state::last_block_fees(&world.store).unwrap().is_zero());
    world.check();
}

#[test]
fn a_genesis_whose_supply_does_not_add_up_is_refused() {
    let mut bad = genesis();
    bad.total_supply = q(1);
    let mut world = World::new();
    assert!(world.run(Mode::InitChain, |ctx| init_chain(ctx, &bad)).is_err());
    let mut bad = genesis();
    bad.delegations.insert(addr(1), NilMap::from(std::collections::BTreeMap::from([(addr(2), Delegation { shares: q(1) }.into())])));
    assert!(world.run(Mode::InitChain, |ctx| init_chain(ctx, &bad)).is_err());
}

#[test]
fn exports_make_the_same_state_again() {
    let mut world = World::new();
    world.tx(1, METHOD_ADD_ESCROW, &escrow(2, 100)).unwrap();
    world.tx(1, METHOD_RECLAIM_ESCROW, &ReclaimEscrow { account: addr(2), shares: q(40) }).unwrap();
    world.tx(3, METHOD_ALLOW, &Allow { beneficiary: addr(2), negative: false, amount_change: q(5) }).unwrap();
    let exported = export(&world.store).unwrap();
    let mut again = World::with(&exported);
    assert_eq!(export(&again.store).unwrap(), exported);
    again.tx(2, METHOD_WITHDRAW, &Withdraw { from: addr(3), amount: q(5) }).unwrap();
}

#[test]
fn transfers_move_base_units_and_refuse_what_is_not_there() {
    let mut world = World::new();
    world.tx(1, METHOD_TRANSFER, &transfer(2, 400)).unwrap();
    assert_eq!((world.balance(1), world.balance(2)), (600, 1_400));
    assert!(is_insufficient(world.tx(1, METHOD_TRANSFER, &transfer(2, 601))));
    // To itself only the balance is looked at, with an error of its own.
    world.tx(1, METHOD_TRANSFER, &transfer(1, 600)).unwrap();
    assert!(world.tx(1, METHOD_TRANSFER, &transfer(1, 601)).unwrap_err().is(ERR_INSUFFICIENT_BALANCE));
    // To a reserved address there is no code of its own.
    assert!(is_insufficient(world.tx(1, METHOD_TRANSFER, &Transfer { to: Address::COMMON_POOL, amount: q(1) })));
    world.set_params(|p| {
        p.disable_transfers = true;
        p.undisable_transfers_from.insert(addr(2), true);
    });
    assert!(world.tx(1, METHOD_TRANSFER, &transfer(2, 1)).unwrap_err().is(ERR_FORBIDDEN));
    world.tx(2, METHOD_TRANSFER, &transfer(1, 1)).unwrap();
    world.check();
}

#[test]
fn burning_lowers_the_supply() {
    let mut world = World::new();
    world.tx(1, METHOD_BURN, &Burn { amount: q(1_000) }).unwrap();
    assert_eq!(state::total_supply(&world.store).unwrap(), q(13_000));
    assert!(is_insufficient(world.tx(1, METHOD_BURN, &Burn { amount: q(1) })));
    world.check();
}

#[test]
fn allowances_are_limited_in_number_and_removed_at_zero() {
    let mut world = World::new();
    let allow = |to, negative, amount| Allow { beneficiary: addr(to), negative, amount_change: q(amount) };
    world.tx(1, METHOD_ALLOW, &allow(2, false, 50)).unwrap();
    world.tx(1, METHOD_ALLOW, &allow(3, false, 50)).unwrap();
    assert!(world.tx(1, METHOD_ALLOW, &allow(4, false, 1)).unwrap_err().is(ERR_TOO_MANY_ALLOWANCES));
    world.tx(1, METHOD_ALLOW, &allow(2, true, 80)).unwrap();
    assert_eq!(world.account(1).general.allowances.len(), 1);
    assert!(world.tx(1, METHOD_ALLOW, &allow(1, false, 1)).unwrap_err().is(ERR_INVALID_ARGUMENT));
    let withdraw = |amount| Withdraw { from: addr(1), amount: q(amount) };
    assert!(world.tx(2, METHOD_WITHDRAW, &withdraw(1)).unwrap_err().is(ERR_FORBIDDEN));
    assert!(world.tx(3, METHOD_WITHDRAW, &withdraw(51)).unwrap_err().is(ERR_FORBIDDEN));
    world.tx(3, METHOD_WITHDRAW, &withdraw(50)).unwrap();
    assert!(world.account(1).general.allowances.is_empty());
    assert_eq!((world.balance(1), world.balance(3)), (950, 1_050));
    world.tx(1, METHOD_ALLOW, &allow(3, false, 5_000)).unwrap();
    assert!(world.tx(3, METHOD_WITHDRAW, &withdraw(951)).unwrap_err().is(ERR_INSUFFICIENT_BALANCE));
    world.set_params(|p| p.max_allowances = 0);
    assert!(world.tx(1, METHOD_ALLOW, &allow(3, true, 1)).unwrap_err().is(ERR_FORBIDDEN));
}

#[test]
fn delegations_debond_after_the_interval_and_merge_within_an_epoch() {
    let mut world = World::new();
    assert!(world.tx(1, METHOD_ADD_ESCROW, &escrow(2, 9)).unwrap_err().is(ERR_UNDER_MIN_DELEGATION_AMOUNT));
    world.tx(1, METHOD_ADD_ESCROW, &escrow(2, 100)).unwrap();
    world.tx(2, METHOD_ADD_ESCROW, &escrow(2, 100)).unwrap();
    let reclaim = |shares| ReclaimEscrow { account: addr(2), shares: q(shares) };
    assert!(world.tx(1, METHOD_RECLAIM_ESCROW, &reclaim(0)).unwrap_err().is(ERR_INVALID_ARGUMENT));
    world.tx(1, METHOD_RECLAIM_ESCROW, &reclaim(30)).unwrap();
    world.tx(1, METHOD_RECLAIM_ESCROW, &reclaim(20)).unwrap();
    world.tx(2, METHOD_RECLAIM_ESCROW, &reclaim(100)).unwrap();
    assert!(is_insufficient(world.tx(1, METHOD_RECLAIM_ESCROW, &reclaim(51))));
    let debonding = state::debonding_delegations_for(&world.store, &addr(1)).unwrap();
    assert_eq!(debonding[&addr(2)].as_slice().iter().map(|d| (d.shares.clone(), d.debond_end_time)).collect::<Vec<_>>(), [(q(50), 12)]);
    world.check();
    for (epoch, balance) in [(11, 900), (12, 950)] {
        world.set_epoch(epoch);
        world.run(Mode::EndBlock, end_block).unwrap();
        assert_eq!(world.balance(1), balance);
    }
    assert_eq!(world.balance(2), 1_000);
    assert!(state::expired_debonding_queue(&world.store, u64::MAX).unwrap().is_empty());
    assert_eq!(world.account(2).escrow.debonding, Default::default());
    world.check();
}

#[test]
fn delegation_to_others_may_be_forbidden() {
    let mut world = World::new();
    world.set_params(|p| p.disable_delegation = true);
    assert!(world.tx(1, METHOD_ADD_ESCROW, &escrow(2, 100)).unwrap_err().is(ERR_FORBIDDEN));
    world.tx(1, METHOD_ADD_ESCROW, &escrow(1, 100)).unwrap();
}

#[test]
fn runtimes_escrow_only_where_the_parameters_allow_it() {
    let mut world = World::new();
    let options = Child { caller: Some(addr(1)), simulate: false, message_execution: true };
    let message = oasis_consensus_types::roothash::StakingMessage { add_escrow: Some(escrow(2, 100)), ..Default::default() };
    let run = |world: &mut World| world.run(Mode::DeliverTx, |ctx| ctx.child(options, |ctx| messages::execute(ctx, &message)));
    assert!(run(&mut world).unwrap_err().is(ERR_FORBIDDEN));
    world.set_params(|p| p.allow_escrow_messages = true);
    run(&mut world).unwrap();
    assert_eq!(world.balance(1), 900);
}

#[test]
fn authentication_takes_nonce_and_fee_also_of_a_transaction_that_fails_later() {
    let mut world = World::new();
    let tx = |nonce, amount, gas| Transaction::new(nonce, Some(Fee { amount: q(amount), gas }), METHOD_TRANSFER, &transfer(2, 5_000));
    let deliver = |world: &mut World, tx: &Transaction| {
        world.run_with_events(Mode::DeliverTx, |ctx| {
            ctx.set_tx_signer(key(1));
            authenticate_tx(ctx, tx)?;
            execute_tx(ctx, tx)
        })
    };
    assert!(deliver(&mut world, &tx(1, 0, 0)).0.unwrap_err().is(ERR_INVALID_NONCE));
    assert!(is_insufficient(deliver(&mut world, &tx(0, 1_001, 10)).0));
    assert_eq!(world.account(1).general.nonce, 0);
    let (result, events) = deliver(&mut world, &tx(0, 30, 9));
    assert!(matches!(result, Err(Error::Failed(e)) if e.message.starts_with("out of gas")));
    assert_eq!(events, ["transfer"]);
    assert_eq!((world.balance(1), world.account(1).general.nonce, world.block.fees.clone()), (970, 1, q(30)));
}

#[test]
fn checks_for_the_mempool_take_nonce_and_fee_only_at_the_end() {
    let mut world = World::new();
    let check = |world: &mut World, signer: u8, nonce, amount, gas| {
        let tx = Transaction::new(nonce, Some(Fee { amount: q(amount), gas }), METHOD_TRANSFER, &transfer(2, 5_000));
        world.run(Mode::CheckTx, |ctx| {
            ctx.set_tx_signer(key(signer));
            authenticate_tx(ctx, &tx)?;
            execute_tx(ctx, &tx)?;
            post_execute_tx(ctx, &tx)
        })
    };
    assert!(check(&mut world, 1, 0, 1_001, 1).unwrap_err().is(ERR_INSUFFICIENT_FEE_BALANCE));
    assert!(check(&mut world, 1, 0, 19, 10).unwrap_err().is(ERR_GAS_PRICE_TOO_LOW));
    check(&mut world, 1, 0, 20, 10).unwrap();
    assert!(check(&mut world, 1, 0, 20, 10).unwrap_err().is(ERR_INVALID_NONCE));
    assert_eq!(world.balance(1), 980);
    // The node's own transactions may be cheaper.
    check(&mut world, 4, 0, 1, 10).unwrap();
}

#[test]
fn fees_go_to_the_proposer_then_to_voters_and_the_next_proposer() {
    let mut world = World::new();
    for n in 1..=3 {
        world.register(n);
    }
    world.block.fees = q(100);
    world.block.proposer_entity = Some(key(1));
    world.run(Mode::EndBlock, end_block).unwrap();
    assert_eq!(world.balance(1), 1_050);
    let vote = |n, signed| Vote { address: [n; 20], power: 1, signed };
    let votes = vec![vote(1, true), vote(2, true), vote(3, false), vote(9, true)];
    let request = BeginBlock { proposer: vec![2; 20], votes, ..BeginBlock::default() };
    world.run(Mode::BeginBlock, |ctx| begin_block(ctx, &request)).unwrap();
    // 50 over four validators is 12 each, halved: 6 for each of two voters, twice 6 for the proposer; 26 are left.
    assert_eq!([1, 2, 3].map(|n| world.balance(n)), [1_056, 1_018, 1_000]);
    assert_eq!(world.common_pool(), 10_026);
    assert_eq!(world.block.proposer_entity, Some(key(2)));
}

#[test]
fn without_a_known_proposer_its_part_goes_to_the_common_pool() {
    let mut world = World::new();
    world.block.fees = q(100);
    world.run(Mode::EndBlock, end_block).unwrap();
    assert_eq!(world.common_pool(), 10_050);
    assert_eq!(state::last_block_fees(&world.store).unwrap(), q(50));
    world.run(Mode::EndBlock, end_block).unwrap();
    assert!(state::last_block_fees(&world.store).unwrap().is_zero());
}

#[test]
fn rewards_are_split_by_commission() {
    let mut world = World::new();
    world.tx(1, METHOD_ADD_ESCROW, &escrow(2, 800)).unwrap();
    let mut account = world.account(2);
    account.escrow.commission_schedule.rates = vec![CommissionRateStep { start: 0, rate: q(25_000) }];
    let bounds = CommissionRateBoundStep { start: 0, rate_min: q(0), rate_max: q(50_000) };
    account.escrow.commission_schedule.bounds = vec![bounds];
    world.set_params(|p| {
        p.commission_schedule_rules =
            CommissionScheduleRules { rate_change_interval: 1, max_rate_steps: 1, max_bound_steps: 1, ..Default::default() };
    });
    state::set_account(&mut world.store, &addr(2), &account);
    let (result, events) = world.run_with_events(Mode::EndBlock, |ctx| add_rewards(ctx, 7, &q(10), &[addr(2), addr(3)]));
    result.unwrap();
    // A tenth of 800, a quarter of it as commission, which buys 20 * 800 / 860 shares.
    assert_eq!(events, ["add_escrow", "transfer", "add_escrow"]);
    assert_eq!(world.account(2).escrow.active.balance, q(880));
    assert_eq!(state::delegation(&world.store, &addr(2), &addr(2)).unwrap().shares, q(18));
    assert_eq!(world.common_pool(), 9_920);
    // Past the schedule's end there are none.
    world.run(Mode::EndBlock, |ctx| add_rewards(ctx, 100, &q(10), &[addr(2)])).unwrap();
    assert_eq!(world.common_pool(), 9_920);
    world.check();
}

#[test]
fn proposers_and_signers_are_rewarded() {
    let mut world = World::new();
    world.register(2);
    world.tx(1, METHOD_ADD_ESCROW, &escrow(2, 800)).unwrap();
    let vote = |n, signed| Vote { address: [n; 20], power: 1, signed };
    let votes = vec![vote(2, true), vote(3, false)];
    let request = BeginBlock { proposer: vec![2; 20], votes, ..BeginBlock::default() };
    world.run(Mode::BeginBlock, |ctx| begin_block(ctx, &request)).unwrap();
    // A hundredth of 800, halved because one of two signed.
    assert_eq!(world.account(2).escrow.active.balance, q(804));
    world.set_epoch(8);
    world.run(Mode::EndBlock, end_block).unwrap();
    assert_eq!(world.account(2).escrow.active.balance, q(812));
    assert_eq!(state::epoch_signing(&world.store).unwrap().total, 0);
    world.check();
}

#[test]
fn evidence_slashes_and_freezes_once_counting_from_the_committed_epoch() {
    let mut world = World::new();
    world.register(2);
    world.tx(1, METHOD_ADD_ESCROW, &escrow(2, 800)).unwrap();
    // A new epoch starts with this block.
    world.set_epoch(8);
    let evidence = |n| Misbehaviour {
        kind: MisbehaviourKind::DuplicateVote,
        address: [n; 20],
        power: 1,
        height: 9,
        time: Default::default(),
        total_power: 2,
    };
    let misbehaviour = vec![evidence(2), evidence(2), evidence(9)];
    let request = BeginBlock { proposer: vec![9; 20], misbehaviour, ..BeginBlock::default() };
    let (result, events) = world.run_with_events(Mode::BeginBlock, |ctx| begin_block(ctx, &request));
    result.unwrap();
    assert_eq!(events, ["take_escrow"]);
    assert_eq!(world.account(2).escrow.active.balance, q(750));
    assert_eq!(registry::state::node_status(&world.store, &key(2)).unwrap().freeze_end_time, 10);
    world.check();
}

#[test]
fn transfers_from_the_common_pool_are_limited_by_it_and_escrowed_by_commission() {
    let mut world = World::new();
    // Without shares all of it is commission.
    assert!(world.run(Mode::EndBlock, |ctx| pools::transfer_from_common(ctx, &addr(2), &q(60), true)).unwrap());
    assert_eq!(state::delegation(&world.store, &addr(2), &addr(2)).unwrap().shares, q(60));
    // Without a rate none of it is.
    assert!(world.run(Mode::EndBlock, |ctx| pools::transfer_from_common(ctx, &addr(2), &q(60), true)).unwrap());
    assert_eq!(world.account(2).escrow.active.total_shares, q(60));
    assert_eq!(world.account(2).escrow.active.balance, q(120));
    assert!(world.run(Mode::EndBlock, |ctx| pools::transfer_from_common(ctx, &addr(3), &q(20_000), false)).unwrap());
    assert_eq!(world.balance(3), 10_880);
    assert!(!world.run(Mode::EndBlock, |ctx| pools::transfer_from_common(ctx, &addr(3), &q(1), false)).unwrap());
    world.check();
}

#[test]
fn deposits_of_proposals_come_back_or_go_to_the_common_pool() {
    let mut world = World::new();
    world.run(Mode::DeliverTx, |ctx| pools::transfer_to_governance_deposits(ctx, &addr(1), &q(300))).unwrap();
    world.check();
    world.run(Mode::EndBlock, |ctx| pools::transfer_from_governance_deposits(ctx, &addr(1), &q(100))).unwrap();
    world.run(Mode::EndBlock, |ctx| pools::discard_governance_deposit(ctx, &q(200))).unwrap();
    assert_eq!((world.balance(1), world.common_pool()), (800, 10_200));
    assert!(is_insufficient(world.run(Mode::EndBlock, |ctx| pools::discard_governance_deposit(ctx, &q(1)))));
    world.check();
}

#[test]
fn claims_need_stake_and_committing_writes_every_account_looked_at() {
    let mut world = World::new();
    world.tx(1, METHOD_ADD_ESCROW, &escrow(2, 150)).unwrap();
    let entity = vec![StakeThreshold::global(ThresholdKind::ENTITY)];
    accumulator::add_stake_claim(&mut world.store, &addr(2), "a", entity.clone()).unwrap();
    assert!(accumulator::add_stake_claim(&mut world.store, &addr(2), "b", entity.clone()).unwrap_err().is(ERR_INSUFFICIENT_STAKE));
    accumulator::check_stake_claims(&world.store, &addr(2)).unwrap();
    world.run(Mode::EndBlock, |ctx| slash_escrow(ctx, &addr(2), &q(51))).unwrap();
    assert!(accumulator::check_stake_claims(&world.store, &addr(2)).unwrap_err().is(ERR_INSUFFICIENT_STAKE));
    accumulator::remove_stake_claim(&mut world.store, &addr(2), "a").unwrap();
    assert!(accumulator::remove_stake_claim(&mut world.store, &addr(2), "a").is_err());
    let mut cache = StakeAccumulatorCache::new(&world.store).unwrap();
    cache.check_stake_claims(&world.store, &addr(9)).unwrap();
    cache.commit(&mut world.store);
    assert!(state::addresses(&world.store).unwrap().contains(&addr(9)));
}

#[test]
fn queries_show_the_reserved_accounts() {
    let world = World::new();
    assert_eq!(query::account(&world.store, &Address::COMMON_POOL).unwrap().general.balance, q(10_000));
    assert_eq!(query::threshold(&world.store, ThresholdKind::ENTITY).unwrap(), q(100));
    assert!(query::threshold(&world.store, ThresholdKind(9)).is_err());
    assert!(state::account(&world.store, &Address::COMMON_POOL).is_err());
}

#[derive(Clone, Debug)]
enum Op {
    Transfer(u8, u8, u64),
    Burn(u8, u64),
    Escrow(u8, u8, u64),
    Reclaim(u8, u8, u64),
    Slash(u8, u64),
    Reward(u64),
    FromCommon(u8, u64, bool),
    Deposit(u8, u64),
    Epoch,
}

fn op() -> impl Strategy<Value = Op> {
    let who = || 1u8..=4;
    let amount = || prop_oneof![0u64..20, 0u64..1_200];
    prop_oneof![
        (who(), who(), amount()).prop_map(|(a, b, n)| Op::Transfer(a, b, n)),
        (who(), amount()).prop_map(|(a, n)| Op::Burn(a, n)),
        (who(), who(), amount()).prop_map(|(a, b, n)| Op::Escrow(a, b, n)),
        (who(), who(), amount()).prop_map(|(a, b, n)| Op::Reclaim(a, b, n)),
        (who(), amount()).prop_map(|(a, n)| Op::Slash(a, n)),
        (0u64..50).prop_map(Op::Reward),
        (who(), amount(), any::<bool>()).prop_map(|(a, n, e)| Op::FromCommon(a, n, e)),
        (who(), amount()).prop_map(|(a, n)| Op::Deposit(a, n)),
        Just(Op::Epoch),
    ]
}

proptest! {
    /// A transaction that fails here writes nothing, and whatever happens all base units and shares add up.
    #[test]
    fn base_units_and_shares_always_add_up(ops in proptest::collection::vec(op(), 1..40)) {
        let mut world = World::new();
        for op in ops {
            let before = export(&world.store).unwrap();
            let result = match op.clone() {
                Op::Transfer(a, b, n) => world.tx(a, METHOD_TRANSFER, &transfer(b, n)),
                Op::Burn(a, n) => world.tx(a, METHOD_BURN, &Burn { amount: q(n) }),
                Op::Escrow(a, b, n) => world.tx(a, METHOD_ADD_ESCROW, &escrow(b, n)),
                Op::Reclaim(a, b, n) => world.tx(a, METHOD_RECLAIM_ESCROW, &ReclaimEscrow { account: addr(b), shares: q(n) }),
                Op::Slash(a, n) => world.run(Mode::EndBlock, |ctx| slash_escrow(ctx, &addr(a), &q(n)).map(|_| ())),
                Op::Reward(n) => {
                    // Fails, and stops the network, where the common pool is too small.
                    if world.common_pool() < 5_000 {
                        continue;
                    }
                    world.run(Mode::EndBlock, |ctx| add_rewards(ctx, 7, &q(n), &[1, 2, 3, 4].map(addr)))
                }
                Op::FromCommon(a, n, escrow) => {
                    world.run(Mode::EndBlock, |ctx| pools::transfer_from_common(ctx, &addr(a), &q(n), escrow).map(|_| ()))
                }
                Op::Deposit(a, n) => world.run(Mode::DeliverTx, |ctx| pools::transfer_to_governance_deposits(ctx, &addr(a), &q(n))),
                Op::Epoch => {
                    let next = epoch::current(&world.store).unwrap().epoch + 1;
                    world.set_epoch(next);
                    let result = world.run(Mode::EndBlock, end_block);
                    world.env.last_epoch = next;
                    result
                }
            };
            let reward_failed = matches!(op, Op::Reward(_) | Op::FromCommon(_, _, true)) && result.is_err();
            if reward_failed {
                // A pool that lost everything sells no shares; the original stops here.
                break;
            }
            if result.is_err() {
                prop_assert_eq!(&export(&world.store).unwrap(), &before, "{:?}", op);
            }
            world.check();
        }
    }
}
