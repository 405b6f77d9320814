//! `oasis-node debug dumpdb`: the state of a node that does not run, or of a replay, as a genesis document.
//!
//! Source: go/oasis-node/cmd/debug/dumpdb/dumpdb.go.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use clap::Args;
use oasis_consensus_abci::Network;
use oasis_consensus_app::{executor::VersionedTree, store::Store};
use oasis_consensus_types::genesis::Document;
use oasis_node_service::service::Stopped;
use oasis_replay::Database;

use crate::common::{CommonFlags, GenesisFlag, number, path, write_file, write_out};

/// Arguments of the dump.
#[derive(Debug, Args)]
pub struct DumpArguments {
    #[command(flatten)]
    common: CommonFlags,
    #[command(flatten)]
    genesis: GenesisFlag,
    /// The height whose state is dumped; the newest where it is 0.
    #[arg(id = "dump.version", long = "dump.version", alias = "height", value_name = "HEIGHT", default_value = "0", value_parser = height, allow_negative_numbers = true)]
    height: i64,
    /// Where the document goes; to the standard output where it is empty.
    #[arg(id = "dump.output", long = "dump.output", alias = "output", value_name = "FILE", default_value = "dump.json", value_parser = path)]
    output: PathBuf,
    /// Accepted; nothing is written to the database.
    #[arg(id = "dump.read_only_db", long = "dump.read_only_db", hide = true)]
    read_only: bool,
}

fn height(text: &str) -> Result<i64, String> {
    number::int(text).ok_or_else(|| "expected a whole number".to_owned())
}

/// Writes the state at a height as a genesis document in JSON.
pub fn dump(args: &DumpArguments) -> Result<()> {
    let datadir = args.common.required_datadir()?;
    if !datadir.is_dir() {
        bail!("{}: expected a data directory, found none", datadir.display());
    }
    let document = if Stopped::is_there(&datadir) { of_node(args, &datadir)? } else { of_replay(args, &datadir)? };
    let text = document.to_json_text();
    if args.output.as_os_str().is_empty() { write_out(&text) } else { write_file(&args.output, text.as_bytes()) }
}

/// The height that is meant, which must be one of those that are there.
fn chosen(args: &DumpArguments, earliest: i64, latest: i64, datadir: &Path) -> Result<i64> {
    let height = if args.height == 0 { latest } else { args.height };
    if !(earliest..=latest).contains(&height) {
        bail!("{}: height: expected {earliest} to {latest}, found {height}", datadir.display());
    }
    Ok(height)
}

fn of_node(args: &DumpArguments, datadir: &Path) -> Result<Document> {
    let (debug, allow_test_keys) = (args.common.debug, args.common.allow_test_keys);
    let network = Network::new(args.genesis.load(&args.common)?, debug, allow_test_keys).map_err(|e| anyhow!("genesis file: {e}"))?;
    let before = network.document.clone();
    let node = Stopped::open(datadir, network)?;
    let height = chosen(args, before.height, node.last_height(), datadir)?;
    let (state, time) = node.state(height)?.with_context(|| format!("{}: no state at height {height}", datadir.display()))?;
    oasis_replay::dump(&state, &before, height, time).map_err(|e| anyhow!("{}: height {height}: {e}", datadir.display()))
}

fn of_replay(args: &DumpArguments, datadir: &Path) -> Result<Document> {
    let name = datadir.display();
    let database = Database::open_existing(datadir).map_err(|e| anyhow!(e))?;
    let (Some(earliest), Some(latest)) = (database.earliest(), database.height()) else {
        bail!("{name}: expected a state, found none");
    };
    let height = chosen(args, earliest, latest, datadir)?;
    let network = database.document().map_err(|e| anyhow!(e))?.with_context(|| format!("{name}: no genesis document"))?;
    let block = database.block(height).map_err(|e| anyhow!(e))?.with_context(|| format!("{name}: no record of block {height}"))?;
    let version = u64::try_from(height).context("height")?;
    let tree = database.at(version).map_err(|e| anyhow!("{e}"))?.with_context(|| format!("{name}: no state at height {height}"))?;
    oasis_replay::dump(&Store::new(tree), &network, height, block.time).map_err(|e| anyhow!("{name}: height {height}: {e}"))
}
