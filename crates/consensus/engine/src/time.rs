//! Times of blocks and votes.

use std::fmt;

use crate::{
    error::{VerifyError, ensure},
    proto::{Commit, Duration, Timestamp},
    validator_set::ValidatorSet,
};

/// Seconds of Go's zero time, 1 January of the year 1.
const ZERO_SECONDS: i64 = -62_135_596_800;
/// Seconds of the end of the year 9999.
const MAX_SECONDS: i64 = 253_402_300_799;
const NANOS_PER_SECOND: i64 = 1_000_000_000;

impl Timestamp {
    /// Go's zero time, which absent votes carry.
    pub const ZERO: Self = Self { seconds: ZERO_SECONDS, nanos: 0 };

    /// Whether this is Go's zero time.
    pub fn is_zero(&self) -> bool {
        *self == Self::ZERO
    }

    /// Checks the range that the original's decoder takes.
    ///
    /// Source: gogo/protobuf `types/timestamp.go`, `validateTimestamp`.
    pub(crate) fn check(&self, field: &str) -> Result<(), VerifyError> {
        let nanos = i64::from(self.nanos);
        let holds = (ZERO_SECONDS..=MAX_SECONDS).contains(&self.seconds) && (0..NANOS_PER_SECOND).contains(&nanos);
        ensure(holds, field, "a time in the years 1 to 9999", format_args!("{} s {} ns", self.seconds, self.nanos))
    }

    /// Nanoseconds since the Unix epoch, which wrap around outside of the years 1678 to 2262. Source: Go, `time.Time.UnixNano`.
    pub fn unix_nanos(&self) -> i64 {
        self.seconds.wrapping_mul(NANOS_PER_SECOND).wrapping_add(i64::from(self.nanos))
    }

    /// Nanoseconds from another time to this one, as far as 64 bits hold. Source: Go, `time.Time.Sub`.
    pub fn nanos_since(&self, earlier: &Self) -> i64 {
        let seconds = i128::from(self.seconds).saturating_sub(i128::from(earlier.seconds));
        let nanos = i128::from(self.nanos).saturating_sub(i128::from(earlier.nanos));
        let total = seconds.saturating_mul(i128::from(NANOS_PER_SECOND)).saturating_add(nanos);
        i64::try_from(total).unwrap_or(if total < 0 { i64::MIN } else { i64::MAX })
    }

    /// The time so many nanoseconds later.
    #[must_use]
    pub fn plus_nanos(&self, nanos: i64) -> Self {
        let sum = i64::from(self.nanos).saturating_add(nanos.rem_euclid(NANOS_PER_SECOND));
        let seconds = self.seconds.saturating_add(nanos.div_euclid(NANOS_PER_SECOND)).saturating_add(sum / NANOS_PER_SECOND);
        Self { seconds, nanos: i32::try_from(sum % NANOS_PER_SECOND).unwrap_or_default() }
    }

    /// Date and time of day in UTC, with nanoseconds.
    fn write_utc(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Days to a date after Howard Hinnant's algorithm, with the year beginning in March.
        let days = self.seconds.div_euclid(86_400);
        let second = self.seconds.rem_euclid(86_400);
        let z = days.saturating_add(719_468);
        let era = z.div_euclid(146_097);
        let doe = z.rem_euclid(146_097);
        let leap = (doe / 1460).saturating_sub(doe / 36_524).saturating_add(doe / 146_096);
        let yoe = doe.saturating_sub(leap) / 365;
        let doy = doe.saturating_sub(yoe.saturating_mul(365).saturating_add(yoe / 4).saturating_sub(yoe / 100));
        let mp = doy.saturating_mul(5).saturating_add(2) / 153;
        let day = doy.saturating_sub(mp.saturating_mul(153).saturating_add(2) / 5).saturating_add(1);
        let month = if mp < 10 { mp.saturating_add(3) } else { mp.saturating_sub(9) };
        let year = yoe.saturating_add(era.saturating_mul(400)).saturating_add(i64::from(month <= 2));
        let (h, m, s) = (second / 3600, second / 60 % 60, second % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{h:02}:{m:02}:{s:02}.{:09}Z", self.nanos)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_utc(f)
    }
}

impl Duration {
    /// From nanoseconds.
    pub fn from_nanos(nanos: i64) -> Self {
        let rest = nanos % NANOS_PER_SECOND;
        Self { seconds: nanos / NANOS_PER_SECOND, nanos: i32::try_from(rest).unwrap_or_default() }
    }

    /// In nanoseconds, as far as 64 bits hold.
    pub fn as_nanos(&self) -> i64 {
        self.seconds.saturating_mul(NANOS_PER_SECOND).saturating_add(i64::from(self.nanos))
    }
}

/// The time that a commit gives to the next block: the median of the voters' times, weighted by their power.
///
/// Source: tendermint `state/state.go`, `MedianTime`; `types/time/time.go`, `WeightedMedian`.
pub fn median_time(commit: &Commit, validators: &ValidatorSet) -> Timestamp {
    let mut times = Vec::with_capacity(commit.signatures.len());
    let mut total = 0i64;
    for sig in commit.signatures.iter().filter(|s| !s.is_absent()) {
        if let Some((_, validator)) = validators.get(&sig.validator_address) {
            total = total.saturating_add(validator.voting_power);
            times.push((sig.timestamp.unix_nanos(), sig.timestamp, validator.voting_power));
        }
    }
    times.sort_by_key(|(nanos, ..)| *nanos);
    let mut median = total / 2;
    for (_, time, weight) in times {
        if median <= weight {
            return time;
        }
        median = median.saturating_sub(weight);
    }
    Timestamp::ZERO
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_move_by_nanoseconds() {
        let t = Timestamp { seconds: 5, nanos: 999_999_999 };
        assert_eq!(t.plus_nanos(1), Timestamp { seconds: 6, nanos: 0 });
        assert_eq!(t.plus_nanos(-1_000_000_000), Timestamp { seconds: 4, nanos: 999_999_999 });
        assert_eq!(t.plus_nanos(2_000_000_001), Timestamp { seconds: 8, nanos: 0 });
        assert_eq!(t.plus_nanos(1).nanos_since(&t), 1);
    }

    #[test]
    fn times_are_shown_in_utc() {
        assert_eq!(Timestamp::ZERO.to_string(), "0001-01-01T00:00:00.000000000Z");
        assert_eq!(Timestamp { seconds: 951_782_400, nanos: 5 }.to_string(), "2000-02-29T00:00:00.000000005Z");
        assert_eq!(Timestamp { seconds: 1_627_776_125, nanos: 0 }.to_string(), "2021-08-01T00:02:05.000000000Z");
    }
}
