//! What happened, for people to read when a run fails.

use std::{
    collections::VecDeque,
    fmt::{self, Write as _},
};

use crate::queue::Moment;

/// Lines kept; older ones go.
const KEPT: usize = 4_000;

/// The last things that happened.
#[derive(Clone, Debug, Default)]
pub struct Timeline {
    lines: VecDeque<(Moment, Option<usize>, String)>,
    dropped: u64,
}

impl Timeline {
    /// Adds what a node did or what happened to it; to the whole network where there is no node.
    pub fn add(&mut self, at: Moment, node: Option<usize>, what: impl fmt::Display) {
        if self.lines.len() == KEPT {
            self.lines.pop_front();
            self.dropped += 1;
        }
        self.lines.push_back((at, node, what.to_string()));
    }
}

impl fmt::Display for Timeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = String::new();
        if self.dropped > 0 {
            writeln!(out, "… {} earlier lines", self.dropped)?;
        }
        for (at, node, what) in &self.lines {
            let who = node.map_or_else(|| "network".to_owned(), |n| format!("node {n}"));
            writeln!(out, "{:>12.6} s  {who:<8}  {what}", at.seconds())?;
        }
        f.write_str(&out)
    }
}
