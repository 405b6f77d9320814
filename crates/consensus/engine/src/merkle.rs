//! The Merkle tree over byte strings.
//!
//! Source: tendermint `crypto/merkle/tree.go`, `crypto/merkle/hash.go` (after RFC 6962).

use sha2::{Digest, Sha256};

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
        level = level
            .chunks(2)
            .map(|pair| match pair {
                [left, right] => inner_hash(left, right),
                [last] => *last,
                _ => Default::default(),
            })
            .collect();
    }
    level.pop().unwrap_or_default()
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
}
