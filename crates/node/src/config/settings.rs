//! The configuration with every value checked.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

use oasis_consensus_net::{PeerAddress, PeerId};
use oasis_primitives::{namespace::Namespace, signature::PublicKey};

use super::{Config, ConfigError, Served};
use crate::signers::{PluginSettings, RemoteSettings, SignerSettings};

/// What a node is in its network. Source: go/consensus/api/api.go, `Mode…`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Follows the chain, and validates where it is chosen to.
    Full,
    /// Tells nodes of other nodes, nothing else.
    Seed,
    /// Answers from what it has, without a network.
    Archive,
}

/// Which state versions are forgotten. Source: go/consensus/tendermint/abci/prune.go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prune {
    /// None.
    None,
    /// All but the newest.
    KeepN(u64),
}

/// Format of log lines. Source: go/common/logging/logging.go, `Format`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// `key=value` pairs.
    Logfmt,
    /// JSON objects.
    Json,
}

/// How much is logged. Source: go/common/logging/logging.go, `Level`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// Everything.
    Debug,
    /// What happens.
    Info,
    /// What should not happen.
    Warn,
    /// What went wrong.
    Error,
}

/// Where and how much is logged.
#[derive(Clone, Debug, PartialEq)]
pub struct LogSettings {
    /// The file, none for the terminal.
    pub file: Option<PathBuf>,
    /// Format of the lines.
    pub format: LogFormat,
    /// Level of modules that no other entry is for.
    pub default: LogLevel,
    /// Levels of modules, by the start of their names; the longest that fits counts.
    pub modules: BTreeMap<String, LogLevel>,
}

/// Address of a node's TLS service, `PUBKEY@IP:port` or without a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsAddress {
    /// Key that the certificate must have.
    pub key: Option<PublicKey>,
    /// Address.
    pub address: SocketAddr,
}

impl FromStr for TlsAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (key, address) = match text.split_once('@') {
            Some((key, address)) => (Some(PublicKey::from_base64(key).ok_or("no key in base64")?), address),
            None => (None, text),
        };
        Ok(Self { key, address: address.parse().map_err(|_| "no IP:port")? })
    }
}

/// A sentry that this node asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sentry {
    /// Key that its certificate must have.
    pub key: PublicKey,
    /// Address of its control port.
    pub address: SocketAddr,
}

impl FromStr for Sentry {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let TlsAddress { key, address } = text.parse()?;
        Ok(Self { key: key.ok_or("no key")?, address })
    }
}

fn host_and_port(text: &str) -> Option<(String, u16)> {
    let (host, port) = text.rsplit_once(':')?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    (!host.is_empty()).then(|| Some((host.to_owned(), port.parse().ok()?)))?
}

/// How the node meets others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct P2pSettings {
    /// Address to listen on.
    pub listen: SocketAddr,
    /// Host and port told to others.
    pub external: Option<(String, u16)>,
    /// Seeds.
    pub seeds: Vec<PeerAddress>,
    /// Peers to stay connected to.
    pub persistent: Vec<PeerAddress>,
    /// Peers that limits do not hold for.
    pub unconditional: Vec<PeerId>,
    /// Peers that nobody is told of.
    pub private: Vec<PeerId>,
    /// Longest pause between dials of a persistent peer, zero for no limit.
    pub max_dial_period: Duration,
    /// Most peers that connected to this node.
    pub max_inbound: usize,
    /// Most peers this node connects to.
    pub max_outbound: usize,
    /// Bytes a second to a peer.
    pub send_rate: u64,
    /// Bytes a second from a peer.
    pub recv_rate: u64,
    /// Whether to ask peers for peers.
    pub peer_exchange: bool,
    /// Whether addresses that are not routed on the internet are taken from peers.
    pub lenient: bool,
    /// Whether several peers may have one IP address.
    pub allow_duplicate_ip: bool,
    /// Whether a seed begins without the addresses of the genesis document's validators.
    pub seed_without_genesis: bool,
}

