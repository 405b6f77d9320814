//! Transactions with what came of them.
//!
//! Source: go/consensus/api/api.go, `TransactionsWithResults`; go/consensus/api/transaction/results/results.go.

use oasis_consensus_types::{governance, registry, roothash, staking};
use oasis_primitives::cbor::{Cbor, NilVec};

/// The transactions of a block and their results, in the same order.
#[derive(Clone, Debug, Default, PartialEq, Cbor)]
pub struct TransactionsWithResults {
    /// The signed transactions.
    pub transactions: NilVec<Vec<u8>>,
    /// Their results.
    pub results: NilVec<TxResult>,
}

/// What came of a transaction.
#[derive(Clone, Debug, Default, PartialEq, Cbor)]
pub struct TxResult {
    /// Why it failed; empty where it did not.
    pub error: TxError,
    /// What it did.
    pub events: NilVec<TxEvent>,
}

/// Why a transaction failed.
#[derive(Clone, Debug, Default, PartialEq, Cbor)]
pub struct TxError {
    /// The module of the error.
    #[cbor(omitempty)]
    pub module: String,
    /// The code within the module, 0 for success.
    #[cbor(omitempty)]
    pub code: u32,
    /// The text.
    #[cbor(omitempty)]
    pub message: String,
}

/// An event of a transaction: exactly one of the kinds.
#[derive(Clone, Debug, Default, PartialEq, Cbor)]
pub struct TxEvent {
    /// About accounts.
    #[cbor(omitempty)]
    pub staking: Option<staking::Event>,
    /// About entities, nodes and runtimes.
    #[cbor(omitempty)]
    pub registry: Option<registry::Event>,
    /// About runtimes' rounds.
    #[cbor(omitempty)]
    pub roothash: Option<roothash::Event>,
    /// About proposals.
    #[cbor(omitempty)]
    pub governance: Option<governance::Event>,
}
