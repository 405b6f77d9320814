//! The repository's own checks on its dependencies.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::{cargo_command, root};

/// Crates that may not touch the world.
const PURE: &[&str] =
    &["oasis-primitives", "oasis-mkvs", "oasis-consensus-types", "oasis-consensus-app", "oasis-consensus-engine", "oasis-runtime-protocol"];

/// Crates that open sockets, read clocks or random numbers, or run tasks.
const IMPURE: &[&str] = &[
    "tokio",
    "async-std",
    "smol",
    "mio",
    "socket2",
    "hyper",
    "tonic",
    "libp2p",
    "redb",
    "fjall",
    "rusqlite",
    "chrono",
    "getrandom",
    "rand",
];

/// Licences that fit Apache-2.0.
const LICENCES: &[&str] = &[
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "MIT",
    "MIT-0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "ISC",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
    "0BSD",
];

/// The dependency trees of the pure crates hold none of the impure ones.
pub fn pure_crates() -> Result<()> {
    for name in PURE {
        let output =
            cargo_command().args(["tree", "--locked", "-p", name, "-e", "normal", "--prefix", "none", "--format", "{p}"]).output()?;
        if !output.status.success() {
            bail!("cargo tree -p {name}: {}", String::from_utf8_lossy(&output.stderr));
        }
        let text = String::from_utf8(output.stdout)?;
        let found: BTreeSet<&str> = text.lines().filter_map(|l| l.split_whitespace().next()).filter(|dep| IMPURE.contains(dep)).collect();
        if !found.is_empty() {
            bail!("{name} is pure, yet depends on {found:?}");
        }
    }
    println!("{} crates are pure", PURE.len());
    Ok(())
}

/// Every dependency has a licence that fits.
pub fn licences() -> Result<()> {
    let packages = packages()?;
    let mut bad = BTreeMap::new();
    for package in &packages {
        let name = package["name"].as_str().unwrap_or_default().to_owned();
        let licence = package["license"].as_str().unwrap_or("none");
        if !fits(licence) {
            bad.insert(name, licence.to_owned());
        }
    }
    if !bad.is_empty() {
        bail!("licences that are not in the list: {bad:#?}");
    }
    println!("{} packages have a licence that fits", packages.len());
    Ok(())
}

/// Whether an SPDX expression can be met with the listed licences.
fn fits(expression: &str) -> bool {
    let cleaned = expression.replace(['(', ')'], " ").replace('/', " OR ");
    cleaned.split(" AND ").all(|part| part.split(" OR ").any(|licence| LICENCES.contains(&licence.trim())))
}

/// No dependency is a version with a known vulnerability.
///
/// `xtask/advisories.json` lists, for the crates in the lock file, the advisories of the RustSec database and the versions
/// that mend them, as of the date in it. It needs no network, so it is looked at in every run; who updates a dependency
/// updates the list from the database.
pub fn advisories() -> Result<()> {
    let list = std::fs::read_to_string(root().join("xtask/advisories.json")).context("xtask/advisories.json")?;
    let list: Value = serde_json::from_str(&list)?;
    let entries = list["affected"].as_array().context("xtask/advisories.json has no list `affected`")?;
    let mut bad = Vec::new();
    for package in packages()? {
        for entry in entries {
            let same = entry["crate"] == package["name"];
            let version = package["version"].as_str().unwrap_or_default();
            let below = entry["fixed_in"].as_str().is_none_or(|fixed| numbers(version) < numbers(fixed));
            let since = entry["introduced_in"].as_str().is_none_or(|first| numbers(version) >= numbers(first));
            if same && since && below {
                bad.push(format!("{} {version}: {}", package["name"], entry["advisory"]));
            }
        }
    }
    if !bad.is_empty() {
        bail!("dependencies with advisories: {bad:#?}");
    }
    println!("no dependency is among the {} affected versions listed on {}", entries.len(), list["date"]);
    Ok(())
}

fn numbers(version: &str) -> Vec<u64> {
    version.split(['.', '-', '+']).map_while(|part| part.parse().ok()).collect()
}

fn packages() -> Result<Vec<Value>> {
    let output = cargo_command().args(["metadata", "--format-version", "1", "--locked"]).output()?;
    if !output.status.success() {
        bail!("cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    }
    let metadata: Value = serde_json::from_slice(&output.stdout)?;
    metadata["packages"].as_array().cloned().context("cargo metadata lists no packages")
}
