//! `oasis-node unsafe-reset`: a node's state removed, its keys kept.
//!
//! Source: go/oasis-node/cmd/node/unsafe_reset.go.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use clap::Args;
use oasis_node_service::grpc::SOCKET_FILE;

use crate::common::{CommonFlags, warn};

/// State in a data directory, by its place and how its name begins and ends.
struct Place {
    /// Directory below the data directory, empty for itself; `runtimes` stands for each of its directories.
    dir: &'static str,
    prefix: &'static str,
    suffix: &'static str,
}

const RUNTIMES: &str = "runtimes";
/// Always removed: the node's own store (the original's, and this node's), consensus, histories of runtimes.
const STATE: [Place; 5] = [
    Place { dir: "", prefix: "persistent-store.", suffix: ".db" },
    Place { dir: "", prefix: "workers", suffix: "" },
    Place { dir: "", prefix: "chain_context", suffix: "" },
    Place { dir: "", prefix: "tendermint", suffix: "" },
    Place { dir: RUNTIMES, prefix: "history.db", suffix: "" },
];
const LOCAL_STORAGE: Place = Place { dir: RUNTIMES, prefix: "worker-local-storage.", suffix: ".db" };
const MKVS_DATABASE: Place = Place { dir: RUNTIMES, prefix: "mkvs_storage.", suffix: ".db" };

/// Arguments.
#[derive(Debug, Args)]
pub struct ResetArguments {
    /// Only say what would be removed.
    #[arg(id = "dry_run", short = 'n', long = "dry_run")]
    dry_run: bool,
    /// Keep runtimes' local storage.
    #[arg(id = "preserve.local_storage", long = "preserve.local_storage")]
    preserve_local: bool,
    /// Keep runtimes' databases.
    #[arg(id = "preserve.mkvs_database", long = "preserve.mkvs_database", default_value_t = true)]
    preserve_mkvs: bool,
}

/// Removes a node's state.
pub fn run(arguments: &ResetArguments, common: &CommonFlags) -> Result<()> {
    let datadir = common.required_datadir()?;
    let lock = datadir.join(SOCKET_FILE);
    if std::os::unix::net::UnixStream::connect(&lock).is_ok() {
        bail!(
            "{}: a node is running here; stop it first, for example: oasis-node control shutdown --address unix:{}",
            datadir.display(),
            lock.display()
        );
    }
    let mut places: Vec<&Place> = STATE.iter().collect();
    if !arguments.preserve_local {
        places.push(&LOCAL_STORAGE);
    }
    if !arguments.preserve_mkvs {
        places.push(&MKVS_DATABASE);
    }
    if arguments.dry_run {
        warn("dry run, no modifications will be made to files");
    }
    for path in places.into_iter().map(|place| find(&datadir, place)).collect::<Result<Vec<_>>>()?.concat() {
        warn(format_args!("removing on-disk node state: {}", path.display()));
        if !arguments.dry_run {
            let removed = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
            removed.with_context(|| format!("failed to remove on-disk node state: {}", path.display()))?;
        }
    }
    warn("state reset complete");
    Ok(())
}

fn find(datadir: &Path, place: &Place) -> Result<Vec<PathBuf>> {
    let dirs = if place.dir.is_empty() { vec![datadir.to_owned()] } else { entries(&datadir.join(place.dir))? };
    let mut found = Vec::new();
    for dir in dirs.iter().filter(|dir| dir.is_dir()) {
        found.extend(entries(dir)?.into_iter().filter(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let rest = name.strip_prefix(place.prefix);
            rest.is_some_and(|rest| if place.suffix.is_empty() { rest.is_empty() } else { rest.ends_with(place.suffix) })
        }));
    }
    Ok(found)
}

/// What is in a directory, in order; nothing where there is no directory.
fn entries(dir: &Path) -> Result<Vec<PathBuf>> {
    let Ok(found) = fs::read_dir(dir) else { return Ok(Vec::new()) };
    let mut paths = found.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}
