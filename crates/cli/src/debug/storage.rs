//! `oasis-node debug storage`: tools for the databases of ParaTimes, which this node does not serve yet.
//!
//! Source: go/oasis-node/cmd/debug/storage/storage.go.

use anyhow::{Result, bail};
use clap::Subcommand;

use crate::storage::Rest;

/// The commands.
#[derive(Debug, Subcommand)]
pub enum StorageCommand {
    /// Measures the storage of ParaTimes.
    Benchmark(Rest),
    /// Asks a storage node for every root of a ParaTime.
    CheckRoots(Rest),
    /// Writes the states of ParaTimes to files.
    Export(Rest),
}

/// Says that there are no such databases, and what is nearest.
pub fn run(command: &StorageCommand) -> Result<()> {
    let (name, Rest { rest }, instead) = match command {
        StorageCommand::Benchmark(rest) => {
            ("benchmark", rest, "the tree that all states are kept in is measured by `./x bench` of the repository")
        }
        StorageCommand::CheckRoots(rest) => ("check-roots", rest, "a storage node of the original is asked by that program"),
        StorageCommand::Export(rest) => ("export", rest, "the consensus layer's state is written by `oasis-node debug dumpdb`"),
    };
    bail!("debug storage {name} {rest:?}: it is for storage of ParaTimes, which this node does not serve yet; {instead}")
}
