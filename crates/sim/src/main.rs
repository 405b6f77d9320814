//! `./x sim`: many seeds on all cores, or the table of network sizes.

mod options;
mod progress;
mod table;

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

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use oasis_sim::{Options, Report, run};
use serde_json::json;

use crate::{
    options::{HELP, Settings, parse},
    progress::Progress,
};

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let result = match parse(&args) {
        Ok(None) => {
            print!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Ok(Some(settings)) if settings.table => table::print(settings.json),
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

fn place(directory: &Path, seed: u64) -> PathBuf {
    directory.join(format!("seed-{seed}.txt"))
}

fn write(report: &Report, directory: &Path) -> Result<(), String> {
    let path = place(directory, report.seed);
    let text = format!("seed {}\n{:#?}\n\n{}", report.seed, report.plan, report.timeline);
    fs::create_dir_all(directory).and_then(|()| fs::write(&path, text)).map_err(|e| format!("{}: {e}", path.display()))
}

/// What came of all seeds.
#[derive(Default)]
struct Total {
    seeds: AtomicU64,
    blocks: AtomicU64,
    failures: Mutex<Vec<(u64, String)>>,
}

impl Total {
    fn add(&self, seed: u64, blocks: u64, failure: Option<&str>) {
        self.seeds.fetch_add(1, Ordering::Relaxed);
        self.blocks.fetch_add(blocks, Ordering::Relaxed);
        if let Some(failure) = failure {
            self.failures.lock().unwrap_or_else(PoisonError::into_inner).push((seed, failure.to_owned()));
        }
    }
}

fn bar(settings: &Settings) -> Result<ProgressBar, String> {
    let bar = ProgressBar::new(settings.seeds);
    let style = "{elapsed} {bar:30} {pos}/{len} seeds, {eta} left {msg}";
    bar.set_style(ProgressStyle::with_template(style).map_err(|e| e.to_string())?);
    if settings.json {
        bar.set_draw_target(ProgressDrawTarget::hidden());
    }
    Ok(bar)
}

fn seeds(settings: &Settings) -> Result<(), String> {
    let progress = Progress::open(settings)?;
    let bar = bar(settings)?;
    let (next, stop, total) = (AtomicU64::new(settings.first), AtomicBool::new(false), Total::default());
    let error: Mutex<Option<String>> = Mutex::new(None);
    let began = Instant::now();
    let last = settings.first.saturating_add(settings.seeds);
    let one = |seed: u64| -> Result<(), String> {
        let (blocks, failure) = match progress.done(seed) {
            Some((blocks, failure)) => (*blocks, failure.clone()),
            None => {
                let Settings { blocks, validators, planted, .. } = *settings;
                let report = run(Options { seed, blocks, validators, faults: true, planted })?;
                let failure = report.violation.as_ref().map(ToString::to_string);
                if failure.is_some() {
                    write(&report, &settings.output)?;
                }
                let blocks = report.height.unsigned_abs();
                progress.add(seed, blocks, failure.as_deref())?;
                (blocks, failure)
            }
        };
        total.add(seed, blocks, failure.as_deref());
        if let Some(failure) = failure {
            stop.fetch_or(settings.planted.is_some(), Ordering::Relaxed);
            if !settings.json {
                let place = place(&settings.output, seed);
                bar.suspend(|| println!("seed {seed}: {failure}; timeline: {}", place.display()));
            }
        }
        let rate = total.blocks.load(Ordering::Relaxed) as f64 / began.elapsed().as_secs_f64();
        bar.set_message(format!("({rate:.0} blocks/s)"));
        bar.inc(1);
        Ok(())
    };
    let work = || {
        while !stop.load(Ordering::Relaxed) {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= last {
                return;
            }
            if let Err(e) = one(seed) {
                error.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(e);
                return;
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..settings.jobs {
            scope.spawn(work);
        }
    });
    bar.finish_and_clear();
    match error.into_inner().unwrap_or_else(PoisonError::into_inner) {
        Some(e) => Err(e),
        None => conclude(settings, total, began.elapsed().as_secs_f64()),
    }
}

fn conclude(settings: &Settings, total: Total, seconds: f64) -> Result<(), String> {
    let mut failures = total.failures.into_inner().unwrap_or_else(PoisonError::into_inner);
    failures.sort();
    let (done, blocks) = (total.seeds.into_inner(), total.blocks.into_inner());
    if settings.json {
        let list: Vec<_> = failures.iter().map(|(seed, what)| json!({ "seed": seed, "violation": what })).collect();
        println!("{}", json!({ "seeds": done, "blocks": blocks, "seconds": seconds, "violations": list }));
    } else {
        let rate = blocks as f64 / seconds;
        println!("{done} seeds, {blocks} blocks in {seconds:.0} s ({rate:.1} blocks/s), {} with a violation", failures.len());
    }
    match (settings.planted, failures.is_empty()) {
        (None, true) | (Some(_), false) => Ok(()),
        (Some(bug), true) => Err(format!("the planted bug ({bug:?}) was not found")),
        (None, false) => Err(format!("seeds with a violation: {:?}", failures.iter().map(|(seed, _)| *seed).collect::<Vec<_>>())),
    }
}
