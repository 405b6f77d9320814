//! Answering requests for proofs.

use oasis_primitives::hash::Hash;

use super::{
    GetPrefixesRequest, GetRequest, IterateRequest, Proof, ProofBuilder, ProofIter, ProofResponse, TreeId, full_entry, hash_entry,
};
use crate::{Error, MAX_KEY_LEN, Tree, bits, node::Node};

impl Tree {
    fn check_request(&self, tree: &TreeId, key: &[u8]) -> Result<(), Error> {
        if tree.root != *self.root() {
            return Err(Error::InvalidRoot);
        }
        if self.known_hash() != Some(self.root().hash) {
            return Err(Error::DirtyRoot);
        }
        if key.len() > MAX_KEY_LEN {
            return Err(Error::KeyTooLong(key.len()));
        }
        Ok(())
    }

    /// Proves the value of a key, or that there is none.
    ///
    /// Source: go/storage/mkvs/lookup.go, `tree.SyncGet`.
    pub fn sync_get(&self, request: &GetRequest) -> Result<ProofResponse, Error> {
        self.check_request(&request.tree, &request.key)?;
        if !request.include_siblings && request.tree.position == request.tree.root.hash {
            return Ok(ProofResponse { proof: self.prove_from_root(&request.key)? });
        }
        let builder = ProofBuilder::new(request.tree.root.hash, request.tree.position);
        Ok(ProofResponse { proof: self.prove(&request.key, request.include_siblings, builder)? })
    }

    /// The usual proof, of the path from the root to a key: its entries are written down in one walk.
    fn prove_from_root(&self, key: &[u8]) -> Result<Proof, Error> {
        let key_bits = bits::len(key);
        let mut entries = Vec::with_capacity(64);
        // The right siblings of nodes on the path come after it, the innermost first.
        let mut after: Vec<Hash> = Vec::with_capacity(32);
        let mut link = self.root_link();
        let mut depth = 0usize;
        loop {
            let Some(found) = self.resolve(link)? else {
                entries.push(Default::default());
                break;
            };
            entries.push(full_entry(found));
            let Node::Internal(node) = found else { break };
            depth = depth.saturating_add(node.label_bits.into());
            let [left, right] = node.child_hashes();
            if key_bits <= depth {
                entries.extend([hash_entry(&left), hash_entry(&right)]);
                break;
            }
            link = if bits::bit(key, depth) {
                entries.push(hash_entry(&left));
                &node.right
            } else {
                after.push(right);
                &node.left
            };
        }
        entries.extend(after.iter().rev().map(hash_entry));
        Ok(Proof { untrusted_root: self.root().hash, entries: entries.into() })
    }

    /// Source: go/storage/mkvs/lookup.go, `tree.doGet`.
    fn prove(&self, key: &[u8], siblings: bool, mut builder: ProofBuilder) -> Result<Proof, Error> {
        let key_bits = bits::len(key);
        let mut link = self.root_link();
        let mut depth = 0usize;
        while let Some(found) = self.resolve(link)? {
            builder.include(link, found);
            let Node::Internal(node) = found else { break };
            depth = depth.saturating_add(node.label_bits.into());
            if key_bits < depth {
                break;
            }
            let ends_here = key_bits == depth;
            let right = !ends_here && bits::bit(key, depth);
            if siblings {
                for (side, sibling) in [(false, &node.left), (true, &node.right)] {
                    if (ends_here || side != right)
                        && let Some(found) = self.resolve(sibling)?
                    {
                        builder.include(sibling, found);
                    }
                }
            }
            if ends_here {
                // The leaf is part of the internal node.
                break;
            }
            link = if right { &node.right } else { &node.left };
        }
        Ok(builder.build())
    }

    /// Proves the keys that start with some prefixes.
    ///
    /// Source: go/storage/mkvs/prefetch.go, `tree.SyncGetPrefixes`.
    pub fn sync_get_prefixes(&self, request: &GetPrefixesRequest) -> Result<ProofResponse, Error> {
        self.check_request(&request.tree, &[])?;
        let mut iter = ProofIter::new(self);
        let mut total = 0u16;
        'prefixes: for prefix in request.prefixes.iter() {
            if prefix.len() > MAX_KEY_LEN {
                return Err(Error::KeyTooLong(prefix.len()));
            }
            iter.seek(prefix)?;
            while let Some(key) = iter.key() {
                if total >= request.limit {
                    break 'prefixes;
                }
                if !key.starts_with(prefix) {
                    break;
                }
                iter.advance()?;
                total = total.saturating_add(1);
            }
        }
        Ok(ProofResponse { proof: iter.into_proof() })
    }

    /// Proves a key and those that follow it.
    ///
    /// Source: go/storage/mkvs/iterator.go, `tree.SyncIterate`.
    pub fn sync_iterate(&self, request: &IterateRequest) -> Result<ProofResponse, Error> {
        self.check_request(&request.tree, &request.key)?;
        let mut iter = ProofIter::new(self);
        iter.seek(&request.key)?;
        for _ in 0..request.prefetch {
            if iter.key().is_none() {
                break;
            }
            iter.advance()?;
        }
        Ok(ProofResponse { proof: iter.into_proof() })
    }
}
