//! Memory with many streams that are open and idle.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::Result;
use oasis_node_service::grpc::Client;
use oasis_primitives::cbor;
use tokio::task::JoinSet;

use super::{
    PATIENCE, Plan,
    network::{Kind, Network, Running, Spec},
    report::Figure,
};

/// What subscribers see before memory is looked at.
const BLOCKS: u64 = 10;
/// What they subscribe to, in turn.
const METHODS: [&str; 2] = ["oasis-core.Consensus/WatchBlocks", "oasis-core.Staking/WatchEvents"];

/// A message of no bytes: the original's streams without arguments take nothing else.
struct Nothing;

impl cbor::Encode for Nothing {
    fn encode(&self, _: &mut cbor::Encoder) {}
}

pub fn measure(plan: &Plan<'_>) -> Result<(Vec<Figure>, String)> {
    let measured = plan.each(|kind| one(plan, kind))?;
    let count = plan.options.subscribers;
    let (with, each) = measured.into_iter().map(|(before, with)| (with, (with - before) * 1024.0 / count.max(1) as f64)).unzip();
    let figures = vec![
        Figure {
            name: "subscribers_memory_mib".to_owned(),
            title: format!("resident memory with {count} subscribers"),
            unit: "MB",
            digits: 0,
            more: false,
            goal: "",
            values: with,
        },
        Figure {
            name: "subscriber_memory_kib".to_owned(),
            title: "what a subscriber takes of it".to_owned(),
            unit: "KB",
            digits: 1,
            more: false,
            goal: "",
            values: each,
        },
    ];
    let note = "Subscribers had a connection each, half of them for blocks, half for events of accounts, and read what came for 10 blocks.";
    Ok((figures, note.to_owned()))
}

/// Memory before and with subscribers.
fn one(plan: &Plan<'_>, kind: &Kind) -> Result<(f64, f64)> {
    plan.say(format_args!("subscribers: {}", kind.name));
    let network = Network::new(plan.dir.join(format!("subscribers-{}", kind.name)), &Spec { validators: 1, ..Spec::default() })?;
    let mut node = network.start(plan.processes, 0, kind, &[])?;
    node.wait_height(BLOCKS, PATIENCE)?;
    let before = node.memory()?;
    let runtime = tokio::runtime::Runtime::new()?;
    let with = runtime.block_on(subscribe(&mut node, plan.options.subscribers));
    runtime.shutdown_timeout(Duration::from_secs(1));
    Ok((before, with?))
}

async fn subscribe(node: &mut Running, count: usize) -> Result<f64> {
    let mut readers = JoinSet::<Result<()>>::new();
    // Who hears of blocks; events of accounts there are none.
    let (heard, of_blocks) = (Arc::new(AtomicUsize::new(0)), count.div_ceil(METHODS.len()));
    for method in METHODS.iter().cycle().take(count) {
        let client = Client::connect_unix(&node.socket).await?;
        let heard = Arc::clone(&heard);
        readers.spawn(async move {
            // The original answers a stream with its first message, so that nothing may wait for the answer.
            let mut watch = client.watch(method, &Nothing).await?;
            let mut first = true;
            // Nobody ends a stream but this program.
            while watch.next::<cbor::RawCbor>().await?.is_some() {
                heard.fetch_add(usize::from(std::mem::take(&mut first)), Ordering::Relaxed);
            }
            anyhow::bail!("a stream has ended")
        });
    }
    let start = Instant::now();
    while heard.load(Ordering::Relaxed) < of_blocks {
        if let Some(ended) = readers.try_join_next() {
            ended??;
        }
        anyhow::ensure!(start.elapsed() < PATIENCE, "of {of_blocks} subscribers {} have heard of a block", heard.load(Ordering::Relaxed));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let height = node.height + BLOCKS;
    node.wait_height(height, PATIENCE)?;
    let memory = node.memory();
    if let Some(ended) = readers.try_join_next() {
        ended??;
    }
    memory
}
