//! What a consensus engine hands to the state machine and gets back.
//!
//! Source: Tendermint 0.34, abci/types, the fields that the apps use.

use oasis_primitives::signature::PublicKey;

use crate::{context::BlockTime, event::Event};

/// A validator's part in the last commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vote {
    /// Tendermint address, 20 bytes.
    pub address: [u8; 20],
    /// Voting power.
    pub power: i64,
    /// Whether its precommit is in the last commit.
    pub signed: bool,
}

/// The kind of a misbehaviour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MisbehaviourKind {
    /// Two votes at one height, round and step.
    DuplicateVote,
    /// A signature on a block that was never decided.
    LightClientAttack,
}

/// Evidence against a validator, verified by the engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misbehaviour {
    /// What was done.
    pub kind: MisbehaviourKind,
    /// Tendermint address of the validator, 20 bytes.
    pub address: [u8; 20],
    /// Its voting power then.
    pub power: i64,
    /// Height of the misbehaviour.
    pub height: i64,
    /// Block time then.
    pub time: BlockTime,
    /// All voting power then.
    pub total_power: i64,
}

/// The start of a block.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BeginBlock {
    /// Height of the block.
    pub height: i64,
    /// Time of the block.
    pub time: BlockTime,
    /// Hash of the block.
    pub hash: Vec<u8>,
    /// Hash of the last commit, as the block's header has it; empty in the first block.
    pub last_commit_hash: Vec<u8>,
    /// Tendermint address of the proposer, 20 bytes.
    pub proposer: Vec<u8>,
    /// The validators of the block before and whether they signed it, in the order of the set; none in the first block.
    pub votes: Vec<Vote>,
    /// Evidence in the block.
    pub misbehaviour: Vec<Misbehaviour>,
}

/// A validator's new voting power; zero removes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValidatorUpdate {
    /// The validator's consensus key.
    pub public_key: PublicKey,
    /// Its voting power.
    pub power: i64,
}

/// The result of a transaction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TxResult {
    /// Module of the error; empty on success.
    pub module: String,
    /// Code of the error; 0 on success.
    pub code: u32,
    /// What went wrong, for people.
    pub message: String,
    /// Output: the encoding of null on success, since no method has one; empty on failure.
    pub data: Vec<u8>,
    /// Events, also of a transaction that failed.
    pub events: Vec<Event>,
    /// Gas limit.
    pub gas_wanted: u64,
    /// Gas used.
    pub gas_used: u64,
}

/// The end of a block.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EndBlock {
    /// Changes of the validator set, in the order of their keys.
    pub validator_updates: Vec<ValidatorUpdate>,
    /// Events.
    pub events: Vec<Event>,
}
