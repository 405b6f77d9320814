//! Proposals: what is signed, and their form.
//!
//! Source: tendermint `types/proposal.go`, `types/canonical.go`.

use prost::Message;

use crate::{
    error::{VerifyError, ensure},
    proto::{CanonicalBlockId, CanonicalProposal, Proposal, SignedMsgType},
    vote::check_signature,
};

impl Proposal {
    /// The message that the proposer signs, under the context `oasis-core/tendermint`.
    ///
    /// Source: `ProposalSignBytes`, `CanonicalizeProposal`.
    pub fn sign_bytes(&self, chain_id: &str) -> Vec<u8> {
        let id = &self.block_id;
        let block_id = CanonicalBlockId { hash: id.hash.clone(), part_set_header: id.part_set_header.clone() };
        let canonical = CanonicalProposal {
            r#type: SignedMsgType::PROPOSAL,
            height: self.height,
            round: i64::from(self.round),
            pol_round: i64::from(self.pol_round),
            block_id: (!id.is_zero()).then_some(block_id),
            timestamp: self.timestamp,
            chain_id: chain_id.to_owned(),
        };
        canonical.encode_length_delimited_to_vec()
    }

    /// Source: `Proposal.ValidateBasic`.
    pub fn check_basic(&self) -> Result<(), VerifyError> {
        ensure(self.r#type == SignedMsgType::PROPOSAL, "type", SignedMsgType::PROPOSAL, self.r#type)?;
        ensure(self.height >= 0, "height", "not negative", self.height)?;
        ensure(self.round >= 0, "round", "not negative", self.round)?;
        ensure(self.pol_round >= -1, "pol_round", "-1 or more", self.pol_round)?;
        self.block_id.check_basic().map_err(|e| e.inside("block_id"))?;
        ensure(self.block_id.is_complete(), "block_id", "complete", format_args!("{:?}", self.block_id))?;
        self.timestamp.check("timestamp")?;
        check_signature(&self.signature)
    }
}
