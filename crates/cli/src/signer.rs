//! `oasis-node signer`: keys that sign for an entity.
//!
//! Source: go/oasis-node/cmd/signer/signer.go.

use anyhow::Result;
use clap::Subcommand;
use oasis_consensus_types::entity::{Entity, LATEST_DESCRIPTOR_VERSION};
use oasis_primitives::signature::Signer;

use crate::common::entity::{SignerFlags, save_descriptor};

/// The commands.
#[derive(Debug, Subcommand)]
pub enum SignerCommand {
    /// Writes the descriptor of an entity without nodes for the signer's key.
    Export(SignerFlags),
}

/// Runs a command.
pub fn run(command: &SignerCommand) -> Result<()> {
    let SignerCommand::Export(flags) = command;
    let signer = flags.load_key()?;
    save_descriptor(&flags.dir(), &Entity { v: LATEST_DESCRIPTOR_VERSION, id: signer.public_key(), nodes: Vec::new() })
}
