//! Blocks, commits, votes, validators, evidence and parameters.

use prost::{Message, Oneof};

/// Seconds and nanoseconds since the Unix epoch. Source: `google.protobuf.Timestamp`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Message)]
pub struct Timestamp {
    /// Seconds; negative before 1970.
    #[prost(int64, tag = "1")]
    pub seconds: i64,
    /// Nanoseconds of the second, 0 to 999,999,999.
    #[prost(int32, tag = "2")]
    pub nanos: i32,
}

/// A length of time. Source: `google.protobuf.Duration`.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct Duration {
    /// Seconds.
    #[prost(int64, tag = "1")]
    pub seconds: i64,
    /// Nanoseconds, of the same sign as the seconds.
    #[prost(int32, tag = "2")]
    pub nanos: i32,
}

/// Protocol versions of a block. Source: version/types.proto.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct Consensus {
    /// The block protocol, 11 for this Tendermint.
    #[prost(uint64, tag = "1")]
    pub block: u64,
    /// The application's protocol.
    #[prost(uint64, tag = "2")]
    pub app: u64,
}

/// How many parts a block was cut into, and their Merkle root. Source: types/types.proto.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct PartSetHeader {
    /// Parts.
    #[prost(uint32, tag = "1")]
    pub total: u32,
    /// Root over the parts, 32 bytes or empty.
    #[prost(bytes = "vec", tag = "2")]
    pub hash: Vec<u8>,
}

/// What votes name a block by. Source: types/types.proto.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct BlockId {
    /// The header's hash, 32 bytes or empty.
    #[prost(bytes = "vec", tag = "1")]
    pub hash: Vec<u8>,
    /// The parts.
    #[prost(message, required, tag = "2")]
    pub part_set_header: PartSetHeader,
}

/// The header of a block. Source: types/types.proto.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Header {
    /// Protocol versions.
    #[prost(message, required, tag = "1")]
    pub version: Consensus,
    /// The first 50 characters of the chain context.
    #[prost(string, tag = "2")]
    pub chain_id: String,
    /// Height of this block.
    #[prost(int64, tag = "3")]
    pub height: i64,
    /// Time of this block: the weighted median of the last commit, for the first block that of the genesis.
    #[prost(message, required, tag = "4")]
    pub time: Timestamp,
    /// The block before.
    #[prost(message, required, tag = "5")]
    pub last_block_id: BlockId,
    /// Root of the last commit's signatures.
    #[prost(bytes = "vec", tag = "6")]
    pub last_commit_hash: Vec<u8>,
    /// Root of the hashes of the transactions.
    #[prost(bytes = "vec", tag = "7")]
    pub data_hash: Vec<u8>,
    /// Root of this height's validators.
    #[prost(bytes = "vec", tag = "8")]
    pub validators_hash: Vec<u8>,
    /// Root of the next height's validators.
    #[prost(bytes = "vec", tag = "9")]
    pub next_validators_hash: Vec<u8>,
    /// Hash of the consensus parameters that hold for this block.
    #[prost(bytes = "vec", tag = "10")]
    pub consensus_hash: Vec<u8>,
    /// Root of the application's state after the block before.
    #[prost(bytes = "vec", tag = "11")]
    pub app_hash: Vec<u8>,
    /// Root of the results of the block before.
    #[prost(bytes = "vec", tag = "12")]
    pub last_results_hash: Vec<u8>,
    /// Root of the evidence.
    #[prost(bytes = "vec", tag = "13")]
    pub evidence_hash: Vec<u8>,
    /// Address of the validator that proposed the block, 20 bytes.
    #[prost(bytes = "vec", tag = "14")]
    pub proposer_address: Vec<u8>,
}

/// The transactions of a block. Source: types/types.proto.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Data {
    /// Raw transactions, in order.
    #[prost(bytes = "vec", repeated, tag = "1")]
    pub txs: Vec<Vec<u8>>,
}

