//! The oasis-node program.

mod dumpdb;
mod genesis;
mod replay;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// A node of an Oasis network.
#[derive(Debug, Parser)]
#[command(name = "oasis-node", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Genesis documents.
    #[command(subcommand)]
    Genesis(GenesisCommand),
    /// Tools for developers and operators.
    #[command(subcommand)]
    Debug(DebugCommand),
}

#[derive(Debug, Subcommand)]
enum GenesisCommand {
    /// Checks a genesis document.
    Check(genesis::CheckArguments),
}

#[derive(Debug, Subcommand)]
enum DebugCommand {
    /// Computes a recorded network again and compares everything.
    Replay(replay::ReplayArguments),
    /// Writes the state at a height as a genesis document.
    Dumpdb(dumpdb::DumpArguments),
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Genesis(GenesisCommand::Check(args)) => genesis::check(&args),
        Command::Debug(DebugCommand::Dumpdb(args)) => dumpdb::dump(&args),
        Command::Debug(DebugCommand::Replay(args)) => return replay::replay(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("error: {e:#}");
            ExitCode::FAILURE
        }
    }
}
