//! The original's permutations: Go's `math/rand` over a deterministic generator.
//!
//! Committees, the order of equal stakes and the participants of the beacon depend on every draw.
//!
//! Source: go/common/crypto/mathrand/rand.go; Go's `math/rand`.

use crate::drbg::{Error, HmacDrbg};

/// Numbers fetched from the generator at once. Part of the protocol: the generator's bytes depend on how it is read.
const BUFFER: usize = 128;

/// Draws numbers from a generator.
#[derive(Clone, Debug)]
pub struct MathRand {
    source: HmacDrbg,
    buffer: Vec<u64>,
}

impl MathRand {
    /// Takes a generator; reads from it at once, as the original does.
    ///
    /// Source: go/common/crypto/mathrand/rand.go, `New`.
    pub fn new(source: HmacDrbg) -> Result<Self, Error> {
        let mut out = Self { source, buffer: Vec::new() };
        out.refill()?;
        Ok(out)
    }

    fn refill(&mut self) -> Result<(), Error> {
        let mut bytes = [0; BUFFER * 8];
        self.source.read(&mut bytes)?;
        let (numbers, _) = bytes.as_chunks();
        // Taken from the end.
        self.buffer = numbers.iter().rev().map(|bytes| u64::from_be_bytes(*bytes)).collect();
        Ok(())
    }

    /// A number of 64 bits.
    pub fn u64(&mut self) -> Result<u64, Error> {
        loop {
            match self.buffer.pop() {
                Some(number) => return Ok(number),
                None => self.refill()?,
            }
        }
    }

    /// The upper `bits` (at most 32) of the lower 63 bits of a number.
    fn upper(&mut self, bits: u32) -> Result<u32, Error> {
        let lower = self.u64()? & (u64::MAX >> 1);
        Ok(u32::try_from(lower >> 63_u32.saturating_sub(bits)).unwrap_or(u32::MAX))
    }

    /// A number below `n`, zero where `n` is; by the method of Go's `Rand.Int31n`.
    ///
    /// Source: Go's `math/rand`, `Int31n`, for `n` below 2³¹.
    fn below(&mut self, n: u32) -> Result<u32, Error> {
        if n.is_power_of_two() {
            return Ok(self.upper(31)? & n.wrapping_sub(1));
        }
        let bound: u32 = 1 << 31;
        let max = bound.wrapping_sub(1).wrapping_sub(bound.checked_rem(n).unwrap_or(0));
        loop {
            let drawn = self.upper(31)?;
            if drawn <= max {
                return Ok(drawn.checked_rem(n).unwrap_or(0));
            }
        }
    }

    /// A number below `n`, zero where `n` is; by the method of Go's `Rand.int31n`, which draws other numbers.
    ///
    /// Source: Go's `math/rand`, `int31n`.
    fn below_for_shuffle(&mut self, n: u32) -> Result<u32, Error> {
        let draw = |this: &mut Self| -> Result<u64, Error> { Ok(u64::from(this.upper(32)?).wrapping_mul(u64::from(n))) };
        let low = |product: u64| u32::try_from(product & u64::from(u32::MAX)).unwrap_or(0);
        let mut product = draw(self)?;
        if low(product) < n {
            let threshold = n.wrapping_neg().checked_rem(n).unwrap_or(0);
            while low(product) < threshold {
                product = draw(self)?;
            }
        }
        Ok(u32::try_from(product >> 32).unwrap_or(0))
    }

    /// A permutation of 0 to n − 1.
    ///
    /// Source: Go's `math/rand`, `Perm`.
    pub fn perm(&mut self, n: u32) -> Result<Vec<usize>, Error> {
        let mut out: Vec<usize> = Vec::new();
        for i in 0..n {
            let j = self.below(i.saturating_add(1))? as usize;
            out.push(i as usize);
            let last = out.len().saturating_sub(1);
            out.swap(j.min(last), last);
        }
        Ok(out)
    }

    /// Permutes items in place.
    ///
    /// Source: Go's `math/rand`, `Shuffle`, for fewer than 2³¹ items.
    pub fn shuffle<T>(&mut self, items: &mut [T]) -> Result<(), Error> {
        for i in (1..items.len()).rev() {
            let count = u32::try_from(i).unwrap_or(u32::MAX).saturating_add(1);
            let j = self.below_for_shuffle(count)? as usize;
            items.swap(i, j.min(i));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drbg::Hash;

    fn rng(nonce: &[u8]) -> MathRand {
        MathRand::new(HmacDrbg::new(Hash::Sha512, b"entropy of thirty-two bytes long", nonce, b"test").unwrap()).unwrap()
    }

    /// Recorded from Go's `math/rand` over the original's generator.
    #[test]
    fn permutations_are_those_of_go() {
        let mut rng = rng(b"a");
        assert_eq!(rng.perm(20).unwrap(), [9, 18, 2, 12, 19, 16, 15, 8, 11, 3, 6, 10, 0, 1, 5, 14, 13, 4, 7, 17]);
        let mut items: Vec<usize> = (0..20).collect();
        rng.shuffle(&mut items).unwrap();
        assert_eq!(items, [9, 6, 17, 4, 19, 15, 8, 18, 16, 14, 11, 2, 5, 0, 12, 13, 7, 3, 1, 10]);
    }

    #[test]
    fn permutations_are_those_of_go_past_the_buffer() {
        let mut rng = rng(b"b");
        let mut sum = 0_u64;
        let mut add = |items: &[usize]| items.iter().for_each(|i| sum = sum.wrapping_mul(31).wrapping_add(*i as u64));
        for n in 100..120 {
            add(&rng.perm(n).unwrap());
            let mut items: Vec<usize> = (0..n as usize).collect();
            rng.shuffle(&mut items).unwrap();
            add(&items);
        }
        assert_eq!((sum, rng.u64().unwrap()), (544_278_901_266_064_894, 16_063_577_463_916_262_975));
    }
}
