//! Transactions: decoding, checking, executing, estimating.
//!
//! Source: go/consensus/tendermint/abci/mux.go, `decodeTx`, `processTx`, `executeTx`, `EstimateGas`, `CheckTx`, `DeliverTx`.

use oasis_consensus_types::{
    consensus::{ERR_NO_COMMITTED_BLOCKS, ERR_OVERSIZED_TX, GAS_OP_TX_BYTE},
    errors::CodedError,
    transaction::{ERR_UPGRADE_PENDING, Fee, SIGNATURE_CONTEXT, SignedTransaction, Transaction},
};
use oasis_primitives::{
    address::Address,
    cbor,
    quantity::Quantity,
    signature::{AheadVerifier, BatchVerifier, PublicKey, SignatureRules, SignedBlob, UnpackedKeys, Verified},
};

use super::{Executor, VersionedTree, apps, inside::Inside};
use crate::{
    block::TxResult,
    context::{BlockContext, Context, Mode},
    error::{Error, Result},
    store::Store,
};

/// A transaction whose bytes were decoded and whose signature was checked, or why they were refused.
///
/// Decoding needs no state, so that it may run ahead of the blocks and on another core.
#[derive(Clone, Debug)]
pub struct PreparedTx {
    size: u64,
    outcome: Result<(Transaction, PublicKey), CodedError>,
    /// Of the signer's account, which every check and the execution need.
    address: Address,
}

impl PreparedTx {
    /// Decodes and checks one transaction.
    pub fn new(raw: &[u8], rules: &SignatureRules) -> Self {
        Preparer::new(rules).only(raw).0
    }

    /// The size of the encoded transaction, bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The transaction and its signer, where it is well-formed.
    pub fn transaction(&self) -> Result<&(Transaction, PublicKey), &CodedError> {
        self.outcome.as_ref()
    }
}

/// Prepares transactions together, their signatures verified in one batch.
pub struct Preparer<'a> {
    rules: &'a SignatureRules,
    pending: Vec<(u64, Result<SignedBlob, CodedError>)>,
    batch: BatchVerifier,
}

impl<'a> Preparer<'a> {
    /// Nothing to prepare yet.
    pub fn new(rules: &'a SignatureRules) -> Self {
        Self::with_keys(rules, UnpackedKeys::default())
    }

    /// Nothing to prepare yet; these keys need not be unpacked.
    pub fn with_keys(rules: &'a SignatureRules, keys: UnpackedKeys) -> Self {
        Self { rules, pending: Vec::new(), batch: BatchVerifier::with_keys(keys) }
    }

    /// Adds a transaction.
    pub fn push(&mut self, raw: &[u8]) {
        let signed = cbor::from_slice::<SignedTransaction>(raw).map(|tx| tx.0);
        match &signed {
            Ok(SignedBlob { blob, signature }) => {
                self.rules.add_to(&mut self.batch, &SIGNATURE_CONTEXT, &signature.public_key, blob, &signature.signature);
            }
            // Keeps the places of the batch those of the transactions.
            Err(_) => self.batch.push_invalid(),
        }
        self.pending.push((raw.len() as u64, signed.map_err(CodedError::from)));
    }

    /// Prepares one transaction, after which there is nothing to add; gives the keys for those to come too.
    pub fn only(mut self, raw: &[u8]) -> (PreparedTx, UnpackedKeys) {
        self.push(raw);
        let (mut txs, keys) = self.finish_with_keys();
        let none = || PreparedTx { size: 0, outcome: Err(CodedError::unknown("no transaction")), address: Address::default() };
        (txs.pop().unwrap_or_else(none), keys)
    }

    /// Checks the signatures and returns how each transaction came out, in order.
    pub fn finish(self) -> Vec<PreparedTx> {
        self.finish_with_keys().0
    }

    /// Checks the signatures and returns how each transaction came out, in order, and the keys for those to come.
    pub fn finish_with_keys(self) -> (Vec<PreparedTx>, UnpackedKeys) {
        let valid = self.batch.verify_each();
        let open = |signed: SignedBlob, valid: bool| {
            if !valid {
                return Err(CodedError::unknown("signed: signature verification failed"));
            }
            let tx: Transaction = signed.decode_unverified()?;
            tx.sanity_check()?;
            Ok((tx, signed.signature.public_key))
        };
        let prepared = |((size, signed), valid): ((u64, Result<SignedBlob, CodedError>), bool)| {
            let outcome = signed.and_then(|s| open(s, valid));
            let address = outcome.as_ref().map(|(_, signer)| Address::of_public_key(signer)).unwrap_or_default();
            PreparedTx { size, outcome, address }
        };
        (self.pending.into_iter().zip(valid).map(prepared).collect(), self.batch.into_keys())
    }
}

