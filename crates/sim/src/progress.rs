//! What was done, in a file, for a run of many seeds that stops in between.
//!
//! A line a seed: its number, its blocks, and `ok` or its violation. The first line says what kind of run it is.

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io::{ErrorKind, Write},
    path::Path,
    sync::{Mutex, PoisonError},
};

use crate::options::Settings;

/// Blocks, and the violation.
type Done = (u64, Option<String>);

/// What was done before, and where what is done now goes.
#[derive(Default)]
pub struct Progress {
    done: BTreeMap<u64, Done>,
    file: Option<Mutex<File>>,
}

fn parse(line: &str) -> Option<(u64, Done)> {
    let mut words = line.splitn(3, ' ');
    let (seed, blocks, what) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?, words.next()?);
    Some((seed, (blocks, (what != "ok").then(|| what.to_owned()))))
}

fn read(text: &str, kind: &str) -> Result<BTreeMap<u64, Done>, String> {
    // A last line that is not whole was being written when the run stopped.
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let mut lines = whole.lines();
    match lines.next() {
        Some(first) if first != kind => Err(format!("it is of other runs ({first}; these are {kind}): use another file")),
        _ => lines.map(|line| parse(line).ok_or_else(|| format!("expected seed, blocks and result, found {line:?}"))).collect(),
    }
}

impl Progress {
    /// Reads what was done before.
    pub fn open(settings: &Settings) -> Result<Self, String> {
        let Some(path) = &settings.resume else { return Ok(Self::default()) };
        let kind = format!("{} blocks, validators {:?}, planted {:?}", settings.blocks, settings.validators, settings.planted);
        Self::at(path, &kind).map_err(|e| format!("{}: {e}", path.display()))
    }

    fn at(path: &Path, kind: &str) -> Result<Self, String> {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(e) if e.kind() == ErrorKind::NotFound => String::new(),
            Err(e) => return Err(e.to_string()),
        };
        let done = read(&text, kind)?;
        let open = || -> std::io::Result<File> {
            let mut file = OpenOptions::new().create(true).append(true).open(path)?;
            file.set_len(text.rfind('\n').map_or(0, |end| end + 1) as u64)?;
            if !text.contains('\n') {
                writeln!(file, "{kind}")?;
            }
            Ok(file)
        };
        Ok(Self { done, file: Some(Mutex::new(open().map_err(|e| e.to_string())?)) })
    }

    /// What was done before with a seed.
    pub fn done(&self, seed: u64) -> Option<&Done> {
        self.done.get(&seed)
    }

    /// Notes what came of a seed.
    pub fn add(&self, seed: u64, blocks: u64, failure: Option<&str>) -> Result<(), String> {
        let Some(file) = &self.file else { return Ok(()) };
        let line = format!("{seed} {blocks} {}\n", failure.unwrap_or("ok").replace('\n', " "));
        file.lock().unwrap_or_else(PoisonError::into_inner).write_all(line.as_bytes()).map_err(|e| format!("--resume: {e}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_lines_of_the_same_kind_of_run_count() {
        let done = read("kind\n7 500 ok\n8 3 agreement: x\n9 50", "kind").unwrap();
        assert_eq!(done.get(&7), Some(&(500, None)));
        assert_eq!(done.get(&8), Some(&(3, Some("agreement: x".to_owned()))));
        assert_eq!(done.len(), 2);
        assert!(read("", "kind").unwrap().is_empty() && read("other\n", "kind").is_err() && read("kind\n7\n", "kind").is_err());
    }
}
