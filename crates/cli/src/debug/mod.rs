//! `oasis-node debug`: tools for developers, and for people who test networks.
//!
//! Source: go/oasis-node/cmd/debug/debug.go.

mod beacon;
mod byzantine;
mod control;
mod storage;

use std::process::ExitCode;

use clap::{ArgMatches, Subcommand};

use crate::{common::CommonFlags, dumpdb, end, genesis, replay, txsource};

/// The commands.
#[derive(Debug, Subcommand)]
pub enum DebugCommand {
    /// Computes a recorded network again and compares everything.
    Replay(replay::ReplayArguments),
    /// Writes the state at a height as a genesis document.
    Dumpdb(dumpdb::DumpArguments),
    /// What the random beacon is, and where its round stands.
    #[command(subcommand)]
    Beacon(beacon::BeaconCommand),
    /// Validators that fail on purpose, for a test network.
    #[command(subcommand)]
    Byzantine(byzantine::ByzantineCommand),
    /// A node of a test network, told what only test networks allow.
    #[command(subcommand)]
    Control(control::ControlCommand),
    /// Takes out of a genesis document what has too little stake, and writes it in canonical form.
    FixGenesis(genesis::fix::FixArguments),
    /// Databases of ParaTimes (not served yet).
    #[command(subcommand)]
    Storage(storage::StorageCommand),
    /// Sends transactions of every kind, for a test network.
    Txsource {
        #[command(flatten)]
        common: CommonFlags,
        #[command(flatten)]
        arguments: txsource::TxsourceArguments,
    },
}

/// Runs a command; `matches` are those of the whole command line.
pub fn run(command: &DebugCommand, matches: &ArgMatches) -> ExitCode {
    end(match command {
        DebugCommand::Replay(args) => return replay::replay(args),
        DebugCommand::Dumpdb(args) => dumpdb::dump(args),
        DebugCommand::Beacon(command) => beacon::run(command),
        DebugCommand::Byzantine(command) => byzantine::run(command, matches),
        DebugCommand::Control(command) => control::control(command),
        DebugCommand::FixGenesis(args) => genesis::fix::fix(args),
        DebugCommand::Storage(command) => storage::run(command),
        DebugCommand::Txsource { common, arguments } => txsource::run(arguments, common),
    })
}
