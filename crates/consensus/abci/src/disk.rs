//! Versions of the state on disk.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
};

use oasis_consensus_app::{
    error::{Error, Result},
    executor::{VersionedTree, apply_changes},
    store::{Changes, StateTree},
};
use oasis_consensus_engine::ports::Fatal;
use oasis_mkvs::{
    NewNode, Root, RootType, Tree,
    checkpoint::{self, ChunkMetadata, GetCheckpointsRequest, Metadata},
};
use oasis_primitives::{cbor, hash::Hash};
use oasis_storage::{CheckpointDir, CheckpointDirError, Durability, NodeDb, Options, engine::Engine};

use crate::backend::{Backend, CheckpointJob, Note};

/// The note of the machine.
const KEY_NOTE: &[u8] = b"abci/note";

/// Memory for the tree of a query or of a checkpoint's chunk, bytes.
const READ_BYTES: usize = 4 << 20;

/// How to open a state on disk.
#[derive(Clone, Debug)]
pub struct DiskOptions {
    /// The hash of the network's genesis document; an existing state has to be of the same.
    pub context: String,
    /// Where checkpoints are; none for no checkpoints.
    pub checkpoints: Option<PathBuf>,
    /// Memory for what was read from the disk lately, bytes.
    pub cache_bytes: u64,
    /// Memory for the nodes of the newest version's tree, bytes.
    pub tree_bytes: usize,
}

impl DiskOptions {
    /// Options of a node: little memory.
    pub fn new(context: impl Into<String>) -> Self {
        Self { context: context.into(), checkpoints: None, cache_bytes: 4 << 20, tree_bytes: 8 << 20 }
    }

    /// With checkpoints in a directory.
    #[must_use]
    pub fn with_checkpoints(mut self, directory: impl Into<PathBuf>) -> Self {
        self.checkpoints = Some(directory.into());
        self
    }
}

/// Versions of the state on disk.
///
/// Each version is one write, with what is noted of it. It survives the end of the process at once, and power loss once
/// it was synced.
pub struct Disk {
    name: String,
    db: NodeDb,
    tree: Tree,
    committed: Tree,
    values: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    checkpoints: Option<Checkpoints>,
}

impl Disk {
    /// Opens the state in a directory, or makes an empty one. Errors name the directory.
    pub fn open(path: &Path, options: DiskOptions) -> Result<Self, Fatal> {
        Self::with(path, options, |options| NodeDb::open(path, options))
    }

    /// Opens the state on an engine, in whose directory there may be more: see [`oasis_storage::Together`].
    pub fn on(engine: Arc<dyn Engine>, path: &Path, options: DiskOptions) -> Result<Self, Fatal> {
        Self::with(path, options, |options| NodeDb::on(engine, path, options))
    }

    fn with(path: &Path, options: DiskOptions, open: impl FnOnce(Options) -> Result<NodeDb, oasis_storage::Error>) -> Result<Self, Fatal> {
        let DiskOptions { context, checkpoints, cache_bytes, tree_bytes } = options;
        let options = Options { context, cache_bytes, tree_bytes, ..Options::default() };
        let name = path.display().to_string();
        let text = |e: oasis_storage::Error| Fatal::new(format_args!("{name}: {e}"));
        let db = open(options).map_err(text)?;
        let tree = db.latest_tree(RootType::STATE).map_err(text)?.without_write_log();
        let checkpoints = checkpoints.map(|path| Checkpoints::open(&path)).transpose()?;
        Ok(Self { name, db, committed: tree.clone(), tree, values: Vec::new(), checkpoints })
    }

    /// A value that was kept beside the state.
    pub fn value(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Fatal> {
        self.db.get_app(key).map_err(|e| self.failed(e))
    }

    /// Visits values whose keys start with `prefix`, in order, until `visit` gives false.
    pub fn scan(&self, prefix: &[u8], visit: &mut dyn FnMut(&[u8], &[u8]) -> bool) -> Result<(), Fatal> {
        self.db.scan_app(prefix, visit).map_err(|e| self.failed(e))
    }

    /// Keeps a value in the same write as the next version.
    pub fn put(&mut self, key: Vec<u8>, value: Vec<u8>) {
        self.values.push((key, Some(value)));
    }

    /// For those who read committed versions while others write.
    pub fn reader(&self) -> DiskReader {
        DiskReader { db: self.db.clone(), last: Arc::default() }
    }

    /// The newest version.
    pub fn latest_version(&self) -> Option<u64> {
        self.db.latest_version()
    }

    /// Waits for checkpoints in the making.
    pub fn wait(&mut self) {
        if let Some(checkpoints) = &mut self.checkpoints {
            checkpoints.wait();
        }
    }

    fn failed(&self, error: impl std::fmt::Display) -> Fatal {
        Fatal::new(format_args!("{}: {error}", self.name))
    }

    fn reopen(&mut self) -> Result<(), Fatal> {
        let tree = self.db.latest_tree(RootType::STATE).map_err(|e| self.failed(e))?.without_write_log();
        (self.committed, self.tree) = (tree.clone(), tree);
        self.values.clear();
        Ok(())
    }
}

/// Reads committed versions while others write. Clones share what they read lately.
#[derive(Clone)]
pub struct DiskReader {
    db: NodeDb,
    /// The version that was asked for last: most queries are of the newest.
    last: Arc<Mutex<Option<(u64, Arc<dyn StateTree>)>>>,
}

impl DiskReader {
    /// The newest version.
    pub fn latest(&self) -> Option<u64> {
        self.db.latest_version()
    }

