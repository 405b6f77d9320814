//! Points in time, as genesis documents and attestation reports write them.
//!
//! Source: Go's `time.Time` with `encoding/json` (RFC 3339) and the original's CBOR options (`TimeUnix`).

use std::fmt;

use crate::{
    cbor::{self, Decode, Decoder, Encode, Encoder, Value},
    json::{self, FromJson, ToJson},
};

/// Seconds from 0001-01-01 to 1970-01-01 UTC.
const ZERO_TO_EPOCH: i64 = 62_135_596_800;

/// A point in time and the zone in which it was written.
///
/// In CBOR whole seconds since 1970, null for the zero time; in JSON RFC 3339 text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp {
    seconds: i64,
    nanos: u32,
    /// Minutes east of UTC.
    offset: i16,
}

impl Default for Timestamp {
    /// The zero time: 0001-01-01 00:00 UTC.
    fn default() -> Self {
        Self { seconds: -ZERO_TO_EPOCH, nanos: 0, offset: 0 }
    }
}

impl Timestamp {
    /// Seconds since 1970 and nanoseconds of the second, in UTC.
    pub fn from_unix(seconds: i64, nanos: u32) -> Self {
        Self { seconds, nanos, offset: 0 }
    }

    /// Seconds since 1970-01-01 00:00 UTC.
    pub fn seconds(&self) -> i64 {
        self.seconds
    }

    /// Nanoseconds of the second, below 1,000,000,000.
    pub fn nanos(&self) -> u32 {
        self.nanos
    }

    /// Whether this is 0001-01-01 00:00 UTC.
    pub fn is_zero(&self) -> bool {
        self.seconds == -ZERO_TO_EPOCH && self.nanos == 0
    }

    /// Reads RFC 3339 text as Go does: the hour may have one digit, and a comma may stand before the fraction.
    ///
    /// Source: Go's `time.Parse` with the layout `time.RFC3339`.
    pub fn parse_rfc3339(text: &str) -> Option<Self> {
        let mut scanner = Scanner(text.as_bytes());
        let year = scanner.digits(4, 4)?;
        scanner.byte(b'-')?;
        let month = scanner.digits(2, 2)?;
        scanner.byte(b'-')?;
        let day = scanner.digits(2, 2)?;
        scanner.byte(b'T')?;
        let hour = scanner.digits(1, 2)?;
        scanner.byte(b':')?;
        let minute = scanner.digits(2, 2)?;
        scanner.byte(b':')?;
        let second = scanner.digits(2, 2)?;
        let nanos = scanner.fraction()?;
        let offset = scanner.zone()?;
        let fits = (1..=12).contains(&month) && (1..=days_in(year, month)).contains(&day) && hour < 24 && minute < 60 && second < 60;
        if !fits || !scanner.0.is_empty() {
            return None;
        }
        let local = days_from_civil(year, month, day).checked_mul(86_400)?.checked_add(hour.checked_mul(3600)?)?;
        let local = local.checked_add(minute.checked_mul(60)?)?.checked_add(second)?;
        Some(Self { seconds: local.checked_sub(offset.checked_mul(60)?)?, nanos, offset: i16::try_from(offset).ok()? })
    }
}

struct Scanner<'a>(&'a [u8]);

impl Scanner<'_> {
    fn byte(&mut self, wanted: u8) -> Option<()> {
        let (first, rest) = self.0.split_first()?;
        (*first == wanted).then(|| self.0 = rest)
    }

    fn digits(&mut self, least: usize, most: usize) -> Option<i64> {
        let count = self.0.iter().take(most).take_while(|b| b.is_ascii_digit()).count();
        let (digits, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        let number = digits.iter().try_fold(0i64, |n, b| n.checked_mul(10)?.checked_add(i64::from(b.checked_sub(b'0')?)))?;
        (count >= least).then_some(number)
    }

    /// Nanoseconds; digits past the ninth are dropped.
    fn fraction(&mut self) -> Option<u32> {
        let [b'.' | b',', rest @ ..] = self.0 else { return Some(0) };
        let count = rest.iter().take_while(|b| b.is_ascii_digit()).count();
        if count == 0 {
            return None;
        }
        let (digits, rest) = rest.split_at_checked(count)?;
        self.0 = rest;
        let padded = digits.iter().copied().chain(std::iter::repeat(b'0')).take(9);
        padded.map(|b| u32::from(b.saturating_sub(b'0'))).try_fold(0u32, |n, d| n.checked_mul(10)?.checked_add(d))
    }

    /// Minutes east of UTC.
    fn zone(&mut self) -> Option<i64> {
        if self.byte(b'Z').is_some() {
            return Some(0);
        }
        let west = self.byte(b'-').is_some();
        if !west {
            self.byte(b'+')?;
        }
        let hours = self.digits(2, 2)?;
        self.byte(b':')?;
        let minutes = self.digits(2, 2)?;
        if hours > 24 || minutes > 60 {
            return None;
        }
        let offset = hours.checked_mul(60)?.checked_add(minutes)?;
        Some(if west { offset.saturating_neg() } else { offset })
    }
}

