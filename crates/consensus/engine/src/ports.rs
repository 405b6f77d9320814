//! What the engine asks of the world: the state machine, a place to keep blocks, a log, a signer.
//!
//! The parts of the engine that decide do not call these: they answer with effects, and only the node around them carries the
//! effects out, over these traits. The simulator puts its own behind them.

use crate::{
    block::CheckedBlock,
    evidence::ByzantineValidator,
    parts::PartSet,
    proto::{AbciResponses, BlockMeta, Commit, ConsensusParams, Evidence, Header, Part, Proposal, Vote},
    state::{ChainState, EngineGenesis, InitChainResponse, VoteInfo},
    validator_set::ValidatorSet,
};

/// Why the node cannot go on: a damaged or full disk, a state machine that contradicts itself.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Fatal(pub String);

impl Fatal {
    /// An error in words: what was done, what was found, what to do.
    pub fn new(text: impl std::fmt::Display) -> Self {
        Self(text.to_string())
    }
}

/// What the state machine holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AppInfo {
    /// Height of the last committed block, 0 before the first.
    pub last_height: i64,
    /// Root of its state.
    pub app_hash: Vec<u8>,
    /// The application's protocol, for headers.
    pub app_version: u64,
}

/// What a commit of the state machine came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AppCommit {
    /// Root of the state, for the next block's header.
    pub app_hash: Vec<u8>,
    /// Blocks below this height may be forgotten; 0 for none.
    pub retain_height: i64,
}

/// How a check of a transaction came out. Source: tendermint `abci/types/types.proto`, `ResponseCheckTx`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CheckTx {
    /// 0 for accepted.
    pub code: u32,
    /// Module of the error.
    pub codespace: String,
    /// Text of the error.
    pub log: String,
    /// Gas that the transaction asks for.
    pub gas_wanted: i64,
}

/// A snapshot of the state that a node offers. Source: tendermint `abci/types/types.proto`, `Snapshot`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Snapshot {
    /// Height of the state.
    pub height: u64,
    /// Format, 1 in the original.
    pub format: u32,
    /// Count of chunks.
    pub chunks: u32,
    /// Hash of the snapshot, chosen by the application.
    pub hash: Vec<u8>,
    /// What the application needs to know of it.
    pub metadata: Vec<u8>,
}

/// Answer to an offered snapshot. Source: tendermint `abci/types/types.proto`, `ResponseOfferSnapshot`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OfferSnapshot {
    /// Send the chunks.
    Accept,
    /// No snapshot will do: stop syncing from snapshots.
    Abort,
    /// Not this one.
    Reject,
    /// None of this format.
    RejectFormat,
    /// None of those who offered it.
    RejectSender,
}

/// Answer to a chunk. Source: tendermint `abci/types/types.proto`, `ResponseApplySnapshotChunk`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ApplyChunk {
    /// Taken; the snapshot may now be whole.
    Accept,
    /// Stop syncing from snapshots, with a reason.
    Abort(String),
    /// Damaged: ask for it again, from somebody else than its sender.
    RefetchFromOthers,
    /// Start this snapshot again.
    RetrySnapshot,
    /// The snapshot is not what it said it was.
    RejectSnapshot(String),
}

/// The state machine, as the engine drives it. Source: tendermint `abci/types/application.go`.
pub trait Application {
    /// What it holds.
    fn info(&self) -> Result<AppInfo, Fatal>;
    /// Makes the state of the genesis document.
    fn init_chain(&mut self, genesis: &EngineGenesis) -> Result<InitChainResponse, Fatal>;
    /// Executes the next block; nothing is kept before [`Application::commit`].
    fn execute(&mut self, block: &CheckedBlock, votes: &[VoteInfo], byzantine: &[ByzantineValidator]) -> Result<AbciResponses, Fatal>;
    /// Why it executed no further block though nothing is wrong: the network has ended, or goes on with another program. None while
    /// it executes blocks.
    fn ended(&self) -> Option<String> {
        None
    }
    /// Keeps the state after the block that was executed.
    fn commit(&mut self) -> Result<AppCommit, Fatal>;
    /// Tells of transactions that are about to be checked, so that what does not need the state can be done for all together.
    fn prepare(&mut self, _txs: &[&[u8]]) {}
    /// Checks a transaction for the mempool; `recheck` for those that passed against an earlier state.
    fn check_tx(&mut self, tx: &[u8], recheck: bool) -> Result<CheckTx, Fatal>;
    /// Snapshots that can be served, newest first.
    fn snapshots(&self) -> Vec<Snapshot>;
    /// A chunk of a snapshot; none where there is no such chunk.
    fn snapshot_chunk(&self, height: u64, format: u32, chunk: u32) -> Option<Vec<u8>>;
    /// Offers a snapshot whose state must have the root `app_hash`.
    fn offer_snapshot(&mut self, snapshot: &Snapshot, app_hash: &[u8]) -> Result<OfferSnapshot, Fatal>;
    /// Hands in a chunk of the accepted snapshot.
    fn apply_chunk(&mut self, index: u32, chunk: &[u8]) -> Result<ApplyChunk, Fatal>;
}

