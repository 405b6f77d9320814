//! `oasis-node control`: what a running node says of itself, and what it is told to do.
//!
//! Source: go/oasis-node/cmd/control/control.go.

use std::{collections::BTreeMap, path::PathBuf};

use anyhow::Result;
use clap::Subcommand;
use oasis_consensus_types::upgrade::Descriptor;
use oasis_node_service::api::status::Status;
use oasis_primitives::json::{self, ToJson};

use crate::common::{NOTHING, Node, NodeFlags, print, read_json};

/// Where the status says which keys of the configuration are not served.
const NOT_SERVED: &str = "not_served";

/// The commands.
#[derive(Debug, Subcommand)]
pub enum ControlCommand {
    /// Prints the node's state in JSON.
    Status,
    /// Says whether the node has all blocks of its network; exit code 1 where it has not.
    IsSynced,
    /// Waits until the node has all blocks of its network.
    WaitSync,
    /// Lets the node end its registration and stop.
    Shutdown,
    /// Submits an upgrade descriptor.
    UpgradeBinary {
        /// The descriptor, in JSON.
        descriptor: PathBuf,
    },
    /// Cancels an upgrade.
    CancelUpgrade {
        /// The descriptor, in JSON.
        descriptor: PathBuf,
    },
}

/// Runs a command.
pub fn run(command: &ControlCommand, flags: &NodeFlags) -> Result<()> {
    let node = Node::connect(flags)?;
    match command {
        ControlCommand::Status => {
            let mut status = node.call::<_, Status>("NodeController/GetStatus", &NOTHING)?.to_json();
            // Only this program's node has the method.
            let missing: Option<BTreeMap<String, String>> = node.call("NodeController/GetNotServed", &NOTHING).ok();
            if let Some(missing) = missing.filter(|missing| !missing.is_empty()) {
                status[NOT_SERVED] = missing.into_iter().map(|(key, text)| (key, json::Value::String(text))).collect();
            }
            print(&json::to_text_pretty(&status))
        }
        ControlCommand::IsSynced => {
            let synced: bool = node.call("NodeController/IsSynced", &NOTHING)?;
            print(if synced { "node completed initial syncing" } else { "node has not completed initial syncing" })?;
            if !synced {
                std::process::exit(1);
            }
            Ok(())
        }
        ControlCommand::WaitSync => node.tell("NodeController/WaitSync", &NOTHING),
        ControlCommand::Shutdown => node.tell("NodeController/RequestShutdown", &flags.wait),
        ControlCommand::UpgradeBinary { descriptor } => node.tell("NodeController/UpgradeBinary", &read_json::<Descriptor>(descriptor)?),
        ControlCommand::CancelUpgrade { descriptor } => node.tell("NodeController/CancelUpgrade", &read_json::<Descriptor>(descriptor)?),
    }
}