/// How to start from a snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateSyncSettings {
    /// Nodes that light blocks are taken from.
    pub nodes: Vec<TlsAddress>,
    /// How old the trusted block may be.
    pub trust_period: Duration,
    /// Height of the trusted block.
    pub trust_height: i64,
    /// Its hash.
    pub trust_hash: [u8; 32],
}

/// The public consensus RPC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsensusRpcSettings {
    /// Port that it listens on.
    pub port: u16,
    /// Addresses that are registered; all of the machine's if there are none.
    pub addresses: Vec<SocketAddr>,
}

/// What a sentry serves to the nodes behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentrySettings {
    /// Port that it listens on.
    pub port: u16,
    /// Keys of the nodes that may ask.
    pub authorized: Vec<PublicKey>,
}

/// When checkpoints are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckpointerSettings {
    /// Never.
    pub disabled: bool,
    /// How often to look.
    pub check_interval: Duration,
}

/// Where metrics go. Source: go/oasis-node/cmd/common/metrics/metrics.go, `New`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MetricsSettings {
    /// Nowhere: nothing is counted.
    None,
    /// To whoever asks at this address, HOST:PORT.
    Pull(String),
    /// To a gateway, in test networks.
    Push {
        /// Its address, HOST:PORT or http://HOST:PORT.
        address: String,
        /// What they are kept under there.
        job: String,
        /// And these.
        labels: BTreeMap<String, String>,
        /// How often.
        interval: Duration,
    },
}

/// How the node registers itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegistrationSettings {
    /// Descriptor of the owner.
    pub entity: Option<PathBuf>,
    /// Key to sign with in place of the node's own, in test networks.
    pub debug_private_key: Option<PathBuf>,
    /// Register although deregistration was asked for before.
    pub force: bool,
    /// New TLS certificates every so many epochs, 0 for never.
    pub rotate_certs: u64,
    /// Sentries, whose addresses are registered in place of this node's.
    pub sentries: Vec<Sentry>,
}

/// What a validator keeps back of its part of the random beacon. Source: go/oasis-node/cmd/debug/byzantine/beacon.go, `BeaconMode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BeaconMode {
    /// Nothing.
    Honest,
    /// Its commits, and with them its reveals.
    CommitStraggler,
    /// Its reveals.
    RevealStraggler,
}

impl BeaconMode {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Honest, Self::CommitStraggler, Self::RevealStraggler];

    /// The name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Honest => "beacon_honest",
            Self::CommitStraggler => "commit_straggler",
            Self::RevealStraggler => "reveal_straggler",
        }
    }

    /// The one of a name, whatever its case.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.name().eq_ignore_ascii_case(name))
    }
}

/// A validator of a test network that fails on purpose. Source: go/oasis-node/cmd/debug/byzantine/byzantine.go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ByzantineSettings {
    /// What it keeps back.
    pub mode: BeaconMode,
    /// The epoch in which it registers first.
    pub activation_epoch: u64,
}

