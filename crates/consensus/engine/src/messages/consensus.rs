//! Channels 0x20 to 0x23: consensus.

use prost::{Message, Oneof};

use super::{ChannelId, MessageError, channels::max_message, lenient, lenient_as_original};
use crate::{
    bits::{BitArray, BitArrayMessage},
    error::{VerifyError, ensure},
    parts::MAX_BLOCK_PARTS,
    proto::{BlockId, CONSENSUS_ENVELOPE, Lenient, Part, PartSetHeader, Proposal, Schema, SignedMsgType, Vote},
    vote::check_hash,
};

/// Most votes of a set that a message may speak of. Source: tendermint `types/vote_set.go`, `MaxVotesCount`.
pub const MAX_VOTES: usize = 10_000;

/// Steps of a round, as they stand on the wire. Source: tendermint `consensus/types/round_state.go`, `RoundStepType`.
#[derive(Clone, Copy, Debug)]
pub struct RoundStep;

impl RoundStep {
    /// Waiting for the height to begin.
    pub const NEW_HEIGHT: u32 = 1;
    /// The round begins.
    pub const NEW_ROUND: u32 = 2;
    /// Waiting for the proposal.
    pub const PROPOSE: u32 = 3;
    /// Prevoted.
    pub const PREVOTE: u32 = 4;
    /// Two thirds prevoted, not for one block.
    pub const PREVOTE_WAIT: u32 = 5;
    /// Precommitted.
    pub const PRECOMMIT: u32 = 6;
    /// Two thirds precommitted, not for one block.
    pub const PRECOMMIT_WAIT: u32 = 7;
    /// Decided.
    pub const COMMIT: u32 = 8;
}

/// Where the sender stands.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct NewRoundStepMessage {
    /// Height it works on.
    #[prost(int64, tag = "1")]
    pub height: i64,
    /// Round of the height.
    #[prost(int32, tag = "2")]
    pub round: i32,
    /// A [`RoundStep`].
    #[prost(uint32, tag = "3")]
    pub step: u32,
    /// Seconds since the height began; may be negative.
    #[prost(int64, tag = "4")]
    pub seconds_since_start_time: i64,
    /// Round that decided the height before, -1 at the first height.
    #[prost(int32, tag = "5")]
    pub last_commit_round: i32,
}

/// The sender has a block with two thirds of the prevotes, or waits for the parts of a decided one.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct NewValidBlockMessage {
    /// Height of the block.
    #[prost(int64, tag = "1")]
    pub height: i64,
    /// Round.
    #[prost(int32, tag = "2")]
    pub round: i32,
    /// The block's parts.
    #[prost(message, required, tag = "3")]
    pub block_part_set_header: PartSetHeader,
    /// Those that the sender has.
    #[prost(message, optional, tag = "4")]
    pub block_parts: Option<BitArrayMessage>,
    /// Whether the block is decided.
    #[prost(bool, tag = "5")]
    pub is_commit: bool,
}

/// A proposal.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct ProposalMessage {
    /// The proposal.
    #[prost(message, required, tag = "1")]
    pub proposal: Proposal,
}

/// Which prevotes the sender has for a proposal's earlier round.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct ProposalPolMessage {
    /// Height of the proposal.
    #[prost(int64, tag = "1")]
    pub height: i64,
    /// The round in which the proposed block got two thirds of the prevotes.
    #[prost(int32, tag = "2")]
    pub proposal_pol_round: i32,
    /// The prevotes that the sender has.
    #[prost(message, required, tag = "3")]
    pub proposal_pol: BitArrayMessage,
}

/// A part of a block.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct BlockPartMessage {
    /// Height of the block.
    #[prost(int64, tag = "1")]
    pub height: i64,
    /// The sender's round.
    #[prost(int32, tag = "2")]
    pub round: i32,
    /// The part.
    #[prost(message, required, tag = "3")]
    pub part: Part,
}

/// A vote.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct VoteMessage {
    /// The vote.
    #[prost(message, optional, tag = "1")]
    pub vote: Option<Vote>,
}

/// The sender has a vote.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct HasVoteMessage {
    /// Height of the vote.
    #[prost(int64, tag = "1")]
    pub height: i64,
    /// Its round.
    #[prost(int32, tag = "2")]
    pub round: i32,
    /// A [`SignedMsgType`].
    #[prost(int32, tag = "3")]
    pub r#type: i32,
    /// The voter's place.
    #[prost(int32, tag = "4")]
    pub index: i32,
}

