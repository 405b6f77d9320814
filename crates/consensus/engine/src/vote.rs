//! Votes: what is signed, and their form.

use prost::Message;

use crate::{
    error::{VerifyError, ensure},
    proto::{BlockId, CanonicalBlockId, CanonicalVote, PartSetHeader, SignedMsgType, Timestamp, Vote},
    validator_set::ADDRESS_SIZE,
};

/// The most bytes of a signature. Source: tendermint `types/signable.go`, `MaxSignatureSize`.
pub(crate) const MAX_SIGNATURE_SIZE: usize = 64;

/// Bytes of a hash. Source: tendermint `crypto/tmhash`, `Size`.
const HASH_SIZE: usize = 32;

/// What a vote is about.
#[derive(Clone, Copy, Debug)]
pub struct VoteContent<'a> {
    /// A [`SignedMsgType`].
    pub kind: i32,
    /// Height voted on.
    pub height: i64,
    /// Round voted in.
    pub round: i32,
    /// The block, nothing for nil.
    pub block_id: Option<&'a BlockId>,
    /// The voter's time.
    pub timestamp: Timestamp,
}

impl VoteContent<'_> {
    /// The message that the voter signs, under the context `oasis-core/tendermint`.
    ///
    /// Source: tendermint `types/vote.go`, `VoteSignBytes`; `types/canonical.go`, `CanonicalizeVote`.
    pub fn sign_bytes(&self, chain_id: &str) -> Vec<u8> {
        let block_id = self.block_id.filter(|id| !id.is_zero());
        let block_id = block_id.map(|id| CanonicalBlockId { hash: id.hash.clone(), part_set_header: id.part_set_header.clone() });
        let vote = CanonicalVote {
            r#type: self.kind,
            height: self.height,
            round: i64::from(self.round),
            block_id,
            timestamp: self.timestamp,
            chain_id: chain_id.to_owned(),
        };
        vote.encode_length_delimited_to_vec()
    }
}

/// Source: tendermint `types/validation.go`, `ValidateHash`.
pub(crate) fn check_hash(field: &str, hash: &[u8]) -> Result<(), VerifyError> {
    ensure(hash.is_empty() || hash.len() == HASH_SIZE, field, "0 or 32 bytes", hash.len())
}

impl PartSetHeader {
    /// Source: tendermint `types/part_set.go`, `PartSetHeader.IsZero`.
    fn is_zero(&self) -> bool {
        self.total == 0 && self.hash.is_empty()
    }
}

impl BlockId {
    /// Whether this names no block. Source: tendermint `types/block.go`, `BlockID.IsZero`.
    pub fn is_zero(&self) -> bool {
        self.hash.is_empty() && self.part_set_header.is_zero()
    }

    /// Whether nothing of the name is missing. Source: tendermint `types/block.go`, `BlockID.IsComplete`.
    pub fn is_complete(&self) -> bool {
        let parts = &self.part_set_header;
        self.hash.len() == HASH_SIZE && parts.total > 0 && parts.hash.len() == HASH_SIZE
    }

    /// What conflicting votes are ordered by. Source: tendermint `types/block.go`, `BlockID.Key`.
    pub(crate) fn key(&self) -> Vec<u8> {
        [self.hash.clone(), self.part_set_header.encode_to_vec()].concat()
    }

    /// Source: tendermint `types/block.go`, `BlockID.ValidateBasic`.
    pub(crate) fn check_basic(&self) -> Result<(), VerifyError> {
        check_hash("hash", &self.hash)?;
        check_hash("part_set_header.hash", &self.part_set_header.hash)
    }
}

impl Vote {
    /// The message that was signed.
    pub fn sign_bytes(&self, chain_id: &str) -> Vec<u8> {
        let content = VoteContent {
            kind: self.r#type,
            height: self.height,
            round: self.round,
            block_id: Some(&self.block_id),
            timestamp: self.timestamp,
        };
        content.sign_bytes(chain_id)
    }

    /// Source: tendermint `types/vote.go`, `Vote.ValidateBasic`.
    pub fn check_basic(&self) -> Result<(), VerifyError> {
        let known = matches!(self.r#type, SignedMsgType::PREVOTE | SignedMsgType::PRECOMMIT);
        ensure(known, "type", "a prevote or precommit", self.r#type)?;
        ensure(self.height >= 0, "height", "not negative", self.height)?;
        ensure(self.round >= 0, "round", "not negative", self.round)?;
        self.block_id.check_basic().map_err(|e| e.inside("block_id"))?;
        let whole = self.block_id.is_zero() || self.block_id.is_complete();
        ensure(whole, "block_id", "empty or complete", format_args!("{:?}", self.block_id))?;
        self.timestamp.check("timestamp")?;
        ensure(self.validator_address.len() == ADDRESS_SIZE, "validator_address", "20 bytes", self.validator_address.len())?;
        ensure(self.validator_index >= 0, "validator_index", "not negative", self.validator_index)?;
        check_signature(&self.signature)
    }
}

/// Source: tendermint `types/vote.go`, `Vote.ValidateBasic`; `types/block.go`, `CommitSig.ValidateBasic`.
pub(crate) fn check_signature(signature: &[u8]) -> Result<(), VerifyError> {
    ensure((1..=MAX_SIGNATURE_SIZE).contains(&signature.len()), "signature", "1 to 64 bytes", signature.len())
}
