//! The state on disk, with what a replay needs to go on from it.
//!
//! In the same write as a block's state stand the hash over the chain file to that block, the block's time and the
//! upgrades that are pending. A later run continues only from a file with the same bytes.

use std::{fs, path::Path, sync::Arc};

use oasis_consensus_abci::{Backend, Disk, DiskOptions, Network};
use oasis_consensus_app::{
    context::BlockTime,
    error::Result,
    executor::{MemoryVersions, VersionedTree},
    store::{Changes, StateTree},
};
use oasis_consensus_types::{genesis::Document, upgrade::PendingUpgrade};
use oasis_primitives::{cbor, hash::Hash, time::Timestamp};

/// Memory for what was read from the disk lately, and for the tree, bytes.
const CACHE_BYTES: u64 = 16 << 20;
const TREE_BYTES: usize = 48 << 20;

/// Directory of the node database in a data directory.
const DIRECTORY: &str = "state";
/// File with the chain context of the network.
const CONTEXT_FILE: &str = "chain_context";
/// The genesis document in CBOR, and the nanoseconds of its time.
const KEY_GENESIS: &[u8] = b"replay/genesis";
/// The pending upgrades in CBOR.
const KEY_UPGRADES: &[u8] = b"replay/upgrades";
/// What is known of a block: hash over the chain file, seconds and nanoseconds of its time; then the height, big endian.
const PREFIX_BLOCK: &[u8] = b"replay/block/";
/// Bytes of a block's record.
const BLOCK_RECORD: usize = 32 + 8 + 4;

/// A block's record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockRecord {
    /// Hash over the chain file to this block.
    pub digest: Hash,
    /// Time of the block.
    pub time: BlockTime,
}

impl BlockRecord {
    fn to_bytes(self) -> Vec<u8> {
        [self.digest.as_ref(), &self.time.seconds.to_be_bytes(), &self.time.nanos.to_be_bytes()].concat()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; BLOCK_RECORD] = bytes.try_into().ok()?;
        let (digest, time) = bytes.split_at(32);
        let (seconds, nanos) = time.split_at(8);
        let time = BlockTime { seconds: i64::from_be_bytes(seconds.try_into().ok()?), nanos: u32::from_be_bytes(nanos.try_into().ok()?) };
        Some(Self { digest: Hash::from_slice(digest)?, time })
    }
}

fn block_key(height: i64) -> Vec<u8> {
    [PREFIX_BLOCK, &height.to_be_bytes()].concat()
}

/// Versions of the state in a data directory.
pub struct Database {
    path: String,
    disk: Disk,
}

impl Database {
    /// Opens the state of a network, or makes an empty one. Errors name the directory.
    pub fn open(datadir: &Path, chain_context: &str) -> std::result::Result<Self, String> {
        let path = datadir.join(DIRECTORY);
        fs::create_dir_all(datadir).map_err(|e| format!("{}: {e}", datadir.display()))?;
        check_context(datadir, chain_context)?;
        let options = DiskOptions { cache_bytes: CACHE_BYTES, tree_bytes: TREE_BYTES, ..DiskOptions::new(chain_context) };
        let disk = Disk::open(&path, options).map_err(|e| e.to_string())?;
        Ok(Self { path: path.display().to_string(), disk })
    }

    /// Opens the state that is in a data directory, of whatever network.
    pub fn open_existing(datadir: &Path) -> std::result::Result<Self, String> {
        let path = datadir.join(CONTEXT_FILE);
        let context = fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        Self::open(datadir, context.trim_end())
    }

    /// The height of the newest state; none before the first block.
    pub fn height(&self) -> Option<i64> {
        self.disk.latest_version().and_then(|v| i64::try_from(v).ok())
    }

    /// The first height whose state is there.
    pub fn earliest(&self) -> Option<i64> {
        self.disk.earliest().and_then(|v| i64::try_from(v).ok())
    }

    /// The records of all blocks, from the first on.
    pub fn blocks(&self, first: i64) -> std::result::Result<Vec<BlockRecord>, String> {
        let mut out = Vec::new();
        let Some(last) = self.height() else { return Ok(out) };
        let mut expected = first;
        let mut wrong = None;
        let visited = self.disk.scan(PREFIX_BLOCK, &mut |key, value| match BlockRecord::from_bytes(value) {
            Some(record) if key == block_key(expected) => {
                out.push(record);
                expected += 1;
                true
            }
            _ => {
                wrong = Some(hex::encode(key));
                false
            }
        });
        visited.map_err(|e| e.to_string())?;
        if let Some(key) = wrong {
            return Err(format!("{}: record of block {expected}: found key {key} or a damaged value", self.path));
        }
        if expected != last + 1 {
            return Err(format!("{}: expected records of blocks to {last}, found them to {}", self.path, expected - 1));
        }
        Ok(out)
    }

