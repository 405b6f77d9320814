//! The votes of one kind in one round.
//!
//! Source: tendermint `types/vote_set.go`.

use std::{collections::BTreeMap, sync::Arc};

use oasis_primitives::signature::{PublicKey, verify_tendermint};

use crate::{
    bits::BitArray,
    error::VerifyError,
    peer::PeerId,
    proto::{BlockId, BlockIdFlag, Commit, CommitSig, SignedMsgType, Timestamp, Vote},
    validator_set::ValidatorSet,
};

/// The most peers whose word about a majority is kept, for each set.
const MAX_CLAIMS: usize = 256;

/// Why a vote was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VoteError {
    /// Of another height, round or kind.
    #[error("vote: expected height {0}, round {1}, type {2}, found height {3}, round {4}, type {5}")]
    Step(i64, i32, i32, i64, i32, i32),
    /// There is no such validator.
    #[error("vote.validator_index: expected less than {0}, found {1}")]
    Index(usize, i32),
    /// The address is not that of the validator at this place.
    #[error("vote.validator_address: expected {0}, found {1}")]
    Address(String, String),
    /// The same vote with another signature; a validator may sign a vote again at another time.
    #[error("vote.signature: a vote for the same block with another signature is here")]
    OtherSignature,
    /// Not signed by the validator.
    #[error("vote.signature: expected a signature by {0}, found {1}")]
    Signature(String, String),
    /// The peer sent votes of too many rounds that lie ahead.
    #[error("vote.round: too many rounds ahead, found {0}")]
    UnwantedRound(i32),
}

impl VoteError {
    /// Whether only a faulty peer sends such a vote.
    pub fn is_fault(&self) -> bool {
        matches!(self, Self::Index(..) | Self::Address(..) | Self::Signature(..))
    }
}

/// What became of a vote.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Added {
    /// Whether it was taken; not if it was here before.
    pub added: bool,
    /// The vote of the same validator that it contradicts.
    pub conflict: Option<Arc<Vote>>,
}

/// Votes for one block or for nil.
#[derive(Clone, Debug, Default)]
struct BlockVotes {
    /// A peer says that these are two thirds.
    claimed: bool,
    votes: BTreeMap<usize, Arc<Vote>>,
    sum: i64,
}

/// The votes of one kind in one round, at most one a validator and block, with the majority.
#[derive(Clone, Debug)]
pub struct VoteSet {
    chain_id: Arc<str>,
    height: i64,
    round: i32,
    kind: i32,
    validators: Arc<ValidatorSet>,
    votes: Vec<Option<Arc<Vote>>>,
    sum: i64,
    majority: Option<BlockId>,
    by_block: BTreeMap<Vec<u8>, BlockVotes>,
    claims: BTreeMap<PeerId, BlockId>,
    #[cfg(feature = "planted-bugs")]
    pub(crate) planted: Option<crate::planted::PlantedBug>,
}

#[allow(clippy::len_without_is_empty, reason = "empty could mean without validators, or without votes")]
impl VoteSet {
    /// An empty set for votes of `kind`, a [`SignedMsgType`].
    pub fn new(chain_id: Arc<str>, height: i64, round: i32, kind: i32, validators: Arc<ValidatorSet>) -> Self {
        let votes = vec![None; validators.validators().len()];
        Self {
            chain_id,
            height,
            round,
            kind,
            validators,
            votes,
            sum: 0,
            majority: None,
            by_block: BTreeMap::new(),
            claims: BTreeMap::new(),
            #[cfg(feature = "planted-bugs")]
            planted: None,
        }
    }

    /// The precommits of a commit, each verified. Source: tendermint `types/block.go`, `CommitToVoteSet`.
    pub fn from_commit(chain_id: Arc<str>, commit: &Commit, validators: Arc<ValidatorSet>) -> Result<Self, VerifyError> {
        let mut set = Self::new(chain_id, commit.height, commit.round, SignedMsgType::PRECOMMIT, validators);
        let field = |i: usize| format!("commit.signatures[{i}]");
        for (index, sig) in commit.signatures.iter().enumerate().filter(|(_, s)| !s.is_absent()) {
            let vote = Vote {
                r#type: SignedMsgType::PRECOMMIT,
                height: commit.height,
                round: commit.round,
                block_id: if sig.is_for_block() { commit.block_id.clone() } else { BlockId::default() },
                timestamp: sig.timestamp,
                validator_address: sig.validator_address.clone(),
                validator_index: i32::try_from(index).unwrap_or(i32::MAX),
                signature: sig.signature.clone(),
            };
            set.add(vote).map_err(|e| VerifyError::new(field(index), "a valid vote", e))?;
        }
        Ok(set)
    }

