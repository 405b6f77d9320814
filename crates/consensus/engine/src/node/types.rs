//! What goes into a node and what comes out.

use std::sync::Arc;

use crate::{
    block::CheckedBlock,
    blocksync,
    light::{LightError, TrustedState},
    mempool::{Invalidated, MempoolConfig, MempoolError},
    messages::ChannelId,
    peer::PeerId,
    ports::{Application, CheckTx, Signer, Store, Wal},
    proto::{AbciResponses, Evidence},
    rounds::{RoundStepInfo, RoundsConfig},
    statesync,
};

/// How a node behaves.
#[derive(Clone, Debug)]
pub struct NodeConfig {
    /// Timeouts of the rounds.
    pub rounds: RoundsConfig,
    /// Limits of the mempool.
    pub mempool: MempoolConfig,
    /// Limits of block sync.
    pub block_sync: blocksync::Config,
    /// How to restore a state of other nodes before all else; none not to. A node that has blocks never does.
    pub state_sync: Option<statesync::Config>,
    /// Whether to fetch blocks from peers before taking part in consensus. A validator that is alone never does.
    pub sync_blocks: bool,
    /// Whether signatures of synced blocks are verified elsewhere ([`Effect::Verify`]), beside the execution of blocks.
    pub verify_elsewhere: bool,
    /// Whether to pass transactions on.
    pub broadcast_txs: bool,
    /// Spreads choices among peers; no secret.
    pub seed: u64,
}

impl Default for NodeConfig {
    fn default() -> Self {
        Self {
            rounds: RoundsConfig::default(),
            mempool: MempoolConfig::default(),
            block_sync: blocksync::Config::default(),
            state_sync: None,
            sync_blocks: true,
            verify_elsewhere: false,
            broadcast_txs: true,
            seed: 0,
        }
    }
}

/// The world around a node.
pub struct Ports {
    /// The state machine.
    pub app: Box<dyn Application + Send>,
    /// Blocks.
    pub store: Box<dyn Store + Send>,
    /// The log.
    pub wal: Box<dyn Wal + Send>,
    /// The validator key; none for a node that never votes.
    pub signer: Option<Box<dyn Signer + Send>>,
}

/// What a node is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mode {
    /// Restores a state of other nodes.
    StateSync,
    /// Fetches blocks of other nodes.
    BlockSync,
    /// Takes part in consensus, as a validator or as one that follows.
    Consensus,
}

/// A timer. Setting it again replaces what it was set to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TimerId {
    /// The timeout of the rounds.
    Round,
    /// Time to go on with the next height.
    NextHeight,
    /// Time to pass on what others sent.
    Gossip,
    /// Time to ask peers what they have.
    Query,
    /// Time to send evidence again.
    Evidence,
    /// Time for block sync.
    BlockSync,
    /// Time for state sync.
    StateSync,
    /// Time to apply more of the blocks that block sync has.
    Apply,
}

/// What a node is told.
#[derive(Clone, Debug)]
pub enum Input {
    /// A connection is there.
    Connected {
        /// With whom.
        peer: PeerId,
        /// Whether this node made it.
        outbound: bool,
        /// Whether the operator wants it kept.
        persistent: bool,
    },
    /// A connection is gone.
    Gone {
        /// With whom.
        peer: PeerId,
    },
    /// A message came.
    Message {
        /// From whom.
        peer: PeerId,
        /// Over which channel.
        channel: ChannelId,
        /// What.
        bytes: Vec<u8>,
    },
    /// A message of [`Effect::Send`] was written to the connection, or dropped.
    Sent {
        /// To whom.
        peer: PeerId,
        /// Over which channel.
        channel: ChannelId,
        /// Its bytes.
        bytes: usize,
    },
    /// The time of a timer has come.
    Timer(TimerId),
    /// Answer to [`Effect::Trust`].
    Trusted(Result<Box<TrustedState>, LightError>),
    /// Answer to [`Effect::Verify`].
    Verified(blocksync::Verdict),
    /// A transaction of a user of this node. Answered by [`NodeEvent::TxChecked`].
    SubmitTx {
        /// For the answer.
        id: u64,
        /// The transaction.
        tx: Vec<u8>,
    },
    /// Several of them, each with its number for the answer.
    SubmitTxs(Vec<(u64, Vec<u8>)>),
    /// Evidence from a user of this node. Answered by [`NodeEvent::EvidenceChecked`].
    SubmitEvidence {
        /// For the answer.
        id: u64,
        /// The evidence.
        evidence: Box<Evidence>,
    },
}

/// What a node wants done.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Send a message, then say so with [`Input::Sent`]. There are never more on the way to a peer than a bounded count, so
    /// that whoever carries this out need not refuse any.
    Send {
        /// To whom.
        peer: PeerId,
        /// Over which channel.
        channel: ChannelId,
        /// What.
        bytes: Arc<[u8]>,
    },
    /// Close a connection. The node takes the peer for gone already.
    Drop {
        /// With whom.
        peer: PeerId,
        /// Why.
        reason: String,
        /// Whether the peer did what no honest one does and is not to come back for a while.
        ban: bool,
    },
    /// A peer has proven to be useful; its address is worth keeping.
    Good {
        /// Who.
        peer: PeerId,
    },
    /// Set a timer.
    SetTimer {
        /// Which.
        id: TimerId,
        /// Nanoseconds from now, 0 for at once.
        after: i64,
    },
    /// Ask the light client, on any thread, for the state after a height, then hand in [`Input::Trusted`].
    Trust {
        /// The height.
        height: i64,
    },
    /// Verify signatures on any thread, then hand in [`Input::Verified`].
    Verify(blocksync::Batch),
    /// Something happened.
    Event(NodeEvent),
}

/// Why a transaction was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubmitError {
    /// The node cannot judge it yet.
    #[error("this node is still syncing: it takes transactions once it has caught up")]
    Syncing,
    /// The mempool refuses it.
    #[error(transparent)]
    Refused(#[from] MempoolError),
}

/// Something that happened in a node.
#[derive(Clone, Debug)]
pub enum NodeEvent {
    /// The node does something else now.
    Mode(Mode),
    /// A block was applied.
    Applied(Arc<Applied>),
    /// A step of a round began.
    Step(RoundStepInfo),
    /// How far block sync is.
    BlockSync(blocksync::Progress),
    /// How far state sync is.
    StateSync(statesync::StateSyncProgress),
    /// The state of a height was restored.
    Restored {
        /// The height.
        height: i64,
    },
    /// A transaction was checked.
    TxChecked {
        /// As submitted.
        id: u64,
        /// What came of it.
        result: Result<CheckTx, SubmitError>,
    },
    /// Evidence was judged.
    EvidenceChecked {
        /// As submitted.
        id: u64,
        /// What is wrong with it.
        result: Result<(), String>,
    },
    /// The signer refused to sign what the rounds wanted signed.
    Refused(String),
    /// Something that people should read in the log.
    Warn(String),
    /// The state machine executes no further block, though nothing is wrong. The node goes on to give peers what it has.
    Ended(String),
    /// The node has stopped deciding: more than a third of the power is faulty, or this node is.
    Halted(String),
}

/// A block and what came of it.
#[derive(Clone, Debug)]
pub struct Applied {
    /// The block.
    pub block: Arc<CheckedBlock>,
    /// What the state machine answered.
    pub responses: AbciResponses,
    /// Root of the state after it.
    pub app_hash: Vec<u8>,
    /// Transactions that waited and are no longer good.
    pub invalidated: Vec<Invalidated>,
}
