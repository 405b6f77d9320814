//! A deterministic generator of random bytes: HMAC_DRBG (NIST SP 800-90A, revision 1).
//!
//! Source: go/common/crypto/drbg/hmac_drbg.go. The scheduler and the beacon use it with SHA-512.

use hmac::{Hmac, Mac, digest::KeyInit};
use sha2::{Sha512, Sha512_256};

/// The most bytes of one request.
const MAX_REQUEST: usize = 1 << 16;
/// The most requests.
const RESEED_INTERVAL: u64 = 1 << 48;
/// The most bytes of each input.
const MAX_INPUT: u64 = u32::MAX as u64;

/// Why the generator gave nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Fewer bytes of entropy than half the hash's length.
    #[error("drbg: insufficient entropyInput")]
    InsufficientEntropy,
    /// An input above 2³² − 1 bytes.
    #[error("drbg: excessive input size")]
    ExcessiveInput,
    /// 2⁴⁸ requests were made.
    #[error("drbg: reseed required")]
    ReseedRequired,
}

/// The hash under the generator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hash {
    /// SHA-512, of 64 bytes: what the consensus layer draws with.
    Sha512,
    /// SHA-512/256, of 32 bytes.
    Sha512_256,
}

impl Hash {
    /// Bytes of the hash.
    fn length(self) -> usize {
        match self {
            Self::Sha512 => 64,
            Self::Sha512_256 => 32,
        }
    }

    fn mac(self, key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
        match self {
            Self::Sha512 => mac::<Hmac<Sha512>>(key, parts),
            Self::Sha512_256 => mac::<Hmac<Sha512_256>>(key, parts),
        }
    }
}

/// The generator's state.
#[derive(Clone)]
pub struct HmacDrbg {
    hash: Hash,
    key: Vec<u8>,
    value: Vec<u8>,
    requests: u64,
}

impl std::fmt::Debug for HmacDrbg {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HmacDrbg").field("requests", &self.requests).finish_non_exhaustive()
    }
}

impl HmacDrbg {
    /// A generator from entropy of at least half the hash's length.
    ///
    /// Source: go/common/crypto/drbg/hmac_drbg.go, `New`.
    pub fn new(hash: Hash, entropy: &[u8], nonce: &[u8], personalization: &[u8]) -> Result<Self, Error> {
        let length = hash.length();
        if entropy.len() < length.div_ceil(2) {
            return Err(Error::InsufficientEntropy);
        }
        if [entropy, nonce, personalization].iter().any(|input| input.len() as u64 > MAX_INPUT) {
            return Err(Error::ExcessiveInput);
        }
        let mut out = Self { hash, key: vec![0; length], value: vec![1; length], requests: 0 };
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
                self.value = self.hash.mac(&self.key, &[&self.value]);
                for (place, byte) in block.iter_mut().zip(&self.value) {
                    *place = *byte;
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
            self.key = self.hash.mac(&self.key, &parts);
            self.value = self.hash.mac(&self.key, &[&self.value]);
        }
    }
}

/// HMAC over the concatenation of parts.
fn mac<M: Mac + KeyInit>(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    // A key of any length is taken; the empty one is never used.
    let mut mac = <M as Mac>::new_from_slice(key).unwrap_or_else(|_| <M as Mac>::new(&Default::default()));
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().to_vec()
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
        assert_eq!(HmacDrbg::new(Hash::Sha512_256, &[0; 15], &[], &[]).err(), Some(Error::InsufficientEntropy));
        assert!(HmacDrbg::new(Hash::Sha512_256, &[0; 16], &[], &[]).is_ok());
    }

    #[test]
    fn empty_reads_leave_the_state() {
        let mut a = HmacDrbg::new(Hash::Sha512_256, &[7; 32], b"nonce", b"").unwrap();
        let mut b = a.clone();
        let (mut x, mut y) = ([0; 40], [0; 40]);
        a.read(&mut []).unwrap();
        a.read(&mut x).unwrap();
        b.read(&mut y).unwrap();
        assert_eq!(x, y);
    }
}
