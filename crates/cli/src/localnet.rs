//! `oasis-node localnet`: a whole network on this machine.

use std::{
    cell::Cell,
    io::{self, IsTerminal, Write, stdout},
    net::SocketAddr,
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use clap::Args;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use oasis_localnet::{Counts, Explorer, Form, Layout, Network, NodeSample, Sample, Transfers, Watch, address, serve};
use oasis_primitives::{address::Address, json::ToJson, signature::Signer};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};

use crate::common::warn;

/// How long the first block may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// After how long without a block that is said.
const STALLED: Duration = Duration::from_secs(10);
/// The most nodes that have a line of their own in a terminal.
const LINES: usize = 12;
/// How often the network is looked at.
const EVERY: Duration = Duration::from_secs(1);

/// What the network is like, and how long it runs.
#[derive(Debug, Args)]
pub struct LocalnetArguments {
    /// Where the network is kept; one that is there goes on.
    #[arg(long, default_value = "localnet")]
    dir: PathBuf,
    /// Validators of a new network (4).
    #[arg(long, value_name = "N", value_parser = |text: &str| number(text, 1, 100, 4))]
    validators: Option<u64>,
    /// Blocks of an epoch of a new network (30).
    #[arg(long, value_name = "BLOCKS", value_parser = |text: &str| number(text, 10, 1_000_000, 30))]
    epoch_interval: Option<u64>,
    /// Milliseconds from a block to the next proposal in a new network (1000).
    #[arg(long, value_name = "MS", value_parser = |text: &str| number(text, 1, 600_000, 1000))]
    timeout_commit: Option<u64>,
    /// Stops after that many seconds; otherwise at Ctrl-C.
    #[arg(long = "for", value_name = "SECONDS", value_parser = |text: &str| number(text, 1, 1_000_000_000, 60))]
    seconds: Option<u64>,
    /// Transfers from the wallet, as load.
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = |text: &str| number(text, 0, 100_000, 50))]
    transfers_per_second: u64,
    /// Prints each look at the network in JSON, a line each.
    #[arg(long)]
    json: bool,
}

/// A whole number between two.
fn number(text: &str, least: u64, most: u64, example: u64) -> Result<u64, String> {
    let number = text.parse().ok().filter(|number| (least..=most).contains(number));
    number.ok_or_else(|| format!("expected a whole number from {least} to {most}, for example {example}"))
}

/// Runs the network until told to stop.
pub fn run(arguments: &LocalnetArguments) -> Result<()> {
    let mut layout = layout(arguments)?;
    let _lock = layout.lock()?;
    layout.renew_ports()?;
    let binary = std::env::current_exe().context("path of this program")?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    runtime.block_on(supervise(arguments, Network::new(layout, &binary).bound()))
}

fn layout(arguments: &LocalnetArguments) -> Result<Layout> {
    let Some(layout) = Layout::open(&arguments.dir)? else {
        let form = Form {
            validators: arguments.validators.unwrap_or(4),
            epoch_interval: arguments.epoch_interval.unwrap_or(30),
            timeout_commit: arguments.timeout_commit.unwrap_or(1000),
            ports: Vec::new(),
        };
        return Ok(Layout::create(&arguments.dir, form)?);
    };
    let form = layout.form();
    let given = [
        ("--validators", arguments.validators, form.validators),
        ("--epoch-interval", arguments.epoch_interval, form.epoch_interval),
        ("--timeout-commit", arguments.timeout_commit, form.timeout_commit),
    ];
    for (flag, wanted, is) in given {
        if let Some(wanted) = wanted.filter(|wanted| *wanted != is) {
            let dir = arguments.dir.display();
            bail!("{flag}: found {wanted}, but the network in {dir} has {is}; name another --dir, or remove that one to begin anew");
        }
    }
    Ok(layout)
}

