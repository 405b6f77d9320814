//! Evidence of misbehaviour: form and proof.
//!
//! Source: tendermint `types/evidence.go`, `evidence/verify.go`, `evidence/pool.go`.

use prost::Message;

use crate::{
    commit::{CommitTarget, SignatureCheck},
    error::{VerifyError, ensure, same, same_bytes},
    light::TrustLevel,
    merkle::{self, Sha256Hash},
    proto::{
        Commit, DuplicateVoteEvidence, Evidence, EvidenceList, EvidenceSum, Header, LightClientAttackEvidence, Timestamp, Validator,
        ValidatorSetMessage, Vote,
    },
    state::ChainState,
    validator_set::{ValidatorSet, by_voting_power},
};

/// What is known of the chain's past, to judge evidence by.
pub trait History {
    /// The header of a block.
    fn header(&self, height: i64) -> Option<&Header>;
    /// The commit of a block, as the block after it carries it.
    fn commit(&self, height: i64) -> Option<&Commit>;
    /// The validators of a height.
    fn validators(&self, height: i64) -> Option<&ValidatorSet>;
    /// The height of the last block.
    fn latest_height(&self) -> i64;
    /// Whether the evidence with this hash stands in an earlier block.
    fn is_committed(&self, hash: &Sha256Hash) -> bool;
}

/// Kinds of misbehaviour, as the application is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Misbehaviour {
    /// Two votes for one step.
    DuplicateVote,
    /// A vote for a block that is not the chain's.
    LightClientAttack,
}

/// What the application is told of misbehaviour. Source: tendermint `abci/types/types.proto`, `Evidence`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ByzantineValidator {
    /// What was done.
    pub kind: Misbehaviour,
    /// Who did it, 20 bytes.
    pub address: Vec<u8>,
    /// The validator's voting power then.
    pub power: i64,
    /// When, as a height.
    pub height: i64,
    /// When, as the time of that block.
    pub time: Timestamp,
    /// The power of all validators then.
    pub total_voting_power: i64,
}

impl EvidenceList {
    /// The root over the pieces. Source: `EvidenceList.Hash`.
    pub fn hash(&self) -> Sha256Hash {
        merkle::root(self.evidence.iter().map(Evidence::bytes))
    }

    /// What the application is told. Source: tendermint `state/execution.go`, `execBlockOnProxyApp`.
    pub fn byzantine_validators(&self) -> Vec<ByzantineValidator> {
        self.evidence.iter().flat_map(Evidence::byzantine_validators).collect()
    }

    /// Proves every piece; gives the signatures that are still to be verified.
    ///
    /// Source: `Pool.CheckEvidence`.
    pub fn verify(&self, state: &ChainState, history: &dyn History) -> Result<Vec<SignatureCheck>, VerifyError> {
        let mut checks = Vec::new();
        let mut hashes: Vec<Sha256Hash> = Vec::new();
        for (i, evidence) in self.evidence.iter().enumerate() {
            let hash = evidence.hash();
            let new = !history.is_committed(&hash) && !hashes.contains(&hash);
            ensure(new, &format!("evidence[{i}]"), "new evidence", "evidence that stood in a block before")?;
            let verified = evidence.verify(state, history).map_err(|e| e.inside(&format!("evidence[{i}]")))?;
            checks.extend(verified);
            hashes.push(hash);
        }
        Ok(checks)
    }
}

impl Evidence {
    /// Source: `DuplicateVoteEvidence.Bytes`, `LightClientAttackEvidence.Bytes`.
    fn bytes(&self) -> Vec<u8> {
        match &self.sum {
            Some(EvidenceSum::DuplicateVote(e)) => e.encode_to_vec(),
            Some(EvidenceSum::LightClientAttack(e)) => e.encode_to_vec(),
            None => Vec::new(),
        }
    }

    /// What names the evidence. Source: `DuplicateVoteEvidence.Hash`, `LightClientAttackEvidence.Hash`.
    pub fn hash(&self) -> Sha256Hash {
        match &self.sum {
            Some(EvidenceSum::LightClientAttack(e)) => e.hash(),
            _ => merkle::sha256(&self.bytes()),
        }
    }