fn is_leap(year: i64) -> bool {
    year.rem_euclid(4) == 0 && (year.rem_euclid(100) != 0 || year.rem_euclid(400) == 0)
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01 of a date in the years 0 to 9999 (the proleptic Gregorian calendar).
///
/// Years are taken from March, so that the leap day is the last of its year.
#[allow(clippy::arithmetic_side_effects, reason = "years have four digits")]
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// Year, month and day of a number of days since 1970-01-01; the inverse of [`days_from_civil`].
#[allow(clippy::arithmetic_side_effects, reason = "days of 64-bit seconds are far from the limits")]
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

impl fmt::Display for Timestamp {
    /// Source: Go's layout `time.RFC3339Nano`: no zeros at the end of the fraction.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let local = self.seconds.saturating_add(i64::from(self.offset).saturating_mul(60));
        let (year, month, day) = civil_from_days(local.div_euclid(86_400));
        let of_day = local.rem_euclid(86_400);
        let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")?;
        if self.nanos > 0 {
            let digits = format!("{:09}", self.nanos);
            write!(f, ".{}", digits.trim_end_matches('0'))?;
        }
        if self.offset == 0 {
            return f.write_str("Z");
        }
        let minutes = self.offset.unsigned_abs();
        write!(f, "{}{:02}:{:02}", if self.offset < 0 { '-' } else { '+' }, minutes / 60, minutes % 60)
    }
}

impl Encode for Timestamp {
    fn encode(&self, e: &mut Encoder) {
        if self.is_zero() { e.null() } else { e.int(self.seconds) }
    }
}

impl Decode for Timestamp {
    /// Source: fxamacker/cbor v2 `decode.go`, `parseToTime`. A null leaves the zero time.
    fn decode(d: &mut Decoder<'_>) -> Result<Self, cbor::Error> {
        // Fractions in CBOR are of no use to anyone: nothing that the network writes has them.
        match Value::decode(d)? {
            Value::Uint(n) => Ok(Self::from_unix(n.cast_signed(), 0)),
            Value::Negative(n) => match i64::try_from(n) {
                Ok(n) => Ok(Self::from_unix(!n, 0)),
                Err(_) => Err(cbor::Error::Overflow("time")),
            },
            Value::Text(text) => Self::parse_rfc3339(&text).ok_or_else(|| cbor::Error::invalid("time is not RFC 3339")),
            _ => Err(cbor::Error::WrongType { expected: "time", found: "another kind of item" }),
        }
    }
}

impl ToJson for Timestamp {
    fn to_json(&self) -> json::Value {
        json::Value::String(self.to_string())
    }
}

impl FromJson for Timestamp {
    fn from_json(value: &json::Value) -> Result<Self, json::Error> {
        value.as_str().and_then(Self::parse_rfc3339).ok_or_else(|| json::Error::expected("a time in RFC 3339", value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_seconds_agree() {
        for (text, seconds) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2021-04-28T16:00:00Z", 1_619_625_600),
            ("2000-02-29T23:59:59+02:00", 951_861_599),
            ("0001-01-01T00:00:00Z", -ZERO_TO_EPOCH),
        ] {
            let time = Timestamp::parse_rfc3339(text).unwrap();
            assert_eq!(time.seconds(), seconds, "{text}");
            assert_eq!(time.to_string(), text);
        }
    }

    #[test]
    fn fractions_keep_nine_digits_and_take_a_comma() {
        assert_eq!(Timestamp::parse_rfc3339("2021-01-01T1:02:03,5Z").unwrap().to_string(), "2021-01-01T01:02:03.5Z");
        assert_eq!(Timestamp::parse_rfc3339("2021-01-01T01:02:03.1234567899Z").unwrap().nanos(), 123_456_789);
        assert!(Timestamp::parse_rfc3339("2021-02-29T01:02:03Z").is_none());
        assert!(Timestamp::parse_rfc3339("2021-01-01T01:02:03").is_none());
    }

    #[test]
    fn cbor_is_whole_seconds_and_null_for_the_zero_time() {
        assert_eq!(cbor::to_vec(&Timestamp::from_unix(1, 5)), [1]);
        assert_eq!(cbor::to_vec(&Timestamp::default()), [0xf6]);
        assert_eq!(cbor::from_slice::<Timestamp>(&[0x20]).unwrap().seconds(), -1);
    }
}
