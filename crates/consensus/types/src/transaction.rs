//! Transactions, their fees and gas.
//!
//! Source: go/consensus/api/transaction/{transaction,gas}.go.

use std::collections::BTreeMap;

use oasis_primitives::{
    cbor::{self, Cbor, Encode, RawCbor},
    hash::Hash,
    json::Json,
    quantity::Quantity,
    signature::{ChainContext, Context, OpenError, SignError, SignatureRules, SignedBlob, Signer},
};

use crate::errors::{Code, CodedError};

/// The nonce is not the account's.
pub const ERR_INVALID_NONCE: Code = Code::new("consensus/transaction", 1, "transaction: invalid nonce");
/// The balance does not cover the fee.
pub const ERR_INSUFFICIENT_FEE_BALANCE: Code = Code::new("consensus/transaction", 2, "transaction: insufficient balance to pay fees");
/// The gas price is below the node's minimum.
pub const ERR_GAS_PRICE_TOO_LOW: Code = Code::new("consensus/transaction", 3, "transaction: gas price too low");
/// An upgrade is pending in this block; try again after it.
pub const ERR_UPGRADE_PENDING: Code = Code::new("consensus/transaction", 4, "transaction: upgrade pending");
/// The method is not supported.
pub const ERR_METHOD_NOT_SUPPORTED: Code = Code::new("consensus/transaction", 5, "transaction: method not supported");

/// The context under which transactions are signed, with chain separation.
pub const SIGNATURE_CONTEXT: Context = Context::new("oasis-core/consensus: tx").with_chain_separation();

/// Amounts of gas.
pub type Gas = u64;

/// Gas costs by operation.
pub type Costs = BTreeMap<String, Gas>;

/// What the sender pays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct Fee {
    /// Fee in base units.
    pub amount: Quantity,
    /// The most gas that the transaction may use.
    pub gas: Gas,
}

impl Fee {
    /// Base units a unit of gas, rounded down.
    pub fn gas_price(&self) -> Quantity {
        self.amount.checked_div(&Quantity::from(self.gas)).unwrap_or_default()
    }
}

/// An unsigned transaction.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor)]
pub struct Transaction {
    /// The sender's transactions so far.
    pub nonce: u64,
    /// The fee, if any.
    #[cbor(omitempty)]
    pub fee: Option<Fee>,
    /// The method, such as `staking.Transfer`.
    pub method: String,
    /// The method's arguments, encoded.
    #[cbor(omitempty)]
    pub body: RawCbor,
}

impl Transaction {
    /// A transaction with an encoded body.
    pub fn new<T: Encode>(nonce: u64, fee: Option<Fee>, method: &str, body: &T) -> Self {
        Self { nonce, fee, method: method.to_owned(), body: RawCbor(cbor::to_vec(body)) }
    }

    /// Decodes the arguments; a missing body gives the zero value, as a Go nil slice does.
    ///
    /// Source: go/common/cbor/cbor.go, `Unmarshal`: a nil slice decodes as success.
    pub fn body<T: cbor::Decode>(&self) -> Result<T, cbor::Error> {
        cbor::from_nil_slice((!self.body.0.is_empty()).then_some(self.body.0.as_slice()))
    }

    /// Source: go/consensus/api/transaction/transaction.go, `MethodName.SanityCheck`.
    pub fn sanity_check(&self) -> Result<(), CodedError> {
        if self.method.is_empty() {
            return Err(CodedError::unknown("transaction: empty method"));
        }
        Ok(())
    }
}

/// A signed transaction, as blocks hold it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor)]
#[cbor(transparent)]
pub struct SignedTransaction(pub SignedBlob);

impl SignedTransaction {
    /// Signs a transaction for a network.
    pub fn sign(signer: &dyn Signer, chain: &ChainContext, tx: &Transaction) -> Result<Self, SignError> {
        SignedBlob::sign(signer, &SIGNATURE_CONTEXT, chain, tx).map(Self)
    }

    /// Verifies the signature and decodes the transaction.
    pub fn open(&self, rules: &SignatureRules) -> Result<Transaction, OpenError> {
        self.0.open(rules, &SIGNATURE_CONTEXT)
    }

    /// The hash of the encoded signed transaction.
    pub fn hash(&self) -> Hash {
        Hash::of_cbor(self)
    }
}
