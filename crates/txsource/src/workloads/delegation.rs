//! Delegations that are added and reclaimed.
//!
//! Source: go/oasis-node/cmd/debug/txsource/workload/delegation.go.

use std::collections::BTreeMap;

use oasis_consensus_types::staking::{
    DebondingDelegation, Delegation, Escrow, METHOD_ADD_ESCROW, METHOD_RECLAIM_ESCROW, OwnerQuery, ReclaimEscrow,
};
use oasis_primitives::{
    address::Address,
    cbor::{NilMap, NilVec},
    quantity::Quantity,
    signature::MemorySigner,
};

use super::{PAUSE, accounts, again};
use crate::session::{Error, LATEST, Session};

const ACCOUNTS: usize = 10;
const AMOUNT: u64 = 100;

struct Delegator {
    signer: MemorySigner,
    address: Address,
    /// Whom it has delegated to.
    to: Option<Address>,
    /// Until when it waits for its tokens.
    debonds_at: u64,
}

pub fn run(session: &mut Session<'_>) -> Result<(), Error> {
    let accounts = accounts(session, ACCOUNTS, &Quantity::from(AMOUNT))?;
    let mut all: Vec<Delegator> =
        accounts.into_iter().map(|(signer, address)| Delegator { signer, address, to: None, debonds_at: 0 }).collect();
    loop {
        match session.random.below(2)? {
            0 => delegate(session, &mut all)?,
            _ => reclaim(session, &mut all)?,
        }
        if !again(session, PAUSE) {
            return Ok(());
        }
    }
}

/// The first in an order for whom something holds.
fn first<'a>(all: &'a mut [Delegator], order: &[usize], fits: impl Fn(&Delegator) -> bool) -> Option<&'a mut Delegator> {
    let found = order.iter().copied().find(|at| all.get(*at).is_some_and(&fits))?;
    all.get_mut(found)
}

fn delegate(session: &mut Session<'_>, all: &mut [Delegator]) -> Result<(), Error> {
    let epoch: u64 = session.ask("Beacon/GetEpoch", &LATEST)?;
    let order = session.random.order(all.len())?;
    let free = |delegator: &Delegator| delegator.to.is_none() && delegator.debonds_at < epoch;
    if first(all, &order, free).is_none() {
        session.world.say(format_args!("all accounts delegate, or wait for their tokens"));
        return Ok(());
    }
    let receiver = session.random.below(all.len() as u64)? as usize;
    let receiver = order.get(receiver).and_then(|at| all.get(*at)).map(|delegator| delegator.address);
    let (Some(account), Some(delegator)) = (receiver, first(all, &order, free)) else { return Ok(()) };
    delegator.to = Some(account);
    let body = Escrow { account, amount: Quantity::from(AMOUNT) };
    let signer = delegator.signer.clone();
    session.fund_and_submit(&signer, METHOD_ADD_ESCROW, &body)
}

fn reclaim(session: &mut Session<'_>, all: &mut [Delegator]) -> Result<(), Error> {
    let order = session.random.order(all.len())?;
    let Some(delegator) = first(all, &order, |delegator| delegator.to.is_some()) else {
        session.world.say(format_args!("no account delegates"));
        return Ok(());
    };
    let account = delegator.to.unwrap_or_default();
    let missing =
        |what: &str, owner: &Address| Error::Unexpected(format!("missing expected {what} by account {owner} in account {account}"));
    let query = OwnerQuery { height: LATEST, owner: delegator.address };
    let delegations: NilMap<Address, Delegation> = session.ask("Staking/DelegationsFor", &query)?;
    let shares = delegations.get(&account).ok_or_else(|| missing("delegation", &delegator.address))?.shares.clone();
    session.fund_and_submit(&delegator.signer.clone(), METHOD_RECLAIM_ESCROW, &ReclaimEscrow { account, shares })?;
    let debonding: BTreeMap<Address, NilVec<DebondingDelegation>> = session.ask("Staking/DebondingDelegationsFor", &query)?;
    let first = debonding.get(&account).and_then(|all| all.first());
    delegator.debonds_at = first.ok_or_else(|| missing("debonding delegation", &delegator.address))?.debond_end_time;
    delegator.to = None;
    Ok(())
}