/// A whole configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Data directory.
    pub datadir: PathBuf,
    /// Genesis document.
    pub genesis_file: PathBuf,
    /// Whether what is only for test networks is allowed.
    pub debug: bool,
    /// Whether well-known keys are allowed.
    pub allow_test_keys: bool,
    /// Whether the node belongs to the well-known test entity.
    pub test_entity: bool,
    /// Where the socket for local programs is, if not in the data directory.
    pub socket: Option<PathBuf>,
    /// Limit of open files to ask for; none leaves it.
    pub rlimit: Option<u64>,
    /// Logging.
    pub log: LogSettings,
    /// Metrics.
    pub metrics: MetricsSettings,
    /// What the node is.
    pub mode: Mode,
    /// Whether it registers as a validator.
    pub validator: bool,
    /// Peers.
    pub p2p: P2pSettings,
    /// Pruning.
    pub prune: Prune,
    /// Where the node's keys are.
    pub signer: SignerSettings,
    /// Checkpoints.
    pub checkpointer: CheckpointerSettings,
    /// Start from a snapshot.
    pub state_sync: Option<StateSyncSettings>,
    /// The public consensus RPC.
    pub consensus_rpc: Option<ConsensusRpcSettings>,
    /// Set for a sentry.
    pub sentry: Option<SentrySettings>,
    /// Lowest gas price that transactions are taken for, base units.
    pub min_gas_price: u64,
    /// Gas price of the node's own transactions, base units.
    pub submission_gas_price: u64,
    /// Highest fee of the node's own transactions, base units; 0 for no limit.
    pub submission_max_fee: u64,
    /// Every how many blocks the whole state is checked.
    pub supplementary_sanity_interval: Option<u64>,
    /// Average pause before the node stops for an upgrade.
    pub upgrade_stop_delay: Duration,
    /// Whether a damaged end of the consensus log is cut off and the rest used.
    pub recover_wal: bool,
    /// Registration.
    pub registration: RegistrationSettings,
    /// Runtimes that the node is to support.
    pub runtimes: Vec<Namespace>,
    /// Set for a validator that fails on purpose; no key asks for it.
    pub byzantine: Option<ByzantineSettings>,
    /// Keys that were given and are not served, with what there is to say of each.
    pub not_served: BTreeMap<String, String>,
}

impl Settings {
    /// Checks every value.
    pub fn new(config: &Config) -> Result<Self, ConfigError> {
        let debug = config.flag("debug.dont_blame_oasis");
        let datadir = config.text("datadir");
        if datadir.is_empty() {
            return Err(config.wrong("datadir", "a directory for the node's keys and data", "nothing"));
        }
        let datadir = std::path::absolute(&datadir).map_err(|error| ConfigError::File { path: datadir.into(), error })?;
        Ok(Self {
            genesis_file: config.text("genesis.file").into(),
            allow_test_keys: debug && config.flag("debug.allow_test_keys"),
            test_entity: debug && config.flag("debug.test_entity"),
            socket: Some(config.text("debug.grpc.internal.socket_path")).filter(|p| debug && !p.is_empty()).map(PathBuf::from),
            signer: signer(config, debug),
            rlimit: Some(config.uint("debug.rlimit")).filter(|limit| debug && *limit > 0),
            log: log(config, &datadir)?,
            metrics: metrics(config, debug)?,
            mode: mode(config)?,
            validator: config.flag("consensus.validator"),
            p2p: p2p(config, debug)?,
            prune: prune(config)?,
            checkpointer: CheckpointerSettings {
                disabled: config.flag("consensus.tendermint.checkpointer.disabled"),
                check_interval: config.duration("consensus.tendermint.checkpointer.check_interval"),
            },
            state_sync: state_sync(config)?,
            consensus_rpc: consensus_rpc(config)?,
            sentry: sentry(config)?,
            min_gas_price: config.uint("consensus.tendermint.min_gas_price"),
            submission_gas_price: config.uint("consensus.tendermint.submission.gas_price"),
            submission_max_fee: config.uint("consensus.tendermint.submission.max_fee"),
            supplementary_sanity_interval: config
                .flag("consensus.tendermint.supplementarysanity.enabled")
                .then(|| config.uint("consensus.tendermint.supplementarysanity.interval")),
            upgrade_stop_delay: config.duration("consensus.tendermint.upgrade.stop_delay"),
            recover_wal: debug && config.flag("consensus.tendermint.debug.unsafe_replay_recover_corrupted_wal"),
            registration: registration(config, debug)?,
            runtimes: runtimes(config)?,
            byzantine: None,
            not_served: not_served(config),
            datadir,
            debug,
        })
    }
}

