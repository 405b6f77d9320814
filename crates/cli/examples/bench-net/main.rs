//! Figures of networks on this machine, ours and beside them the original's: block sync, what an idle validator takes, and the
//! first block of a fresh network.
//!
//! Run by `./x bench net [--go PATH]`. Everything lives in a temporary directory and on free ports of loopback; what was started
//! is stopped at the end, on failure, and when this is told to stop.

mod measure;
mod network;
mod report;

use std::{path::PathBuf, process::ExitCode, time::Duration};

use anyhow::{Context, Result};
use clap::Parser;

use measure::Plan;
use network::{Kind, Processes};

/// What to measure and how.
#[derive(Clone, Debug, Parser)]
#[command(name = "bench-net")]
struct Options {
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
    let dir = tempfile::Builder::new().prefix("bench-net").tempdir()?;
    let mut kinds = vec![Kind::ours(&options.ours)?];
    if let Some(go) = &options.go {
        kinds.push(Kind::go(go)?);
    }
    let plan = Plan { dir: dir.path(), processes, kinds: &kinds, blocks: options.blocks, idle: Duration::from_secs(options.seconds) };
    let figures = plan.measure().inspect_err(|_| processes.end())?;
    let table = report::markdown(&figures);
    if let Some(parent) = options.out.parent() {
        std::fs::create_dir_all(parent)?;
    }
    std::fs::write(&options.out, &table).with_context(|| options.out.display().to_string())?;
    if options.json {
        println!("{}", report::json(&figures))
    } else {
        print!("{table}")
    }
    eprintln!("written to {}", options.out.display());
    Ok(())
}