/// The sender has seen two thirds vote for a block.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct VoteSetMaj23Message {
    /// Height of the votes.
    #[prost(int64, tag = "1")]
    pub height: i64,
    /// Their round.
    #[prost(int32, tag = "2")]
    pub round: i32,
    /// A [`SignedMsgType`].
    #[prost(int32, tag = "3")]
    pub r#type: i32,
    /// The block, zero for nil.
    #[prost(message, required, tag = "4")]
    pub block_id: BlockId,
}

/// Which votes for a block the sender has.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct VoteSetBitsMessage {
    /// Height of the votes.
    #[prost(int64, tag = "1")]
    pub height: i64,
    /// Their round.
    #[prost(int32, tag = "2")]
    pub round: i32,
    /// A [`SignedMsgType`].
    #[prost(int32, tag = "3")]
    pub r#type: i32,
    /// The block, zero for nil.
    #[prost(message, required, tag = "4")]
    pub block_id: BlockId,
    /// The votes.
    #[prost(message, required, tag = "5")]
    pub votes: BitArrayMessage,
}

/// A message of the consensus channels. Source: tendermint `proto/tendermint/consensus/types.proto`, `Message`.
#[derive(Clone, PartialEq, Eq, Oneof)]
pub enum ConsensusMessage {
    /// Where the sender stands.
    #[prost(message, tag = "1")]
    NewRoundStep(NewRoundStepMessage),
    /// A valid or decided block.
    #[prost(message, tag = "2")]
    NewValidBlock(NewValidBlockMessage),
    /// A proposal.
    #[prost(message, tag = "3")]
    Proposal(ProposalMessage),
    /// Prevotes behind a proposal.
    #[prost(message, tag = "4")]
    ProposalPol(ProposalPolMessage),
    /// A part of a block.
    #[prost(message, tag = "5")]
    BlockPart(BlockPartMessage),
    /// A vote.
    #[prost(message, tag = "6")]
    Vote(VoteMessage),
    /// A vote that the sender has.
    #[prost(message, tag = "7")]
    HasVote(HasVoteMessage),
    /// A majority that the sender has seen.
    #[prost(message, tag = "8")]
    VoteSetMaj23(VoteSetMaj23Message),
    /// Votes that the sender has.
    #[prost(message, tag = "9")]
    VoteSetBits(VoteSetBitsMessage),
}

#[derive(Clone, PartialEq, Message)]
struct Envelope {
    #[prost(oneof = "ConsensusMessage", tags = "1, 2, 3, 4, 5, 6, 7, 8, 9")]
    sum: Option<ConsensusMessage>,
}

impl Lenient for Envelope {
    const SCHEMA: &'static Schema = CONSENSUS_ENVELOPE;
}

impl ConsensusMessage {
    /// Reads and checks a message. Source: tendermint `consensus/msgs.go`, `MsgFromProto`.
    pub fn decode(bytes: &[u8]) -> Result<Self, MessageError> {
        let limit = max_message(ChannelId::STATE);
        // Also what a later field replaces has to be well-formed, of the kinds that the schema takes as they are too.
        let mut envelope: Envelope = lenient(bytes, limit)?;
        if envelope.encode_to_vec() != bytes {
            envelope = lenient_as_original(bytes, limit)?;
        }
        let message = envelope.sum.ok_or(MessageError::UnknownKind)?;
        message.check_basic()?;
        Ok(message)
    }

    /// The bytes to send.
    pub fn to_bytes(self) -> Vec<u8> {
        Envelope { sum: Some(self) }.encode_to_vec()
    }

    /// The channel it goes over.
    pub fn channel(&self) -> ChannelId {
        match self {
            Self::NewRoundStep(_) | Self::NewValidBlock(_) | Self::HasVote(_) | Self::VoteSetMaj23(_) => ChannelId::STATE,
            Self::Proposal(_) | Self::ProposalPol(_) | Self::BlockPart(_) => ChannelId::DATA,
            Self::Vote(_) => ChannelId::VOTE,
            Self::VoteSetBits(_) => ChannelId::VOTE_SET_BITS,
        }
    }

