//! Nodes, the links between them, and their two encodings: the compact one of proofs, which is exact, and the stored
//! one, which is ours.

use std::{
    mem,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU32, Ordering},
    },
};

use oasis_primitives::hash::Hash;

use crate::{
    bits,
    small::{Key, Label},
    store::{NodeKey, Place},
};

/// Source: go/storage/mkvs/node/node.go, `PrefixLeafNode`.
const PREFIX_LEAF: u8 = 0x00;
/// Source: go/storage/mkvs/node/node.go, `PrefixInternalNode`.
const PREFIX_INTERNAL: u8 = 0x01;
/// Source: go/storage/mkvs/node/node.go, `PrefixNilNode`.
const PREFIX_NIL: u8 = 0x02;

/// Tags of links in stored nodes.
const LINK_EMPTY: u8 = 0;
const LINK_BY_HASH: u8 = 1;
const LINK_PLACED: u8 = 2;

/// A node, shared by all who have it.
#[derive(Clone, Debug)]
pub(crate) enum Node {
    Leaf(Arc<Leaf>),
    Internal(Arc<Internal>),
}

/// A node to be changed.
pub(crate) enum NodeMut<'a> {
    Leaf(&'a mut Leaf),
    Internal(&'a mut Internal),
}

/// A key and its value.
#[derive(Clone, Debug)]
pub(crate) struct Leaf {
    pub key: Key,
    pub value: Arc<[u8]>,
}

/// A node with up to two subtrees and perhaps a leaf for the key that ends here.
///
/// What is read on the way to a key stands together: the length of the label and the nodes behind the links.
#[derive(Clone, Debug, Default)]
#[repr(C)]
pub(crate) struct Internal {
    /// The bits on the way here from the parent, the branching bit first.
    pub label: Label,
    /// The leaf of the key that ends here, which is always kept with this node.
    pub leaf: Option<Box<Embedded>>,
    pub left: Link,
    /// How many bits the label has. Only the root's label may be empty.
    pub label_bits: u16,
    pub right: Link,
}

/// A leaf kept inside an internal node.
#[derive(Clone, Debug)]
pub(crate) struct Embedded {
    pub leaf: Leaf,
    /// None until it is needed.
    hash: OnceLock<Hash>,
}

/// How far a link's node has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum State {
    /// There is no node.
    #[default]
    Empty,
    /// The node is in memory only and its hash is not known.
    Dirty,
    /// The node is in memory only and its hash is known.
    Hashed,
    /// The node was part of a commit, has its final place, and may be dropped from memory if there is a store.
    Clean,
}

/// A link to a node, which may or may not be in memory.
#[derive(Debug, Default)]
#[repr(C)]
pub(crate) struct Link {
    node: OnceLock<Node>,
    /// The tree's generation when the node was last used.
    used: AtomicU32,
    state: State,
    /// Meaningful where the state is hashed or clean.
    hash: Hash,
    /// Meaningful where the state is clean.
    place: Place,
}

impl Default for Place {
    fn default() -> Self {
        Self::BY_HASH
    }
}

impl Clone for Link {
    fn clone(&self) -> Self {
        Self {
            hash: self.hash,
            place: self.place,
            state: self.state,
            used: AtomicU32::new(self.used.load(Ordering::Relaxed)),
            node: self.node.clone(),
        }
    }
}

impl Drop for Internal {
    /// Drops subtrees in a loop: a chain of nodes may be longer than the stack is deep.
    fn drop(&mut self) {
        let mut pending: Vec<Arc<Internal>> = Vec::new();
        take_children(self, &mut pending);
        while let Some(node) = pending.pop() {
            if let Some(mut inner) = Arc::into_inner(node) {
                take_children(&mut inner, &mut pending);
            }
        }
    }
}

fn take_children(node: &mut Internal, out: &mut Vec<Arc<Internal>>) {
    for link in [&mut node.left, &mut node.right] {
        if let Some(Node::Internal(child)) = link.node.take() {
            out.push(child);
        }
    }
}

impl Link {
    /// A link to a new node.
    pub fn new(node: Node) -> Self {
        Self { state: State::Dirty, node: OnceLock::from(node), ..Self::default() }
    }

    /// A link to a node of a store.
    pub fn stored(key: NodeKey) -> Self {
        if key.hash.is_empty() {
            return Self::default();
        }
        Self { hash: key.hash, place: key.place, state: State::Clean, ..Self::default() }
    }

