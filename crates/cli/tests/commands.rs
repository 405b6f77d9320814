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
    let cases: [(&[&str], &str); 6] = [
        (&["stake", "account", "gen_burn"], "--transaction.file tx.json"),
        (&["stake", "account", "info"], "--stake.account.address oasis1"),
        (&["stake", "account", "gen_burn", "--transaction.file", "x", "--stake.amount=-1"], "base units"),
        (&["stake", "account", "gen_burn", "--transaction.file", "x"], "--genesis.file genesis.json"),
        (&["stake", "info", "-a", "unix:nothing.sock"], "nothing.sock"),
        (&["governance", "gen_submit_proposal"], "--proposal.upgrade.descriptor upgrade.json"),
    ];
    all_refused(&cases);
}

/// As by the original.
#[test]
fn a_command_that_only_has_others_tells_them() {
    let dir = tempfile::tempdir().unwrap();
    for (args, one) in [(&["stake"][..], "account"), (&["stake", "account"], "gen_transfer"), (&["debug"], "dumpdb")] {
        let output = run(dir.path(), args);
        assert_eq!(output.status.code(), Some(0), "{args:?}");
        assert!(text(&output.stdout).contains(one) && output.stderr.is_empty(), "{args:?}");
    }
}

/// Runs a command that must fail, and gives what it said.
fn refused(args: &[&str]) -> String {
    let dir = tempfile::tempdir().unwrap();
    let output = run(dir.path(), args);
    assert_eq!(output.status.code(), Some(1), "{args:?}");
    text(&output.stderr)
}

/// Runs commands that must fail, each of which must say something.
fn all_refused(cases: &[(&[&str], &str)]) {
    for (args, expected) in cases {
        let said = refused(args);
        assert!(said.contains(expected), "{args:?}: {said}");
    }
}

#[test]
fn flags_may_stand_before_the_command_that_takes_them() {
    let cases: [(&[&str], &str); 9] = [
        (&["-a", "unix:nothing.sock", "control", "status"], "nothing.sock"),
        (&["-aunix:nothing.sock", "registry", "entity", "list"], "nothing.sock"),
        (&["--address", "unix:nothing.sock", "--log.level", "error", "stake", "list"], "nothing.sock"),
        (&["--wait=false", "control", "-a", "unix:nothing.sock", "status"], "nothing.sock"),
        (&["--height", "5", "genesis", "dump", "-a", "unix:nothing.sock"], "nothing.sock"),
        (&["--verbose=true", "stake", "list", "-a", "unix:nothing.sock"], "nothing.sock"),
        (&["-g", "none.json", "genesis", "check"], "none.json"),
        (&["--datadir", "none", "debug", "dumpdb"], "none: expected a data directory"),
        (&["--config", "none.yml", "unsafe-reset"], "none.yml"),
    ];
    all_refused(&cases);
}

#[test]
fn the_version_is_told_whatever_follows() {
    let dir = tempfile::tempdir().unwrap();
    for args in [&["-v"][..], &["-V"], &["--version"], &["-v", "stake"], &["--version", "stake"]] {
        let output = run(dir.path(), args);
        assert!(output.status.success() && text(&output.stdout).starts_with("Software version: "), "{args:?}");
    }
}

#[test]
fn flags_that_a_command_does_not_take_say_where_they_go() {
    let cases: [(&[&str], &str); 4] = [
        (&["--metrics.mode", "none", "control", "status"], "'--metrics.mode' is a flag of the node itself"),
        (&["control", "status", "--pprof.bind=x"], "'--pprof.bind' is a flag of the node itself"),
        (&["--verbose", "stake", "list"], "behind the command: 'oasis-node stake list --verbose'"),
        (&["stake", "--verbose", "list"], "behind the command: 'oasis-node stake list --verbose'"),
    ];
    all_refused(&cases);
}

#[test]
fn commands_of_para_times_say_that_they_are_not_served() {
    let cases: [&[&str]; 6] = [
        &["storage", "check", "--datadir", "x"],
        &["ias", "proxy"],
        &["debug", "storage", "check-roots", "8000000000000000000000000000000000000000000000000000000000000000", "-a", "unix:x"],
        &["--datadir", "x", "debug", "storage", "export", "--storage.export.dir", "y"],
        &["debug", "byzantine", "executor", "--executor_mode", "executor_wrong"],
        &["debug", "byzantine", "--activation_epoch", "1", "storage"],
    ];
    for args in cases {
        let said = refused(args);
        assert!(said.contains("does not serve yet"), "{args:?}: {said}");
    }
    let said = refused(&["debug", "byzantine", "beacon", "--beacon_mode", "lazy", "--datadir", "x"]);
    assert!(said.contains("commit_straggler"), "{said}");
}
