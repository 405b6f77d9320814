//! Keys in files.
//!
//! Source: go/common/crypto/signature/signers/file/file_signer.go.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use oasis_primitives::{
    identity::{KEY_FILE_MODE, SignerRole},
    signature::{MemorySigner, Signer},
};

use super::{Factory, SignerError};
use crate::{
    files::{read_secret, replace},
    identity::seed,
};

/// Keys of some roles in a directory.
pub struct FileFactory {
    dir: PathBuf,
    roles: Vec<SignerRole>,
}

impl FileFactory {
    /// Keys in a directory.
    pub fn new(dir: &Path, roles: &[SignerRole]) -> Self {
        Self { dir: dir.to_owned(), roles: roles.to_vec() }
    }

    fn path(&self, role: SignerRole) -> Result<PathBuf, SignerError> {
        if !self.roles.contains(&role) {
            return Err(SignerError::Role(role));
        }
        Ok(self.dir.join(role.private_key_file()))
    }

    /// A key that is there, with its private part.
    pub fn load_memory(&self, role: SignerRole) -> Result<MemorySigner, SignerError> {
        let path = self.path(role)?;
        let text = match read_secret(&path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                return Err(SignerError::Missing { role, place: format!("in {}", path.display()) });
            }
            read => read.map_err(|e| SignerError::at(&path, e))?,
        };
        MemorySigner::from_pem(&text).map_err(|e| SignerError::at(&path, e))
    }

    /// A new key, with its private part. One that is there stays.
    pub fn generate_memory(&self, role: SignerRole) -> Result<MemorySigner, SignerError> {
        let path = self.path(role)?;
        if path.symlink_metadata().is_ok() {
            return Err(SignerError::at(&path, "key already exists; move it away first, if it is not needed any more"));
        }
        if !self.dir.is_dir() {
            return Err(SignerError::at(&self.dir, "no such directory"));
        }
        let signer = MemorySigner::from_seed(&seed());
        replace(&path, signer.to_pem().as_bytes(), KEY_FILE_MODE).map_err(|e| SignerError::at(&path, e))?;
        Ok(signer)
    }
}

impl Factory for FileFactory {
    fn load(&self, role: SignerRole) -> Result<Arc<dyn Signer>, SignerError> {
        Ok(Arc::new(self.load_memory(role)?))
    }

    fn generate(&self, role: SignerRole) -> Result<Arc<dyn Signer>, SignerError> {
        Ok(Arc::new(self.generate_memory(role)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_and_for_the_asked_roles_only() {
        let dir = tempfile::tempdir().unwrap();
        let factory = FileFactory::new(dir.path(), &[SignerRole::Entity]);
        assert!(matches!(factory.load(SignerRole::Entity), Err(SignerError::Missing { .. })));
        let made = factory.load_or_generate(SignerRole::Entity).unwrap().public_key();
        assert_eq!(factory.load_or_generate(SignerRole::Entity).unwrap().public_key(), made);
        assert!(factory.generate(SignerRole::Entity).err().unwrap().to_string().contains("key already exists"));
        assert!(matches!(factory.load(SignerRole::Node), Err(SignerError::Role(SignerRole::Node))));
    }
}
