//! `oasis-node debug txsource`: load of every kind.
//!
//! Source: go/oasis-node/cmd/debug/txsource/txsource.go, `init`.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result, bail};
use clap::Args;
use oasis_primitives::signature::MemorySigner;
use oasis_txsource::{DEFAULT_SEED, NodeWorld, Options, Workload, run as run_workload};

use crate::common::{CommonFlags, GenesisFlag, NodeFlags, number, print};

/// The key's file beside an entity's descriptor.
const KEY_FILE: &str = "entity.pem";

/// What is sent, for how long, and where to.
#[derive(Debug, Args)]
pub struct TxsourceArguments {
    /// What is sent: transfer, delegation, commission, registration, oversized, parallel, queries, governance, runtime, or (here only)
    /// invalid.
    #[arg(long, value_name = "NAME", default_value = "transfer")]
    workload: String,
    /// What decides, at least 32 characters: the same seed sends the same.
    #[arg(long, value_name = "TEXT", default_value = DEFAULT_SEED)]
    seed: String,
    /// Ends after that time, such as 90s or 1h30m; 0 does not end.
    #[arg(id = "time_limit", long = "time_limit", value_name = "TIME", default_value = "0", value_parser = duration)]
    time_limit: Duration,
    /// Base units a unit of gas.
    #[arg(id = "gas_price", long = "gas_price", value_name = "AMOUNT", default_value_t = 0)]
    gas_price: u64,
    /// Owners of validators, who vote: their entity.pem or a file beside it.
    #[arg(id = "validator_entity", long = "validator_entity", value_name = "FILE", value_delimiter = ',')]
    validator_entities: Vec<PathBuf>,
    /// Versions of the state that the node keeps, for questions about earlier heights.
    #[arg(id = "queries.consensus.num_kept_versions", long = "queries.consensus.num_kept_versions", value_name = "N", default_value_t = 0)]
    kept_versions: u64,
    /// Whether to ask about a runtime.
    #[arg(id = "queries.runtime.enabled", long = "queries.runtime.enabled")]
    runtime_queries: bool,
    /// The runtime.
    #[arg(id = "runtime.runtime_id", long = "runtime.runtime_id", value_name = "HEX", hide = true)]
    runtime: Option<String>,
    /// Accepted: the test entity pays in any case.
    #[arg(id = "debug.test_entity", long = "debug.test_entity", hide = true)]
    test_entity: bool,
    /// Say what is sent.
    #[arg(short, long)]
    verbose: bool,
    #[command(flatten)]
    genesis: GenesisFlag,
    #[command(flatten)]
    node: NodeFlags,
}

/// Sends until the time is over.
pub fn run(arguments: &TxsourceArguments, common: &CommonFlags) -> Result<()> {
    let Some(workload) = Workload::by_name(&arguments.workload) else {
        let names: Vec<&str> = Workload::ALL.iter().map(|workload| workload.name()).collect();
        bail!("--workload: workload {} not found; one of {}, for example: --workload transfer", arguments.workload, names.join(", "));
    };
    if arguments.runtime_queries || arguments.runtime.is_some() {
        bail!("--queries.runtime.enabled, --runtime.runtime_id: runtimes are not served yet; leave these flags out");
    }
    if arguments.seed.len() < 32 {
        bail!("--seed: expected 32 characters or more, found {}; for example: --seed {DEFAULT_SEED}", arguments.seed.len());
    }
    // The node's own network counts where no file is named.
    let path = arguments.genesis.path(common)?;
    let chain = if path.exists() || path != Path::new("genesis.json") {
        arguments.genesis.load(common)?.chain_context().as_str().map(str::to_owned)
    } else {
        None
    };
    let options = Options {
        seed: arguments.seed.clone(),
        gas_price: arguments.gas_price,
        validators: arguments.validator_entities.iter().map(|path| validator(path)).collect::<Result<_>>()?,
        kept_versions: arguments.kept_versions,
        chain,
    };
    let limit = (!arguments.time_limit.is_zero()).then_some(arguments.time_limit);
    let mut world = NodeWorld::connect(&arguments.node.address, arguments.node.wait, limit, arguments.verbose)?;
    let counts = run_workload(workload, &options, &mut world).with_context(|| format!("workload {}", workload.name()))?;
    print(&format!("workload {}: {counts}", workload.name()))
}

fn validator(path: &Path) -> Result<MemorySigner> {
    let key = if path.is_dir() { path.join(KEY_FILE) } else { path.with_file_name(KEY_FILE) };
    let text = fs::read_to_string(&key).with_context(|| format!("--validator_entity: {}", key.display()))?;
    MemorySigner::from_pem(&text).with_context(|| key.display().to_string())
}

/// Reads a time as Go does.
fn duration(text: &str) -> Result<Duration, String> {
    let nanos = number::duration(text).and_then(|nanos| u64::try_from(nanos).ok());
    nanos.map(Duration::from_nanos).ok_or_else(|| format!("expected a time such as 90s or 1h30m, found {text:?}"))
}
