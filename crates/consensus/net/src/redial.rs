//! When to dial a persistent peer again.

use std::time::Duration;

use crate::rng::Rng;

/// Random time added to every wait. Source: tendermint `p2p/switch.go`, `dialRandomizerIntervalMilliseconds`.
pub(crate) const JITTER: Duration = Duration::from_secs(3);
/// Attempts at a steady pace. Source: `reconnectAttempts`.
const STEADY_ATTEMPTS: u32 = 20;
/// The steady pace. Source: `reconnectInterval`.
const STEADY: Duration = Duration::from_secs(5);
/// Steps of growing waits after that. Source: `reconnectBackOffAttempts`.
const GROWING_ATTEMPTS: u32 = 10;
/// Each such wait is this many times the one before. Source: `reconnectBackOffBaseSeconds`.
const GROWTH: u64 = 3;

/// Counts failed attempts.
///
/// Source: `reconnectToPeer`. The original gives up after 30 attempts; here the last wait is repeated.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Redial {
    failed: u32,
}

impl Redial {
    /// The time to wait after one more failure; `longest` limits it without the jitter.
    pub fn failed(&mut self, longest: Option<Duration>, jitter: Duration, rng: &mut Rng) -> Duration {
        let wait = match self.failed.checked_sub(STEADY_ATTEMPTS) {
            None => STEADY,
            Some(step) => Duration::from_secs(GROWTH.saturating_pow(step.min(GROWING_ATTEMPTS.saturating_sub(1)))),
        };
        self.failed = self.failed.saturating_add(1);
        longest.map_or(wait, |longest| wait.min(longest)).saturating_add(rng.time_below(jitter))
    }

    /// The peer is there.
    pub fn succeeded(&mut self) {
        self.failed = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_those_of_the_original() {
        let (mut redial, mut rng) = (Redial::default(), Rng::Seeded(1));
        let waits: Vec<u64> = (0..32).map(|_| redial.failed(None, Duration::ZERO, &mut rng).as_secs()).collect();
        assert_eq!(waits[..20], [5; 20]);
        assert_eq!(waits[20..], [1, 3, 9, 27, 81, 243, 729, 2187, 6561, 19683, 19683, 19683]);
        redial.succeeded();
        assert_eq!(redial.failed(None, Duration::ZERO, &mut rng), STEADY);
    }

    #[test]
    fn a_limit_and_jitter_hold() {
        let (mut redial, mut rng) = (Redial { failed: 29 }, Rng::Seeded(1));
        for _ in 0..100 {
            let wait = redial.failed(Some(Duration::from_secs(60)), JITTER, &mut rng);
            assert!(wait >= Duration::from_secs(60) && wait < Duration::from_secs(63), "{wait:?}");
        }
    }
}
