//! Batches as the proposer signs them.
//!
//! Source: go/roothash/api/commitment/txnscheduler.go.

use oasis_primitives::{
    cbor::{self, Cbor, NilVec},
    hash::Hash,
    json::Json,
    namespace::Namespace,
    signature::{Context, ContextError, Signature, SignatureRules, SignedBlob},
};

use super::{super::block::Header, ComputeBody};

/// The context under which batches are signed, for a runtime and a chain.
pub const PROPOSED_BATCH_CONTEXT: Context =
    Context::new("oasis-core/roothash: proposed batch").with_chain_separation().with_dynamic_suffix(" for runtime ", 64);

/// What the proposer sends to the executors.
///
/// Source: go/roothash/api/commitment/txnscheduler.go, `ProposedBatch`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct ProposedBatch {
    /// Root of the inputs.
    pub io_root: Hash,
    /// Storage receipts of the inputs.
    pub storage_signatures: NilVec<Signature>,
    /// Header of the block that the batch follows.
    pub header: Header,
}

/// A batch, signed by the proposer.
///
/// Source: go/roothash/api/commitment/txnscheduler.go, `SignedProposedBatch`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
#[cbor(transparent)]
pub struct SignedProposedBatch(pub SignedBlob);

impl SignedProposedBatch {
    /// The signature's context.
    pub fn context(runtime_id: &Namespace) -> Result<Context, ContextError> {
        PROPOSED_BATCH_CONTEXT.with_suffix(&runtime_id.to_string())
    }

    /// Checks the signature and decodes the batch.
    pub fn open(&self, rules: &SignatureRules, runtime_id: &Namespace) -> Result<ProposedBatch, String> {
        let context = Self::context(runtime_id).map_err(|e| e.to_string())?;
        self.0.open(rules, &context).map_err(|e| e.to_string())
    }
}

impl ComputeBody {
    /// Whether the proposer signed the batch that these results name, to follow the block with the given header.
    ///
    /// Source: go/roothash/api/commitment/executor.go, `ComputeBody.VerifyTxnSchedSignature`.
    pub fn verify_txn_sched_signature(&self, rules: &SignatureRules, runtime_id: &Namespace, header: &Header) -> bool {
        let batch = ProposedBatch { io_root: self.input_root, storage_signatures: self.input_storage_sigs.clone(), header: header.clone() };
        SignedProposedBatch::context(runtime_id).is_ok_and(|context| self.txn_sched_sig.verify(rules, &context, &cbor::to_vec(&batch)))
    }
}
