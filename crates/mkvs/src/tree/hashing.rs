//! Hashing everything that changed, many nodes together.
//!
//! A first walk writes down what is hashed, and the nodes that do not depend on each other are then hashed side by
//! side, those furthest from the root first. The results are numbered as the walk met their nodes, parents first.

use oasis_primitives::hash::Hash;

use crate::{
    Error,
    lanes::{self, Backend, LANES},
    node::{Internal, Link, Node, State},
};

/// Stands for a child that did not change.
pub(super) const UNCHANGED: u32 = u32::MAX;

/// How many bytes wait to be hashed at most, apart from the last node's: about a thousand nodes, which the processor
/// keeps near.
const BUFFER: usize = 120 << 10;

/// The hashes of the nodes below a link that changed.
#[derive(Default)]
pub(super) struct Hashes {
    hashes: Vec<Hash>,
    children: Vec<[u32; 2]>,
}

impl Hashes {
    /// The hash of a node.
    pub fn hash(&self, number: u32) -> Hash {
        at(number).and_then(|i| self.hashes.get(i)).copied().unwrap_or_default()
    }

    /// The numbers of its children, left and right.
    pub fn children(&self, number: u32) -> [u32; 2] {
        at(number).and_then(|i| self.children.get(i)).copied().unwrap_or([UNCHANGED; 2])
    }

    /// How many nodes there are.
    pub fn len(&self) -> usize {
        self.hashes.len()
    }

    fn add(&mut self) -> Result<u32, Error> {
        let number = u32::try_from(self.hashes.len()).ok().filter(|n| *n != UNCHANGED).ok_or(Error::CommitTooLarge)?;
        self.hashes.push(Hash::default());
        self.children.push([UNCHANGED; 2]);
        Ok(number)
    }

    fn set(&mut self, number: u32, hash: Hash) {
        if let Some(place) = at(number).and_then(|i| self.hashes.get_mut(i)) {
            *place = hash;
        }
    }
}

fn at(number: u32) -> Option<usize> {
    usize::try_from(number).ok()
}

/// A message to be hashed.
#[derive(Clone, Copy)]
struct Message {
    number: u32,
    blocks: usize,
    start: usize,
    len: usize,
}

/// What waits to be hashed.
struct Queue {
    backend: Backend,
    buffer: Vec<u8>,
    /// The messages by how many changed nodes are below theirs at most, one under the other.
    levels: Vec<Vec<Message>>,
}

/// An internal node on the way down.
struct Frame<'a> {
    link: &'a Link,
    node: &'a Internal,
    number: u32,
    level: usize,
    next: Next,
}

enum Next {
    Left,
    Right,
    Nothing,
}

/// Computes the hashes of the nodes below `root` whose state `wanted` accepts. A link that is not wanted has no wanted
/// ones below it; what is dirty is wanted.
///
/// Source: go/storage/mkvs/commit.go, `doCommit`.
pub(super) fn hash_changed(root: &Link, wanted: impl Fn(State) -> bool) -> Result<Hashes, Error> {
    let mut out = Hashes::default();
    if !wanted(root.state()) {
        return Ok(out);
    }
    let mut queue = Queue { backend: Backend::best(), buffer: Vec::new(), levels: Vec::new() };
    let mut frames: Vec<Frame<'_>> = Vec::new();
    let mut link = root;
    'down: loop {
        let number = out.add()?;
        if let Some(parent) = frames.last()
            && let Some([left, right]) = at(parent.number).and_then(|i| out.children.get_mut(i))
        {
            *(if matches!(parent.next, Next::Right) { left } else { right }) = number;
        }
        let mut level = 0usize;
        match link.node() {
            Some(Node::Internal(node)) => frames.push(Frame { link, node, number, level: 0, next: Next::Left }),
            _ => queue.add(&mut out, link, number, 0),
        }
        // Up to the next node that has something left to visit.
        let leaf = !matches!(link.node(), Some(Node::Internal(_)));
        let mut finished = leaf;
        loop {
            let Some(frame) = frames.last_mut() else { break 'down };
            if finished {
                frame.level = frame.level.max(level.saturating_add(1));
            }
            match frame.next {
                Next::Left => {
                    frame.next = Next::Right;
                    if wanted(frame.node.left.state()) {
                        link = &frame.node.left;
                        continue 'down;
                    }
                    finished = false;
                }
                Next::Right => {
                    frame.next = Next::Nothing;
                    if wanted(frame.node.right.state()) {
                        link = &frame.node.right;
                        continue 'down;
                    }
                    finished = false;
                }
                Next::Nothing => {
                    level = frame.level;
                    queue.add(&mut out, frame.link, frame.number, level);
                    frames.pop();
                    finished = true;
                }
            }
        }
    }
    queue.finish(&mut out);
    Ok(out)
}

impl Queue {
    /// Adds a node whose changed children were added before.
    fn add(&mut self, out: &mut Hashes, link: &Link, number: u32, level: usize) {
        if let Some(hash) = link.hash() {
            out.set(number, hash);
            return;
        }
        let Some(node) = link.node() else { return };
        let start = self.buffer.len();
        node.write_preimage(&mut self.buffer);
        let len = self.buffer.len().saturating_sub(start);
        lanes::pad(&mut self.buffer, start);
        while self.levels.len() <= level {
            self.levels.push(Vec::new());
        }
        if let Some(messages) = self.levels.get_mut(level) {
            messages.push(Message { number, blocks: lanes::blocks_for(len), start, len });
        }
        if self.buffer.len() >= BUFFER {
            self.finish(out);
        }
    }

    /// Hashes all that waits.
    fn finish(&mut self, out: &mut Hashes) {
        for messages in &mut self.levels {
            messages.sort_by_key(|message| message.blocks);
            for together in messages.chunk_by(|a, b| a.blocks == b.blocks).flat_map(|same| same.chunks(LANES)) {
                let mut ready: [(&[u8], usize); LANES] = Default::default();
                for message in together {
                    fill_in(&mut self.buffer, out, message);
                }
                for (message, ready) in together.iter().zip(&mut ready) {
                    *ready = (padded(&self.buffer, message), message.len);
                }
                let hashes = self.backend.hash(ready.get(..together.len()).unwrap_or_default());
                for (message, hash) in together.iter().zip(hashes) {
                    out.set(message.number, hash);
                }
            }
            messages.clear();
        }
        self.buffer.clear();
    }
}

fn padded<'a>(buffer: &'a [u8], message: &Message) -> &'a [u8] {
    let end = message.start.saturating_add(message.blocks.saturating_mul(lanes::BLOCK));
    buffer.get(message.start..end).unwrap_or_default()
}

/// Puts the hashes of changed children where a message ends.
fn fill_in(buffer: &mut [u8], out: &Hashes, message: &Message) {
    let end = message.start.saturating_add(message.len);
    for (child, back) in out.children(message.number).into_iter().zip([64usize, 32]) {
        let start = end.saturating_sub(back);
        if child != UNCHANGED
            && let Some(place) = buffer.get_mut(start..).and_then(|rest| rest.first_chunk_mut::<32>())
        {
            *place = out.hash(child).0;
        }
    }
}