/// Where blocks and what goes with them are kept. What a call wrote is there after the end of the process at any later
/// moment; a call writes all or nothing. `None` stands for what was never there or was pruned.
///
/// Source: tendermint `store/store.go`, `state/store.go`, `evidence/pool.go`.
pub trait Store {
    /// The state after the last applied block; none before the genesis state was saved.
    fn chain_state(&self) -> Result<Option<ChainState>, Fatal>;
    /// Keeps the state before the first block, with its validators and parameters.
    fn save_genesis(&mut self, state: &ChainState) -> Result<(), Fatal>;
    /// First and last heights of the blocks that are there; (0, 0) for none.
    fn range(&self) -> (i64, i64);
    /// Keeps a decided block: its parts, all of them, which are served as they are, and the commit that decided it. Synced.
    fn save_block(&mut self, block: &CheckedBlock, parts: &PartSet, seen_commit: &Commit) -> Result<(), Fatal>;
    /// Keeps a block that peers have decided long ago and can give again, as [`Store::save_block`] does, but whole. Power loss may
    /// take it, but then it takes the state machine's commits from this block on too.
    fn save_fetched(&mut self, block: &CheckedBlock, encoded: &[u8], seen_commit: &Commit) -> Result<(), Fatal> {
        self.save_block(block, &PartSet::from_bytes(encoded), seen_commit)
    }
    /// Keeps what the state machine answered to a block, before its state is committed; power loss may take it only together
    /// with that commit.
    fn save_responses(&mut self, height: i64, responses: &AbciResponses) -> Result<(), Fatal>;
    /// Keeps the state after a block, the validators and parameters of coming heights, and marks its evidence as committed.
    fn save_applied(&mut self, state: &ChainState, committed: &[Evidence]) -> Result<(), Fatal>;
    /// Keeps a state that was restored from a snapshot, with the commit of its last block, the header, and the validators of
    /// the heights before, at and after it.
    fn bootstrap(&mut self, state: &ChainState, seen_commit: &Commit) -> Result<(), Fatal>;
    /// A block's encoding.
    fn block(&self, height: i64) -> Result<Option<Vec<u8>>, Fatal>;
    /// What is known of a block beside its parts.
    fn block_meta(&self, height: i64) -> Result<Option<BlockMeta>, Fatal>;
    /// The height of the block with this hash.
    fn height_of(&self, hash: &[u8]) -> Result<Option<i64>, Fatal>;
    /// A part of a block.
    fn part(&self, height: i64, index: u32) -> Result<Option<Part>, Fatal>;
    /// The commit of a block as the next block carries it.
    fn commit(&self, height: i64) -> Result<Option<Commit>, Fatal>;
    /// The commit of a block as this node saw it.
    fn seen_commit(&self, height: i64) -> Result<Option<Commit>, Fatal>;
    /// The validators of a height, with their priorities.
    fn validators(&self, height: i64) -> Result<Option<ValidatorSet>, Fatal>;
    /// The parameters of a height.
    fn params(&self, height: i64) -> Result<Option<ConsensusParams>, Fatal>;
    /// What the state machine answered to a block.
    fn responses(&self, height: i64) -> Result<Option<AbciResponses>, Fatal>;
    /// Forgets blocks below a height, and what no later part needs of them. Returns how many blocks went.
    fn prune(&mut self, retain_height: i64) -> Result<u64, Fatal>;
    /// Evidence that waits for a block.
    fn pending_evidence(&self) -> Result<Vec<Evidence>, Fatal>;
    /// Keeps evidence that waits for a block.
    fn add_evidence(&mut self, evidence: &Evidence) -> Result<(), Fatal>;
    /// Forgets evidence, by hash: expired, or found to be false.
    fn remove_evidence(&mut self, hashes: &[[u8; 32]]) -> Result<(), Fatal>;
    /// Whether evidence with this hash stands in a block.
    fn is_committed(&self, hash: &[u8; 32]) -> Result<bool, Fatal>;
    /// A block's header, from its meta.
    fn header(&self, height: i64) -> Result<Option<Header>, Fatal> {
        Ok(self.block_meta(height)?.map(|meta| meta.header))
    }
}

/// The log that is written before the engine acts, and read again after a crash.
///
/// Records are encoded by the engine. Source: tendermint `consensus/wal.go`.
pub trait Wal {
    /// Adds a record; `sync` returns only once it survives power loss.
    fn write(&mut self, record: &[u8], sync: bool) -> Result<(), Fatal>;
    /// The records after the last one that ends `height`, in order; none if no record ends that height.
    /// A record that was cut off at the end of the log is dropped.
    fn records_after(&mut self, height: i64) -> Result<Option<Vec<Vec<u8>>>, Fatal>;
}

/// Why nothing was signed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// It would contradict, or come before, what was signed already.
    #[error("refused to sign: {0}")]
    Refused(String),
    /// The signer or its memory of what it signed is out of reach.
    #[error(transparent)]
    Fatal(#[from] Fatal),
}

/// Signs votes and proposals, and never two that contradict each other, whatever restarts come between.
///
/// Source: tendermint `types/priv_validator.go`; go/consensus/tendermint/crypto/priv_val.go.
pub trait Signer {
    /// The validator's key.
    fn public_key(&self) -> [u8; 32];
    /// Signs a vote. The timestamp may be set back to that of an equal vote signed before.
    fn sign_vote(&mut self, chain_id: &str, vote: &mut Vote) -> Result<(), SignError>;
    /// Signs a proposal. The timestamp may be set back to that of an equal proposal signed before.
    fn sign_proposal(&mut self, chain_id: &str, proposal: &mut Proposal) -> Result<(), SignError>;
}
