//! Random numbers: the system's, or repeatable ones for tests.

/// Where random numbers come from.
#[derive(Debug)]
pub enum Rng {
    /// The operating system.
    System,
    /// A sequence that a number begins.
    Seeded(u64),
}

impl Rng {
    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        match self {
            Self::System => u64::from_le_bytes(random_bytes()),
            Self::Seeded(state) => {
                // SplitMix64.
                *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
                let mut z = *state;
                z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
                z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
                z ^ (z >> 31)
            }
        }
    }

    /// A number below `end`; 0 where `end` is 0.
    pub fn below(&mut self, end: usize) -> usize {
        let end = end as u64;
        // The bias is below 2^-32 for all ends that occur.
        self.bits().checked_rem(end).unwrap_or(0) as usize
    }

    /// A time below `end`, in whole milliseconds.
    pub fn time_below(&mut self, end: std::time::Duration) -> std::time::Duration {
        let millis = usize::try_from(end.as_millis()).unwrap_or(usize::MAX);
        std::time::Duration::from_millis(self.below(millis) as u64)
    }

    /// Puts a list in random order.
    pub fn shuffle<T>(&mut self, list: &mut [T]) {
        for end in (2..=list.len()).rev() {
            list.swap(end.saturating_sub(1), self.below(end));
        }
    }
}

/// Fresh random bytes of the operating system.
///
/// # Panics
/// Where the system has none: nothing can go on without.
pub fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    #[allow(clippy::expect_used)]
    getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
    bytes
}
