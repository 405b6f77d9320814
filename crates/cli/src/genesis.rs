//! `oasis-node genesis`: documents checked, and made from a running node's state.

use std::{fs, path::PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use clap::Args;
use oasis_consensus_app::genesis::{CheckOptions, check_json};
use oasis_consensus_types::genesis::Document;

use crate::common::{CommonFlags, LATEST, Node, NodeFlags, write_file, write_out};

/// Arguments of the check.
#[derive(Debug, Args)]
pub struct CheckArguments {
    /// The document, in JSON.
    #[arg(value_name = "FILE", required_unless_present = "named")]
    file: Option<PathBuf>,
    /// The document, by the original's option.
    #[arg(id = "named", long = "genesis.file", value_name = "FILE", conflicts_with = "file")]
    named: Option<PathBuf>,
    /// Allow settings that only test networks may have.
    #[arg(long = "debug.dont_blame_oasis")]
    debug: bool,
    /// Allow keys whose private part everybody knows.
    #[arg(long = "debug.allow_test_keys")]
    allow_test_keys: bool,
}

/// Arguments of the dump.
#[derive(Debug, Args)]
pub struct DumpArguments {
    #[command(flatten)]
    common: CommonFlags,
    #[command(flatten)]
    node: NodeFlags,
    /// Height of the state; the latest where it is 0.
    #[arg(long, value_name = "HEIGHT", default_value_t = LATEST)]
    height: i64,
    /// Where the document goes; to the standard output where it is empty.
    #[arg(id = "genesis.file", short = 'g', long = "genesis.file", value_name = "FILE", default_value = "genesis.json")]
    file: PathBuf,
}

/// Writes a node's state as a genesis document.
///
/// Source: go/oasis-node/cmd/genesis/genesis.go, `doDumpGenesis`.
pub fn dump(args: &DumpArguments) -> Result<()> {
    let document: Document = Node::connect(&args.node)?.call("Consensus/StateToGenesis", &args.height)?;
    let text = document.to_json_text();
    if args.file.as_os_str().is_empty() { write_out(&text) } else { write_file(&args.file, text.as_bytes()) }
}

/// Reads a document, makes every check that a node makes before it starts from it, and compares the file with its canonical form.
///
/// Source: go/oasis-node/cmd/genesis/genesis.go, `doCheckGenesis`.
pub fn check(args: &CheckArguments) -> Result<()> {
    let file = args.file.as_ref().or(args.named.as_ref()).context("no file")?;
    let name = file.display();
    let bytes = fs::read(file).with_context(|| name.to_string())?;
    let options = CheckOptions { debug: args.debug, allow_test_keys: args.allow_test_keys };
    let document = check_json(&bytes, options).map_err(|e| anyhow!("{name}: {e}"))?;
    let canonical = document.to_json_text();
    if bytes != canonical.as_bytes() {
        bail!("{name}: {}", first_difference(&String::from_utf8_lossy(&bytes), &canonical));
    }
    println!("{name}: valid and in canonical form, chain context {}", document.hash());
    Ok(())
}

/// The first line that is not the canonical form's.
fn first_difference(found: &str, canonical: &str) -> String {
    if found.trim().lines().count() == 1 {
        return "not in canonical form: everything is on a single line".to_owned();
    }
    let mut lines = found.split('\n').zip(canonical.split('\n')).enumerate();
    match lines.find(|(_, (a, b))| a != b) {
        Some((i, (found, expected))) => {
            format!("not in canonical form: line {}: expected {:?}, found {:?}", i.saturating_add(1), expected, found)
        }
        None => "not in canonical form: one line end is expected after the document".to_owned(),
    }
}
