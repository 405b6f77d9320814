//! Figures of networks on this machine, ours and beside them the original's.
//!
//! Run by `./x bench net [NAME…] [--go PATH]`. Everything lives in a temporary directory and on free ports of loopback; what was
//! started is stopped at the end, on failure, and when this is told to stop.

mod api;
mod caller;
mod idle;
mod network;
mod report;
mod start;
mod subscribers;
mod sync;
mod transfers;
mod wire;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use clap::Parser;

use network::{Kind, Processes};
use report::{Figure, Results};

/// How long a node may stand still, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// A measurement: figures, and a sentence about how they came about.
type Measure = fn(&Plan<'_>) -> Result<(Vec<Figure>, String)>;

/// What can be measured.
const MEASUREMENTS: [(&str, Measure); 6] = [
    ("start", start::measure),
    ("sync", sync::measure),
    ("idle", idle::measure),
    ("transfers", transfers::measure),
    ("api", api::measure),
    ("subscribers", subscribers::measure),
];

/// What to measure and how.
#[derive(Clone, Debug, Parser)]
#[command(name = "bench-net")]
struct Options {
    /// What to measure: start, sync, idle, transfers, api, subscribers; everything where none is named.
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// Our program.
    #[arg(long)]
    ours: PathBuf,
    /// The original's program, to be measured beside it.
    #[arg(long)]
    go: Option<PathBuf>,
    /// Print JSON rather than a table.
    #[arg(long)]
    json: bool,
    /// Where to write the table.
    #[arg(long, default_value = "target/bench-net.md")]
    out: PathBuf,
    /// Blocks of the chain that is synced.
    #[arg(long, default_value_t = 10_000)]
    blocks: u64,
    /// Seconds over which idle validators are watched.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Seconds of load, for transfers and for each kind of call.
    #[arg(long, default_value_t = 10)]
    load_seconds: u64,
    /// Streams that are kept open.
    #[arg(long, default_value_t = 1000)]
    subscribers: usize,
    /// Keep the networks' files, and say where they are.
    #[arg(long)]
    keep: bool,
}

/// What is to be measured where.
struct Plan<'a> {
    options: &'a Options,
    /// Where networks are made.
    dir: &'a Path,
    /// Where processes are kept.
    processes: &'a Processes,
    /// The programs; ours first.
    kinds: &'a [Kind],
    begun: Instant,
}

impl Plan<'_> {
    /// Tells people how far it is.
    fn say(&self, text: impl std::fmt::Display) {
        eprintln!("{:4} s  {text}", self.begun.elapsed().as_secs());
    }

    fn load_time(&self) -> Duration {
        Duration::from_secs(self.options.load_seconds)
    }

    /// Measures each program in turn.
    fn each<T>(&self, mut measure: impl FnMut(&Kind) -> Result<T>) -> Result<Vec<T>> {
        self.kinds.iter().map(|kind| measure(kind).with_context(|| kind.name)).collect()
    }
}

fn main() -> ExitCode {
    match start(Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn start(options: Options) -> Result<()> {
    if let Some(name) = options.names.iter().find(|name| !MEASUREMENTS.iter().any(|(known, _)| known == name)) {
        let known: Vec<&str> = MEASUREMENTS.iter().map(|(name, _)| *name).collect();
        bail!("expected one of {}, found {name:?}", known.join(", "));
    }
    let runtime = tokio::runtime::Runtime::new()?;
    let processes = Processes::default();
    let result = runtime.block_on(async {
        let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
        let measured = tokio::task::spawn_blocking({
            let processes = processes.clone();
            move || run(&options, &processes)
        });
        tokio::select! {
            result = measured => result.context("the measurement has ended early")?,
            _ = tokio::signal::ctrl_c() => Err(anyhow::anyhow!("interrupted")),
            _ = terminate.recv() => Err(anyhow::anyhow!("told to stop")),
        }
    });
    // Without a process left the measurement ends too, and takes its directory with it.
    processes.end();
    runtime.shutdown_timeout(Duration::from_secs(5));
    result
}

fn run(options: &Options, processes: &Processes) -> Result<()> {
    let mut dir = tempfile::Builder::new().prefix("bench-net").tempdir()?;
    if options.keep {
        dir.disable_cleanup(true);
        eprintln!("files in {}", dir.path().display());
    }
    let mut kinds = vec![Kind::ours(&options.ours)?];
    if let Some(go) = &options.go {
        kinds.push(Kind::go(go)?);
    }
    let plan = Plan { options, dir: dir.path(), processes, kinds: &kinds, begun: Instant::now() };
    let mut results = Results::new(&kinds)?;
    for (name, measure) in MEASUREMENTS {
        if options.names.is_empty() || options.names.iter().any(|wanted| wanted == name) {
            let measured = measure(&plan).with_context(|| name).inspect_err(|_| processes.end())?;
            results.add(measured);
        }
    }
    results.end();
    let table = results.markdown();
    if let Some(parent) = options.out.parent() {
        std::fs::create_dir_all(parent)?;
    }
    std::fs::write(&options.out, &table).with_context(|| options.out.display().to_string())?;
    if options.json {
        println!("{}", results.json())
    } else {
        print!("{table}")
    }
    eprintln!("written to {}", options.out.display());
    Ok(())
}
