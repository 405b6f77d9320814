//! Many transfers at once.
//!
//! Source: go/oasis-node/cmd/debug/txsource/workload/parallel.go.

use std::time::Duration;

use oasis_consensus_types::{staking::METHOD_TRANSFER, transaction::Transaction};
use oasis_primitives::{address::Address, cbor, quantity::Quantity, signature::Signer as _};

use super::{accounts, again, transfer_to};
use crate::session::{Error, Session};

const ACCOUNTS: usize = 200;
const AMOUNT: u64 = 100;
/// Transfers of an account that are paid for at once.
const PAID_AHEAD: u64 = 10;
const PAUSE: Duration = Duration::from_secs(60);

pub fn run(session: &mut Session<'_>) -> Result<(), Error> {
    let funding = session.funding().clone();
    let sample = transfer_to(Address::of_public_key(&funding.public_key()), AMOUNT);
    let gas = session.estimate_gas(&funding, Transaction::new(0, None, METHOD_TRANSFER, &sample))?;
    let fee = session.fee(gas);
    let ahead = fee.amount.times(&Quantity::from(PAID_AHEAD));
    let accounts = accounts(session, ACCOUNTS, &ahead.plus(&Quantity::from(AMOUNT)))?;
    // All have the same number of transfers, but for those of an earlier run.
    let mut nonces = accounts.iter().map(|(signer, _)| session.nonce(signer)).collect::<Result<Vec<u64>, _>>()?;
    for turn in 1u64.. {
        let mut calls = Vec::new();
        for ((signer, address), nonce) in accounts.iter().zip(&nonces) {
            let transaction = Transaction::new(*nonce, Some(fee.clone()), METHOD_TRANSFER, &transfer_to(*address, AMOUNT));
            calls.push(("oasis-core.Consensus/SubmitTx".to_owned(), cbor::to_vec(&session.sign(signer, &transaction)?)));
        }
        for (answer, nonce) in session.world.call_all(calls).into_iter().zip(&mut nonces) {
            answer.map_err(|error| Error::Refused { what: METHOD_TRANSFER.to_owned(), error })?;
            *nonce += 1;
            *session.counts.accepted.entry(METHOD_TRANSFER.to_owned()).or_default() += 1;
        }
        session.world.say(format_args!("{ACCOUNTS} transfers at once"));
        if turn % PAID_AHEAD == 0 {
            for (_, address) in &accounts {
                session.fund(*address, &ahead)?;
            }
        }
        if !again(session, PAUSE) {
            break;
        }
    }
    Ok(())
}
