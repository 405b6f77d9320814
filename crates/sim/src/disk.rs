//! A disk that loses what was not synced when its machine loses power.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use oasis_consensus_engine::{
    ports::{Fatal, Wal},
    wal::{self, Frame, WalRecord},
};
use oasis_storage::{
    Error,
    engine::{Batch, Durability, Engine, Table, Visitor},
};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// What a write fails with once the power is gone.
pub const POWER_IS_GONE: &str = "the power is gone";

/// A database's name, a table of it, a key in that.
type Key = (&'static str, Table, Vec<u8>);
type Entries = BTreeMap<Key, Vec<u8>>;
/// What a batch replaced, by key.
type Undo = Vec<(Key, Option<Vec<u8>>)>;

#[derive(Default)]
struct Database {
    entries: Entries,
    /// Batches that power loss may take, oldest first.
    unsynced: Vec<Undo>,
}

impl Database {
    fn apply(&mut self, name: &'static str, batch: Batch) -> Undo {
        let mut undo = Undo::new();
        for (table, key, value) in batch.writes {
            let old = match value {
                Some(value) => self.entries.insert((name, table, key.clone()), value),
                None => self.entries.remove(&(name, table, key.clone())),
            };
            undo.push(((name, table, key), old));
        }
        undo
    }

    fn undo_last(&mut self) {
        for (key, old) in self.unsynced.pop().into_iter().flatten().rev() {
            match old {
                Some(old) => self.entries.insert(key, old),
                None => self.entries.remove(&key),
            };
        }
    }
}

#[derive(Default)]
struct Inner {
    /// All databases: they have one journal.
    database: Database,
    /// The log's bytes, of which the first so many are synced.
    log: Vec<u8>,
    log_synced: usize,
    /// What the validator signed last; always synced.
    signed: Option<String>,
    /// Writes until the power goes.
    writes_left: Option<u32>,
    powerless: bool,
    syncs: u64,
}

impl Inner {
    /// Counts a write; whether there is power for it.
    fn may_write(&mut self, sync: bool) -> bool {
        if let Some(left) = &mut self.writes_left {
            match left.checked_sub(1) {
                Some(rest) => *left = rest,
                None => self.powerless = true,
            }
        }
        if sync && !self.powerless {
            self.syncs += 1;
        }
        !self.powerless
    }
}

/// A node's disk. Clones are handles of the same one.
#[derive(Clone, Default)]
pub struct Disk(Arc<Mutex<Inner>>);

impl Disk {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A database on the disk. All have one journal: power loss takes their writes together, from the last backwards.
    pub fn database(&self, name: &'static str) -> Arc<dyn Engine> {
        Arc::new(DiskEngine { disk: self.clone(), name })
    }

    /// The power goes after so many more writes.
    pub fn fail_after(&self, writes: u32) {
        self.lock().writes_left = Some(writes);
    }

    /// Whether a write found no power.
    pub fn is_powerless(&self) -> bool {
        self.lock().powerless
    }

    /// Syncs so far.
    pub fn syncs(&self) -> u64 {
        self.lock().syncs
    }

    /// Loses power and gets it back: of what was not synced, a random part from the end is gone.
    pub fn lose_power(&self, rng: &mut ChaCha8Rng) {
        let mut inner = self.lock();
        for _ in 0..rng.random_range(0..=inner.database.unsynced.len()) {
            inner.database.undo_last();
        }
        inner.database.unsynced.clear();
        let kept = rng.random_range(inner.log_synced..=inner.log.len());
        inner.log.truncate(kept);
        inner.log_synced = kept;
        inner.writes_left = None;
        inner.powerless = false;
    }

    /// Forgets what was signed and logged: what only a Byzantine operator does.
    pub fn forget(&self) {
        let mut inner = self.lock();
        inner.log.clear();
        inner.log_synced = 0;
        inner.signed = None;
    }

    /// What the validator signed last.
    pub fn signed(&self) -> Option<String> {
        self.lock().signed.clone()
    }

    /// Keeps what the validator signs before it is told to anybody.
    pub fn keep_signed(&self, state: String) -> Result<(), Fatal> {
        let mut inner = self.lock();
        if !inner.may_write(true) {
            return Err(Fatal::new(POWER_IS_GONE));
        }
        inner.signed = Some(state);
        Ok(())
    }

    /// The consensus log.
    pub fn wal(&self) -> Box<dyn Wal + Send> {
        Box::new(DiskWal(self.clone()))
    }
}

struct DiskEngine {
    disk: Disk,
    name: &'static str,
}

impl DiskEngine {
    fn with<T>(&self, f: impl FnOnce(&mut Database) -> T) -> T {
        f(&mut self.disk.lock().database)
    }

    fn no_power(&self) -> Error {
        Error::Engine { path: PathBuf::from(Path::new(self.name)), message: POWER_IS_GONE.to_owned() }
    }
}

impl Engine for DiskEngine {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        Ok(self.with(|db| db.entries.get(&(self.name, table, key.to_vec())).cloned()))
    }

    fn scan(&self, table: Table, prefix: &[u8], visit: Visitor<'_>) -> Result<(), Error> {
        self.with(|db| {
            for ((name, in_table, key), value) in db.entries.range((self.name, table, prefix.to_vec())..) {
                if *name != self.name || *in_table != table || !key.starts_with(prefix) || !visit(key, value) {
                    break;
                }
            }
        });
        Ok(())
    }

    fn write(&self, batch: Batch, durability: Durability) -> Result<(), Error> {
        let sync = durability == Durability::Sync;
        if !self.disk.lock().may_write(sync) {
            return Err(self.no_power());
        }
        self.with(|db| {
            let undo = db.apply(self.name, batch);
            db.unsynced.push(undo);
            if sync {
                db.unsynced.clear();
            }
        });
        Ok(())
    }

    fn sync(&self) -> Result<(), Error> {
        if !self.disk.lock().may_write(true) {
            return Err(self.no_power());
        }
        self.with(|db| db.unsynced.clear());
        Ok(())
    }
}

