//! What commands share: how they reach a node, print, ask, and read files.
//!
//! Source: go/oasis-node/cmd/common.

pub mod entity;
pub mod number;
pub mod tx;

use std::{
    fs::{self, OpenOptions},
    io::{self, BufRead, IsTerminal, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result, bail};
use clap::Args;
use oasis_consensus_app::genesis::{CheckOptions, check_json};
use oasis_consensus_types::{genesis::Document, pretty::Network};
use oasis_node_service::grpc::{Client, ClientError, SOCKET_FILE};
use oasis_primitives::{
    cbor::{self, Decode, Encode},
    json::{self, FromJson, ToJson},
};

/// How long a node that is not there is waited for before the next attempt.
const RETRY: Duration = Duration::from_millis(500);
/// The message of calls that say nothing.
pub const NOTHING: cbor::Value = cbor::Value::Null;
/// The latest height. Source: go/consensus/api/api.go, `HeightLatest`.
pub const LATEST: i64 = 0;

/// Flags that every command has.
///
/// Source: go/oasis-node/cmd/common/common.go, `RootFlags`.
#[derive(Clone, Debug, Args)]
pub struct CommonFlags {
    /// Data directory; the working directory where none is given.
    #[arg(long, global = true, value_name = "DIR", hide_short_help = true)]
    pub datadir: Option<PathBuf>,
    /// Configuration file; its data directory and genesis file count where no flag gives them.
    #[arg(long, global = true, value_name = "FILE", hide_short_help = true)]
    pub config: Option<PathBuf>,
    /// Allow settings that only test networks may have.
    #[arg(id = "debug.dont_blame_oasis", long = "debug.dont_blame_oasis", global = true, hide = true)]
    pub debug: bool,
    /// Allow keys whose private part everybody knows.
    #[arg(id = "debug.allow_test_keys", long = "debug.allow_test_keys", global = true, hide = true)]
    pub allow_test_keys: bool,
    /// Accepted; commands write no log.
    #[arg(id = "log.level", long = "log.level", global = true, hide = true)]
    log_level: Option<String>,
    /// Accepted; commands write no log.
    #[arg(id = "log.format", long = "log.format", global = true, hide = true)]
    log_format: Option<String>,
    /// Accepted; commands write no log.
    #[arg(id = "log.file", long = "log.file", global = true, hide = true)]
    log_file: Option<String>,
    /// Accepted; commands open few files.
    #[arg(id = "debug.rlimit", long = "debug.rlimit", global = true, hide = true)]
    rlimit: Option<u64>,
}

impl CommonFlags {
    /// A key of the configuration file, if there is such a file and it has it.
    fn configured(&self, name: &'static str) -> Result<Option<PathBuf>> {
        let Some(file) = &self.config else { return Ok(None) };
        let config = oasis_node_service::config::Config::from_file(file)?;
        Ok(Some(config.text(name)).filter(|text| !text.is_empty()).map(PathBuf::from))
    }

    /// The data directory, if one is given.
    pub fn datadir(&self) -> Result<Option<PathBuf>> {
        match &self.datadir {
            Some(dir) => Ok(Some(dir.clone())),
            None => self.configured("datadir"),
        }
    }

    /// The data directory, which must be given.
    pub fn required_datadir(&self) -> Result<PathBuf> {
        self.datadir()?.context("--datadir: data directory must be set; for example: --datadir /node/data")
    }

    /// The data directory, or else the working directory.
    pub fn datadir_or_here(&self) -> Result<PathBuf> {
        Ok(self.datadir()?.unwrap_or_else(|| PathBuf::from(".")))
    }
}

/// Which node.
///
/// Source: go/oasis-node/cmd/common/grpc/grpc.go, `ClientFlags`.
#[derive(Clone, Debug, Args)]
pub struct NodeFlags {
    /// Address of the node, unix:PATH or HOST:PORT.
    #[arg(id = "node.address", short = 'a', long = "address", global = true, default_value_t = format!("unix:{SOCKET_FILE}"))]
    pub address: String,
    /// Wait until the node answers, and with `control shutdown` until it has stopped.
    #[arg(short, long, global = true)]
    pub wait: bool,
}

/// Whether to say more.
#[derive(Clone, Copy, Debug, Args)]
pub struct VerboseFlag {
    /// Say more.
    #[arg(short, long)]
    pub verbose: bool,
}

/// A connection to a node, for commands that do one thing at a time.
pub struct Node {
    runtime: tokio::runtime::Runtime,
    client: Client,
}

impl Node {
    /// Connects.
    pub fn connect(flags: &NodeFlags) -> Result<Self> {
        let mut address = flags.address.clone();
        if !address.starts_with("unix:") && Path::new(&address).exists() {
            warn(format_args!("warning: '{address}' is a file name. Assuming 'unix:{address}'."));
            address = format!("unix:{address}");
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let client = runtime.block_on(async {
            loop {
                match Client::connect(&address).await {
                    Err(ClientError::Unreachable { .. }) if flags.wait => tokio::time::sleep(RETRY).await,
                    result => return result,
                }
            }
        })?;
        Ok(Self { runtime, client })
    }

    /// Calls a method, `SERVICE/METHOD`.
    pub fn call<Q: Encode + ?Sized, A: Decode>(&self, method: &str, request: &Q) -> Result<A> {
        let method = format!("oasis-core.{method}");
        let answer = self.runtime.block_on(self.client.call(&method, request));
        answer.with_context(|| method)
    }

    /// Calls a method whose answer says nothing.
    pub fn tell<Q: Encode + ?Sized>(&self, method: &str, request: &Q) -> Result<()> {
        let method = format!("oasis-core.{method}");
        self.runtime.block_on(self.client.call_bytes(&method, cbor::to_vec(request))).with_context(|| method)?;
        Ok(())
    }
}

/// Says something beside the output, if it can be said at all: a log on a full disk must not stop a command.
pub fn warn(text: impl std::fmt::Display) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// Prints a text and ends the line.
pub fn print(text: &str) -> Result<()> {
    write_out(&format!("{text}\n"))
}

/// Prints a text as it is; whoever reads it may stop reading.
pub fn write_out(text: &str) -> Result<()> {
    let mut out = io::stdout();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => Err(e.into()),
        _ => Ok(()),
    }
}

/// Prints a value in JSON over several lines.
pub fn print_json<T: ToJson + ?Sized>(value: &T) -> Result<()> {
    print(&json::to_text_pretty(&value.to_json()))
}

/// Asks a question; yes where nobody sits at a terminal.
///
/// Source: go/oasis-node/cmd/common/common.go, `GetUserConfirmation`.
pub fn confirm(question: &str) -> Result<bool> {
    if !io::stdin().is_terminal() {
        return Ok(true);
    }
    write_out(question)?;
    for answer in io::stdin().lock().lines() {
        let answer = answer?;
        match answer.trim().to_lowercase().as_str() {
            "y" | "yes" => return Ok(true),
            "n" | "no" => return Ok(false),
            _ => write_out(&format!("Unrecognized response: '{}'. Please, type (y)es or (n)o: ", answer.trim()))?,
        }
    }
    bail!("no answer; use --assume_yes (-y) where nobody answers")
}

/// Writes a file that only its owner may read; one that is there keeps its permissions.
pub fn write_file(path: &Path, bytes: &[u8]) -> Result<()> {
    let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path);
    file.and_then(|mut file| file.write_all(bytes)).with_context(|| path.display().to_string())
}