    /// A link to a node that is known with its hash.
    pub fn verified(hash: Hash, node: Node) -> Self {
        Self { hash, place: Place::BY_HASH, state: State::Clean, node: OnceLock::from(node), used: AtomicU32::new(0) }
    }

    pub fn is_empty(&self) -> bool {
        self.state == State::Empty
    }

    pub fn state(&self) -> State {
        self.state
    }

    /// The node's name in the store, if it has one.
    pub fn key(&self) -> Option<NodeKey> {
        (self.state == State::Clean).then_some(NodeKey { place: self.place, hash: self.hash })
    }

    /// The hash, if it is known.
    pub fn hash(&self) -> Option<Hash> {
        match self.state {
            State::Empty => Some(Hash::EMPTY),
            State::Dirty => None,
            State::Hashed | State::Clean => Some(self.hash),
        }
    }

    /// The hash where it is known, as it is wherever the parent's is.
    fn hash_or_default(&self) -> Hash {
        self.hash().unwrap_or_default()
    }

    /// The node, if it is in memory.
    pub fn node(&self) -> Option<&Node> {
        self.node.get()
    }

    /// Puts a node that was read into memory; whether it was not there before.
    pub fn fill(&self, node: Node) -> bool {
        self.node.set(node).is_ok()
    }

    /// Notes that the node was used.
    pub fn touch(&self, generation: u32) {
        if self.used.load(Ordering::Relaxed) != generation {
            self.used.store(generation, Ordering::Relaxed);
        }
    }

    /// The generation in which the node was last used.
    pub fn used(&self) -> u32 {
        self.used.load(Ordering::Relaxed)
    }

    /// Drops the node from memory.
    pub fn unload(&mut self) -> Option<Node> {
        self.node.take()
    }

    /// The node for changes below it that do not change it.
    pub fn node_mut(&mut self) -> Option<NodeMut<'_>> {
        Some(match self.node.get_mut()? {
            Node::Leaf(leaf) => NodeMut::Leaf(Arc::make_mut(leaf)),
            Node::Internal(node) => NodeMut::Internal(Arc::make_mut(node)),
        })
    }

    /// The node, to be changed: its hash is forgotten and its name noted as obsolete.
    pub fn change(&mut self, removed: &mut Vec<NodeKey>) -> Option<NodeMut<'_>> {
        removed.extend(self.key());
        self.state = State::Dirty;
        self.node_mut()
    }

    /// Takes the link out of its place.
    pub fn take(&mut self) -> Self {
        mem::take(self)
    }

    /// The link for other changes than those of its node's contents.
    pub fn children_mut(&mut self) -> Option<(&mut Self, &mut Self)> {
        match self.node.get_mut()? {
            Node::Leaf(_) => None,
            Node::Internal(node) => {
                let Internal { left, right, .. } = Arc::make_mut(node);
                Some((left, right))
            }
        }
    }

    /// Sets the hash of a node that has changed.
    pub fn set_hashed(&mut self, hash: Hash) {
        self.hash = hash;
        self.state = State::Hashed;
    }

    /// Sets the place of a node that was committed.
    pub fn set_clean(&mut self, place: Place) {
        self.place = place;
        self.state = State::Clean;
    }
}

impl Leaf {
    pub fn new(key: &[u8], value: Arc<[u8]>) -> Self {
        Self { key: key.into(), value }
    }

    /// Source: go/storage/mkvs/node/node.go, `LeafNode.UpdateHash`.
    pub fn hash(&self) -> Hash {
        Hash::of_parts(&[&[PREFIX_LEAF], &length(&self.key), &self.key, &length(&self.value), &self.value])
    }

    /// What is hashed.
    fn write_preimage(&self, out: &mut Vec<u8>) {
        out.push(PREFIX_LEAF);
        out.extend_from_slice(&length(&self.key));
        out.extend_from_slice(&self.key);
        out.extend_from_slice(&length(&self.value));
        out.extend_from_slice(&self.value);
    }

    /// Source: go/storage/mkvs/node/node.go, `LeafNode.CompactMarshalBinary`.
    fn write(&self, out: &mut Vec<u8>) {
        out.push(PREFIX_LEAF);
        let [a, b, ..] = length(&self.key);
        out.extend_from_slice(&[a, b]);
        out.extend_from_slice(&self.key);
        out.extend_from_slice(&length(&self.value));
        out.extend_from_slice(&self.value);
    }

    fn written_len(&self) -> usize {
        self.key.len().saturating_add(self.value.len()).saturating_add(7)
    }

