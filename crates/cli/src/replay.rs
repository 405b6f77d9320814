//! `oasis-node debug replay`.

use std::{
    fs,
    io::{self, BufRead, IsTerminal, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use oasis_consensus_app::{
    executor::{MemoryVersions, VersionedTree},
    upgrade::Upgrader,
};
use oasis_consensus_types::upgrade::Descriptor;
use oasis_primitives::{hash::Hash, json::FromJson};
use oasis_replay::{AppMachine, ChainReader, Database, Network, Notes, Replay, ReplayError, Summary};

use crate::common::warn;

/// What ends the name of a chain file.
const CHAIN_SUFFIX: &str = ".cbor.gz";
/// What ends the name of the upgrade descriptors beside it.
const UPGRADES_SUFFIX: &str = ".upgrades.json";

/// Arguments of the replay.
#[derive(Debug, Args)]
pub struct ReplayArguments {
    /// The chain file.
    #[arg(long, value_name = "FILE")]
    chain: PathBuf,
    /// Where the state stays, so that a later run continues; in memory if not given.
    #[arg(long, value_name = "DIR")]
    datadir: Option<PathBuf>,
    /// The last height to replay.
    #[arg(long, value_name = "HEIGHT")]
    to: Option<i64>,
    /// Upgrade descriptors that the operators gave to their nodes, a JSON array; NAME.upgrades.json beside the chain if
    /// not given.
    #[arg(long, value_name = "FILE")]
    upgrades: Option<PathBuf>,
    /// Print the outcome as JSON.
    #[arg(long)]
    json: bool,
    /// Refuse settings and keys that only test networks may have.
    #[arg(long)]
    production: bool,
    /// Check the whole state after blocks, beyond what consensus asks for.
    #[arg(long = "consensus.tendermint.supplementarysanity.enabled")]
    supplementary_sanity: bool,
    /// Every how many blocks it is checked.
    #[arg(long = "consensus.tendermint.supplementarysanity.interval", value_name = "BLOCKS", default_value_t = 10)]
    supplementary_sanity_interval: u64,
}

/// Replays and prints the outcome; success only when all is equal.
pub fn replay(args: &ReplayArguments) -> ExitCode {
    match run(args) {
        Ok(summary) => {
            print(&if args.json { summary.to_json().to_string() } else { summary.to_string() });
            ExitCode::SUCCESS
        }
        Err(e) => {
            if args.json {
                print(&e.to_json().to_string());
            } else {
                warn(format_args!("error: {e}"));
            }
            ExitCode::FAILURE
        }
    }
}

/// Prints a line; nobody may be there to read it, and the exit code says the same.
fn print(line: &str) {
    let _ = writeln!(io::stdout(), "{line}");
}

fn run(args: &ReplayArguments) -> Result<Summary, ReplayError> {
    let file = args.chain.display().to_string();
    let upgrades = upgrades(args)?;
    let mut reader = oasis_replay::open(&args.chain)?;
    let refused = |refused| ReplayError::Refused { file: file.clone(), refused: Box::new(refused) };
    let first_time = reader.first_time().map_err(refused)?;
    let mut network = oasis_replay::network(reader.header(), first_time, !args.production).map_err(refused)?;
    network.supplementary_sanity_interval = args.supplementary_sanity.then_some(args.supplementary_sanity_interval);
    let stopped = |message| ReplayError::Stopped { file: file.clone(), height: network.document.height, message };
    match &args.datadir {
        None => {
            let machine = AppMachine::new(MemoryVersions::new(1), &network, Upgrader::new(upgrades)).map_err(stopped)?;
            drive(args, file.clone(), reader, &network, machine, Vec::new())
        }
        Some(datadir) => {
            let database = Database::open(datadir, &reader.header().chain_context).map_err(ReplayError::Other)?;
            let known = database.blocks(network.document.height).map_err(ReplayError::Other)?;
            let upgrader = match database.upgrades().map_err(ReplayError::Other)? {
                Some(pending) => Upgrader::resume(pending),
                None => Upgrader::new(upgrades),
            };
            let machine = AppMachine::new(database, &network, upgrader).map_err(stopped)?;
            let known = known.into_iter().map(|record| record.digest).collect();
            drive(args, file.clone(), reader, &network, machine, known)
        }
    }
}

fn drive<R: BufRead + Send, T: VersionedTree + Notes>(
    args: &ReplayArguments,
    file: String,
    reader: ChainReader<R>,
    network: &Network,
    mut machine: AppMachine<T>,
    known: Vec<Hash>,
) -> Result<Summary, ReplayError> {
    let (first, last) = (reader.header().initial_height, args.to.unwrap_or(reader.header().last_height));
    let bar = progress_bar(last - first + 1);
    let mut progress = |height: i64| bar.set_position(u64::try_from(height - first + 1).unwrap_or_default());
    let replay = Replay { file, network, to: args.to, known, progress: &mut progress };
    let result = replay.run(reader, &mut machine);
    bar.finish_and_clear();
    result
}

/// A bar on the terminal; nothing where errors go elsewhere.
fn progress_bar(blocks: i64) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(u64::try_from(blocks).unwrap_or_default());
    if let Ok(style) = ProgressStyle::with_template("{wide_bar} {pos}/{len} blocks, {per_sec}, {eta} left") {
        bar.set_style(style);
    }
    bar
}

/// The upgrade descriptors, from the file named or the one beside the chain.
fn upgrades(args: &ReplayArguments) -> Result<Vec<Descriptor>, ReplayError> {
    let path = match &args.upgrades {
        Some(path) => path.clone(),
        None => match beside(&args.chain) {
            Some(path) if path.is_file() => path,
            _ => return Ok(Vec::new()),
        },
    };
    let err = |e: &dyn std::fmt::Display| ReplayError::Other(format!("{}: {e}", path.display()));
    let bytes = fs::read(&path).map_err(|e| err(&e))?;
    let value: serde_json::Value = serde_json::from_slice(&bytes).map_err(|e| err(&e))?;
    Vec::<Descriptor>::from_json(&value).map_err(|e| err(&e))
}

fn beside(chain: &Path) -> Option<PathBuf> {
    let name = chain.file_name()?.to_str()?.strip_suffix(CHAIN_SUFFIX)?;
    Some(chain.with_file_name(format!("{name}{UPGRADES_SUFFIX}")))
}
