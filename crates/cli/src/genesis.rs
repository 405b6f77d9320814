//! `oasis-node genesis check`.

use std::{fs, path::PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use clap::Args;
use oasis_consensus_app::genesis::{CheckOptions, check_json};

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
