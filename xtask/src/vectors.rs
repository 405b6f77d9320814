//! Runs every test and checks that no vector file was left unopened.

use std::{collections::BTreeSet, fs, path::PathBuf};

use anyhow::{Result, bail};

use crate::{cargo_command, root};

/// Runs the tests (optimised, with overflow checks and debug assertions), then compares the vector files with those that were opened.
pub fn test_all(args: &[String]) -> Result<()> {
    let seen = root().join("target/vectors-seen");
    if let Some(dir) = seen.parent() {
        fs::create_dir_all(dir)?;
    }
    fs::write(&seen, "")?;
    let status = cargo_command()
        .args(["test", "--workspace", "--locked", "--profile", "checked"])
        .args(args)
        .env("OASIS_VECTORS_SEEN", &seen)
        // The same cases in every run of CI; another seed makes other ones.
        .env("PROPTEST_RNG_SEED", std::env::var("PROPTEST_RNG_SEED").unwrap_or_else(|_| "21".to_owned()))
        .status()?;
    if !status.success() {
        bail!("tests failed");
    }
    if args.is_empty() {
        planted()?;
        all_opened(&fs::read_to_string(&seen)?)?;
    }
    Ok(())
}

/// Bugs put in on purpose, which need a build of their own, are found by the simulator.
fn planted() -> Result<()> {
    let status = cargo_command()
        .args(["test", "--package", "oasis-sim", "--features", "planted-bugs", "--test", "planted", "--locked", "--profile", "checked"])
        .status()?;
    if !status.success() {
        bail!("tests of planted bugs failed");
    }
    Ok(())
}

fn all_opened(seen: &str) -> Result<()> {
    let seen: BTreeSet<PathBuf> = seen.lines().map(PathBuf::from).collect();
    let mut missed = Vec::new();
    let mut count = 0usize;
    for dir in oasis_test_vectors::directories() {
        for path in walk(&dir)? {
            let is_vector = path.extension().is_some_and(|e| e == "gz" || e == "json" || e == "cbor");
            if is_vector {
                count = count.saturating_add(1);
                let canonical = path.canonicalize()?;
                // A further directory may hold the same file again; one of them is enough.
                let same = |other: &&PathBuf| other.file_name() == path.file_name() && fs::read(other).ok() == fs::read(&path).ok();
                if !seen.contains(&canonical) && !seen.iter().any(|other| same(&other)) {
                    missed.push(path);
                }
            }
        }
    }
    if !missed.is_empty() {
        bail!("no test opened these vector files: {missed:#?}");
    }
    println!("all {count} vector files were opened by a test");
    Ok(())
}

fn walk(dir: &std::path::Path) -> Result<Vec<PathBuf>> {
    let mut out = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            out.extend(walk(&path)?);
        } else {
            out.push(path);
        }
    }
    Ok(out)
}
