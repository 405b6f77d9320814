//! The measurements.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};

use super::network::{self, Kind, Network, Processes, Running, Spec};

/// How long a node may stand still, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);
/// What an idle validator does before it is watched.
const WARM_UP: Duration = Duration::from_secs(20);
/// Fresh networks whose first block is timed.
const FIRST_BLOCKS: usize = 3;
/// Milliseconds from a block to the next proposal, in networks like those in use.
const TIMEOUT_COMMIT: u64 = 1000;

/// What is to be measured where.
pub struct Plan<'a> {
    /// Where networks are made.
    pub dir: &'a Path,
    /// Where processes are kept.
    pub processes: &'a Processes,
    /// The programs; ours first.
    pub kinds: &'a [Kind],
    /// Blocks of the chain that is synced.
    pub blocks: u64,
    /// How long idle validators are watched.
    pub idle: Duration,
}

/// What was measured of one program.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    /// What the program is called.
    pub name: &'static str,
    /// Blocks a second of block sync.
    pub sync_rate: f64,
    /// Resident memory after block sync, KiB.
    pub sync_memory: u64,
    /// Resident memory of an idle validator, KiB.
    pub idle_memory: u64,
    /// Processor time of an idle validator, per cent of a core.
    pub idle_processor: f64,
    /// Seconds from the start of the process to the first block, the median.
    pub first_block: f64,
}

/// All figures, and what they hang on.
pub struct Results {
    /// Ours first.
    pub programs: Vec<Figures>,
    /// Blocks that were synced.
    pub blocks: u64,
    /// Blocks that the idle network made in the time that it was watched.
    pub idle_blocks: u64,
    /// That time.
    pub idle: Duration,
    /// Processor cores, and how busy the machine was at the start and at the end.
    pub cores: usize,
    /// Load averages over a minute.
    pub loads: (String, String),
}

