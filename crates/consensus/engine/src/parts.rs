//! Blocks in parts, as they travel between nodes.
//!
//! Source: tendermint `types/part_set.go`.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    bits::BitArray,
    error::{VerifyError, ensure},
    merkle,
    proto::{Part, PartSetHeader},
};

/// Bytes of a part of a block. Source: tendermint `types/params.go`, `BlockPartSizeBytes`.
pub const BLOCK_PART_SIZE: usize = 65_536;

/// The most parts of a block. Source: tendermint `types/params.go`, `MaxBlockPartsCount`.
pub const MAX_BLOCK_PARTS: u32 = 1601;

impl Part {
    /// Source: `Part.ValidateBasic`.
    pub fn check_basic(&self) -> Result<(), VerifyError> {
        ensure(self.bytes.len() <= BLOCK_PART_SIZE, "bytes", "up to 65536 bytes", self.bytes.len())?;
        self.proof.check_basic().map_err(|e| e.inside("proof"))
    }
}

/// The parts of a block, as far as they have come in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartSet {
    header: PartSetHeader,
    parts: BTreeMap<u32, Arc<Part>>,
    byte_size: usize,
}

impl PartSet {
    /// Cuts a block's encoding into parts. Source: `NewPartSetFromData`.
    pub fn from_bytes(block: &[u8]) -> Self {
        let chunks: Vec<&[u8]> = block.chunks(BLOCK_PART_SIZE).collect();
        let (root, proofs) = merkle::proofs(&chunks);
        let part = |((index, bytes), proof): ((u32, &&[u8]), _)| (index, Arc::new(Part { index, bytes: bytes.to_vec(), proof }));
        let parts: BTreeMap<_, _> = (0u32..).zip(&chunks).zip(proofs).map(part).collect();
        let total = u32::try_from(parts.len()).unwrap_or(u32::MAX);
        Self { header: PartSetHeader { total, hash: root.to_vec() }, parts, byte_size: block.len() }
    }

    /// A set that waits for its parts; refused if no block has so many. Source: `NewPartSetFromHeader`.
    pub fn from_header(header: &PartSetHeader) -> Result<Self, VerifyError> {
        let total = header.total;
        ensure((1..=MAX_BLOCK_PARTS).contains(&total), "part_set_header.total", format_args!("1 to {MAX_BLOCK_PARTS}"), total)?;
        Ok(Self { header: header.clone(), parts: BTreeMap::new(), byte_size: 0 })
    }

    /// What the parts have to prove to belong to.
    pub fn header(&self) -> &PartSetHeader {
        &self.header
    }

    /// Count of parts when all are here.
    pub fn total(&self) -> u32 {
        self.header.total
    }

    /// Bytes of the parts that are here.
    pub fn byte_size(&self) -> usize {
        self.byte_size
    }

    /// Which parts are here.
    pub fn bits(&self) -> BitArray {
        let ones = self.parts.keys().filter_map(|i| usize::try_from(*i).ok());
        BitArray::from_ones(usize::try_from(self.header.total).unwrap_or(usize::MAX), ones)
    }

    /// Whether all are here.
    pub fn is_complete(&self) -> bool {
        u32::try_from(self.parts.len()) == Ok(self.header.total)
    }

    /// A part, if it is here.
    pub fn part(&self, index: u32) -> Option<&Arc<Part>> {
        self.parts.get(&index)
    }

    /// Adds a part that proves to belong here; false if it was here before.
    ///
    /// Source: `PartSet.AddPart`. The proof may be that of another place and of another count: a proposer can name a block in
    /// odd parts, and who refused them would wait for ever where others decide.
    pub fn add(&mut self, part: Part) -> Result<bool, VerifyError> {
        ensure(part.index < self.header.total, "index", format_args!("below {}", self.header.total), part.index)?;
        if self.parts.contains_key(&part.index) {
            return Ok(false);
        }
        part.check_basic()?;
        part.proof.verify(&self.header.hash, &part.bytes).map_err(|e| e.inside("proof"))?;
        self.byte_size = self.byte_size.saturating_add(part.bytes.len());
        self.parts.insert(part.index, Arc::new(part));
        Ok(true)
    }

