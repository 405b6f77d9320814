//! `oasis-node genesis check`.

use std::{fs, path::PathBuf};

use anyhow::{Context, Result};
use clap::Args;
use oasis_consensus_types::genesis::Document;

/// Arguments of the check.
#[derive(Debug, Args)]
pub struct CheckArguments {
    /// The document, in JSON.
    #[arg(long = "genesis.file", alias = "file", value_name = "FILE")]
    file: PathBuf,
}

/// Reads a document and makes every check that a node makes before it starts from it.
pub fn check(args: &CheckArguments) -> Result<()> {
    let name = args.file.display();
    let bytes = fs::read(&args.file).with_context(|| name.to_string())?;
    let document = Document::from_json_text(&bytes).with_context(|| name.to_string())?;
    println!("{name}: chain context {}", document.hash());
    Ok(())
}
