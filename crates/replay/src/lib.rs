//! Recorded networks: reading chain files, verifying their blocks, and computing them again.

mod app;
mod chain;
mod compare;
mod database;
mod decode;
mod difference;
mod dump;
mod error;
mod gzip;
mod items;
mod keys;
mod machine;
mod run;
mod verify;

pub use app::{AppMachine, network};
pub use chain::{ChainHeader, ChainReader, Change, RecordedBlock, open};
pub use database::{BlockRecord, Database, Notes};
pub use difference::{Difference, KeyDifference};
pub use dump::dump;
pub use error::{Place, Refused, ReplayError};
pub use machine::{Executed, Machine};
pub use oasis_consensus_abci::Network;
pub use run::{Replay, Summary};
pub use verify::{BlockVerifier, VerifiedBlock};
