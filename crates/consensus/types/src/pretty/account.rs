//! An account with what it delegated, what was delegated to it and what it allows.
//!
//! Source: go/oasis-node/cmd/stake/{account,delegations,allowances}.go.

use std::{cmp::Reverse, collections::BTreeMap};

use oasis_primitives::{address::Address, quantity::Quantity};

use super::{Network, commission_schedule, line};
use crate::{
    beacon::EpochTime,
    staking::{Account, DebondingDelegation, DebondingDelegationInfo, Delegation, DelegationInfo, SharePool, StakeAccumulator},
};

/// The widest name of a delegation's field, and of one that ends.
const ACTIVE_WIDTH: usize = "Amount:".len();
const DEBONDING_WIDTH: usize = "End Time:".len();
const ALLOWANCE_WIDTH: usize = "Beneficiary:".len();

/// What is known of an account at a height.
#[derive(Clone, Debug, Default)]
pub struct AccountState {
    /// Whose account.
    pub address: Address,
    /// The height.
    pub height: i64,
    /// The account itself.
    pub account: Account,
    /// Its delegations to others.
    pub delegations: BTreeMap<Address, DelegationInfo>,
    /// Its delegations to others that end.
    pub debonding: BTreeMap<Address, Vec<DebondingDelegationInfo>>,
    /// Delegations to it.
    pub delegations_to: BTreeMap<Address, Delegation>,
    /// Delegations to it that end.
    pub debonding_to: BTreeMap<Address, Vec<DebondingDelegation>>,
}

/// A line of a list.
struct Entry {
    end: Option<EpochTime>,
    amount: Quantity,
    address: Address,
    shares: Quantity,
}

impl Entry {
    fn new(address: &Address, shares: &Quantity, pool: &SharePool, end: Option<EpochTime>) -> Self {
        Self { end, amount: pool.stake_for_shares(shares), address: *address, shares: shares.clone() }
    }
}

/// The account in the original's words.
///
/// Source: go/oasis-node/cmd/stake/account.go, `doAccountInfo`.
pub fn account_state(state: &AccountState, network: &Network) -> String {
    let mut out = String::new();
    let (general, escrow) = (&state.account.general, &state.account.escrow);
    line!(out, "Account State for Height: {}", state.height);
    line!(out, "Balance:");
    balance(state, network, "  ", &mut out);
    out.push('\n');
    if !general.allowances.is_empty() {
        line!(out, "Allowances for this Account:");
        allowances(state, network, "  ", &mut out);
        out.push('\n');
    }
    if !state.delegations_to.is_empty() {
        line!(out, "Active Delegations to this Account:");
        let list = state.delegations_to.iter().map(|(from, d)| Entry::new(from, &d.shares, &escrow.active, None));
        pool(&escrow.active, list.collect(), state, network, &mut out);
        out.push('\n');
    }
    if !state.debonding_to.is_empty() {
        line!(out, "Debonding Delegations to this Account:");
        let list = state.debonding_to.iter().flat_map(|(from, list)| list.iter().map(move |d| (from, d)));
        let list = list.map(|(from, d)| Entry::new(from, &d.shares, &escrow.debonding, Some(d.debond_end_time)));
        pool(&escrow.debonding, list.collect(), state, network, &mut out);
        out.push('\n');
    }
    let schedule = &escrow.commission_schedule;
    if !schedule.rates.is_empty() || !schedule.bounds.is_empty() {
        line!(out, "Commission Schedule:");
        commission_schedule(schedule, "  ", &mut out);
        out.push('\n');
    }
    if !escrow.stake_accumulator.claims.is_empty() {
        line!(out, "Stake Accumulator:");
        claims(&escrow.stake_accumulator, "  ", &mut out);
        out.push('\n');
    }
    line!(out, "Nonce: {}", general.nonce);
    out
}