/// Verifies what well-formed transactions have inside, such as the commitments of executors, in one batch, for
/// [`Executor::set_verified`]. Gives the signatures that hold; the others are the execution's to refuse.
pub fn verify_inside<'a>(txs: impl IntoIterator<Item = &'a PreparedTx>, rules: &SignatureRules) -> Verified {
    let mut ahead = AheadVerifier::default();
    for (tx, _) in txs.into_iter().filter_map(|tx| tx.outcome.as_ref().ok()) {
        Inside::add(tx, rules, &mut ahead);
    }
    ahead.finish()
}

impl<T: VersionedTree> Executor<T> {
    /// Executes a transaction of the block.
    ///
    /// A refused transaction is a result; an error is fatal.
    pub fn deliver_tx(&mut self, tx: &PreparedTx) -> Result<TxResult> {
        let env = self.env(self.block_time);
        let mut ctx = Context::new(&mut self.store, &mut self.block, &env, Mode::DeliverTx);
        let result = if self.halted { Err(Error::unknown("halt mode, rejecting all transactions")) } else { execute(&mut ctx, tx) };
        result_of(ctx, result)
    }

    /// Checks a transaction for the mempool, against the last committed state and what earlier checks changed in it.
    pub fn check_tx(&mut self, tx: &PreparedTx) -> Result<TxResult> {
        let env = self.env(self.last_time);
        let pending = match &self.block.upgrader {
            Some(upgrader) => upgrader.has_pending_at(self.last_height.saturating_add(1)),
            None => false,
        };
        let halted = self.halted;
        let state = self.check_state();
        let mut ctx = Context::new(&mut state.store, &mut state.block, &env, Mode::CheckTx);
        let result = if halted {
            Err(Error::unknown("halt mode, rejecting all transactions"))
        } else if pending && tx.outcome.is_ok() {
            Err(ERR_UPGRADE_PENDING.into())
        } else {
            execute(&mut ctx, tx)
        };
        let mut result = result_of(ctx, result)?;
        // A check reports neither events nor output.
        result.events.clear();
        result.data.clear();
        Ok(result)
    }

    /// Estimates the gas that a transaction needs, as if `caller` had signed it; the fee in it does not count.
    pub fn estimate_gas(&self, caller: PublicKey, tx: &Transaction) -> Result<u64> {
        if self.last_height < self.config.initial_height {
            return Err(ERR_NO_COMMITTED_BLOCKS.into());
        }
        let mut tx = tx.clone();
        tx.fee = Some(Fee { amount: Quantity::from(u64::MAX), gas: u64::MAX });
        let signed = SignedBlob { blob: cbor::to_vec(&tx).into(), ..SignedBlob::default() };
        let size = cbor::to_vec(&signed).len() as u64;

        let mut store = Store::new(self.tree.snapshot());
        let mut block = BlockContext::default();
        let env = self.env(self.last_time);
        let mut ctx = Context::new(&mut store, &mut block, &env, Mode::Simulate);
        ctx.set_tx_signer(caller);
        match process(&mut ctx, &tx, size) {
            // What the transaction would fail of does not matter here.
            Err(error) if error.is_fatal() => Err(error),
            _ => Ok(ctx.gas_used()),
        }
    }
}

fn execute(ctx: &mut Context<'_>, tx: &PreparedTx) -> Result<()> {
    if ctx.env.params.max_tx_size > 0 && tx.size > ctx.env.params.max_tx_size {
        return Err(ERR_OVERSIZED_TX.into());
    }
    let (transaction, signer) = tx.outcome.as_ref().map_err(|e| Error::Failed(e.clone()))?;
    ctx.set_tx_signer_at(*signer, tx.address);
    process(ctx, transaction, tx.size)
}

fn process(ctx: &mut Context<'_>, tx: &Transaction, size: u64) -> Result<()> {
    let app = apps::of_method(&tx.method).ok_or_else(|| Error::unknown(format!("mux: unknown method: {}", tx.method)))?;
    // Critical methods pay no fee, so that they always find room.
    if !apps::is_critical(&tx.method) {
        crate::staking::authenticate_tx(ctx, tx)?;
    }
    let env = ctx.env;
    ctx.use_gas(size, GAS_OP_TX_BYTE, &env.params.gas_costs)?;
    app.execute_tx(ctx, tx)?;
    crate::staking::post_execute_tx(ctx, tx)
}

fn result_of(ctx: Context<'_>, result: Result<()>) -> Result<TxResult> {
    let (gas_wanted, gas_used) = (ctx.gas.wanted(), ctx.gas_used());
    let events = ctx.events;
    match result {
        // The encoding of null: no method has an output.
        Ok(()) => Ok(TxResult { data: vec![0xf6], events, gas_wanted, gas_used, ..TxResult::default() }),
        Err(Error::Failed(e)) => Ok(TxResult {
            module: e.module.into_owned(),
            code: e.code,
            message: e.message.into_owned(),
            data: Vec::new(),
            events,
            gas_wanted,
            gas_used,
        }),
        Err(fatal) => Err(fatal),
    }
}
