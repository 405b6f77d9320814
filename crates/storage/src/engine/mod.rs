//! Embedded ordered key-value stores.

mod fjall;
mod memory;
#[cfg(feature = "redb")]
mod redb;

use std::{path::Path, sync::Arc};

pub use self::fjall::Fjall;
pub use self::memory::Memory;
#[cfg(feature = "redb")]
pub use self::redb::Redb;
use crate::Error;

/// Which engine a database stands on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EngineKind {
    /// A log-structured merge tree.
    #[default]
    Fjall,
    /// A copy-on-write B-tree.
    #[cfg(feature = "redb")]
    Redb,
    /// Nothing on disk.
    Memory,
}

/// How safe a write is when it returns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// It survives the end of the process, but power loss may take it. Writes are lost from the last backwards only.
    Process,
    /// It survives power loss, and so does everything written before.
    #[default]
    Sync,
}

/// Parts of a store with keys of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Table {
    /// Nodes of trees, mostly appended and read by exact key.
    Nodes,
    /// The records about versions and roots.
    Index,
    /// What belongs to the application.
    App,
}

/// Writes that happen together or not at all.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// The writes in order: a table, a key, and a value or none to delete.
    pub writes: Vec<(Table, Vec<u8>, Option<Vec<u8>>)>,
}

impl Batch {
    /// Sets the value of a key.
    pub fn put(&mut self, table: Table, key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) {
        self.writes.push((table, key.into(), Some(value.into())));
    }

    /// Deletes a key.
    pub fn delete(&mut self, table: Table, key: impl Into<Vec<u8>>) {
        self.writes.push((table, key.into(), None));
    }
}

/// Receives keys and values of a scan; false ends it.
pub type Visitor<'a> = &'a mut dyn FnMut(&[u8], &[u8]) -> bool;

/// An ordered key-value store.
pub trait Engine: Send + Sync {
    /// The value of a key.
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, Error>;

    /// Visits the keys that start with `prefix` in order.
    fn scan(&self, table: Table, prefix: &[u8], visit: Visitor<'_>) -> Result<(), Error>;

    /// Writes a batch.
    fn write(&self, batch: Batch, durability: Durability) -> Result<(), Error>;

    /// Makes everything written so far survive power loss.
    fn sync(&self) -> Result<(), Error>;
}

/// Opens an engine, creating its files where there are none.
///
/// `cache_bytes` bounds the memory for what was read lately; buffers for writes come on top.
pub fn open(kind: EngineKind, path: &Path, cache_bytes: u64) -> Result<Arc<dyn Engine>, Error> {
    Ok(match kind {
        EngineKind::Fjall => Arc::new(Fjall::open(path, cache_bytes)?),
        #[cfg(feature = "redb")]
        EngineKind::Redb => Arc::new(Redb::open(path, cache_bytes)?),
        EngineKind::Memory => Arc::new(Memory::default()),
    })
}

/// The engines of a state machine's state and of the blocks, in one directory with one journal.
///
/// Power loss takes the writes of both together, from the last backwards. So the state is never ahead of the blocks,
/// whatever was synced.
#[derive(Clone)]
pub struct Together {
    /// For the state.
    pub state: Arc<dyn Engine>,
    /// For the blocks.
    pub blocks: Arc<dyn Engine>,
}

impl Together {
    /// Opens both, creating their files where there are none. A directory with a state alone gets empty blocks.
    pub fn open(path: &Path, cache_bytes: u64) -> Result<Self, Error> {
        let (state, blocks) = Fjall::open_two(path, cache_bytes, "blocks-")?;
        Ok(Self { state: Arc::new(state), blocks: Arc::new(blocks) })
    }
}
