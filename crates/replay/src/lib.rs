//! Recorded networks: reading chain files, verifying their blocks, and computing them again.

mod chain;
mod difference;
mod error;
mod gzip;
mod items;
mod verify;

pub use chain::{ChainHeader, ChainReader, Change, RecordedBlock, open};
pub use difference::{Difference, KeyDifference};
pub use error::{Place, Refused, ReplayError};
pub use verify::{BlockVerifier, VerifiedBlock};
