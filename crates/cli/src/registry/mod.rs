//! `oasis-node registry`: entities, nodes and runtimes.
//!
//! Source: go/oasis-node/cmd/registry.

pub mod entity;
mod node;
mod runtime;

use anyhow::Result;
use clap::Subcommand;
use oasis_primitives::{
    cbor::{Decode, Encode},
    json::ToJson,
};

use crate::common::{CommonFlags, Node, print, print_json};

/// The commands.
#[derive(Debug, Subcommand)]
pub enum RegistryCommand {
    /// Entities: who controls nodes.
    #[command(subcommand)]
    Entity(entity::EntityCommand),
    /// Nodes.
    #[command(subcommand)]
    Node(node::NodeCommand),
    /// Runtimes.
    #[command(subcommand)]
    Runtime(runtime::RuntimeCommand),
}

/// Runs a command.
pub fn run(command: &RegistryCommand, common: &CommonFlags) -> Result<()> {
    match command {
        RegistryCommand::Entity(command) => entity::run(command, common),
        RegistryCommand::Node(command) => node::run(command, common),
        RegistryCommand::Runtime(command) => runtime::run(command, common),
    }
}

/// Prints a list by names, or whole.
fn list<Q: Encode, T: Decode + ToJson>(node: &Node, method: &str, query: &Q, verbose: bool, name: impl Fn(&T) -> String) -> Result<()> {
    let items: Option<Vec<T>> = node.call(&format!("Registry/{method}"), query)?;
    for item in items.unwrap_or_default() {
        if verbose {
            print_json(&item)?;
        } else {
            print(&name(&item))?;
        }
    }
    Ok(())
}
