//! Transactions on their way: nonce, fee, funds for it, signature, and what came of them.

use std::{collections::BTreeMap, fmt, time::Duration};

use oasis_consensus_types::{
    consensus::ERR_NO_COMMITTED_BLOCKS,
    errors::Code,
    staking::{METHOD_TRANSFER, Transfer},
    transaction::{ERR_INVALID_NONCE, ERR_UPGRADE_PENDING, Fee, SignedTransaction, Transaction},
};
use oasis_node_service::grpc::{ApiError, GrpcCode};
use oasis_primitives::{
    address::Address,
    cbor::{self, Cbor, Decode, Encode},
    drbg,
    quantity::Quantity,
    signature::{ChainContext, MemorySigner, PublicKey, Signer as _},
};

use crate::{Random, world::World};

/// The latest height. Source: go/consensus/api/api.go, `HeightLatest`.
pub const LATEST: i64 = 0;
/// How long a transaction is tried again that may be good in the next block.
///
/// Source: go/consensus/api/submission.go, `maxSubmissionRetryElapsedTime`, `maxSubmissionRetryInterval`.
const RETRY_FOR: Duration = Duration::from_secs(60);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// Why a workload ended early.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The node refused what it was to take.
    #[error("{what}: {error}")]
    Refused {
        /// The call or the transaction's method.
        what: String,
        /// Why.
        error: ApiError,
    },
    /// An answer that can't be read.
    #[error("{0}: the answer can't be read: {1}")]
    Answer(String, cbor::Error),
    /// The node's answers contradict each other, or what was done.
    #[error("{0}")]
    Unexpected(String),
    /// What was asked for can't be done.
    #[error("{0}")]
    Asked(String),
    /// No more random numbers.
    #[error("seed: {0}")]
    Random(#[from] drbg::Error),
}

impl Error {
    /// Whether the node was away, as it is while it starts.
    pub fn is_unavailable(&self) -> bool {
        matches!(self, Self::Refused { error, .. } if error.grpc == GrpcCode::Unavailable)
    }
}

/// What came of transactions, by their method.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Transactions in blocks.
    pub accepted: BTreeMap<String, u64>,
    /// Transactions that were refused, as they had to be.
    pub refused: BTreeMap<String, u64>,
    /// Calls for something else.
    pub queries: u64,
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |counts: &BTreeMap<String, u64>| {
            let sum: u64 = counts.values().sum();
            let each: Vec<String> = counts.iter().map(|(what, count)| format!("{what} {count}")).collect();
            if each.is_empty() { sum.to_string() } else { format!("{sum} ({})", each.join(", ")) }
        };
        write!(f, "in blocks {}, refused as expected {}, queries {}", list(&self.accepted), list(&self.refused), self.queries)
    }
}

/// Source: go/consensus/api/api.go, `GetSignerNonceRequest`.
#[derive(Clone, Debug, Default, Cbor)]
struct SignerNonceRequest {
    account_address: Address,
    height: i64,
}

/// Source: go/consensus/api/api.go, `EstimateGasRequest`.
#[derive(Clone, Debug, Default, Cbor)]
struct EstimateGasRequest {
    signer: PublicKey,
    transaction: Option<Transaction>,
}

/// Whether an error is a registered one.
pub fn is(error: &ApiError, code: Code) -> bool {
    let expected = ApiError::from(oasis_consensus_types::errors::CodedError::from(code));
    (error.module.as_str(), error.code) == (expected.module.as_str(), expected.code)
}

/// A workload's means.
pub struct Session<'a> {
    /// The node and the time.
    pub world: &'a mut dyn World,
    /// What decides.
    pub random: Random,
    /// What came of it so far.
    pub counts: Counts,
    chain: ChainContext,
    gas_price: u64,
    funding: MemorySigner,
}

impl<'a> Session<'a> {
    /// A session in which `funding` pays.
    pub fn new(world: &'a mut dyn World, random: Random, chain: ChainContext, gas_price: u64, funding: MemorySigner) -> Self {
        Self { world, random, counts: Counts::default(), chain, gas_price, funding }
    }

    /// The key that pays.
    pub fn funding(&self) -> &MemorySigner {
        &self.funding
    }

    /// The network.
    pub fn chain(&self) -> &ChainContext {
        &self.chain
    }

    /// What a transaction costs that needs some gas.
    pub fn fee(&self, gas: u64) -> Fee {
        Fee { amount: Quantity::from(gas).times(&Quantity::from(self.gas_price)), gas }
    }

    /// Asks the node; the method is `SERVICE/METHOD`.
    pub fn ask<Q: Encode + ?Sized, A: Decode>(&mut self, method: &str, request: &Q) -> Result<A, Error> {
        self.counts.queries += 1;
        ask(self.world, method, request)
    }