    /// Height and time of the misbehaviour.
    pub fn when(&self) -> (i64, Timestamp) {
        match &self.sum {
            Some(EvidenceSum::DuplicateVote(e)) => (e.vote_a.as_ref().map_or(0, |v| v.height), e.timestamp),
            Some(EvidenceSum::LightClientAttack(e)) => (e.common_height, e.timestamp),
            None => (0, Timestamp::ZERO),
        }
    }

    /// Source: `EvidenceFromProto`, `ValidateBasic` of both kinds.
    pub fn check_basic(&self) -> Result<(), VerifyError> {
        match &self.sum {
            Some(EvidenceSum::DuplicateVote(e)) => e.check_basic(),
            Some(EvidenceSum::LightClientAttack(e)) => e.check_basic(),
            None => Err(VerifyError::new("sum", "a known kind of evidence", "none")),
        }
    }

    /// Source: `DuplicateVoteEvidence.ABCI`, `LightClientAttackEvidence.ABCI`.
    fn byzantine_validators(&self) -> Vec<ByzantineValidator> {
        let (height, time) = self.when();
        match &self.sum {
            Some(EvidenceSum::DuplicateVote(e)) => vec![ByzantineValidator {
                kind: Misbehaviour::DuplicateVote,
                address: e.vote_a.as_ref().map(|v| v.validator_address.clone()).unwrap_or_default(),
                power: e.validator_power,
                height,
                time,
                total_voting_power: e.total_voting_power,
            }],
            Some(EvidenceSum::LightClientAttack(e)) => {
                let one = |v: &Validator| ByzantineValidator {
                    kind: Misbehaviour::LightClientAttack,
                    address: v.address.clone(),
                    power: v.voting_power,
                    height,
                    time,
                    total_voting_power: e.total_voting_power,
                };
                e.byzantine_validators.iter().map(one).collect()
            }
            None => Vec::new(),
        }
    }

    /// Source: `Pool.verify`.
    fn verify(&self, state: &ChainState, history: &dyn History) -> Result<Vec<SignatureCheck>, VerifyError> {
        let (height, time) = self.when();
        let missing = |what: &str| VerifyError::new("height", format_args!("a height with {what}"), height);
        let header = history.header(height).ok_or_else(|| missing("a block"))?;
        same("timestamp", &header.time, &time)?;
        let params = &state.consensus_params.evidence;
        let age = state.last_block_time.nanos_since(&header.time);
        let blocks = state.last_block_height.saturating_sub(height);
        let expired = age > params.max_age_duration.as_nanos() && blocks > params.max_age_num_blocks;
        ensure(!expired, "height", "evidence that is not too old", height)?;
        let validators = history.validators(height).ok_or_else(|| missing("validators"))?;
        match &self.sum {
            Some(EvidenceSum::DuplicateVote(e)) => e.verify(&state.chain_id, validators),
            Some(EvidenceSum::LightClientAttack(e)) => e.verify(header, validators, history),
            None => Ok(Vec::new()),
        }
    }
}

impl DuplicateVoteEvidence {
    fn votes(&self) -> Result<(&Vote, &Vote), VerifyError> {
        match (&self.vote_a, &self.vote_b) {
            (Some(a), Some(b)) => Ok((a, b)),
            (None, _) => Err(VerifyError::new("vote_a", "a vote", "nothing")),
            (_, None) => Err(VerifyError::new("vote_b", "a vote", "nothing")),
        }
    }

    /// Source: `DuplicateVoteEvidence.ValidateBasic`.
    fn check_basic(&self) -> Result<(), VerifyError> {
        let (a, b) = self.votes()?;
        a.check_basic().map_err(|e| e.inside("vote_a"))?;
        b.check_basic().map_err(|e| e.inside("vote_b"))?;
        self.timestamp.check("timestamp")?;
        ensure(a.block_id.key() < b.block_id.key(), "vote_b.block_id", "a block that sorts after that of vote_a", "one before")
    }

