//! What an idle validator takes.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::{
    PATIENCE, Plan,
    network::{Kind, Network, Running, Spec},
    report::Figure,
};

/// What an idle validator does before it is watched.
const WARM_UP: Duration = Duration::from_secs(20);

/// Four validators, each program with as many as the other, in one network at one time.
pub fn measure(plan: &Plan<'_>) -> Result<(Vec<Figure>, String)> {
    let idle = Duration::from_secs(plan.options.seconds);
    plan.say(format_args!("idle validators, {} s", (WARM_UP + idle).as_secs()));
    let spec = Spec::default();
    let network = Network::new(plan.dir.join("idle"), &spec)?;
    let all: Vec<usize> = (0..spec.validators).collect();
    let mut nodes: Vec<(&Kind, Running)> = Vec::new();
    for (number, kind) in all.iter().zip(plan.kinds.iter().cycle()) {
        nodes.push((kind, network.start(plan.processes, *number, kind, &all)?));
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
    std::thread::sleep(idle);
    let after: Vec<Duration> = nodes.iter().map(|(_, node)| node.processor_time()).collect::<Result<_>>()?;
    let elapsed = start.elapsed().as_secs_f64();
    let measured = plan.each(|program| {
        let (mut count, mut memory, mut processor) = (0.0, 0.0, 0.0);
        for (((kind, node), before), after) in nodes.iter().zip(&before).zip(&after) {
            if kind.name == program.name {
                count += 1.0;
                processor += 100.0 * after.saturating_sub(*before).as_secs_f64() / elapsed;
                memory += node.memory()?;
            }
        }
        Ok((memory / count, processor / count))
    })?;
    let (memory, processor) = measured.into_iter().unzip();
    let figures = vec![
        Figure {
            name: "idle_memory_mib".to_owned(),
            title: "resident memory of an idle validator".to_owned(),
            unit: "MB",
            digits: 0,
            more: false,
            goal: "a tenth",
            values: memory,
        },
        Figure {
            name: "idle_processor_percent".to_owned(),
            title: "processor time of an idle validator, of one core".to_owned(),
            unit: "%",
            digits: 2,
            more: false,
            goal: "a fifth",
            values: processor,
        },
    ];
    let blocks = height(&mut nodes)?.saturating_sub(from);
    let note = format!(
        "The idle network had {} validators, a pause of 1 s after each block, and made {blocks} blocks in {} s.",
        spec.validators,
        idle.as_secs()
    );
    Ok((figures, note))
}
