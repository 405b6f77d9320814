use oasis_primitives::{
    cbor::{self, NilVec},
    json,
    quantity::Quantity,
    signature::PublicKey,
};
use proptest::prelude::*;

use super::*;

fn q(n: u128) -> Quantity {
    Quantity::from(n)
}

#[test]
fn an_empty_account_is_an_empty_map_and_a_claim_without_thresholds_is_null() {
    assert_eq!(cbor::to_vec(&Account::default()), [0xa0]);
    let mut account = Account::default();
    account.escrow.stake_accumulator.add_claim_unchecked("x", NilVec::NIL);
    let bytes = cbor::to_vec(&account);
    assert!(bytes.ends_with(&[0x61, b'x', 0xf6]));
    assert_eq!(cbor::from_slice::<Account>(&bytes).unwrap(), account);
}

#[test]
fn thresholds_are_named_in_json_and_numbered_in_cbor() {
    let params = ConsensusParameters { thresholds: [(ThresholdKind::NODE_COMPUTE, q(5))].into(), ..Default::default() };
    let value = json::ToJson::to_json(&params);
    assert_eq!(value["thresholds"].to_string(), r#"{"node-compute":"5"}"#);
    assert_eq!(json::read::<ConsensusParameters>(&value).unwrap(), params);
    assert_eq!(cbor::from_slice::<ConsensusParameters>(&cbor::to_vec(&params)).unwrap(), params);
}

#[test]
fn a_claim_is_refused_without_change_where_the_stake_does_not_cover_it() {
    let thresholds: Thresholds = [(ThresholdKind::ENTITY, q(10))].into();
    let mut escrow = EscrowAccount::default();
    escrow.active.balance = q(15);
    let entity: NilVec<_> = vec![StakeThreshold::global(ThresholdKind::ENTITY)].into();
    escrow.add_stake_claim(&thresholds, "a", entity.clone()).unwrap();
    let before = escrow.clone();
    assert!(escrow.add_stake_claim(&thresholds, "b", entity.clone()).unwrap_err().is(ERR_INSUFFICIENT_STAKE));
    assert_eq!(escrow, before);
    // Replacing a claim does not count it twice.
    escrow.add_stake_claim(&thresholds, "a", vec![StakeThreshold::constant(q(15))].into()).unwrap();
    escrow.check_stake_claims(&thresholds).unwrap();
    assert!(escrow.remove_stake_claim("c").is_err());
    escrow.remove_stake_claim("a").unwrap();
    assert!(escrow.stake_accumulator.claims.is_empty());
}

#[test]
fn a_pool_that_lost_everything_sells_no_shares() {
    let pool = SharePool { balance: q(0), total_shares: q(7) };
    assert!(pool.shares_for_stake(&q(1)).unwrap_err().is(ERR_INVALID_ARGUMENT));
    assert_eq!(pool.stake_for_shares(&q(7)), q(0));
}

fn schedule(rates: &[(u64, u64)], bounds: &[(u64, u64, u64)]) -> CommissionSchedule {
    CommissionSchedule {
        rates: rates.iter().map(|(start, rate)| CommissionRateStep { start: *start, rate: Quantity::from(*rate) }).collect(),
        bounds: bounds
            .iter()
            .map(|(start, min, max)| CommissionRateBoundStep {
                start: *start,
                rate_min: Quantity::from(*min),
                rate_max: Quantity::from(*max),
            })
            .collect(),
    }
}

const RULES: CommissionScheduleRules =
    CommissionScheduleRules { rate_change_interval: 10, rate_bound_lead: 30, max_rate_steps: 4, max_bound_steps: 12 };

#[test]
fn commission_schedules_of_the_genesis_follow_the_rules() {
    // Cases after go/staking/api/commission_test.go.
    let ok = |s: CommissionSchedule, now| s.clone().prune_and_validate_for_genesis(&RULES, now).is_ok();
    assert!(ok(schedule(&[], &[]), 0));
    assert!(ok(schedule(&[(0, 50_000)], &[(0, 0, 100_000)]), 0));
    assert!(ok(schedule(&[(0, 50_000), (10, 70_000)], &[(0, 0, 100_000), (10, 60_000, 80_000)]), 0));
    assert!(!ok(schedule(&[(0, 50_000)], &[]), 0), "bounds missing");
    assert!(!ok(schedule(&[], &[(0, 0, 100_000)]), 0), "rates missing");
    assert!(!ok(schedule(&[(1, 50_000)], &[(1, 0, 100_000)]), 0), "not aligned");
    assert!(!ok(schedule(&[(10, 50_000), (10, 0)], &[(10, 0, 100_000)]), 0), "not ascending");
    assert!(!ok(schedule(&[(0, 100_001)], &[(0, 0, 100_000)]), 0), "over unity");
    assert!(!ok(schedule(&[(0, 50_000)], &[(0, 60_000, 50_000)]), 0), "bounds crossed");
    assert!(!ok(schedule(&[(0, 50_000)], &[(0, 60_000, 70_000)]), 0), "below the bound");
    assert!(!ok(schedule(&[(10, 50_000)], &[(20, 0, 100_000)]), 0), "future starts differ");
    assert!(ok(schedule(&[(10, 50_000)], &[(20, 0, 100_000)]), 20), "past starts may differ");
    assert!(!ok(schedule(&[(0, 0), (10, 0), (20, 0), (30, 0), (40, 0)], &[(0, 0, 0)]), 0), "too many steps");
}

#[test]
fn amendments_need_the_lead_and_replace_what_they_cover() {
    let amend = |s: &CommissionSchedule, a: CommissionSchedule, now| {
        let mut s = s.clone();
        s.amend_and_prune_and_validate(&a, &RULES, now).map(|()| s)
    };
    let first = amend(&schedule(&[], &[]), schedule(&[(10, 50_000)], &[(10, 0, 100_000)]), 5).unwrap();
    assert!(amend(&first, schedule(&[(10, 1)], &[]), 10).is_err(), "on the current epoch");
    assert!(amend(&first, schedule(&[], &[(30, 0, 1)]), 10).is_err(), "bound within the lead");
    assert!(amend(&first, schedule(&[], &[(50, 0, 1)]), 10).is_err(), "rate out of the new bound");
    let second = amend(&first, schedule(&[(50, 60_000)], &[(50, 60_000, 60_000)]), 10).unwrap();
    assert_eq!(second, schedule(&[(10, 50_000), (50, 60_000)], &[(10, 0, 100_000), (50, 60_000, 60_000)]));
    assert_eq!(amend(&second, schedule(&[(60, 60_000)], &[]), 50).unwrap().rates, schedule(&[(50, 60_000), (60, 60_000)], &[]).rates);
    assert_eq!(second.current_rate(9), None);
    assert_eq!(second.current_rate(49), Some(&q(50_000)));
    assert_eq!(second.current_rate(50), Some(&q(60_000)));
}

#[test]
fn slashing_is_split_by_balance_and_rounded_down() {
    let mut escrow = EscrowAccount::default();
    escrow.active.balance = q(60);
    escrow.debonding.balance = q(40);
    assert_eq!(slash_escrow(&mut escrow, &q(33)), q(19 + 13));
    assert_eq!(slash_escrow(&mut escrow, &q(1000)), q(68));
    assert_eq!(slash_escrow(&mut escrow, &q(1)), q(0));
}

#[test]
fn only_entities_at_the_threshold_are_eligible() {
    let mut signing = EpochSigning::new();
    let [a, b, c] = [1, 2, 3].map(|byte| PublicKey([byte; 32]));
    signing.update(&[a, b]).unwrap();
    signing.update(&[a]).unwrap();
    signing.update(&[a, b]).unwrap();
    signing.update(&[c]).unwrap();
    assert_eq!(signing.eligible_entities(3, 4).unwrap(), [a]);
    let mut half = signing.eligible_entities(1, 2).unwrap();
    half.sort();
    let mut both = vec![a, b];
    both.sort();
    assert_eq!(half, both);
    assert!(signing.eligible_entities(u64::MAX, 4).is_err());
}

#[test]
fn the_token_symbol_is_upper_case_letters() {
    let mut genesis = Genesis { token_symbol: "TEST".to_owned(), ..Genesis::default() };
    genesis.parameters.thresholds = ThresholdKind::ALL.into_iter().map(|k| (k, q(1))).collect();
    genesis.parameters.fee_split_weight_vote = q(1);
    genesis.sanity_check(0).unwrap();
    for bad in ["", "test", "TOOLONGIS", "A1"] {
        genesis.token_symbol = bad.to_owned();
        assert!(genesis.sanity_check(0).is_err(), "{bad}");
    }
    genesis.token_symbol = "TEST".to_owned();
    genesis.total_supply = q(1);
    assert!(genesis.sanity_check(0).unwrap_err().message.contains("does not add up"));
}

proptest! {
    #[test]
    fn deposits_and_withdrawals_never_make_stake(
        balance in 1u128..1_000_000, shares in 1u128..1_000_000, amount in 0u128..1_000_000, back in 0u128..1_000_000,
    ) {
        let mut pool = SharePool { balance: q(balance), total_shares: q(shares) };
        let (mut mine, mut wallet) = (Quantity::ZERO, q(amount));
        let new = pool.deposit(&mut mine, &mut wallet, &q(amount)).unwrap();
        prop_assert_eq!(&new, &mine);
        prop_assert!(wallet.is_zero());
        let taken = mine.clone().min(q(back));
        let out = pool.withdraw(&mut mine, &taken).unwrap();
        prop_assert!(out <= q(amount));
        prop_assert_eq!(out.plus(&pool.balance), q(balance + amount));
        prop_assert_eq!(mine.plus(&q(shares)), pool.total_shares);
    }

    #[test]
    fn slashing_takes_at_most_the_amount_and_what_there_is(active in any::<u64>(), debonding in any::<u64>(), amount in any::<u64>()) {
        let mut escrow = EscrowAccount::default();
        escrow.active.balance = active.into();
        escrow.debonding.balance = debonding.into();
        let taken = slash_escrow(&mut escrow, &amount.into());
        let left = escrow.active.balance.plus(&escrow.debonding.balance);
        prop_assert!(taken <= amount.into());
        prop_assert_eq!(left.plus(&taken), Quantity::from(active).plus(&debonding.into()));
        // Rounding loses less than one unit a pool.
        prop_assert!(taken.plus(&q(2)) > Quantity::from(amount).min(Quantity::from(active).plus(&debonding.into())));
    }

    #[test]
    fn fee_parts_add_up_to_at_most_the_fees(fees in any::<u64>(), weights in any::<[u32; 3]>(), validators in 1u64..100, voters in 0u64..100) {
        let voters = voters.min(validators);
        let params = ConsensusParameters {
            fee_split_weight_propose: u64::from(weights[0]).into(),
            fee_split_weight_vote: (u64::from(weights[1]) + 1).into(),
            fee_split_weight_next_propose: u64::from(weights[2]).into(),
            ..Default::default()
        };
        let end = split_fees_at_end(&fees.into(), &params).unwrap();
        prop_assert_eq!(end.kept.plus(&end.proposer), fees.into());
        let next = split_fees_in_next_block(&end.kept, validators, voters, &params).unwrap();
        prop_assert!(next.proposer.plus(&next.voter.times(&voters.into())) <= end.kept);
    }

    #[test]
    fn commission_and_the_rest_add_up(reward in any::<u64>(), rate in 0u64..=COMMISSION_RATE_DENOMINATOR) {
        let (commission, rest) = take_commission(&reward.into(), Some(&rate.into())).unwrap();
        prop_assert_eq!(commission.plus(&rest), reward.into());
    }

    #[test]
    fn amended_schedules_stay_within_their_bounds(
        first in 1u64..5, rates in proptest::collection::vec((1u64..9, 0u64..=100_000), 0..4),
        bounds in proptest::collection::vec((1u64..9, 0u64..=100_000, 0u64..=100_000), 0..4), now in 0u64..90,
    ) {
        let mut s = schedule(&[(first * 10, 50_000)], &[(first * 10, 0, 100_000)]);
        let rates: Vec<_> = rates.into_iter().map(|(start, rate)| (start * 10, rate)).collect();
        let bounds: Vec<_> = bounds.into_iter().map(|(start, a, b)| (start * 10, a.min(b), a.max(b))).collect();
        if s.amend_and_prune_and_validate(&schedule(&rates, &bounds), &RULES, now).is_ok() {
            for epoch in now..200 {
                if let Some(rate) = s.current_rate(epoch) {
                    let bound = s.bounds.iter().rev().find(|b| b.start <= epoch).unwrap_or(&s.bounds[0]);
                    prop_assert!(*rate >= bound.rate_min && *rate <= bound.rate_max);
                }
            }
        }
    }
}
