//! Blocks, commits, validators, evidence and the engine's state on an embedded store.
//!
//! A block and the commit that decided it are on the disk before the engine goes on; everything else may be lost with the
//! power, from the last write backwards, and is made again from the blocks.
//!
//! Source: tendermint `store/store.go`, `state/store.go`, `evidence/pool.go`.

mod record;
#[cfg(test)]
mod tests;

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use oasis_consensus_engine::{
    ChainState, CheckedBlock, ValidatorSet,
    parts::PartSet,
    ports::{Fatal, Store},
    proto::{AbciResponses, BlockMeta, Commit, ConsensusParams, Evidence, Part},
};
use prost::Message;
use record::{CutRecord, Meta, ParamsRecord, StateRecord, ValidatorsRecord, at, by_hash, kind};

use crate::{
    Error,
    engine::{self, Batch, Durability, Engine, EngineKind, Table},
    record::{open_bytes, seal_bytes},
};

/// A whole set of validators is kept at least every so many heights. Source: tendermint `state/store.go`,
/// `valSetCheckpointInterval`, which is larger: reading a height's validators takes as many steps.
const VALIDATORS_INTERVAL: i64 = 1_000;
/// Heights that are forgotten in one write.
const PRUNE_BATCH: i64 = 200;

/// How to open the database.
#[derive(Clone, Debug)]
pub struct BlockOptions {
    /// The chain the database belongs to: the hash of its genesis document in hex.
    pub context: String,
    /// Memory for what was read lately, in bytes.
    pub cache_bytes: u64,
    /// Which engine.
    pub engine: EngineKind,
    /// Whether the state machine's state has the same journal ([`crate::Together`]). Then power loss cannot leave a state
    /// without the answers that go with it, and neither they nor fetched blocks have to be synced.
    pub with_state: bool,
}

impl Default for BlockOptions {
    fn default() -> Self {
        Self { context: String::new(), cache_bytes: 4 << 20, engine: EngineKind::default(), with_state: false }
    }
}

/// Keeps blocks. Clones are handles of the same database; one of them writes, any read.
#[derive(Clone)]
pub struct BlockDb {
    inner: Arc<Inner>,
}

struct Inner {
    path: PathBuf,
    engine: Arc<dyn Engine>,
    /// How safe writes have to be that the state machine's commits must not outlive.
    before_state: Durability,
    meta: Mutex<Meta>,
    /// The parts of the block that was served last.
    parts: Mutex<Option<(i64, Arc<PartSet>)>>,
}

impl std::fmt::Debug for BlockDb {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BlockDb").field("path", &self.inner.path).finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Large records have a table of their own.
fn table(kind: u8) -> Table {
    if kind == kind::BLOCK { Table::Nodes } else { Table::Index }
}

fn put(batch: &mut Batch, key: Vec<u8>, record: &impl Message) {
    put_bytes(batch, key, record.encode_to_vec());
}

fn put_bytes(batch: &mut Batch, key: Vec<u8>, bytes: Vec<u8>) {
    let sealed = seal_bytes(&key, bytes);
    batch.put(table(key.first().copied().unwrap_or_default()), key, sealed);
}

fn delete(batch: &mut Batch, key: Vec<u8>) {
    batch.delete(table(key.first().copied().unwrap_or_default()), key);
}

impl BlockDb {
    /// Opens the database in a directory, or makes one where there is none. One of another chain is refused.
    pub fn open(path: impl AsRef<Path>, options: BlockOptions) -> Result<Self, Error> {
        let path = path.as_ref();
        let engine = engine::open(options.engine, path, options.cache_bytes)?;
        Self::on(engine, path, options)
    }