impl Plan<'_> {
    /// Measures everything, one thing at a time.
    pub fn measure(&self) -> Result<Results> {
        let before = load();
        let mut programs: Vec<Figures> = self.kinds.iter().map(|k| Figures { name: k.name, ..Figures::default() }).collect();
        self.first_blocks(&mut programs).context("first block")?;
        let blocks = self.block_sync(&mut programs).context("block sync")?;
        let idle_blocks = self.idle(&mut programs).context("idle validators")?;
        let cores = std::thread::available_parallelism()?.get();
        Ok(Results { programs, blocks, idle_blocks, idle: self.idle, cores, loads: (before, load()) })
    }

    fn first_blocks(&self, programs: &mut [Figures]) -> Result<()> {
        let spec = Spec {
            validators: 1,
            followers: 0,
            timeout_commit: TIMEOUT_COMMIT,
            skip_timeout_commit: false,
            epoch_interval: 30,
            register: true,
            scratch: None,
        };
        for (kind, figures) in self.kinds.iter().zip(programs) {
            eprintln!("first block of a fresh network: {}", kind.name);
            let mut times = Vec::new();
            for turn in 0..FIRST_BLOCKS {
                let network = Network::new(self.dir.join(format!("first-{}-{turn}", kind.name)), &spec)?;
                let mut node = network.start(self.processes, 0, kind, &[])?;
                let seen = node.wait_height(1, PATIENCE)?;
                times.push(seen.duration_since(node.started).as_secs_f64());
            }
            times.sort_by(f64::total_cmp);
            figures.first_block = times.get(FIRST_BLOCKS / 2).copied().unwrap_or_default();
        }
        Ok(())
    }

    /// A chain is made by a validator alone, copied by block sync to a node that makes none, and fetched from there: so that
    /// nobody else has work while it is measured.
    fn block_sync(&self, programs: &mut [Figures]) -> Result<u64> {
        let ours = self.kinds.first().context("no program")?;
        let scratch = network::scratch(self.dir)?;
        let spec = Spec {
            validators: 1,
            followers: 1 + self.kinds.len(),
            timeout_commit: 1,
            skip_timeout_commit: true,
            epoch_interval: 500,
            register: false,
            scratch: Some((scratch.path().to_owned(), 2)),
        };
        let network = Network::new(self.dir.join("sync"), &spec)?;
        eprintln!("making a chain of {} blocks", self.blocks);
        let (validator, source) = (0, 1);
        let mut maker = network.start(self.processes, validator, ours, &[])?;
        maker.wait_height(self.blocks, PATIENCE)?;
        maker.stop()?;
        let maker = network.start(self.processes, validator, ours, &[])?;
        let mut copier = network.start(self.processes, source, ours, &[validator])?;
        copier.wait_height(self.blocks, PATIENCE)?;
        drop(maker);
        // What is on its way still comes.
        std::thread::sleep(Duration::from_secs(1));
        copier.wait_height(self.blocks, PATIENCE)?;
        // The last block has no successor that proves it.
        let target = copier.height.saturating_sub(2);
        copier.stop()?;
        let _source = network.start(self.processes, source, ours, &[])?;
        for (at, (kind, figures)) in self.kinds.iter().zip(programs).enumerate() {
            eprintln!("block sync: {}", kind.name);
            let mut node = network.start(self.processes, source + 1 + at, kind, &[source])?;
            let first = node.wait_height(1, PATIENCE)?;
            let from = node.height;
            let last = node.wait_height(target, PATIENCE)?;
            figures.sync_rate = (node.height - from) as f64 / last.duration_since(first).as_secs_f64();
            figures.sync_memory = node.memory()?;
        }
        Ok(target)
    }

    /// Four validators, each program with as many as the other, in one network at one time.
    fn idle(&self, programs: &mut [Figures]) -> Result<u64> {
        const VALIDATORS: usize = 4;
        let spec = Spec {
            validators: VALIDATORS,
            followers: 0,
            timeout_commit: TIMEOUT_COMMIT,
            skip_timeout_commit: false,
            epoch_interval: 30,
            register: true,
            scratch: None,
        };
        eprintln!("idle validators, {} s", (WARM_UP + self.idle).as_secs());
        let network = Network::new(self.dir.join("idle"), &spec)?;
        let all: Vec<usize> = (0..VALIDATORS).collect();
        let mut nodes: Vec<(&Kind, Running)> = Vec::new();
        for (number, kind) in all.iter().zip(self.kinds.iter().cycle()) {
            nodes.push((kind, network.start(self.processes, *number, kind, &all)?));
        }
        for (_, node) in &mut nodes {
            node.wait_height(3, PATIENCE)?;
        }
        std::thread::sleep(WARM_UP);
        let height = |nodes: &mut Vec<(&Kind, Running)>| -> Result<u64> {
            nodes
                .iter_mut()
                .map(|(_, node)| node.wait_height(1, PATIENCE).map(|_| node.height))
                .max_by_key(|h| h.as_ref().ok().copied())
                .context("no node")?
        };
        let from = height(&mut nodes)?;
        let start = Instant::now();
        let before: Vec<Duration> = nodes.iter().map(|(_, node)| node.processor_time()).collect::<Result<_>>()?;
        std::thread::sleep(self.idle);
        let after: Vec<Duration> = nodes.iter().map(|(_, node)| node.processor_time()).collect::<Result<_>>()?;
        let elapsed = start.elapsed().as_secs_f64();
        for figures in programs {
            let mut count = 0u64;
            for (((kind, node), before), after) in nodes.iter().zip(&before).zip(&after) {
                if kind.name == figures.name {
                    count += 1;
                    figures.idle_processor += 100.0 * after.saturating_sub(*before).as_secs_f64() / elapsed;
                    figures.idle_memory += node.memory()?;
                }
            }
            figures.idle_processor /= count as f64;
            figures.idle_memory = figures.idle_memory.checked_div(count).unwrap_or_default();
        }
        Ok(height(&mut nodes)?.saturating_sub(from))
    }
}

fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or_default().to_owned()
}