    /// Height of the votes.
    pub fn height(&self) -> i64 {
        self.height
    }

    /// Round of the votes.
    pub fn round(&self) -> i32 {
        self.round
    }

    /// Kind of the votes, a [`SignedMsgType`].
    pub fn kind(&self) -> i32 {
        self.kind
    }

    /// Count of validators.
    pub fn len(&self) -> usize {
        self.votes.len()
    }

    /// Who may vote.
    pub fn validators(&self) -> &Arc<ValidatorSet> {
        &self.validators
    }

    /// Whose votes are here.
    pub fn bits(&self) -> BitArray {
        let ones = self.votes.iter().enumerate().filter(|(_, v)| v.is_some()).map(|(i, _)| i);
        BitArray::from_ones(self.votes.len(), ones)
    }

    /// Whose votes for a block are here; none if nobody spoke of the block.
    pub fn bits_of(&self, block_id: &BlockId) -> Option<BitArray> {
        let votes = self.by_block.get(&block_id.key())?;
        Some(BitArray::from_ones(self.votes.len(), votes.votes.keys().copied()))
    }

    /// The vote of the validator at a place; when a majority is known, rather that for its block.
    pub fn vote(&self, index: usize) -> Option<&Arc<Vote>> {
        self.votes.get(index)?.as_ref()
    }

    /// The block (zero for nil) that got more than two thirds.
    pub fn majority(&self) -> Option<&BlockId> {
        self.majority.as_ref()
    }

    /// Whether more than two thirds of the power have voted, for whatever.
    pub fn has_two_thirds_any(&self) -> bool {
        self.sum > self.validators.two_thirds()
    }

    /// Whether everybody has voted.
    pub fn has_all(&self) -> bool {
        self.sum == self.validators.total_voting_power()
    }

    /// Power of those who have voted.
    pub fn power(&self) -> i64 {
        self.sum
    }

    /// Adds a vote after checking all of it. Source: `VoteSet.addVote`.
    ///
    /// The errors come in an order that costs an attacker more than us: the signature is verified last.
    pub fn add(&mut self, vote: Vote) -> Result<Added, VoteError> {
        self.add_checked(vote, false)
    }

    /// Adds a vote that the own log holds. One that contradicts another is kept: it stands in the log because it counted when
    /// it came, for what a peer had said, and that is not in the log. Without it a majority that made this node lock a block
    /// would not be found again after a crash.
    ///
    /// Unlike `VoteSet.addVote`, which refuses it.
    pub fn add_logged(&mut self, vote: Vote) -> Result<Added, VoteError> {
        self.add_checked(vote, true)
    }

