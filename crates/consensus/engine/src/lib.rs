//! Tendermint blocks, validator sets and their verification.
//!
//! What the consensus engine of the original checks of a block, as functions of the chain's state: nothing here reads a
//! clock, a socket or a disk. Signatures are not verified but handed out ([`SignatureCheck`]), so that the caller can
//! verify those of many blocks in one batch.

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::arithmetic_side_effects)
)]

// The tests in here and those outside share helpers.
#[cfg(test)]
extern crate self as oasis_consensus_engine;

pub mod proto;
pub mod reactors;

pub mod bits;
mod block;
pub mod blocksync;
mod commit;
mod error;
mod evidence;
pub mod evidence_pool;
mod genesis;
pub mod gossip;
mod history;
pub mod light;
pub mod mempool;
pub mod merkle;
pub mod messages;
pub mod node;
mod params;
pub mod parts;
mod peer;
#[cfg(feature = "planted-bugs")]
pub mod planted;
pub mod ports;
mod proposal;
pub mod rounds;
pub mod sign_state;
pub mod signer;
mod state;
pub mod statesync;
mod time;
mod validator_set;
mod vote;
pub mod votes;
pub mod wal;

pub use block::{
    BLOCK_PROTOCOL, CheckedBlock, MAX_CHAIN_ID_LEN, decode_commit, decode_responses, max_data_bytes, part_set_header, results_hash,
};
pub use commit::{CommitTarget, SignatureCheck};
pub use error::VerifyError;
pub use evidence::{ByzantineValidator, History, Misbehaviour};
pub use genesis::GenesisSections;
pub use history::RecentBlocks;
pub use params::KEY_TYPE_ED25519;
pub use peer::{PeerId, PeerIdError};
pub use state::{ChainState, EngineGenesis, InitChainResponse, VoteInfo};
pub use time::median_time;
pub use validator_set::{ADDRESS_SIZE, MAX_TOTAL_VOTING_POWER, ValidatorSet, address_of, by_voting_power, from_updates};
pub use vote::VoteContent;
