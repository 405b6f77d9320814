//! Every key of the configuration: name, form, default, and whether this node serves it.
//!
//! Names and defaults are the original's. Source: the `Cfg…` constants and `init` functions of go/oasis-node/cmd/common,
//! go/consensus/tendermint, go/worker, go/runtime, go/ias.

/// The form of a key's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A text.
    Text,
    /// `true` or `false`.
    Bool,
    /// A port, 0 to 65,535.
    Port,
    /// A whole number, 0 to 2^64 - 1.
    Uint,
    /// A whole number, -2^63 to 2^63 - 1.
    Int,
    /// A fraction.
    Float,
    /// A duration as `1h2m3s`, `500ms`; a bare number is nanoseconds.
    Duration,
    /// A list of texts; on the command line with commas between them, or the flag given repeatedly.
    List,
    /// Texts by name; on the command line `a=b,c=d`.
    Map,
    /// A text for all, or texts by name with one called `default`: the log level of modules.
    Levels,
}

/// Whether this node does what the key asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Served {
    /// It does.
    Yes,
    /// It is accepted, and the node says at its start that the part is not served yet.
    NotYet(&'static str),
    /// It is accepted and has no meaning here, for the reason given.
    NoMeaning(&'static str),
}

/// A key of the configuration.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Its name, words with dots between them; also the flag's.
    pub name: &'static str,
    /// The form of its value.
    pub kind: Kind,
    /// Its default, written as on the command line; empty for none, zero, false.
    pub default: &'static str,
    /// Whether it is served.
    pub served: Served,
    /// What it says, in a line of help; empty for keys of test networks, which are not listed.
    pub help: &'static str,
}

const fn key(name: &'static str, kind: Kind, default: &'static str, help: &'static str) -> Key {
    Key { name, kind, default, served: Served::Yes, help }
}

const fn later(name: &'static str, kind: Kind, default: &'static str, part: &'static str) -> Key {
    Key { name, kind, default, served: Served::NotYet(part), help: "" }
}

const fn idle(name: &'static str, kind: Kind, default: &'static str, why: &'static str) -> Key {
    Key { name, kind, default, served: Served::NoMeaning(why), help: "" }
}

use Kind::{Bool, Duration, Float, Int, Levels, List, Map, Port, Text, Uint};

const RUNTIMES: &str = "ParaTimes";
/// It forwards calls of ParaTimes' storage and key manager only, those that their access policies allow; the services without policies
/// it refuses. Source: go/worker/sentry/grpc/worker.go, `authFunction`.
const SENTRY_GRPC: &str = "the gRPC sentry, which stands before nodes of ParaTimes";
const OWN_DATABASE: &str = "this node has one database, which is not Badger";

/// What the original serves there are profiles of Go's runtime. Source: go/oasis-node/cmd/common/pprof/pprof.go.
const PROFILES: &str =
    "no profiles are served at that address; `perf record -g -p PID` makes one of this program, and metrics.mode: pull gives its numbers";

