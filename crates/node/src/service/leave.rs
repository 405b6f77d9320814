//! Leaving: a node that is asked to shut down lets its registration end first, so that nobody counts on it any more.
//!
//! The wish survives restarts; `worker.registration.force_register` takes it back.
//!
//! Source: go/worker/registration/worker.go, `RequestDeregistration`, `doNodeRegistration`.

use std::{
    fs, io,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use oasis_consensus_app::registry::query;
use oasis_consensus_types::registry::ERR_NO_SUCH_NODE;

use super::{
    full::Running,
    paths::Paths,
    prepare::{Prepared, StartError},
    workers,
};
use crate::{config::Mode, files};

/// The wish to leave.
#[derive(Clone, Debug)]
pub struct Leaving {
    asked: Arc<AtomicBool>,
    file: PathBuf,
}

impl Leaving {
    /// Reads the wish of an earlier run.
    pub fn load(prepared: &Prepared) -> Result<Self, StartError> {
        Self::load_from(&prepared.paths, prepared.settings.registration.force)
    }

    fn load_from(paths: &Paths, take_back: bool) -> Result<Self, StartError> {
        let file = paths.memory().join("leaving");
        if take_back {
            match fs::remove_file(&file) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(StartError::at(&file, e)),
                _ => {}
            }
        }
        Ok(Self { asked: Arc::new(AtomicBool::new(file.exists())), file })
    }

    /// Whether the node is to leave.
    pub fn is_asked(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }

    /// Asks the node to leave, for good.
    pub fn ask(&self) -> io::Result<()> {
        if let Some(parent) = self.file.parent() {
            files::make_private_directory(parent)?;
        }
        files::replace(&self.file, b"", 0o600)?;
        self.asked.store(true, Ordering::Relaxed);
        Ok(())
    }
}

/// Whether the registry still has the node.
fn is_registered(running: &Running) -> bool {
    let id = running.prepared.identity.node.public_key();
    match workers::with_state(running, |state| query::node(state, &id)) {
        Ok(_) => true,
        // Before the first block, or where the state can't be read, nothing is known.
        Err(e) => !e.is(ERR_NO_SUCH_NODE),
    }
}

/// Stops the node once it is to leave and its registration has ended.
pub async fn watch(running: Running) {
    let mut views = running.engine.watch();
    let mut told = false;
    loop {
        if running.leaving.is_asked() {
            if running.prepared.settings.mode == Mode::Archive || !is_registered(&running) {
                tracing::info!(target: "worker/registration", "the node is not registered any more: stopping");
                running.stopper.stop();
                return;
            }
            if !told {
                told = true;
                tracing::info!(target: "worker/registration", "the node does not register again, and stops when its registration has ended");
            }
        }
        if views.changed().await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wish_survives_a_restart_until_it_is_taken_back() {
        let dir = tempfile::tempdir().unwrap();
        let paths = Paths::new(dir.path());
        let leaving = Leaving::load_from(&paths, false).unwrap();
        assert!(!leaving.is_asked());
        leaving.ask().unwrap();
        assert!(leaving.is_asked() && Leaving::load_from(&paths, false).unwrap().is_asked());
        assert!(!Leaving::load_from(&paths, true).unwrap().is_asked());
        assert!(!Leaving::load_from(&paths, false).unwrap().is_asked());
    }
}
