//! What must hold before a node does anything: its directory, its keys, its network.

use std::{
    fs::{self, File, TryLockError},
    io::{self, ErrorKind},
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use oasis_consensus_abci::Network;
use oasis_consensus_app::genesis::{CheckOptions, check_json};
use oasis_consensus_engine::{address_of, sign_state::SIGN_STATE_FILE};

use super::paths::Paths;
use crate::{
    config::{MetricsSettings, Mode, Settings},
    files,
    identity::Identity,
    metrics::Metrics,
    signers,
};

/// How long a node that has ended its services may still hold its data directory.
const LETTING_GO: Duration = Duration::from_secs(3);

/// The largest genesis document that is read.
const MAX_GENESIS: u64 = 1 << 30;

/// Why a node does not start.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct StartError(pub String);

impl StartError {
    pub(crate) fn at(path: &Path, reason: impl std::fmt::Display) -> Self {
        Self(format!("{}: {reason}", path.display()))
    }
}

/// Reads and checks a genesis document.
pub fn load_network(path: &Path, options: CheckOptions) -> Result<Network, StartError> {
    let fail = |e: io::Error| match e.kind() {
        ErrorKind::NotFound => StartError::at(path, "there is no genesis document here; set genesis.file to your network's"),
        _ => StartError::at(path, e),
    };
    let size = fs::metadata(path).map_err(fail)?.len();
    if size > MAX_GENESIS {
        return Err(StartError::at(path, format_args!("genesis document: expected up to {MAX_GENESIS} bytes, found {size}")));
    }
    let bytes = fs::read(path).map_err(fail)?;
    let (debug, allow_test_keys) = (options.debug, options.allow_test_keys);
    let document = check_json(&bytes, options).map_err(|e| StartError::at(path, format_args!("genesis document: {e}")))?;
    Network::new(document, debug, allow_test_keys).map_err(|e| StartError::at(path, format_args!("genesis document: {e}")))
}

/// A node that may start.
pub struct Prepared {
    /// The configuration.
    pub settings: Settings,
    /// Paths in the data directory.
    pub paths: Paths,
    /// The node's keys.
    pub identity: Identity,
    /// The network.
    pub network: Arc<Network>,
    /// What is counted; none where metrics are off.
    pub metrics: Option<Arc<Metrics>>,
    /// Held until the node has stopped.
    _lock: File,
}

/// Takes hold of the data directory, and reads what is needed before anything is signed.
pub fn prepare(settings: Settings) -> Result<Prepared, StartError> {
    let options = CheckOptions { debug: settings.debug, allow_test_keys: settings.allow_test_keys };
    let network = load_network(&settings.genesis_file, options)?;
    let paths = Paths::new(&settings.datadir);
    let root = paths.root.as_path();
    files::make_private_directory(root).map_err(|e| StartError::at(root, e))?;
    let lock = hold(&paths, settings.socket.as_deref())?;
    if let Some(entity) = &settings.registration.entity {
        super::workers::read_entity(entity)?;
    }
    // A seed keeps nothing of its network but addresses.
    if settings.mode != Mode::Seed {
        check_chain(&paths.chain_context(), &network.chain_context)?;
    }
    let keys = signers::open(&settings.signer, root, &Identity::ROLES).map_err(|e| StartError(e.to_string()))?;
    let identity = Identity::with_signers(root, &*keys).map_err(|e| StartError(e.to_string()))?;
    if settings.registration.rotate_certs > 0 && identity.next_tls.is_none() {
        let text =
            "worker.registration.rotate_certs: expected 0, since tls_identity.pem is kept and never rotates; remove that file to rotate";
        return Err(StartError(text.to_owned()));
    }
    let earlier = root.join("consensus").join(SIGN_STATE_FILE);
    if earlier.exists() && !paths.sign_state().exists() {
        let text = format!("move this file to {} first: it is the memory of what was signed", paths.sign_state().display());
        return Err(StartError::at(&earlier, text));
    }
    let consensus = paths.consensus();
    files::make_private_directory(&consensus).map_err(|e| StartError::at(&consensus, e))?;
    if let Some(parent) = paths.address_book().parent() {
        fs::create_dir_all(parent).map_err(|e| StartError::at(parent, e))?;
    }
    let metrics = (settings.metrics != MetricsSettings::None).then(|| {
        let address = address_of(&identity.consensus.public_key().0);
        Metrics::new(settings.datadir.clone(), &network.engine.chain_id, address)
    });
    Ok(Prepared { settings, paths, identity, network: Arc::new(network), metrics, _lock: lock })
}

/// Takes hold of a data directory on which no node runs. One that was told to stop may need a moment to let go of it.
pub(super) fn hold(paths: &Paths, socket: Option<&Path>) -> Result<File, StartError> {
    let start = Instant::now();
    let lock = loop {
        match lock(paths) {
            Err(_) if start.elapsed() < LETTING_GO => std::thread::sleep(LETTING_GO / 60),
            locked => break locked?,
        }
    };
    // Nodes of the original hold no lock, but answer here.
    let socket = socket.map_or_else(|| paths.root.join(crate::grpc::SOCKET_FILE), Path::to_owned);
    if std::os::unix::net::UnixStream::connect(&socket).is_ok() {
        return Err(StartError::at(&socket, "another node is running on this data directory; stop it first"));
    }
    Ok(lock)
}

/// Two nodes on one directory would sign twice.
fn lock(paths: &Paths) -> Result<File, StartError> {
    let path = paths.lock();
    let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(|e| StartError::at(&path, e))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StartError::at(
            &paths.root,
            "another node is running on this data directory; stop it first, for example: oasis-node control shutdown --wait",
        )),
        Err(TryLockError::Error(e)) => Err(StartError::at(&path, e)),
    }
}

/// Notes whose data it is, or finds that it is another network's.
pub(super) fn check_chain(path: &Path, context: &str) -> Result<(), StartError> {
    match fs::read_to_string(path) {
        Ok(found) if found.trim_end() == context => Ok(()),
        Ok(found) => Err(StartError::at(
            path,
            format_args!(
                "the data directory belongs to another network: expected the genesis document with hash {context}, found data of {:?}; \
                 use its genesis document, or another data directory",
                found.trim_end()
            ),
        )),
        Err(e) if e.kind() == ErrorKind::NotFound => {
            files::replace(path, format!("{context}\n").as_bytes(), 0o600).map_err(|e| StartError::at(path, e))
        }
        Err(e) => Err(StartError::at(path, e)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_of_another_network_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("chain_context");
        check_chain(&path, "aa").unwrap();
        check_chain(&path, "aa").unwrap();
        assert!(check_chain(&path, "bb").unwrap_err().to_string().contains("belongs to another network"));
    }

    #[test]
    fn a_directory_in_use_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let paths = Paths::new(dir.path());
        let held = lock(&paths).unwrap();
        assert!(lock(&paths).unwrap_err().to_string().contains("another node is running"));
        drop(held);
        lock(&paths).unwrap();
    }

    #[test]
    fn a_missing_genesis_document_says_what_to_set() {
        let options = CheckOptions { debug: false, allow_test_keys: false };
        let error = load_network(Path::new("/nowhere/genesis.json"), options).unwrap_err().to_string();
        assert!(error.contains("set genesis.file"), "{error}");
    }
}
