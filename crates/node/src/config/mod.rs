//! The configuration of a node: a YAML file and flags, with the original's names and defaults.
//!
//! A flag counts more than the file, the file more than the default. Nothing is guessed: an unknown key or a value of
//! another form is an error that names the key, what was found, and what is wanted.

mod keys;
mod settings;
mod value;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use serde_norway::Value as Yaml;

pub use keys::{KEYS, Key, Kind, Served, find, nearest};
pub use settings::{
    BeaconMode, ByzantineSettings, CheckpointerSettings, ConsensusRpcSettings, LogFormat, LogLevel, LogSettings, MetricsSettings, Mode,
    P2pSettings, Prune, RegistrationSettings, Sentry, SentrySettings, Settings, StateSyncSettings, TlsAddress,
};
pub use value::Value;

/// The file is read up to this size.
const MAX_FILE: u64 = 1 << 20;

/// What is wrong with a configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file can't be read.
    #[error("{}: {error}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// The file is no YAML, or not keys with values.
    #[error("{place}: {error}")]
    Malformed {
        /// The file.
        place: String,
        /// Why.
        error: String,
    },
    /// A key that does not exist.
    #[error("{place}: {key}: there is no such key{}", nearest.map(|n| format!("; did you mean {n}?")).unwrap_or_default())]
    Unknown {
        /// The file, or `command line`.
        place: String,
        /// What stands there.
        key: String,
        /// What was perhaps meant.
        nearest: Option<&'static str>,
    },
    /// A value that its key can't take.
    #[error("{place}: {key}: expected {expected}, found {found}")]
    Value {
        /// The file, or `command line`, or `default`.
        place: String,
        /// The key.
        key: &'static str,
        /// What it wants.
        expected: String,
        /// What stands there.
        found: String,
    },
}

/// Values of keys, and where each came from.
#[derive(Clone, Debug, Default)]
pub struct Config {
    values: BTreeMap<&'static str, (Value, String)>,
}

impl Config {
    /// Reads a file.
    pub fn from_file(path: &Path) -> Result<Self, ConfigError> {
        let fail = |error| ConfigError::File { path: path.to_owned(), error };
        let size = fs::metadata(path).map_err(fail)?.len();
        if size > MAX_FILE {
            return Err(fail(std::io::Error::other(format!("expected up to {MAX_FILE} bytes, found {size}"))));
        }
        Self::from_yaml(&path.display().to_string(), &fs::read_to_string(path).map_err(fail)?)
    }

    /// Reads the text of a file called `place`.
    pub fn from_yaml(place: &str, text: &str) -> Result<Self, ConfigError> {
        let malformed = |error: String| ConfigError::Malformed { place: place.to_owned(), error };
        let yaml: Yaml = serde_norway::from_str(text).map_err(|e| malformed(e.to_string()))?;
        let mut config = Self::default();
        match &yaml {
            Yaml::Null => Ok(config),
            Yaml::Mapping(_) => {
                config.add_yaml(place, "", &yaml)?;
                Ok(config)
            }
            _ => Err(malformed("expected keys with values".to_owned())),
        }
    }