    /// Source: `VerifyDuplicateVote`.
    fn verify(&self, chain_id: &str, validators: &ValidatorSet) -> Result<Vec<SignatureCheck>, VerifyError> {
        let (a, b) = self.votes()?;
        let Some((_, validator)) = validators.get(&a.validator_address) else {
            return Err(VerifyError::new("vote_a.validator_address", "a validator", hex::encode(&a.validator_address)));
        };
        same("vote_b.height", &a.height, &b.height)?;
        same("vote_b.round", &a.round, &b.round)?;
        same("vote_b.type", &a.r#type, &b.r#type)?;
        same_bytes("vote_b.validator_address", &a.validator_address, &b.validator_address)?;
        ensure(a.block_id != b.block_id, "vote_b.block_id", "another block than that of vote_a", "the same")?;
        same("validator_power", &validator.voting_power, &self.validator_power)?;
        same("total_voting_power", &validators.total_voting_power(), &self.total_voting_power)?;
        let public_key = validator.key()?;
        let check = |(index, vote): (usize, &Vote)| {
            let field = "evidence.votes";
            let length = vote.signature.len();
            let wrong = |_| VerifyError::new(format!("{field}[{index}].signature"), "64 bytes", length);
            let signature = vote.signature.as_slice().try_into().map_err(wrong)?;
            Ok(SignatureCheck { field, index, public_key, message: vote.sign_bytes(chain_id), signature })
        };
        [a, b].into_iter().enumerate().map(check).collect()
    }
}

/// The parts of a conflicting block, all present.
struct Conflicting<'a> {
    header: &'a Header,
    commit: &'a Commit,
    validators: &'a ValidatorSetMessage,
}

