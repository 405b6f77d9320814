//! Limits on the rate of bytes.

use std::time::Duration;

use tokio::time::Instant;

/// Time over which bytes are counted. Source: tendermint `libs/flowrate`, `New`, the default.
const SAMPLE: Duration = Duration::from_millis(100);

/// Counts bytes in samples of 100 ms and says how long to wait.
///
/// Source: tendermint `libs/flowrate/flowrate.go`, `Monitor.Limit`.
#[derive(Debug)]
pub struct Limiter {
    /// Bytes a sample; none for any.
    per_sample: Option<u64>,
    start: Instant,
    bytes: u64,
}

impl Limiter {
    /// A limit in bytes a second; 0 for none.
    pub fn new(rate: u64, now: Instant) -> Self {
        let per_sample = (rate > 0).then(|| (rate / 10).max(1));
        Self { per_sample, start: now, bytes: 0 }
    }

    /// Counts bytes that went through.
    pub fn count(&mut self, bytes: usize, now: Instant) {
        self.turn(now);
        self.bytes = self.bytes.saturating_add(bytes as u64);
    }

    /// When more may go through, if not now. What was let through over the limit is made up for.
    pub fn wait_until(&mut self, now: Instant) -> Option<Instant> {
        self.turn(now);
        let most = self.per_sample?;
        if self.bytes < most {
            return None;
        }
        // A sample for each full share that is already used.
        let samples = u32::try_from(self.bytes / most).unwrap_or(u32::MAX).min(100);
        self.start.checked_add(SAMPLE.saturating_mul(samples))
    }

    fn turn(&mut self, now: Instant) {
        let Some(most) = self.per_sample else { return };
        let passed = now.saturating_duration_since(self.start).as_millis() / SAMPLE.as_millis();
        if passed > 0 {
            let passed = u64::try_from(passed).unwrap_or(u64::MAX);
            self.bytes = self.bytes.saturating_sub(most.saturating_mul(passed));
            self.start = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_kept_over_any_time() {
        let start = Instant::now();
        let (mut now, mut limiter, mut sent) = (start, Limiter::new(10_000, start), 0usize);
        while now < start + Duration::from_secs(10) {
            match limiter.wait_until(now) {
                Some(later) => {
                    assert!(later > now);
                    now = later;
                }
                None => {
                    limiter.count(700, now);
                    sent += 700;
                }
            }
        }
        assert!((99_000..=103_000).contains(&sent), "{sent}");
    }

    #[test]
    fn quiet_time_is_not_saved_up() {
        let start = Instant::now();
        let mut limiter = Limiter::new(10_000, start);
        let later = start + Duration::from_secs(100);
        limiter.count(1000, later);
        assert!(limiter.wait_until(later).is_some());
    }

    #[test]
    fn no_limit_never_waits() {
        let now = Instant::now();
        let mut limiter = Limiter::new(0, now);
        limiter.count(usize::MAX, now);
        assert_eq!(limiter.wait_until(now), None);
    }
}
