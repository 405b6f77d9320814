//! Transfers, burns, allowances, withdrawals.
//!
//! Source: go/oasis-node/cmd/debug/txsource/workload/transfer.go.

use std::collections::BTreeMap;

use oasis_consensus_types::staking::{
    Account, Allow, Burn, METHOD_ALLOW, METHOD_BURN, METHOD_TRANSFER, METHOD_WITHDRAW, OwnerQuery, Transfer, Withdraw,
};
use oasis_primitives::{
    address::Address,
    drbg,
    quantity::Quantity,
    signature::{MemorySigner, Signer as _},
};

use crate::{
    Random,
    session::{Error, LATEST, Session},
};

const ACCOUNTS: usize = 10;
const AMOUNT: u64 = 1;
const BURNT: u64 = 10;
const LARGEST_ALLOWANCE: u64 = 20;

/// What is known of the accounts, and what comes next.
#[derive(Default)]
struct Book {
    addresses: Vec<Address>,
    balances: Vec<Quantity>,
    /// By owner and beneficiary.
    allowances: BTreeMap<(usize, usize), Quantity>,
}

/// The account that signs, and what.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Choice {
    Transfer(usize, Transfer),
    Burn(usize, Burn),
    Allow(usize, Allow),
    Withdraw(usize, Withdraw),
    /// Nothing that would pass.
    Nothing,
}

impl Book {
    /// An account with a balance, and another.
    fn pair(&self, random: &mut Random, least: &Quantity) -> Result<Option<(usize, usize)>, drbg::Error> {
        let order = random.order(self.balances.len())?;
        let from = order.iter().position(|account| self.balances.get(*account).is_some_and(|balance| balance >= least));
        Ok(from.and_then(|at| Some((*order.get(at)?, *order.get((at + 1) % order.len())?))))
    }

    fn address(&self, account: usize) -> Address {
        self.addresses.get(account).copied().unwrap_or_default()
    }

    /// The next transaction; its effect is taken for granted.
    fn next(&mut self, random: &mut Random) -> Result<Option<Choice>, drbg::Error> {
        let one = Quantity::from(AMOUNT);
        Ok(match random.below(4)? {
            0 => self.pair(random, &one)?.map(|(from, to)| {
                self.move_tokens(from, to, &one);
                Choice::Transfer(from, Transfer { to: self.address(to), amount: one })
            }),
            1 => {
                let account = random.below(self.balances.len() as u64)? as usize;
                Some(Choice::Burn(account, Burn { amount: Quantity::from(BURNT) }))
            }
            2 => {
                let Some((owner, beneficiary)) = self.pair(random, &Quantity::ZERO)? else { return Ok(None) };
                let amount_change = Quantity::from(random.below_63(LARGEST_ALLOWANCE)?);
                let negative = random.below(2)? == 1;
                let allowance = self.allowances.entry((owner, beneficiary)).or_default();
                if negative {
                    allowance.sub_up_to(&amount_change);
                } else {
                    allowance.add(&amount_change);
                }
                Some(Choice::Allow(owner, Allow { beneficiary: self.address(beneficiary), negative, amount_change }))
            }
            _ => {
                let Some((from, to)) = self.pair(random, &one)? else { return Ok(None) };
                let allowance = self.allowances.get(&(from, to)).cloned().unwrap_or_default();
                if allowance.is_zero() {
                    return Ok(Some(Choice::Nothing));
                }
                let most = self.balances.get(from).cloned().unwrap_or_default().min(allowance.clone());
                let amount = Quantity::from(random.below_63(most.to_u64().unwrap_or(u64::MAX))?);
                self.move_tokens(from, to, &amount);
                if let Some(rest) = allowance.checked_sub(&amount) {
                    self.allowances.insert((from, to), rest);
                }
                Some(Choice::Withdraw(to, Withdraw { from: self.address(from), amount }))
            }
        })
    }

    fn move_tokens(&mut self, from: usize, to: usize, amount: &Quantity) {
        if let Some(balance) = self.balances.get_mut(from) {
            let _ = balance.sub(amount);
        }
        if let Some(balance) = self.balances.get_mut(to) {
            balance.add(amount);
        }
    }
}

pub fn run(session: &mut Session<'_>) -> Result<(), Error> {
    let signers = (0..ACCOUNTS).map(|_| session.random.signer()).collect::<Result<Vec<MemorySigner>, _>>()?;
    let mut book = Book { addresses: signers.iter().map(|s| Address::of_public_key(&s.public_key())).collect(), ..Book::default() };
    for owner in book.addresses.clone() {
        session.fund(owner, &Quantity::from(AMOUNT))?;
        let account: Account = session.ask("Staking/Account", &OwnerQuery { height: LATEST, owner })?;
        book.balances.push(account.general.balance);
    }
    loop {
        let choice = book.next(&mut session.random)?;
        let choice = choice.ok_or_else(|| Error::Unexpected("all accounts have gone broke".to_owned()))?;
        let signer = |account: usize| signers.get(account).ok_or_else(|| Error::Unexpected("no such account".to_owned()));
        match choice {
            Choice::Transfer(from, body) => session.fund_and_submit(signer(from)?, METHOD_TRANSFER, &body)?,
            Choice::Burn(account, body) => {
                session.fund(book.address(account), &body.amount)?;
                session.fund_and_submit(signer(account)?, METHOD_BURN, &body)?;
            }
            Choice::Allow(owner, body) => session.fund_and_submit(signer(owner)?, METHOD_ALLOW, &body)?,
            Choice::Withdraw(to, body) => session.fund_and_submit(signer(to)?, METHOD_WITHDRAW, &body)?,
            Choice::Nothing => {}
        }
        if session.world.is_over() {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choices(seed: &str) -> Vec<Choice> {
        let mut random = Random::new(seed, "transfer").unwrap();
        let addresses = (0..ACCOUNTS as u8).map(|n| Address([n; 21])).collect();
        let mut book = Book { addresses, balances: vec![Quantity::from(5u64); ACCOUNTS], ..Book::default() };
        let choices = (0..200).map(|_| book.next(&mut random).unwrap().unwrap()).collect();
        let sum = book.balances.iter().fold(Quantity::ZERO, |sum, balance| sum.plus(balance));
        assert_eq!(sum, Quantity::from(5 * ACCOUNTS as u64), "tokens only move");
        choices
    }

    #[test]
    fn a_seed_decides_what_is_sent() {
        let seed = crate::DEFAULT_SEED;
        assert_eq!(choices(seed), choices(seed));
        assert_ne!(choices(seed), choices("another seed of thirty-two bytes!"));
        let kinds: Vec<_> = choices(seed).iter().map(std::mem::discriminant).collect();
        let different = kinds.iter().enumerate().filter(|(at, kind)| !kinds[..*at].contains(kind)).count();
        assert_eq!(different, 5, "every kind comes");
    }

    #[test]
    fn nobody_withdraws_more_than_is_allowed_and_there() {
        let mut random = Random::new(crate::DEFAULT_SEED, "transfer").unwrap();
        let mut book = Book { addresses: vec![Address::default(); 2], balances: vec![Quantity::from(3u64); 2], ..Book::default() };
        for _ in 0..1000 {
            let before = (book.balances.clone(), book.allowances.clone());
            if let Some(Choice::Withdraw(to, body)) = book.next(&mut random).unwrap() {
                assert!(body.amount <= before.0[1 - to] && body.amount <= before.1[&(1 - to, to)]);
            }
        }
    }
}
