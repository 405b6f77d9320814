//! Block sync.

use std::time::Duration;

use anyhow::{Context, Result};

use super::{
    PATIENCE, Plan,
    network::{self, Network, Spec},
    report::Figure,
};

/// A chain is made by a validator alone, copied by block sync to a node that makes none, and fetched from there: so that
/// nobody else has work while it is measured.
pub fn measure(plan: &Plan<'_>) -> Result<(Vec<Figure>, String)> {
    let ours = plan.kinds.first().context("no program")?;
    let blocks = plan.options.blocks;
    let scratch = network::scratch(plan.dir)?;
    let spec = Spec {
        validators: 1,
        followers: 1 + plan.kinds.len(),
        timeout_commit: 1,
        epoch_interval: 500,
        register: false,
        scratch: Some((scratch.path().to_owned(), 2)),
        ..Spec::default()
    };
    let network = Network::new(plan.dir.join("sync"), &spec)?;
    plan.say(format_args!("making a chain of {blocks} blocks"));
    let (validator, source) = (0, 1);
    let mut maker = network.start(plan.processes, validator, ours, &[])?;
    maker.wait_height(blocks, PATIENCE)?;
    maker.stop()?;
    let maker = network.start(plan.processes, validator, ours, &[])?;
    let mut copier = network.start(plan.processes, source, ours, &[validator])?;
    copier.wait_height(blocks, PATIENCE)?;
    drop(maker);
    // What is on its way still comes.
    std::thread::sleep(Duration::from_secs(1));
    copier.wait_height(blocks, PATIENCE)?;
    // The last block has no successor that proves it.
    let target = copier.height.saturating_sub(2);
    copier.stop()?;
    let _source = network.start(plan.processes, source, ours, &[])?;
    let mut next = source;
    let measured = plan.each(|kind| {
        plan.say(format_args!("block sync: {}", kind.name));
        next += 1;
        let mut node = network.start(plan.processes, next, kind, &[source])?;
        let first = node.wait_height(1, PATIENCE)?;
        let from = node.height;
        let last = node.wait_height(target, PATIENCE)?;
        let rate = (node.height - from) as f64 / last.duration_since(first).as_secs_f64();
        Ok((rate, node.memory()?))
    })?;
    let (rates, memory) = measured.into_iter().unzip();
    let figures = vec![
        Figure {
            name: "block_sync_blocks_per_second".to_owned(),
            title: "block sync".to_owned(),
            unit: "blocks/s",
            digits: 0,
            more: true,
            goal: "10 times the original's",
            values: rates,
        },
        Figure {
            name: "block_sync_memory_mib".to_owned(),
            title: "resident memory after block sync".to_owned(),
            unit: "MB",
            digits: 0,
            more: false,
            goal: "",
            values: memory,
        },
    ];
    Ok((figures, format!("{target} empty blocks were synced from one node of ours.")))
}
