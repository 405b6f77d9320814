//! SHA-512/256 of many messages at once: with vector instructions, eight are hashed in the time of one or two.
//!
//! Source: FIPS 180-4, sections 4.1.3, 4.2.3, 5.3.6.2 and 6.4. What comes out is what [`Hash::of`] gives.

use oasis_primitives::hash::Hash;

/// How many messages are hashed together at most.
pub(crate) const LANES: usize = 8;

/// Bytes in a block.
pub(crate) const BLOCK: usize = 128;

/// The first hash value of SHA-512/256.
#[cfg(target_arch = "x86_64")]
const INITIAL: [u64; 8] = [
    0x2231_2194_fc2b_f72c,
    0x9f55_5fa3_c84c_64c2,
    0x2393_b86b_6f53_b151,
    0x9638_7719_5940_eabd,
    0x9628_3ee2_a88e_ffe3,
    0xbe5e_1e25_5386_3992,
    0x2b01_99fc_2c85_b8aa,
    0x0eb7_2ddc_81c5_2ca2,
];

/// The constants of the rounds.
#[cfg(target_arch = "x86_64")]
const ROUNDS: [[u64; 16]; 5] = [
    [
        0x428a_2f98_d728_ae22,
        0x7137_4491_23ef_65cd,
        0xb5c0_fbcf_ec4d_3b2f,
        0xe9b5_dba5_8189_dbbc,
        0x3956_c25b_f348_b538,
        0x59f1_11f1_b605_d019,
        0x923f_82a4_af19_4f9b,
        0xab1c_5ed5_da6d_8118,
        0xd807_aa98_a303_0242,
        0x1283_5b01_4570_6fbe,
        0x2431_85be_4ee4_b28c,
        0x550c_7dc3_d5ff_b4e2,
        0x72be_5d74_f27b_896f,
        0x80de_b1fe_3b16_96b1,
        0x9bdc_06a7_25c7_1235,
        0xc19b_f174_cf69_2694,
    ],
    [
        0xe49b_69c1_9ef1_4ad2,
        0xefbe_4786_384f_25e3,
        0x0fc1_9dc6_8b8c_d5b5,
        0x240c_a1cc_77ac_9c65,
        0x2de9_2c6f_592b_0275,
        0x4a74_84aa_6ea6_e483,
        0x5cb0_a9dc_bd41_fbd4,
        0x76f9_88da_8311_53b5,
        0x983e_5152_ee66_dfab,
        0xa831_c66d_2db4_3210,
        0xb003_27c8_98fb_213f,
        0xbf59_7fc7_beef_0ee4,
        0xc6e0_0bf3_3da8_8fc2,
        0xd5a7_9147_930a_a725,
        0x06ca_6351_e003_826f,
        0x1429_2967_0a0e_6e70,
    ],
    [
        0x27b7_0a85_46d2_2ffc,
        0x2e1b_2138_5c26_c926,
        0x4d2c_6dfc_5ac4_2aed,
        0x5338_0d13_9d95_b3df,
        0x650a_7354_8baf_63de,
        0x766a_0abb_3c77_b2a8,
        0x81c2_c92e_47ed_aee6,
        0x9272_2c85_1482_353b,
        0xa2bf_e8a1_4cf1_0364,
        0xa81a_664b_bc42_3001,
        0xc24b_8b70_d0f8_9791,
        0xc76c_51a3_0654_be30,
        0xd192_e819_d6ef_5218,
        0xd699_0624_5565_a910,
        0xf40e_3585_5771_202a,
        0x106a_a070_32bb_d1b8,
    ],
    [
        0x19a4_c116_b8d2_d0c8,
        0x1e37_6c08_5141_ab53,
        0x2748_774c_df8e_eb99,
        0x34b0_bcb5_e19b_48a8,
        0x391c_0cb3_c5c9_5a63,
        0x4ed8_aa4a_e341_8acb,
        0x5b9c_ca4f_7763_e373,
        0x682e_6ff3_d6b2_b8a3,
        0x748f_82ee_5def_b2fc,
        0x78a5_636f_4317_2f60,
        0x84c8_7814_a1f0_ab72,
        0x8cc7_0208_1a64_39ec,
        0x90be_fffa_2363_1e28,
        0xa450_6ceb_de82_bde9,
        0xbef9_a3f7_b2c6_7915,
        0xc671_78f2_e372_532b,
    ],
    [
        0xca27_3ece_ea26_619c,
        0xd186_b8c7_21c0_c207,
        0xeada_7dd6_cde0_eb1e,
        0xf57d_4f7f_ee6e_d178,
        0x06f0_67aa_7217_6fba,
        0x0a63_7dc5_a2c8_98a6,
        0x113f_9804_bef9_0dae,
        0x1b71_0b35_131c_471b,
        0x28db_77f5_2304_7d84,
        0x32ca_ab7b_40c7_2493,
        0x3c9e_be0a_15c9_bebc,
        0x431d_67c4_9c10_0d4c,
        0x4cc5_d4be_cb3e_42b6,
        0x597f_299c_fc65_7e2a,
        0x5fcb_6fab_3ad6_faec,
        0x6c44_198c_4a47_5817,
    ],
];

