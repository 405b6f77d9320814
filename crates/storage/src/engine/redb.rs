//! The copy-on-write B-tree of `redb`.

use std::path::{Path, PathBuf};

use redb::{Database, ReadableDatabase, TableDefinition};

use super::{Batch, Durability, Engine, Table, Visitor};
use crate::Error;

const NODES: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("nodes");
const INDEX: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("index");
const APP: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("app");

/// A database of `redb`. It has no writes that survive the process but not power loss: every write is synced.
pub struct Redb {
    path: PathBuf,
    database: Database,
}

fn definition(table: Table) -> TableDefinition<'static, &'static [u8], &'static [u8]> {
    match table {
        Table::Nodes => NODES,
        Table::Index => INDEX,
        Table::App => APP,
    }
}

impl Redb {
    /// Opens a database in a directory.
    pub fn open(path: &Path, cache_bytes: u64) -> Result<Self, Error> {
        std::fs::create_dir_all(path).map_err(|e| Error::engine(path, e))?;
        let cache = usize::try_from(cache_bytes).unwrap_or(usize::MAX);
        let database = Database::builder().set_cache_size(cache).create(path.join("data.redb")).map_err(|e| Error::engine(path, e))?;
        let out = Self { path: path.to_owned(), database };
        // Reading needs the tables to exist.
        out.write(Batch::default(), Durability::Sync)?;
        Ok(out)
    }

    fn failed(&self, error: impl Into<redb::Error>) -> Error {
        Error::engine(&self.path, error.into())
    }
}

impl Engine for Redb {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        let read = self.database.begin_read().map_err(|e| self.failed(e))?;
        let table = read.open_table(definition(table)).map_err(|e| self.failed(e))?;
        let value = table.get(key).map_err(|e| self.failed(e))?;
        Ok(value.map(|v| v.value().to_vec()))
    }

    fn scan(&self, table: Table, prefix: &[u8], visit: Visitor<'_>) -> Result<(), Error> {
        let read = self.database.begin_read().map_err(|e| self.failed(e))?;
        let table = read.open_table(definition(table)).map_err(|e| self.failed(e))?;
        for item in table.range(prefix..).map_err(|e| self.failed(e))? {
            let (key, value) = item.map_err(|e| self.failed(e))?;
            if !key.value().starts_with(prefix) || !visit(key.value(), value.value()) {
                break;
            }
        }
        Ok(())
    }

    fn write(&self, batch: Batch, _: Durability) -> Result<(), Error> {
        let write = self.database.begin_write().map_err(|e| self.failed(e))?;
        {
            let mut nodes = write.open_table(NODES).map_err(|e| self.failed(e))?;
            let mut index = write.open_table(INDEX).map_err(|e| self.failed(e))?;
            let mut app = write.open_table(APP).map_err(|e| self.failed(e))?;
            for (table, key, value) in &batch.writes {
                let table = match table {
                    Table::Nodes => &mut nodes,
                    Table::Index => &mut index,
                    Table::App => &mut app,
                };
                match value {
                    Some(value) => table.insert(key.as_slice(), value.as_slice()).map_err(|e| self.failed(e))?,
                    None => table.remove(key.as_slice()).map_err(|e| self.failed(e))?,
                };
            }
        }
        write.commit().map_err(|e| self.failed(e))
    }

    fn sync(&self) -> Result<(), Error> {
        Ok(())
    }
}
