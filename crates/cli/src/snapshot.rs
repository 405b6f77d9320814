//! `oasis-node snapshot`: a synced node's state in a file, without its keys, and a node that begins with it.

use std::{
    io::IsTerminal,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Result, bail};
use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use oasis_consensus_app::genesis::CheckOptions;
use oasis_node_service::service::{
    load_network,
    snapshot::{self, Manifest, Reader, Trust},
};

use crate::common::{CommonFlags, GenesisFlag, parse, print};

/// How often a bar with no end moves.
const TICK: Duration = Duration::from_millis(200);

/// The commands.
#[derive(Debug, Subcommand)]
pub enum SnapshotCommand {
    /// Writes the state of a node that does not run to a file, without keys and secrets.
    Create {
        /// The file, which must not be there.
        #[arg(short, long, value_name = "FILE")]
        output: PathBuf,
    },
    /// Says what a snapshot holds.
    Show {
        /// The snapshot.
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Puts the state of a snapshot, all of it verified, into a data directory that has none.
    Restore(RestoreArguments),
}

/// What is restored, and by whose word.
#[derive(Debug, Args)]
pub struct RestoreArguments {
    /// The snapshot.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    genesis: GenesisFlag,
    /// Hash of the snapshot's last header, from a source that you trust: another node, or an explorer of blocks.
    #[arg(long, visible_alias = "trust_hash", value_name = "HASH")]
    trust_hash: Option<String>,
    /// Its height, if it is to be checked that it is the snapshot's.
    #[arg(long, visible_alias = "trust_height", value_name = "HEIGHT")]
    trust_height: Option<i64>,
}

/// Runs a command.
pub fn run(command: &SnapshotCommand, common: &CommonFlags) -> Result<()> {
    match command {
        SnapshotCommand::Create { output } => create(output, common),
        SnapshotCommand::Show { file } => show(Reader::open(file)?.manifest(), file),
        SnapshotCommand::Restore(arguments) => restore(arguments, common),
    }
}

fn create(output: &Path, common: &CommonFlags) -> Result<()> {
    let datadir = common.required_datadir()?;
    let bar = bar(None);
    let made = snapshot::create(&datadir, output, &mut |done| bar.set_position(done));
    bar.finish_and_clear();
    show(&made?, output)
}

fn show(manifest: &Manifest, file: &Path) -> Result<()> {
    let hash = hex::encode_upper(manifest.claimed_hash().unwrap_or_default());
    print(&format!(
        "{}: the state after block {}, {} chunks, {:.1} MB\nNetwork: {}\nLast header: height {}, hash {hash}\n\
         Before you restore it, ask somebody you trust for the hash of block {}.",
        file.display(),
        manifest.height,
        manifest.lengths.len(),
        manifest.bytes() as f64 / 1e6,
        manifest.chain_context,
        manifest.trust_height(),
        manifest.trust_height(),
    ))
}

fn restore(arguments: &RestoreArguments, common: &CommonFlags) -> Result<()> {
    let datadir = common.required_datadir()?;
    let reader = Reader::open(&arguments.file)?;
    let (height, bytes) = (reader.manifest().trust_height(), reader.manifest().bytes());
    let Some(hash) = arguments.trust_hash.as_deref() else {
        bail!(
            "--trust-hash: expected the hash of the block of height {height}, found none; a snapshot can say anything, so ask another node or \
             an explorer that you trust for it, then for example: --trust-hash 2AF9..."
        );
    };
    let read = |text: &str| {
        let mut hash = [0; 32];
        hex::decode_to_slice(text, &mut hash).ok().map(|()| hash)
    };
    let hash = parse("trust-hash", Some(hash), "64 hexadecimal digits", &"2A".repeat(32), read)?;
    let options = CheckOptions { debug: common.debug, allow_test_keys: common.allow_test_keys };
    let network = load_network(&arguments.genesis.path(common)?, options)?;
    let trust = Trust { height: arguments.trust_height, hash };
    let bar = bar(Some(bytes));
    let restored = snapshot::restore(&datadir, &network, &arguments.file, &trust, &mut |done| bar.set_position(done));
    bar.finish_and_clear();
    let height = restored?.height;
    print(&format!("{}: the state after block {height} is there; the node will go on with block {}", datadir.display(), height + 1))
}

/// A bar on the terminal; nothing where errors go elsewhere.
fn bar(bytes: Option<u64>) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let (bar, template) = match bytes {
        Some(bytes) => (ProgressBar::new(bytes), "{wide_bar} {bytes}/{total_bytes}, {bytes_per_sec}, {eta} left"),
        None => (ProgressBar::new_spinner(), "{spinner} {bytes} written, {bytes_per_sec}"),
    };
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.enable_steady_tick(TICK);
    bar
}
