//! The figures as a table or as JSON.

use serde_json::{Value, json};

use super::measure::{Figures, Results};

/// A row of the table: its title, the value as a number and as text, whether more is better, the goal.
type Row = (&'static str, fn(&Figures) -> f64, fn(f64) -> String, bool, &'static str);

const ROWS: [Row; 5] = [
    ("block sync", |f| f.sync_rate, |v| format!("{v:.0} blocks/s"), true, "10 times the original's"),
    ("resident memory after block sync", |f| f.sync_memory as f64 / 1024.0, |v| format!("{v:.0} MB"), false, ""),
    ("resident memory of an idle validator", |f| f.idle_memory as f64 / 1024.0, |v| format!("{v:.0} MB"), false, "a tenth"),
    ("processor time of an idle validator, of one core", |f| f.idle_processor, |v| format!("{v:.2} %"), false, "a fifth"),
    ("start to first block of a fresh network of one", |f| f.first_block, |v| format!("{v:.2} s"), false, "under 3 s"),
];

/// The table in Markdown.
pub fn markdown(results: &Results) -> String {
    let mut out = String::from("| |");
    let beside = results.programs.len() > 1;
    for program in &results.programs {
        out += &format!(" {} |", program.name);
    }
    if beside {
        out += " ratio |";
    }
    out += " goal |\n|---|";
    out += &"---|".repeat(results.programs.len() + usize::from(beside) + 1);
    out += "\n";
    for (title, value, text, more, goal) in ROWS {
        out += &format!("| {title} |");
        let values: Vec<f64> = results.programs.iter().map(value).collect();
        for value in &values {
            out += &format!(" {} |", text(*value));
        }
        if let [ours, theirs, ..] = values.as_slice() {
            let ratio = if more { ours / theirs } else { theirs / ours };
            out += &format!(" {ratio:.1} |");
        }
        out += &format!(" {goal} |\n");
    }
    out += &format!("\n{}\n", circumstances(results));
    out
}

fn circumstances(results: &Results) -> String {
    let (before, after) = &results.loads;
    format!(
        "{} empty blocks were synced from one node of ours; the idle network had 4 validators, a pause of 1 s after each block, and made {} blocks in {} s. \
         {} cores; load {before} before, {after} after.",
        results.blocks,
        results.idle_blocks,
        results.idle.as_secs(),
        results.cores,
    )
}

/// The figures for a program to read.
pub fn json(results: &Results) -> Value {
    let of = |f: &Figures| {
        json!({
            "name": f.name,
            "block_sync_blocks_per_second": f.sync_rate,
            "block_sync_memory_kib": f.sync_memory,
            "idle_memory_kib": f.idle_memory,
            "idle_processor_percent": f.idle_processor,
            "first_block_seconds": f.first_block,
        })
    };
    json!({
        "programs": results.programs.iter().map(of).collect::<Vec<_>>(),
        "blocks": results.blocks,
        "idle_blocks": results.idle_blocks,
        "idle_seconds": results.idle.as_secs(),
        "cores": results.cores,
        "load_before": results.loads.0,
        "load_after": results.loads.1,
    })
}
