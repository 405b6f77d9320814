//! Recorded networks: reading chain files, verifying their blocks, and computing them again.

mod app;
mod chain;
mod compare;
mod decode;
mod difference;
mod error;
mod gzip;
mod items;
mod keys;
mod machine;
mod progress;
mod run;
mod verify;

pub use app::{AppMachine, Network};
pub use chain::{ChainHeader, ChainReader, Change, RecordedBlock, open};
pub use difference::{Difference, KeyDifference};
pub use error::{Place, Refused, ReplayError};
pub use machine::{Executed, Machine};
pub use progress::ReplayLog;
pub use run::{Replay, Summary};
pub use verify::{BlockVerifier, VerifiedBlock};
