//! The node database.

mod check;
mod commit;
mod finalize;
mod multipart;
mod prune;

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use oasis_mkvs::{LogEntry, NodeKey, NodeStore, Place, Root, RootType, StoreError, Tree, WriteLog};
use oasis_primitives::{cbor::Decode, namespace::Namespace};

pub use check::CheckReport;
pub use commit::Committed;

use crate::{
    Error,
    engine::{self, Batch, Durability, Engine, EngineKind, Table},
    record::{self, Meta, RootRecord},
};

/// How to open a database.
#[derive(Clone, Debug)]
pub struct Options {
    /// The chain the database belongs to: the hash of its genesis document in hex. An existing database has to have the
    /// same.
    pub context: String,
    /// Whose trees.
    pub namespace: Namespace,
    /// Memory for what was read lately, in bytes; buffers for writes come on top.
    pub cache_bytes: u64,
    /// Memory for the nodes of each tree, in bytes.
    pub tree_bytes: usize,
    /// Whether write logs are kept.
    pub write_logs: bool,
    /// Which engine.
    pub engine: EngineKind,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            context: String::new(),
            namespace: Namespace::default(),
            cache_bytes: 16 << 20,
            tree_bytes: 48 << 20,
            write_logs: false,
            engine: EngineKind::default(),
        }
    }
}

/// Keeps versions of trees. Clones are handles of the same database.
///
/// Writes happen one at a time; reads any time.
///
/// Source: go/storage/mkvs/db/api/api.go, `NodeDB`.
#[derive(Clone)]
pub struct NodeDb {
    inner: Arc<Inner>,
}

struct Inner {
    path: PathBuf,
    engine: Arc<dyn Engine>,
    options: Options,
    /// The record about the database as it was last written; held by whoever writes.
    meta: Mutex<Meta>,
}

impl NodeStore for Inner {
    fn node(&self, key: &NodeKey) -> Result<Option<Vec<u8>>, StoreError> {
        self.engine.get(Table::Nodes, &record::node_key(key)).map_err(|e| StoreError(e.to_string()))
    }
}

impl std::fmt::Debug for NodeDb {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NodeDb").field("path", &self.inner.path).finish_non_exhaustive()
    }
}

impl NodeDb {
    /// Opens the database in a directory, or makes one where there is none.
    ///
    /// A database of another chain or format, or one without its latest roots, is refused. A restoration from a
    /// checkpoint that was not finished is undone.
    pub fn open(path: impl AsRef<Path>, options: Options) -> Result<Self, Error> {
        let path = path.as_ref();
        let engine = engine::open(options.engine, path, options.cache_bytes)?;
        Self::on(engine, path, options)
    }

    /// A database in memory.
    pub fn in_memory(options: Options) -> Result<Self, Error> {
        let path = Path::new("in memory");
        let engine = engine::open(EngineKind::Memory, path, 0)?;
        Self::on(engine, path, options)
    }

    /// A database on an engine.
    pub fn on(engine: Arc<dyn Engine>, path: &Path, options: Options) -> Result<Self, Error> {
        let meta = match engine.get(Table::Index, record::META)? {
            Some(sealed) => {
                let meta: Meta = record::open(record::META, &sealed)
                    .ok_or_else(|| Error::damaged(path, "the record about the database is unreadable"))?;
                if meta.format != record::FORMAT {
                    return Err(Error::WrongFormat { path: path.to_owned(), expected: record::FORMAT, found: meta.format });
                }
                if meta.context != options.context {
                    return Err(Error::WrongContext { path: path.to_owned(), expected: options.context, found: meta.context });
                }
                if meta.namespace != options.namespace {
                    return Err(Error::BadNamespace);
                }
                meta
            }
            None => Self::make(&*engine, path, &options)?,
        };
        let multipart = meta.multipart;
        let db = Self { inner: Arc::new(Inner { path: path.to_owned(), engine, options, meta: Mutex::new(meta) }) };
        if multipart.is_some() {
            db.abort_multipart()?;
        }
        db.check_latest()?;
        Ok(db)
    }

