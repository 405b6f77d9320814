//! `oasis-node signer`: keys that sign for an entity, and a signer that signs for other machines.
//!
//! Source: go/oasis-node/cmd/signer/signer.go, go/oasis-remote-signer/cmd/root.go.

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, Parser, Subcommand};
use oasis_node_service::{
    entity::descriptor,
    signers::remote::{self, ServerSettings},
};

use crate::common::{CommonFlags, entity::SignerFlags, print, warn};

/// The commands.
#[derive(Debug, Subcommand)]
pub enum SignerCommand {
    /// Writes the descriptor of an entity without nodes for the signer's key.
    Export(SignerFlags),
    /// Signs for nodes and commands of another machine, as oasis-remote-signer does.
    Remote(RemoteArguments),
}

/// The program `oasis-remote-signer`: this one under another name.
#[derive(Debug, Parser)]
#[command(name = "oasis-remote-signer", version, about = "Signs for nodes and commands of another machine.")]
pub struct RemoteProgram {
    #[command(flatten)]
    common: CommonFlags,
    #[command(flatten)]
    arguments: RemoteArguments,
}

/// What a remote signer is.
#[derive(Debug, Args)]
pub struct RemoteArguments {
    #[command(subcommand)]
    command: Option<RemoteCommand>,
    /// Certificate of the client that may ask.
    #[arg(id = "client.certificate", long = "client.certificate", value_name = "FILE", default_value = "client_cert.pem")]
    client_certificate: PathBuf,
    /// Port to listen on.
    #[arg(id = "grpc.port", long = "grpc.port", value_name = "PORT", default_value_t = 9001)]
    port: u16,
    #[command(flatten)]
    signer: SignerFlags,
}

#[derive(Debug, Subcommand)]
enum RemoteCommand {
    /// Makes the signer's keys and its certificate.
    Init,
    /// Makes a client's key and its certificate.
    #[command(name = "init_client")]
    InitClient,
}

/// Runs a command.
pub fn run(command: &SignerCommand, common: &CommonFlags) -> Result<()> {
    match command {
        SignerCommand::Export(flags) => flags.save(&descriptor(flags.load_key(common)?.public_key(), Vec::new())),
        SignerCommand::Remote(arguments) => remote(arguments, common),
    }
}

/// Runs the remote signer as a program of its own.
pub fn run_program(program: &RemoteProgram) -> Result<()> {
    remote(&program.arguments, &program.common)
}

fn remote(arguments: &RemoteArguments, common: &CommonFlags) -> Result<()> {
    let settings = ServerSettings {
        datadir: common.required_datadir()?,
        signer: arguments.signer.settings(common),
        client_certificate: arguments.client_certificate.clone(),
        port: arguments.port,
    };
    match arguments.command {
        None => {
            let ready = |port| warn(format_args!("signing for the holder of {} on port {port}", arguments.client_certificate.display()));
            Ok(remote::serve(&settings, ready)?)
        }
        Some(RemoteCommand::Init) => {
            let certificate = remote::init(&settings)?;
            print(&format!("Give this to clients (--signer.remote.server.certificate): {}", certificate.display()))
        }
        Some(RemoteCommand::InitClient) => {
            let certificate = remote::init_client(&settings.datadir)?;
            print(&format!("Give this to the remote signer (--client.certificate): {}", certificate.display()))
        }
    }
}
