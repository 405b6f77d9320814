//! Chain files: every block of a recorded network.
//!
//! A gzip'd sequence of canonical CBOR items: a header, then one item a block.

use std::{
    fs::File,
    io::{BufRead, BufReader},
    path::Path,
};

use oasis_consensus_engine::proto::{self, Block, Timestamp};
use oasis_primitives::hash::Hash;

use crate::{
    error::{Place, Refused, ReplayError},
    gzip::StrictGzip,
    items::{Items, Mismatch},
};

/// Name of the format that is read.
const FORMAT: &str = "oasis-chain/1";

/// Longest byte strings, by field. A recorded network stays far below.
mod limits {
    const MIB: u64 = 1 << 20;
    pub const GENESIS: u64 = 256 * MIB;
    pub const BLOCK: u64 = 128 * MIB;
    pub const COMMIT: u64 = 16 * MIB;
    pub const RESULTS: u64 = 128 * MIB;
    pub const VALIDATORS: u64 = 16 * MIB;
    pub const KEY: u64 = 64 * 1024;
    pub const VALUE: u64 = 64 * MIB;
    /// All keys and values of a block's changes.
    pub const DIFF: usize = 256 << 20;
    pub const TEXT: u64 = 128;
}

/// The first item of a chain file.
#[derive(Clone, Debug)]
pub struct ChainHeader {
    /// The genesis document's hash in hexadecimal digits.
    pub chain_context: String,
    /// Height of the first block.
    pub initial_height: i64,
    /// Height of the last block.
    pub last_height: i64,
    /// The genesis document in canonical CBOR.
    pub genesis_doc: Vec<u8>,
}

/// A changed key and its new value; nothing where it was removed.
pub type Change = (Vec<u8>, Option<Vec<u8>>);

/// The item of a block, as it was read.
#[derive(Clone, Debug, Default)]
pub struct RecordedBlock {
    /// Its height.
    pub height: i64,
    /// Protobuf `tendermint.types.Block`.
    pub block: Vec<u8>,
    /// Protobuf `tendermint.types.Commit` of this block.
    pub seen_commit: Vec<u8>,
    /// Protobuf `tendermint.state.ABCIResponses`.
    pub results: Vec<u8>,
    /// Protobuf `tendermint.types.ValidatorSet`; nothing where it equals that of the block before.
    pub validators: Option<Vec<u8>>,
    /// Root of the application's state after the block.
    pub state_root: Hash,
    /// State keys that the block changed, sorted.
    pub diff: Vec<Change>,
    /// Hash over all items to this one.
    pub digest: Hash,
}

/// Reads a chain file block by block.
pub struct ChainReader<R> {
    items: Items<StrictGzip<R>>,
    header: ChainHeader,
    next: i64,
    first: Option<RecordedBlock>,
}

/// Opens a chain file.
pub fn open(path: &Path) -> Result<ChainReader<BufReader<File>>, ReplayError> {
    let file = File::open(path).map_err(|e| ReplayError::Other(format!("{}: {e}", path.display())))?;
    ChainReader::new(BufReader::with_capacity(1 << 16, file))
        .map_err(|refused| ReplayError::Refused { file: path.display().to_string(), refused: Box::new(refused) })
}

impl<R: BufRead> ChainReader<R> {
    /// Reads the header and checks it.
    pub fn new(input: R) -> Result<Self, Refused> {
        let gzip = StrictGzip::new(input).map_err(|e| Refused::new(Place::Header, "gzip", "a gzip file", e))?;
        let mut items = Items::new(gzip);
        let header = read_header(&mut items)?;
        let next = header.initial_height;
        Ok(Self { items, header, next, first: None })
    }

    /// The file's header.
    pub fn header(&self) -> &ChainHeader {
        &self.header
    }

    /// The time of the first block, before any block was taken; nothing where the block is none.
    pub fn first_time(&mut self) -> Result<Option<Timestamp>, Refused> {
        if self.first.is_none() && self.next == self.header.initial_height {
            self.first = self.next_block()?;
        }
        let block = self.first.as_ref().and_then(|b| proto::decode::<Block>(&b.block).ok());
        Ok(block.map(|b| b.header.time))
    }

    /// The next block; nothing after the last one, when the file ends there as it should.
    pub fn next_block(&mut self) -> Result<Option<RecordedBlock>, Refused> {
        if let Some(first) = self.first.take() {
            return Ok(Some(first));
        }
        let place = Place::Height(self.next.min(self.header.last_height));
        if self.next > self.header.last_height {
            let end = self.items.at_end().map_err(|(e, f)| Refused::new(place, "end of file", e, f))?;
            if !end {
                return Err(Refused::new(place, "end of file", "nothing after the last height", "more bytes"));
            }
            return Ok(None);
        }
        let block = read_block(&mut self.items, self.next)?;
        self.next = self.next.saturating_add(1);
        Ok(Some(block))
    }
}

/// Reads the keys of a map in their canonical order.
struct Fields<'a, R> {
    items: &'a mut Items<StrictGzip<R>>,
    place: Place,
    left: u64,
    pending: Option<String>,
}