    fn make(engine: &dyn Engine, path: &Path, options: &Options) -> Result<Meta, Error> {
        for table in [Table::Nodes, Table::Index, Table::App] {
            let mut empty = true;
            engine.scan(table, &[], &mut |_, _| {
                empty = false;
                false
            })?;
            if !empty {
                return Err(Error::damaged(path, "the record about the database is missing"));
            }
        }
        let meta = Meta { format: record::FORMAT, context: options.context.clone(), namespace: options.namespace, ..Meta::default() };
        let mut batch = Batch::default();
        batch.put(Table::Index, record::META, record::seal(record::META, &meta));
        engine.write(batch, Durability::Sync)?;
        Ok(meta)
    }

    /// The roots of the latest version have to be there and readable.
    fn check_latest(&self) -> Result<(), Error> {
        let Some(latest) = self.latest_version() else { return Ok(()) };
        let roots = self.roots(latest)?;
        if roots.is_empty() {
            return Err(Error::damaged(&self.inner.path, format!("the roots of version {latest} are missing")));
        }
        for root in roots {
            if let Some(error) = self.tree(&root)?.iter().next().and_then(Result::err) {
                return Err(Error::damaged(&self.inner.path, format!("{root}: {error}")));
            }
        }
        Ok(())
    }

    fn meta(&self) -> MutexGuard<'_, Meta> {
        self.inner.meta.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put_meta(batch: &mut Batch, meta: &Meta) {
        batch.put(Table::Index, record::META, record::seal(record::META, meta));
    }

    fn read<T: Decode>(&self, key: &[u8], what: impl FnOnce() -> String) -> Result<Option<T>, Error> {
        let Some(sealed) = self.inner.engine.get(Table::Index, key)? else { return Ok(None) };
        match record::open(key, &sealed) {
            Some(record) => Ok(Some(record)),
            None => Err(Error::damaged(&self.inner.path, format!("the {} is unreadable", what()))),
        }
    }

    fn read_bytes(&self, key: &[u8], what: impl FnOnce() -> String) -> Result<Option<Vec<u8>>, Error> {
        let Some(sealed) = self.inner.engine.get(Table::Index, key)? else { return Ok(None) };
        match record::open_bytes(key, &sealed) {
            Some(bytes) => Ok(Some(bytes.to_vec())),
            None => Err(Error::damaged(&self.inner.path, format!("the {} is unreadable", what()))),
        }
    }

    fn root_record(&self, root: &Root) -> Result<Option<RootRecord>, Error> {
        self.read(&record::root_key(root), || format!("record of {root}"))
    }

    /// The records of all roots of a version.
    fn root_records(&self, version: u64) -> Result<Vec<(Root, RootRecord)>, Error> {
        let (mut out, mut bad) = (Vec::new(), None);
        self.inner.engine.scan(Table::Index, &record::roots_prefix(version), &mut |key, sealed| match (
            record::root_of_key(self.inner.options.namespace, key),
            record::open(key, sealed),
        ) {
            (Some(root), Some(record)) => {
                out.push((root, record));
                true
            }
            (root, _) => {
                bad = Some(root);
                false
            }
        })?;
        match bad {
            Some(root) => {
                let name = root.map_or_else(|| format!("a root of version {version}"), |r| r.to_string());
                Err(Error::damaged(&self.inner.path, format!("the record of {name} is unreadable")))
            }
            None => Ok(out),
        }
    }

    /// The directory of the database.
    pub fn path(&self) -> &Path {
        &self.inner.path
    }

    /// Whose trees.
    pub fn namespace(&self) -> Namespace {
        self.inner.options.namespace
    }

    /// The first version that was not pruned.
    pub fn earliest_version(&self) -> Option<u64> {
        self.meta().earliest
    }

    /// The last version finalized.
    pub fn latest_version(&self) -> Option<u64> {
        self.meta().latest
    }

    /// The finalized roots of a version.
    pub fn roots(&self, version: u64) -> Result<Vec<Root>, Error> {
        Ok(self.root_records(version)?.into_iter().filter(|(_, record)| record.finalized).map(|(root, _)| root).collect())
    }

