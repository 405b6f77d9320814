use super::*;

const DOCUMENTED: &str = r#"
datadir: /node/data

log:
  level:
    default: info
    tendermint: info
    tendermint/context: error
  format: JSON

genesis:
  file: /node/etc/genesis.json

consensus:
  tendermint:
    core:
      listen_address: tcp://0.0.0.0:26656
      external_address: tcp://192.0.2.1:26656
    p2p:
      # List of seed nodes to connect to.
      seed:
        - "E27F6B7A350B4CC2B48A6CBE94B0A02B0DCB0BF3@35.199.49.168:26656"

runtime:
  supported:
    - "000000000000000000000000000000000000000000000000000000000000beef"
  paths:
    "000000000000000000000000000000000000000000000000000000000000beef": /node/runtimes/a

worker:
  registration:
    entity: /node/entity/entity.json
  storage:
    enabled: true
"#;

fn settings(text: &str) -> Result<Settings, String> {
    let config = Config::from_yaml("config.yml", text).map_err(|e| e.to_string())?;
    Settings::new(&config).map_err(|e| e.to_string())
}

#[test]
fn the_documented_file_is_read() {
    let config = Config::from_yaml("config.yml", DOCUMENTED).unwrap();
    let settings = Settings::new(&config).unwrap();
    assert_eq!(settings.datadir, Path::new("/node/data"));
    assert_eq!(settings.genesis_file, Path::new("/node/etc/genesis.json"));
    assert_eq!(settings.log.format, LogFormat::Json);
    assert_eq!(settings.log.modules["tendermint/context"], LogLevel::Error);
    assert_eq!(settings.p2p.seeds[0].to_string(), "e27f6b7a350b4cc2b48a6cbe94b0a02b0dcb0bf3@35.199.49.168:26656");
    assert_eq!(settings.p2p.external, Some(("192.0.2.1".to_owned(), 26656)));
    assert_eq!(settings.p2p.max_inbound, 40);
    let parts: Vec<_> = config.not_served().into_iter().map(|(name, _)| name).collect();
    assert_eq!(parts, ["runtime.paths", "runtime.supported", "worker.storage.enabled"]);
}

#[test]
fn an_unknown_key_is_refused_with_a_hint() {
    let error = settings("datadir: /d\nconsensus:\n  tendermint:\n    p2p:\n      seeds: []\n").unwrap_err();
    let expected = "config.yml: consensus.tendermint.p2p.seeds: there is no such key; did you mean consensus.tendermint.p2p.seed?";
    assert_eq!(error, expected);
    assert!(settings("datadir: /d\nnonsense: 1\n").unwrap_err().contains("nonsense: there is no such key"));
}

#[test]
fn a_wrong_value_says_what_is_wanted() {
    let error = settings("datadir: /d\nconsensus: {tendermint: {mode: fast}}").unwrap_err();
    assert_eq!(error, "config.yml: consensus.tendermint.mode: expected full, seed or archive, found fast");
    let error = settings("datadir: /d\nconsensus: {tendermint: {core: {listen_address: here}}}").unwrap_err();
    assert!(error.contains("listen_address: expected tcp://IP:PORT, found here"), "{error}");
    let error = settings("datadir: /d\nconsensus: {tendermint: {p2p: {send_rate: -1}}}").unwrap_err();
    assert!(error.contains("send_rate: expected a number that is not negative, found -1"), "{error}");
    assert!(settings("log: {format: JSON}").unwrap_err().contains("datadir"));
    assert!(settings("[]").unwrap_err().contains("expected keys"));
}

#[test]
fn flags_count_more_than_the_file() {
    let mut config = Config::from_yaml("config.yml", "datadir: /d\nconsensus: {tendermint: {p2p: {persistent_peer: [a]}}}").unwrap();
    let peer = |n: &str| format!("{}@127.0.0.1:{n}", "ab".repeat(20));
    config.set_flag("consensus.tendermint.p2p.persistent_peer", &peer("1")).unwrap();
    config.set_flag("consensus.tendermint.p2p.persistent_peer", &peer("2")).unwrap();
    config.set_flag("log.level", "debug").unwrap();
    let settings = Settings::new(&config).unwrap();
    assert_eq!(settings.p2p.persistent.len(), 2);
    assert_eq!(settings.log.default, LogLevel::Debug);
    assert!(config.set_flag("log.levle", "debug").is_err());
}

#[test]
fn what_is_for_test_networks_needs_the_switch() {
    let text = "datadir: /d\nconsensus: {tendermint: {debug: {allow_duplicate_ip: true}}}\n";
    assert!(!settings(text).unwrap().p2p.allow_duplicate_ip);
    assert!(settings(&format!("{text}debug: {{dont_blame_oasis: true}}\n")).unwrap().p2p.allow_duplicate_ip);
}

#[test]
fn state_sync_needs_what_it_trusts() {
    let text = "datadir: /d\nconsensus: {tendermint: {state_sync: {enabled: true}}}";
    assert!(settings(text).unwrap_err().contains("state_sync.consensus_node: expected a node"));
}

#[test]
fn a_sentry_and_who_asks_it_know_each_other_by_keys() {
    let key = "Yv8Eh4YPRbQKJ2GHTxhzHp3bEcnPLpIHtRmQKYUFUAY=";
    let text = format!("datadir: /d\nworker: {{sentry: {{enabled: true, control: {{authorized_pubkey: [\"{key}\"]}}}}}}");
    let sentry = settings(&text).unwrap().sentry.unwrap();
    assert_eq!((sentry.port, sentry.authorized.len()), (9009, 1));
    let text = format!("datadir: /d\nworker: {{sentry: {{address: [\"{key}@192.0.2.1:9009\"]}}}}");
    assert_eq!(settings(&text).unwrap().registration.sentries[0].key, sentry.authorized[0]);
    let error = settings("datadir: /d\nworker: {sentry: {address: [\"192.0.2.1:9009\"]}}").unwrap_err();
    assert!(error.contains("worker.sentry.address: expected PUBKEY@IP:port"), "{error}");
}
