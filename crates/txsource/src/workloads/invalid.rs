//! Transactions of every kind that a node must refuse, with the error that it must give. The original has no such workload.

use oasis_consensus_types::{
    governance::{METHOD_CAST_VOTE, METHOD_SUBMIT_PROPOSAL, ProposalContent, ProposalVote, UpgradeProposal, Vote},
    registry::{
        DeregisterEntity, METHOD_DEREGISTER_ENTITY, METHOD_REGISTER_ENTITY, METHOD_REGISTER_NODE, METHOD_REGISTER_RUNTIME,
        METHOD_UNFREEZE_NODE, UnfreezeNode,
    },
    roothash::{ExecutorCommit, METHOD_EXECUTOR_COMMIT},
    staking::{
        Allow, AmendCommissionSchedule, Burn, CommissionRateStep, CommissionSchedule, Escrow, METHOD_ADD_ESCROW, METHOD_ALLOW,
        METHOD_AMEND_COMMISSION_SCHEDULE, METHOD_BURN, METHOD_RECLAIM_ESCROW, METHOD_TRANSFER, METHOD_WITHDRAW, ReclaimEscrow, Withdraw,
    },
    transaction::{Fee, SignedTransaction, Transaction},
    upgrade::{DESCRIPTOR_VERSION, Descriptor},
};
use oasis_node_service::grpc::ApiError;
use oasis_primitives::{
    address::Address,
    cbor::Encode,
    namespace::Namespace,
    quantity::Quantity,
    signature::{ChainContext, MemorySigner, Signer as _},
    version::VERSIONS,
};

use super::{accounts, again, oversized, registration, transfer_to};
use crate::session::{Error, Session};

const ACCOUNTS: usize = 5;
/// What each account has.
const BALANCE: u64 = 100_000_000;
/// More than any account has.
const TOO_MUCH: u64 = 1_000_000_000_000_000;
const GAS: u64 = 10_000;
/// The pause after each turn.
const PAUSE: std::time::Duration = std::time::Duration::from_millis(100);

/// Module and code of errors that are not registered.
const UNREGISTERED: (&str, u32) = ("", 0);

/// What is wrong with a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Signature,
    Network,
    Nonce,
    Fee,
    Method,
    Body,
    Size,
    Again,
    Transfer,
    Burn,
    Escrow,
    Reclaim,
    OwnAllowance,
    Withdraw,
    Commission,
    Entity,
    Deregister,
    Node,
    Unfreeze,
    Runtime,
    Commitment,
    Upgrade,
    Proposal,
    Vote,
}

impl Fault {
    const ALL: [Self; 24] = [
        Self::Signature,
        Self::Network,
        Self::Nonce,
        Self::Fee,
        Self::Method,
        Self::Body,
        Self::Size,
        Self::Again,
        Self::Transfer,
        Self::Burn,
        Self::Escrow,
        Self::Reclaim,
        Self::OwnAllowance,
        Self::Withdraw,
        Self::Commission,
        Self::Entity,
        Self::Deregister,
        Self::Node,
        Self::Unfreeze,
        Self::Runtime,
        Self::Commitment,
        Self::Upgrade,
        Self::Proposal,
        Self::Vote,
    ];