/// All keys, sorted by name.
pub const KEYS: &[Key] = &[
    later("badger.migrate.num_go_routines", Int, "8", "the migration of Badger databases"),
    key("consensus.tendermint.abci.prune.num_kept", Uint, "3600", "state versions kept, where the strategy is keep_n"),
    key("consensus.tendermint.abci.prune.strategy", Text, "none", "which state versions are forgotten: none, keep_n"),
    idle("consensus.tendermint.checkpointer.check_interval", Duration, "1m", "checkpoints are made at the blocks that they are due at"),
    key("consensus.tendermint.checkpointer.disabled", Bool, "", "make no checkpoints of the state"),
    key("consensus.tendermint.core.external_address", Text, "", "address told to other nodes, tcp://HOST:PORT"),
    key("consensus.tendermint.core.listen_address", Text, "tcp://0.0.0.0:26656", "address to listen on for other nodes, tcp://IP:PORT"),
    key("consensus.tendermint.debug.addr_book_lenient", Bool, "", ""),
    key("consensus.tendermint.debug.allow_duplicate_ip", Bool, "", ""),
    idle("consensus.tendermint.debug.unsafe_replay_recover_corrupted_wal", Bool, "", "a record that was cut off is always dropped"),
    idle("consensus.tendermint.log.debug", Bool, "", "log.level holds for every module"),
    key("consensus.tendermint.min_gas_price", Uint, "", "lowest gas price that this node takes transactions for, base units"),
    key("consensus.tendermint.mode", Text, "full", "full, seed or archive"),
    key("consensus.tendermint.p2p.disable_peer_exchange", Bool, "", "neither ask peers for peers nor tell them any"),
    key("consensus.tendermint.p2p.max_num_inbound_peers", Int, "40", "most peers that connected to this node"),
    key("consensus.tendermint.p2p.max_num_outbound_peers", Int, "20", "most peers this node connects to, persistent ones aside"),
    key("consensus.tendermint.p2p.persistent_peer", List, "", "peers to stay connected to, ID@IP:port"),
    key(
        "consensus.tendermint.p2p.persistent_peers_max_dial_period",
        Duration,
        "0s",
        "longest pause between dials of a persistent peer, 0 for no limit",
    ),
    key("consensus.tendermint.p2p.recv_rate", Int, "5120000", "most bytes a second from a peer"),
    key("consensus.tendermint.p2p.seed", List, "", "seed nodes, ID@IP:port"),
    key("consensus.tendermint.p2p.send_rate", Int, "5120000", "most bytes a second to a peer"),
    key("consensus.tendermint.p2p.unconditional_peer_ids", List, "", "IDs of peers that limits do not hold for"),
    key("consensus.tendermint.seed.debug.disable_addr_book_from_genesis", Bool, "", ""),
    key("consensus.tendermint.sentry.upstream_address", List, "", "nodes this one is a sentry for, ID@IP:port"),
    key("consensus.tendermint.state_sync.consensus_node", List, "", "nodes that light blocks are taken from, PUBKEY@IP:port"),
    key("consensus.tendermint.state_sync.enabled", Bool, "", "start from a snapshot of the state, where there is no state yet"),
    key("consensus.tendermint.state_sync.trust_hash", Text, "", "hash of a trusted block, 64 hexadecimal digits"),
    key("consensus.tendermint.state_sync.trust_height", Uint, "", "height of the trusted block"),
    key("consensus.tendermint.state_sync.trust_period", Duration, "24h", "how old a trusted block may be"),
    key("consensus.tendermint.submission.gas_price", Uint, "", "gas price of this node's own transactions, base units"),
    key("consensus.tendermint.submission.max_fee", Uint, "", "highest fee of this node's own transactions, base units; 0 for no limit"),
    key("consensus.tendermint.supplementarysanity.enabled", Bool, "", ""),
    key("consensus.tendermint.supplementarysanity.interval", Uint, "10", ""),
    key("consensus.tendermint.upgrade.stop_delay", Duration, "1m", "average pause before the node stops for an upgrade"),
    key("consensus.validator", Bool, "", "register as a validator"),
    key("datadir", Text, "", "data directory"),
    key("debug.allow_test_keys", Bool, "", ""),
    later("debug.crash.default", Float, "0", "crash points"),
    key("debug.dont_blame_oasis", Bool, "", ""),
    key("debug.grpc.internal.socket_path", Text, "", ""),
    key("debug.rlimit", Uint, "", ""),
    key("debug.test_entity", Bool, "", ""),
    key("genesis.file", Text, "genesis.json", "genesis document"),
    later("grpc.log.debug", Bool, "", "the log of calls"),
    later("ias.debug.allow_debug_enclaves", Bool, "", RUNTIMES),
    later("ias.debug.skip_verify", Bool, "", RUNTIMES),
    later("ias.proxy.address", List, "", RUNTIMES),
    key("log.file", Text, "", "log to this file instead of the terminal; a relative path is inside of the data directory"),
    key("log.format", Text, "logfmt", "logfmt or JSON"),
    key("log.level", Levels, "WARN", "DEBUG, INFO, WARN or ERROR; in the file also by module"),
    key("metrics.address", Text, "127.0.0.1:3000", "address to serve metrics at, HOST:PORT"),
    key("metrics.interval", Duration, "5s", ""),
    key("metrics.job_name", Text, "", ""),
    key("metrics.labels", Map, "", ""),
    key("metrics.mode", Text, "none", "metrics for Prometheus: none, pull"),
    idle("pprof.bind", Text, "", PROFILES),
    later("runtime.client.max_transaction_age", Int, "1500", RUNTIMES),
    later("runtime.config", Map, "", RUNTIMES),
    later("runtime.history.pruner.interval", Duration, "2m", RUNTIMES),
    later("runtime.history.pruner.num_kept", Uint, "600", RUNTIMES),
    later("runtime.history.pruner.strategy", Text, "none", RUNTIMES),
    later("runtime.paths", Map, "", RUNTIMES),
    later("runtime.provisioner", Text, "sandboxed", RUNTIMES),
    later("runtime.sandbox.binary", Text, "/usr/bin/bwrap", RUNTIMES),
    later("runtime.sgx.loader", Text, "", RUNTIMES),
    later("runtime.sgx.signatures", Map, "", RUNTIMES),
    later("runtime.supported", List, "", RUNTIMES),
    key("signer.backend", Text, "file", "where the node's keys are: file, remote, plugin or composite"),
    key("signer.composite.backends", Text, "", "backends of roles, such as node:file,p2p:file,consensus:remote"),
    key("signer.plugin.config", Text, "", "what a plugin is told at its start"),
    key("signer.plugin.name", Text, "", "name of the plugin"),
    key("signer.plugin.path", Text, "", "program of the plugin"),
    key("signer.remote.address", Text, "", "host and port of the remote signer"),
    key("signer.remote.client.certificate", Text, "", "certificate for the remote signer"),
    key("signer.remote.client.key", Text, "", "its key"),
    key("signer.remote.server.certificate", Text, "", "certificate of the remote signer"),
    idle("tendermint.db.backend", Text, "badger", OWN_DATABASE),
    key(
        "worker.client.addresses",
        List,
        "",
        "addresses that are registered for the public services, IP:port; all of this machine's if there are none",
    ),
    key("worker.client.port", Port, "9100", "port of the public services"),
    later("worker.compute.enabled", Bool, "", RUNTIMES),
    key("worker.consensusrpc.enabled", Bool, "", "serve light blocks and take transactions, for anybody"),
    later("worker.debug.storage.ignore_apply", Bool, "", RUNTIMES),
    later("worker.executor.check_tx_max_batch_size", Uint, "1000", RUNTIMES),
    later("worker.executor.schedule_max_tx_pool_size", Uint, "50000", RUNTIMES),
    later("worker.executor.schedule_tx_cache_size", Uint, "100000", RUNTIMES),
    later("worker.keymanager.enabled", Bool, "", RUNTIMES),
    later("worker.keymanager.may_generate", Bool, "", RUNTIMES),
    later("worker.keymanager.runtime.id", Text, "", RUNTIMES),
    later("worker.p2p.addresses", List, "", RUNTIMES),
    later("worker.p2p.connectedness_low_water", Float, "0.2", RUNTIMES),
    later("worker.p2p.enabled", Bool, "", RUNTIMES),
    later("worker.p2p.peer_outbound_queue_size", Int, "32", RUNTIMES),
    later("worker.p2p.port", Port, "9200", RUNTIMES),
    later("worker.p2p.validate_concurrency", Int, "1024", RUNTIMES),
    later("worker.p2p.validate_queue_size", Int, "32", RUNTIMES),
    later("worker.p2p.validate_throttle", Int, "8192", RUNTIMES),
    key("worker.registration.debug.private_key", Text, "", ""),
    key("worker.registration.entity", Text, "", "descriptor of the entity that owns this node"),
    key("worker.registration.force_register", Bool, "", "register although a deregistration was asked for before"),
    key("worker.registration.rotate_certs", Uint, "", "new TLS certificates every so many epochs, 0 for never"),
    key("worker.sentry.address", List, "", "sentries of this node, PUBKEY@IP:port"),
    key("worker.sentry.control.authorized_pubkey", List, "", "keys of the nodes behind this sentry, which may ask it"),
    key("worker.sentry.control.port", Port, "9009", "port at which this sentry answers the nodes behind it"),
    key("worker.sentry.enabled", Bool, "", "be a sentry: tell the nodes behind this one its addresses"),
    later("worker.sentry.grpc.client.address", List, "", SENTRY_GRPC),
    later("worker.sentry.grpc.client.port", Port, "9100", SENTRY_GRPC),
    later("worker.sentry.grpc.enabled", Bool, "", SENTRY_GRPC),
    later("worker.sentry.grpc.upstream.address", Text, "", SENTRY_GRPC),
    later("worker.sentry.grpc.upstream.id", Text, "", SENTRY_GRPC),
    later("worker.storage.backend", Text, "badger", RUNTIMES),
    later("worker.storage.checkpoint_sync.disabled", Bool, "", RUNTIMES),
    later("worker.storage.checkpointer.check_interval", Duration, "1m", RUNTIMES),
    later("worker.storage.checkpointer.disabled", Bool, "", RUNTIMES),
    later("worker.storage.crash.enabled", Bool, "", RUNTIMES),
    later("worker.storage.debug.insecure_skip_checks", Bool, "", RUNTIMES),
    later("worker.storage.enabled", Bool, "", RUNTIMES),
    later("worker.storage.fetcher_count", Uint, "4", RUNTIMES),
    later("worker.storage.max_cache_size", Text, "64mb", RUNTIMES),
    later("worker.storage.public_rpc.enabled", Bool, "", RUNTIMES),
    later("worker.storage.root_cache.apply_lock_lru_slots", Int, "1000", RUNTIMES),
    later("worker.storage_commit_timeout", Duration, "10s", RUNTIMES),
];

/// The key of a name, whatever its case.
pub fn find(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name.eq_ignore_ascii_case(name))
}

/// The name most like one that does not exist; none where nothing is near.
pub fn nearest(name: &str) -> Option<&'static str> {
    const NEAR: f64 = 0.8;
    let score = |key: &Key| strsim::jaro_winkler(key.name, name);
    let tail = |text: &str| text.rsplit('.').next().unwrap_or_default().to_owned();
    let same_end = KEYS.iter().filter(|key| tail(key.name) == tail(name)).map(|key| (score(key), key.name));
    let best = KEYS.iter().map(|key| (score(key), key.name)).filter(|(score, _)| *score >= NEAR);
    best.chain(same_end).max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_sorted_and_stand_once() {
        assert!(KEYS.windows(2).all(|pair| pair[0].name < pair[1].name));
    }

    #[test]
    fn a_mistyped_name_finds_its_neighbour() {
        assert_eq!(nearest("consensus.tendermint.p2p.seeds"), Some("consensus.tendermint.p2p.seed"));
        assert_eq!(nearest("consensus.p2p.persistent_peer"), Some("consensus.tendermint.p2p.persistent_peer"));
    }
}
