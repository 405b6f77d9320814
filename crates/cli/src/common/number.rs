//! Numbers, durations and sizes as the original's flags take them.

/// Reads a number: decimal, or with the prefix `0x`, `0o`, `0` or `0b`; `_` between digits.
///
/// Source: Go's `strconv`, `ParseUint` with base 0, which pflag's `Uint64Var` uses.
pub fn uint(text: &str) -> Option<u64> {
    let lower = text.to_ascii_lowercase();
    let (radix, digits) = match lower.as_bytes() {
        [b'0', b'x', ..] => (16, lower.get(2..)?),
        [b'0', b'o', ..] => (8, lower.get(2..)?),
        [b'0', b'b', ..] => (2, lower.get(2..)?),
        [b'0', _, ..] => (8, lower.get(1..)?),
        _ => (10, lower.as_str()),
    };
    // Between digits, or between a prefix and a digit.
    let prefixed = radix != 10;
    if digits.ends_with('_') || digits.contains("__") || (digits.starts_with('_') && !prefixed) || digits.contains('+') {
        return None;
    }
    u64::from_str_radix(&digits.replace('_', ""), radix).ok()
}

/// Reads a number that may be negative.
///
/// Source: Go's `strconv`, `ParseInt` with base 0, which pflag's `Int64Var` uses.
pub fn int(text: &str) -> Option<i64> {
    match text.strip_prefix('-') {
        Some(rest) => 0i64.checked_sub_unsigned(uint(rest)?),
        None => i64::try_from(uint(text.strip_prefix('+').unwrap_or(text))?).ok(),
    }
}

/// Reads a duration, `1h2m3.5s`, as nanoseconds.
///
/// Source: Go's `time.ParseDuration`.
pub fn duration(text: &str) -> Option<i64> {
    let (negative, mut rest) = match text.as_bytes().first()? {
        b'-' => (true, text.get(1..)?),
        b'+' => (false, text.get(1..)?),
        _ => (false, text),
    };
    if rest == "0" {
        return Some(0);
    }
    let mut sum = 0i64;
    loop {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, tail) = rest.split_at(end);
        let end = tail.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(end);
        let unit = match unit {
            "ns" => 1,
            "us" | "µs" | "μs" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            _ => return None,
        };
        sum = sum.checked_add(part(number, unit)?)?;
        if tail.is_empty() {
            return if negative { sum.checked_neg() } else { Some(sum) };
        }
        rest = tail;
    }
}

/// A decimal number of units, in nanoseconds, cut off below one.
fn part(number: &str, unit: i64) -> Option<i64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let whole: i64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let mut nanos = i128::from(whole.checked_mul(unit)?);
    let mut scale = 1i128;
    // Digits beyond these are less than a nanosecond.
    for digit in fraction.chars().take(18) {
        scale = scale.checked_mul(10)?;
        let digit = i128::from(digit.to_digit(10)?);
        nanos = nanos.checked_mul(10)?.checked_add(digit.checked_mul(i128::from(unit))?)?;
    }
    i64::try_from(nanos.checked_div(scale)?).ok()
}

/// Reads a size in bytes, `32kb`; what is no size is 0.
///
/// Source: viper's `parseSizeInBytes`.
pub fn size(text: &str) -> u64 {
    let text = text.trim();
    let lower = text.to_ascii_lowercase();
    let (number, multiplier) = match lower.as_bytes() {
        [_, .., b'k', b'b'] => (lower.strip_suffix("kb"), 1 << 10),
        [_, .., b'm', b'b'] => (lower.strip_suffix("mb"), 1 << 20),
        [_, .., b'g', b'b'] => (lower.strip_suffix("gb"), 1 << 30),
        [_, _, .., b'b'] => (lower.strip_suffix('b'), 1),
        _ => (None, 1),
    };
    let number = int(number.unwrap_or(&lower).trim()).and_then(|number| u64::try_from(number).ok()).unwrap_or(0);
    number.checked_mul(multiplier).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_in_every_base_of_go() {
        let cases = [("0", 0), ("10", 10), ("0x1F", 31), ("017", 15), ("0o17", 15), ("0b101", 5), ("1_000", 1000), ("0x_ff", 255)];
        for (text, number) in cases {
            assert_eq!(uint(text), Some(number), "{text}");
        }
        assert_eq!(uint("18446744073709551615"), Some(u64::MAX));
        for wrong in ["", "-1", "+1", "0x", "09", "1__0", "_1", "1_", "18446744073709551616", "a"] {
            assert_eq!(uint(wrong), None, "{wrong}");
        }
        assert_eq!(int("-0x10"), Some(-16));
        assert_eq!(int("+5"), Some(5));
        assert_eq!(int("-9223372036854775808"), Some(i64::MIN));
        assert_eq!(int("9223372036854775808"), None);
    }

    #[test]
    fn durations_are_read_as_by_go() {
        let cases = [
            ("1s", 1_000_000_000),
            ("1h2m3.5s", 3_723_500_000_000),
            ("-1ms", -1_000_000),
            ("0", 0),
            (".5us", 500),
            ("1.9ns", 1),
            ("+2m", 120_000_000_000),
        ];
        for (text, nanos) in cases {
            assert_eq!(duration(text), Some(nanos), "{text}");
        }
        for wrong in ["", "1", "s", ".s", "1x", "1s ", "-", "10000000h"] {
            assert_eq!(duration(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn sizes_are_read_as_by_the_original() {
        let cases =
            [("32kb", 32_768), ("21mb", 22_020_096), ("1 GB", 1 << 30), ("100", 100), ("10b", 10), ("5b", 0), ("x", 0), ("-1kb", 0)];
        for (text, bytes) in cases {
            assert_eq!(size(text), bytes, "{text}");
        }
        assert_eq!(size("99999999999999999gb"), 0);
    }
}
