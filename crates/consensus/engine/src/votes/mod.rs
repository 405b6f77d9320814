//! Votes of a round, and of all rounds of a height.

mod height;
mod set;

pub use height::{HeightVoteSet, MAX_CATCHUP_ROUNDS, MAX_PEER_CATCHUP_ROUNDS};
pub use set::{Added, VoteError, VoteSet};

#[cfg(test)]
mod tests;
