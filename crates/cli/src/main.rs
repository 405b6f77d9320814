//! The oasis-node program.

mod control;
mod dumpdb;
mod flags;
mod genesis;
mod localnet;
mod replay;
mod run;

use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

/// A node of an Oasis network. Without a command it runs the node.
#[derive(Debug, Parser)]
#[command(name = "oasis-node", version, args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// A running node: its state, and what it is told to do.
    Control {
        #[command(flatten)]
        address: control::NodeAddress,
        #[command(subcommand)]
        command: control::ControlCommand,
    },
    /// Genesis documents.
    #[command(subcommand)]
    Genesis(GenesisCommand),
    /// A whole network on this machine: validators on loopback, a wallet, load.
    Localnet(localnet::LocalnetArguments),
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
    let matches = flags::add(Arguments::command()).get_matches();
    let arguments = Arguments::from_arg_matches(&matches).unwrap_or_else(|e| e.exit());
    let result = match arguments.command {
        None => return run::run(&matches),
        Some(Command::Control { address, command }) => control::run(&command, &address),
        Some(Command::Genesis(GenesisCommand::Check(args))) => genesis::check(&args),
        Some(Command::Localnet(args)) => localnet::run(&args),
        Some(Command::Debug(DebugCommand::Dumpdb(args))) => dumpdb::dump(&args),
        Some(Command::Debug(DebugCommand::Replay(args))) => return replay::replay(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("error: {e:#}");
            ExitCode::FAILURE
        }
    }
}