    /// Source: go/storage/mkvs/node/node.go, `LeafNode.SizedUnmarshalBinary`.
    fn read(r: &mut Reader<'_>) -> Option<Self> {
        if r.byte()? != PREFIX_LEAF {
            return None;
        }
        let key_len = u16::from_le_bytes(r.array()?);
        let key = r.take(key_len.into())?.into();
        let value_len = u32::from_le_bytes(r.array()?);
        let value = r.take(usize::try_from(value_len).ok()?)?.into();
        Some(Self { key, value })
    }

    pub fn size(&self) -> usize {
        self.key.len().saturating_add(self.value.len()).saturating_add(mem::size_of::<Self>())
    }
}

/// A length as four bytes, little-endian. Keys are checked and values far smaller.
fn length(bytes: &[u8]) -> [u8; 4] {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes()
}

impl Embedded {
    pub fn new(leaf: Leaf) -> Box<Self> {
        Box::new(Self { leaf, hash: OnceLock::new() })
    }

    pub fn hash(&self) -> Hash {
        *self.hash.get_or_init(|| self.leaf.hash())
    }
}

impl Internal {
    /// Source: go/storage/mkvs/node/node.go, `InternalNode.UpdateHash`.
    pub fn hash(&self) -> Hash {
        let leaf = self.leaf.as_ref().map_or(Hash::EMPTY, |l| l.hash());
        Hash::of_parts(&[
            &[PREFIX_INTERNAL],
            &self.label_bits.to_le_bytes(),
            &self.label,
            leaf.as_ref(),
            self.left.hash_or_default().as_ref(),
            self.right.hash_or_default().as_ref(),
        ])
    }

    /// What is hashed; it ends in the hashes of the children, where those that are not known are nothing yet.
    fn write_preimage(&self, out: &mut Vec<u8>) {
        out.push(PREFIX_INTERNAL);
        out.extend_from_slice(&self.label_bits.to_le_bytes());
        out.extend_from_slice(&self.label);
        let leaf = self.leaf.as_ref().map_or(Hash::EMPTY, |l| l.hash());
        for hash in [leaf, self.left.hash_or_default(), self.right.hash_or_default()] {
            out.extend_from_slice(hash.as_ref());
        }
    }

    /// The children's hashes, left and right.
    pub fn child_hashes(&self) -> [Hash; 2] {
        [self.left.hash_or_default(), self.right.hash_or_default()]
    }

    /// Source: go/storage/mkvs/node/node.go, `InternalNode.CompactMarshalBinary`.
    fn write(&self, out: &mut Vec<u8>) {
        out.push(PREFIX_INTERNAL);
        out.extend_from_slice(&self.label_bits.to_le_bytes());
        out.extend_from_slice(&self.label);
        match &self.leaf {
            Some(embedded) => embedded.leaf.write(out),
            None => out.push(PREFIX_NIL),
        }
    }

    /// Source: go/storage/mkvs/node/node.go, `InternalNode.SizedUnmarshalBinary`.
    fn read(r: &mut Reader<'_>) -> Option<Self> {
        if r.byte()? != PREFIX_INTERNAL {
            return None;
        }
        let label_bits = u16::from_le_bytes(r.array()?);
        let label = r.take(bits::bytes_for(label_bits.into()))?.into();
        let leaf = match r.peek()? {
            PREFIX_NIL => {
                r.byte()?;
                None
            }
            _ => Some(Embedded::new(Leaf::read(r)?)),
        };
        Some(Self { label, label_bits, leaf, left: Link::default(), right: Link::default() })
    }

    fn size(&self) -> usize {
        let embedded = self.leaf.as_ref().map_or(0, |l| l.leaf.size());
        self.label.len().saturating_add(embedded).saturating_add(mem::size_of::<Self>())
    }
}

impl Node {
    pub fn leaf(leaf: Leaf) -> Self {
        Self::Leaf(Arc::new(leaf))
    }

    pub fn internal(node: Internal) -> Self {
        Self::Internal(Arc::new(node))
    }

    /// The node's hash; those of the children have to be known.
    pub fn hash(&self) -> Hash {
        match self {
            Self::Leaf(leaf) => leaf.hash(),
            Self::Internal(node) => node.hash(),
        }
    }

    /// What is hashed, where hashes of children that are not known are nothing yet; they are the last 64 bytes.
    pub fn write_preimage(&self, out: &mut Vec<u8>) {
        match self {
            Self::Leaf(leaf) => leaf.write_preimage(out),
            Self::Internal(node) => node.write_preimage(out),
        }
    }