struct DiskWal(Disk);

/// The whole records of a log, and how many bytes they take.
fn whole_records(log: &[u8]) -> (Vec<&[u8]>, usize) {
    let mut records = Vec::new();
    let mut rest = log;
    while let Frame::Record(record, after) = wal::read_frame(rest) {
        records.push(record);
        rest = after;
    }
    (records, log.len() - rest.len())
}

impl Wal for DiskWal {
    fn write(&mut self, record: &[u8], sync: bool) -> Result<(), Fatal> {
        let mut inner = self.0.lock();
        if !inner.may_write(sync) {
            return Err(Fatal::new(POWER_IS_GONE));
        }
        inner.log.extend(wal::frame(record));
        if sync {
            inner.log_synced = inner.log.len();
        }
        // What was decided long ago is not read again.
        if sync && WalRecord::end_height(record).is_some() {
            let start = inner.log.len() - wal::frame(record).len();
            inner.log.drain(..start);
            inner.log_synced = inner.log.len();
        }
        Ok(())
    }

    fn records_after(&mut self, height: i64) -> Result<Option<Vec<Vec<u8>>>, Fatal> {
        let mut inner = self.0.lock();
        let (records, whole) = whole_records(&inner.log);
        let end = records.iter().rposition(|record| WalRecord::end_height(record) == Some(height));
        let after = end.map(|end| records[end + 1..].iter().map(|record| record.to_vec()).collect());
        inner.log.truncate(whole);
        inner.log_synced = inner.log_synced.min(whole);
        Ok(after)
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    fn batch(key: u8) -> Batch {
        let mut batch = Batch::default();
        batch.put(Table::App, [key], [key]);
        batch
    }

    #[test]
    fn only_the_end_of_what_was_not_synced_is_lost() {
        for seed in 0..50 {
            let disk = Disk::default();
            let db = disk.database("a");
            for key in 0..10 {
                db.write(batch(key), if key == 4 { Durability::Sync } else { Durability::Process }).unwrap();
            }
            disk.lose_power(&mut ChaCha8Rng::seed_from_u64(seed));
            let there: Vec<bool> = (0..10).map(|key| db.get(Table::App, &[key]).unwrap().is_some()).collect();
            let count = there.iter().filter(|t| **t).count();
            assert!(count >= 5 && there[..count].iter().all(|t| *t));
        }
    }

    #[test]
    fn a_cut_log_gives_its_whole_records() {
        for seed in 0..50 {
            let disk = Disk::default();
            let mut log = disk.wal();
            log.write(&WalRecord::EndHeight(1).encode(Default::default()), true).unwrap();
            for _ in 0..5 {
                log.write(&[9; 20], false).unwrap();
            }
            disk.lose_power(&mut ChaCha8Rng::seed_from_u64(seed));
            assert!(log.records_after(1).unwrap().unwrap().len() <= 5);
            assert_eq!(log.records_after(7).unwrap(), None);
        }
    }

    #[test]
    fn without_power_nothing_is_written() {
        let disk = Disk::default();
        let db = disk.database("a");
        disk.fail_after(1);
        db.write(batch(1), Durability::Process).unwrap();
        assert!(db.write(batch(2), Durability::Process).is_err() && disk.is_powerless());
        assert!(disk.wal().write(&[1], true).is_err());
        assert_eq!(db.get(Table::App, &[2]).unwrap(), None);
    }
}