    /// A version; none where it is not kept.
    pub fn at(&self, version: u64) -> Result<Option<Arc<dyn StateTree>>> {
        if self.db.earliest_version().is_none_or(|earliest| version < earliest) {
            return Ok(None);
        }
        if let Some((known, tree)) = &*self.last.lock().unwrap_or_else(PoisonError::into_inner)
            && *known == version
        {
            return Ok(Some(Arc::clone(tree)));
        }
        let Some(tree) = version_of(&self.db, version)? else { return Ok(None) };
        let tree: Arc<dyn StateTree> = Arc::new(tree);
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some((version, Arc::clone(&tree)));
        Ok(Some(tree))
    }

    /// The tree with a root; none where it is not kept.
    pub fn tree(&self, root: &Root) -> Result<Option<Tree>> {
        if !self.db.has_root(root).map_err(Error::fatal)? {
            return Ok(None);
        }
        Ok(Some(self.db.tree(root).map_err(Error::fatal)?.with_budget(READ_BYTES)))
    }
}

fn version_of(db: &NodeDb, version: u64) -> Result<Option<Tree>> {
    if db.earliest_version().is_none_or(|earliest| version < earliest) {
        return Ok(None);
    }
    let Some(root) = db.root_for(version, RootType::STATE).map_err(Error::fatal)? else { return Ok(None) };
    Ok(Some(db.tree(&root).map_err(Error::fatal)?.with_budget(READ_BYTES)))
}

impl VersionedTree for Disk {
    fn snapshot(&self) -> Arc<dyn StateTree> {
        Arc::new(self.tree.clone())
    }

    fn at(&self, version: u64) -> Result<Option<Arc<dyn StateTree>>> {
        Ok(version_of(&self.db, version)?.map(|tree| Arc::new(tree) as Arc<dyn StateTree>))
    }

    fn apply(&mut self, changes: Changes) -> Result<Changes> {
        apply_changes(&mut self.tree, changes)
    }

    fn root(&mut self) -> Result<Hash> {
        Ok(self.tree.root_hash())
    }

    fn commit(&mut self, version: u64) -> Result<Hash> {
        let base = *self.tree.root();
        let batch = self.db.next_batch(version).map_err(Error::fatal)?;
        let commit = self.tree.commit_batch(version, batch).map_err(Error::fatal)?;
        let values = std::mem::take(&mut self.values);
        self.db.commit_final(&base, &commit, &values, Durability::Process).map_err(Error::fatal)?;
        self.committed = self.tree.clone();
        Ok(commit.root.hash)
    }

    fn discard(&mut self) -> Result<()> {
        self.tree = self.committed.clone();
        self.values.clear();
        Ok(())
    }

    fn latest(&self) -> Option<(u64, Hash)> {
        self.db.latest_version().map(|version| (version, self.committed.root().hash))
    }
}

impl Backend for Disk {
    const SYNC_EVERY: u64 = 16;

    fn note(&self) -> Result<Option<Note>, Fatal> {
        let value = self.value(KEY_NOTE)?;
        value.map(|v| cbor::from_slice(&v).map_err(|e| self.failed(format_args!("note of the state machine: {e}")))).transpose()
    }

    fn set_note(&mut self, note: Note) {
        self.put(KEY_NOTE.to_vec(), cbor::to_vec(&note));
    }

    fn keep_note(&mut self, note: Note) -> Result<(), Fatal> {
        let value = (KEY_NOTE.to_vec(), Some(cbor::to_vec(&note)));
        self.db.put_app(&[value], Durability::Sync).map_err(|e| self.failed(e))
    }

    fn earliest(&self) -> Option<u64> {
        self.db.earliest_version()
    }

    fn prune_earliest(&mut self) -> Result<(), Fatal> {
        match self.db.earliest_version() {
            Some(earliest) => self.db.prune(earliest).map_err(|e| self.failed(e)),
            None => Ok(()),
        }
    }

    fn sync(&self) -> Result<(), Fatal> {
        self.db.sync().map_err(|e| self.failed(e))
    }

    fn make_checkpoints(&mut self, job: CheckpointJob) {
        if let Some(checkpoints) = &mut self.checkpoints {
            checkpoints.make(self.db.clone(), job);
        }
    }

    fn making_from(&self) -> Option<u64> {
        let worker = self.checkpoints.as_ref()?.worker.as_ref()?;
        (!worker.thread.is_finished()).then_some(worker.from)
    }