    /// About how much memory the node takes, in bytes, without its children.
    pub fn size(&self) -> usize {
        // The reference counts and the allocations' overhead.
        64usize.saturating_add(match self {
            Self::Leaf(leaf) => leaf.size(),
            Self::Internal(node) => node.size(),
        })
    }

    /// The encoding in proofs, which leaves the hashes of children out.
    ///
    /// Source: go/storage/mkvs/node/node.go, `CompactMarshalBinary`.
    pub fn compact(&self, out: &mut Vec<u8>) {
        match self {
            Self::Leaf(leaf) => leaf.write(out),
            Self::Internal(node) => node.write(out),
        }
    }

    /// The length of the encoding in proofs, in bytes.
    pub fn compact_len(&self) -> usize {
        match self {
            Self::Leaf(leaf) => leaf.written_len(),
            Self::Internal(node) => {
                node.leaf.as_ref().map_or(1, |e| e.leaf.written_len()).saturating_add(node.label.len()).saturating_add(3)
            }
        }
    }

    /// Reads a node of a proof. What follows the node is ignored, except for two hashes, which stand for the children
    /// until those are known, as in the original. An internal node is `Ok`, a leaf `Err`.
    ///
    /// Source: go/storage/mkvs/node/node.go, `UnmarshalBinary`.
    pub fn from_compact(bytes: &[u8]) -> Option<Result<Internal, Leaf>> {
        let mut r = Reader(bytes);
        match r.peek()? {
            PREFIX_LEAF => Leaf::read(&mut r).map(Err),
            _ => Internal::read(&mut r).map(Ok),
        }
    }

    /// The encoding in stores.
    pub fn to_stored(&self) -> Vec<u8> {
        self.to_stored_at(Place::BY_HASH)
    }

    /// Like [`Node::to_stored`]; children that are known by their hash only are at a place.
    pub fn to_stored_at(&self, by_hash: Place) -> Vec<u8> {
        let mut out = Vec::with_capacity(128);
        self.compact(&mut out);
        if let Self::Internal(node) = self {
            for link in [&node.left, &node.right] {
                let key = link.key().map(|key| if key.place == Place::BY_HASH { NodeKey { place: by_hash, ..key } } else { key });
                match key {
                    None => out.push(LINK_EMPTY),
                    Some(key) if key.place == Place::BY_HASH => {
                        out.push(LINK_BY_HASH);
                        out.extend_from_slice(key.hash.as_ref());
                    }
                    Some(key) => {
                        out.push(LINK_PLACED);
                        out.extend_from_slice(key.hash.as_ref());
                        out.extend_from_slice(&key.place.version.to_le_bytes());
                        out.extend_from_slice(&key.place.batch.to_le_bytes());
                        out.extend_from_slice(&key.place.index.to_le_bytes());
                    }
                }
            }
        }
        out
    }

    /// Reads a node of a store.
    pub fn from_stored(bytes: &[u8]) -> Option<Self> {
        let mut r = Reader(bytes);
        let node = match r.peek()? {
            PREFIX_LEAF => Self::leaf(Leaf::read(&mut r)?),
            _ => {
                let mut node = Internal::read(&mut r)?;
                node.left = read_link(&mut r)?;
                node.right = read_link(&mut r)?;
                Self::internal(node)
            }
        };
        r.0.is_empty().then_some(node)
    }

    pub fn as_internal(&self) -> Option<&Internal> {
        match self {
            Self::Internal(node) => Some(node),
            Self::Leaf(_) => None,
        }
    }
}

fn read_link(r: &mut Reader<'_>) -> Option<Link> {
    let place = match r.byte()? {
        LINK_EMPTY => return Some(Link::default()),
        LINK_BY_HASH => return Some(Link::stored(NodeKey { place: Place::BY_HASH, hash: Hash(r.array()?) })),
        LINK_PLACED => |r: &mut Reader<'_>| {
            Some(Place {
                version: u64::from_le_bytes(r.array()?),
                batch: u32::from_le_bytes(r.array()?),
                index: u32::from_le_bytes(r.array()?),
            })
        },
        _ => return None,
    };
    let hash = Hash(r.array()?);
    Some(Link::stored(NodeKey { hash, place: place(r)? }))
}

/// Takes bytes from the front.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (out, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(out)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    fn peek(&self) -> Option<u8> {
        self.0.first().copied()
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }
}
