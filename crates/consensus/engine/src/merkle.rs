//! The Merkle tree over byte strings.
//!
//! Source: tendermint `crypto/merkle/tree.go`, `crypto/merkle/hash.go` (after RFC 6962).

use sha2::{Digest, Sha256};

use crate::{
    error::{VerifyError, ensure, same_bytes},
    proto::Proof,
};

/// A SHA-256 hash.
pub type Sha256Hash = [u8; 32];

/// SHA-256 of some bytes. Source: tendermint `crypto/tmhash`, `Sum`.
pub fn sha256(bytes: &[u8]) -> Sha256Hash {
    Sha256::digest(bytes).into()
}

/// The root over leaves, in order.
///
/// Source: tendermint `crypto/merkle/tree.go`, `HashFromByteSlices`. The left half of a node is the largest power of
/// two of leaves that is less than all; joining neighbours level by level gives the same tree without recursion.
pub fn root<I>(leaves: I) -> Sha256Hash
where
    I: IntoIterator,
    I::Item: AsRef<[u8]>,
{
    let mut level: Vec<Sha256Hash> = leaves.into_iter().map(|leaf| leaf_hash(leaf.as_ref())).collect();
    if level.is_empty() {
        return sha256(&[]);
    }
    while level.len() > 1 {
        level = join(&level);
    }
    level.pop().unwrap_or_default()
}

/// The root over leaves, with a proof of each.
///
/// Source: tendermint `crypto/merkle/proof.go`, `ProofsFromByteSlices`.
pub fn proofs<T: AsRef<[u8]>>(leaves: &[T]) -> (Sha256Hash, Vec<Proof>) {
    let mut level: Vec<Sha256Hash> = leaves.iter().map(|leaf| leaf_hash(leaf.as_ref())).collect();
    let total = i64::try_from(level.len()).unwrap_or(i64::MAX);
    let proof = |(index, hash): (i64, &Sha256Hash)| Proof { total, index, leaf_hash: hash.to_vec(), aunts: Vec::new() };
    let mut proofs: Vec<Proof> = (0..total).zip(&level).map(proof).collect();
    if level.is_empty() {
        return (sha256(&[]), proofs);
    }
    // How many halvings of a leaf's place lead to its ancestor on the present level.
    let mut height = 0u32;
    while level.len() > 1 {
        for (place, proof) in proofs.iter_mut().enumerate() {
            let ancestor = place.checked_shr(height).unwrap_or(0);
            if let Some(sibling) = level.get(ancestor ^ 1) {
                proof.aunts.push(sibling.to_vec());
            }
        }
        level = join(&level);
        height = height.saturating_add(1);
    }
    (level.pop().unwrap_or_default(), proofs)
}

/// The most siblings in a proof. Source: tendermint `crypto/merkle/proof.go`, `MaxAunts`.
const MAX_AUNTS: usize = 100;

impl Proof {
    /// Source: tendermint `crypto/merkle/proof.go`, `Proof.ValidateBasic`.
    pub fn check_basic(&self) -> Result<(), VerifyError> {
        ensure(self.total >= 0, "total", "not negative", self.total)?;
        ensure(self.index >= 0, "index", "not negative", self.index)?;
        ensure(self.leaf_hash.len() == 32, "leaf_hash", "32 bytes", self.leaf_hash.len())?;
        ensure(self.aunts.len() <= MAX_AUNTS, "aunts", "up to 100", self.aunts.len())?;
        let wrong = self.aunts.iter().find(|a| a.len() != 32);
        ensure(wrong.is_none(), "aunts", "32 bytes each", wrong.map_or(0, Vec::len))
    }

