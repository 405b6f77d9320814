//! The entity that signs: its descriptor and its key.
//!
//! Source: go/oasis-node/cmd/common/signer/signer.go, go/common/entity/entity.go.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context, Result, bail};
use clap::Args;
use oasis_consensus_types::entity::Entity;
use oasis_node_service::{
    entity::{DESCRIPTOR_FILE, descriptor, save_descriptor, test_signer},
    signers::{self, Factory, PluginSettings, RemoteSettings, SignerError, SignerSettings},
};
use oasis_primitives::{identity::SignerRole, signature::Signer};

use super::{CommonFlags, read_json};

/// Where the key is.
///
/// Source: go/oasis-node/cmd/common/signer/signer.go, `Flags`, `CLIFlags`.
#[derive(Clone, Debug, Args)]
pub struct SignerFlags {
    /// Signer backend: file, remote, plugin or composite.
    #[arg(short = 's', id = "signer.backend", long = "signer.backend", value_name = "BACKEND", default_value = "file")]
    backend: String,
    /// Directory with the entity's files; the working directory where none is given.
    #[arg(id = "signer.dir", long = "signer.dir", value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Address of the remote signer.
    #[arg(
        id = "signer.remote.address",
        long = "signer.remote.address",
        default_value = "",
        hide_default_value = true,
        hide_short_help = true
    )]
    remote_address: String,
    /// Certificate for the remote signer.
    #[arg(
        id = "signer.remote.client.certificate",
        long = "signer.remote.client.certificate",
        default_value = "",
        hide_default_value = true,
        hide_short_help = true
    )]
    remote_certificate: String,
    /// Key for the remote signer.
    #[arg(
        id = "signer.remote.client.key",
        long = "signer.remote.client.key",
        default_value = "",
        hide_default_value = true,
        hide_short_help = true
    )]
    remote_key: String,
    /// Certificate of the remote signer.
    #[arg(
        id = "signer.remote.server.certificate",
        long = "signer.remote.server.certificate",
        default_value = "",
        hide_default_value = true,
        hide_short_help = true
    )]
    remote_server: String,
    /// Backends of the composite signer.
    #[arg(
        id = "signer.composite.backends",
        long = "signer.composite.backends",
        default_value = "",
        hide_default_value = true,
        hide_short_help = true
    )]
    composite: String,
    /// Name of the plugin.
    #[arg(id = "signer.plugin.name", long = "signer.plugin.name", default_value = "", hide_default_value = true, hide_short_help = true)]
    plugin_name: String,
    /// Program of the plugin.
    #[arg(id = "signer.plugin.path", long = "signer.plugin.path", default_value = "", hide_default_value = true, hide_short_help = true)]
    plugin_path: String,
    /// Configuration of the plugin.
    #[arg(
        id = "signer.plugin.config",
        long = "signer.plugin.config",
        default_value = "",
        hide_default_value = true,
        hide_short_help = true
    )]
    plugin_config: String,
    /// Sign as the test entity, whose key everybody knows.
    #[arg(id = "debug.test_entity", long = "debug.test_entity", hide = true)]
    test_entity: bool,
}

impl SignerFlags {
    /// The directory with the entity's files.
    pub fn dir(&self) -> PathBuf {
        self.dir.clone().unwrap_or_else(|| PathBuf::from("."))
    }

    /// What the flags say.
    pub fn settings(&self, common: &CommonFlags) -> SignerSettings {
        SignerSettings {
            backend: self.backend.clone(),
            composite: self.composite.clone(),
            remote: RemoteSettings {
                address: self.remote_address.clone(),
                client_certificate: self.remote_certificate.clone().into(),
                client_key: self.remote_key.clone().into(),
                server_certificate: self.remote_server.clone().into(),
            },
            plugin: PluginSettings {
                name: self.plugin_name.clone(),
                path: self.plugin_path.clone().into(),
                config: self.plugin_config.clone(),
            },
            allow_memory: common.debug,
        }
    }

    /// Opens the keys of some roles; those in files are in a directory.
    pub fn open(&self, common: &CommonFlags, dir: &Path, roles: &[SignerRole]) -> Result<Arc<dyn Factory>> {
        Ok(signers::open(&self.settings(common), dir, roles)?)
    }

    /// Whether somebody may have to confirm each signature on a device.
    ///
    /// Source: go/oasis-node/cmd/common/consensus/consensus.go, `SignAndSaveTx`.
    pub fn is_plugin(&self) -> bool {
        self.backend == signers::PLUGIN
    }

    fn is_test_entity(&self, common: &CommonFlags) -> Result<bool> {
        if self.test_entity && !common.debug {
            bail!("--debug.test_entity: everybody knows this key; for a test network add --debug.dont_blame_oasis");
        }
        Ok(self.test_entity)
    }

    /// The entity and its key.
    ///
    /// Source: go/oasis-node/cmd/common/common.go, `LoadEntitySigner`; go/common/entity/entity.go, `Load`.
    pub fn load(&self, common: &CommonFlags) -> Result<(Entity, Arc<dyn Signer>)> {
        if self.is_test_entity(common)? {
            let signer = test_signer();
            return Ok((descriptor(signer.public_key(), Vec::new()), Arc::new(signer)));
        }
        let signer = self.load_key(common)?;
        let path = self.dir().join(DESCRIPTOR_FILE);
        let entity: Entity = read_json(&path).context("entity descriptor")?;
        if entity.id != signer.public_key() {
            bail!("{}: public key mismatch (signer: {}, entity: {})", path.display(), signer.public_key(), entity.id);
        }
        Ok((entity, signer))
    }

    /// The key alone.
    pub fn load_key(&self, common: &CommonFlags) -> Result<Arc<dyn Signer>> {
        load_key(&*self.open(common, &self.dir(), &[SignerRole::Entity])?)
    }

    /// Makes an entity with a new key, or with the one that is there.
    ///
    /// Source: go/oasis-node/cmd/registry/entity/entity.go, `doInit`, `loadOrGenerateEntity`.
    pub fn create(&self, common: &CommonFlags, reuse: bool, force: bool) -> Result<(Entity, Arc<dyn Signer>)> {
        if self.is_test_entity(common)? {
            return self.load(common);
        }
        // Other signers may be a device that only one process has at a time: they are opened once.
        let in_file = self.backend.to_lowercase() == signers::FILE;
        if in_file && !force && self.load(common).is_ok() {
            bail!("{}: existing entity exists, specify --force to overwrite", self.dir().join(DESCRIPTOR_FILE).display());
        }
        let keys = self.open(common, &self.dir(), &[SignerRole::Entity])?;
        let signer = match reuse {
            true => load_key(&*keys)?,
            false => keys
                .generate(SignerRole::Entity)
                .context("no new key was made; with --entity.reuse_signer the entity gets the key that is there, --signer.dir names another directory")?,
        };
        let entity = descriptor(signer.public_key(), Vec::new());
        self.save(&entity)?;
        Ok((entity, signer))
    }

    /// Writes an entity's descriptor into the directory with the entity's files.
    pub fn save(&self, entity: &Entity) -> Result<()> {
        save_descriptor(&self.dir(), entity).with_context(|| self.dir().display().to_string())
    }
}

fn load_key(keys: &dyn Factory) -> Result<Arc<dyn Signer>> {
    keys.load(SignerRole::Entity).map_err(|e| match e {
        SignerError::Missing { .. } => {
            anyhow::anyhow!("entity's key: {e}; say where it is with --signer.dir, for example: --signer.dir /localhost/entity")
        }
        e => e.into(),
    })
}
