//! Commands beside what the original's program gave for the same ones.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use serde_json::Value;

/// Shows a transaction that a command made.
const SHOW: [&str; 8] = [
    "consensus",
    "show_tx",
    "--transaction.file",
    "tx.json",
    "--genesis.file",
    "genesis.json",
    "--debug.dont_blame_oasis",
    "--debug.allow_test_keys",
];

fn run(dir: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_oasis-node"));
    command.args(args).current_dir(dir).stdin(Stdio::null()).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn list<'a>(value: &'a Value, key: &str) -> Vec<&'a str> {
    value[key].as_array().unwrap().iter().map(|item| item.as_str().unwrap()).collect()
}

/// Files by name, in hexadecimal.
fn files(value: &Value) -> BTreeMap<String, Vec<u8>> {
    value.as_object().unwrap().iter().map(|(name, hex)| (name.clone(), hex::decode(hex.as_str().unwrap()).unwrap())).collect()
}

/// Puts the files that commands read into a directory.
fn put(dir: &Path, inputs: &BTreeMap<String, Vec<u8>>) {
    for (name, bytes) in inputs {
        let path = dir.join(name);
        fs::DirBuilder::new().recursive(true).mode(0o700).create(path.parent().unwrap()).unwrap();
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).unwrap();
        std::io::Write::write_all(&mut file, bytes).unwrap();
    }
}

/// Every file below a directory that is new or changed.
fn changed(dir: &Path, inputs: &BTreeMap<String, Vec<u8>>) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut dirs: Vec<PathBuf> = vec![dir.to_owned()];
    while let Some(next) = dirs.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                dirs.push(path);
                continue;
            }
            let name = path.strip_prefix(dir).unwrap().to_str().unwrap().to_owned();
            let bytes = fs::read(&path).unwrap();
            if inputs.get(&name) != Some(&bytes) {
                found.insert(name, bytes);
            }
        }
    }
    found
}

/// The time in a genesis document, which is when it was made: its whole line.
fn time_line(document: &str) -> Option<&str> {
    document.lines().find(|line| line.trim_start().starts_with("\"genesis_time\": "))
}

/// A document with the time of another one.
fn at_the_same_time(document: Vec<u8>, other: &[u8]) -> Vec<u8> {
    let (document, other) = (text(&document), text(other));
    match (time_line(&document), time_line(&other)) {
        (Some(time), Some(wanted)) => document.replacen(time, wanted, 1).into_bytes(),
        _ => document.into_bytes(),
    }
}

#[test]
fn vectors_commands_write_and_print_what_the_original_does() {
    check_vectors("cli/commands.json.gz", |_, bytes| bytes);
}

#[test]
fn vectors_genesis_documents_are_checked_and_fixed_as_by_the_original() {
    check_vectors("cli/genesis-files.json.gz", |_, bytes| bytes);
}

#[test]
fn vectors_genesis_documents_are_made_as_by_the_original_but_for_the_time() {
    check_vectors("cli/genesis-init.json.gz", |expected, bytes| at_the_same_time(bytes, expected));
}

/// Runs every recorded command; `adapt` makes of a file that was expected, and the one that was written, what is compared.
fn check_vectors(name: &str, adapt: impl Fn(&[u8], Vec<u8>) -> Vec<u8>) {
    oasis_test_vectors::for_each(name, |_, bytes| {
        let vectors: Value = serde_json::from_slice(bytes)?;
        let inputs = files(&vectors["inputs"]);
        for case in vectors["cases"].as_array().unwrap() {
            let name = &case["name"];
            let dir = tempfile::tempdir()?;
            put(dir.path(), &inputs);
            let output = run(dir.path(), &list(case, "args"));
            let said = text(&output.stderr);
            assert_eq!(output.status.code().map(i64::from), case["code"].as_i64(), "{name}: {said}");
            // How a failure is told is this program's own.
            if let Some(expected) = case["stdout"].as_str() {
                assert_eq!(text(&output.stdout), expected, "{name}");
            }
            let files = case["files"].as_object().unwrap();
            let files: BTreeMap<_, _> =
                files.iter().map(|(name, hex)| (name.clone(), hex::decode(hex.as_str().unwrap()).unwrap())).collect();
            let mut found = changed(dir.path(), &inputs);
            for (name, bytes) in &mut found {
                if let Some(expected) = files.get(name) {
                    *bytes = adapt(expected, std::mem::take(bytes));
                }
            }
            assert_eq!(found, files, "{name}");
            if let Some(expected) = case["show"].as_str() {
                assert_eq!(text(&run(dir.path(), &SHOW).stdout), expected, "{name}");
            }
        }
        Ok(())
    })
    .unwrap();
}

#[test]
fn wrong_flags_are_told_with_what_would_be_right() {
    let dir = tempfile::tempdir().unwrap();
    let cases: [(&[&str], &str); 6] = [
        (&["stake", "account", "gen_burn"], "--transaction.file tx.json"),
        (&["stake", "account", "info"], "--stake.account.address oasis1"),
        (&["stake", "account", "gen_burn", "--transaction.file", "x", "--stake.amount=-1"], "base units"),
        (&["stake", "account", "gen_burn", "--transaction.file", "x"], "--genesis.file genesis.json"),
        (&["stake", "info", "-a", "unix:nothing.sock"], "nothing.sock"),
        (&["governance", "gen_submit_proposal"], "--proposal.upgrade.descriptor upgrade.json"),
    ];
    for (args, expected) in cases {
        let output = run(dir.path(), args);
        assert_eq!(output.status.code(), Some(1), "{args:?}");
        let said = text(&output.stderr);
        assert!(said.contains(expected), "{args:?}: {said}");
    }
}