/// A signed vote. Source: types/types.proto.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Vote {
    /// A [`SignedMsgType`].
    #[prost(int32, tag = "1")]
    pub r#type: i32,
    /// Height voted on.
    #[prost(int64, tag = "2")]
    pub height: i64,
    /// Round voted in.
    #[prost(int32, tag = "3")]
    pub round: i32,
    /// The block, zero for nil.
    #[prost(message, required, tag = "4")]
    pub block_id: BlockId,
    /// The voter's time.
    #[prost(message, required, tag = "5")]
    pub timestamp: Timestamp,
    /// The voter, 20 bytes.
    #[prost(bytes = "vec", tag = "6")]
    pub validator_address: Vec<u8>,
    /// The voter's place in the validator set.
    #[prost(int32, tag = "7")]
    pub validator_index: i32,
    /// Signature over the canonical vote.
    #[prost(bytes = "vec", tag = "8")]
    pub signature: Vec<u8>,
}

/// Kinds of votes. Source: types/types.proto, `SignedMsgType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignedMsgType;

impl SignedMsgType {
    /// The first vote of a round.
    pub const PREVOTE: i32 = 1;
    /// The second vote of a round; a commit is made of these.
    pub const PRECOMMIT: i32 = 2;
    /// A proposal.
    pub const PROPOSAL: i32 = 32;
}

/// What a validator did at a commit. Source: types/types.proto, `BlockIDFlag`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockIdFlag;

impl BlockIdFlag {
    /// No vote was seen.
    pub const ABSENT: i32 = 1;
    /// Voted for the block.
    pub const COMMIT: i32 = 2;
    /// Voted for nil.
    pub const NIL: i32 = 3;
}

/// One validator's part of a commit. Source: types/types.proto.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct CommitSig {
    /// A [`BlockIdFlag`].
    #[prost(int32, tag = "1")]
    pub block_id_flag: i32,
    /// The validator, 20 bytes; empty when absent.
    #[prost(bytes = "vec", tag = "2")]
    pub validator_address: Vec<u8>,
    /// The validator's time; Go's zero time when absent.
    #[prost(message, required, tag = "3")]
    pub timestamp: Timestamp,
    /// Signature over the canonical precommit; empty when absent.
    #[prost(bytes = "vec", tag = "4")]
    pub signature: Vec<u8>,
}

/// The precommits that made a block final. Source: types/types.proto.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Commit {
    /// Height of the block.
    #[prost(int64, tag = "1")]
    pub height: i64,
    /// Round in which it was decided.
    #[prost(int32, tag = "2")]
    pub round: i32,
    /// The block.
    #[prost(message, required, tag = "3")]
    pub block_id: BlockId,
    /// One entry a validator, in the order of the validator set.
    #[prost(message, repeated, tag = "4")]
    pub signatures: Vec<CommitSig>,
}

/// A key of one of two kinds. Source: crypto/keys.proto.
#[derive(Clone, PartialEq, Eq, Hash, Message)]
pub struct PublicKey {
    /// The key.
    #[prost(oneof = "PublicKeySum", tags = "1, 2")]
    pub sum: Option<PublicKeySum>,
}

/// The key of a [`PublicKey`].
#[derive(Clone, PartialEq, Eq, Hash, Oneof)]
pub enum PublicKeySum {
    /// Ed25519, 32 bytes.
    #[prost(bytes, tag = "1")]
    Ed25519(Vec<u8>),
    /// Secp256k1, which this network does not use.
    #[prost(bytes, tag = "2")]
    Secp256k1(Vec<u8>),
}

/// A validator with its voting power. Source: types/validator.proto.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Validator {
    /// First 20 bytes of SHA-256 of the key.
    #[prost(bytes = "vec", tag = "1")]
    pub address: Vec<u8>,
    /// The key.
    #[prost(message, required, tag = "2")]
    pub pub_key: PublicKey,
    /// Voting power.
    #[prost(int64, tag = "3")]
    pub voting_power: i64,
    /// Priority in the choice of proposers.
    #[prost(int64, tag = "4")]
    pub proposer_priority: i64,
}