    /// The finalized root of a type at a version.
    pub fn root_for(&self, version: u64, root_type: RootType) -> Result<Option<Root>, Error> {
        Ok(self.roots(version)?.into_iter().find(|root| root.root_type == root_type))
    }

    /// Whether a root was committed; the root without keys always was.
    pub fn has_root(&self, root: &Root) -> Result<bool, Error> {
        Ok(root.hash.is_empty() || self.root_record(root)?.is_some())
    }

    /// Reads nodes of the database.
    pub fn store(&self) -> Arc<dyn NodeStore> {
        self.inner.clone()
    }

    /// The tree of a root.
    pub fn tree(&self, root: &Root) -> Result<Tree, Error> {
        if root.namespace != self.namespace() {
            return Err(Error::BadNamespace);
        }
        let place = if root.hash.is_empty() { Place::BY_HASH } else { self.root_record(root)?.ok_or(Error::RootNotFound(*root))?.place() };
        Ok(Tree::with_root_at(self.store(), *root, place).with_budget(self.inner.options.tree_bytes))
    }

    /// The tree of the latest version, one without keys where there is no version yet.
    pub fn latest_tree(&self, root_type: RootType) -> Result<Tree, Error> {
        match self.latest_version() {
            Some(version) => {
                let root = self.root_for(version, root_type)?;
                self.tree(&root.unwrap_or_else(|| Root::empty(self.namespace(), version, root_type)))
            }
            None => self.tree(&Root::empty(self.namespace(), 0, root_type)),
        }
    }

    /// The write log of a root, where it was kept.
    ///
    /// Source: go/storage/mkvs/db/api/api.go, `NodeDB.GetWriteLog`.
    pub fn write_log(&self, root: &Root) -> Result<Option<WriteLog>, Error> {
        self.read::<Vec<LogEntry>>(&record::write_log_key(root), || format!("write log of {root}"))
    }

    /// A value of the application.
    pub fn get_app(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        let Some(sealed) = self.inner.engine.get(Table::App, key)? else { return Ok(None) };
        match record::open_bytes(key, &sealed) {
            Some(bytes) => Ok(Some(bytes.to_vec())),
            None => Err(self.damaged_app(key)),
        }
    }

    /// Visits values of the application whose keys start with `prefix`, in order, until `visit` gives false.
    pub fn scan_app(&self, prefix: &[u8], visit: &mut dyn FnMut(&[u8], &[u8]) -> bool) -> Result<(), Error> {
        let mut bad = None;
        self.inner.engine.scan(Table::App, prefix, &mut |key, sealed| match record::open_bytes(key, sealed) {
            Some(value) => visit(key, value),
            None => {
                bad = Some(key.to_vec());
                false
            }
        })?;
        bad.map_or(Ok(()), |key| Err(self.damaged_app(&key)))
    }

    /// Writes values of the application; none deletes.
    pub fn put_app(&self, values: &[(Vec<u8>, Option<Vec<u8>>)], durability: Durability) -> Result<(), Error> {
        let mut batch = Batch::default();
        Self::put_app_values(&mut batch, values);
        self.inner.engine.write(batch, durability)
    }

    fn put_app_values(batch: &mut Batch, values: &[(Vec<u8>, Option<Vec<u8>>)]) {
        for (key, value) in values {
            match value {
                Some(value) => batch.put(Table::App, key.clone(), record::seal_bytes(key, value.clone())),
                None => batch.delete(Table::App, key.clone()),
            }
        }
    }

    fn damaged_app(&self, key: &[u8]) -> Error {
        let key: String = key.iter().map(|b| format!("{b:02x}")).collect();
        Error::damaged(&self.inner.path, format!("the application's value of key {key} is unreadable"))
    }

    /// Makes everything written so far survive power loss.
    pub fn sync(&self) -> Result<(), Error> {
        self.inner.engine.sync()
    }

    /// The keys of nodes that start with a prefix.
    fn node_keys(&self, prefix: &[u8]) -> Result<Vec<Vec<u8>>, Error> {
        let mut out = Vec::new();
        self.inner.engine.scan(Table::Nodes, prefix, &mut |key, _| {
            out.push(key.to_vec());
            true
        })?;
        Ok(out)
    }
}

#[cfg(test)]
mod tests;
