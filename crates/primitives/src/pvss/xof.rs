//! The extendable-output function BLAKE2Xb, of unknown output length, as kyber seeds it.

const IV: [u64; 8] = [
    0x6a09_e667_f3bc_c908,
    0xbb67_ae85_84ca_a73b,
    0x3c6e_f372_fe94_f82b,
    0xa54f_f53a_5f1d_36f1,
    0x510e_527f_ade6_82d1,
    0x9b05_688c_2b3e_6c1f,
    0x1f83_d9ab_fb41_bd6b,
    0x5be0_cd19_137e_2179,
];

const SIGMA: [[u8; 16]; 10] = [
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
    [14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3],
    [11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4],
    [7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8],
    [9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13],
    [2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9],
    [12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11],
    [13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10],
    [6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5],
    [10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0],
];

/// Which words each of the eight half-steps of a round mixes: four columns, then four diagonals.
const MIXED: [[usize; 4]; 8] =
    [[0, 4, 8, 12], [1, 5, 9, 13], [2, 6, 10, 14], [3, 7, 11, 15], [0, 5, 10, 15], [1, 6, 11, 12], [2, 7, 8, 13], [3, 4, 9, 14]];

const BLOCK: usize = 128;
/// Bytes of a BLAKE2b digest.
const DIGEST: usize = 64;

/// The 64-byte parameter block of BLAKE2Xb (RFC 7693, section 2.5, with the output length of BLAKE2X).
struct Parameters {
    key_length: u8,
    fanout: u8,
    depth: u8,
    leaf_length: u32,
    node_offset: u32,
    inner_length: u8,
}

impl Parameters {
    fn words(&self) -> [u64; 8] {
        let low = u64::from_le_bytes([64, self.key_length, self.fanout, self.depth, 0, 0, 0, 0]) | u64::from(self.leaf_length) << 32;
        // All ones stand for an output length that is not known beforehand.
        let second = u64::from(self.node_offset) | 0xffff_ffff << 32;
        [low, second, u64::from(self.inner_length) << 8, 0, 0, 0, 0, 0]
    }
}

fn compress(state: &mut [u64; 8], block: &[u8; BLOCK], count: u128, last: bool) {
    let mut message = [0u64; 16];
    for (word, chunk) in message.iter_mut().zip(block.as_chunks::<8>().0) {
        *word = u64::from_le_bytes(*chunk);
    }
    let mut v = [0u64; 16];
    let start = state.iter().chain(&IV);
    v.iter_mut().zip(start).for_each(|(v, s)| *v = *s);
    let finish = if last { u64::MAX } else { 0 };
    // The counter's two words and the last-block flag (RFC 7693, section 3.2).
    let masks = [(12, count as u64), (13, (count >> 64) as u64), (14, finish)];
    for (index, mask) in masks {
        if let Some(word) = v.get_mut(index) {
            *word ^= mask;
        }
    }
    let word = |index: u8| message.get(usize::from(index)).copied().unwrap_or_default();
    for schedule in SIGMA.iter().chain(SIGMA.iter().take(2)) {
        for (indices, pair) in MIXED.iter().zip(schedule.as_chunks::<2>().0) {
            let Ok([a, b, c, d]) = v.get_disjoint_mut(*indices) else { continue };
            let [x, y] = pair.map(word);
            *a = a.wrapping_add(*b).wrapping_add(x);
            *d = (*d ^ *a).rotate_right(32);
            *c = c.wrapping_add(*d);
            *b = (*b ^ *c).rotate_right(24);
            *a = a.wrapping_add(*b).wrapping_add(y);
            *d = (*d ^ *a).rotate_right(16);
            *c = c.wrapping_add(*d);
            *b = (*b ^ *c).rotate_right(63);
        }
    }
    let (low, high) = v.split_at(8);
    for ((s, l), h) in state.iter_mut().zip(low).zip(high) {
        *s ^= l ^ h;
    }
}

fn blake2b(parameters: &Parameters, key: &[u8], input: &[u8]) -> [u8; DIGEST] {
    let mut state = IV;
    state.iter_mut().zip(parameters.words()).for_each(|(s, p)| *s ^= p);
    let mut data = Vec::new();
    if !key.is_empty() {
        data.extend_from_slice(key);
        data.resize(BLOCK, 0);
    }
    data.extend_from_slice(input);
    let mut count = 0u128;
    // The last block, even an empty or full one, is compressed with the flag set.
    let mut rest = data.as_slice();
    while rest.len() > BLOCK {
        let Some((block, after)) = rest.split_first_chunk::<BLOCK>() else { break };
        count = count.wrapping_add(BLOCK as u128);
        compress(&mut state, block, count, false);
        rest = after;
    }
    let mut block = [0; BLOCK];
    block.iter_mut().zip(rest).for_each(|(b, r)| *b = *r);
    compress(&mut state, &block, count.wrapping_add(rest.len() as u128), true);
    let mut out = [0; DIGEST];
    for (chunk, word) in out.as_chunks_mut::<8>().0.iter_mut().zip(state) {
        *chunk = word.to_le_bytes();
    }
    out
}

/// An endless stream of bytes drawn from a seed.
///
/// Source: go.dedis.ch/kyber/v3/xof/blake2xb, `New`.
#[derive(Clone, Debug)]
pub struct Xof {
    root: [u8; DIGEST],
    block: [u8; DIGEST],
    /// How much of `block` was given out.
    used: usize,
    node: u32,
}

impl Xof {
    /// Starts the stream of a seed. Its first 64 bytes are the key, the rest is the message.
    pub fn new(seed: &[u8]) -> Self {
        let (key, message) = seed.split_at_checked(DIGEST).unwrap_or((seed, &[]));
        let key_length = u8::try_from(key.len()).unwrap_or(DIGEST as u8);
        let parameters = Parameters { key_length, fanout: 1, depth: 1, leaf_length: 0, node_offset: 0, inner_length: 0 };
        Self { root: blake2b(&parameters, key, message), block: [0; DIGEST], used: DIGEST, node: 0 }
    }

    /// Fills `out` with what comes next.
    pub fn read(&mut self, out: &mut [u8]) {
        for byte in out {
            if self.used >= DIGEST {
                let leaf_length = DIGEST as u32;
                let parameters =
                    Parameters { key_length: 0, fanout: 0, depth: 0, leaf_length, node_offset: self.node, inner_length: DIGEST as u8 };
                self.block = blake2b(&parameters, &[], &self.root);
                self.node = self.node.wrapping_add(1);
                self.used = 0;
            }
            *byte = self.block.get(self.used).copied().unwrap_or_default();
            self.used = self.used.saturating_add(1);
        }
    }
}
