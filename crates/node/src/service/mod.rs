//! The node as a whole: what is started, in which order, and how it ends.

mod api;
mod byzantine;
mod engine;
mod export;
mod full;
mod leave;
mod light;
mod net;
mod numbers;
mod paths;
mod prepare;
mod public;
mod seed;
mod sentry;
mod signer;
pub mod snapshot;
mod stop;
mod stopped;
mod workers;

pub use paths::Paths;
pub use prepare::{Prepared, StartError, load_network, prepare};
pub(crate) use public::listen;
pub use stop::{Stop, Stopper, stop};
pub use stopped::Stopped;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::{
    config::{Mode, Settings},
    files, logs,
};

/// Threads for sockets and workers; the engine has its own.
const THREADS: usize = 2;

/// Runs a node until it is told to stop.
pub fn run(settings: Settings) -> Result<(), StartError> {
    files::make_private_directory(&settings.datadir).map_err(|e| StartError::at(&settings.datadir, e))?;
    logs::start(&settings.log).map_err(StartError)?;
    for (key, text) in &settings.not_served {
        tracing::warn!(target: "config", "{key}: {text}");
    }
    limit_open_files(settings.rlimit)?;
    let prepared = prepare(settings)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(THREADS).enable_all().build();
    let runtime = runtime.map_err(|e| StartError(format!("threads: {e}")))?;
    runtime.block_on(async {
        let (stopper, mut stop) = stop();
        stopper.on_signals().map_err(|e| StartError(format!("signals: {e}")))?;
        match prepared.settings.mode {
            Mode::Seed => seed::run(prepared, stopper, &mut stop).await,
            Mode::Full | Mode::Archive => full::run(prepared, stopper, &mut stop).await,
        }
    })
}

/// Asks for a limit of open files; none leaves it. Source: go/oasis-node/cmd/common/common.go, `initRlimit`.
fn limit_open_files(limit: Option<u64>) -> Result<(), StartError> {
    let Some(limit) = limit else { return Ok(()) };
    let found = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: Some(limit), ..found }).map_err(|e| {
        let most = found.maximum.map_or_else(|| "any number".to_owned(), |most| format!("at most {most}"));
        StartError(format!("debug.rlimit: expected {most}, found {limit}: {e}"))
    })
}