    /// What is known of a block.
    pub fn block(&self, height: i64) -> std::result::Result<Option<BlockRecord>, String> {
        let value = self.app(&block_key(height))?;
        value.map(|v| BlockRecord::from_bytes(&v).ok_or_else(|| format!("{}: record of block {height} is damaged", self.path))).transpose()
    }

    /// The upgrades that were pending after the newest block; none before the first block.
    pub fn upgrades(&self) -> std::result::Result<Option<Vec<PendingUpgrade>>, String> {
        let value = self.app(KEY_UPGRADES)?;
        value.map(|v| cbor::from_slice(&v).map_err(|e| format!("{}: pending upgrades: {e}", self.path))).transpose()
    }

    /// The genesis document of the network; none before the first block.
    pub fn document(&self) -> std::result::Result<Option<Document>, String> {
        let Some(value) = self.app(KEY_GENESIS)? else { return Ok(None) };
        let damaged = || format!("{}: genesis document is damaged", self.path);
        let (nanos, bytes) = value.split_first_chunk::<4>().ok_or_else(damaged)?;
        let mut document: Document = cbor::from_slice_higher_limits(bytes).map_err(|_| damaged())?;
        document.time = Timestamp::from_unix(document.time.seconds(), u32::from_be_bytes(*nanos));
        Ok(Some(document))
    }

    fn app(&self, key: &[u8]) -> std::result::Result<Option<Vec<u8>>, String> {
        self.disk.value(key).map_err(|e| e.to_string())
    }
}

/// Notes whose data directory it is, or finds that it is another network's.
fn check_context(datadir: &Path, chain_context: &str) -> std::result::Result<(), String> {
    let path = datadir.join(CONTEXT_FILE);
    let err = |e: std::io::Error| format!("{}: {e}", path.display());
    match fs::read_to_string(&path) {
        Ok(found) if found.trim_end() == chain_context => Ok(()),
        Ok(found) => Err(format!("{}: chain context: expected {chain_context}, found {:?}", path.display(), found.trim_end())),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            // Renamed into place, so that a crash leaves all of it or nothing.
            let new = path.with_extension("new");
            fs::write(&new, format!("{chain_context}\n")).map_err(err)?;
            fs::rename(&new, &path).map_err(err)
        }
        Err(e) => Err(err(e)),
    }
}

/// Takes notes that are kept in the same write as the next version.
pub trait Notes {
    /// What to know of the block that is committed next.
    fn note_block(&mut self, network: &Network, height: i64, record: BlockRecord, upgrades: &[PendingUpgrade]);

    /// Makes what was written survive power loss.
    fn sync(&self) -> std::result::Result<(), String>;
}

impl Notes for Database {
    fn sync(&self) -> std::result::Result<(), String> {
        self.disk.sync().map_err(|e| e.to_string())
    }

    fn note_block(&mut self, network: &Network, height: i64, record: BlockRecord, upgrades: &[PendingUpgrade]) {
        self.disk.put(block_key(height), record.to_bytes());
        self.disk.put(KEY_UPGRADES.to_vec(), cbor::to_vec(&upgrades.to_vec()));
        if height == network.document.height {
            let nanos = network.document.time.nanos().to_be_bytes();
            let document = [&nanos[..], &cbor::to_vec(&network.document)].concat();
            self.disk.put(KEY_GENESIS.to_vec(), document);
        }
    }
}

impl Notes for MemoryVersions {
    fn note_block(&mut self, _: &Network, _: i64, _: BlockRecord, _: &[PendingUpgrade]) {}

    fn sync(&self) -> std::result::Result<(), String> {
        Ok(())
    }
}

impl VersionedTree for Database {
    fn snapshot(&self) -> Arc<dyn StateTree> {
        self.disk.snapshot()
    }

    fn at(&self, version: u64) -> Result<Option<Arc<dyn StateTree>>> {
        self.disk.at(version)
    }

    fn apply(&mut self, changes: Changes) -> Result<Changes> {
        self.disk.apply(changes)
    }

    fn root(&mut self) -> Result<Hash> {
        self.disk.root()
    }

    fn commit(&mut self, version: u64) -> Result<Hash> {
        self.disk.commit(version)
    }

    fn discard(&mut self) -> Result<()> {
        self.disk.discard()
    }

    fn latest(&self) -> Option<(u64, Hash)> {
        self.disk.latest()
    }
}
