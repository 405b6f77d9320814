//! The node as a whole: what is started, in which order, and how it ends.

mod paths;
mod prepare;

pub use paths::Paths;
pub use prepare::{Network, Prepared, StartError, prepare};

use crate::{config::Settings, logs};

/// Runs a node until it is told to stop.
pub fn run(settings: Settings) -> Result<(), StartError> {
    logs::start(&settings.log).map_err(StartError)?;
    let prepared = prepare(settings)?;
    Err(StartError(format!("{}: the consensus engine is not connected yet", prepared.paths.root.display())))
}
