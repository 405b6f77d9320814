//! The oasis-node program.

#![allow(clippy::large_enum_variant, reason = "a command's arguments are read once")]

mod common;
mod completion;
mod consensus;
mod control;
mod dumpdb;
mod flags;
mod genesis;
mod governance;
mod identity;
mod keymanager;
mod localnet;
mod registry;
mod replay;
mod reset;
mod run;
mod signer;
mod stake;
mod version;

use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand, error::ErrorKind};
use common::CommonFlags;

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
    /// Transactions: submitted, shown, their gas estimated.
    Consensus {
        #[command(flatten)]
        common: CommonFlags,
        #[command(subcommand)]
        command: consensus::ConsensusCommand,
    },
    /// Proposals and votes.
    Governance {
        #[command(flatten)]
        common: CommonFlags,
        #[command(subcommand)]
        command: governance::GovernanceCommand,
    },
    /// Scripts that complete commands in a shell.
    Completion(completion::CompletionArguments),
    /// A node's keys.
    Identity {
        #[command(flatten)]
        common: CommonFlags,
        #[command(subcommand)]
        command: identity::IdentityCommand,
    },
    /// Policies and statuses of key managers.
    Keymanager {
        #[command(flatten)]
        common: CommonFlags,
        #[command(subcommand)]
        command: keymanager::KeymanagerCommand,
    },
    /// Keys that sign for an entity.
    Signer {
        #[command(flatten)]
        common: CommonFlags,
        #[command(subcommand)]
        command: signer::SignerCommand,
    },
    /// Removes a node's state and keeps its keys (unsafe).
    UnsafeReset {
        #[command(flatten)]
        common: CommonFlags,
        #[command(flatten)]
        arguments: reset::ResetArguments,
    },
    /// Entities, nodes and runtimes.
    Registry {
        #[command(flatten)]
        common: CommonFlags,
        #[command(subcommand)]
        command: registry::RegistryCommand,
    },
    /// Accounts and their stake.
    Stake {
        #[command(flatten)]
        common: CommonFlags,
        #[command(subcommand)]
        command: stake::StakeCommand,
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
    /// Makes a genesis document from a node's state.
    Dump(genesis::DumpArguments),
}

#[derive(Debug, Subcommand)]
enum DebugCommand {
    /// Computes a recorded network again and compares everything.
    Replay(replay::ReplayArguments),
    /// Writes the state at a height as a genesis document.
    Dumpdb(dumpdb::DumpArguments),
}

fn main() -> ExitCode {
    let parsed = flags::add(Arguments::command()).try_get_matches();
    let (matches, arguments) = match parsed.and_then(|matches| Arguments::from_arg_matches(&matches).map(|arguments| (matches, arguments)))
    {
        Ok(parsed) => parsed,
        Err(e) if e.kind() == ErrorKind::DisplayVersion => {
            let _ = common::write_out(&version::text());
            return ExitCode::SUCCESS;
        }
        Err(e) => {
            // Whoever reads it may stop reading. Wrong flags end with 1, as in the original.
            let _ = e.print();
            return if e.use_stderr() { ExitCode::FAILURE } else { ExitCode::SUCCESS };
        }
    };
    let result = match arguments.command {
        None => return run::run(&matches),
        Some(Command::Control { address, command }) => control::run(&command, &address),
        Some(Command::Completion(args)) => completion::run(&args, flags::add(Arguments::command())),
        Some(Command::Identity { common, command }) => identity::run(&command, &common),
        Some(Command::Keymanager { common, command }) => keymanager::run(&command, &common),
        Some(Command::Signer { command, .. }) => signer::run(&command),
        Some(Command::UnsafeReset { common, arguments }) => reset::run(&arguments, &common),
        Some(Command::Genesis(GenesisCommand::Dump(args))) => genesis::dump(&args),
        Some(Command::Consensus { common, command }) => consensus::run(&command, &common),
        Some(Command::Governance { common, command }) => governance::run(&command, &common),
        Some(Command::Registry { common, command }) => registry::run(&command, &common),
        Some(Command::Stake { common, command }) => stake::run(&command, &common),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commands_are_well_formed() {
        flags::add(Arguments::command()).debug_assert();
    }
}