async fn supervise(arguments: &LocalnetArguments, mut network: Network) -> Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let begun = Instant::now();
    network.start_all()?;
    let view = View::new(arguments.json, network.layout());
    view.begin(network.layout());
    let mut watch = Watch::new(network.layout());
    let (tell, stop) = watch::channel(false);
    let (seen, counts) = watch::channel(Counts::default());
    let (tell_page, sampled) = watch::channel(Sample::default());
    let page = serve(Explorer::new(network.layout(), sampled)?).await?;
    let mut load = None;
    let mut first: Option<(Duration, i64)> = None;
    let mut last = Sample::default();
    let mut risen = Instant::now();
    let mut most = 0;
    // The first block is looked for more often, so that its time is known.
    let mut next = tokio::time::Instant::now();
    let ended = loop {
        tokio::select! {
            _ = interrupt.recv() => break Ok(()),
            _ = terminate.recv() => break Ok(()),
            () = tokio::time::sleep_until(next) => {}
        }
        if let Err(e) = again(&mut network, &last, &view) {
            break Err(e);
        }
        let sample = watch.sample(&network).await;
        most = most.max(sample.memory);
        let running = sample.height > 0;
        if running && first.is_none() {
            first = Some((begun.elapsed(), sample.height));
            view.greet(network.layout(), begun.elapsed(), page);
        }
        if first.is_none() && begun.elapsed() > PATIENCE {
            break Err(anyhow::anyhow!(
                "no block within {} s; the nodes' logs are {}",
                PATIENCE.as_secs(),
                network.layout().node(0).join("node.log").display()
            ));
        }
        // Transfers go to the first node, which may have its first block later than others.
        let takes = sample.nodes.first().is_some_and(|node| node.height > 0);
        if takes && load.is_none() && arguments.transfers_per_second > 0 {
            match Transfers::new(network.layout()).await {
                Ok(transfers) => load = Some(tokio::spawn(transfers.run(arguments.transfers_per_second, seen.clone(), stop.clone()))),
                Err(e) => break Err(e.into()),
            }
        }
        if running {
            tell_page.send_replace(sample.clone());
            if sample.height != last.height {
                risen = Instant::now();
            }
            view.show(&sample, *counts.borrow(), risen.elapsed());
        }
        last = sample;
        match view.closed.get() {
            None => {}
            Some(io::ErrorKind::BrokenPipe) => break Ok(()),
            Some(kind) => break Err(anyhow::anyhow!("the output can't be written: {kind}")),
        }
        if arguments.seconds.is_some_and(|seconds| begun.elapsed() >= Duration::from_secs(seconds)) {
            break Ok(());
        }
        next += if running { EVERY } else { Duration::from_millis(100) };
    };
    tell.send_replace(true);
    if let Some(load) = load {
        let _ = load.await;
    }
    view.clear();
    let stopped = network.stop();
    ended?;
    stopped?;
    if let Some((time, height)) = first {
        let seconds = begun.elapsed().saturating_sub(time).as_secs_f64();
        view.say(&format!(
            "stopped at height {}, epoch {}: first block after {:.1} s, {:.2} s a block, {} transactions ({:.1} a second), most memory in all {:.0} MB",
            last.height,
            last.epoch,
            time.as_secs_f64(),
            seconds / (last.height - height).max(1) as f64,
            last.transactions,
            last.transactions as f64 / seconds.max(1.0),
            megabytes(most),
        ));
    }
    Ok(())
}

