//! Headers with what proves them.

use std::sync::Arc;

use crate::{
    error::{VerifyError, same, same_bytes},
    merkle::Sha256Hash,
    proto::{Commit, Header, LightBlock, SignedHeader, ValidatorSetMessage},
    validator_set::ValidatorSet,
};

/// A header with the commit that signs it and the validators of its height; by itself consistent, no signature verified.
#[derive(Clone, Debug, PartialEq)]
pub struct TrustedBlock {
    /// The header.
    pub header: Header,
    /// The commit, of this header.
    pub commit: Commit,
    /// The validators; their priorities are hearsay.
    pub validators: Arc<ValidatorSet>,
    /// The header's hash.
    pub hash: Sha256Hash,
}

impl TrustedBlock {
    /// Reads a light block of a chain.
    ///
    /// Source: tendermint `types/light.go`, `LightBlockFromProto`, `LightBlock.ValidateBasic`. The original believes the sum of the
    /// voting powers that comes with the validators.
    pub fn from_message(message: LightBlock, chain_id: &str) -> Result<Self, VerifyError> {
        let missing = |what: &str| VerifyError::new(what, "one", "none");
        let signed = message.signed_header.ok_or_else(|| missing("signed_header"))?;
        let validators = message.validator_set.ok_or_else(|| missing("validator_set"))?;
        let header = signed.header.ok_or_else(|| missing("signed_header.header"))?;
        let commit = signed.commit.ok_or_else(|| missing("signed_header.commit"))?;
        let hash = header.hash();
        check_signed_header(&header, &commit, &hash, chain_id).map_err(|e| e.inside("signed_header"))?;
        // Their sum is hearsay too: the header's hash does not cover it, and with a small one few signatures were enough.
        let validators = ValidatorSetMessage { total_voting_power: 0, ..validators };
        let validators = ValidatorSet::from_message(validators).map_err(|e| e.inside("validator_set"))?;
        same_bytes("signed_header.header.validators_hash", validators.hash(), &header.validators_hash)?;
        Ok(Self { header, commit, validators: Arc::new(validators), hash })
    }

    /// The height.
    pub fn height(&self) -> i64 {
        self.header.height
    }

    /// As it is sent.
    pub fn to_message(&self) -> LightBlock {
        let signed = SignedHeader { header: Some(self.header.clone()), commit: Some(self.commit.clone()) };
        LightBlock { signed_header: Some(signed), validator_set: Some(self.validators.to_message()) }
    }
}

/// Source: tendermint `types/light.go`, `SignedHeader.ValidateBasic`.
pub(super) fn check_signed_header(header: &Header, commit: &Commit, hash: &Sha256Hash, chain_id: &str) -> Result<(), VerifyError> {
    header.check_basic().map_err(|e| e.inside("header"))?;
    commit.check_basic().map_err(|e| e.inside("commit"))?;
    same("header.chain_id", &chain_id, &header.chain_id.as_str())?;
    same("commit.height", &header.height, &commit.height)?;
    same_bytes("commit.block_id.hash", hash, &commit.block_id.hash)
}
