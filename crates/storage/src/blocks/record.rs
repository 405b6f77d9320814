//! The records of the block database, and their keys.

use oasis_consensus_engine::{
    ChainState, ValidatorSet, VerifyError,
    parts::PartSet,
    proto::{BlockId, ConsensusParams, Evidence, EvidenceSum, Part, PartSetHeader, Proof, Timestamp, ValidatorSetMessage},
};
use prost::Message;
use std::sync::Arc;

/// The version of the format in which this program writes.
pub(super) const FORMAT: u32 = 1;

/// The key of the record about the database.
pub(super) const META: &[u8] = b"m";
/// The key of the state after the last applied block.
pub(super) const STATE: &[u8] = b"s";

/// Kinds of records, the first byte of their keys.
pub(super) mod kind {
    /// A block's encoding, by height.
    pub const BLOCK: u8 = b'b';
    /// What is known of a block beside its parts, by height.
    pub const BLOCK_META: u8 = b'h';
    /// A block's commit as the next block carries it, by height.
    pub const COMMIT: u8 = b'c';
    /// A block's commit as this node saw it, by height.
    pub const SEEN_COMMIT: u8 = b'C';
    /// The validators of a height.
    pub const VALIDATORS: u8 = b'v';
    /// The parameters of a height.
    pub const PARAMS: u8 = b'p';
    /// What the state machine answered, by height.
    pub const RESPONSES: u8 = b'r';
    /// The height of a block, by hash.
    pub const HEIGHT: u8 = b'i';
    /// Evidence that waits, by height and hash.
    pub const PENDING: u8 = b'e';
    /// The height of evidence that waits, by hash.
    pub const PENDING_HEIGHT: u8 = b'f';
    /// Evidence that stands in a block, by hash.
    pub const COMMITTED: u8 = b'k';
}

/// The key of a height's record.
pub(super) fn at(kind: u8, height: i64) -> Vec<u8> {
    [&[kind][..], &height.to_be_bytes()].concat()
}

/// The key of a record by hash.
pub(super) fn by_hash(kind: u8, hash: &[u8]) -> Vec<u8> {
    [&[kind][..], hash].concat()
}

/// The key of evidence that waits.
pub(super) fn pending(height: i64, hash: &[u8]) -> Vec<u8> {
    [&at(kind::PENDING, height)[..], hash].concat()
}

/// The height that evidence is about.
pub(super) fn evidence_height(evidence: &Evidence) -> i64 {
    match &evidence.sum {
        Some(EvidenceSum::DuplicateVote(e)) => e.vote_a.as_ref().map_or(0, |vote| vote.height),
        Some(EvidenceSum::LightClientAttack(e)) => e.common_height,
        None => 0,
    }
}

/// The record about the database.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Meta {
    #[prost(uint32, tag = "1")]
    pub format: u32,
    #[prost(string, tag = "2")]
    pub context: String,
    /// First height whose block is there, 0 for none.
    #[prost(int64, tag = "3")]
    pub base: i64,
    /// Last height whose block is there, 0 for none.
    #[prost(int64, tag = "4")]
    pub height: i64,
    /// A height below the base whose validators later heights refer to, 0 for none.
    #[prost(int64, tag = "5")]
    pub kept_validators: i64,
    /// A height below the base whose parameters later heights refer to, 0 for none.
    #[prost(int64, tag = "6")]
    pub kept_params: i64,
}

/// How a block was cut into parts, where that is not as usual. It follows the encoding of what else is known of the block.
#[derive(Clone, PartialEq, Message)]
pub(super) struct CutRecord {
    /// The parts in their order.
    #[prost(message, repeated, tag = "100")]
    pub parts: Vec<CutPart>,
}

/// A part without its bytes.
#[derive(Clone, PartialEq, Message)]
pub(super) struct CutPart {
    /// Count of its bytes.
    #[prost(uint32, tag = "1")]
    pub length: u32,
    /// That it belongs to the block, as it came.
    #[prost(message, required, tag = "2")]
    pub proof: Proof,
}

impl CutRecord {
    /// Nothing, where the parts are cut as usual.
    pub fn of(parts: &PartSet) -> Self {
        if parts.is_cut_as_usual() {
            return Self::default();
        }
        let length = |part: &Part| u32::try_from(part.bytes.len()).unwrap_or(u32::MAX);
        let all = (0..parts.total()).filter_map(|index| parts.part(index));
        Self { parts: all.map(|part| CutPart { length: length(part), proof: part.proof.clone() }).collect() }
    }

