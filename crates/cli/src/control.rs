//! `oasis-node control`: what a running node says of itself, and what it is told to do.
//!
//! Source: go/oasis-node/cmd/control/control.go.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Write},
    path::PathBuf,
};

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use oasis_consensus_types::upgrade::Descriptor;
use oasis_node_service::{
    api::status::Status,
    grpc::{Client, ClientError, SOCKET_FILE},
};
use oasis_primitives::{
    cbor::{self, Encode},
    json::{self, ToJson},
};

/// The service of these commands.
const SERVICE: &str = "oasis-core.NodeController";

/// Where the status says which keys of the configuration are not served.
const NOT_SERVED: &str = "not_served";

/// The message of calls that say nothing.
const NOTHING: cbor::Value = cbor::Value::Null;

/// Which node.
#[derive(Debug, Args)]
pub struct NodeAddress {
    /// Address of the node, unix:PATH.
    #[arg(short, long, global = true, default_value_t = format!("unix:{SOCKET_FILE}"))]
    address: String,
    /// Wait: until the node answers, and with `shutdown` until it has stopped.
    #[arg(short, long, global = true)]
    wait: bool,
}

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
pub fn run(command: &ControlCommand, address: &NodeAddress) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let client = connect(address).await?;
        match command {
            ControlCommand::Status => {
                let status: Status = call(&client, "GetStatus", &NOTHING).await?;
                let mut status = status.to_json();
                // Only this program's node has the method.
                let missing: Option<BTreeMap<String, String>> = call(&client, "GetNotServed", &NOTHING).await.ok();
                if let Some(missing) = missing.filter(|missing| !missing.is_empty()) {
                    status[NOT_SERVED] = missing.into_iter().map(|(key, text)| (key, json::Value::String(text))).collect();
                }
                print(&json::to_text_pretty(&status))?;
            }
            ControlCommand::IsSynced => {
                let synced: bool = call(&client, "IsSynced", &NOTHING).await?;
                print(&format!("node {}completed initial syncing", if synced { "" } else { "has not " }))?;
                if !synced {
                    std::process::exit(1);
                }
            }
            ControlCommand::WaitSync => tell(&client, "WaitSync", &NOTHING).await?,
            ControlCommand::Shutdown => tell(&client, "RequestShutdown", &address.wait).await?,
            ControlCommand::UpgradeBinary { descriptor } => tell(&client, "UpgradeBinary", &read_descriptor(descriptor)?).await?,
            ControlCommand::CancelUpgrade { descriptor } => tell(&client, "CancelUpgrade", &read_descriptor(descriptor)?).await?,
        }
        Ok(())
    })
}

/// Prints a text; whoever reads it may stop reading.
fn print(text: &str) -> Result<()> {
    match writeln!(io::stdout(), "{text}") {
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => Err(e.into()),
        _ => Ok(()),
    }
}

async fn connect(address: &NodeAddress) -> Result<Client> {
    loop {
        match Client::connect(&address.address).await {
            Ok(client) => return Ok(client),
            Err(ClientError::Unreachable { .. }) if address.wait => {
                tokio::time::sleep(std::time::Duration::from_millis(500)).await;
            }
            Err(e) => return Err(e.into()),
        }
    }
}

async fn call<Q: Encode + ?Sized, A: cbor::Decode>(client: &Client, method: &str, request: &Q) -> Result<A> {
    Ok(client.call(&format!("{SERVICE}/{method}"), request).await?)
}

/// A call whose answer says nothing.
async fn tell<Q: Encode + ?Sized>(client: &Client, method: &str, request: &Q) -> Result<()> {
    client.call_bytes(&format!("{SERVICE}/{method}"), cbor::to_vec(request)).await?;
    Ok(())
}

fn read_descriptor(path: &PathBuf) -> Result<Descriptor> {
    let text = fs::read(path).with_context(|| path.display().to_string())?;
    let value = json::parse(&text).with_context(|| path.display().to_string())?;
    json::read(&value).with_context(|| path.display().to_string())
}
