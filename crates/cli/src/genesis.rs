//! `oasis-node genesis check`.

use std::{fs, path::PathBuf};

use anyhow::{Context, Result, anyhow};
use clap::Args;
use oasis_consensus_app::genesis::{CheckOptions, check_json};

/// Arguments of the check.
#[derive(Debug, Args)]
pub struct CheckArguments {
    /// The document, in JSON.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Allow settings that only test networks may have.
    #[arg(long = "debug.dont_blame_oasis")]
    debug: bool,
    /// Allow keys whose private part everybody knows.
    #[arg(long = "debug.allow_test_keys")]
    allow_test_keys: bool,
}

/// Reads a document and makes every check that a node makes before it starts from it.
pub fn check(args: &CheckArguments) -> Result<()> {
    let name = args.file.display();
    let bytes = fs::read(&args.file).with_context(|| name.to_string())?;
    let options = CheckOptions { debug: args.debug, allow_test_keys: args.allow_test_keys };
    let document = check_json(&bytes, options).map_err(|e| anyhow!("{name}: {e}"))?;
    println!("{name}: valid, chain context {}", document.hash());
    Ok(())
}