fn mode(config: &Config) -> Result<Mode, ConfigError> {
    const KEY: &str = "consensus.tendermint.mode";
    match config.text(KEY).as_str() {
        "full" => Ok(Mode::Full),
        "seed" => Ok(Mode::Seed),
        "archive" => Ok(Mode::Archive),
        other => Err(config.wrong(KEY, "full, seed or archive", other)),
    }
}

fn prune(config: &Config) -> Result<Prune, ConfigError> {
    const KEY: &str = "consensus.tendermint.abci.prune.strategy";
    match config.text(KEY).to_ascii_lowercase().as_str() {
        "none" => Ok(Prune::None),
        "keep_n" => Ok(Prune::KeepN(config.uint("consensus.tendermint.abci.prune.num_kept"))),
        other => Err(config.wrong(KEY, "none or keep_n", other)),
    }
}

fn level(text: &str) -> Option<LogLevel> {
    Some(match text.to_ascii_uppercase().as_str() {
        "DEBUG" => LogLevel::Debug,
        "INFO" => LogLevel::Info,
        "WARN" => LogLevel::Warn,
        "ERROR" => LogLevel::Error,
        _ => return None,
    })
}

fn log(config: &Config, datadir: &Path) -> Result<LogSettings, ConfigError> {
    const DEFAULT: &str = "default";
    let format = match config.text("log.format").to_ascii_uppercase().as_str() {
        "LOGFMT" => LogFormat::Logfmt,
        "JSON" => LogFormat::Json,
        other => return Err(config.wrong("log.format", "logfmt or JSON", other)),
    };
    let mut modules = BTreeMap::new();
    for (module, text) in config.map("log.level") {
        let level =
            level(&text).ok_or_else(|| config.wrong("log.level", "DEBUG, INFO, WARN or ERROR", format_args!("{module}: {text}")))?;
        modules.insert(module, level);
    }
    let file = Some(config.text("log.file")).filter(|f| !f.is_empty()).map(|f| datadir.join(f));
    let default = modules.remove(DEFAULT).unwrap_or(LogLevel::Warn);
    Ok(LogSettings { file, format, default, modules })
}

fn metrics(config: &Config, debug: bool) -> Result<MetricsSettings, ConfigError> {
    const MODE: &str = "metrics.mode";
    const JOB: &str = "metrics.job_name";
    const LABELS: &str = "metrics.labels";
    const INTERVAL: &str = "metrics.interval";
    /// The label that tells nodes apart.
    const INSTANCE: &str = "instance";
    let mode = config.text(MODE).to_ascii_lowercase();
    let address = config.text("metrics.address");
    match mode.as_str() {
        "none" => Ok(MetricsSettings::None),
        "pull" => Ok(MetricsSettings::Pull(address)),
        "push" if debug => {
            let (job, labels, interval) = (config.text(JOB), config.map(LABELS), config.duration(INTERVAL));
            if job.is_empty() {
                return Err(config.wrong(JOB, "a name, for the mode push", "none"));
            }
            if labels.get(INSTANCE).is_none_or(String::is_empty) {
                return Err(config.wrong(LABELS, "at least instance=NAME, for the mode push", format_args!("{labels:?}")));
            }
            if interval.is_zero() {
                return Err(config.wrong(INTERVAL, "a duration above zero", "0"));
            }
            Ok(MetricsSettings::Push { address, job, labels, interval })
        }
        "push" => Err(config.wrong(MODE, "none or pull (push is for test networks: debug.dont_blame_oasis)", mode)),
        _ => Err(config.wrong(MODE, "none or pull", mode)),
    }
}