    /// Source: tendermint `consensus/reactor.go`, the `ValidateBasic` of each message.
    pub fn check_basic(&self) -> Result<(), VerifyError> {
        match self {
            Self::NewRoundStep(m) => m.check_basic(),
            Self::NewValidBlock(m) => m.check_basic(),
            Self::Proposal(m) => m.proposal.check_basic().map_err(|e| e.inside("proposal")),
            Self::ProposalPol(m) => {
                not_negative("height", m.height)?;
                not_negative("proposal_pol_round", m.proposal_pol_round)?;
                check_bits("proposal_pol", &m.proposal_pol, 1, MAX_VOTES)
            }
            Self::BlockPart(m) => {
                not_negative("height", m.height)?;
                not_negative("round", m.round)?;
                m.part.check_basic().map_err(|e| e.inside("part"))
            }
            Self::Vote(m) => match &m.vote {
                Some(vote) => vote.check_basic().map_err(|e| e.inside("vote")),
                None => Err(VerifyError::new("vote", "a vote", "nothing")),
            },
            Self::HasVote(m) => {
                not_negative("height", m.height)?;
                not_negative("round", m.round)?;
                check_vote_type(m.r#type)?;
                not_negative("index", m.index)
            }
            Self::VoteSetMaj23(m) => {
                not_negative("height", m.height)?;
                not_negative("round", m.round)?;
                check_vote_type(m.r#type)?;
                m.block_id.check_basic().map_err(|e| e.inside("block_id"))
            }
            Self::VoteSetBits(m) => {
                not_negative("height", m.height)?;
                check_vote_type(m.r#type)?;
                m.block_id.check_basic().map_err(|e| e.inside("block_id"))?;
                check_bits("votes", &m.votes, 0, MAX_VOTES)
            }
        }
    }
}

impl NewRoundStepMessage {
    /// Source: tendermint `consensus/reactor.go`, `NewRoundStepMessage.ValidateBasic`.
    fn check_basic(&self) -> Result<(), VerifyError> {
        not_negative("height", self.height)?;
        not_negative("round", self.round)?;
        let known = (RoundStep::NEW_HEIGHT..=RoundStep::COMMIT).contains(&self.step);
        ensure(known, "step", "1 to 8", self.step)?;
        ensure(self.last_commit_round >= -1, "last_commit_round", "-1 or more", self.last_commit_round)
    }

    /// What only one who knows the chain's first height can check.
    ///
    /// Source: tendermint `consensus/reactor.go`, `NewRoundStepMessage.ValidateHeight`.
    pub fn check_height(&self, initial_height: i64) -> Result<(), VerifyError> {
        ensure(self.height >= initial_height, "height", format_args!("{initial_height} or more"), self.height)?;
        let none = self.last_commit_round < 0;
        let (first, round) = (self.height == initial_height, self.last_commit_round);
        ensure(none == first, "last_commit_round", "-1 at the first height and only there", round)
    }
}

impl NewValidBlockMessage {
    /// Source: tendermint `consensus/reactor.go`, `NewValidBlockMessage.ValidateBasic`.
    fn check_basic(&self) -> Result<(), VerifyError> {
        not_negative("height", self.height)?;
        not_negative("round", self.round)?;
        check_hash("block_part_set_header.hash", &self.block_part_set_header.hash)?;
        let Some(parts) = &self.block_parts else {
            return Err(VerifyError::new("block_parts", "bits", "nothing"));
        };
        check_bits("block_parts", parts, 1, usize::try_from(MAX_BLOCK_PARTS).unwrap_or_default())?;
        let total = i64::from(self.block_part_set_header.total);
        ensure(parts.bits == total, "block_parts", format_args!("{total} bits"), parts.bits)
    }
}

/// Checks a bit array's size, and that there are as many words as it wants.
///
/// Source: tendermint `consensus/reactor.go`, the `ValidateBasic` of messages with bit arrays. The original takes any count
/// of words; no honest node sends another than this.
fn check_bits(field: &str, bits: &BitArrayMessage, least: usize, most: usize) -> Result<(), VerifyError> {
    let size = BitArray::from_message(bits, most).map_err(|e| e.inside(field))?.len();
    ensure(size >= least, field, format_args!("{least} to {most} bits"), size)
}

/// Source: tendermint `types/signed_msg_type.go`, `IsVoteTypeValid`.
fn check_vote_type(kind: i32) -> Result<(), VerifyError> {
    let known = matches!(kind, SignedMsgType::PREVOTE | SignedMsgType::PRECOMMIT);
    ensure(known, "type", "a prevote or precommit", kind)
}

pub(super) fn not_negative(field: &str, number: impl Into<i64>) -> Result<(), VerifyError> {
    let number = number.into();
    ensure(number >= 0, field, "not negative", number)
}
