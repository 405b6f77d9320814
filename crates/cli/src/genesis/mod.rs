//! `oasis-node genesis`: documents made of parameters, made from a running node's state, and checked.
//!
//! Source: go/oasis-node/cmd/genesis/genesis.go.

mod check;
pub mod fix;
mod init;

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, Subcommand};
use oasis_consensus_types::genesis::Document;

use crate::common::{CommonFlags, LATEST, Node, NodeFlags, path, write_file, write_out};

/// The commands.
#[derive(Debug, Subcommand)]
pub enum GenesisCommand {
    /// Makes a genesis document of parameters and descriptors.
    Init(Box<init::InitArguments>),
    /// Checks a genesis document.
    Check(check::CheckArguments),
    /// Makes a genesis document from a node's state.
    Dump(DumpArguments),
}

/// Runs a command.
pub fn run(command: &GenesisCommand, common: &CommonFlags) -> Result<()> {
    match command {
        GenesisCommand::Init(args) => init::init(args, common),
        GenesisCommand::Check(args) => check::check(args, common),
        GenesisCommand::Dump(args) => dump(args),
    }
}

/// Arguments of the dump.
#[derive(Debug, Args)]
pub struct DumpArguments {
    #[command(flatten)]
    node: NodeFlags,
    /// Height of the state; the latest where it is 0.
    #[arg(long, value_name = "HEIGHT", default_value_t = LATEST)]
    height: i64,
    /// Where the document goes; to the standard output where it is empty.
    #[arg(id = "genesis.file", short = 'g', long = "genesis.file", value_name = "FILE", default_value = "genesis.json", value_parser = path)]
    file: PathBuf,
}

/// Writes a node's state as a genesis document.
///
/// Source: go/oasis-node/cmd/genesis/genesis.go, `doDumpGenesis`.
fn dump(args: &DumpArguments) -> Result<()> {
    let document: Document = Node::connect(&args.node)?.call("Consensus/StateToGenesis", &args.height)?;
    let text = document.to_json_text();
    if args.file.as_os_str().is_empty() { write_out(&text) } else { write_file(&args.file, text.as_bytes()) }
}