    fn checkpoint_error(&mut self) -> Option<String> {
        self.checkpoints.as_ref()?.shared().error.take()
    }

    fn checkpoints(&self) -> Vec<Metadata> {
        self.checkpoints.as_ref().map(|c| c.shared().list.clone()).unwrap_or_default()
    }

    fn chunk(&self, chunk: &ChunkMetadata) -> Option<Vec<u8>> {
        self.checkpoints.as_ref()?.directory.chunk(chunk).ok()
    }

    fn start_restore(&mut self, root: &Root) -> Result<(), Fatal> {
        self.abort_restore()?;
        self.db.start_multipart(root.version).map_err(|e| self.failed(e))
    }

    fn import(&mut self, root: &Root, nodes: Vec<NewNode>) -> Result<(), Fatal> {
        self.db.import(root, &nodes).map_err(|e| self.failed(e))
    }

    fn finish_restore(&mut self, root: &Root) -> Result<bool, Fatal> {
        match self.db.finish_multipart(root.version, &[*root]) {
            Ok(()) => {
                self.reopen()?;
                Ok(true)
            }
            Err(oasis_storage::Error::Tree(_)) => Ok(false),
            Err(error) => Err(self.failed(error)),
        }
    }

    fn abort_restore(&mut self) -> Result<(), Fatal> {
        self.db.abort_multipart().map_err(|e| self.failed(e))
    }
}

/// Checkpoints in a directory, made by a thread that lives as long as there is something to make.
struct Checkpoints {
    directory: CheckpointDir,
    shared: Arc<Mutex<Shared>>,
    worker: Option<Worker>,
    stop: Arc<AtomicBool>,
}

#[derive(Default)]
struct Shared {
    /// By version.
    list: Vec<Metadata>,
    error: Option<String>,
}

struct Worker {
    from: u64,
    thread: JoinHandle<()>,
}

impl Checkpoints {
    fn open(path: &Path) -> Result<Self, Fatal> {
        let directory = CheckpointDir::new(path);
        directory.clean().map_err(Fatal::new)?;
        let list = list(&directory).map_err(Fatal::new)?;
        let shared = Arc::new(Mutex::new(Shared { list, error: None }));
        Ok(Self { directory, shared, worker: None, stop: Arc::default() })
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn make(&mut self, db: NodeDb, job: CheckpointJob) {
        self.wait();
        let Some(from) = job.versions.last().copied().or(db.latest_version()) else { return };
        let (directory, shared, stop) = (self.directory.clone(), Arc::clone(&self.shared), Arc::clone(&self.stop));
        let work = move || {
            let made = work(&db, &directory, &job, &stop);
            let listed = list(&directory);
            let mut shared = shared.lock().unwrap_or_else(PoisonError::into_inner);
            shared.error = made.err().or(listed.as_ref().err().map(ToString::to_string));
            if let Ok(listed) = listed {
                shared.list = listed;
            }
        };
        match thread::Builder::new().name("checkpoints".to_owned()).spawn(work) {
            Ok(thread) => self.worker = Some(Worker { from, thread }),
            Err(error) => self.shared().error = Some(error.to_string()),
        }
    }

    fn wait(&mut self) {
        if let Some(worker) = self.worker.take()
            && worker.thread.join().is_err()
        {
            self.shared().error = Some("the thread that makes checkpoints failed".to_owned());
        }
    }
}

impl Drop for Checkpoints {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.wait();
    }
}

fn list(directory: &CheckpointDir) -> Result<Vec<Metadata>, CheckpointDirError> {
    let mut list = directory.list(&GetCheckpointsRequest { version: checkpoint::VERSION, ..GetCheckpointsRequest::default() })?;
    list.sort_by_key(|m| m.root.version);
    Ok(list)
}

/// Source: go/storage/mkvs/checkpoint/checkpointer.go, `maybeCheckpoint`, `checkpoint`.
fn work(db: &NodeDb, directory: &CheckpointDir, job: &CheckpointJob, stop: &AtomicBool) -> Result<(), String> {
    for version in &job.versions {
        let root = db.root_for(*version, RootType::STATE).map_err(|e| e.to_string())?;
        let root = root.ok_or_else(|| format!("checkpoint of version {version}: no such version"))?;
        let mut open = || {
            if stop.load(Ordering::Relaxed) {
                return Err(CheckpointDirError::Stopped);
            }
            Ok(db.tree(&root)?.with_budget(READ_BYTES))
        };
        match directory.create_with(&root, job.chunk_size, &mut open) {
            Ok(_) => {}
            Err(CheckpointDirError::Stopped) => return Ok(()),
            Err(error) => return Err(error.to_string()),
        }
    }
    let existing = list(directory).map_err(|e| e.to_string())?;
    let too_many = existing.len().saturating_sub(job.keep);
    for old in existing.iter().take(too_many) {
        directory.delete(checkpoint::VERSION, &old.root).map_err(|e| e.to_string())?;
    }
    Ok(())
}