impl<'a, R: BufRead> Fields<'a, R> {
    fn new(items: &'a mut Items<StrictGzip<R>>, place: Place) -> Result<Self, Refused> {
        let left = items.map().map_err(|(e, f)| Refused::new(place, "item", e, f))?;
        Ok(Self { items, place, left, pending: None })
    }

    /// Reads an optional field, if it comes next.
    fn optional<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&mut Items<StrictGzip<R>>) -> Result<T, Mismatch>,
    ) -> Result<Option<T>, Refused> {
        if self.pending.is_none() && self.left > 0 {
            self.left -= 1;
            let key = self.items.key().map_err(|(e, f)| Refused::new(self.place, name, format!("key {name}: {e}"), f))?;
            self.pending = Some(key);
        }
        if self.pending.as_deref() != Some(name) {
            return Ok(None);
        }
        self.pending = None;
        read(self.items).map(Some).map_err(|(e, f)| Refused::new(self.place, name, e, f))
    }

    /// Reads a field that must come next.
    fn required<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&mut Items<StrictGzip<R>>) -> Result<T, Mismatch>,
    ) -> Result<T, Refused> {
        match self.optional(name, read)? {
            Some(value) => Ok(value),
            None => {
                let found = self.pending.as_ref().map_or("no more keys".into(), |k| format!("key {k:?}"));
                Err(Refused::new(self.place, name, format!("key {name:?}"), found))
            }
        }
    }

    fn end(self) -> Result<(), Refused> {
        match self.pending {
            Some(key) => Err(Refused::new(self.place, key, "no such key", "the key")),
            None if self.left > 0 => Err(Refused::new(self.place, "item", "no more keys", self.left)),
            None => Ok(()),
        }
    }
}

fn read_header<R: BufRead>(items: &mut Items<StrictGzip<R>>) -> Result<ChainHeader, Refused> {
    let place = Place::Header;
    let mut fields = Fields::new(items, place)?;
    let format = fields.required("format", |r| r.text(limits::TEXT))?;
    if format != FORMAT {
        return Err(Refused::new(place, "format", FORMAT, format));
    }
    let genesis_doc = fields.required("genesis_doc", |r| r.bytes(limits::GENESIS))?;
    let last_height = fields.required("last_height", Items::height)?;
    let chain_context = fields.required("chain_context", |r| r.text(limits::TEXT))?;
    let initial_height = fields.required("initial_height", Items::height)?;
    fields.end()?;
    items.end_item();
    let hash = Hash::of(&genesis_doc).to_string();
    if hash != chain_context {
        return Err(Refused::new(place, "chain_context", format!("{hash}, the hash of genesis_doc"), chain_context));
    }
    if initial_height < 1 {
        return Err(Refused::new(place, "initial_height", "1 or more", initial_height));
    }
    if last_height < initial_height {
        return Err(Refused::new(place, "last_height", format!("{initial_height} or more"), last_height));
    }
    Ok(ChainHeader { chain_context, initial_height, last_height, genesis_doc })
}

fn read_block<R: BufRead>(items: &mut Items<StrictGzip<R>>, height: i64) -> Result<RecordedBlock, Refused> {
    let place = Place::Height(height);
    let mut fields = Fields::new(items, place)?;
    let diff = fields.required("diff", read_diff)?;
    let block = fields.required("block", |r| r.bytes(limits::BLOCK))?;
    let found = fields.required("height", Items::height)?;
    if found != height {
        return Err(Refused::new(place, "height", height, found));
    }
    let results = fields.required("results", |r| r.bytes(limits::RESULTS))?;
    let state_root = fields.required("state_root", |r| r.bytes(32))?;
    let state_root: [u8; 32] = state_root.try_into().map_err(|b: Vec<u8>| Refused::new(place, "state_root", "32 bytes", b.len()))?;
    let validators = fields.optional("validators", |r| r.bytes(limits::VALIDATORS))?;
    let seen_commit = fields.required("seen_commit", |r| r.bytes(limits::COMMIT))?;
    fields.end()?;
    let digest = items.end_item();
    let state_root = Hash(state_root);
    Ok(RecordedBlock { height, block, seen_commit, results, validators, state_root, diff, digest })
}

fn read_diff<R: BufRead>(items: &mut Items<StrictGzip<R>>) -> Result<Vec<Change>, Mismatch> {
    let count = items.array()?;
    let mut diff: Vec<Change> = Vec::new();
    let mut size = 0usize;
    for _ in 0..count {
        let length = items.array()?;
        if length != 2 {
            return Err(("a pair of key and value".into(), format!("an array of {length}")));
        }
        let key = items.bytes(limits::KEY)?;
        let value = items.bytes_or_null(limits::VALUE)?;
        if let Some((last, _)) = diff.last()
            && *last >= key
        {
            return Err((format!("a key after {}", hex::encode(last)), hex::encode(key)));
        }
        // Each entry takes some memory beside its bytes.
        size = size.saturating_add(64 + key.len() + value.as_ref().map_or(0, Vec::len));
        if size > limits::DIFF {
            return Err((format!("changes of at most {} bytes", limits::DIFF), "more".into()));
        }
        diff.push((key, value));
    }
    Ok(diff)
}
