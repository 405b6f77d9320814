//! The entity that signs: its descriptor and its key.
//!
//! Source: go/oasis-node/cmd/common/signer/signer.go, go/common/entity/entity.go.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use clap::Args;
use oasis_consensus_types::entity::{Entity, LATEST_DESCRIPTOR_VERSION};
use oasis_node_service::{
    files::{read_secret, replace},
    identity::entropy,
};
use oasis_primitives::{
    identity::{KEY_FILE_MODE, SignerRole},
    json::{self, ToJson},
    signature::{MemorySigner, Signer},
};

use super::{CommonFlags, read_json, write_file};

/// The descriptor's file. Source: go/common/entity/entity.go, `entityFilename`.
pub const DESCRIPTOR_FILE: &str = "entity.json";
/// The test entity's name. Source: go/common/entity/entity.go, `init`.
const TEST_ENTITY: &str = "ekiden test entity key seed";

/// Where the key is.
///
/// Source: go/oasis-node/cmd/common/signer/signer.go, `Flags`, `CLIFlags`.
#[derive(Clone, Debug, Args)]
pub struct SignerFlags {
    /// Signer backend: file.
    #[arg(short = 's', id = "signer.backend", long = "signer.backend", value_name = "BACKEND", default_value = "file")]
    backend: String,
    /// Directory with the entity's files; the working directory where none is given.
    #[arg(id = "signer.dir", long = "signer.dir", value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Address of the remote signer.
    #[arg(id = "signer.remote.address", long = "signer.remote.address", hide = true)]
    remote_address: Option<String>,
    /// Certificate for the remote signer.
    #[arg(id = "signer.remote.client.certificate", long = "signer.remote.client.certificate", hide = true)]
    remote_certificate: Option<PathBuf>,
    /// Key for the remote signer.
    #[arg(id = "signer.remote.client.key", long = "signer.remote.client.key", hide = true)]
    remote_key: Option<PathBuf>,
    /// Certificate of the remote signer.
    #[arg(id = "signer.remote.server.certificate", long = "signer.remote.server.certificate", hide = true)]
    remote_server: Option<PathBuf>,
    /// Backends of the composite signer.
    #[arg(id = "signer.composite.backends", long = "signer.composite.backends", hide = true)]
    composite: Option<String>,
    /// Name of the plugin.
    #[arg(id = "signer.plugin.name", long = "signer.plugin.name", hide = true)]
    plugin_name: Option<String>,
    /// Program of the plugin.
    #[arg(id = "signer.plugin.path", long = "signer.plugin.path", hide = true)]
    plugin_path: Option<PathBuf>,
    /// Configuration of the plugin.
    #[arg(id = "signer.plugin.config", long = "signer.plugin.config", hide = true)]
    plugin_config: Option<String>,
    /// Sign as the test entity, whose key everybody knows.
    #[arg(id = "debug.test_entity", long = "debug.test_entity", hide = true)]
    test_entity: bool,
}

impl SignerFlags {
    /// The directory with the entity's files.
    pub fn dir(&self) -> PathBuf {
        self.dir.clone().unwrap_or_else(|| PathBuf::from("."))
    }

    /// Fails where the key is not in a file.
    pub fn require_file(&self) -> Result<()> {
        match self.backend.to_lowercase().as_str() {
            "file" => Ok(()),
            other @ ("remote" | "plugin" | "composite" | "memory") => bail!(
                "--signer.backend {other}: not served yet; use --signer.backend file with the key in --signer.dir, or \
                 --transaction.unsigned and sign elsewhere"
            ),
            other => bail!("--signer.backend: unsupported signer backend: {other}; for example: --signer.backend file"),
        }
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
    pub fn load(&self, common: &CommonFlags) -> Result<(Entity, MemorySigner)> {
        if self.is_test_entity(common)? {
            let signer = MemorySigner::for_test(TEST_ENTITY);
            return Ok((Entity { v: LATEST_DESCRIPTOR_VERSION, id: signer.public_key(), nodes: Vec::new() }, signer));
        }
        let signer = self.load_key()?;
        let path = self.dir().join(DESCRIPTOR_FILE);
        let entity: Entity = read_json(&path).context("entity descriptor")?;
        if entity.id != signer.public_key() {
            bail!("{}: public key mismatch (signer: {}, entity: {})", path.display(), signer.public_key(), entity.id);
        }
        Ok((entity, signer))
    }

    /// The key alone.
    pub fn load_key(&self) -> Result<MemorySigner> {
        self.require_file()?;
        let path = self.key_path();
        let text = read_secret(&path).with_context(|| {
            format!("entity's key: {}; say where it is with --signer.dir, for example: --signer.dir /localhost/entity", path.display())
        })?;
        MemorySigner::from_pem(&text).with_context(|| path.display().to_string())
    }

    fn key_path(&self) -> PathBuf {
        self.dir().join(SignerRole::Entity.private_key_file())
    }

    /// Makes an entity with a new key, or with the one that is there.
    ///
    /// Source: go/oasis-node/cmd/registry/entity/entity.go, `loadOrGenerateEntity`.
    pub fn create(&self, common: &CommonFlags, reuse: bool, force: bool) -> Result<(Entity, MemorySigner)> {
        if self.is_test_entity(common)? {
            return self.load(common);
        }
        self.require_file()?;
        if self.load(common).is_ok() && !force {
            bail!("{}: existing entity exists, specify --force to overwrite", self.dir().join(DESCRIPTOR_FILE).display());
        }
        let signer = if reuse { self.load_key()? } else { self.generate_key()? };
        let entity = Entity { v: LATEST_DESCRIPTOR_VERSION, id: signer.public_key(), nodes: Vec::new() };
        save_descriptor(&self.dir(), &entity)?;
        Ok((entity, signer))
    }

    fn generate_key(&self) -> Result<MemorySigner> {
        let path = self.key_path();
        let mut seed = zeroize::Zeroizing::new([0; 32]);
        entropy(seed.as_mut());
        let signer = MemorySigner::from_seed(&seed);
        match fs::metadata(self.dir()) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                bail!("{}: no such directory; for example: --signer.dir .", self.dir().display())
            }
            _ => replace(&path, signer.to_pem().as_bytes(), KEY_FILE_MODE).with_context(|| path.display().to_string())?,
        }
        Ok(signer)
    }
}

/// Writes an entity's descriptor. Source: go/common/entity/entity.go, `Save`.
pub fn save_descriptor(dir: &Path, entity: &Entity) -> Result<()> {
    write_file(&dir.join(DESCRIPTOR_FILE), json::to_text_pretty(&entity.to_json()).as_bytes())
}
