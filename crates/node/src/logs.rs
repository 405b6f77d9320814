//! Logs: a line an event, in the fields of the original, with levels a module.
//!
//! The target of an event is its module's name (`tendermint/p2p`, `worker/registration`). Source: go/common/logging/logging.go.

use std::{
    collections::BTreeMap,
    fmt::{self, Write as _},
    fs::{File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    sync::{Mutex, PoisonError},
};

use serde_json::{Map, Value, json};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    level_filters::LevelFilter,
};
use tracing_subscriber::{Layer, layer::Context, prelude::*};

use crate::config::{LogFormat, LogLevel, LogSettings};

/// Where log lines go.
enum Output {
    Terminal(io::Stdout),
    File(File),
}

impl Output {
    /// Writes a line. A log that can't be written must not stop a node.
    fn line(&mut self, line: &str) {
        let _ = match self {
            Self::Terminal(out) => out.write_all(line.as_bytes()),
            Self::File(out) => out.write_all(line.as_bytes()),
        };
    }
}

/// Writes events as lines.
struct Lines {
    output: Mutex<Output>,
    format: LogFormat,
    default: LogLevel,
    modules: BTreeMap<String, LogLevel>,
}

/// Starts logging; once a process.
pub fn start(settings: &LogSettings) -> Result<(), String> {
    let output = match &settings.file {
        None => Output::Terminal(io::stdout()),
        Some(path) => {
            let file = OpenOptions::new().create(true).append(true).mode(0o600).open(path);
            Output::File(file.map_err(|e| format!("log.file: {}: {e}", path.display()))?)
        }
    };
    let lines = Lines { output: Mutex::new(output), format: settings.format, default: settings.default, modules: settings.modules.clone() };
    let registry = tracing_subscriber::registry().with(lines);
    tracing::subscriber::set_global_default(registry).map_err(|e| e.to_string())
}

fn level_of(level: Level) -> LogLevel {
    match level {
        Level::ERROR => LogLevel::Error,
        Level::WARN => LogLevel::Warn,
        Level::INFO => LogLevel::Info,
        _ => LogLevel::Debug,
    }
}

fn filter_of(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
    }
}

impl Lines {
    /// The level of a module: that of the longest start of its name.
    ///
    /// Source: go/common/logging/logging.go, `setupLogLevelLocked`.
    fn level(&self, module: &str) -> LogLevel {
        let fits = self.modules.iter().rev().find(|(prefix, _)| module.starts_with(prefix.as_str()));
        fits.map_or(self.default, |(_, level)| *level)
    }
}

impl<S: Subscriber> Layer<S> for Lines {
    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        level_of(*metadata.level()) >= self.level(metadata.target())
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        self.modules.values().chain([&self.default]).map(|level| filter_of(*level)).max()
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let meta = event.metadata();
        let mut fields = Fields::default();
        event.record(&mut fields);
        let head = Head {
            ts: OffsetDateTime::now_utc().format(&Rfc3339).unwrap_or_default(),
            level: meta.level().as_str().to_ascii_lowercase(),
            caller: format!("{}:{}", short(meta.file().unwrap_or_default()), meta.line().unwrap_or_default()),
            module: meta.target().to_owned(),
        };
        let line = match self.format {
            LogFormat::Json => json_line(head, fields),
            LogFormat::Logfmt => logfmt_line(&head, &fields),
        };
        self.output.lock().unwrap_or_else(PoisonError::into_inner).line(&line);
    }
}

fn short(file: &str) -> &str {
    file.rsplit('/').next().unwrap_or(file)
}

struct Head {
    ts: String,
    level: String,
    caller: String,
    module: String,
}

#[derive(Default)]
struct Fields {
    message: String,
    others: Vec<(&'static str, Value)>,
}

impl Fields {
    fn add(&mut self, field: &Field, value: Value) {
        self.others.push((field.name(), value));
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let text = format!("{value:?}");
        if field.name() == "message" { self.message = text } else { self.add(field, text.into()) }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" { value.clone_into(&mut self.message) } else { self.add(field, value.into()) }
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.add(field, value.into());
    }
}

fn json_line(head: Head, fields: Fields) -> String {
    let mut line = Map::new();
    for (name, value) in [("caller", head.caller), ("level", head.level), ("module", head.module), ("msg", fields.message), ("ts", head.ts)]
    {
        line.insert(name.to_owned(), json!(value));
    }
    for (name, value) in fields.others {
        line.insert(name.to_owned(), value);
    }
    format!("{}\n", Value::Object(line))
}

fn logfmt_line(head: &Head, fields: &Fields) -> String {
    let mut line = format!("ts={} level={} caller={} module={} msg=", head.ts, head.level, head.caller, head.module);
    push_text(&mut line, &fields.message);
    for (name, value) in &fields.others {
        line.push(' ');
        line.push_str(name);
        line.push('=');
        match value {
            Value::String(text) => push_text(&mut line, text),
            other => drop(write!(line, "{other}")),
        }
    }
    line.push('\n');
    line
}

/// A text, in quotes where it would not be one word.
fn push_text(line: &mut String, text: &str) {
    let plain = !text.is_empty() && text.chars().all(|c| !c.is_whitespace() && !c.is_control() && c != '"' && c != '=');
    if plain { line.push_str(text) } else { line.push_str(&json!(text).to_string()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(modules: &[(&str, LogLevel)]) -> Lines {
        let modules = modules.iter().map(|(name, level)| ((*name).to_owned(), *level)).collect();
        Lines { output: Mutex::new(Output::Terminal(io::stdout())), format: LogFormat::Json, default: LogLevel::Warn, modules }
    }

    #[test]
    fn the_longest_start_of_a_name_counts() {
        let lines = lines(&[("tendermint", LogLevel::Info), ("tendermint/context", LogLevel::Error)]);
        assert_eq!(lines.level("tendermint/p2p"), LogLevel::Info);
        assert_eq!(lines.level("tendermint/context:consensus"), LogLevel::Error);
        assert_eq!(lines.level("worker"), LogLevel::Warn);
    }

    #[test]
    fn lines_can_be_read_again() {
        let head = || Head { ts: "T".into(), level: "info".into(), caller: "a.rs:1".into(), module: "m".into() };
        let fields = || Fields { message: "two words".into(), others: vec![("height", 5.into()), ("peer", "a=b".into())] };
        assert_eq!(logfmt_line(&head(), &fields()), "ts=T level=info caller=a.rs:1 module=m msg=\"two words\" height=5 peer=\"a=b\"\n");
        let line: Value = serde_json::from_str(&json_line(head(), fields())).unwrap();
        assert_eq!((line["msg"].as_str(), line["height"].as_i64()), (Some("two words"), Some(5)));
    }
}
