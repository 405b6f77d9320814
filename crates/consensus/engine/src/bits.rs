//! Sets of small numbers: which votes or parts somebody has.
//!
//! Source: tendermint `libs/bits/bit_array.go`, `proto/tendermint/libs/bits/types.proto`.

use prost::Message;

use crate::error::{VerifyError, ensure};

/// A bit array on the wire.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct BitArrayMessage {
    /// Count of bits.
    #[prost(int64, tag = "1")]
    pub bits: i64,
    /// 64 bits each, the lowest first.
    #[prost(uint64, repeated, tag = "2")]
    pub elems: Vec<u64>,
}

/// A fixed count of bits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BitArray {
    bits: usize,
    elems: Vec<u64>,
}

fn place(index: usize) -> (usize, u64) {
    (index / 64, 1u64.wrapping_shl(u32::try_from(index % 64).unwrap_or_default()))
}

#[allow(clippy::len_without_is_empty, reason = "empty could mean without bits, or without bits that are set")]
impl BitArray {
    /// All bits unset.
    pub fn new(bits: usize) -> Self {
        Self { bits, elems: vec![0; bits.div_ceil(64)] }
    }

    /// With these bits set; those past the end are left out.
    pub fn from_ones(bits: usize, ones: impl IntoIterator<Item = usize>) -> Self {
        let mut out = Self::new(bits);
        for i in ones {
            out.set(i, true);
        }
        out
    }

    /// Takes an array of a peer, with up to `max_bits` bits. Bits of the last element past the end are dropped.
    pub fn from_message(message: &BitArrayMessage, max_bits: usize) -> Result<Self, VerifyError> {
        let bits = usize::try_from(message.bits).ok().filter(|b| *b <= max_bits);
        let bits = bits.ok_or_else(|| VerifyError::new("bits", format_args!("0 to {max_bits}"), message.bits))?;
        let elems = bits.div_ceil(64);
        ensure(message.elems.len() == elems, "elems", elems, message.elems.len())?;
        let mut out = Self { bits, elems: message.elems.clone() };
        out.mask();
        Ok(out)
    }

    /// As it is written.
    pub fn to_message(&self) -> BitArrayMessage {
        BitArrayMessage { bits: i64::try_from(self.bits).unwrap_or(i64::MAX), elems: self.elems.clone() }
    }

    /// Count of bits, set or not.
    pub fn len(&self) -> usize {
        self.bits
    }

    /// Whether no bit is set.
    pub fn is_zero(&self) -> bool {
        self.elems.iter().all(|e| *e == 0)
    }

    /// Whether every bit is set; true without bits.
    pub fn is_full(&self) -> bool {
        self.count_ones() == self.bits
    }

    /// How many bits are set.
    pub fn count_ones(&self) -> usize {
        self.elems.iter().fold(0usize, |sum, e| sum.saturating_add(usize::try_from(e.count_ones()).unwrap_or_default()))
    }

    /// A bit; past the end all are unset.
    pub fn get(&self, index: usize) -> bool {
        let (elem, mask) = place(index);
        index < self.bits && self.elems.get(elem).is_some_and(|e| e & mask != 0)
    }

    /// Sets or clears a bit; false past the end.
    pub fn set(&mut self, index: usize, value: bool) -> bool {
        let (elem, mask) = place(index);
        if index >= self.bits {
            return false;
        }
        if let Some(e) = self.elems.get_mut(elem) {
            *e = if value { *e | mask } else { *e & !mask };
        }
        true
    }

    /// The places of the bits that are set, in order.
    pub fn ones(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.bits).filter(|i| self.get(*i))
    }

    /// One of the places that are set, chosen by a random number.
    pub fn pick(&self, random: u64) -> Option<usize> {
        let count = u64::try_from(self.count_ones()).unwrap_or(u64::MAX);
        let nth = random.checked_rem(count)?;
        self.ones().nth(usize::try_from(nth).ok()?)
    }

    /// The bits set in either; as long as the longer. Source: `BitArray.Or`.
    #[must_use]
    pub fn or(&self, other: &Self) -> Self {
        let mut out = Self::new(self.bits.max(other.bits));
        for (i, e) in out.elems.iter_mut().enumerate() {
            *e = self.elem(i) | other.elem(i);
        }
        out
    }

    /// The bits set in both; as long as the shorter. Source: `BitArray.And`.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        let mut out = Self::new(self.bits.min(other.bits));
        for (i, e) in out.elems.iter_mut().enumerate() {
            *e = self.elem(i) & other.elem(i);
        }
        out.mask();
        out
    }

    /// The bits set here but not there. Source: `BitArray.Sub`.
    #[must_use]
    pub fn sub(&self, other: &Self) -> Self {
        let mut out = self.clone();
        for (i, e) in out.elems.iter_mut().enumerate() {
            *e &= !other.elem(i);
        }
        out
    }

    /// The bits not set here. Source: `BitArray.Not`.
    #[must_use]
    pub fn not(&self) -> Self {
        let mut out = Self { bits: self.bits, elems: self.elems.iter().map(|e| !e).collect() };
        out.mask();
        out
    }

    fn elem(&self, i: usize) -> u64 {
        self.elems.get(i).copied().unwrap_or(0)
    }

    /// Clears what lies past the end.
    fn mask(&mut self) {
        let rest = u32::try_from(self.bits % 64).unwrap_or_default();
        if rest != 0
            && let Some(last) = self.elems.last_mut()
        {
            *last &= u64::MAX.wrapping_shl(rest) ^ u64::MAX;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_are_those_on_sets() {
        let a = BitArray::from_ones(70, [0, 3, 64, 69, 200]);
        let b = BitArray::from_ones(66, [3, 5, 64]);
        assert_eq!(a.ones().collect::<Vec<_>>(), [0, 3, 64, 69]);
        assert_eq!(a.or(&b).ones().collect::<Vec<_>>(), [0, 3, 5, 64, 69]);
        assert_eq!(a.and(&b).ones().collect::<Vec<_>>(), [3, 64]);
        assert_eq!(a.sub(&b).ones().collect::<Vec<_>>(), [0, 69]);
        assert_eq!(b.not().count_ones(), 63);
        assert!(a.or(&a.not()).is_full());
        assert!(a.and(&a.not()).is_zero());
        assert_eq!(a.pick(6), Some(64));
        assert_eq!(BitArray::new(5).pick(6), None);
    }

    #[test]
    fn arrays_of_peers_are_bounded_and_cut_to_length() {
        let message = |bits, elems: &[u64]| BitArrayMessage { bits, elems: elems.to_vec() };
        assert!(BitArray::from_message(&message(65, &[1, 1]), 64).is_err());
        assert!(BitArray::from_message(&message(-1, &[]), 64).is_err());
        assert!(BitArray::from_message(&message(3, &[1, 1]), 64).is_err());
        let cut = BitArray::from_message(&message(3, &[u64::MAX]), 64).unwrap();
        assert_eq!(cut.count_ones(), 3);
        assert_eq!(BitArray::from_message(&cut.to_message(), 64), Ok(cut));
    }
}
