//! Choices from a seed.

use oasis_primitives::{
    drbg::{Error, Hash, HmacDrbg},
    mathrand::MathRand,
    signature::MemorySigner,
};

/// Draws as the original does: Go's `math/rand` over its deterministic generator.
///
/// Source: go/oasis-node/cmd/debug/txsource/txsource.go, `doRun`; Go's `math/rand`.
#[derive(Clone, Debug)]
pub struct Random {
    numbers: MathRand,
    /// What is left of the number that bytes were last taken from, and how many bytes those are.
    rest: (u64, u8),
}

impl Random {
    /// The choices of a workload. A seed has at least 32 bytes.
    pub fn new(seed: &str, workload: &str) -> Result<Self, Error> {
        let personalization = format!("txsource workload generator v1, workload {workload}");
        let source = HmacDrbg::new(Hash::Sha512, seed.as_bytes(), &[], personalization.as_bytes())?;
        Ok(Self { numbers: MathRand::new(source)?, rest: (0, 0) })
    }

    /// Source: Go's `Rand.Int63`.
    fn int63(&mut self) -> Result<u64, Error> {
        Ok(self.numbers.u64()? & (u64::MAX >> 1))
    }

    /// A number below `n`, zero where `n` is. Source: Go's `Rand.Intn`, `Rand.Int31n`, `Rand.Int63n`.
    pub fn below(&mut self, n: u64) -> Result<u64, Error> {
        if n <= i32::MAX as u64 { self.draw(31, n) } else { self.below_63(n) }
    }

    /// A number below `n`, zero where `n` is, drawn from 63 bits. Source: Go's `Rand.Int63n`.
    pub fn below_63(&mut self, n: u64) -> Result<u64, Error> {
        self.draw(63, n)
    }

    fn draw(&mut self, bits: u32, n: u64) -> Result<u64, Error> {
        let bound = 1u64 << bits;
        if n == 0 || n >= bound {
            return Ok(0);
        }
        // The last numbers, which are too few for all remainders, do not count.
        let most = bound - 1 - if n.is_power_of_two() { 0 } else { bound % n };
        loop {
            let drawn = self.int63()? >> (63 - bits);
            if drawn <= most {
                return Ok(drawn % n);
            }
        }
    }

    /// A number from 0 to less than 1. Source: Go's `Rand.Float32`.
    pub fn part(&mut self) -> Result<f32, Error> {
        loop {
            let drawn = (self.below_63(1 << 53)? as f64 / (1u64 << 53) as f64) as f32;
            if drawn < 1.0 {
                return Ok(drawn);
            }
        }
    }

    /// An order of 0 to `n` − 1. Source: Go's `Rand.Perm`.
    pub fn order(&mut self, n: usize) -> Result<Vec<usize>, Error> {
        self.numbers.perm(u32::try_from(n).unwrap_or(u32::MAX))
    }

    /// One of some items.
    pub fn one<'a, T>(&mut self, items: &'a [T]) -> Result<Option<&'a T>, Error> {
        Ok(items.get(self.below(items.len() as u64)? as usize))
    }

    /// Fills with bytes; seven of each number. Source: Go's `Rand.Read`.
    pub fn fill(&mut self, out: &mut [u8]) -> Result<(), Error> {
        for place in out {
            if self.rest.1 == 0 {
                self.rest = (self.int63()?, 7);
            }
            *place = self.rest.0 as u8;
            self.rest = (self.rest.0 >> 8, self.rest.1 - 1);
        }
        Ok(())
    }

    /// A key. Source: go/common/crypto/signature/signers/memory/memory_signer.go, `Factory.Generate`.
    pub fn signer(&mut self) -> Result<MemorySigner, Error> {
        let mut seed = [0; 32];
        self.fill(&mut seed)?;
        Ok(MemorySigner::from_seed(&seed))
    }
}