/// Source: go/oasis-node/cmd/stake/delegations.go, `prettyPrintAccountBalanceAndDelegationsFrom`.
fn balance(state: &AccountState, network: &Network, prefix: &str, out: &mut String) {
    let active = state.delegations.iter().map(|(to, d)| Entry::new(to, &d.shares, &d.pool, None));
    let active: Vec<Entry> = active.collect();
    let debonding = state.debonding.iter().flat_map(|(to, list)| list.iter().map(move |d| (to, d)));
    let debonding: Vec<Entry> = debonding.map(|(to, d)| Entry::new(to, &d.shares, &d.pool, Some(d.debond_end_time))).collect();
    let available = &state.account.general.balance;
    let (active_sum, debonding_sum) = (sum(&active), sum(&debonding));
    line!(out, "{prefix}Total: {}", network.amount(&available.plus(&active_sum).plus(&debonding_sum)));
    line!(out, "{prefix}Available: {}", network.amount(available));
    let inner = format!("{prefix}  ");
    for (name, list, sum) in [("Active", active, active_sum), ("Debonding", debonding, debonding_sum)] {
        if !list.is_empty() {
            line!(out, "{prefix}{name} Delegations from this Account:");
            line!(out, "{inner}Total: {}", network.amount(&sum));
            entries(list, "To:", state, network, &inner, out);
        }
    }
}

fn sum(list: &[Entry]) -> Quantity {
    list.iter().fold(Quantity::ZERO, |sum, entry| sum.plus(&entry.amount))
}

/// Source: go/oasis-node/cmd/stake/delegations.go, `prettyPrintDelegationsTo`.
fn pool(pool: &SharePool, list: Vec<Entry>, state: &AccountState, network: &Network, out: &mut String) {
    line!(out, "  Total: {} ({} shares)", network.amount(&pool.balance), pool.total_shares);
    entries(list, "From:", state, network, "  ", out);
}

/// Those that end first, then those of more, then by address.
///
/// Source: go/oasis-node/cmd/stake/delegations.go, `prettyPrintDelegationDescriptions`, `byEndTimeAmountAddress`.
fn entries(mut list: Vec<Entry>, name: &str, state: &AccountState, network: &Network, prefix: &str, out: &mut String) {
    list.sort_by_cached_key(|e| (e.end, Reverse(e.amount.clone()), e.address.to_string()));
    let width = if list.iter().any(|e| e.end.is_some()) { DEBONDING_WIDTH } else { ACTIVE_WIDTH };
    line!(out, "{prefix}Delegations:");
    for entry in &list {
        line!(out, "{prefix}  - {name:width$} {}{}", entry.address, own(state, &entry.address));
        line!(out, "{prefix}    {:width$} {} ({} shares)", "Amount:", network.amount(&entry.amount), entry.shares);
        if let Some(end) = entry.end {
            line!(out, "{prefix}    {:width$} epoch {end}", "End Time:");
        }
    }
}

fn own(state: &AccountState, address: &Address) -> &'static str {
    if *address == state.address { " (self)" } else { "" }
}

/// Source: go/oasis-node/cmd/stake/allowances.go, `prettyPrintAllowances`.
fn allowances(state: &AccountState, network: &Network, prefix: &str, out: &mut String) {
    let mut list: Vec<_> = state.account.general.allowances.iter().collect();
    let total = list.iter().fold(Quantity::ZERO, |sum, (_, amount)| sum.plus(amount));
    list.sort_by_cached_key(|(beneficiary, amount)| (Reverse((*amount).clone()), beneficiary.to_string()));
    line!(out, "{prefix}Total: {}", network.amount(&total));
    line!(out, "{prefix}Allowances:");
    for (beneficiary, amount) in list {
        line!(out, "{prefix}  - {:ALLOWANCE_WIDTH$} {beneficiary}{}", "Beneficiary:", own(state, beneficiary));
        line!(out, "{prefix}    {:ALLOWANCE_WIDTH$} {}", "Amount:", network.amount(amount));
    }
}

