//! `oasis-node storage` and `ias`: parts of the original's ParaTimes, which this node does not serve yet.
//!
//! Source: go/oasis-node/cmd/storage/storage.go, go/oasis-node/cmd/ias/proxy.go.

use std::ffi::OsString;

use anyhow::{Result, bail};
use clap::{Args, Subcommand};

/// The commands.
#[derive(Debug, Subcommand)]
pub enum StorageCommand {
    /// Checks the databases of ParaTimes.
    Check(Rest),
    /// Brings the databases of ParaTimes to a newer form.
    Migrate(Rest),
    /// Gives the database of a ParaTime another identifier.
    #[command(name = "rename-ns")]
    RenameNs(Rest),
}

/// Utilities for Intel's attestation service.
#[derive(Debug, Subcommand)]
pub enum IasCommand {
    /// Forwards requests to Intel's attestation service.
    Proxy(Rest),
}

/// Whatever the original takes.
#[derive(Debug, Args)]
pub struct Rest {
    /// As it stands there.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    pub rest: Vec<OsString>,
}

/// Says that there are no such databases.
pub fn run(command: &StorageCommand) -> Result<()> {
    let (name, Rest { rest }) = match command {
        StorageCommand::Check(rest) => ("check", rest),
        StorageCommand::Migrate(rest) => ("migrate", rest),
        StorageCommand::RenameNs(rest) => ("rename-ns", rest),
    };
    bail!(
        "storage {name} {rest:?}: it is for databases of ParaTimes, which this node does not serve yet; the databases of blocks and of the consensus \
         layer's state are checked whenever a node starts, and those of an original node only that program reads"
    )
}

/// Says that nobody asks for attestations.
pub fn run_ias(command: &IasCommand) -> Result<()> {
    let IasCommand::Proxy(Rest { rest }) = command;
    bail!(
        "ias proxy {rest:?}: it is for nodes that run ParaTimes in SGX, which this node does not serve yet; use the original's program for it"
    )
}