    fn add_yaml(&mut self, place: &str, name: &str, yaml: &Yaml) -> Result<(), ConfigError> {
        if let Some(key) = find(name) {
            let wrong = || ConfigError::Value {
                place: place.to_owned(),
                key: key.name,
                expected: value::wanted(key.kind).to_owned(),
                found: serde_norway::to_string(yaml).unwrap_or_default().trim_end().to_owned(),
            };
            let value = value::from_yaml(key.kind, yaml).ok_or_else(wrong)?;
            self.values.insert(key.name, (value, place.to_owned()));
            return Ok(());
        }
        let unknown = || ConfigError::Unknown { place: place.to_owned(), key: name.to_owned(), nearest: nearest(name) };
        let prefix = if name.is_empty() { String::new() } else { format!("{name}.") };
        let exists = KEYS.iter().any(|key| key.name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(&prefix)));
        match yaml {
            Yaml::Mapping(entries) if exists && !entries.is_empty() => {
                for (key, inner) in entries {
                    let key = key.as_str().ok_or_else(unknown)?;
                    self.add_yaml(place, &format!("{prefix}{key}"), inner)?;
                }
                Ok(())
            }
            // A section whose lines are all commented out.
            Yaml::Null | Yaml::Mapping(_) if exists => Ok(()),
            _ => Err(unknown()),
        }
    }

    /// Takes a flag, which counts more than what was read before; a repeated flag adds to a list or map.
    pub fn set_flag(&mut self, name: &str, text: &str) -> Result<(), ConfigError> {
        let place = "command line".to_owned();
        let key = find(name).ok_or_else(|| ConfigError::Unknown { place: place.clone(), key: name.to_owned(), nearest: nearest(name) })?;
        let wrong = || ConfigError::Value {
            place: place.clone(),
            key: key.name,
            expected: value::wanted(key.kind).to_owned(),
            found: format!("{text:?}"),
        };
        let new = value::from_text(key.kind, text).ok_or_else(wrong)?;
        let merged = match (self.values.remove(key.name), new) {
            (Some((Value::List(mut old), from)), Value::List(more)) if from == place => {
                old.extend(more);
                Value::List(old)
            }
            (Some((Value::Map(mut old), from)), Value::Map(more)) if from == place => {
                old.extend(more);
                Value::Map(old)
            }
            (_, new) => new,
        };
        self.values.insert(key.name, (merged, place));
        Ok(())
    }

    /// Keys that were given but are not served, with the part of the node that would.
    pub fn not_served(&self) -> Vec<(&'static str, Served)> {
        let given = self.values.iter().filter_map(|(name, (value, _))| find(name).map(|key| (key, value)));
        let differs = given.filter(|(key, value)| value::from_text(key.kind, key.default).as_ref() != Some(*value));
        differs.filter(|(key, _)| key.served != Served::Yes).map(|(key, _)| (key.name, key.served)).collect()
    }

    /// Whether a key was given.
    pub fn is_given(&self, name: &str) -> bool {
        self.values.contains_key(name)
    }

    /// A key's value, the default if it was not given. `name` is one of [`KEYS`].
    fn value(&self, name: &'static str) -> Value {
        if let Some((value, _)) = self.values.get(name) {
            return value.clone();
        }
        find(name).and_then(|key| value::from_text(key.kind, key.default)).unwrap_or(Value::Text(String::new()))
    }

    /// An error about a key's value.
    fn wrong(&self, key: &'static str, expected: &str, found: impl std::fmt::Display) -> ConfigError {
        let place = self.values.get(key).map_or("default", |(_, place)| place).to_owned();
        ConfigError::Value { place, key, expected: expected.to_owned(), found: found.to_string() }
    }

    /// A text's value, the default if it was not given. `name` is one of [`KEYS`]; one of another kind gives no text.
    pub fn text(&self, name: &'static str) -> String {
        match self.value(name) {
            Value::Text(text) => text,
            _ => String::new(),
        }
    }

    fn flag(&self, name: &'static str) -> bool {
        self.value(name) == Value::Bool(true)
    }

    fn uint(&self, name: &'static str) -> u64 {
        match self.value(name) {
            Value::Uint(n) => n,
            _ => 0,
        }
    }

    /// A number that counts something.
    fn count(&self, name: &'static str) -> Result<u64, ConfigError> {
        match self.value(name) {
            Value::Int(n) => u64::try_from(n).map_err(|_| self.wrong(name, "a number that is not negative", n)),
            _ => Ok(0),
        }
    }

    fn duration(&self, name: &'static str) -> Duration {
        match self.value(name) {
            Value::Duration(d) => d,
            _ => Duration::ZERO,
        }
    }

    fn list(&self, name: &'static str) -> Vec<String> {
        match self.value(name) {
            Value::List(items) => items,
            _ => Vec::new(),
        }
    }

    fn map(&self, name: &'static str) -> BTreeMap<String, String> {
        match self.value(name) {
            Value::Map(items) => items,
            _ => BTreeMap::new(),
        }
    }
}

#[cfg(test)]
mod tests;
