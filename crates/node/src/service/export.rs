//! The genesis document with which a network goes on, written where it ends or stops for an upgrade.
//!
//! Source: go/oasis-node/cmd/node/node.go, `dumpGenesis`.

use std::path::PathBuf;

use oasis_consensus_abci::StopReason;

use super::{full::Running, prepare::StartError};
use crate::{api::query, files};

/// Writes the document of the state at which the node ended; gives the file. May take long.
pub fn write(running: &Running) -> Result<PathBuf, StartError> {
    let height = match running.machine.lock().stop_reason() {
        Some(StopReason::Halted { height, .. } | StopReason::Upgrade { height, .. }) => *height,
        None => return Err(StartError("the state machine has not ended".to_owned())),
    };
    let document = query::document(&running.source, height).map_err(|e| StartError(e.to_string()))?;
    let directory = running.prepared.paths.exports();
    files::make_private_directory(&directory).map_err(|e| StartError::at(&directory, e))?;
    let path = directory.join(format!("genesis-{}-at-{}.json", document.chain_id, document.height));
    files::replace(&path, document.to_json_text().as_bytes(), 0o600).map_err(|e| StartError::at(&path, e))?;
    Ok(path)
}
