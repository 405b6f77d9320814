//! `oasis-node debug dumpdb`.

use std::{
    fs,
    io::{self, Write},
    path::PathBuf,
};

use anyhow::{Context, Result, anyhow, bail};
use clap::Args;
use oasis_consensus_app::{executor::VersionedTree, store::Store};
use oasis_replay::Database;

/// Arguments of the dump.
#[derive(Debug, Args)]
pub struct DumpArguments {
    /// The data directory.
    #[arg(long, value_name = "DIR")]
    datadir: PathBuf,
    /// The height whose state is dumped; the newest if not given.
    #[arg(long = "dump.version", alias = "height", value_name = "HEIGHT")]
    height: Option<i64>,
    /// Where the document goes; to the standard output if not given.
    #[arg(long = "dump.output", alias = "output", value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Writes the state at a height as a genesis document in JSON.
pub fn dump(args: &DumpArguments) -> Result<()> {
    let name = args.datadir.display();
    if !args.datadir.is_dir() {
        bail!("{name}: expected a data directory, found none");
    }
    let database = Database::open_existing(&args.datadir).map_err(|e| anyhow!(e))?;
    let (Some(earliest), Some(latest)) = (database.earliest(), database.height()) else {
        bail!("{name}: expected a state, found none");
    };
    let height = args.height.unwrap_or(latest);
    if !(earliest..=latest).contains(&height) {
        bail!("{name}: height: expected {earliest} to {latest}, found {height}");
    }
    let network = database.document().map_err(|e| anyhow!(e))?.with_context(|| format!("{name}: no genesis document"))?;
    let block = database.block(height).map_err(|e| anyhow!(e))?.with_context(|| format!("{name}: no record of block {height}"))?;
    let version = u64::try_from(height).context("height")?;
    let tree = database.at(version).map_err(|e| anyhow!("{e}"))?.with_context(|| format!("{name}: no state at height {height}"))?;
    let document =
        oasis_replay::dump(&Store::new(tree), &network, height, block.time).map_err(|e| anyhow!("{name}: height {height}: {e}"))?;
    let text = document.to_json_text();
    match &args.output {
        Some(path) => fs::write(path, text).with_context(|| path.display().to_string()),
        None => io::stdout().write_all(text.as_bytes()).context("standard output"),
    }
}
