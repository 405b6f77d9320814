//! The records of the index, and their keys. Each record carries a checksum, which covers its key.

use oasis_mkvs::{NodeKey, Place, Root, RootType};
use oasis_primitives::{
    cbor::{self, Cbor, Decode, Encode},
    hash::Hash,
    namespace::Namespace,
};

/// The version of the format in which this program writes.
pub(crate) const FORMAT: u32 = 1;

/// Length of a checksum in bytes.
const CHECKSUM: usize = 8;

/// The key of the record about the database.
pub(crate) const META: &[u8] = b"m";

/// The record about the database.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor)]
pub(crate) struct Meta {
    pub format: u32,
    pub context: String,
    pub namespace: Namespace,
    pub earliest: Option<u64>,
    pub latest: Option<u64>,
    /// The version that is being restored.
    pub multipart: Option<u64>,
}

/// The record about a root.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor)]
pub(crate) struct RootRecord {
    /// Where the root node is.
    pub version: u64,
    pub batch: u32,
    pub index: u32,
    /// The batch of the commit that made the root.
    pub commit_batch: u32,
    /// The root it was made from; none for one made from an empty tree.
    pub base: Option<Root>,
    pub finalized: bool,
}

impl RootRecord {
    pub fn place(&self) -> Place {
        Place { version: self.version, batch: self.batch, index: self.index }
    }
}

/// Adds a checksum.
pub(crate) fn seal<T: Encode>(key: &[u8], record: &T) -> Vec<u8> {
    seal_bytes(key, cbor::to_vec(record))
}

/// Adds a checksum.
pub(crate) fn seal_bytes(key: &[u8], mut bytes: Vec<u8>) -> Vec<u8> {
    let sum = checksum(key, &bytes);
    bytes.extend_from_slice(&sum);
    bytes
}

/// Checks and takes off the checksum.
pub(crate) fn open_bytes<'a>(key: &[u8], sealed: &'a [u8]) -> Option<&'a [u8]> {
    let (bytes, sum) = sealed.split_at_checked(sealed.len().checked_sub(CHECKSUM)?)?;
    (*sum == checksum(key, bytes)).then_some(bytes)
}

/// Checks and reads a record.
pub(crate) fn open<T: Decode>(key: &[u8], sealed: &[u8]) -> Option<T> {
    cbor::from_slice_trusted(open_bytes(key, sealed)?).ok()
}

fn checksum(key: &[u8], bytes: &[u8]) -> [u8; CHECKSUM] {
    let Hash([a, b, c, d, e, f, g, h, ..]) = Hash::of_parts(&[&(key.len() as u64).to_le_bytes(), key, bytes]);
    [a, b, c, d, e, f, g, h]
}

/// The key of a node. By place, so that a commit's nodes follow one another; those kept under their hash come after all
/// others of the version.
pub(crate) fn node_key(key: &NodeKey) -> Vec<u8> {
    let mut out = node_prefix(key.place.version, key.place.batch);
    out.extend_from_slice(&key.place.index.to_be_bytes());
    if key.place.is_by_hash() {
        out.extend_from_slice(key.hash.as_ref());
    }
    out
}

/// What the keys of a batch's nodes start with.
pub(crate) fn node_prefix(version: u64, batch: u32) -> Vec<u8> {
    let mut out = Vec::with_capacity(16);
    out.extend_from_slice(&version.to_be_bytes());
    out.extend_from_slice(&batch.to_be_bytes());
    out
}

fn version_key(kind: u8, version: u64) -> Vec<u8> {
    let mut out = vec![kind];
    out.extend_from_slice(&version.to_be_bytes());
    out
}

fn root_like_key(kind: u8, root: &Root) -> Vec<u8> {
    let mut out = version_key(kind, root.version);
    out.push(root.root_type.0);
    out.extend_from_slice(root.hash.as_ref());
    out
}

/// What the keys of a version's roots start with.
pub(crate) fn roots_prefix(version: u64) -> Vec<u8> {
    version_key(b'r', version)
}

/// The key of a root's record.
pub(crate) fn root_key(root: &Root) -> Vec<u8> {
    root_like_key(b'r', root)
}

/// The root whose record has this key.
pub(crate) fn root_of_key(namespace: Namespace, key: &[u8]) -> Option<Root> {
    let (_, rest) = key.split_first()?;
    let (version, rest) = rest.split_first_chunk::<8>()?;
    let (root_type, hash) = rest.split_first()?;
    let hash = Hash::from_slice(hash)?;
    Some(Root { namespace, version: u64::from_be_bytes(*version), root_type: RootType(*root_type), hash })
}

/// The key of the list of nodes that a root made obsolete.
pub(crate) fn obsolete_key(root: &Root) -> Vec<u8> {
    root_like_key(b'o', root)
}

/// The key of a root's write log.
pub(crate) fn write_log_key(root: &Root) -> Vec<u8> {
    root_like_key(b'w', root)
}

/// A list of nodes as bytes.
pub(crate) fn nodes_to_bytes<'a>(nodes: impl Iterator<Item = &'a NodeKey>) -> Vec<u8> {
    let mut out = Vec::new();
    for node in nodes {
        let key = node_key(node);
        // Keys have 16 or 48 bytes.
        out.push(u8::try_from(key.len()).unwrap_or(0));
        out.extend_from_slice(&key);
    }
    out
}

/// The keys of a list of nodes.
pub(crate) fn nodes_from_bytes(mut bytes: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut out = Vec::new();
    while let Some((len, rest)) = bytes.split_first() {
        let (key, rest) = rest.split_at_checked(usize::from(*len))?;
        out.push(key.to_vec());
        bytes = rest;
    }
    Some(out)
}

/// The version in a node's key.
pub(crate) fn node_version(key: &[u8]) -> Option<u64> {
    key.first_chunk::<8>().map(|v| u64::from_be_bytes(*v))
}