/// What the processor offers.
#[derive(Clone, Copy)]
pub(crate) enum Backend {
    /// One message after another.
    Single,
    /// Four together.
    #[cfg(target_arch = "x86_64")]
    Avx2(pulp::x86::V3),
    /// Eight together.
    #[cfg(target_arch = "x86_64")]
    Avx512(pulp::x86::V4),
}

impl Backend {
    /// The fastest.
    #[cfg(target_arch = "x86_64")]
    pub fn best() -> Self {
        match (pulp::x86::V4::try_new(), pulp::x86::V3::try_new()) {
            (Some(simd), _) => Self::Avx512(simd),
            (None, Some(simd)) => Self::Avx2(simd),
            (None, None) => Self::Single,
        }
    }

    /// The fastest.
    #[cfg(not(target_arch = "x86_64"))]
    pub fn best() -> Self {
        Self::Single
    }

    /// Hashes messages that all have as many blocks; each is given by its padded blocks ([`pad`]) and its length.
    /// No more than [`LANES`] of them.
    pub fn hash(self, messages: &[(&[u8], usize)]) -> [Hash; LANES] {
        let mut out = [Hash::default(); LANES];
        #[cfg(target_arch = "x86_64")]
        match self {
            Self::Avx512(simd) if messages.len() > 1 => {
                simd.vectorize(x86::Job { simd, messages, out: &mut out });
                return out;
            }
            Self::Avx2(simd) if messages.len() > 1 => {
                for (messages, out) in messages.chunks(4).zip(out.chunks_mut(4)) {
                    simd.vectorize(x86::Job { simd, messages, out });
                }
                return out;
            }
            _ => {}
        }
        for ((blocks, len), out) in messages.iter().zip(&mut out) {
            *out = Hash::of(blocks.get(..*len).unwrap_or_default());
        }
        out
    }
}

/// How many blocks a message of some length has once it is padded.
pub(crate) fn blocks_for(len: usize) -> usize {
    len.saturating_add(17).div_ceil(BLOCK)
}

