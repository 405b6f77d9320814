//! Merkle trees, proofs and the parts of blocks.

use anyhow::{Result, ensure};
use oasis_consensus_engine::{
    merkle, part_set_header,
    parts::PartSet,
    proto::{Part, Proof},
};
use prost::Message;
use serde_json::Value;

use crate::case::{bytes, each, items, message, number, read, same_bytes, same_verdict};

fn list(value: &Value) -> Result<Vec<Vec<u8>>> {
    items(value)?.iter().map(|item| Ok(hex::decode(item.as_str().unwrap_or("?"))?)).collect()
}

fn proof(case: &Value) -> Result<Proof> {
    let (total, index) = (number(case, "total")?, number(case, "index")?);
    Ok(Proof { total, index, leaf_hash: bytes(case, "leaf_hash")?, aunts: list(&case["aunts"])? })
}

#[test]
fn roots_and_proofs_are_those_of_the_vectors() -> Result<()> {
    read("merkle", |file| {
        each(&file["trees"], 17, |tree| {
            let leaves = list(&tree["items"])?;
            same_bytes(tree, "root", merkle::root(&leaves))?;
            let (root, proofs) = merkle::proofs(&leaves);
            same_bytes(tree, "root", root)?;
            each(&tree["proofs"], leaves.len(), |case| {
                let ours = &proofs[usize::try_from(number(case, "index")?)?];
                ensure!(*ours == proof(case)? && *ours == message(case, "proto")?, "found {ours:?}");
                same_bytes(case, "proto", ours.encode_to_vec())?;
                Ok(ours.verify(&root, &leaves[usize::try_from(ours.index)?])?)
            })?;
            if !leaves.is_empty() {
                same_bytes(tree, "root_by_proofs", root)?;
            }
            Ok(())
        })?;
        Ok(())
    })
}

#[test]
fn changed_proofs_of_the_vectors_hold_where_they_do_for_the_original() -> Result<()> {
    read("merkle", |file| {
        let held = each(&file["changed_proofs"], 400, |case| {
            let proof = proof(&case["proof"])?;
            same_verdict(case, "valid_basic", &proof.check_basic())?;
            let outcome = proof.verify(&bytes(case, "root")?, &bytes(case, "leaf")?);
            same_verdict(case, "verify", &outcome)?;
            Ok(outcome.is_ok())
        })?;
        ensure!(held.iter().filter(|h| **h).count() == 43);
        Ok(())
    })
}

#[test]
fn parts_of_blocks_are_those_of_the_vectors() -> Result<()> {
    read("merkle", |file| {
        each(&file["part_sets"], 7, |case| {
            let length = u64::try_from(number(case, "len")?)?;
            let block: Vec<u8> = (0..length).map(|i| ((i * i) >> 3) as u8 ^ (i >> 9) as u8).collect();
            let set = PartSet::from_bytes(&block);
            ensure!(i64::from(set.total()) == number(case, "total")?);
            ensure!(*set.header() == part_set_header(&block));
            same_bytes(case, "hash", &set.header().hash)?;
            let mut again = PartSet::from_header(set.header())?;
            each(&case["parts"], usize::try_from(set.total())?, |case| {
                let part = Part::clone(set.part(number(case, "index")?.try_into()?).unwrap());
                ensure!(part.bytes.len() == usize::try_from(number(case, "len")?)? && part.proof == proof(&case["proof"])?);
                same_bytes(case, "proto_hash", merkle::sha256(&part.encode_to_vec()))?;
                ensure!(again.add(part)?);
                Ok(())
            })?;
            ensure!(again.bytes() == Some(block));
            Ok(())
        })?;
        Ok(())
    })
}

#[test]
fn parts_of_other_sizes_are_those_of_the_vectors() -> Result<()> {
    read("merkle", |file| {
        each(&file["small_part_sets"], 30, |case| {
            let (data, size) = (bytes(case, "data")?, usize::try_from(number(case, "part_size")?)?);
            let chunks: Vec<&[u8]> = data.chunks(size).collect();
            let (root, proofs) = merkle::proofs(&chunks);
            same_bytes(case, "hash", root)?;
            let part = |((index, bytes), proof): ((u32, &&[u8]), _)| Part { index, bytes: bytes.to_vec(), proof }.encode_to_vec();
            let parts: Vec<_> = (0..).zip(&chunks).zip(proofs).map(part).collect();
            ensure!(parts == list(&case["parts"])? && i64::try_from(parts.len())? == number(case, "total")?);
            Ok(())
        })?;
        Ok(())
    })
}