/// What is hashed of a validator. Source: types/validator.proto.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct SimpleValidator {
    /// The key.
    #[prost(message, optional, tag = "1")]
    pub pub_key: Option<PublicKey>,
    /// Voting power.
    #[prost(int64, tag = "2")]
    pub voting_power: i64,
}

/// A validator set on the wire. Source: types/validator.proto, `ValidatorSet`.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct ValidatorSetMessage {
    /// The validators, by power (descending), then address.
    #[prost(message, repeated, tag = "1")]
    pub validators: Vec<Validator>,
    /// Who proposes in the first round.
    #[prost(message, optional, tag = "2")]
    pub proposer: Option<Validator>,
    /// Sum of the voting powers.
    #[prost(int64, tag = "3")]
    pub total_voting_power: i64,
}

/// A block. Source: types/block.proto.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Block {
    /// The header.
    #[prost(message, required, tag = "1")]
    pub header: Header,
    /// The transactions.
    #[prost(message, required, tag = "2")]
    pub data: Data,
    /// Evidence of misbehaviour.
    #[prost(message, required, tag = "3")]
    pub evidence: EvidenceList,
    /// The commit of the block before.
    #[prost(message, optional, tag = "4")]
    pub last_commit: Option<Commit>,
}

/// Evidence in a block. Source: types/evidence.proto.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct EvidenceList {
    /// The pieces.
    #[prost(message, repeated, tag = "1")]
    pub evidence: Vec<Evidence>,
}

/// A piece of evidence. Source: types/evidence.proto.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Evidence {
    /// Its kind.
    #[prost(oneof = "EvidenceSum", tags = "1, 2")]
    pub sum: Option<EvidenceSum>,
}

/// The kinds of [`Evidence`].
#[derive(Clone, PartialEq, Eq, Oneof)]
pub enum EvidenceSum {
    /// One validator signed two votes for one step.
    #[prost(message, tag = "1")]
    DuplicateVote(Box<DuplicateVoteEvidence>),
    /// Validators signed a block that is not the chain's.
    #[prost(message, tag = "2")]
    LightClientAttack(Box<LightClientAttackEvidence>),
}

/// Two votes of one validator that contradict each other. Source: types/evidence.proto.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct DuplicateVoteEvidence {
    /// The vote whose block identifier sorts first.
    #[prost(message, optional, tag = "1")]
    pub vote_a: Option<Vote>,
    /// The other vote.
    #[prost(message, optional, tag = "2")]
    pub vote_b: Option<Vote>,
    /// Power of all validators at the height of the votes.
    #[prost(int64, tag = "3")]
    pub total_voting_power: i64,
    /// Power of the voter.
    #[prost(int64, tag = "4")]
    pub validator_power: i64,
    /// Time of the block at that height.
    #[prost(message, required, tag = "5")]
    pub timestamp: Timestamp,
}

/// A header with the commit that proves it. Source: types/types.proto.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct SignedHeader {
    /// The header.
    #[prost(message, optional, tag = "1")]
    pub header: Option<Header>,
    /// The commit.
    #[prost(message, optional, tag = "2")]
    pub commit: Option<Commit>,
}

/// A signed header with its validators. Source: types/types.proto.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct LightBlock {
    /// The header.
    #[prost(message, optional, tag = "1")]
    pub signed_header: Option<SignedHeader>,
    /// Its validators.
    #[prost(message, optional, tag = "2")]
    pub validator_set: Option<ValidatorSetMessage>,
}

/// A block made for a light client that contradicts the chain. Source: types/evidence.proto.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct LightClientAttackEvidence {
    /// The block.
    #[prost(message, optional, tag = "1")]
    pub conflicting_block: Option<LightBlock>,
    /// The last height at which both chains agree.
    #[prost(int64, tag = "2")]
    pub common_height: i64,
    /// Who is guilty, by power.
    #[prost(message, repeated, tag = "3")]
    pub byzantine_validators: Vec<Validator>,
    /// Power of all validators at the common height.
    #[prost(int64, tag = "4")]
    pub total_voting_power: i64,
    /// Time of the block at the common height.
    #[prost(message, required, tag = "5")]
    pub timestamp: Timestamp,
}