    fn add_checked(&mut self, vote: Vote, logged: bool) -> Result<Added, VoteError> {
        if (vote.height, vote.round, vote.r#type) != (self.height, self.round, self.kind) {
            return Err(VoteError::Step(self.height, self.round, self.kind, vote.height, vote.round, vote.r#type));
        }
        let place = usize::try_from(vote.validator_index).ok();
        let found = place.and_then(|i| Some((i, self.validators.validators().get(i)?)));
        let (index, validator) = found.ok_or(VoteError::Index(self.votes.len(), vote.validator_index))?;
        if validator.address != vote.validator_address {
            return Err(VoteError::Address(hex::encode(&validator.address), hex::encode(&vote.validator_address)));
        }
        let key = vote.block_id.key();
        if let Some(existing) = self.existing(index, &key) {
            if existing.signature != vote.signature {
                return Err(VoteError::OtherSignature);
            }
            #[cfg(feature = "planted-bugs")]
            if self.planted == Some(crate::planted::PlantedBug::VoteCountedTwice) {
                self.count_again(&key, index);
            }
            return Ok(Added::default());
        }
        let public_key = validator.pub_key.as_ed25519().unwrap_or_default();
        if !verify_tendermint(&PublicKey(public_key), &vote.sign_bytes(&self.chain_id), &vote.signature) {
            return Err(VoteError::Signature(hex::encode(public_key), hex::encode(&vote.signature)));
        }
        let power = validator.voting_power;
        Ok(self.add_verified(index, key, Arc::new(vote), power, logged))
    }

    fn existing(&self, index: usize, key: &[u8]) -> Option<&Arc<Vote>> {
        let primary = self.vote(index).filter(|v| v.block_id.key() == key);
        primary.or_else(|| self.by_block.get(key)?.votes.get(&index))
    }

    /// Source: `VoteSet.addVerifiedVote`.
    fn add_verified(&mut self, index: usize, key: Vec<u8>, vote: Arc<Vote>, power: i64, logged: bool) -> Added {
        let for_majority = self.majority.as_ref().is_some_and(|m| *m == vote.block_id);
        let Some(slot) = self.votes.get_mut(index) else { return Added::default() };
        let conflict = slot.clone();
        if conflict.is_none() {
            self.sum = self.sum.saturating_add(power);
        }
        if conflict.is_none() || for_majority {
            *slot = Some(Arc::clone(&vote));
        }
        let quorum = self.validators.two_thirds().saturating_add(1);
        // A contradicting vote is kept only where a peer says that the majority is: else a validator could fill the
        // memory with votes for blocks that do not exist.
        if conflict.is_some() && !logged && !self.by_block.get(&key).is_some_and(|b| b.claimed) {
            return Added { added: false, conflict };
        }
        let block = self.by_block.entry(key).or_default();
        let before = block.sum;
        if block.votes.insert(index, Arc::clone(&vote)).is_none() {
            block.sum = block.sum.saturating_add(power);
        }
        if before < quorum && quorum <= block.sum && self.majority.is_none() {
            self.majority = Some(vote.block_id.clone());
            for (i, v) in &block.votes {
                if let Some(slot) = self.votes.get_mut(*i) {
                    *slot = Some(Arc::clone(v));
                }
            }
        }
        Added { added: true, conflict }
    }

    #[cfg(feature = "planted-bugs")]
    fn count_again(&mut self, key: &[u8], index: usize) {
        let power = self.validators.validators().get(index).map_or(0, |v| v.voting_power);
        let quorum = self.validators.two_thirds().saturating_add(1);
        self.sum = self.sum.saturating_add(power);
        let id = self.vote(index).map(|v| v.block_id.clone());
        if let (Some(block), Some(id)) = (self.by_block.get_mut(key), id) {
            block.sum = block.sum.saturating_add(power);
            if block.sum >= quorum && self.majority.is_none() {
                self.majority = Some(id);
            }
        }
    }

    /// Notes that a peer says that a block has two thirds; from then on votes for it that contradict others are kept.
    ///
    /// Source: `VoteSet.SetPeerMaj23`.
    pub fn set_peer_majority(&mut self, peer: PeerId, block_id: &BlockId) -> Result<(), VerifyError> {
        if let Some(existing) = self.claims.get(&peer) {
            let text = |id: &BlockId| hex::encode(id.key());
            return if existing == block_id {
                Ok(())
            } else {
                Err(VerifyError::new("block_id", format_args!("the one that the peer named before, {}", text(existing)), text(block_id)))
            };
        }
        if self.claims.len() < MAX_CLAIMS {
            self.claims.insert(peer, block_id.clone());
            self.by_block.entry(block_id.key()).or_default().claimed = true;
        }
        Ok(())
    }

    /// Forgets what a peer said, when it is gone.
    pub(crate) fn forget_peer(&mut self, peer: &PeerId) {
        let Some(id) = self.claims.remove(peer) else { return };
        if self.claims.values().any(|c| *c == id) {
            return;
        }
        let key = id.key();
        let Some(block) = self.by_block.get_mut(&key) else { return };
        block.claimed = false;
        if self.majority.as_ref() != Some(&id) {
            // Votes that contradict others were kept because of the claim only.
            let votes = &self.votes;
            block.votes.retain(|i, vote| votes.get(*i).is_some_and(|v| v.as_ref() == Some(vote)));
            let power = |i: &usize| self.validators.validators().get(*i).map_or(0, |v| v.voting_power);
            block.sum = block.votes.keys().map(power).fold(0, i64::saturating_add);
        }
        if block.votes.is_empty() {
            self.by_block.remove(&key);
        }
    }

    /// The commit of the block that got two thirds; none if none did, or for nil.
    ///
    /// Source: `VoteSet.MakeCommit`; `types/vote.go`, `Vote.CommitSig`.
    pub fn make_commit(&self) -> Option<Commit> {
        let block_id = self.majority.as_ref().filter(|id| self.kind == SignedMsgType::PRECOMMIT && !id.is_zero())?;
        let absent = || CommitSig { block_id_flag: BlockIdFlag::ABSENT, timestamp: Timestamp::ZERO, ..Default::default() };
        let sig = |vote: &Option<Arc<Vote>>| {
            let Some(vote) = vote else { return absent() };
            let block_id_flag = match () {
                () if vote.block_id.is_zero() => BlockIdFlag::NIL,
                () if vote.block_id == *block_id => BlockIdFlag::COMMIT,
                () => return absent(),
            };
            CommitSig {
                block_id_flag,
                validator_address: vote.validator_address.clone(),
                timestamp: vote.timestamp,
                signature: vote.signature.clone(),
            }
        };
        let signatures = self.votes.iter().map(sig).collect();
        Some(Commit { height: self.height, round: self.round, block_id: block_id.clone(), signatures })
    }
}