    /// A database on an engine.
    pub fn on(engine: Arc<dyn Engine>, path: &Path, options: BlockOptions) -> Result<Self, Error> {
        let before_state = if options.with_state { Durability::Process } else { Durability::Sync };
        let meta = match engine.get(Table::Index, record::META)? {
            Some(sealed) => {
                let bytes = open_bytes(record::META, &sealed).and_then(|bytes| Meta::decode(bytes).ok());
                let meta = bytes.ok_or_else(|| Error::damaged(path, "the record about the database is unreadable"))?;
                if meta.format != record::FORMAT {
                    return Err(Error::WrongFormat { path: path.to_owned(), expected: record::FORMAT, found: meta.format });
                }
                if meta.context != options.context {
                    return Err(Error::WrongContext { path: path.to_owned(), expected: options.context, found: meta.context });
                }
                meta
            }
            None => {
                let meta = Meta { format: record::FORMAT, context: options.context, ..Meta::default() };
                let mut batch = Batch::default();
                put(&mut batch, record::META.to_vec(), &meta);
                engine.write(batch, Durability::Sync)?;
                meta
            }
        };
        let inner = Inner { path: path.to_owned(), engine, before_state, meta: Mutex::new(meta), parts: Mutex::new(None) };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Makes everything written so far survive power loss.
    pub fn sync(&self) -> Result<(), Error> {
        self.inner.engine.sync()
    }

    fn fatal(&self, error: impl std::fmt::Display) -> Fatal {
        Fatal::new(format_args!("blocks in {}: {error}", self.inner.path.display()))
    }

    fn write(&self, batch: Batch, durability: Durability) -> Result<(), Fatal> {
        self.inner.engine.write(batch, durability).map_err(Fatal::new)
    }

    fn bytes(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Fatal> {
        let found = self.inner.engine.get(table(key.first().copied().unwrap_or_default()), key).map_err(Fatal::new)?;
        let opened = found.map(|sealed| open_bytes(key, &sealed).map(<[u8]>::to_vec).ok_or_else(|| self.damaged(key)));
        opened.transpose()
    }

    fn damaged(&self, key: &[u8]) -> Fatal {
        let key: String = key.iter().map(|b| format!("{b:02x}")).collect();
        self.fatal(format_args!("record {key} is damaged; remove the directory to fetch the blocks again"))
    }

    fn record<M: Message + Default>(&self, key: &[u8]) -> Result<Option<M>, Fatal> {
        let decoded = self.bytes(key)?.map(|bytes| M::decode(bytes.as_slice()).map_err(|_| self.damaged(key)));
        decoded.transpose()
    }

    fn validators_stored(&self, height: i64) -> Result<Option<(i64, ValidatorSet)>, Fatal> {
        let Some(record) = self.record::<ValidatorsRecord>(&at(kind::VALIDATORS, height))? else { return Ok(None) };
        let set = match record.set {
            Some(set) => Some(set),
            None => self.record::<ValidatorsRecord>(&at(kind::VALIDATORS, record.stored_at))?.and_then(|r| r.set),
        };
        let key = at(kind::VALIDATORS, record.stored_at);
        let set = ValidatorSet::from_message(set.ok_or_else(|| self.damaged(&key))?).map_err(|e| self.fatal(e))?;
        Ok(Some((record.stored_at, set)))
    }

    /// Adds the validators and parameters of coming heights to a write.
    fn put_coming(&self, batch: &mut Batch, state: &ChainState) {
        let height = state.next_height();
        put_validators(batch, height.saturating_add(1), state.last_height_validators_changed, &state.next_validators);
        let changed = state.last_height_consensus_params_changed;
        let params = (changed == height).then(|| state.consensus_params.clone());
        put(batch, at(kind::PARAMS, height), &ParamsRecord { stored_at: changed, params });
    }

    fn put_all_coming(&self, batch: &mut Batch, state: &ChainState) {
        let height = state.next_height();
        put_set(batch, height, &state.validators);
        put_set(batch, height.saturating_add(1), &state.next_validators);
        let params = Some(state.consensus_params.clone());
        put(batch, at(kind::PARAMS, height), &ParamsRecord { stored_at: height, params: params.clone() });
        let changed = state.last_height_consensus_params_changed;
        if changed != height {
            put(batch, at(kind::PARAMS, changed), &ParamsRecord { stored_at: changed, params });
        }
    }

    fn keep_block(
        &self,
        block: &CheckedBlock,
        encoded: Vec<u8>,
        cut: &CutRecord,
        seen_commit: &Commit,
        durability: Durability,
    ) -> Result<(), Fatal> {
        let header = block.header();
        let height = header.height;
        let mut meta = lock(&self.inner.meta).clone();
        if meta.height > 0 && height != meta.height.saturating_add(1) {
            return Err(self.fatal(format_args!("expected block {}, found block {height}", meta.height.saturating_add(1))));
        }
        meta.base = if meta.base == 0 { height } else { meta.base };
        meta.height = height;
        let mut batch = Batch::default();
        let size = i64::try_from(encoded.len()).unwrap_or(i64::MAX);
        put_bytes(&mut batch, at(kind::BLOCK, height), encoded);
        let num_txs = i64::try_from(block.txs().len()).unwrap_or(i64::MAX);
        let known = BlockMeta { block_id: block.id().clone(), block_size: size, header: header.clone(), num_txs };
        put_bytes(&mut batch, at(kind::BLOCK_META, height), [known.encode_to_vec(), cut.encode_to_vec()].concat());
        put(&mut batch, at(kind::COMMIT, height.saturating_sub(1)), block.last_commit());
        put(&mut batch, at(kind::SEEN_COMMIT, height), seen_commit);
        put_bytes(&mut batch, by_hash(kind::HEIGHT, &block.id().hash), height.to_be_bytes().to_vec());
        put(&mut batch, record::META.to_vec(), &meta);
        self.write(batch, durability)?;
        *lock(&self.inner.meta) = meta;
        Ok(())
    }

    fn part_set(&self, height: i64) -> Result<Option<Arc<PartSet>>, Fatal> {
        if let Some((at, parts)) = &*lock(&self.inner.parts)
            && *at == height
        {
            return Ok(Some(Arc::clone(parts)));
        }
        let Some(encoded) = self.block(height)? else { return Ok(None) };
        let key = at(kind::BLOCK_META, height);
        let cut: CutRecord = self.record(&key)?.unwrap_or_default();
        let parts = if cut.parts.is_empty() {
            PartSet::from_bytes(&encoded)
        } else {
            let header = self.block_meta(height)?.map(|meta| meta.block_id.part_set_header);
            header.and_then(|header| cut.cut(&encoded, &header)).ok_or_else(|| self.damaged(&key))?
        };
        let parts = Arc::new(parts);
        *lock(&self.inner.parts) = Some((height, Arc::clone(&parts)));
        Ok(Some(parts))
    }
}

fn put_set(batch: &mut Batch, height: i64, set: &ValidatorSet) {
    put(batch, at(kind::VALIDATORS, height), &ValidatorsRecord { stored_at: height, set: Some(set.to_message()) });
}

/// Source: tendermint `state/store.go`, `saveValidatorsInfo`.
fn put_validators(batch: &mut Batch, height: i64, changed: i64, set: &ValidatorSet) {
    let last = height.saturating_sub(height.rem_euclid(VALIDATORS_INTERVAL));
    if changed == height || last == height {
        put_set(batch, height, set);
    } else {
        put(batch, at(kind::VALIDATORS, height), &ValidatorsRecord { stored_at: changed.max(last), set: None });
    }
}

impl Store for BlockDb {
    fn chain_state(&self) -> Result<Option<ChainState>, Fatal> {
        let record = self.record::<StateRecord>(record::STATE)?;
        record.map(|record| record.into_state().map_err(|e| self.fatal(e))).transpose()
    }

    fn save_genesis(&mut self, state: &ChainState) -> Result<(), Fatal> {
        let mut batch = Batch::default();
        put(&mut batch, record::STATE.to_vec(), &StateRecord::of(state));
        self.put_all_coming(&mut batch, state);
        self.write(batch, Durability::Sync)
    }

    fn range(&self) -> (i64, i64) {
        let meta = lock(&self.inner.meta);
        (meta.base, meta.height)
    }

    /// Source: tendermint `store/store.go`, `SaveBlock`, which keeps the parts as they came.
    fn save_block(&mut self, block: &CheckedBlock, parts: &PartSet, seen_commit: &Commit) -> Result<(), Fatal> {
        let encoded = parts.bytes().ok_or_else(|| self.fatal("a block without all of its parts"))?;
        self.keep_block(block, encoded, &CutRecord::of(parts), seen_commit, Durability::Sync)
    }

    fn save_fetched(&mut self, block: &CheckedBlock, encoded: &[u8], seen_commit: &Commit) -> Result<(), Fatal> {
        self.keep_block(block, encoded.to_vec(), &CutRecord::default(), seen_commit, self.inner.before_state)
    }

    fn save_responses(&mut self, height: i64, responses: &AbciResponses) -> Result<(), Fatal> {
        // The state machine may keep its commit while the power takes this: without the answers it could not go on.
        let mut batch = Batch::default();
        put(&mut batch, at(kind::RESPONSES, height), responses);
        self.write(batch, self.inner.before_state)
    }

    fn save_applied(&mut self, state: &ChainState, committed: &[Evidence]) -> Result<(), Fatal> {
        let mut batch = Batch::default();
        put(&mut batch, record::STATE.to_vec(), &StateRecord::of(state));
        self.put_coming(&mut batch, state);
        for evidence in committed {
            let hash = evidence.hash();
            put_bytes(&mut batch, by_hash(kind::COMMITTED, &hash), state.last_block_height.to_be_bytes().to_vec());
            delete(&mut batch, record::pending(record::evidence_height(evidence), &hash));
            delete(&mut batch, by_hash(kind::PENDING_HEIGHT, &hash));
        }
        self.write(batch, Durability::Process)
    }

    fn bootstrap(&mut self, state: &ChainState, seen_commit: &Commit) -> Result<(), Fatal> {
        let height = state.last_block_height;
        let mut batch = Batch::default();
        put(&mut batch, record::STATE.to_vec(), &StateRecord::of(state));
        if !state.last_validators.validators().is_empty() {
            put_set(&mut batch, height, &state.last_validators);
        }
        self.put_all_coming(&mut batch, state);
        put(&mut batch, at(kind::SEEN_COMMIT, height), seen_commit);
        self.write(batch, Durability::Sync)
    }

    fn block(&self, height: i64) -> Result<Option<Vec<u8>>, Fatal> {
        self.bytes(&at(kind::BLOCK, height))
    }

    fn block_meta(&self, height: i64) -> Result<Option<BlockMeta>, Fatal> {
        self.record(&at(kind::BLOCK_META, height))
    }

    fn height_of(&self, hash: &[u8]) -> Result<Option<i64>, Fatal> {
        let key = by_hash(kind::HEIGHT, hash);
        let height = self.bytes(&key)?.map(|bytes| bytes.try_into().map(i64::from_be_bytes).map_err(|_| self.damaged(&key)));
        height.transpose()
    }

    fn part(&self, height: i64, index: u32) -> Result<Option<Part>, Fatal> {
        Ok(self.part_set(height)?.and_then(|parts| parts.part(index).map(|part| part.as_ref().clone())))
    }

    fn commit(&self, height: i64) -> Result<Option<Commit>, Fatal> {
        self.record(&at(kind::COMMIT, height))
    }

    fn seen_commit(&self, height: i64) -> Result<Option<Commit>, Fatal> {
        self.record(&at(kind::SEEN_COMMIT, height))
    }

    fn validators(&self, height: i64) -> Result<Option<ValidatorSet>, Fatal> {
        let Some((stored_at, set)) = self.validators_stored(height)? else { return Ok(None) };
        let times = u32::try_from(height.saturating_sub(stored_at)).unwrap_or_default();
        Ok(Some(if times == 0 { set } else { set.advanced(times) }))
    }

    fn params(&self, height: i64) -> Result<Option<ConsensusParams>, Fatal> {
        let Some(record) = self.record::<ParamsRecord>(&at(kind::PARAMS, height))? else { return Ok(None) };
        if record.params.is_some() {
            return Ok(record.params);
        }
        let key = at(kind::PARAMS, record.stored_at);
        let params = self.record::<ParamsRecord>(&key)?.and_then(|r| r.params);
        params.map(Some).ok_or_else(|| self.damaged(&key))
    }

    fn responses(&self, height: i64) -> Result<Option<AbciResponses>, Fatal> {
        self.record(&at(kind::RESPONSES, height))
    }

    fn prune(&mut self, retain_height: i64) -> Result<u64, Fatal> {
        let before = lock(&self.inner.meta).clone();
        if before.base == 0 || retain_height <= before.base {
            return Ok(0);
        }
        let retain = retain_height.min(before.height);
        let stored = |record: Option<i64>| record.filter(|at| *at < retain).unwrap_or_default();
        // A height that has a whole set may not be the one that later heights refer to: the first two heights both have one.
        let validators_at = |height| self.record::<ValidatorsRecord>(&at(kind::VALIDATORS, height));
        let kept_validators = match stored(validators_at(retain)?.map(|r| r.stored_at)) {
            0 => stored(validators_at(retain.saturating_add(1))?.map(|r| r.stored_at)),
            found => found,
        };
        let kept_params = stored(self.record::<ParamsRecord>(&at(kind::PARAMS, retain))?.map(|r| r.stored_at));
        let mut next = before.base;
        while next < retain {
            let end = retain.min(next.saturating_add(PRUNE_BATCH));
            let mut batch = Batch::default();
            for height in next..end {
                if let Some(meta) = self.block_meta(height)? {
                    delete(&mut batch, by_hash(kind::HEIGHT, &meta.block_id.hash));
                }
                for kind in [kind::BLOCK, kind::BLOCK_META, kind::SEEN_COMMIT, kind::RESPONSES] {
                    delete(&mut batch, at(kind, height));
                }
                delete(&mut batch, at(kind::COMMIT, height.saturating_sub(1)));
                if height != kept_validators {
                    delete(&mut batch, at(kind::VALIDATORS, height));
                }
                if height != kept_params {
                    delete(&mut batch, at(kind::PARAMS, height));
                }
            }
            let mut meta = lock(&self.inner.meta).clone();
            for (old, new, kind) in
                [(before.kept_validators, kept_validators, kind::VALIDATORS), (before.kept_params, kept_params, kind::PARAMS)]
            {
                if old != 0 && old != new {
                    delete(&mut batch, at(kind, old));
                }
            }
            meta.base = end;
            meta.kept_validators = kept_validators;
            meta.kept_params = kept_params;
            put(&mut batch, record::META.to_vec(), &meta);
            self.write(batch, Durability::Process)?;
            *lock(&self.inner.meta) = meta;
            next = end;
        }
        Ok(u64::try_from(retain.saturating_sub(before.base)).unwrap_or_default())
    }

    fn pending_evidence(&self) -> Result<Vec<Evidence>, Fatal> {
        let mut found = Vec::new();
        let mut wrong = None;
        let visited = self.inner.engine.scan(Table::Index, &[kind::PENDING], &mut |key, sealed| {
            match open_bytes(key, sealed).and_then(|bytes| Evidence::decode(bytes).ok()) {
                Some(evidence) => found.push(evidence),
                None => wrong = Some(key.to_vec()),
            }
            wrong.is_none()
        });
        visited.map_err(Fatal::new)?;
        match wrong {
            Some(key) => Err(self.damaged(&key)),
            None => Ok(found),
        }
    }

    fn add_evidence(&mut self, evidence: &Evidence) -> Result<(), Fatal> {
        let (height, hash) = (record::evidence_height(evidence), evidence.hash());
        let mut batch = Batch::default();
        put(&mut batch, record::pending(height, &hash), evidence);
        put_bytes(&mut batch, by_hash(kind::PENDING_HEIGHT, &hash), height.to_be_bytes().to_vec());
        self.write(batch, Durability::Process)
    }

    fn remove_evidence(&mut self, hashes: &[[u8; 32]]) -> Result<(), Fatal> {
        let mut batch = Batch::default();
        for hash in hashes {
            let key = by_hash(kind::PENDING_HEIGHT, hash);
            let height = self.bytes(&key)?.and_then(|bytes| bytes.try_into().ok()).map(i64::from_be_bytes);
            if let Some(height) = height {
                delete(&mut batch, record::pending(height, hash));
                delete(&mut batch, key);
            }
        }
        if batch.writes.is_empty() { Ok(()) } else { self.write(batch, Durability::Process) }
    }

    fn is_committed(&self, hash: &[u8; 32]) -> Result<bool, Fatal> {
        Ok(self.bytes(&by_hash(kind::COMMITTED, hash))?.is_some())
    }
}
