//! What is known of an address.

use crate::address::NetAddress;

/// Before all time: 0001-01-01, Go's zero time, in Unix seconds.
pub(super) const NEVER: i64 = -62_135_596_800;
/// Seconds of a day.
const DAY: i64 = 86_400;
/// An address that was not tried for so long is bad. Source: `numMissingDays`.
const MISSING: i64 = 7 * DAY;
/// An address that failed often needs a success in this time. Source: `minBadDays`.
const BAD: i64 = 7 * DAY;
/// Attempts without any success that make an address bad. Source: `numRetries`.
const RETRIES: i32 = 3;
/// Attempts that make an address bad without a success lately. Source: `maxFailures`.
const MAX_FAILURES: i32 = 10;

/// Source: tendermint `p2p/pex/known_address.go`, `knownAddress`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Known {
    pub address: NetAddress,
    pub source: NetAddress,
    pub buckets: Vec<usize>,
    pub attempts: i32,
    pub is_old: bool,
    pub last_attempt: i64,
    pub last_success: i64,
}

impl Known {
    pub fn new(address: NetAddress, source: NetAddress, now: i64) -> Self {
        Self { address, source, buckets: Vec::new(), attempts: 0, is_old: false, last_attempt: now, last_success: NEVER }
    }

    pub fn mark_attempt(&mut self, now: i64) {
        self.last_attempt = now;
        self.attempts = self.attempts.saturating_add(1);
    }

    pub fn mark_good(&mut self, now: i64) {
        self.last_attempt = now;
        self.attempts = 0;
        self.last_success = now;
    }

    /// Whether the address is not worth keeping. Source: `isBad`.
    pub fn is_bad(&self, now: i64) -> bool {
        let before = |time: i64, ago: i64| time < now.saturating_sub(ago);
        if self.is_old || !before(self.last_attempt, 60) {
            return false;
        }
        before(self.last_attempt, MISSING)
            || (self.last_success == NEVER && self.attempts >= RETRIES)
            || (before(self.last_success, BAD) && self.attempts >= MAX_FAILURES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_is_what_the_original_calls_bad() {
        let address = "00112233445566778899aabbccddeeff00112233@1.2.3.4:5".parse().unwrap();
        let now = 1_000_000_000;
        let known = Known::new(address, address, now);
        assert!(!known.is_bad(now));
        assert!(!Known { attempts: 3, ..known.clone() }.is_bad(now + 60));
        assert!(Known { attempts: 3, ..known.clone() }.is_bad(now + 61));
        assert!(!Known { attempts: 2, ..known.clone() }.is_bad(now + 61));
        assert!(known.is_bad(now + 8 * DAY));
        assert!(!Known { is_old: true, ..known.clone() }.is_bad(now + 8 * DAY));
        let tried = Known { attempts: 10, last_success: now, last_attempt: now + 8 * DAY, ..known };
        assert!(tried.is_bad(now + 8 * DAY + 61));
        assert!(!Known { attempts: 9, ..tried }.is_bad(now + 8 * DAY + 61));
    }
}
