//! Sets of small numbers on the wire.

use prost::Message;

use crate::error::{VerifyError, ensure};

/// Most votes of a set that a message may speak of. Source: tendermint `types/vote_set.go`, `MaxVotesCount`.
pub const MAX_VOTES: usize = 10_000;

/// A set of numbers below a size, one bit each. Source: tendermint `proto/tendermint/libs/bits/types.proto`.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Bits {
    /// Count of bits.
    #[prost(int64, tag = "1")]
    pub bits: i64,
    /// 64 bits each, the lowest first.
    #[prost(uint64, repeated, tag = "2")]
    pub elems: Vec<u64>,
}

impl Bits {
    /// Makes a set of `size` bits of those that are set; numbers beyond the size are left out.
    pub fn new(size: usize, set: impl IntoIterator<Item = usize>) -> Self {
        let mut bits = Self { bits: i64::try_from(size).unwrap_or(i64::MAX), elems: vec![0; size.div_ceil(64)] };
        for index in set.into_iter().filter(|i| *i < size) {
            if let Some(elem) = bits.elems.get_mut(index / 64) {
                *elem |= 1u64.wrapping_shl(u32::try_from(index % 64).unwrap_or_default());
            }
        }
        bits
    }

    /// Count of bits, set or not.
    pub fn len(&self) -> usize {
        usize::try_from(self.bits).unwrap_or_default()
    }

    /// Whether there are no bits, not even unset ones.
    pub fn is_empty(&self) -> bool {
        self.bits == 0
    }

    /// Whether a bit is set; false beyond the size.
    pub fn get(&self, index: usize) -> bool {
        let mask = 1u64.wrapping_shl(u32::try_from(index % 64).unwrap_or_default());
        index < self.len() && self.elems.get(index / 64).is_some_and(|elem| elem & mask != 0)
    }

    /// Checks the size, and that there are as many words as it wants.
    ///
    /// Source: tendermint `consensus/reactor.go`, the `ValidateBasic` of messages with bit arrays. The original takes any
    /// count of words; no honest node sends another than this.
    pub(crate) fn check(&self, field: &str, least: usize, most: usize) -> Result<(), VerifyError> {
        let size = usize::try_from(self.bits).ok().filter(|n| (least..=most).contains(n));
        let Some(size) = size else {
            return Err(VerifyError::new(field, format_args!("{least} to {most} bits"), self.bits));
        };
        ensure(self.elems.len() == size.div_ceil(64), field, format_args!("words for {size} bits"), self.elems.len())
    }
}
