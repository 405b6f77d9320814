//! The commands and configuration files of documents, run as they stand there: those of the repository's own documents, and of those in
//! `$OASIS_SEEDS` or `../shared/seeds`.

mod markdown;
mod shown;
mod world;

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::PermissionsExt,
    process::{Command, Stdio},
};

use markdown::{Block, Document, documents};
use oasis_node_service::config::Settings;
use serde_json::Value;
use world::{RUNTIME, World, configuration, is_configuration};

/// Every block of the documents that a test is about.
fn blocks(wanted: impl Fn(&Block) -> bool) -> Vec<Block> {
    documents().into_iter().flat_map(|document| document.blocks).filter(wanted).collect()
}

#[test]
fn configuration_files_of_the_documents_are_read() {
    let world = World::new(false);
    let found = blocks(is_configuration);
    assert!(found.len() >= 5, "the repository's own documents have that many");
    for block in &found {
        let config = configuration(&block.place, &world.own(&block.text));
        Settings::new(&config).unwrap_or_else(|e| panic!("{}: {e}", block.place));
        // What is not served yet is named, and only that.
        let parts = ["runtime.", "ias.", "worker.compute", "worker.storage", "worker.p2p", "worker.keymanager"];
        for (key, _) in config.not_served() {
            assert!(parts.iter().any(|part| key.starts_with(part)), "{}: {key} is not served", block.place);
        }
    }
}

#[test]
fn commands_of_the_documents_do_what_they_say() {
    let mut run = 0;
    for document in documents() {
        if document.blocks.iter().any(World::is_for_us) {
            run += follow(&document);
        }
    }
    assert!(run >= 10, "the repository's own documents have more than {run} commands");
}

#[test]
fn troubles_are_told_in_the_words_of_the_document() {
    let document = fs::read_to_string(oasis_test_vectors::repository_root().join("docs/operators.md")).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("config.yml");
    let said = |args: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_oasis-node")).args(args).stdin(Stdio::null()).output().unwrap();
        assert!(!output.status.success(), "{args:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    let told = |words: &str, said: &str| {
        assert!(document.contains(words), "the document does not have {words:?}");
        assert!(said.contains(words), "{words:?} is not in {said}");
    };
    let node = |text: &str| {
        let text = text.replace("DIR", dir.path().to_str().unwrap());
        fs::write(&config, text).unwrap();
        said(&["--config", config.to_str().unwrap()])
    };
    told("there is no genesis document here; set genesis.file to your network's", &node("datadir: DIR/a\ngenesis: {file: DIR/none.json}"));
    fs::create_dir(dir.path().join("b")).unwrap();
    fs::set_permissions(dir.path().join("b"), fs::Permissions::from_mode(0o755)).unwrap();
    told("expected a directory that only its owner may enter (0700), found 0755", &node("datadir: DIR/b"));
    told("there is no such key; did you mean", &node("datadir: DIR/a\nconsensus: {tendermint: {p2p: {seeds: []}}}"));
    told("--address: expected unix:PATH", &said(&["control", "status", "-a", "/node/data/internal.sock"]));
    told("is the node running, and is this its socket", &said(&["control", "status", "-a", "unix:/nowhere/internal.sock"]));
}

/// Does what a document says, in its order.
fn follow(document: &Document) -> usize {
    let makes_entity = document.blocks.iter().any(|block| block.text.contains("registry entity init"));
    let mut world = World::new(makes_entity);
    world.start_network();
    let mut count = 0;
    let mut config = None;
    for block in &document.blocks {
        if is_configuration(block) && block.text.contains("datadir:") {
            fs::write(world.path("node/etc/config.yml"), world.own(&block.text)).unwrap();
            config = Some(configuration(&block.place, &world.own(&block.text)));
        }
        if !World::is_for_us(block) {
            continue;
        }
        for (command, printed) in world.run(block) {
            count += 1;
            check(&world, &command, &printed, config.as_ref());
        }
    }
    if let Some(log) = world.stop_node() {
        // The log says what is not served.
        for (key, _) in config.iter().flat_map(|config| config.not_served()) {
            let said = log.lines().any(|line| line.contains(key) && line.contains("not served yet"));
            assert!(said, "{}: the log does not say that {key} is not served yet: {log}", document.name);
        }
    }
    count
}

/// What commands print.
fn check(world: &World, command: &str, printed: &str, config: Option<&oasis_node_service::config::Config>) {
    let json = || serde_json::from_str::<Value>(printed).unwrap_or_else(|e| panic!("{command}: {e}: {printed}"));
    if command.contains("control status") && command.contains(world.path("node/data").to_str().unwrap()) {
        let status = json();
        let keys: Vec<&String> = status.as_object().unwrap().keys().collect();
        let original = ["software_version", "identity", "consensus", "runtimes", "registration", "pending_upgrades"];
        assert!(keys.iter().map(|key| key.as_str()).take(6).eq(original), "{keys:?}");
        let missing: BTreeMap<String, String> =
            status.get("not_served").map(|missing| serde_json::from_value(missing.clone()).unwrap()).unwrap_or_default();
        let expected: Vec<&str> = config.unwrap().not_served().into_iter().map(|(key, _)| key).collect();
        assert_eq!(missing.keys().collect::<Vec<_>>(), expected);
        if expected.contains(&"runtime.supported") {
            assert!(status["runtimes"].get(RUNTIME).is_some(), "{status}");
        }
    }
    if command.starts_with("cat ") && command.contains("entity.json") {
        let entity = json();
        assert_eq!(entity.as_object().unwrap().keys().collect::<Vec<_>>(), ["v", "id", "nodes"]);
        assert_eq!(entity["nodes"].as_array().unwrap().len(), 2, "{entity}");
    }
    if command.contains("is-synced") {
        assert_eq!(printed, "node completed initial syncing\n");
    }
    if command.contains("account info") {
        assert!(printed.contains("Balance:\n  Total: ") && printed.contains("\nNonce: "), "{printed}");
    }
    if command.contains("stake info") {
        assert!(printed.contains("Staking threshold (entity): "), "{printed}");
    }
}
