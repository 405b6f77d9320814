//! `oasis-node registry runtime`.
//!
//! Source: go/oasis-node/cmd/registry/runtime/runtime.go.

use std::path::PathBuf;

use anyhow::{Context, Result, anyhow};
use clap::Subcommand;
use oasis_consensus_types::registry::{self, GetRuntimesQuery, Runtime};

use super::list;
use crate::common::{CommonFlags, LATEST, Node, NodeFlags, VerboseFlag, read_json, tx::TxFlags};

/// The commands.
#[derive(Debug, Subcommand)]
pub enum RuntimeCommand {
    /// Makes a transaction that registers a runtime.
    #[command(name = "gen_register")]
    GenRegister {
        /// The runtime's descriptor, in JSON.
        #[arg(id = "runtime.descriptor", long = "runtime.descriptor", value_name = "FILE")]
        descriptor: Option<PathBuf>,
        #[command(flatten)]
        tx: TxFlags,
    },
    /// Lists the registered runtimes.
    List {
        /// Suspended ones too.
        #[arg(id = "include_suspended", long = "include_suspended")]
        include_suspended: bool,
        #[command(flatten)]
        node: NodeFlags,
        #[command(flatten)]
        verbose: VerboseFlag,
    },
}

/// Runs a command.
pub fn run(command: &RuntimeCommand, common: &CommonFlags) -> Result<()> {
    match command {
        RuntimeCommand::GenRegister { descriptor, tx } => {
            let path = descriptor
                .as_ref()
                .context("--runtime.descriptor: no runtime descriptor; for example: --runtime.descriptor runtime.json")?;
            let runtime: Runtime = read_json(path).context("can't parse runtime descriptor")?;
            let wrong = |e: String| anyhow!("{}: runtime descriptor is not valid: {e}", path.display());
            runtime.validate_basic(true, common.debug).map_err(wrong)?;
            let maker = tx.begin(common)?;
            let tx = maker.transaction(registry::METHOD_REGISTER_RUNTIME, &runtime)?;
            maker.finish(&tx, None)
        }
        RuntimeCommand::List { include_suspended, node, verbose } => {
            let query = GetRuntimesQuery { height: LATEST, include_suspended: *include_suspended };
            list(&Node::connect(node)?, "GetRuntimes", &query, verbose.verbose, |runtime: &Runtime| runtime.id.to_string())
        }
    }
}
