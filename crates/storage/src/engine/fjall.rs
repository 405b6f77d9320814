//! The log-structured merge tree of `fjall`.

use std::path::{Path, PathBuf};

use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode, config::PartitioningPolicy};

use super::{Batch, Durability, Engine, Table, Visitor};
use crate::Error;

/// Bytes of the file `version`, which is written in more than one write: three that name the engine, one with its format.
const VERSION_BYTES: u64 = 4;

/// Memory for writes not yet in tables, in bytes, for nodes and for each of the other tables.
const NODES_BUFFER: u64 = 8 << 20;
const OTHER_BUFFER: u64 = 2 << 20;
/// Journal files are kept until their content is in tables, up to this many bytes.
const JOURNAL_BYTES: u64 = 64 << 20;

/// A database of `fjall`: one keyspace a table, one journal for all, so that a batch over several tables is atomic.
pub struct Fjall {
    path: PathBuf,
    database: Database,
    nodes: Keyspace,
    index: Keyspace,
    app: Keyspace,
}

impl Fjall {
    /// Opens a database in a directory.
    pub fn open(path: &Path, cache_bytes: u64) -> Result<Self, Error> {
        Self::part(path, &database(path, cache_bytes)?, "")
    }

    /// Opens two databases with one journal: power loss takes the writes of both together, from the last backwards, and
    /// a sync of one is a sync of the other.
    pub fn open_two(path: &Path, cache_bytes: u64, second: &str) -> Result<(Self, Self), Error> {
        let database = database(path, cache_bytes)?;
        Ok((Self::part(path, &database, "")?, Self::part(path, &database, second)?))
    }

    /// The tables whose names begin with a prefix.
    fn part(path: &Path, database: &Database, prefix: &str) -> Result<Self, Error> {
        let keyspace = |name: &str, buffer: u64| {
            let options = || {
                KeyspaceCreateOptions::default()
                    .max_memtable_size(buffer)
                    // Nearly all keys that are looked up exist, so that filters of the last level would be in vain.
                    .expect_point_read_hits(true)
                    // Otherwise a read may fetch the index or filter of a whole table, which is some megabytes.
                    .index_block_partitioning_policy(PartitioningPolicy::all(true))
                    .filter_block_partitioning_policy(PartitioningPolicy::all(true))
            };
            let keyspace = database.keyspace(&format!("{prefix}{name}"), options);
            keyspace.map_err(|e| Error::engine(path, describe(&e)))
        };
        let (nodes, index, app) = (keyspace("nodes", NODES_BUFFER)?, keyspace("index", OTHER_BUFFER)?, keyspace("app", OTHER_BUFFER)?);
        Ok(Self { path: path.to_owned(), database: database.clone(), nodes, index, app })
    }

    fn table(&self, table: Table) -> &Keyspace {
        match table {
            Table::Nodes => &self.nodes,
            Table::Index => &self.index,
            Table::App => &self.app,
        }
    }

    fn failed(&self, error: fjall::Error) -> Error {
        Error::engine(&self.path, describe(&error))
    }
}

/// Clears away what a crash, or a full disk, left of a database in the making: nothing was ever written to it, and `fjall`
/// would not open it.
///
/// The file `version` is the last that is made, and made again only where it is missing.
fn clear_unfinished(path: &Path) -> std::io::Result<()> {
    let (lock, version, journal) = (path.join("lock"), path.join("version"), path.join("0.jnl"));
    let finished = |file: &Path| std::fs::metadata(file).is_ok_and(|m| m.len() >= VERSION_BYTES);
    if finished(&version) || !(journal.exists() || version.exists()) {
        return Ok(());
    }
    let lock = std::fs::OpenOptions::new().create(true).append(true).open(lock)?;
    // Another process may be making it; then opening it says so.
    if lock.try_lock().is_err() || finished(&version) {
        return Ok(());
    }
    for file in [journal, version] {
        if file.exists() {
            std::fs::remove_file(file)?;
        }
    }
    Ok(())
}

fn database(path: &Path, cache_bytes: u64) -> Result<Database, Error> {
    clear_unfinished(path).map_err(|e| Error::engine(path, e))?;
    Database::builder(path)
        .cache_size(cache_bytes)
        .worker_threads(1)
        .max_cached_files(Some(64))
        .max_journaling_size(JOURNAL_BYTES)
        .open()
        .map_err(|e| Error::engine(path, describe(&e)))
}

/// The engine's errors in words for those that an operator can do something about.
fn describe(error: &fjall::Error) -> String {
    match error {
        fjall::Error::Locked => "another process has it open".to_owned(),
        fjall::Error::InvalidVersion(_) => "not a database of this program, or of another version of its engine".to_owned(),
        fjall::Error::Io(e) | fjall::Error::Storage(fjall::LsmError::Io(e)) => e.to_string(),
        fjall::Error::Poisoned => "a write has failed before, as where the disk is full or broken".to_owned(),
        other => format!("{other:?}"),
    }
}

impl Engine for Fjall {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        let value = self.table(table).get(key).map_err(|e| self.failed(e))?;
        Ok(value.map(|v| v.to_vec()))
    }

    fn scan(&self, table: Table, prefix: &[u8], visit: Visitor<'_>) -> Result<(), Error> {
        for item in self.table(table).prefix(prefix) {
            let (key, value) = item.into_inner().map_err(|e| self.failed(e))?;
            if !visit(&key, &value) {
                break;
            }
        }
        Ok(())
    }

    fn write(&self, batch: Batch, durability: Durability) -> Result<(), Error> {
        let mode = match durability {
            Durability::Process => PersistMode::Buffer,
            Durability::Sync => PersistMode::SyncData,
        };
        let mut writes = self.database.batch().durability(Some(mode));
        for (table, key, value) in batch.writes {
            match value {
                Some(value) => writes.insert(self.table(table), key, value),
                None => writes.remove(self.table(table), key),
            }
        }
        writes.commit().map_err(|e| self.failed(e))
    }

    fn sync(&self) -> Result<(), Error> {
        self.database.persist(PersistMode::SyncData).map_err(|e| self.failed(e))
    }
}
