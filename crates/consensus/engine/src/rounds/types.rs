//! What goes into the round state machine and what comes out.

use std::sync::Arc;

use crate::{
    bits::BitArray,
    block::CheckedBlock,
    parts::PartSet,
    peer::PeerId,
    proto::{BlockId, Commit, Part, PartSetHeader, Proposal, Timestamp, Vote},
    state::ChainState,
    wal::WalRecord,
};

/// Steps of a round, in order. Source: tendermint `consensus/types/round_state.go`, `RoundStepType`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Step {
    /// Waits for late precommits of the last height.
    #[default]
    NewHeight = 1,
    /// Waits for transactions, where blocks are not to be empty.
    NewRound = 2,
    /// Waits for the proposal.
    Propose = 3,
    /// Has prevoted.
    Prevote = 4,
    /// Has seen two thirds of the prevotes, waits for more.
    PrevoteWait = 5,
    /// Has precommitted.
    Precommit = 6,
    /// Has seen two thirds of the precommits, waits for more. Only timeouts have this step.
    PrecommitWait = 7,
    /// The block is decided; waits for it, or executes it.
    Commit = 8,
}

impl Step {
    /// From its number on the wire.
    pub fn from_number(n: u32) -> Option<Self> {
        Some(match n {
            1 => Self::NewHeight,
            2 => Self::NewRound,
            3 => Self::Propose,
            4 => Self::Prevote,
            5 => Self::PrevoteWait,
            6 => Self::Precommit,
            7 => Self::PrecommitWait,
            8 => Self::Commit,
            _ => return None,
        })
    }

    /// Its number on the wire.
    pub fn number(self) -> u32 {
        self as u32
    }

    /// Its name in the log. Source: `RoundStepType.String`.
    pub fn name(self) -> &'static str {
        match self {
            Self::NewHeight => "RoundStepNewHeight",
            Self::NewRound => "RoundStepNewRound",
            Self::Propose => "RoundStepPropose",
            Self::Prevote => "RoundStepPrevote",
            Self::PrevoteWait => "RoundStepPrevoteWait",
            Self::Precommit => "RoundStepPrecommit",
            Self::PrecommitWait => "RoundStepPrecommitWait",
            Self::Commit => "RoundStepCommit",
        }
    }
}

/// How long a node waits, in nanoseconds, and what for.
///
/// Source: tendermint `config/config.go`, `ConsensusConfig`, `DefaultConsensusConfig`;
/// go/consensus/tendermint/full/full.go, where the last four come from the genesis document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoundsConfig {
    /// For the proposal in round 0.
    pub timeout_propose: i64,
    /// More for each further round.
    pub timeout_propose_delta: i64,
    /// After two thirds of the prevotes for whatever, in round 0.
    pub timeout_prevote: i64,
    /// More for each further round.
    pub timeout_prevote_delta: i64,
    /// After two thirds of the precommits for whatever, in round 0.
    pub timeout_precommit: i64,
    /// More for each further round.
    pub timeout_precommit_delta: i64,
    /// From the commit of a block to the next height.
    pub timeout_commit: i64,
    /// Whether to go on at once when all precommits are here.
    pub skip_timeout_commit: bool,
    /// Whether to make blocks without transactions; the original always does.
    pub create_empty_blocks: bool,
    /// How long to wait for transactions before an empty block is made; 0 not to wait.
    pub create_empty_blocks_interval: i64,
    /// A bug to show.
    #[cfg(feature = "planted-bugs")]
    pub planted: Option<crate::planted::PlantedBug>,
}

const MILLISECOND: i64 = 1_000_000;

impl Default for RoundsConfig {
    fn default() -> Self {
        Self {
            timeout_propose: 3000 * MILLISECOND,
            timeout_propose_delta: 500 * MILLISECOND,
            timeout_prevote: 1000 * MILLISECOND,
            timeout_prevote_delta: 500 * MILLISECOND,
            timeout_precommit: 1000 * MILLISECOND,
            timeout_precommit_delta: 500 * MILLISECOND,
            timeout_commit: 1000 * MILLISECOND,
            skip_timeout_commit: false,
            create_empty_blocks: true,
            create_empty_blocks_interval: 0,
            #[cfg(feature = "planted-bugs")]
            planted: None,
        }
    }
}

impl RoundsConfig {
    /// Source: `ConsensusConfig.WaitForTxs`.
    pub fn waits_for_txs(&self) -> bool {
        !self.create_empty_blocks || self.create_empty_blocks_interval > 0
    }

    pub(crate) fn propose(&self, round: i32) -> i64 {
        self.timeout_propose.saturating_add(self.timeout_propose_delta.saturating_mul(i64::from(round)))
    }

    pub(crate) fn prevote(&self, round: i32) -> i64 {
        self.timeout_prevote.saturating_add(self.timeout_prevote_delta.saturating_mul(i64::from(round)))
    }

    pub(crate) fn precommit(&self, round: i32) -> i64 {
        self.timeout_precommit.saturating_add(self.timeout_precommit_delta.saturating_mul(i64::from(round)))
    }
}

/// What a timeout is for. Source: tendermint `consensus/state.go`, `timeoutInfo`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TimeoutInfo {
    /// How long it was to take, in nanoseconds, only for the log.
    pub duration: i64,
    /// Height.
    pub height: i64,
    /// Round.
    pub round: i32,
    /// The step that it ends.
    pub step: Step,
}

/// A message that the rounds act upon.
#[derive(Clone, Debug, PartialEq)]
pub enum RoundMessage {
    /// A proposal.
    Proposal(Proposal),
    /// A part of a proposed block.
    BlockPart {
        /// Height of the block.
        height: i64,
        /// Round of the sender.
        round: i32,
        /// The part.
        part: Part,
    },
    /// A vote.
    Vote(Vote),
}