    /// Checks that a leaf lies where the proof says, in the tree with this root.
    ///
    /// Source: tendermint `crypto/merkle/proof.go`, `Proof.Verify`, `computeHashFromAunts`.
    pub fn verify(&self, root: &[u8], leaf: &[u8]) -> Result<(), VerifyError> {
        self.check_basic()?;
        let mut hash = leaf_hash(leaf);
        same_bytes("leaf_hash", &hash, &self.leaf_hash)?;
        ensure(self.index < self.total, "index", format_args!("below {}", self.total), self.index)?;
        // On which side of each inner node the leaf lies, from the root down.
        let (mut index, mut total) = (self.index.cast_unsigned(), self.total.cast_unsigned());
        let mut sides = Vec::new();
        while total > 1 {
            let left = total.next_power_of_two() >> 1;
            let on_right = index >= left;
            sides.push(on_right);
            if on_right {
                index = index.saturating_sub(left);
                total = total.saturating_sub(left);
            } else {
                total = left;
            }
        }
        ensure(sides.len() == self.aunts.len(), "aunts", sides.len(), self.aunts.len())?;
        for (on_right, aunt) in sides.into_iter().rev().zip(&self.aunts) {
            let aunt: &Sha256Hash = aunt.as_slice().try_into().unwrap_or(&[0; 32]);
            hash = if on_right { inner_hash(aunt, &hash) } else { inner_hash(&hash, aunt) };
        }
        same_bytes("root", root, &hash)
    }
}

fn join(level: &[Sha256Hash]) -> Vec<Sha256Hash> {
    let node = |pair: &[Sha256Hash]| match pair {
        [left, right] => inner_hash(left, right),
        [last] => *last,
        _ => Default::default(),
    };
    level.chunks(2).map(node).collect()
}

fn leaf_hash(leaf: &[u8]) -> Sha256Hash {
    Sha256::new().chain_update([0]).chain_update(leaf).finalize().into()
}

fn inner_hash(left: &Sha256Hash, right: &Sha256Hash) -> Sha256Hash {
    Sha256::new().chain_update([1]).chain_update(left).chain_update(right).finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recursive(leaves: &[Vec<u8>]) -> Sha256Hash {
        match leaves {
            [] => sha256(&[]),
            [one] => leaf_hash(one),
            _ => {
                let k = leaves.len().next_power_of_two() / 2;
                inner_hash(&recursive(&leaves[..k]), &recursive(&leaves[k..]))
            }
        }
    }

    #[test]
    fn level_by_level_gives_the_tree_of_the_recursive_definition() {
        let leaves: Vec<Vec<u8>> = (0..70u8).map(|i| vec![i; 3]).collect();
        for n in 0..leaves.len() {
            assert_eq!(root(&leaves[..n]), recursive(&leaves[..n]), "{n} leaves");
        }
    }

    #[test]
    fn every_leaf_is_proven_and_nothing_else() {
        let leaves: Vec<Vec<u8>> = (0..40u8).map(|i| vec![i; 3]).collect();
        for n in 1..leaves.len() {
            let (root_hash, proofs) = proofs(&leaves[..n]);
            assert_eq!(root_hash, root(&leaves[..n]));
            for (i, proof) in proofs.iter().enumerate() {
                proof.verify(&root_hash, &leaves[i]).unwrap();
                assert!(proof.verify(&root_hash, b"other").is_err());
                assert!(proof.verify(&[0; 32], &leaves[i]).is_err());
                let mut other = proof.clone();
                other.aunts.push(vec![0; 32]);
                assert!(other.verify(&root_hash, &leaves[i]).is_err());
                let place = |index, total| Proof { index, total, ..proof.clone() };
                assert!(place(i as i64, -1).verify(&root_hash, &leaves[i]).is_err());
                assert!(place(n as i64, n as i64).verify(&root_hash, &leaves[i]).is_err());
                let _ = place(i64::MAX - 1, i64::MAX).verify(&root_hash, &leaves[i]).unwrap_err();
            }
        }
    }

    /// Values of RFC 6962 as they stand in tendermint `crypto/merkle/rfc6962_test.go`.
    #[test]
    fn hashes_are_those_of_rfc_6962_vectors() {
        let hex = |h: Sha256Hash| hex::encode(h);
        assert_eq!(hex(root([[]; 0])), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        assert_eq!(hex(leaf_hash(b"")), "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d");
        assert_eq!(hex(leaf_hash(b"L123456")), "395aa064aa4c29f7010acfe3f25db9485bbd4b91897b6ad7ad547639252b4d56");
        let node = Sha256::new().chain_update([1]).chain_update("N123").chain_update("N456").finalize();
        assert_eq!(hex(node.into()), "aa217fe888e47007fa15edab33c2b492a722cb106c64667fc2b044444de66bbb");
    }
}