/// Pads the message that starts at `start` and goes to the end of the buffer.
pub(crate) fn pad(buffer: &mut Vec<u8>, start: usize) {
    let len = buffer.len().saturating_sub(start);
    let end = start.saturating_add(blocks_for(len).saturating_mul(BLOCK));
    buffer.push(0x80);
    buffer.resize(end.saturating_sub(8), 0);
    buffer.extend_from_slice(&(len as u64).saturating_mul(8).to_be_bytes());
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::{__m256i, __m512i};

    use pulp::{
        NullaryFnOnce, cast,
        x86::{V3, V4},
    };

    use super::{BLOCK, Hash, INITIAL, LANES, ROUNDS};

    /// Words of several messages beside each other.
    pub trait Words: Copy {
        type Word: Copy;

        fn splat(self, word: u64) -> Self::Word;
        fn load(self, words: [u64; LANES]) -> Self::Word;
        fn store(self, word: Self::Word) -> [u64; LANES];
        fn add(self, a: Self::Word, b: Self::Word) -> Self::Word;
        fn xor3(self, a: Self::Word, b: Self::Word, c: Self::Word) -> Self::Word;
        /// `a` where the selector has ones, `b` where it has zeros.
        fn choose(self, selector: Self::Word, a: Self::Word, b: Self::Word) -> Self::Word;
        fn majority(self, a: Self::Word, b: Self::Word, c: Self::Word) -> Self::Word;
        /// Rotates right by `N`, where `N + M` is 64.
        fn rotate<const N: i32, const M: i32>(self, a: Self::Word) -> Self::Word;
        fn shift<const N: i32, const U: u32>(self, a: Self::Word) -> Self::Word;
    }

    impl Words for V4 {
        type Word = __m512i;

        #[inline(always)]
        fn splat(self, word: u64) -> __m512i {
            cast([word; 8])
        }
        #[inline(always)]
        fn load(self, words: [u64; LANES]) -> __m512i {
            cast(words)
        }
        #[inline(always)]
        fn store(self, word: __m512i) -> [u64; LANES] {
            cast(word)
        }
        #[inline(always)]
        fn add(self, a: __m512i, b: __m512i) -> __m512i {
            self.avx512f._mm512_add_epi64(a, b)
        }
        #[inline(always)]
        fn xor3(self, a: __m512i, b: __m512i, c: __m512i) -> __m512i {
            self.avx512f._mm512_ternarylogic_epi64::<0x96>(a, b, c)
        }
        #[inline(always)]
        fn choose(self, selector: __m512i, a: __m512i, b: __m512i) -> __m512i {
            self.avx512f._mm512_ternarylogic_epi64::<0xca>(selector, a, b)
        }
        #[inline(always)]
        fn majority(self, a: __m512i, b: __m512i, c: __m512i) -> __m512i {
            self.avx512f._mm512_ternarylogic_epi64::<0xe8>(a, b, c)
        }
        #[inline(always)]
        fn rotate<const N: i32, const M: i32>(self, a: __m512i) -> __m512i {
            self.avx512f._mm512_ror_epi64::<N>(a)
        }
        #[inline(always)]
        fn shift<const N: i32, const U: u32>(self, a: __m512i) -> __m512i {
            self.avx512f._mm512_srli_epi64::<U>(a)
        }
    }

    impl Words for V3 {
        type Word = __m256i;

        #[inline(always)]
        fn splat(self, word: u64) -> __m256i {
            cast([word; 4])
        }
        #[inline(always)]
        fn load(self, [a, b, c, d, ..]: [u64; LANES]) -> __m256i {
            cast([a, b, c, d])
        }
        #[inline(always)]
        fn store(self, word: __m256i) -> [u64; LANES] {
            let [a, b, c, d]: [u64; 4] = cast(word);
            [a, b, c, d, 0, 0, 0, 0]
        }
        #[inline(always)]
        fn add(self, a: __m256i, b: __m256i) -> __m256i {
            self.avx2._mm256_add_epi64(a, b)
        }
        #[inline(always)]
        fn xor3(self, a: __m256i, b: __m256i, c: __m256i) -> __m256i {
            self.avx2._mm256_xor_si256(self.avx2._mm256_xor_si256(a, b), c)
        }
        #[inline(always)]
        fn choose(self, selector: __m256i, a: __m256i, b: __m256i) -> __m256i {
            let differing = self.avx2._mm256_xor_si256(a, b);
            self.avx2._mm256_xor_si256(b, self.avx2._mm256_and_si256(selector, differing))
        }
        #[inline(always)]
        fn majority(self, a: __m256i, b: __m256i, c: __m256i) -> __m256i {
            let both = self.avx2._mm256_and_si256(a, b);
            let either = self.avx2._mm256_or_si256(a, b);
            self.avx2._mm256_or_si256(both, self.avx2._mm256_and_si256(either, c))
        }
        #[inline(always)]
        fn rotate<const N: i32, const M: i32>(self, a: __m256i) -> __m256i {
            self.avx2._mm256_or_si256(self.avx2._mm256_srli_epi64::<N>(a), self.avx2._mm256_slli_epi64::<M>(a))
        }
        #[inline(always)]
        fn shift<const N: i32, const U: u32>(self, a: __m256i) -> __m256i {
            self.avx2._mm256_srli_epi64::<N>(a)
        }
    }

    /// Hashes messages with the instructions that `simd` stands for.
    pub struct Job<'a, S> {
        pub simd: S,
        pub messages: &'a [(&'a [u8], usize)],
        pub out: &'a mut [Hash],
    }

    impl<S: Words> NullaryFnOnce for Job<'_, S> {
        type Output = ();

        #[inline(always)]
        fn call(self) {
            let s = self.simd;
            let mut state = INITIAL.map(
                #[inline(always)]
                |word| s.splat(word),
            );
            let blocks = self.messages.first().map_or(0, |(bytes, _)| bytes.len() / BLOCK);
            for number in 0..blocks {
                let mut words = [[0u64; LANES]; 16];
                for (lane, (bytes, _)) in self.messages.iter().enumerate().take(LANES) {
                    let block = bytes.as_chunks::<BLOCK>().0.get(number).map_or(&[][..], |b| b.as_chunks::<8>().0);
                    for (row, bytes) in words.iter_mut().zip(block) {
                        if let Some(word) = row.get_mut(lane) {
                            *word = u64::from_be_bytes(*bytes);
                        }
                    }
                }
                state = compress(s, state, words);
            }
            let [a, b, c, d, ..] = state;
            let (a, b, c, d) = (s.store(a), s.store(b), s.store(c), s.store(d));
            for ((((a, b), c), d), out) in a.iter().zip(&b).zip(&c).zip(&d).zip(self.out) {
                for (word, out) in [a, b, c, d].into_iter().zip(out.0.as_chunks_mut::<8>().0) {
                    *out = word.to_be_bytes();
                }
            }
        }
    }

    #[inline(always)]
    fn compress<S: Words>(s: S, state: [S::Word; 8], words: [[u64; LANES]; 16]) -> [S::Word; 8] {
        let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = state;
        let [w0, w1, w2, w3, w4, w5, w6, w7, w8, w9, w10, w11, w12, w13, w14, w15] = words;
        macro_rules! load {
            ($($w:ident)*) => { $( let mut $w = s.load($w); )* };
        }
        load!(w0 w1 w2 w3 w4 w5 w6 w7 w8 w9 w10 w11 w12 w13 w14 w15);
        macro_rules! expand {
            ($w:ident $w1:ident $w9:ident $w14:ident) => {
                let small0 = s.xor3(s.rotate::<1, 63>($w1), s.rotate::<8, 56>($w1), s.shift::<7, 7>($w1));
                let small1 = s.xor3(s.rotate::<19, 45>($w14), s.rotate::<61, 3>($w14), s.shift::<6, 6>($w14));
                $w = s.add(s.add($w, small0), s.add($w9, small1));
            };
        }
        macro_rules! round {
            ($a:ident $b:ident $c:ident $d:ident $e:ident $f:ident $g:ident $h:ident $w:ident $k:ident) => {
                let big1 = s.xor3(s.rotate::<14, 50>($e), s.rotate::<18, 46>($e), s.rotate::<41, 23>($e));
                let first = s.add(s.add(s.add($h, s.add($w, s.splat($k))), big1), s.choose($e, $f, $g));
                let big0 = s.xor3(s.rotate::<28, 36>($a), s.rotate::<34, 30>($a), s.rotate::<39, 25>($a));
                $d = s.add($d, first);
                $h = s.add(first, s.add(big0, s.majority($a, $b, $c)));
            };
        }
        let mut expanded = true;
        for [k0, k1, k2, k3, k4, k5, k6, k7, k8, k9, k10, k11, k12, k13, k14, k15] in ROUNDS {
            // The first sixteen words are the message's own.
            if !std::mem::replace(&mut expanded, false) {
                expand!(w0 w1 w9 w14);
                expand!(w1 w2 w10 w15);
                expand!(w2 w3 w11 w0);
                expand!(w3 w4 w12 w1);
                expand!(w4 w5 w13 w2);
                expand!(w5 w6 w14 w3);
                expand!(w6 w7 w15 w4);
                expand!(w7 w8 w0 w5);
                expand!(w8 w9 w1 w6);
                expand!(w9 w10 w2 w7);
                expand!(w10 w11 w3 w8);
                expand!(w11 w12 w4 w9);
                expand!(w12 w13 w5 w10);
                expand!(w13 w14 w6 w11);
                expand!(w14 w15 w7 w12);
                expand!(w15 w0 w8 w13);
            }
            round!(a b c d e f g h w0 k0);
            round!(h a b c d e f g w1 k1);
            round!(g h a b c d e f w2 k2);
            round!(f g h a b c d e w3 k3);
            round!(e f g h a b c d w4 k4);
            round!(d e f g h a b c w5 k5);
            round!(c d e f g h a b w6 k6);
            round!(b c d e f g h a w7 k7);
            round!(a b c d e f g h w8 k8);
            round!(h a b c d e f g w9 k9);
            round!(g h a b c d e f w10 k10);
            round!(f g h a b c d e w11 k11);
            round!(e f g h a b c d w12 k12);
            round!(d e f g h a b c w13 k13);
            round!(c d e f g h a b w14 k14);
            round!(b c d e f g h a w15 k15);
        }
        let [s0, s1, s2, s3, s4, s5, s6, s7] = state;
        [s.add(s0, a), s.add(s1, b), s.add(s2, c), s.add(s3, d), s.add(s4, e), s.add(s5, f), s.add(s6, g), s.add(s7, h)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_backend_gives_the_hash_of_each_message() {
        let mut backends = vec![Backend::Single, Backend::best()];
        #[cfg(target_arch = "x86_64")]
        backends.extend(pulp::x86::V3::try_new().map(Backend::Avx2));
        for backend in backends {
            for (count, len) in (1..=LANES).flat_map(|count| (0..400).map(move |len| (count, len))) {
                let plain: Vec<Vec<u8>> = (0..count).map(|i| (0..len).map(|j| (i * 37 + j * 11 + len) as u8).collect()).collect();
                let padded: Vec<Vec<u8>> = plain
                    .iter()
                    .map(|message| {
                        let mut out = message.clone();
                        pad(&mut out, 0);
                        out
                    })
                    .collect();
                let messages: Vec<_> = padded.iter().map(|m| (m.as_slice(), len)).collect();
                let got = backend.hash(&messages);
                let expected: Vec<_> = plain.iter().map(|m| Hash::of(m)).collect();
                assert_eq!(got[..count], expected[..], "{count} messages of {len} bytes");
            }
        }
    }
}
