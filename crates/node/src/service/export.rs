//! The genesis document with which a network goes on, written where it ends or stops for an upgrade.
//!
//! Source: go/oasis-node/cmd/node/node.go, `dumpGenesis`.

use std::path::PathBuf;

use oasis_consensus_abci::StopReason;
use oasis_consensus_engine::ports::Store as _;

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

/// Refuses to start where the network halted before and a block was decided after that, which is how a node ends. Started earlier than
/// that, it takes part in deciding that block.
///
/// The document is written again, as the node may have been killed before it was.
pub fn refuse_after_halt(running: &Running) -> Result<(), StartError> {
    let reason = {
        let machine = running.machine.lock();
        match machine.stop_reason() {
            Some(reason) if running.blocks.range().1 > machine.height() => reason.to_string(),
            _ => return Ok(()),
        }
    };
    let path = write(running)?;
    Err(StartError(format!("{reason}: no further block will be executed; a network that goes on begins with {}", path.display())))
}
