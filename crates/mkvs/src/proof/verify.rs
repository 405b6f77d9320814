//! Checking proofs.

use oasis_primitives::hash::Hash;

use super::{ENTRY_FULL, ENTRY_HASH, Proof, ProofError};
use crate::{
    Root, Tree,
    node::{Internal, Link, Node},
    store::{NodeKey, Place},
};

/// Checks a proof for a root and gives a tree that has the nodes of the proof; looking further than the proof reaches
/// is [`crate::Error::NodeNotFound`].
///
/// The time and memory it takes grow with the size of the proof only.
///
/// Source: go/storage/mkvs/syncer/proof.go, `ProofVerifier.VerifyProof`.
pub fn verify(root: &Root, proof: &Proof) -> Result<Tree, ProofError> {
    Ok(Tree::new(*root, verify_link(root.hash, proof)?, None))
}

/// Checks a proof and gives its nodes as a link to the root.
pub(crate) fn verify_link(expected: Hash, proof: &Proof) -> Result<Link, ProofError> {
    if proof.untrusted_root != expected {
        return Err(ProofError::UnexpectedRoot { expected, got: proof.untrusted_root });
    }
    if proof.entries.is_empty() {
        return Err(ProofError::Empty);
    }
    let link = read(proof)?;
    let got = link.hash().unwrap_or_default();
    if got != expected {
        return Err(ProofError::BadRoot { expected, got });
    }
    Ok(link)
}

/// An internal node that waits for its children.
struct Waiting {
    node: Internal,
    has_left: bool,
}

/// Source: go/storage/mkvs/syncer/proof.go, `ProofVerifier.verifyProof`. Entries after the last needed are not looked at.
fn read(proof: &Proof) -> Result<Link, ProofError> {
    let mut waiting: Vec<Waiting> = Vec::new();
    let mut entries = proof.entries.iter();
    loop {
        let entry = entries.next().ok_or(ProofError::Malformed)?;
        let mut link = if entry.is_nil() {
            Link::default()
        } else {
            let (tag, body) = entry.split_first().ok_or(ProofError::Malformed)?;
            match *tag {
                ENTRY_FULL => match Node::from_compact(body).ok_or(ProofError::MalformedNode)? {
                    Ok(node) => {
                        waiting.push(Waiting { node, has_left: false });
                        continue;
                    }
                    Err(leaf) => Link::verified(leaf.hash(), Node::leaf(leaf)),
                },
                ENTRY_HASH => {
                    let hash = Hash::from_slice(body).ok_or(ProofError::MalformedHash)?;
                    Link::stored(NodeKey { place: Place::BY_HASH, hash })
                }
                other => return Err(ProofError::UnexpectedEntry(other)),
            }
        };
        // Hand the link to the node that waits for it; nodes that are then whole go on to theirs.
        loop {
            let Some(top) = waiting.last_mut() else { return Ok(link) };
            if !top.has_left {
                top.has_left = true;
                top.node.left = link;
                break;
            }
            top.node.right = link;
            let Some(Waiting { node, .. }) = waiting.pop() else { return Err(ProofError::Malformed) };
            link = Link::verified(node.hash(), Node::internal(node));
        }
    }
}
