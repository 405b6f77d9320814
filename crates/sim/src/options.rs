//! The command line.

use std::{
    path::{Path, PathBuf},
    thread,
};

use oasis_sim::Planted;

/// What `--help` prints.
pub const HELP: &str = "\
usage: ./x sim [OPTIONS]

  --seeds N         how many seeds (100)
  --first-seed S    the first (0)
  --blocks B        blocks of each run (500)
  --validators N    validators of each run (4 to 7, as the seed says)
  --planted BUG     lock, vote or evidence: stops at the first seed that finds the bug, and fails if none does
  --table           instead: networks of 4 to 100 validators without faults, as Markdown
  --json            prints the result as JSON
  --jobs N          how many runs at a time (one a core)
  --resume FILE     keeps what was done in a file, and goes on from there; made by one version of this program
  --output DIR      where timelines of failures go (target/sim)
";

/// What to do.
pub struct Settings {
    pub seeds: u64,
    pub first: u64,
    pub blocks: i64,
    pub validators: Option<usize>,
    pub planted: Option<Planted>,
    pub table: bool,
    pub json: bool,
    pub jobs: usize,
    pub resume: Option<PathBuf>,
    pub output: PathBuf,
}

/// Reads the command line; nothing if help is asked for.
pub fn parse(args: &[String]) -> Result<Option<Settings>, String> {
    let mut settings = Settings {
        seeds: 100,
        first: 0,
        blocks: 500,
        validators: None,
        planted: None,
        table: false,
        json: false,
        jobs: thread::available_parallelism().map_or(1, usize::from),
        resume: None,
        output: Path::new("target/sim").to_owned(),
    };
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--table" => settings.table = true,
            "--json" => settings.json = true,
            "--help" => return Ok(None),
            _ => {
                let value = args.next().ok_or_else(|| format!("{arg}: unknown, or without its value\n\n{HELP}"))?;
                settings.set(arg, value)?;
            }
        }
    }
    Ok(Some(settings))
}

impl Settings {
    fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        let number = || value.parse::<u64>().map_err(|_| format!("{name}: expected a number, found {value:?}"));
        match name {
            "--seeds" => self.seeds = number()?,
            "--first-seed" => self.first = number()?,
            "--blocks" => self.blocks = number()?.clamp(1, 1_000_000).cast_signed(),
            "--validators" => self.validators = Some(number()?.clamp(1, 200) as usize),
            "--jobs" => self.jobs = number()?.clamp(1, 1_000) as usize,
            "--resume" => self.resume = Some(PathBuf::from(value)),
            "--output" => self.output = PathBuf::from(value),
            "--planted" => {
                self.planted = Some(match value {
                    "lock" => Planted::Lock,
                    "vote" => Planted::Vote,
                    "evidence" => Planted::Evidence,
                    other => return Err(format!("--planted: expected lock, vote or evidence, found {other:?}")),
                });
            }
            other => return Err(format!("unknown option {other:?}\n\n{HELP}")),
        }
        Ok(())
    }
}