    /// What it is called, and the errors with which it is refused.
    fn expected(self) -> (&'static str, &'static [(&'static str, u32)]) {
        match self {
            Self::Signature => ("a signature of something else", &[UNREGISTERED]),
            Self::Network => ("a signature for another network", &[UNREGISTERED]),
            Self::Nonce => ("a nonce in the future", &[("consensus/transaction", 1)]),
            Self::Fee => ("a fee beyond the balance", &[("consensus/transaction", 2)]),
            Self::Method => ("an unknown method", &[UNREGISTERED]),
            Self::Body => ("a body of another method", &[UNREGISTERED]),
            Self::Size => ("an oversized transaction", &[("consensus", 2)]),
            // In the memory of what was seen, or too late.
            Self::Again => ("a transaction that is in a block", &[("consensus", 5), ("consensus/transaction", 1)]),
            Self::Transfer => ("a transfer beyond the balance", &[UNREGISTERED]),
            Self::Burn => ("a burn beyond the balance", &[UNREGISTERED]),
            Self::Escrow => ("a delegation beyond the balance", &[UNREGISTERED]),
            Self::Reclaim => ("a reclaim of nothing", &[UNREGISTERED]),
            Self::OwnAllowance => ("an allowance for oneself", &[("staking", 1)]),
            Self::Withdraw => ("a withdrawal that nobody allowed", &[("staking", 5)]),
            Self::Commission => ("a commission schedule for the past", &[UNREGISTERED]),
            Self::Entity => ("an entity that another has signed", &[("registry", 2)]),
            Self::Deregister => ("the end of an entity that is not there", &[("registry", 9)]),
            Self::Node => ("a node of an unknown entity", &[("registry", 9)]),
            Self::Unfreeze => ("the end of an unknown node's freeze", &[("registry", 10)]),
            // Where the registration workload has run, the runtime is there.
            Self::Runtime => ("a runtime of another entity", &[("registry", 12), ("registry", 18)]),
            Self::Commitment => ("a commitment for an unknown runtime", &[("roothash", 3)]),
            Self::Upgrade => ("an upgrade that comes too soon", &[("governance", 2)]),
            Self::Proposal => ("a proposal of nothing", &[("governance", 1)]),
            Self::Vote => ("a vote on nothing", &[("governance", 6), ("registry", 10)]),
        }
    }
}

/// A transaction of an account, good but for its body.
fn signed<T: Encode>(session: &mut Session<'_>, signer: &MemorySigner, method: &str, body: &T) -> Result<SignedTransaction, Error> {
    let nonce = session.nonce(signer)?;
    let transaction = Transaction::new(nonce, Some(session.fee(GAS)), method, body);
    session.sign(signer, &transaction)
}

/// A key and its account.
type Account = (MemorySigner, Address);

/// A transaction with a fault.
fn faulty(session: &mut Session<'_>, fault: Fault, own: &Account, other: &Account) -> Result<SignedTransaction, Error> {
    let ((signer, own), (other_signer, other)) = (own, (&other.0, other.1));
    let much = Quantity::from(TOO_MUCH);
    let good = transfer_to(other, 1);
    let nonce = session.nonce(signer)?;
    let with = |nonce, fee| Transaction::new(nonce, Some(fee), METHOD_TRANSFER, &good);
    Ok(match fault {
        Fault::Signature => {
            let mut wrong = session.sign(signer, &with(nonce, session.fee(GAS)))?;
            wrong.0.signature.signature.0[10] ^= 1;
            wrong
        }
        Fault::Network => {
            let chain = ChainContext::new("0".repeat(64)).map_err(|e| Error::Unexpected(e.to_string()))?;
            SignedTransaction::sign(signer, &chain, &with(nonce, session.fee(GAS))).map_err(|e| Error::Unexpected(e.to_string()))?
        }
        Fault::Nonce => {
            let later = nonce + 1 + session.random.below(1000)?;
            session.sign(signer, &with(later, session.fee(GAS)))?
        }
        Fault::Fee => session.sign(signer, &with(nonce, Fee { amount: much, gas: GAS }))?,
        Fault::Method => signed(session, signer, "staking.NoSuchMethod", &good)?,
        Fault::Body => signed(session, signer, METHOD_TRANSFER, &"no transfer")?,
        Fault::Size => {
            let size = oversized::parameters(session)?.max_tx_size;
            let mut data = vec![0; usize::try_from(size).unwrap_or_default()];
            session.random.fill(&mut data)?;
            signed(session, signer, METHOD_TRANSFER, &data)?
        }
        Fault::Again => {
            let done = session.sign(signer, &with(nonce, session.fee(GAS)))?;
            session.submit(&done).map_err(|error| Error::Refused { what: METHOD_TRANSFER.to_owned(), error })?;
            *session.counts.accepted.entry(METHOD_TRANSFER.to_owned()).or_default() += 1;
            done
        }
        Fault::Transfer => signed(session, signer, METHOD_TRANSFER, &transfer_to(other, TOO_MUCH))?,
        Fault::Burn => signed(session, signer, METHOD_BURN, &Burn { amount: much })?,
        Fault::Escrow => signed(session, signer, METHOD_ADD_ESCROW, &Escrow { account: other, amount: much })?,
        Fault::Reclaim => signed(session, signer, METHOD_RECLAIM_ESCROW, &ReclaimEscrow { account: other, shares: Quantity::from(1u64) })?,
        Fault::OwnAllowance => {
            signed(session, signer, METHOD_ALLOW, &Allow { beneficiary: *own, negative: false, amount_change: Quantity::from(1u64) })?
        }
        Fault::Withdraw => signed(session, signer, METHOD_WITHDRAW, &Withdraw { from: other, amount: Quantity::from(1u64) })?,
        Fault::Commission => {
            let rates = vec![CommissionRateStep { start: 0, rate: Quantity::from(1u64) }];
            let amendment = CommissionSchedule { rates, bounds: Vec::new() };
            signed(session, signer, METHOD_AMEND_COMMISSION_SCHEDULE, &AmendCommissionSchedule { amendment })?
        }
        Fault::Entity => {
            let mut entity = registration::entity(signer, Vec::new(), &session.chain().clone())?;
            entity.0.signature.signature.0[10] ^= 1;
            signed(session, signer, METHOD_REGISTER_ENTITY, &entity)?
        }
        Fault::Deregister => signed(session, signer, METHOD_DEREGISTER_ENTITY, &DeregisterEntity {})?,
        Fault::Node => {
            let mut node = registration::node(&mut session.random, signer, 0)?;
            node.descriptor.expiration = 1_000;
            let descriptor = node.signed(&session.chain().clone())?;
            signed(session, signer, METHOD_REGISTER_NODE, &descriptor)?
        }
        Fault::Unfreeze => signed(session, signer, METHOD_UNFREEZE_NODE, &UnfreezeNode { node_id: signer.public_key() })?,
        Fault::Runtime => signed(session, signer, METHOD_REGISTER_RUNTIME, &registration::runtime(other_signer.public_key()))?,
        Fault::Commitment => {
            let mut nobody = Namespace::default();
            nobody.0[31] = 9;
            signed(session, signer, METHOD_EXECUTOR_COMMIT, &ExecutorCommit { id: nobody, ..ExecutorCommit::default() })?
        }
        Fault::Upgrade => {
            let descriptor = Descriptor { v: DESCRIPTOR_VERSION, handler: "too-soon".to_owned(), target: VERSIONS, epoch: 1 };
            let content = ProposalContent { upgrade: Some(UpgradeProposal { descriptor }), cancel_upgrade: None };
            signed(session, signer, METHOD_SUBMIT_PROPOSAL, &content)?
        }
        Fault::Proposal => signed(session, signer, METHOD_SUBMIT_PROPOSAL, &ProposalContent::default())?,
        Fault::Vote => signed(session, signer, METHOD_CAST_VOTE, &ProposalVote { id: u64::MAX, vote: Vote::YES })?,
    })
}

pub fn run(session: &mut Session<'_>) -> Result<(), Error> {
    let accounts = accounts(session, ACCOUNTS, &Quantity::from(BALANCE))?;
    loop {
        // Each fault once in every turn; what is wrong is told at its end.
        let mut wrong = Vec::new();
        for at in session.random.order(Fault::ALL.len())? {
            let Some(fault) = Fault::ALL.get(at).copied() else { continue };
            let order = session.random.order(accounts.len())?;
            let two = order.first().and_then(|at| accounts.get(*at)).zip(order.get(1).and_then(|at| accounts.get(*at)));
            let Some((own, other)) = two else { return Ok(()) };
            let transaction = faulty(session, fault, own, other)?;
            let result: Result<(), ApiError> = session.submit(&transaction);
            let (what, expected) = fault.expected();
            match session.expect_refusal(what, result, expected) {
                Err(Error::Unexpected(text)) => wrong.push(text),
                result => result?,
            }
            if !again(session, PAUSE) {
                break;
            }
        }
        if !wrong.is_empty() {
            return Err(Error::Unexpected(wrong.join("; ")));
        }
        if session.world.is_over() {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_has_a_name_and_an_error() {
        let mut names: Vec<&str> = Fault::ALL.iter().map(|fault| fault.expected().0).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Fault::ALL.len());
        assert!(Fault::ALL.iter().all(|fault| !fault.expected().1.is_empty()));
    }
}
