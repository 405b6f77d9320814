//! The figures as a table or as JSON.

use anyhow::Result;
use serde_json::{Map, Value, json};

use super::network::Kind;

/// Something that was measured of each program.
pub struct Figure {
    /// Its name in JSON.
    pub name: String,
    /// What people read.
    pub title: String,
    /// What it is counted in.
    pub unit: &'static str,
    /// Digits after the point.
    pub digits: usize,
    /// Whether more is better.
    pub more: bool,
    /// What it is to be beside the original's.
    pub goal: &'static str,
    /// Ours first.
    pub values: Vec<f64>,
}

/// What came of all measurements, and what it hangs on.
pub struct Results {
    programs: Vec<&'static str>,
    figures: Vec<Figure>,
    notes: Vec<String>,
    cores: usize,
    /// Load averages over a minute, at the start and at the end.
    loads: (String, String),
}

fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or_default().to_owned()
}

impl Results {
    /// Nothing yet.
    pub fn new(kinds: &[Kind]) -> Result<Self> {
        let programs = kinds.iter().map(|kind| kind.name).collect();
        let cores = std::thread::available_parallelism()?.get();
        Ok(Self { programs, figures: Vec::new(), notes: Vec::new(), cores, loads: (load(), String::new()) })
    }

    /// Takes in what a measurement gave.
    pub fn add(&mut self, (figures, note): (Vec<Figure>, String)) {
        self.figures.extend(figures);
        self.notes.push(note);
    }

    /// Nothing more comes.
    pub fn end(&mut self) {
        self.loads.1 = load();
    }

    /// The table in Markdown.
    pub fn markdown(&self) -> String {
        let mut out = String::from("| |");
        for program in &self.programs {
            out += &format!(" {program} |");
        }
        if self.programs.len() > 1 {
            out += " ratio |";
        }
        out += " goal |\n|---|";
        out += &"---|".repeat(self.programs.len() + usize::from(self.programs.len() > 1) + 1);
        out += "\n";
        for figure in &self.figures {
            out += &format!("| {} |", figure.title);
            for value in &figure.values {
                out += &format!(" {value:.*} {} |", figure.digits, figure.unit);
            }
            if let [ours, theirs, ..] = figure.values.as_slice() {
                let ratio = if figure.more { ours / theirs } else { theirs / ours };
                out += &format!(" {ratio:.1} |");
            }
            out += &format!(" {} |\n", figure.goal);
        }
        let (before, after) = &self.loads;
        out + &format!("\n{} {} cores; load {before} before, {after} after.\n", self.notes.join(" "), self.cores)
    }

    /// The figures for a program to read.
    pub fn json(&self) -> Value {
        let of = |at: usize, name: &str| {
            let values = self.figures.iter().map(|f| (f.name.clone(), json!(f.values.get(at))));
            let mut map: Map<String, Value> = values.collect();
            map.insert("name".to_owned(), json!(name));
            Value::Object(map)
        };
        json!({
            "programs": self.programs.iter().enumerate().map(|(at, name)| of(at, name)).collect::<Vec<_>>(),
            "notes": self.notes,
            "cores": self.cores,
            "load_before": self.loads.0,
            "load_after": self.loads.1,
        })
    }
}
