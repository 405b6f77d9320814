//! `oasis-node debug control`: a node of a test network told what only test networks allow.
//!
//! Source: go/oasis-node/cmd/debug/control/control.go.

use anyhow::Result;
use clap::{Args, Subcommand};

use crate::common::{CommonFlags, NOTHING, Node, NodeFlags, number};

/// Arguments of each command.
#[derive(Debug, Args)]
pub struct Target {
    #[command(flatten)]
    common: CommonFlags,
    #[command(flatten)]
    node: NodeFlags,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum ControlCommand {
    /// Sets the epoch of a network with a mock time source.
    SetEpoch {
        /// The epoch.
        #[arg(short, long, default_value = "0", value_parser = epoch)]
        epoch: u64,
        #[command(flatten)]
        target: Target,
    },
    /// Waits until so many nodes are registered.
    WaitNodes {
        /// How many.
        #[arg(short, long, default_value = "1", value_parser = count, allow_negative_numbers = true)]
        nodes: i64,
        #[command(flatten)]
        target: Target,
    },
    /// Waits until the node has all blocks, and its workers are ready.
    WaitReady(Target),
}

fn epoch(text: &str) -> Result<u64, String> {
    number::uint(text).ok_or_else(|| "expected a whole number".to_owned())
}

fn count(text: &str) -> Result<i64, String> {
    number::int(text).ok_or_else(|| "expected a whole number".to_owned())
}

/// Runs a command. Unlike the original's, a `set-epoch` that failed ends with exit code 1.
pub fn control(command: &ControlCommand) -> Result<()> {
    match command {
        ControlCommand::SetEpoch { epoch, target } => Node::connect(&target.node)?.tell("DebugController/SetEpoch", epoch),
        ControlCommand::WaitNodes { nodes, target } => Node::connect(&target.node)?.tell("DebugController/WaitNodesRegistered", nodes),
        ControlCommand::WaitReady(target) => Node::connect(&target.node)?.tell("NodeController/WaitReady", &NOTHING),
    }
}
