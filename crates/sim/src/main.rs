//! `./x sim`: many seeds on all cores, or the table of network sizes.

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::Instant,
};

use indicatif::{ProgressBar, ProgressStyle};
use oasis_sim::{Options, Planted, Report, run};

const HELP: &str = "\
usage: ./x sim [OPTIONS]

  --seeds N         how many seeds (100)
  --first-seed S    the first (0)
  --blocks B        blocks of each run (500)
  --validators N    validators of each run (4 to 7, as the seed says)
  --planted BUG     lock, vote or evidence: stops at the first seed that finds the bug, and fails if none does
  --table           instead: networks of 4 to 100 validators without faults, as Markdown
  --output DIR      where timelines of failures go (target/sim)
";

/// Sizes of the networks in the table.
const SIZES: [usize; 5] = [4, 7, 20, 50, 100];
/// Blocks of each.
const TABLE_BLOCKS: i64 = 10;

struct Settings {
    seeds: u64,
    first: u64,
    blocks: i64,
    validators: Option<usize>,
    planted: Option<Planted>,
    table: bool,
    output: PathBuf,
}

fn parse(args: &[String]) -> Result<Option<Settings>, String> {
    let mut settings = Settings {
        seeds: 100,
        first: 0,
        blocks: 500,
        validators: None,
        planted: None,
        table: false,
        output: Path::new("target/sim").to_owned(),
    };
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        if arg == "--table" {
            settings.table = true;
            continue;
        }
        if arg == "--help" {
            return Ok(None);
        }
        let value = args.next().ok_or_else(|| format!("{arg}: expected a value\n\n{HELP}"))?;
        let number = || value.parse::<u64>().map_err(|_| format!("{arg}: expected a number, found {value:?}"));
        match arg.as_str() {
            "--seeds" => settings.seeds = number()?,
            "--first-seed" => settings.first = number()?,
            "--blocks" => settings.blocks = number()?.clamp(1, 1_000_000).cast_signed(),
            "--validators" => settings.validators = Some(number()?.clamp(1, 200) as usize),
            "--output" => settings.output = PathBuf::from(value),
            "--planted" => {
                settings.planted = Some(match value.as_str() {
                    "lock" => Planted::Lock,
                    "vote" => Planted::Vote,
                    "evidence" => Planted::Evidence,
                    other => return Err(format!("--planted: expected lock, vote or evidence, found {other:?}")),
                });
            }
            other => return Err(format!("unknown option {other:?}\n\n{HELP}")),
        }
    }
    Ok(Some(settings))
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let result = match parse(&args) {
        Ok(None) => {
            print!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Ok(Some(settings)) if settings.table => table(),
        Ok(Some(settings)) => seeds(&settings),
        Err(e) => Err(e),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("error: {e}");
            ExitCode::FAILURE
        }
    }
}

fn write(report: &Report, directory: &Path) -> Result<PathBuf, String> {
    let path = directory.join(format!("seed-{}.txt", report.seed));
    let text = format!("seed {}\n{:#?}\n\n{}", report.seed, report.plan, report.timeline);
    fs::create_dir_all(directory).and_then(|()| fs::write(&path, text)).map_err(|e| format!("{}: {e}", path.display()))?;
    Ok(path)
}

fn seeds(settings: &Settings) -> Result<(), String> {
    let bar = ProgressBar::new(settings.seeds);
    let style = "{elapsed} {bar:30} {pos}/{len} seeds, {eta} left {msg}";
    bar.set_style(ProgressStyle::with_template(style).map_err(|e| e.to_string())?);
    let (next, done, blocks, stop) = (AtomicU64::new(settings.first), AtomicU64::new(0), AtomicU64::new(0), AtomicBool::new(false));
    let failures: Mutex<Vec<(u64, String)>> = Mutex::new(Vec::new());
    let note = |seed: u64, text: String| {
        bar.suspend(|| println!("seed {seed}: {text}"));
        failures.lock().unwrap_or_else(PoisonError::into_inner).push((seed, text));
    };
    let began = Instant::now();
    let work = || {
        while !stop.load(Ordering::Relaxed) {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= settings.first.saturating_add(settings.seeds) {
                return;
            }
            let options =
                Options { seed, blocks: settings.blocks, validators: settings.validators, faults: true, planted: settings.planted };
            match run(options) {
                Ok(report) => {
                    blocks.fetch_add(report.height.unsigned_abs(), Ordering::Relaxed);
                    if let Some(violation) = &report.violation {
                        let place = write(&report, &settings.output).map_or_else(|e| e, |p| p.display().to_string());
                        note(seed, format!("{violation}; timeline: {place}"));
                        stop.store(settings.planted.is_some(), Ordering::Relaxed);
                    }
                }
                Err(e) => note(seed, e),
            }
            done.fetch_add(1, Ordering::Relaxed);
            let rate = blocks.load(Ordering::Relaxed) as f64 / began.elapsed().as_secs_f64();
            bar.set_message(format!("({rate:.0} blocks/s)"));
            bar.inc(1);
        }
    };
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(work);
        }
    });
    bar.finish_and_clear();
    let failures = failures.into_inner().unwrap_or_else(PoisonError::into_inner);
    let (done, blocks) = (done.into_inner(), blocks.into_inner());
    let seconds = began.elapsed().as_secs_f64();
    println!(
        "{done} seeds, {blocks} blocks in {seconds:.0} s ({:.1} blocks/s), {} with a violation",
        blocks as f64 / seconds,
        failures.len()
    );
    match (settings.planted, failures.is_empty()) {
        (None, true) | (Some(_), false) => Ok(()),
        (Some(bug), true) => Err(format!("the planted bug ({bug:?}) was not found")),
        (None, false) => Err(format!("seeds with a violation: {:?}", failures.iter().map(|(seed, _)| *seed).collect::<Vec<_>>())),
    }
}

fn table() -> Result<(), String> {
    println!("| Validators | Messages a block | of one node | Kilobytes a block | of one node | Time to decide, s |");
    println!("|---:|---:|---:|---:|---:|---:|");
    for size in SIZES {
        let report = run(Options { seed: 1, blocks: TABLE_BLOCKS, validators: Some(size), faults: false, planted: None })?;
        if let Some(violation) = report.violation {
            return Err(format!("{size} validators: {violation}"));
        }
        let blocks = report.height.max(1) as f64;
        let (messages, kilobytes) = (report.messages as f64 / blocks, report.bytes as f64 / blocks / 1000.0);
        let nodes = size as f64;
        println!(
            "| {size} | {messages:.0} | {:.0} | {kilobytes:.0} | {:.1} | {:.2} |",
            messages / nodes,
            kilobytes / nodes,
            report.decided_in
        );
    }
    Ok(())
}
