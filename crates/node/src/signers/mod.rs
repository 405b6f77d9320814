//! Where private keys are: in files, in memory for tests, in another process of this machine or of another one, or in several of these.
//!
//! Source: go/common/crypto/signature/signers, go/oasis-node/cmd/common/signer/signer.go.

mod composite;
mod file;
mod memory;
mod plugin;
pub mod remote;

use std::{fmt, path::Path, path::PathBuf, sync::Arc};

use oasis_primitives::{identity::SignerRole, signature::Signer};

pub use file::FileFactory;
pub use plugin::gob;

/// The names of the backends.
pub const FILE: &str = "file";
/// Keys that are gone when the process ends.
pub const MEMORY: &str = "memory";
/// A backend for each role.
pub const COMPOSITE: &str = "composite";
/// Keys of a remote signer.
pub const REMOTE: &str = "remote";
/// Keys of a plugin: a program that this one starts.
pub const PLUGIN: &str = "plugin";

/// Where keys are, as the configuration has it. Source: go/oasis-node/cmd/common/signer/signer.go, `Flags`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SignerSettings {
    /// The backend's name; none for files.
    pub backend: String,
    /// Backends by role, `entity:file,node:remote`.
    pub composite: String,
    /// The remote signer.
    pub remote: RemoteSettings,
    /// The plugin.
    pub plugin: PluginSettings,
    /// Whether keys in memory are allowed: for tests only.
    pub allow_memory: bool,
}

/// A remote signer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RemoteSettings {
    /// Host and port.
    pub address: String,
    /// Certificate that this side presents.
    pub client_certificate: PathBuf,
    /// Its key.
    pub client_key: PathBuf,
    /// Certificate of the signer.
    pub server_certificate: PathBuf,
}

/// A plugin.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PluginSettings {
    /// The name that it expects to be started by.
    pub name: String,
    /// The program.
    pub path: PathBuf,
    /// What it is told at its start.
    pub config: String,
}

/// Why there is no key, or no signature.
#[derive(Debug, thiserror::Error)]
pub enum SignerError {
    /// There is no such key, and there could be.
    #[error("there is no {role} key {place}")]
    Missing {
        /// Whose key.
        role: SignerRole,
        /// Where it was looked for.
        place: String,
    },
    /// Nobody asked for keys of this role at the start.
    #[error("the signer is not set up for {0} keys; signer.composite.backends must name a backend for each role that signs")]
    Role(SignerRole),
    /// Something else.
    #[error("{0}")]
    Other(String),
}

impl SignerError {
    fn at(path: &Path, reason: impl fmt::Display) -> Self {
        Self::Other(format!("{}: {reason}", path.display()))
    }
}

/// Gives the keys of roles. Source: go/common/crypto/signature/signer.go, `SignerFactory`.
pub trait Factory: Send + Sync {
    /// A key that is there.
    fn load(&self, role: SignerRole) -> Result<Arc<dyn Signer>, SignerError>;

    /// A new key, which is kept. One that is there is never replaced.
    fn generate(&self, role: SignerRole) -> Result<Arc<dyn Signer>, SignerError>;

    /// A key that is there, or else a new one.
    fn load_or_generate(&self, role: SignerRole) -> Result<Arc<dyn Signer>, SignerError> {
        match self.load(role) {
            Err(SignerError::Missing { .. }) => self.generate(role),
            found => found,
        }
    }
}

/// Opens the configured keys of some roles. `dir` is where keys in files are.
///
/// Source: go/oasis-node/cmd/common/signer/signer.go, `NewFactory`.
pub fn open(settings: &SignerSettings, dir: &Path, roles: &[SignerRole]) -> Result<Arc<dyn Factory>, SignerError> {
    match settings.backend.to_lowercase().as_str() {
        COMPOSITE => Ok(Arc::new(composite::open(settings, dir, roles)?)),
        backend => open_one(backend, settings, dir, roles),
    }
}

/// Source: go/oasis-node/cmd/common/signer/signer.go, `doNewFactory`.
fn open_one(backend: &str, settings: &SignerSettings, dir: &Path, roles: &[SignerRole]) -> Result<Arc<dyn Factory>, SignerError> {
    match backend {
        "" | FILE => Ok(Arc::new(FileFactory::new(dir, roles))),
        MEMORY if settings.allow_memory => Ok(Arc::new(memory::MemoryFactory)),
        MEMORY => Err(SignerError::Other(
            "signer.backend: memory signer backend is only for testing, keys in it are gone when the process ends; \
             for a test network add --debug.dont_blame_oasis"
                .to_owned(),
        )),
        REMOTE => Ok(Arc::new(remote::RemoteFactory::connect(&settings.remote)?)),
        PLUGIN => Ok(Arc::new(plugin::PluginFactory::start(&settings.plugin, roles)?)),
        other => Err(SignerError::Other(format!(
            "signer.backend: unsupported signer backend: {other}; expected {FILE}, {REMOTE}, {PLUGIN} or {COMPOSITE}, for example: --signer.backend {FILE}"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(settings: &SignerSettings) -> String {
        open(settings, Path::new("/nowhere"), &[SignerRole::Entity]).err().unwrap().to_string()
    }

    #[test]
    fn a_backend_that_is_not_there_says_which_are() {
        let named = |backend: &str| SignerSettings { backend: backend.into(), ..Default::default() };
        assert!(refusal(&named("hsm")).contains("--signer.backend file"));
        assert!(refusal(&named("memory")).contains("only for testing"));
        assert!(refusal(&named("Remote")).contains("signer.remote.address"));
        assert!(refusal(&named("plugin")).contains("signer.plugin.name"));
        assert!(refusal(&named("composite")).contains("signer.composite.backends"));
    }
}
