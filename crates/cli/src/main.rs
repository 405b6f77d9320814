//! The oasis-node program.

#![allow(clippy::large_enum_variant, reason = "a command's arguments are read once")]

mod common;
mod completion;
mod consensus;
mod control;
mod debug;
mod dumpdb;
mod flags;
mod genesis;
mod governance;
mod identity;
mod keymanager;
mod localnet;
mod order;
mod registry;
mod replay;
mod reset;
mod run;
mod signer;
mod snapshot;
mod stake;
mod storage;
mod txsource;

use std::{path::Path, process::ExitCode};

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand, error::ErrorKind};
use common::{CommonFlags, NodeFlags, warn};
use oasis_primitives::version::VERSIONS;

/// The name under which this program is only a remote signer, as the original's program of that name.
const REMOTE_SIGNER: &str = "oasis-remote-signer";

/// A node of an Oasis network. Without a command it runs the node.
#[derive(Debug, Parser)]
#[command(name = "oasis-node", version, args_conflicts_with_subcommands = true, args_override_self = true)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// A running node: its state, and what it is told to do.
    Control {
        #[command(flatten)]
        common: CommonFlags,
        #[command(flatten)]
        node: NodeFlags,
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
    Completion {
        #[command(flatten)]
        common: CommonFlags,
        #[command(flatten)]
        arguments: completion::CompletionArguments,
    },
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
    /// A synced node's state in a file, and nodes that begin with it.
    Snapshot {
        #[command(flatten)]
        common: CommonFlags,
        #[command(subcommand)]
        command: snapshot::SnapshotCommand,
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
    Genesis {
        #[command(flatten)]
        common: CommonFlags,
        #[command(subcommand)]
        command: genesis::GenesisCommand,
    },
    /// Databases of ParaTimes (not served yet).
    Storage {
        #[command(flatten)]
        common: CommonFlags,
        #[command(subcommand)]
        command: storage::StorageCommand,
    },
    /// Intel's attestation service (not served yet).
    Ias {
        #[command(flatten)]
        common: CommonFlags,
        #[command(subcommand)]
        command: storage::IasCommand,
    },
    /// A whole network on this machine: validators on loopback, a wallet, load.
    Localnet(localnet::LocalnetArguments),
    /// Tools for developers and operators.
    #[command(subcommand)]
    Debug(debug::DebugCommand),
}

/// Source: go/oasis-node/cmd/root.go, `initVersions`.
fn version() -> String {
    format!(
        "Software version: {}\nConsensus:\n  Consensus protocol version: {}\nRuntime:\n  Host protocol version:      {}\n  Committee protocol version: {}\n\
         Rust toolchain version: {} or newer\n",
        env!("CARGO_PKG_VERSION"),
        VERSIONS.consensus_protocol,
        VERSIONS.runtime_host_protocol,
        VERSIONS.runtime_committee_protocol,
        env!("CARGO_PKG_RUST_VERSION"),
    )
}

/// What is wrong with the flags, or what they ask to be told. Whoever reads it may stop reading. Wrong flags end with 1, as in the original;
/// a command that only has others tells them, and that is no failure.
fn tell(e: &clap::Error) -> ExitCode {
    let help = e.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand;
    let _ = match e.kind() {
        ErrorKind::DisplayVersion => common::write_out(&version()),
        _ if help => common::write_out(&e.render().to_string()),
        _ => e.print().map_err(Into::into),
    };
    if e.use_stderr() && !help { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn main() -> ExitCode {
    let called = std::env::args_os().next();
    if called.is_some_and(|path| Path::new(&path).file_name() == Some(REMOTE_SIGNER.as_ref())) {
        let parsed = flags::switches(signer::RemoteProgram::command()).try_get_matches();
        return match parsed.and_then(|matches| signer::RemoteProgram::from_arg_matches(&matches)) {
            Ok(program) => end(signer::run_program(&program)),
            Err(e) => tell(&e),
        };
    }
    let command = flags::add(Arguments::command());
    let words = order::arrange(&command, std::env::args_os());
    let parsed = command.clone().try_get_matches_from(&words);
    let (matches, arguments) = match parsed.and_then(|matches| Arguments::from_arg_matches(&matches).map(|arguments| (matches, arguments)))
    {
        Ok(parsed) => parsed,
        Err(mut e) => {
            order::explain(&command, &words, &mut e);
            return tell(&e);
        }
    };
    for word in flags::ignored(&matches) {
        warn(format_args!("warning: {word:?} is no flag, and ignored; the value of a switch stands behind `=`, for example: --wait=false"));
    }
    let result = match arguments.command {
        None => return run::run(&matches),
        Some(Command::Control { node, command, .. }) => control::run(&command, &node),
        Some(Command::Completion { arguments, .. }) => completion::run(&arguments, command),
        Some(Command::Identity { common, command }) => identity::run(&command, &common),
        Some(Command::Keymanager { common, command }) => keymanager::run(&command, &common),
        Some(Command::Signer { common, command }) => signer::run(&command, &common),
        Some(Command::Snapshot { common, command }) => snapshot::run(&command, &common),
        Some(Command::Storage { command, .. }) => storage::run(&command),
        Some(Command::Ias { command, .. }) => storage::run_ias(&command),
        Some(Command::UnsafeReset { common, arguments }) => reset::run(&arguments, &common),
        Some(Command::Genesis { common, command }) => genesis::run(&command, &common),
        Some(Command::Consensus { common, command }) => consensus::run(&command, &common),
        Some(Command::Governance { common, command }) => governance::run(&command, &common),
        Some(Command::Registry { common, command }) => registry::run(&command, &common),
        Some(Command::Stake { common, command }) => stake::run(&command, &common),
        Some(Command::Localnet(args)) => localnet::run(&args),
        Some(Command::Debug(command)) => return debug::run(&command, &matches),
    };
    end(result)
}

fn end(result: anyhow::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            warn(format_args!("error: {e:#}"));
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
        flags::switches(signer::RemoteProgram::command()).debug_assert();
    }
}