    /// The parts of a block; none if they are not those of this header.
    pub fn cut(self, encoded: &[u8], header: &PartSetHeader) -> Option<PartSet> {
        let mut set = PartSet::from_header(header).ok()?;
        let mut rest = encoded;
        for (index, part) in (0..).zip(self.parts) {
            let (bytes, next) = rest.split_at_checked(usize::try_from(part.length).ok()?)?;
            set.add(Part { index, bytes: bytes.to_vec(), proof: part.proof }).ok()?;
            rest = next;
        }
        (set.is_complete() && rest.is_empty()).then_some(set)
    }
}

/// The validators of a height: themselves, or where they are.
///
/// Source: tendermint `state/store.go`, `saveValidatorsInfo`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct ValidatorsRecord {
    /// The height whose record has the set from which this height's follows.
    #[prost(int64, tag = "1")]
    pub stored_at: i64,
    /// The set, at that height.
    #[prost(message, optional, tag = "2")]
    pub set: Option<ValidatorSetMessage>,
}

/// The parameters of a height: themselves, or where they are.
#[derive(Clone, PartialEq, Message)]
pub(super) struct ParamsRecord {
    #[prost(int64, tag = "1")]
    pub stored_at: i64,
    #[prost(message, optional, tag = "2")]
    pub params: Option<ConsensusParams>,
}

/// The state after a block.
#[derive(Clone, PartialEq, Message)]
pub(super) struct StateRecord {
    #[prost(uint64, tag = "1")]
    app_version: u64,
    #[prost(string, tag = "2")]
    chain_id: String,
    #[prost(int64, tag = "3")]
    initial_height: i64,
    #[prost(int64, tag = "4")]
    last_block_height: i64,
    #[prost(message, required, tag = "5")]
    last_block_id: BlockId,
    #[prost(message, required, tag = "6")]
    last_block_time: Timestamp,
    #[prost(message, optional, tag = "7")]
    next_validators: Option<ValidatorSetMessage>,
    #[prost(message, optional, tag = "8")]
    validators: Option<ValidatorSetMessage>,
    #[prost(message, optional, tag = "9")]
    last_validators: Option<ValidatorSetMessage>,
    #[prost(int64, tag = "10")]
    last_height_validators_changed: i64,
    #[prost(message, required, tag = "11")]
    consensus_params: ConsensusParams,
    #[prost(int64, tag = "12")]
    last_height_consensus_params_changed: i64,
    #[prost(bytes = "vec", tag = "13")]
    last_results_hash: Vec<u8>,
    #[prost(bytes = "vec", tag = "14")]
    app_hash: Vec<u8>,
}

fn written(set: &ValidatorSet) -> Option<ValidatorSetMessage> {
    // Before the first block there are no last validators.
    (!set.validators().is_empty()).then(|| set.to_message())
}

fn read(set: Option<ValidatorSetMessage>) -> Result<Arc<ValidatorSet>, VerifyError> {
    let set = match set {
        Some(message) => ValidatorSet::from_message(message)?,
        None => ValidatorSet::new(Vec::new())?,
    };
    Ok(Arc::new(set))
}

impl StateRecord {
    pub fn of(state: &ChainState) -> Self {
        Self {
            app_version: state.app_version,
            chain_id: state.chain_id.clone(),
            initial_height: state.initial_height,
            last_block_height: state.last_block_height,
            last_block_id: state.last_block_id.clone(),
            last_block_time: state.last_block_time,
            next_validators: written(&state.next_validators),
            validators: written(&state.validators),
            last_validators: written(&state.last_validators),
            last_height_validators_changed: state.last_height_validators_changed,
            consensus_params: state.consensus_params.clone(),
            last_height_consensus_params_changed: state.last_height_consensus_params_changed,
            last_results_hash: state.last_results_hash.clone(),
            app_hash: state.app_hash.clone(),
        }
    }

    pub fn into_state(self) -> Result<ChainState, VerifyError> {
        Ok(ChainState {
            app_version: self.app_version,
            chain_id: self.chain_id,
            initial_height: self.initial_height,
            last_block_height: self.last_block_height,
            last_block_id: self.last_block_id,
            last_block_time: self.last_block_time,
            next_validators: read(self.next_validators)?,
            validators: read(self.validators)?,
            last_validators: read(self.last_validators)?,
            last_height_validators_changed: self.last_height_validators_changed,
            consensus_params: self.consensus_params,
            last_height_consensus_params_changed: self.last_height_consensus_params_changed,
            last_results_hash: self.last_results_hash,
            app_hash: self.app_hash,
        })
    }
}