fn p2p(config: &Config, debug: bool) -> Result<P2pSettings, ConfigError> {
    const LISTEN: &str = "consensus.tendermint.core.listen_address";
    const EXTERNAL: &str = "consensus.tendermint.core.external_address";
    const UNCONDITIONAL: &str = "consensus.tendermint.p2p.unconditional_peer_ids";
    const UPSTREAM: &str = "consensus.tendermint.sentry.upstream_address";
    let text = config.text(LISTEN);
    let address = text.strip_prefix("tcp://").unwrap_or(&text);
    let listen = address.parse().map_err(|_| config.wrong(LISTEN, "tcp://IP:PORT", &text))?;
    let text = config.text(EXTERNAL);
    let external = match text.strip_prefix("tcp://").unwrap_or(&text) {
        "" => None,
        address => Some(host_and_port(address).ok_or_else(|| config.wrong(EXTERNAL, "tcp://HOST:PORT", &text))?),
    };
    let upstream = parsed::<PeerAddress>(config, UPSTREAM, "ID@IP:port")?;
    let mut persistent = parsed(config, "consensus.tendermint.p2p.persistent_peer", "ID@IP:port")?;
    let mut unconditional = Vec::new();
    for text in config.list(UNCONDITIONAL) {
        let wrong = |_| config.wrong(UNCONDITIONAL, "peer IDs of 40 hexadecimal digits", &text);
        unconditional.push(text.to_ascii_lowercase().parse().map_err(wrong)?);
    }
    let private: Vec<PeerId> = upstream.iter().map(|peer| peer.id).collect();
    unconditional.extend(&private);
    persistent.extend(upstream);
    let limit = |key| Ok(usize::try_from(config.count(key)?).unwrap_or(usize::MAX));
    Ok(P2pSettings {
        listen,
        external,
        seeds: parsed(config, "consensus.tendermint.p2p.seed", "ID@IP:port")?,
        persistent,
        unconditional,
        private,
        max_dial_period: config.duration("consensus.tendermint.p2p.persistent_peers_max_dial_period"),
        max_inbound: limit("consensus.tendermint.p2p.max_num_inbound_peers")?,
        max_outbound: limit("consensus.tendermint.p2p.max_num_outbound_peers")?,
        send_rate: config.count("consensus.tendermint.p2p.send_rate")?,
        recv_rate: config.count("consensus.tendermint.p2p.recv_rate")?,
        peer_exchange: !config.flag("consensus.tendermint.p2p.disable_peer_exchange"),
        lenient: debug && config.flag("consensus.tendermint.debug.addr_book_lenient"),
        allow_duplicate_ip: debug && config.flag("consensus.tendermint.debug.allow_duplicate_ip"),
        seed_without_genesis: debug && config.flag("consensus.tendermint.seed.debug.disable_addr_book_from_genesis"),
    })
}

fn parsed<T: FromStr<Err: std::fmt::Display>>(config: &Config, key: &'static str, expected: &str) -> Result<Vec<T>, ConfigError> {
    let one = |text: &String| text.parse().map_err(|e: T::Err| config.wrong(key, expected, format_args!("{text:?} ({e})")));
    config.list(key).iter().map(one).collect()
}

fn state_sync(config: &Config) -> Result<Option<StateSyncSettings>, ConfigError> {
    const NODES: &str = "consensus.tendermint.state_sync.consensus_node";
    const HEIGHT: &str = "consensus.tendermint.state_sync.trust_height";
    const HASH: &str = "consensus.tendermint.state_sync.trust_hash";
    if !config.flag("consensus.tendermint.state_sync.enabled") {
        return Ok(None);
    }
    let nodes = parsed(config, NODES, "PUBKEY@IP:port")?;
    if nodes.is_empty() {
        return Err(config.wrong(NODES, "a node to take light blocks from, PUBKEY@IP:port", "none"));
    }
    let height = config.uint(HEIGHT);
    let trust_height = i64::try_from(height).ok().filter(|h| *h > 0);
    let trust_height = trust_height.ok_or_else(|| config.wrong(HEIGHT, "the height of a block that you trust", height))?;
    let text = config.text(HASH);
    let mut trust_hash = [0; 32];
    hex::decode_to_slice(&text, &mut trust_hash)
        .map_err(|_| config.wrong(HASH, "the hash of the trusted block, 64 hexadecimal digits", format_args!("{text:?}")))?;
    let trust_period = config.duration("consensus.tendermint.state_sync.trust_period");
    Ok(Some(StateSyncSettings { nodes, trust_period, trust_height, trust_hash }))
}

