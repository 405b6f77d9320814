//! Signatures that stand inside of transactions, and need no state to be verified.
//!
//! Each is verified where the transaction is executed; here those that hold are found out before, many at a time. What is
//! not found here, or does not hold, is left to the execution, which gives the exact error.

use oasis_consensus_types::{
    entity::SignedEntity,
    keymanager::{METHOD_UPDATE_POLICY, POLICY_SIGNATURE_CONTEXT, SignedPolicySgx},
    node::MultiSignedNode,
    registry::{METHOD_REGISTER_ENTITY, METHOD_REGISTER_NODE, REGISTER_ENTITY_SIGNATURE_CONTEXT, REGISTER_NODE_SIGNATURE_CONTEXT},
    roothash::{
        Evidence, ExecutorCommit, METHOD_EVIDENCE, METHOD_EXECUTOR_COMMIT,
        commitment::{ComputeBody, ExecutorCommitment, SignedProposedBatch},
        receipt::RECEIPT_CONTEXT,
    },
    transaction::Transaction,
};
use oasis_primitives::{
    cbor::{self, Decode},
    namespace::Namespace,
    signature::{AheadVerifier, Context, Signature, SignatureRules, SignedBlob},
};

/// Signatures of one transaction that are verified ahead; more are left to the execution.
const MAX_PER_TRANSACTION: usize = 64;

/// Adds the signatures inside of transactions to a verification ahead.
pub(super) struct Inside<'a> {
    rules: &'a SignatureRules,
    ahead: &'a mut AheadVerifier,
    room: usize,
}

impl<'a> Inside<'a> {
    /// Adds those of one transaction.
    pub(super) fn add(tx: &Transaction, rules: &'a SignatureRules, ahead: &'a mut AheadVerifier) {
        let mut inside = Self { rules, ahead, room: MAX_PER_TRANSACTION };
        match tx.method.as_str() {
            METHOD_EXECUTOR_COMMIT => with_body(tx, |body: ExecutorCommit| {
                body.commits.iter().for_each(|commitment| inside.commitment(&body.id, commitment));
            }),
            METHOD_EVIDENCE => with_body(tx, |body: Evidence| inside.evidence(&body)),
            METHOD_REGISTER_ENTITY => with_body(tx, |signed: SignedEntity| inside.blob(&REGISTER_ENTITY_SIGNATURE_CONTEXT, &signed.0)),
            METHOD_REGISTER_NODE => with_body(tx, |MultiSignedNode(signed)| {
                inside.all(&REGISTER_NODE_SIGNATURE_CONTEXT, &signed.blob, &signed.signatures);
            }),
            METHOD_UPDATE_POLICY => with_body(tx, |signed: SignedPolicySgx| {
                inside.all(&POLICY_SIGNATURE_CONTEXT, &cbor::to_vec(&signed.policy), &signed.signatures);
            }),
            _ => {}
        }
    }

    fn all(&mut self, context: &Context, message: &[u8], signatures: &[Signature]) {
        for signature in signatures.iter().take(self.room) {
            self.ahead.push(self.rules, context, message, signature);
        }
        self.room = self.room.saturating_sub(signatures.len());
    }

    fn blob(&mut self, context: &Context, signed: &SignedBlob) {
        self.all(context, &signed.blob, std::slice::from_ref(&signed.signature));
    }

    /// The executor's signature, and the storage nodes' of the results. The proposer's covers the block before, the
    /// enclave's is by a key that the registry has: both need the state.
    fn commitment(&mut self, id: &Namespace, commitment: &ExecutorCommitment) {
        if let Ok(context) = ExecutorCommitment::context(id) {
            self.blob(&context, &commitment.0);
        }
        let receipts = commitment.0.decode_unverified().ok().filter(|body: &ComputeBody| !body.storage_signatures.is_empty());
        if let Some(body) = receipts {
            self.all(&RECEIPT_CONTEXT, &cbor::to_vec(&body.receipt_body(*id)), &body.storage_signatures);
        }
    }

    fn evidence(&mut self, evidence: &Evidence) {
        if let (Some(commits), Ok(context)) = (&evidence.equivocation_executor, ExecutorCommitment::context(&evidence.id)) {
            [&commits.commit_a, &commits.commit_b].into_iter().for_each(|commitment| self.blob(&context, &commitment.0));
        }
        if let (Some(batches), Ok(context)) = (&evidence.equivocation_batch, SignedProposedBatch::context(&evidence.id)) {
            [&batches.batch_a, &batches.batch_b].into_iter().for_each(|batch| self.blob(&context, &batch.0));
        }
    }
}

/// Hands on a body that decodes.
fn with_body<T: Decode>(tx: &Transaction, add: impl FnOnce(T)) {
    if let Ok(body) = tx.body() {
        add(body);
    }
}
