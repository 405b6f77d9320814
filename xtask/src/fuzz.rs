//! Fuzzing: what it needs is installed, the corpora begin with recorded bytes, then each target runs for some time.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};
use oasis_primitives::{
    cbor::{self, Value},
    hash::Hash,
    json, text,
};

use crate::{cargo, cargo_command, root};

#[path = "../../crates/node/tests/common/call.rs"]
mod call;

use call::Call;

/// Vector files, and the targets that begin with the byte strings in them. What stands before a colon goes before each string: where
/// a target does several things, it tells which.
const SEEDS: [(&str, &str, &[&str]); 13] = [
    ("cbor-", ".cbor.gz", &["cbor", "descriptors", "messages", "proofs", "pvss", "transaction"]),
    ("mkvs", ".cbor.gz", &["chunks", "messages", "proofs"]),
    ("misc-crypto", ".cbor.gz", &["pvss", "sgx"]),
    ("chains/", ".cbor.gz", &["blocks", "genesis"]),
    ("tendermint/messages", ".json.gz", &["peer_messages", "wal", "d:peers"]),
    ("tendermint/odd-encodings", ".json.gz", &["blocks", "peer_messages"]),
    ("tendermint/secret-connection", ".json.gz", &["\0:peers"]),
    ("tendermint/packets", ".json.gz", &["\x01:peers"]),
    ("tendermint/node-info", ".json.gz", &["d:peers"]),
    ("tendermint/light", ".json.gz", &["\0:light"]),
    ("tendermint/priv-validator", ".json.gz", &["k:files", "s:files", "v:files"]),
    ("tls", ".json.gz", &["\0:certificates", "\0\x30:tls"]),
    ("", "_gen_vectors.json.gz", &["transaction"]),
];
/// Recorded calls, and the target that begins with them.
const CALLS: (&str, &str, &str) = ("api/", ".cbor.gz", "api");
/// Seeds that a target takes from one file.
const MAX_SEEDS: usize = 200;
/// The longest seed, bytes: what is longer only slows the target down.
const MAX_LENGTH: usize = 50_000;

/// Runs each target for some seconds (by default 30), all of them or those that are named.
pub fn fuzz(args: &[String]) -> Result<()> {
    let seconds: u32 = args.first().map_or(Ok(30), |s| s.parse()).context("seconds")?;
    install()?;
    let listed = cargo_command().args(["+nightly", "fuzz", "list"]).output()?;
    if !listed.status.success() {
        bail!("cargo fuzz list failed: {}", String::from_utf8_lossy(&listed.stderr));
    }
    let named = args.get(1..).unwrap_or_default();
    let listed = String::from_utf8(listed.stdout)?;
    if let Some(unknown) = named.iter().find(|name| !listed.lines().any(|target| target == **name)) {
        bail!("no fuzz target {unknown}; there are: {}", listed.lines().collect::<Vec<_>>().join(", "));
    }
    make_seeds().context("seeds from the vectors")?;
    let limits = [format!("-max_total_time={seconds}"), format!("-max_len={MAX_LENGTH}"), "-print_final_stats=1".to_owned()];
    for target in listed.lines().filter(|target| named.is_empty() || named.iter().any(|name| name == target)) {
        println!("== {target}");
        let (corpus, seeds) = (format!("fuzz/corpus/{target}"), format!("fuzz/seeds/{target}"));
        for dir in [&corpus, &seeds] {
            fs::create_dir_all(root().join(dir))?;
        }
        let command = ["+nightly", "fuzz", "run", target, &corpus, &seeds, "--"].map(str::to_owned);
        cargo(command.into_iter().chain(limits.iter().cloned()))?;
    }
    Ok(())
}

/// Installs the nightly toolchain and cargo-fuzz where they are missing.
fn install() -> Result<()> {
    let has = |args: &[&str]| {
        let status = cargo_command().args(args).stdout(Stdio::null()).stderr(Stdio::null()).status();
        status.is_ok_and(|status| status.success())
    };
    if !has(&["+nightly", "--version"]) {
        let status = Command::new("rustup").args(["toolchain", "install", "nightly", "--profile", "minimal"]).status()?;
        if !status.success() {
            bail!("rustup could not install the nightly toolchain");
        }
    }
    if !has(&["fuzz", "--version"]) {
        cargo(["install", "--locked", "cargo-fuzz"])?;
    }
    Ok(())
}

/// Writes what the targets begin with, unless it is there. Recorded texts that are no bytes are taken as they are.
fn make_seeds() -> Result<()> {
    let dir = root().join("fuzz/seeds");
    if dir.is_dir() {
        return Ok(());
    }
    for (prefix, suffix, targets) in SEEDS {
        for path in oasis_test_vectors::files(prefix, suffix)? {
            let bytes = oasis_test_vectors::read(&path)?;
            let mut found = Vec::new();
            if suffix.contains("json") {
                collect_json(&json::parse(&bytes)?, &mut found);
            } else {
                cbor::sequence_from_slice::<Value>(&bytes)?.iter().for_each(|item| collect(item, &mut found));
            }
            found.retain(|seed| (1..=MAX_LENGTH).contains(&seed.len()));
            for seed in found.iter().step_by(found.len().div_ceil(MAX_SEEDS).max(1)) {
                for target in targets {
                    let (before, target) = target.split_once(':').unwrap_or(("", target));
                    write(&dir.join(target), &[before.as_bytes(), seed].concat())?;
                }
            }
            if prefix == "chains/" {
                write(&dir.join("chain_file"), bytes.get(..MAX_LENGTH).unwrap_or(&bytes))?;
            }
        }
    }
    let (prefix, suffix, target) = CALLS;
    let mut by_method: BTreeMap<String, BTreeSet<Vec<u8>>> = BTreeMap::new();
    for path in oasis_test_vectors::files(prefix, suffix)? {
        for call in cbor::sequence_from_slice::<Call>(&oasis_test_vectors::read(&path)?)? {
            by_method.entry(call.method).or_default().insert(call.request);
        }
    }
    // Every method has the same share.
    let share = MAX_SEEDS.div_ceil(by_method.len().max(1));
    for (method, requests) in by_method {
        for request in requests.iter().step_by(requests.len().div_ceil(share)) {
            write(&dir.join(target), &[method.as_bytes(), b"\n", request].concat())?;
        }
    }
    Ok(())
}

fn write(dir: &Path, seed: &[u8]) -> Result<()> {
    fs::create_dir_all(dir)?;
    Ok(fs::write(dir.join(Hash::of(seed).to_string()), seed)?)
}

fn collect(value: &Value, out: &mut Vec<Vec<u8>>) {
    match value {
        Value::Bytes(bytes) => out.push(bytes.clone()),
        Value::Array(items) => items.iter().for_each(|item| collect(item, out)),
        Value::Map(pairs) => pairs.iter().for_each(|(_, item)| collect(item, out)),
        _ => {}
    }
}

fn collect_json(value: &json::Value, out: &mut Vec<Vec<u8>>) {
    match value {
        json::Value::String(text) => {
            let plain = || Some(text.as_bytes().to_vec());
            out.extend(hex::decode(text).ok().or_else(|| text::from_base64(text)).or_else(plain));
        }
        json::Value::Array(items) => items.iter().for_each(|item| collect_json(item, out)),
        json::Value::Object(fields) => fields.values().for_each(|item| collect_json(item, out)),
        _ => {}
    }
}