fn consensus_rpc(config: &Config) -> Result<Option<ConsensusRpcSettings>, ConfigError> {
    if !config.flag("worker.consensusrpc.enabled") {
        return Ok(None);
    }
    let port = port(config, "worker.client.port")?;
    Ok(Some(ConsensusRpcSettings { port, addresses: parsed(config, "worker.client.addresses", "IP:port")? }))
}

fn port(config: &Config, key: &'static str) -> Result<u16, ConfigError> {
    let port = config.uint(key);
    u16::try_from(port).map_err(|_| config.wrong(key, "a port, 0 to 65535", port))
}

fn sentry(config: &Config) -> Result<Option<SentrySettings>, ConfigError> {
    const AUTHORIZED: &str = "worker.sentry.control.authorized_pubkey";
    if !config.flag("worker.sentry.enabled") {
        return Ok(None);
    }
    let key = |text: &String| PublicKey::from_base64(text).ok_or_else(|| config.wrong(AUTHORIZED, "public keys in base64", text));
    let authorized = config.list(AUTHORIZED).iter().map(key).collect::<Result<_, _>>()?;
    Ok(Some(SentrySettings { port: port(config, "worker.sentry.control.port")?, authorized }))
}

fn signer(config: &Config, debug: bool) -> SignerSettings {
    SignerSettings {
        backend: config.text("signer.backend"),
        composite: config.text("signer.composite.backends"),
        remote: RemoteSettings {
            address: config.text("signer.remote.address"),
            client_certificate: config.text("signer.remote.client.certificate").into(),
            client_key: config.text("signer.remote.client.key").into(),
            server_certificate: config.text("signer.remote.server.certificate").into(),
        },
        plugin: PluginSettings {
            name: config.text("signer.plugin.name"),
            path: config.text("signer.plugin.path").into(),
            config: config.text("signer.plugin.config"),
        },
        allow_memory: debug,
    }
}

/// Source: go/runtime/registry/config.go, `newConfig`.
fn runtimes(config: &Config) -> Result<Vec<Namespace>, ConfigError> {
    const KEY: &str = "runtime.supported";
    let one = |text: &String| {
        let wrong = || config.wrong(KEY, "identifiers of 64 hexadecimal digits", format_args!("{text:?}"));
        let bytes: [u8; 32] = hex::decode(text).ok().and_then(|bytes| bytes.try_into().ok()).ok_or_else(wrong)?;
        Ok(Namespace(bytes))
    };
    config.list(KEY).iter().map(one).collect()
}

fn not_served(config: &Config) -> BTreeMap<String, String> {
    let text = |served| match served {
        Served::Yes => None,
        Served::NotYet(part) => Some(format!("{part}: accepted, but not served yet")),
        Served::NoMeaning(why) => Some(format!("accepted, but without effect: {why}")),
    };
    config.not_served().into_iter().filter_map(|(key, served)| Some((key.to_owned(), text(served)?))).collect()
}

fn registration(config: &Config, debug: bool) -> Result<RegistrationSettings, ConfigError> {
    let path = |key| Some(config.text(key)).filter(|p| !p.is_empty()).map(PathBuf::from);
    Ok(RegistrationSettings {
        entity: path("worker.registration.entity"),
        debug_private_key: path("worker.registration.debug.private_key").filter(|_| debug),
        force: config.flag("worker.registration.force_register"),
        rotate_certs: config.uint("worker.registration.rotate_certs"),
        sentries: parsed(config, "worker.sentry.address", "PUBKEY@IP:port")?,
    })
}
