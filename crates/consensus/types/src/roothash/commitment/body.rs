//! The results of a round as an executor signs them.
//!
//! Source: go/roothash/api/commitment/executor.go.

use oasis_primitives::{
    cbor::{Cbor, NilVec},
    hash::Hash,
    json::Json,
    namespace::Namespace,
    signature::{Context, RawSignature, Signature},
};

use super::super::{
    block::Header,
    message::Message,
    receipt::{ReceiptBody, RootType},
};

/// The context under which an enclave signs the header of results; without chain separation.
pub const COMPUTE_RESULTS_HEADER_CONTEXT: Context = Context::new("oasis-core/roothash: compute results header");

/// The header of a round's results; the roots are absent where the node failed.
///
/// Source: go/roothash/api/commitment/executor.go, `ComputeResultsHeader`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct ComputeResultsHeader {
    /// The round, one more than the block's that it follows.
    pub round: u64,
    /// Hash of the header of the block that it follows.
    pub previous_hash: Hash,
    /// Root of the inputs and outputs.
    #[cbor(omitempty)]
    pub io_root: Option<Hash>,
    /// Root of the state.
    #[cbor(omitempty)]
    pub state_root: Option<Hash>,
    /// Hash of the messages.
    #[cbor(omitempty)]
    pub messages_hash: Option<Hash>,
}

impl ComputeResultsHeader {
    /// Whether the results follow the block with the header `previous`.
    ///
    /// Source: go/roothash/api/commitment/executor.go, `ComputeResultsHeader.IsParentOf`.
    pub fn follows(&self, previous: &Header) -> bool {
        self.round == previous.round.wrapping_add(1) && self.previous_hash == previous.encoded_hash()
    }

    /// The hash of the encoded header, by which results are compared and voted for.
    pub fn encoded_hash(&self) -> Hash {
        Hash::of_cbor(self)
    }
}

/// Why an executor has no results.
///
/// Source: go/roothash/api/commitment/executor.go, `ExecutorCommitmentFailure`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Cbor, Json)]
#[cbor(transparent)]
pub struct ExecutorCommitmentFailure(pub u8);

impl ExecutorCommitmentFailure {
    /// It has.
    pub const NONE: Self = Self(0);
    /// Some failure.
    pub const UNKNOWN: Self = Self(1);
    /// Storage was unavailable.
    pub const STORAGE_UNAVAILABLE: Self = Self(2);
}

/// The signed content of an executor's commitment.
///
/// Source: go/roothash/api/commitment/executor.go, `ComputeBody`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct ComputeBody {
    /// The header of the results.
    pub header: ComputeResultsHeader,
    /// Why there are none.
    #[cbor(omitempty)]
    pub failure: ExecutorCommitmentFailure,
    /// The proposer's signature of the batch.
    pub txn_sched_sig: Signature,
    /// Root of the batch.
    pub input_root: Hash,
    /// Storage receipts of the batch.
    pub input_storage_sigs: NilVec<Signature>,
    /// Storage receipts of the results.
    #[cbor(omitempty)]
    pub storage_signatures: Vec<Signature>,
    /// The enclave's signature of the header.
    #[cbor(omitempty)]
    pub rak_sig: Option<RawSignature>,
    /// Messages to the consensus layer, from the proposer only.
    #[cbor(omitempty)]
    pub messages: Vec<Message>,
}

impl ComputeBody {
    /// Marks the round as failed and drops its results.
    ///
    /// Source: go/roothash/api/commitment/executor.go, `ComputeBody.SetFailure`.
    pub fn set_failure(&mut self, failure: ExecutorCommitmentFailure) {
        self.header.io_root = None;
        self.header.state_root = None;
        self.header.messages_hash = None;
        self.storage_signatures.clear();
        self.rak_sig = None;
        self.messages.clear();
        self.failure = failure;
    }

    /// Whether the node reports a failure.
    pub fn is_failure(&self) -> bool {
        self.failure != ExecutorCommitmentFailure::NONE
    }

    /// Checks that results are all there, or all missing where the node failed.
    ///
    /// Source: go/roothash/api/commitment/executor.go, `ComputeBody.ValidateBasic`.
    pub fn validate_basic(&self) -> Result<(), String> {
        let header = &self.header;
        let broken = |condition: bool, text: &str| if condition { Err(text.to_owned()) } else { Ok(()) };
        match self.failure {
            ExecutorCommitmentFailure::NONE => {
                broken(header.io_root.is_none(), "missing IORoot")?;
                broken(header.state_root.is_none(), "missing StateRoot")?;
                broken(header.messages_hash.is_none(), "missing messages hash")?;
                for (i, message) in self.messages.iter().enumerate() {
                    message.validate_basic().map_err(|e| format!("bad runtime message {i}: {e}"))?;
                }
                Ok(())
            }
            ExecutorCommitmentFailure::STORAGE_UNAVAILABLE | ExecutorCommitmentFailure::UNKNOWN => {
                broken(!self.storage_signatures.is_empty(), "failure indicating commitment includes storage receipts")?;
                broken(header.io_root.is_some(), "failure indicating body includes IORoot")?;
                broken(header.state_root.is_some(), "failure indicating commitment includes StateRoot")?;
                broken(header.messages_hash.is_some(), "failure indicating commitment includes MessagesHash")?;
                broken(self.rak_sig.is_some(), "failure indicating body includes RAK signature")?;
                broken(!self.messages.is_empty(), "failure indicating body includes messages")
            }
            ExecutorCommitmentFailure(other) => Err(format!("invalid failure: {other}")),
        }
    }

    /// What storage nodes sign for these results; absent roots count as zeros.
    ///
    /// Source: go/roothash/api/commitment/executor.go, `ComputeBody.RootsForStorageReceipt`.
    pub fn receipt_body(&self, namespace: Namespace) -> ReceiptBody {
        let io_root = self.header.io_root.unwrap_or_default();
        let state_root = self.header.state_root.unwrap_or_default();
        ReceiptBody::new(namespace, self.header.round, &[(RootType::IO, io_root), (RootType::STATE, state_root)])
    }
}
