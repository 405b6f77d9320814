//! The first block of a fresh network.

use anyhow::Result;

use super::{
    PATIENCE, Plan,
    network::{Network, Spec},
    report::Figure,
};

/// Fresh networks whose first block is timed.
const FIRST_BLOCKS: usize = 3;

pub fn measure(plan: &Plan<'_>) -> Result<(Vec<Figure>, String)> {
    let values = plan.each(|kind| {
        plan.say(format_args!("first block of a fresh network: {}", kind.name));
        let mut times = Vec::new();
        for turn in 0..FIRST_BLOCKS {
            let spec = Spec { validators: 1, ..Spec::default() };
            let network = Network::new(plan.dir.join(format!("first-{}-{turn}", kind.name)), &spec)?;
            let mut node = network.start(plan.processes, 0, kind, &[])?;
            let seen = node.wait_height(1, PATIENCE)?;
            times.push(seen.duration_since(node.started).as_secs_f64());
        }
        times.sort_by(f64::total_cmp);
        Ok(times.get(FIRST_BLOCKS / 2).copied().unwrap_or_default())
    })?;
    let figure = Figure {
        name: "first_block_seconds".to_owned(),
        title: "start to first block of a fresh network of one".to_owned(),
        unit: "s",
        digits: 2,
        more: false,
        goal: "under 3 s",
        values,
    };
    Ok((vec![figure], format!("The first block is the median of {FIRST_BLOCKS} networks with a pause of 1 s.")))
}