    /// Whether these are the parts that [`PartSet::from_bytes`] makes of the block; they may be others, see [`PartSet::add`].
    pub fn is_cut_as_usual(&self) -> bool {
        let last = self.header.total.saturating_sub(1);
        let usual = |(index, part): (&u32, &Arc<Part>)| {
            let length = part.bytes.len();
            let (of, place) = (part.proof.total, part.proof.index);
            let whole = length == BLOCK_PART_SIZE || (*index == last && length > 0);
            whole && of == i64::from(self.header.total) && place == i64::from(*index)
        };
        self.is_complete() && self.parts.iter().all(usual)
    }

    /// The block's encoding, once all parts are here.
    pub fn bytes(&self) -> Option<Vec<u8>> {
        if !self.is_complete() {
            return None;
        }
        let mut out = Vec::with_capacity(self.byte_size);
        for part in self.parts.values() {
            out.extend_from_slice(&part.bytes);
        }
        Some(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_comes_together_from_its_parts_in_any_order() {
        let block: Vec<u8> = (0..BLOCK_PART_SIZE * 3 + 7).map(|i| (i % 251) as u8).collect();
        let whole = PartSet::from_bytes(&block);
        assert_eq!(whole.total(), 4);
        assert_eq!(*whole.header(), crate::part_set_header(&block));
        let mut set = PartSet::from_header(whole.header()).unwrap();
        for index in [2, 0, 3, 1] {
            assert_eq!(set.bytes(), None);
            assert!(set.add(whole.part(index).unwrap().as_ref().clone()).unwrap());
            assert!(!set.add(whole.part(index).unwrap().as_ref().clone()).unwrap());
        }
        assert_eq!(set.bytes(), Some(block));
        assert_eq!(set, whole);
        assert!(set.bits().is_full());
    }

    #[test]
    fn parts_of_other_blocks_are_refused() {
        let whole = PartSet::from_bytes(&[1; BLOCK_PART_SIZE * 2]);
        let other = PartSet::from_bytes(&[2; BLOCK_PART_SIZE * 2]);
        let mut set = PartSet::from_header(whole.header()).unwrap();
        let part = whole.part(0).unwrap().as_ref().clone();
        assert!(set.add(other.part(0).unwrap().as_ref().clone()).is_err());
        assert!(set.add(Part { index: 2, ..part.clone() }).is_err());
        let mut long = part.clone();
        long.bytes.push(0);
        assert!(set.add(long).is_err());
        assert_eq!(set.byte_size(), 0);
    }

    /// One part is a whole block here, though its hash is the root over two; and a part stands in two places.
    #[test]
    fn odd_parts_of_a_proposer_are_taken_as_by_the_original() {
        let two = PartSet::from_bytes(&[1; BLOCK_PART_SIZE + 5]);
        let part = two.part(1).unwrap().as_ref();
        let mut short = PartSet::from_header(&PartSetHeader { total: 1, ..two.header().clone() }).unwrap();
        assert!(short.add(Part { index: 0, ..part.clone() }).unwrap());
        assert_eq!(short.bytes(), Some(vec![1; 5]));
        let mut twice = PartSet::from_header(two.header()).unwrap();
        for index in 0..2 {
            assert!(twice.add(Part { index, ..part.clone() }).unwrap());
        }
        assert_eq!(twice.bytes(), Some(vec![1; 10]));
    }

    #[test]
    fn no_memory_is_set_aside_for_impossible_counts() {
        for total in [0, MAX_BLOCK_PARTS + 1, u32::MAX] {
            assert!(PartSet::from_header(&PartSetHeader { total, hash: vec![0; 32] }).is_err());
        }
    }
}