/// Parameters of the consensus engine. Source: types/params.proto.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct ConsensusParams {
    /// Limits on blocks.
    #[prost(message, required, tag = "1")]
    pub block: BlockParams,
    /// Limits on evidence.
    #[prost(message, required, tag = "2")]
    pub evidence: EvidenceParams,
    /// Kinds of keys.
    #[prost(message, required, tag = "3")]
    pub validator: ValidatorParams,
    /// The application's protocol.
    #[prost(message, required, tag = "4")]
    pub version: VersionParams,
}

/// Limits on blocks. Source: types/params.proto.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct BlockParams {
    /// Largest block, in bytes.
    #[prost(int64, tag = "1")]
    pub max_bytes: i64,
    /// Most gas in a block, -1 for no limit.
    #[prost(int64, tag = "2")]
    pub max_gas: i64,
    /// Least time between blocks, in milliseconds; plays no part in validity.
    #[prost(int64, tag = "3")]
    pub time_iota_ms: i64,
}

/// Limits on evidence. Source: types/params.proto.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct EvidenceParams {
    /// Evidence is too old only when it is older than this many blocks...
    #[prost(int64, tag = "1")]
    pub max_age_num_blocks: i64,
    /// ... and older than this.
    #[prost(message, required, tag = "2")]
    pub max_age_duration: Duration,
    /// Most bytes of evidence in a block.
    #[prost(int64, tag = "3")]
    pub max_bytes: i64,
}

/// Kinds of validator keys. Source: types/params.proto.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct ValidatorParams {
    /// Names of key types.
    #[prost(string, repeated, tag = "1")]
    pub pub_key_types: Vec<String>,
}

/// The application's protocol. Source: types/params.proto.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct VersionParams {
    /// Its version.
    #[prost(uint64, tag = "1")]
    pub app_version: u64,
}

/// What is hashed of the parameters. Source: types/params.proto.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub(crate) struct HashedParams {
    #[prost(int64, tag = "1")]
    pub block_max_bytes: i64,
    #[prost(int64, tag = "2")]
    pub block_max_gas: i64,
}

/// A block identifier as it is signed. Source: types/canonical.proto.
#[derive(Clone, PartialEq, Eq, Message)]
pub(crate) struct CanonicalBlockId {
    #[prost(bytes = "vec", tag = "1")]
    pub hash: Vec<u8>,
    #[prost(message, required, tag = "2")]
    pub part_set_header: PartSetHeader,
}

/// A vote as it is signed. Source: types/canonical.proto.
#[derive(Clone, PartialEq, Eq, Message)]
pub(crate) struct CanonicalVote {
    #[prost(int32, tag = "1")]
    pub r#type: i32,
    #[prost(sfixed64, tag = "2")]
    pub height: i64,
    #[prost(sfixed64, tag = "3")]
    pub round: i64,
    #[prost(message, optional, tag = "4")]
    pub block_id: Option<CanonicalBlockId>,
    #[prost(message, required, tag = "5")]
    pub timestamp: Timestamp,
    #[prost(string, tag = "6")]
    pub chain_id: String,
}

/// A proposal as it is signed. Source: types/canonical.proto.
#[derive(Clone, PartialEq, Eq, Message)]
pub(crate) struct CanonicalProposal {
    #[prost(int32, tag = "1")]
    pub r#type: i32,
    #[prost(sfixed64, tag = "2")]
    pub height: i64,
    #[prost(sfixed64, tag = "3")]
    pub round: i64,
    #[prost(int64, tag = "4")]
    pub pol_round: i64,
    #[prost(message, optional, tag = "5")]
    pub block_id: Option<CanonicalBlockId>,
    #[prost(message, required, tag = "6")]
    pub timestamp: Timestamp,
    #[prost(string, tag = "7")]
    pub chain_id: String,
}