/// In the order of their names; the original has no order.
///
/// Source: go/staking/api/api.go, `StakeAccumulator.PrettyPrint`, `StakeThreshold.PrettyPrint`.
fn claims(accumulator: &StakeAccumulator, prefix: &str, out: &mut String) {
    line!(out, "{prefix}Claims:");
    for (name, thresholds) in &accumulator.claims {
        line!(out, "{prefix}  - Name: {name}");
        for threshold in thresholds.iter() {
            line!(out, "{prefix}    Staking Thresholds:");
            match (&threshold.global, &threshold.constant) {
                (Some(kind), _) => line!(out, "{prefix}      - Global: {kind}"),
                (None, Some(amount)) => line!(out, "{prefix}      - Constant: {amount}"),
                (None, None) => line!(out, "{prefix}      - (malformed)"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::staking::{CommissionRateBoundStep, CommissionRateStep, StakeThreshold, ThresholdKind};

    /// What the original printed of such an account, with allowances and a schedule added after its code.
    const PRINTED: &str = "\
Account State for Height: 268
Balance:
  Total: 999.999988 TEST
  Available: 790.999987993 TEST
  Active Delegations from this Account:
    Total: 208.000000007 TEST
    Delegations:
      - To:     oasis1qryfv7039uhszcwp7swc2k3ese5m6upufstj5x4f
        Amount: 207.0 TEST (207000000000 shares)
      - To:     oasis1qr5rvek6wncauvj459aaq7y39fg86l75c5uprlle (self)
        Amount: 1.000000007 TEST (1000000007 shares)
  Debonding Delegations from this Account:
    Total: 1.0 TEST
    Delegations:
      - To:       oasis1qryfv7039uhszcwp7swc2k3ese5m6upufstj5x4f
        Amount:   1.0 TEST (1000000000 shares)
        End Time: epoch 9

Allowances for this Account:
  Total: 5.0 TEST
  Allowances:
    - Beneficiary: oasis1qryfv7039uhszcwp7swc2k3ese5m6upufstj5x4f
      Amount:      5.0 TEST

Active Delegations to this Account:
  Total: 1.000000007 TEST (1000000007 shares)
  Delegations:
    - From:   oasis1qr5rvek6wncauvj459aaq7y39fg86l75c5uprlle (self)
      Amount: 1.000000007 TEST (1000000007 shares)

Commission Schedule:
  Rates:
    (1) start: epoch 40
        rate:  50.0%
  Rate Bounds:
    (1) start:        epoch 40
        minimum rate: 10.0%
        maximum rate: 50.0%

Stake Accumulator:
  Claims:
    - Name: registry.RegisterEntity
      Staking Thresholds:
        - Global: entity

Nonce: 6
";

    #[test]
    fn an_account_is_shown_as_the_original_shows_it() {
        let own = Address::from_bech32("oasis1qr5rvek6wncauvj459aaq7y39fg86l75c5uprlle").unwrap();
        let other = Address::from_bech32("oasis1qryfv7039uhszcwp7swc2k3ese5m6upufstj5x4f").unwrap();
        let pool = |n: u64| SharePool { balance: n.into(), total_shares: n.into() };
        let mut state = AccountState { address: own, height: 268, ..Default::default() };
        state.account.general.balance = 790_999_987_993u64.into();
        state.account.general.nonce = 6;
        state.account.general.allowances.insert(other, 5_000_000_000u64.into());
        let escrow = &mut state.account.escrow;
        escrow.active = pool(1_000_000_007);
        escrow.commission_schedule.rates.push(CommissionRateStep { start: 40, rate: 50_000u64.into() });
        let bound = CommissionRateBoundStep { start: 40, rate_min: 10_000u64.into(), rate_max: 50_000u64.into() };
        escrow.commission_schedule.bounds.push(bound);
        let claim = vec![StakeThreshold::global(ThresholdKind::ENTITY)];
        escrow.stake_accumulator.add_claim_unchecked("registry.RegisterEntity", claim.into());
        let mine = Delegation { shares: 1_000_000_007u64.into() };
        state.delegations.insert(own, DelegationInfo::new(mine.clone(), pool(1_000_000_007)));
        state.delegations.insert(other, DelegationInfo::new(Delegation { shares: 207_000_000_000u64.into() }, pool(207_000_000_000)));
        let ending = DebondingDelegation { shares: 1_000_000_000u64.into(), debond_end_time: 9 };
        state.debonding.insert(other, vec![DebondingDelegationInfo::new(ending, pool(1_000_000_000))]);
        state.delegations_to.insert(own, mine);
        let network = Network { symbol: "TEST".into(), exponent: 9, genesis: None };
        assert_eq!(account_state(&state, &network), PRINTED);
    }
}