    /// The next nonce of an account.
    pub fn nonce(&mut self, signer: &MemorySigner) -> Result<u64, Error> {
        let account_address = Address::of_public_key(&signer.public_key());
        ask(self.world, "Consensus/GetSignerNonce", &SignerNonceRequest { account_address, height: LATEST })
    }

    /// The gas that a transaction needs.
    pub fn estimate_gas(&mut self, signer: &MemorySigner, transaction: Transaction) -> Result<u64, Error> {
        let request = EstimateGasRequest { signer: signer.public_key(), transaction: Some(transaction) };
        ask(self.world, "Consensus/EstimateGas", &request)
    }

    /// Signs.
    pub fn sign(&self, signer: &MemorySigner, transaction: &Transaction) -> Result<SignedTransaction, Error> {
        SignedTransaction::sign(signer, &self.chain, transaction).map_err(|e| Error::Unexpected(e.to_string()))
    }

    /// Submits, and waits for a block.
    pub fn submit(&mut self, signed: &SignedTransaction) -> Result<(), ApiError> {
        self.world.call(("oasis-core.Consensus/SubmitTx".to_owned(), cbor::to_vec(signed))).map(drop)
    }

    /// Gives a transaction its nonce, signs and submits it; again where its nonce was taken meanwhile.
    ///
    /// Source: go/consensus/api/submission.go, `SignAndSubmitTx`.
    fn send(&mut self, signer: &MemorySigner, mut transaction: Transaction) -> Result<(), Error> {
        let (mut waited, mut pause) = (Duration::ZERO, FIRST_PAUSE);
        loop {
            transaction.nonce = self.nonce(signer)?;
            if transaction.fee.is_none() {
                let gas = self.estimate_gas(signer, transaction.clone())?;
                transaction.fee = Some(self.fee(gas));
            }
            let signed = self.sign(signer, &transaction)?;
            let Err(error) = self.submit(&signed) else {
                *self.counts.accepted.entry(transaction.method).or_default() += 1;
                return Ok(());
            };
            let again = [ERR_UPGRADE_PENDING, ERR_INVALID_NONCE, ERR_NO_COMMITTED_BLOCKS].into_iter().any(|code| is(&error, code));
            if !again || waited >= RETRY_FOR || self.world.is_over() {
                return Err(Error::Refused { what: transaction.method, error });
            }
            self.world.pause(pause);
            waited += pause;
            pause = (pause * 3 / 2).min(LONGEST_PAUSE);
        }
    }

    /// Moves tokens of the paying account.
    pub fn fund(&mut self, to: Address, amount: &Quantity) -> Result<(), Error> {
        let funding = self.funding.clone();
        let body = Transfer { to, amount: amount.clone() };
        self.send(&funding, Transaction::new(0, None, METHOD_TRANSFER, &body))
    }

    /// Pays for a transaction, and submits it.
    ///
    /// Source: go/oasis-node/cmd/debug/txsource/workload/workload.go, `FundSignAndSubmitTx`.
    pub fn fund_and_submit<T: Encode>(&mut self, signer: &MemorySigner, method: &str, body: &T) -> Result<(), Error> {
        let mut transaction = Transaction::new(0, None, method, body);
        let gas = self.estimate_gas(signer, transaction.clone())?;
        let fee = self.fee(gas);
        self.fund(Address::of_public_key(&signer.public_key()), &fee.amount)?;
        transaction.fee = Some(fee);
        let address = Address::of_public_key(&signer.public_key());
        self.world.say(format_args!("{method} by {address}"));
        self.send(signer, transaction)
    }

    /// Notes that the node refused what it had to; another answer is an error.
    pub fn expect_refusal(&mut self, what: &str, result: Result<(), ApiError>, expected: &[(&str, u32)]) -> Result<(), Error> {
        let wanted = || expected.iter().map(|(module, code)| format!("{module} {code}")).collect::<Vec<_>>().join(" or ");
        match result {
            Ok(()) => Err(Error::Unexpected(format!("{what}: expected a refusal with {}, but it was accepted", wanted()))),
            Err(error) if expected.contains(&(error.module.as_str(), error.code)) => {
                self.world.say(format_args!("{what}: refused with {:?} {}: {error}", error.module, error.code));
                *self.counts.refused.entry(what.to_owned()).or_default() += 1;
                Ok(())
            }
            Err(error) => Err(Error::Unexpected(format!(
                "{what}: expected a refusal with {}, found {:?} {}: {error}",
                wanted(),
                error.module,
                error.code
            ))),
        }
    }
}

/// Asks a node; the method is `SERVICE/METHOD`.
pub fn ask<Q: Encode + ?Sized, A: Decode>(world: &mut dyn World, method: &str, request: &Q) -> Result<A, Error> {
    let answer = world.call((format!("oasis-core.{method}"), cbor::to_vec(request)));
    let answer = answer.map_err(|error| Error::Refused { what: method.to_owned(), error })?;
    cbor::from_slice_higher_limits(&answer).map_err(|e| Error::Answer(method.to_owned(), e))
}