/// Starts nodes again that have failed. One that fails before it answers, or for want of space, would do so again: that is an error.
fn again(network: &mut Network, last: &Sample, view: &View) -> Result<()> {
    for (number, end) in network.ended() {
        match end {
            Ok(()) => {
                let config = network.layout().config(number);
                view.say(&format!(
                    "node {number} has stopped as it was told to; worker.registration.force_register: true in {} makes it a validator again",
                    config.display()
                ));
            }
            Err(error) if network.disk_is_full() => {
                let dir = network.layout().root().display();
                bail!("{error}\nno space is left for {dir}; make room, and run the command again");
            }
            Err(error) if last.nodes.get(number).is_some_and(|node| node.answers) => {
                view.say(&format!("{error}\nnode {number} starts again"));
                network.start(number)?;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

/// What a node does.
fn state(node: &NodeSample) -> &'static str {
    match (node.runs, node.answers, node.validator) {
        (false, ..) => "stopped",
        (_, false, _) => "no answer",
        (.., true) => "validator",
        (.., false) => "follows",
    }
}

/// Lines that change in a terminal, or a line a second elsewhere.
struct View {
    json: bool,
    lines: Option<(MultiProgress, Vec<ProgressBar>)>,
    /// Why nothing can be written any more: perhaps nobody reads.
    closed: Cell<Option<io::ErrorKind>>,
}

impl View {
    fn new(json: bool, layout: &Layout) -> Self {
        let lines = (stdout().is_terminal() && !json).then(|| {
            let all = MultiProgress::new();
            let style = |text| ProgressStyle::with_template(text).unwrap_or_else(|_| ProgressStyle::default_bar());
            let line = |text| all.add(ProgressBar::new_spinner().with_style(style(text)));
            let nodes = layout.size().min(LINES);
            let bars = std::iter::once(line("{wide_msg:.bold.cyan}")).chain((0..nodes).map(|_| line("{wide_msg}"))).collect();
            (all, bars)
        });
        Self { json, lines, closed: Cell::new(None) }
    }

    /// A line that stays.
    fn say(&self, text: &str) {
        if self.json {
            warn(text);
        } else if let Some((all, _)) = &self.lines {
            let _ = all.println(text);
        } else {
            self.write(text);
        }
    }

    /// Whoever reads may stop reading.
    fn write(&self, text: impl std::fmt::Display) {
        if let Err(e) = writeln!(stdout(), "{text}") {
            self.closed.set(Some(e.kind()));
        }
    }

    fn begin(&self, layout: &Layout) {
        self.say(&format!("starting {} validators in {}; Ctrl-C stops them", layout.size(), layout.root().display()));
    }

    fn greet(&self, layout: &Layout, time: Duration, page: SocketAddr) {
        let node = address(layout, 0);
        let wallet = layout.signer(&layout.wallet()).map(|key| Address::of_public_key(&key.public_key()).to_string());
        self.say(&format!("{} validators make blocks, {:.1} s after their start. Node 0: {node}", layout.size(), time.as_secs_f64()));
        self.say(&format!("To look at it: http://{page}/"));
        let program = std::env::current_exe().map_or_else(|_| "oasis-node".to_owned(), |path| path.display().to_string());
        if let Ok(wallet) = wallet {
            self.say(&format!("A wallet with tokens: {wallet} (key in {})", layout.wallet().display()));
            self.say("Try:");
            self.say(&format!("  {program} stake account info -a {node} --stake.account.address {wallet}"));
        }
        self.say(&format!("  {program} registry node list -v -a {node}"));
        self.say(&format!("  {program} control status -a {node}"));
    }

    fn show(&self, sample: &Sample, counts: Counts, since: Duration) {
        if self.json {
            self.write(sample.to_json());
            return;
        }
        let memory = megabytes(sample.memory);
        let refused = if counts.refused > 0 { format!(" (refused {})", counts.refused) } else { String::new() };
        let stalled = if since > STALLED { format!("   no block for {} s", since.as_secs()) } else { String::new() };
        let Some((_, bars)) = &self.lines else {
            let peers: Vec<String> = sample.nodes.iter().map(|node| node.peers.to_string()).collect();
            let each: Vec<String> = sample.nodes.iter().map(|node| format!("{:.0}", megabytes(node.memory))).collect();
            self.say(&format!(
                "height {} epoch {} validators {} peers {} transactions {}{refused} memory {memory:.0} MB ({}){stalled}",
                sample.height,
                sample.epoch,
                sample.validators,
                peers.join(","),
                sample.transactions,
                each.join(","),
            ));
            return;
        };
        let mut texts = vec![format!(
            "height {:<8} epoch {:<6} validators {:<4} transactions {}{refused}   memory {memory:.0} MB{stalled}",
            sample.height, sample.epoch, sample.validators, sample.transactions
        )];
        let whole = if sample.nodes.len() > LINES { LINES - 1 } else { sample.nodes.len() };
        let (nodes, rest) = sample.nodes.split_at(whole);
        for (number, node) in nodes.iter().enumerate() {
            let (height, peers, memory) = (node.height, node.peers, megabytes(node.memory));
            texts.push(format!("  node {number:<3} {:<10} height {height:<8} peers {peers:<3} memory {memory:.0} MB", state(node)));
        }
        if !rest.is_empty() {
            let count = |wanted: &str| rest.iter().filter(|node| state(node) == wanted).count();
            let states = ["validator", "follows", "no answer", "stopped"].map(|name| (count(name), name));
            let states: Vec<String> =
                states.iter().filter(|(count, _)| *count > 0).map(|(count, name)| format!("{count} {name}")).collect();
            texts.push(format!("  and {} more: {}", rest.len(), states.join(", ")));
        }
        for (bar, text) in bars.iter().zip(texts) {
            bar.set_message(text);
        }
    }

    fn clear(&self) {
        if let Some((all, _)) = &self.lines {
            let _ = all.clear();
        }
    }
}
