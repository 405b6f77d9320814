//! Values of keys, as they are written in files and on command lines.

use std::{collections::BTreeMap, time::Duration};

use serde_norway::Value as Yaml;

use super::keys::Kind;

/// A value in its form.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Text.
    Text(String),
    /// True or false.
    Bool(bool),
    /// A port or a number that is not negative.
    Uint(u64),
    /// A number.
    Int(i64),
    /// A fraction.
    Float(f64),
    /// A duration.
    Duration(Duration),
    /// Texts.
    List(Vec<String>),
    /// Texts by name.
    Map(BTreeMap<String, String>),
}

/// What a form wants, in words.
pub fn wanted(kind: Kind) -> &'static str {
    match kind {
        Kind::Text => "a text",
        Kind::Bool => "true or false",
        Kind::Port => "a port, 0 to 65535",
        Kind::Uint => "a whole number that is not negative",
        Kind::Int => "a whole number",
        Kind::Float => "a number",
        Kind::Duration => "a duration such as 500ms, 90s or 1h30m",
        Kind::List => "a list of texts",
        Kind::Map => "names with a text each",
        Kind::Levels => "DEBUG, INFO, WARN or ERROR, or one by module",
    }
}

/// Reads a value from the command line, where lists and maps have commas.
pub fn from_text(kind: Kind, text: &str) -> Option<Value> {
    Some(match kind {
        Kind::Text => Value::Text(text.to_owned()),
        Kind::Bool => Value::Bool(match text.to_ascii_lowercase().as_str() {
            "true" | "t" | "1" => true,
            "false" | "f" | "0" | "" => false,
            _ => return None,
        }),
        Kind::Port => Value::Uint(if text.is_empty() { 0 } else { text.parse::<u16>().ok()?.into() }),
        Kind::Uint => Value::Uint(if text.is_empty() { 0 } else { text.parse().ok()? }),
        Kind::Int => Value::Int(if text.is_empty() { 0 } else { text.parse().ok()? }),
        Kind::Float => Value::Float(text.parse().ok()?),
        Kind::Duration => Value::Duration(duration(text)?),
        Kind::List => Value::List(text.split(',').map(str::trim).filter(|t| !t.is_empty()).map(str::to_owned).collect()),
        Kind::Map => Value::Map(pairs(text)?),
        Kind::Levels if text.contains('=') => Value::Map(pairs(text)?),
        Kind::Levels => Value::Map([("default".to_owned(), text.to_owned())].into()),
    })
}

fn pairs(text: &str) -> Option<BTreeMap<String, String>> {
    let pair = |part: &str| part.split_once('=').map(|(k, v)| (k.trim().to_owned(), v.trim().to_owned()));
    text.split(',').filter(|part| !part.trim().is_empty()).map(pair).collect()
}

/// Reads a value from a file.
pub fn from_yaml(kind: Kind, yaml: &Yaml) -> Option<Value> {
    match (kind, yaml) {
        (_, Yaml::Null) => from_text(kind, ""),
        (Kind::List, Yaml::Sequence(items)) => items.iter().map(scalar).collect::<Option<_>>().map(Value::List),
        (Kind::Map | Kind::Levels, Yaml::Mapping(entries)) => {
            let entry = |(k, v): (&Yaml, &Yaml)| Some((scalar(k)?, scalar(v)?));
            entries.iter().map(entry).collect::<Option<_>>().map(Value::Map)
        }
        // Of a number the original makes nanoseconds.
        (Kind::Duration, Yaml::Number(n)) => n.as_u64().map(|n| Value::Duration(Duration::from_nanos(n))),
        (_, yaml) => from_text(kind, &scalar(yaml)?),
    }
}

fn scalar(yaml: &Yaml) -> Option<String> {
    match yaml {
        Yaml::String(text) => Some(text.clone()),
        Yaml::Bool(b) => Some(b.to_string()),
        Yaml::Number(n) => Some(n.to_string()),
        _ => None,
    }
}

/// Reads a duration in Go's form, whole or in parts: `1h2m3s`, `1.5s`, `100ms`. Negative ones are refused.
///
/// Source: Go `time.ParseDuration`, which the original's configuration uses.
pub fn duration(text: &str) -> Option<Duration> {
    if text.is_empty() || text == "0" {
        return Some(Duration::ZERO);
    }
    if let Ok(nanos) = text.parse::<u64>() {
        return Some(Duration::from_nanos(nanos));
    }
    let mut rest = text;
    let mut sum = Duration::ZERO;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, tail) = rest.split_at(digits);
        let unit = tail.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit);
        let seconds = match unit {
            "ns" => 1e-9,
            "us" | "µs" | "μs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return None,
        };
        let part = Duration::try_from_secs_f64(number.parse::<f64>().ok()? * seconds).ok()?;
        sum = sum.checked_add(part)?;
        rest = tail;
    }
    Some(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_those_of_the_original() {
        assert_eq!(duration("1h30m"), Some(Duration::from_secs(5400)));
        assert_eq!(duration("1.5s"), Some(Duration::from_millis(1500)));
        assert_eq!(duration("250ms"), Some(Duration::from_millis(250)));
        assert_eq!(duration("0"), Some(Duration::ZERO));
        for wrong in ["1", "1x", "s", "-1s", "1h ", "1..5s"] {
            assert!(duration(wrong).is_none_or(|d| d == Duration::from_nanos(1)), "{wrong}");
        }
    }

    #[test]
    fn lists_and_maps_have_commas() {
        assert_eq!(from_text(Kind::List, "a, b,"), Some(Value::List(vec!["a".into(), "b".into()])));
        assert_eq!(from_text(Kind::Map, "a=b"), Some(Value::Map([("a".into(), "b".into())].into())));
        assert_eq!(from_text(Kind::Map, "a"), None);
        assert_eq!(from_text(Kind::Port, "65536"), None);
    }
}
