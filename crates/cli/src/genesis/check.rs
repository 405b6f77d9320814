//! `oasis-node genesis check`.
//!
//! Source: go/oasis-node/cmd/genesis/genesis.go, `doCheckGenesis`.

use std::{fmt::Write as _, fs, path::PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use clap::Args;
use oasis_consensus_app::genesis::{CheckOptions, check_json};
use sha2::{Digest, Sha256};

use crate::common::{CommonFlags, print, warn};

/// Lines around a difference.
const CONTEXT: usize = 3;

/// Arguments of the check.
#[derive(Debug, Args)]
pub struct CheckArguments {
    /// The document, in JSON.
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// The document, by the original's option.
    #[arg(
        id = "genesis.file",
        short = 'g',
        long = "genesis.file",
        value_name = "FILE",
        default_value = "genesis.json",
        conflicts_with = "file"
    )]
    named: PathBuf,
}

/// Reads a document, makes every check that a node makes before it starts from it, and compares the file with its canonical form.
pub fn check(args: &CheckArguments, common: &CommonFlags) -> Result<()> {
    let file = args.file.as_ref().unwrap_or(&args.named);
    let name = file.display();
    let bytes = fs::read(file).with_context(|| format!("{name}: failed to open genesis file"))?;
    let options = CheckOptions { debug: common.debug, allow_test_keys: common.allow_test_keys };
    let document = check_json(&bytes, options).map_err(|e| anyhow!("{name}: {e}"))?;
    let canonical = document.to_json_text();
    if bytes != canonical.as_bytes() {
        let found = String::from_utf8_lossy(&bytes);
        warn(format_args!("Diff:\n{}", difference(&found, &canonical)));
        if found.trim().lines().count() == 1 {
            bail!("{name}: genesis file has everything on a single line");
        }
        bail!("{name}: genesis file is not in canonical form, see the diff on stderr");
    }
    print("genesis file is valid and in canonical form")?;
    print(&format!("genesis document's hash: {}", document.hash()))?;
    print(&format!("genesis file's SHA256 checksum: {}", hex::encode(Sha256::digest(&bytes))))
}

/// A unified difference, of one piece.
fn difference(found: &str, canonical: &str) -> String {
    let found: Vec<&str> = found.split('\n').collect();
    let canonical: Vec<&str> = canonical.split('\n').collect();
    let same = |pairs: &mut dyn Iterator<Item = (&&str, &&str)>| pairs.take_while(|(a, b)| a == b).count();
    let start = same(&mut found.iter().zip(&canonical));
    let end = same(&mut found.iter().rev().zip(canonical.iter().rev())).min(found.len().min(canonical.len()) - start);
    let first = start.saturating_sub(CONTEXT);
    let after = end.min(CONTEXT);
    let count = |lines: &[&str]| lines.len() - end + after - first;
    let mut text = format!("--- Actual\n+++ Canonical\n@@ -{},{} +{},{} @@\n", first + 1, count(&found), first + 1, count(&canonical));
    let mut put = |sign: char, lines: &[&str]| {
        lines.iter().for_each(|line| {
            let _ = writeln!(text, "{sign}{line}");
        })
    };
    put(' ', &found[first..start]);
    put('-', &found[start..found.len() - end]);
    put('+', &canonical[start..canonical.len() - end]);
    put(' ', &found[found.len() - end..][..after]);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_in_the_unified_form() {
        let text = difference("a\nb\nc\nd\ne\nf\ng\nh\ni", "a\nb\nc\nd\nE\nX\nf\ng\nh\ni");
        assert_eq!(text, "--- Actual\n+++ Canonical\n@@ -2,7 +2,8 @@\n b\n c\n d\n-e\n+E\n+X\n f\n g\n h\n");
        assert_eq!(difference("{}", "{}\n"), "--- Actual\n+++ Canonical\n@@ -1,1 +1,2 @@\n {}\n+\n");
    }
}