/// Reads a file with a value in JSON.
pub fn read_json<T: FromJson>(path: &Path) -> Result<T> {
    let text = fs::read(path).with_context(|| path.display().to_string())?;
    let value = json::parse(&text).with_context(|| path.display().to_string())?;
    json::read(&value).with_context(|| path.display().to_string())
}

/// Reads a path that may be empty, which stands for none or for the standard output.
pub fn path(text: &str) -> Result<PathBuf, std::convert::Infallible> {
    Ok(PathBuf::from(text))
}

/// Reads a value of a flag, and says which flag is wrong, and what would be right.
pub fn parse<T>(flag: &str, text: Option<&str>, expected: &str, example: &str, read: impl FnOnce(&str) -> Option<T>) -> Result<T> {
    let Some(text) = text.filter(|text| !text.is_empty()) else {
        bail!("--{flag}: expected {expected}, found none; for example: --{flag} {example}");
    };
    read(text).with_context(|| format!("--{flag}: expected {expected}, found {text:?}; for example: --{flag} {example}"))
}

/// Which genesis document.
#[derive(Clone, Debug, Args)]
pub struct GenesisFlag {
    /// Path of the genesis file.
    #[arg(short = 'g', id = "genesis.file", long = "genesis.file", value_name = "FILE")]
    file: Option<PathBuf>,
}

impl GenesisFlag {
    /// The file.
    pub fn path(&self, common: &CommonFlags) -> Result<PathBuf> {
        let path = match &self.file {
            Some(file) => Some(file.clone()),
            None => common.configured("genesis.file")?,
        };
        Ok(path.unwrap_or_else(|| PathBuf::from("genesis.json")))
    }

    /// Reads the document and makes the checks that a node makes.
    ///
    /// Source: go/oasis-node/cmd/common/consensus/consensus.go, `InitGenesis`.
    pub fn load(&self, common: &CommonFlags) -> Result<Document> {
        let path = self.path(common)?;
        let name = path.display();
        let bytes = fs::read(&path)
            .with_context(|| format!("genesis file: {name}; say which with --genesis.file, for example: --genesis.file genesis.json"))?;
        let options = CheckOptions { debug: common.debug, allow_test_keys: common.allow_test_keys };
        check_json(&bytes, options).map_err(|e| {
            let hint = if common.debug { "" } else { "; a test network's document needs --debug.dont_blame_oasis" };
            anyhow::anyhow!("genesis file: {name}: {e}{hint}")
        })
    }
}

/// What a document says of its token, and its hash.
///
/// Source: go/oasis-node/cmd/common/context/context.go, `GetCtxWithGenesisInfo`.
pub fn network(document: &Document) -> Network {
    Network {
        symbol: document.staking.token_symbol.clone(),
        exponent: document.staking.token_value_exponent,
        genesis: Some(document.hash()),
    }
}
