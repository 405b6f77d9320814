//! What a block costs a network, by the number of its validators.

use oasis_sim::{Options, Report, run};
use serde_json::{Value, json};

/// Sizes of the networks.
const SIZES: [usize; 5] = [4, 7, 20, 50, 100];
/// Blocks of each.
const BLOCKS: i64 = 10;

struct Row {
    validators: usize,
    peers: f64,
    messages: f64,
    bytes: f64,
    seconds: f64,
}

impl Row {
    fn of(validators: usize, report: &Report) -> Self {
        let blocks = report.height.max(1) as f64;
        let (messages, bytes) = (report.messages as f64 / blocks, report.bytes as f64 / blocks);
        let peers = 2.0 * report.links as f64 / validators as f64;
        Self { validators, peers, messages, bytes, seconds: report.decided_in }
    }

    fn markdown(&self) -> String {
        let Self { validators, peers, messages, bytes, seconds } = self;
        let (nodes, kilobytes) = (*validators as f64, bytes / 1000.0);
        format!(
            "| {validators} | {peers:.0} | {messages:.0} | {:.0} | {kilobytes:.0} | {:.1} | {seconds:.2} |",
            messages / nodes,
            kilobytes / nodes
        )
    }

    fn json(&self) -> Value {
        json!({
            "validators": self.validators,
            "peers_per_node": self.peers,
            "messages_per_block": self.messages,
            "bytes_per_block": self.bytes,
            "seconds_to_decide": self.seconds,
        })
    }
}

/// Makes the networks one after the other, and prints the table.
pub fn print(as_json: bool) -> Result<(), String> {
    if !as_json {
        println!(
            "| Validators | Peers of a node | Messages a block | sent by a node | Kilobytes a block | sent by a node | Time to decide, s |"
        );
        println!("|---:|---:|---:|---:|---:|---:|---:|");
    }
    let mut rows = Vec::new();
    for validators in SIZES {
        let report = run(Options { seed: 1, blocks: BLOCKS, validators: Some(validators), faults: false, planted: None })?;
        if let Some(violation) = &report.violation {
            return Err(format!("{validators} validators: {violation}"));
        }
        let row = Row::of(validators, &report);
        if !as_json {
            println!("{}", row.markdown());
        }
        rows.push(row.json());
    }
    if as_json {
        println!("{}", Value::from(rows));
    }
    Ok(())
}
