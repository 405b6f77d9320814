//! Bugs that the simulator has to find. Not part of normal builds.

/// A bug that can be switched on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PlantedBug {
    /// After a restart the block that the validator is locked on is forgotten.
    LockForgottenOnRestart,
    /// A vote that comes in twice counts twice.
    VoteCountedTwice,
    /// Blocks are accepted whatever evidence stands in them.
    EvidenceNotChecked,
}
