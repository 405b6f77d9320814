//! Transactions of executors.
//!
//! Source: go/consensus/tendermint/apps/roothash/transactions.go.

use oasis_consensus_types::{
    roothash::{
        ERR_INVALID_ARGUMENT, ERR_INVALID_RUNTIME, ERR_NO_EXECUTOR_POOL, ERR_PROPOSER_TIMEOUT_NOT_ALLOWED, ERR_RUNTIME_SUSPENDED,
        ExecutorCommit, ExecutorCommittedEvent, ExecutorProposerTimeoutRequest, GAS_OP_COMPUTE_COMMIT, GAS_OP_PROPOSER_TIMEOUT, HeaderType,
        METHOD_EVIDENCE, METHOD_EXECUTOR_COMMIT, METHOD_EXECUTOR_PROPOSER_TIMEOUT, Message, RuntimeState, commitment::CommitmentChecks,
    },
    scheduler::{Committee, CommitteeKind},
    transaction::Transaction,
};
use oasis_primitives::{
    namespace::Namespace,
    signature::{PublicKey, Signature, SignatureRules},
};

use super::{
    events, evidence,
    finalize::{emit_empty_block, try_finalize_block},
    messages, state,
};
use crate::{
    context::Context,
    error::{Error, Result},
    registry, scheduler,
};

/// Executes a transaction of the app.
///
/// Source: go/consensus/tendermint/apps/roothash/roothash.go, `ExecuteTx`.
pub fn execute_tx(ctx: &mut Context<'_>, tx: &Transaction) -> Result<()> {
    if state::reject_transactions(ctx.store)? {
        return Err(Error::unknown("roothash: refusing to process transactions, beacon failed"));
    }
    match tx.method.as_str() {
        METHOD_EXECUTOR_COMMIT => executor_commit(ctx, &tx.body()?),
        METHOD_EXECUTOR_PROPOSER_TIMEOUT => executor_proposer_timeout(ctx, &tx.body()?),
        METHOD_EVIDENCE => evidence::submit(ctx, &tx.body()?),
        _ => Err(ERR_INVALID_ARGUMENT.into()),
    }
}

/// The state of a runtime that has a committee.
///
/// Source: go/consensus/tendermint/apps/roothash/transactions.go, `getRuntimeState`.
pub(super) fn active_runtime_state(ctx: &Context<'_>, id: &Namespace) -> Result<RuntimeState> {
    let rt_state = state::runtime_state(ctx.store, id).map_err(|e| e.within("roothash: failed to fetch runtime state"))?;
    if rt_state.suspended {
        return Err(ERR_RUNTIME_SUSPENDED.into());
    }
    if rt_state.executor_pool.is_none() {
        return Err(ERR_NO_EXECUTOR_POOL.into());
    }
    Ok(rt_state)
}

/// A worker reports that the proposer does nothing: the round fails.
///
/// Source: go/consensus/tendermint/apps/roothash/transactions.go, `executorProposerTimeout`.
fn executor_proposer_timeout(ctx: &mut Context<'_>, request: &ExecutorProposerTimeoutRequest) -> Result<()> {
    if ctx.is_check_only() {
        return Ok(());
    }
    let params = state::consensus_parameters(ctx.store)?;
    ctx.use_gas(1, GAS_OP_PROPOSER_TIMEOUT, &params.gas_costs)?;
    if ctx.is_simulation() {
        return Ok(());
    }

    let mut rt_state = active_runtime_state(ctx, &request.id)?;
    let proposer_timeout = rt_state.runtime.txn_scheduler.proposer_timeout;
    if ctx.block_height() < rt_state.current_block_height.wrapping_add(proposer_timeout) {
        return Err(ERR_PROPOSER_TIMEOUT_NOT_ALLOWED.into());
    }
    let pool = rt_state.executor_pool.as_ref().ok_or(ERR_NO_EXECUTOR_POOL)?;
    pool.check_proposer_timeout(&rt_state.current_block.header, &ctx.tx_signer(), request.round)?;

    emit_empty_block(ctx, &mut rt_state, HeaderType::ROUND_FAILED);
    state::set_runtime_state(ctx.store, &rt_state);
    Ok(())
}

/// Adds executors' commitments; one that is wrong refuses all.
///
/// Source: go/consensus/tendermint/apps/roothash/transactions.go, `executorCommit`.
fn executor_commit(ctx: &mut Context<'_>, request: &ExecutorCommit) -> Result<()> {
    if ctx.is_check_only() {
        return Ok(());
    }
    let params = state::consensus_parameters(ctx.store)?;
    ctx.use_gas(1, GAS_OP_COMPUTE_COMMIT, &params.gas_costs)?;

    let mut rt_state = active_runtime_state(ctx, &request.id)?;
    let header = rt_state.current_block.header.clone();
    let pool = rt_state.executor_pool.as_mut().ok_or(ERR_NO_EXECUTOR_POOL)?;
    let mut checks = Checks { ctx, runtime_id: request.id };
    for commitment in &request.commits {
        pool.add_executor_commitment(&header, &mut checks, commitment)?;
    }
    // A simulation only counts gas.
    if ctx.is_simulation() {
        return Ok(());
    }

    try_finalize_block(ctx, &mut rt_state, false)?;
    state::set_runtime_state(ctx.store, &rt_state);
    for commitment in &request.commits {
        events::emit(ctx, &request.id, ExecutorCommittedEvent { commit: commitment.clone() });
    }
    Ok(())
}

/// What the state knows of a commitment's signers.
struct Checks<'a, 'b> {
    ctx: &'a mut Context<'b>,
    runtime_id: Namespace,
}

impl Checks<'_, '_> {
    fn committee(&self, kind: CommitteeKind) -> Result<Committee> {
        scheduler::state::committee(self.ctx.store, kind, &self.runtime_id)?.ok_or_else(|| ERR_INVALID_RUNTIME.into())
    }
}

impl CommitmentChecks for Checks<'_, '_> {
    type Error = Error;

    fn rules(&self) -> &SignatureRules {
        &self.ctx.env.rules
    }

    fn verify_committee_signatures(&mut self, kind: CommitteeKind, signatures: &[Signature]) -> Result<()> {
        if signatures.is_empty() {
            return Ok(());
        }
        let committee = self.committee(kind)?;
        let is_member = |s: &Signature| committee.members.iter().any(|m| m.public_key == s.public_key);
        if signatures.iter().all(is_member) {
            Ok(())
        } else {
            Err(Error::unknown("roothash: signature is not from a valid committee member"))
        }
    }

    fn verify_txn_scheduler_signer(&mut self, signature: &Signature, round: u64) -> Result<()> {
        let committee = self.committee(CommitteeKind::COMPUTE_EXECUTOR)?;
        let scheduler = committee
            .transaction_scheduler(round)
            .ok_or_else(|| Error::unknown("roothash: error getting transaction scheduler: no workers in committee"))?;
        if scheduler.public_key == signature.public_key {
            Ok(())
        } else {
            Err(Error::unknown("roothash: signature is not from a valid transaction scheduler"))
        }
    }

    fn enclave_key(&mut self, node: &PublicKey, runtime_id: &Namespace) -> Result<Option<PublicKey>> {
        let node = registry::state::find_node(self.ctx.store, node)?;
        let runtime = node.as_ref().and_then(|n| n.runtime(runtime_id));
        Ok(runtime.and_then(|rt| rt.capabilities.tee.as_ref()).map(|tee| tee.rak))
    }

    fn validate_messages(&mut self, messages: &[Message]) -> Result<()> {
        messages::simulate(self.ctx, &self.runtime_id, messages)
    }
}