impl LightClientAttackEvidence {
    fn conflicting(&self) -> Option<Conflicting<'_>> {
        let block = self.conflicting_block.as_ref()?;
        let signed = block.signed_header.as_ref()?;
        Some(Conflicting { header: signed.header.as_ref()?, commit: signed.commit.as_ref()?, validators: block.validator_set.as_ref()? })
    }

    fn required(&self) -> Result<Conflicting<'_>, VerifyError> {
        let missing = || VerifyError::new("conflicting_block", "a header, commit and validators", "not all of them");
        self.conflicting().ok_or_else(missing)
    }

    /// Source: `LightClientAttackEvidence.Hash`. The copy of the header's hash is one byte short there, and the byte
    /// after it stays zero.
    fn hash(&self) -> Sha256Hash {
        let mut bytes: Vec<u8> = self.conflicting().map(|c| c.header.hash()).unwrap_or_default().into_iter().take(31).collect();
        bytes.push(0);
        let zigzag = (self.common_height.wrapping_shl(1) ^ (self.common_height >> 63)).cast_unsigned();
        prost::encoding::encode_varint(zigzag, &mut bytes);
        merkle::sha256(&bytes)
    }

    /// Source: `LightClientAttackEvidence.ValidateBasic`; `types/light.go`, `LightBlock.ValidateBasic`.
    fn check_basic(&self) -> Result<(), VerifyError> {
        let Conflicting { header, commit, validators } = self.required()?;
        let inside = |e: VerifyError| e.inside("conflicting_block");
        header.check_basic().map_err(inside)?;
        commit.check_basic().map_err(inside)?;
        same("conflicting_block.commit.height", &header.height, &commit.height)?;
        same_bytes("conflicting_block.commit.block_id.hash", &header.hash(), &commit.block_id.hash)?;
        let validators = ValidatorSet::from_message(validators.clone()).map_err(inside)?;
        same_bytes("conflicting_block.validators_hash", validators.hash(), &header.validators_hash)?;
        self.timestamp.check("timestamp")?;
        let known = 1..=header.height;
        ensure(known.contains(&self.common_height), "common_height", format_args!("1 to {}", header.height), self.common_height)
    }

    /// Source: `Pool.verify`, `VerifyLightClientAttack`; tendermint `light/verifier.go`, `DefaultTrustLevel`.
    fn verify(&self, common: &Header, common_validators: &ValidatorSet, history: &dyn History) -> Result<Vec<SignatureCheck>, VerifyError> {
        let Conflicting { header, commit, validators } = self.required()?;
        let missing = || VerifyError::new("common_height", "a height with a commit", self.common_height);
        history.commit(self.common_height).ok_or_else(missing)?;
        let trusted_height = if history.commit(header.height).is_some() { header.height } else { history.latest_height() };
        let trusted = history.header(trusted_height).zip(history.commit(trusted_height));
        let (trusted, trusted_commit) = trusted.ok_or_else(missing)?;
        if trusted_height != header.height {
            let violated = trusted.time >= header.time;
            ensure(violated, "conflicting_block.header.time", format_args!("not after {}", trusted.time), header.time)?;
        }

        let field = "evidence.conflicting_block.commit";
        let target = CommitTarget { chain_id: &trusted.chain_id, block_id: &commit.block_id, height: header.height, field };
        let mut checks = Vec::new();
        if common.height == header.height {
            let derived = !derived_differs(trusted, header);
            ensure(derived, "conflicting_block.header", "the fields that follow from the chain", "others")?;
        } else {
            checks = common_validators.verify_commit_light_trusting(target, commit, TrustLevel::default())?;
        }
        let own = ValidatorSet::from_message(validators.clone())?;
        checks.extend(own.verify_commit_light(target, commit)?);
        same("total_voting_power", &common_validators.total_voting_power(), &self.total_voting_power)?;
        if header.height > trusted.height && header.time > trusted.time {
            return Err(VerifyError::new("conflicting_block.header.time", format_args!("not after {}", trusted.time), header.time));
        }
        let other = trusted.hash() != header.hash();
        ensure(other, "conflicting_block.header", "another header than the chain's", "the same")?;

        let guilty = guilty(common_validators, trusted, trusted_commit, header, commit, &own);
        // The original refuses such evidence as soon as it was encoded once, because an empty list is then not nil.
        ensure(!guilty.is_empty(), "byzantine_validators", "somebody who is guilty", "nobody")?;
        let mut named: Vec<&Validator> = self.byzantine_validators.iter().collect();
        named.sort_by(|a, b| by_voting_power(a, b));
        let who = |v: &[&Validator]| v.iter().map(|v| (hex::encode(&v.address), v.voting_power)).collect::<Vec<_>>();
        same("byzantine_validators", &who(&guilty.iter().collect::<Vec<_>>()), &who(&named))?;
        Ok(checks)
    }
}

/// Source: `LightClientAttackEvidence.ConflictingHeaderIsInvalid`.
pub(crate) fn derived_differs(trusted: &Header, conflicting: &Header) -> bool {
    trusted.validators_hash != conflicting.validators_hash
        || trusted.next_validators_hash != conflicting.next_validators_hash
        || trusted.consensus_hash != conflicting.consensus_hash
        || trusted.app_hash != conflicting.app_hash
        || trusted.last_results_hash != conflicting.last_results_hash
}

/// Who is guilty, by power. Source: `LightClientAttackEvidence.GetByzantineValidators`.
pub(crate) fn guilty(
    common: &ValidatorSet,
    trusted: &Header,
    trusted_commit: &Commit,
    header: &Header,
    commit: &Commit,
    own: &ValidatorSet,
) -> Vec<Validator> {
    let mut out: Vec<Validator> = if derived_differs(trusted, header) {
        let signed = commit.signatures.iter().filter(|s| s.is_for_block());
        signed.filter_map(|s| common.get(&s.validator_address)).map(|(_, v)| v.clone()).collect()
    } else if trusted_commit.round == commit.round {
        let both = commit.signatures.iter().zip(&trusted_commit.signatures).filter(|(a, b)| !a.is_absent() && !b.is_absent());
        both.filter_map(|(a, _)| own.get(&a.validator_address)).map(|(_, v)| v.clone()).collect()
    } else {
        // Of votes in different rounds nobody can say whose were wrong.
        Vec::new()
    };
    out.sort_by(by_voting_power);
    out
}