/// What the rounds are told. The forms of messages from peers have been checked (`check_basic`).
#[derive(Clone, Debug)]
pub enum Input {
    /// A message; `from` nobody for our own, once it is signed.
    Message {
        /// Who sent it.
        from: Option<PeerId>,
        /// The message.
        msg: RoundMessage,
    },
    /// The time of the last [`Effect::Schedule`] has come.
    Timeout(TimeoutInfo),
    /// A peer says that a block has two thirds of the votes.
    Maj23 {
        /// The peer.
        peer: PeerId,
        /// Height of the votes.
        height: i64,
        /// Round of the votes.
        round: i32,
        /// Kind of the votes.
        kind: i32,
        /// The block, zero for nil.
        block_id: BlockId,
    },
    /// A peer is gone: what it said of majorities is forgotten.
    PeerGone(PeerId),
    /// Answer to [`Effect::CreateBlock`].
    BlockCreated {
        /// Height as asked.
        height: i64,
        /// Round as asked.
        round: i32,
        /// The block.
        block: Arc<CheckedBlock>,
        /// Its encoding.
        encoded: Vec<u8>,
    },
    /// Answer to [`Effect::Validate`].
    Validated {
        /// Hash of the block.
        block_hash: Vec<u8>,
        /// Whether it may follow, with all signatures and evidence; or what is wrong.
        result: Result<(), String>,
    },
    /// Answer to [`Effect::Decided`]: the block was executed.
    Applied {
        /// The state after it.
        state: Box<ChainState>,
    },
    /// There are transactions in the mempool. Plays a part only where blocks are not to be empty.
    TxsAvailable,
}

/// What has to be signed.
#[derive(Clone, Debug, PartialEq)]
pub enum Unsigned {
    /// A vote.
    Vote(Vote),
    /// A proposal.
    Proposal(Proposal),
}

/// Where a node is. Source: tendermint `consensus/reactor.go`, `makeRoundStepMessage`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RoundStepInfo {
    /// Height that is being decided.
    pub height: i64,
    /// Round.
    pub round: i32,
    /// Step.
    pub step: Step,
    /// When round 0 of this height began or will begin.
    pub start_time: Timestamp,
    /// Round of the last commit; -1 at the first height.
    pub last_commit_round: i32,
}

/// A block that has two thirds of the prevotes or precommits, with the parts that are here.
///
/// Source: tendermint `consensus/reactor.go`, `broadcastNewValidBlockMessage`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValidBlockInfo {
    /// Height.
    pub height: i64,
    /// Round.
    pub round: i32,
    /// The parts' header.
    pub part_set_header: PartSetHeader,
    /// Which parts are here.
    pub parts: BitArray,
    /// Whether it is decided.
    pub is_commit: bool,
}

/// What has to be done, in this order. Nothing of it fails but what [`crate::ports::Fatal`] ends the node.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Adds a record to the log; `sync`: and goes on only once it survives power loss.
    WriteWal {
        /// The record.
        record: WalRecord,
        /// Whether to wait for the disk.
        sync: bool,
    },
    /// Signs, then hands the signed message back as a message from nobody; if the signer refuses, nothing.
    Sign(Unsigned),
    /// Makes a block on the last state, then hands it back; nothing if there is none.
    CreateBlock {
        /// Height of the block.
        height: i64,
        /// Round of the proposal.
        round: i32,
        /// The commit that it carries.
        last_commit: Commit,
    },
    /// Judges a block against the last state, then answers.
    Validate {
        /// The block.
        block: Arc<CheckedBlock>,
    },
    /// Sets the one timer of the rounds; an earlier setting lapses.
    Schedule {
        /// To be handed back.
        timeout: TimeoutInfo,
        /// Nanoseconds from now, 0 for at once.
        after: i64,
    },
    /// A valid block is decided: keep it, end the height in the log (synced), execute, answer with the new state.
    Decided {
        /// The block.
        block: Arc<CheckedBlock>,
        /// Its parts as they came.
        parts: PartSet,
        /// The precommits that decided it.
        seen_commit: Commit,
    },
    /// Height, round or step have changed: tell the peers.
    NewStep(RoundStepInfo),
    /// A block has two thirds: tell the peers which parts are here.
    ValidBlock(ValidBlockInfo),
    /// A vote was added: tell the peers.
    HasVote {
        /// The vote.
        vote: Arc<Vote>,
        /// Who sent it; nobody for our own.
        from: Option<PeerId>,
    },
    /// The proposal of this round has come.
    AddedProposal {
        /// Who sent it; nobody for our own.
        from: Option<PeerId>,
    },
    /// A part of the block has come.
    AddedPart {
        /// Height.
        height: i64,
        /// Round of the node.
        round: i32,
        /// Place of the part.
        index: u32,
        /// Who sent it; nobody for our own.
        from: Option<PeerId>,
    },
    /// Two votes of one validator contradict each other.
    Conflict {
        /// The vote that was here.
        vote_a: Arc<Vote>,
        /// The other.
        vote_b: Arc<Vote>,
    },
    /// A peer did what only faulty peers do: drop it.
    PeerFault {
        /// The peer.
        peer: PeerId,
        /// What it did.
        reason: String,
    },
    /// Something that people should read in the log.
    Warn {
        /// What was found.
        text: String,
    },
    /// More than a third of the power must be faulty, or this node is: it must not go on.
    Halt {
        /// What was found.
        reason: String,
    },
}
