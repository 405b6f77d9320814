//! `oasis-node debug byzantine`: a node of a test network that fails on purpose.
//!
//! Source: go/oasis-node/cmd/debug/byzantine/byzantine.go.

use anyhow::{Result, bail};
use clap::{ArgMatches, Args, Subcommand};
use oasis_node_service::config::{BeaconMode, ByzantineSettings, Settings};

use crate::{common::number, flags, storage::Rest};

/// The commands.
#[derive(Debug, Subcommand)]
pub enum ByzantineCommand {
    /// A validator that keeps back its part of the random beacon; takes the flags of a node.
    #[command(args_override_self = true)]
    Beacon(BeaconArguments),
    /// A compute node of a ParaTime (not served yet).
    Executor(Rest),
    /// A storage node of a ParaTime (not served yet).
    Storage(Rest),
}

/// What the validator does.
#[derive(Debug, Args)]
pub struct BeaconArguments {
    /// What it keeps back: nothing (beacon_honest), its commits (commit_straggler) or its reveals (reveal_straggler).
    #[arg(id = "beacon_mode", long = "beacon_mode", value_name = "MODE", default_value = "beacon_honest")]
    mode: String,
    /// The epoch in which it registers.
    #[arg(id = "activation_epoch", long = "activation_epoch", value_name = "EPOCH", default_value = "0", value_parser = epoch)]
    activation_epoch: u64,
    #[command(flatten)]
    runtimes: RuntimeFlags,
}

/// Flags of the other commands, which may stand here too.
#[derive(Debug, Args)]
struct RuntimeFlags {
    #[arg(id = "fake_sgx", long = "fake_sgx", hide = true)]
    fake_sgx: bool,
    #[arg(id = "runtime_id", long = "runtime_id", hide = true)]
    runtime_id: Option<String>,
    #[arg(id = "runtime.version.fake_enclave_id", long = "runtime.version.fake_enclave_id", hide = true)]
    fake_enclave: Option<String>,
    #[arg(id = "scheduler_role_expected", long = "scheduler_role_expected", hide = true)]
    scheduler: bool,
    #[arg(id = "executor_mode", long = "executor_mode", hide = true)]
    executor_mode: Option<String>,
    #[arg(id = "num_storage_fail_apply_batch", long = "num_storage_fail_apply_batch", hide = true)]
    fail_batches: Option<u64>,
    #[arg(id = "num_storage_fail_apply", long = "num_storage_fail_apply", hide = true)]
    fail_applies: Option<u64>,
    #[arg(id = "fail_read_requests", long = "fail_read_requests", hide = true)]
    fail_reads: bool,
    #[arg(id = "corrupt_get_diff", long = "corrupt_get_diff", hide = true)]
    corrupt: bool,
    #[arg(id = "grpc.port", long = "grpc.port", hide = true)]
    port: Option<u16>,
}

fn epoch(text: &str) -> Result<u64, String> {
    number::uint(text).ok_or_else(|| "expected a whole number".to_owned())
}

/// Runs the node until it is told to stop.
pub fn run(command: &ByzantineCommand, matches: &ArgMatches) -> Result<()> {
    let arguments = match command {
        ByzantineCommand::Beacon(arguments) => arguments,
        ByzantineCommand::Executor(rest) => return not_served("executor", rest),
        ByzantineCommand::Storage(rest) => return not_served("storage", rest),
    };
    let Some(mode) = BeaconMode::by_name(&arguments.mode) else {
        let names = BeaconMode::ALL.map(BeaconMode::name).join(", ");
        bail!("--beacon_mode: expected one of {names}, found {:?}; for example: --beacon_mode commit_straggler", arguments.mode);
    };
    let mut leaf = matches;
    while let Some((_, next)) = leaf.subcommand() {
        leaf = next;
    }
    let mut settings = Settings::new(&flags::read(leaf)?)?;
    settings.validator = true;
    settings.byzantine = Some(ByzantineSettings { mode, activation_epoch: arguments.activation_epoch });
    Ok(oasis_node_service::service::run(settings)?)
}

fn not_served(name: &str, Rest { rest }: &Rest) -> Result<()> {
    bail!(
        "debug byzantine {name} {rest:?}: it is a node of ParaTimes, which this program does not serve yet; use the original's program for it"
    )
}
