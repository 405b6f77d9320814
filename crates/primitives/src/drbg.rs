//! A deterministic generator of random bytes: HMAC_DRBG with SHA-512/256 (NIST SP 800-90A, revision 1).
//!
//! Source: go/common/crypto/drbg/hmac_drbg.go. The only hash the consensus layer uses it with is SHA-512/256.

use hmac::{Hmac, Mac};
use sha2::Sha512_256;

/// The most bytes of one request.
const MAX_REQUEST: usize = 1 << 16;
/// The most requests.
const RESEED_INTERVAL: u64 = 1 << 48;
/// The fewest bytes of entropy: half the hash's length.
const MIN_ENTROPY: usize = 16;
/// The most bytes of each input.
const MAX_INPUT: u64 = u32::MAX as u64;

/// Why the generator gave nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Fewer than 16 bytes of entropy.
    #[error("drbg: insufficient entropyInput")]
    InsufficientEntropy,
    /// An input above 2³² − 1 bytes.
    #[error("drbg: excessive input size")]
    ExcessiveInput,
    /// 2⁴⁸ requests were made.
    #[error("drbg: reseed required")]
    ReseedRequired,
}

/// The generator's state.
#[derive(Clone)]
pub struct HmacDrbg {
    key: [u8; 32],
    value: [u8; 32],
    requests: u64,
}

impl std::fmt::Debug for HmacDrbg {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HmacDrbg").field("requests", &self.requests).finish_non_exhaustive()
    }
}

impl HmacDrbg {
    /// A generator from at least 16 bytes of entropy.
    ///
    /// Source: go/common/crypto/drbg/hmac_drbg.go, `New`.
    pub fn new(entropy: &[u8], nonce: &[u8], personalization: &[u8]) -> Result<Self, Error> {
        if entropy.len() < MIN_ENTROPY {
            return Err(Error::InsufficientEntropy);
        }
        if [entropy, nonce, personalization].iter().any(|input| input.len() as u64 > MAX_INPUT) {
            return Err(Error::ExcessiveInput);
        }
        let mut out = Self { key: [0; 32], value: [1; 32], requests: 0 };
        out.update(&[entropy, nonce, personalization]);
        Ok(out)
    }

    /// Fills `out` with the generator's next bytes; where it fails, with zeros.
    ///
    /// Source: go/common/crypto/drbg/hmac_drbg.go, `Read`. Bytes depend on how reads are cut: each read, and each 65,536
    /// bytes inside one, is a request. An empty read is none.
    pub fn read(&mut self, out: &mut [u8]) -> Result<(), Error> {
        for request in out.chunks_mut(MAX_REQUEST) {
            if self.requests >= RESEED_INTERVAL {
                out.fill(0);
                return Err(Error::ReseedRequired);
            }
            for block in request.chunks_mut(self.value.len()) {
                self.value = hmac_sha512_256(&self.key, &[&self.value]);
                for (place, byte) in block.iter_mut().zip(self.value) {
                    *place = byte;
                }
            }
            self.update(&[]);
            self.requests = self.requests.saturating_add(1);
        }
        Ok(())
    }

    /// Source: go/common/crypto/drbg/hmac_drbg.go, `update` (SP 800-90A, 10.1.2.2).
    fn update(&mut self, data: &[&[u8]]) {
        let provided = data.iter().any(|part| !part.is_empty());
        for round in 0..=u8::from(provided) {
            let round = [round];
            let parts: Vec<&[u8]> = [&self.value[..], &round].into_iter().chain(data.iter().copied()).collect();
            self.key = hmac_sha512_256(&self.key, &parts);
            self.value = hmac_sha512_256(&self.key, &[&self.value]);
        }
    }
}

/// HMAC with SHA-512/256 over the concatenation of parts.
pub fn hmac_sha512_256(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    // A key of any length is taken; the empty one is never used.
    let mut mac = <Hmac<Sha512_256> as Mac>::new_from_slice(key).unwrap_or_else(|_| <Hmac<Sha512_256> as Mac>::new(&Default::default()));
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_little_entropy_is_refused() {
        assert_eq!(HmacDrbg::new(&[0; 15], &[], &[]).err(), Some(Error::InsufficientEntropy));
        assert!(HmacDrbg::new(&[0; 16], &[], &[]).is_ok());
    }

    #[test]
    fn empty_reads_leave_the_state() {
        let mut a = HmacDrbg::new(&[7; 32], b"nonce", b"").unwrap();
        let mut b = a.clone();
        let (mut x, mut y) = ([0; 40], [0; 40]);
        a.read(&mut []).unwrap();
        a.read(&mut x).unwrap();
        b.read(&mut y).unwrap();
        assert_eq!(x, y);
    }
}
