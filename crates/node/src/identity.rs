//! The keys of a node, in the files of the original: an operator can move them between the two.
//!
//! Source: go/common/identity/identity.go.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use oasis_primitives::{
    identity::{
        BEACON_SCALAR_FILE, KEY_FILE_MODE, SENTRY_CLIENT_CERTIFICATE_FILE, SENTRY_CLIENT_KEY_FILE, SignerRole, TLS_CERTIFICATE_FILE,
        TLS_COMMON_NAME, TLS_EPHEMERAL_KEY_FILE, TLS_EPHEMERAL_NEW_KEY_FILE, TLS_EPHEMERAL_NEXT_KEY_FILE, TLS_KEY_FILE,
    },
    pem,
    pvss::Scalar,
    signature::{PublicKey, Signer},
};
use zeroize::Zeroizing;

use crate::{
    files,
    signers::{Factory, FileFactory},
    tls::TlsKey,
};

/// Type of the PEM block of the beacon's scalar. Source: go/common/crypto/pvss/s11n.go, `scalarPEMType`.
const SCALAR_PEM: &str = "EC PRIVATE KEY";
/// Permissions of files that hold nothing secret.
const PUBLIC_FILE_MODE: u32 = 0o644;

/// Why there are no keys.
#[derive(Debug, thiserror::Error)]
#[error("{}: {reason}", path.display())]
pub struct IdentityError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub reason: String,
}

/// The keys of a node.
#[derive(Clone)]
pub struct Identity {
    /// Signs the node's descriptor and transactions.
    pub node: Arc<dyn Signer>,
    /// Names the node among its peers.
    pub p2p: Arc<dyn Signer>,
    /// Signs votes.
    pub consensus: Arc<dyn Signer>,
    /// Deals and opens shares of the random beacon.
    pub beacon: Scalar,
    /// The current key for TLS.
    pub tls: TlsKey,
    /// The key for TLS after the next rotation; none where the key is kept.
    pub next_tls: Option<TlsKey>,
    /// The key for connections to sentries.
    pub sentry_client: TlsKey,
    datadir: PathBuf,
}

/// Fills a buffer from the operating system's randomness.
pub fn entropy(buffer: &mut [u8]) {
    // The kernel answers at any time after its start; where it does not, no key may be made.
    getrandom::fill(buffer).unwrap_or_else(|e| panic!("no randomness from the operating system: {e}"));
}

pub(crate) fn seed() -> Zeroizing<[u8; 32]> {
    let mut seed = Zeroizing::new([0; 32]);
    entropy(seed.as_mut());
    seed
}

impl Identity {
    /// The roles of the keys that a node has. Source: go/oasis-node/cmd/node/node.go, `newNode`.
    pub const ROLES: [SignerRole; 3] = [SignerRole::Node, SignerRole::P2p, SignerRole::Consensus];

    /// Reads the keys that are in a data directory and makes those that are not.
    pub fn load_or_generate(datadir: &Path) -> Result<Self, IdentityError> {
        Self::with_signers(datadir, &FileFactory::new(datadir, &Self::ROLES))
    }

    /// The same where a signer has the keys that sign.
    ///
    /// Source: go/common/identity/identity.go, `LoadOrGenerate`.
    pub fn with_signers(datadir: &Path, keys: &dyn Factory) -> Result<Self, IdentityError> {
        let node = signer(datadir, keys, SignerRole::Node)?;
        let p2p = signer(datadir, keys, SignerRole::P2p)?;
        let consensus = signer(datadir, keys, SignerRole::Consensus)?;
        let (tls, next_tls) = match tls_key(&datadir.join(TLS_KEY_FILE))? {
            // A key that is kept never rotates.
            Some(kept) => (kept, None),
            None => {
                let current = tls_key_or_new(&datadir.join(TLS_EPHEMERAL_KEY_FILE))?;
                (current, Some(tls_key_or_new(&datadir.join(TLS_EPHEMERAL_NEXT_KEY_FILE))?))
            }
        };
        let sentry_client =
            kept_tls_key(&datadir.join(SENTRY_CLIENT_KEY_FILE), &datadir.join(SENTRY_CLIENT_CERTIFICATE_FILE), TLS_COMMON_NAME)?;
        Ok(Self {
            node,
            p2p,
            consensus,
            beacon: beacon(&datadir.join(BEACON_SCALAR_FILE))?,
            tls,
            next_tls,
            sentry_client,
            datadir: datadir.to_owned(),
        })
    }

    /// The same with a key for TLS that is kept and never rotates.
    ///
    /// Source: go/oasis-node/cmd/identity/identity.go, `doNodeInit`; go/common/identity/identity.go, `doLoadOrGenerate`.
    pub fn load_or_generate_kept(datadir: &Path) -> Result<Self, IdentityError> {
        if tls_key(&datadir.join(TLS_KEY_FILE))?.is_none() {
            kept_tls_key(&datadir.join(TLS_KEY_FILE), &datadir.join(TLS_CERTIFICATE_FILE), TLS_COMMON_NAME)?;
            // A key that is kept takes the place of those that rotate.
            for name in [TLS_EPHEMERAL_KEY_FILE, TLS_EPHEMERAL_NEXT_KEY_FILE] {
                let _ = fs::remove_file(datadir.join(name));
            }
        }
        Self::load_or_generate(datadir)
    }

    /// The keys that TLS connections may have: the current one, and the one after a rotation.
    pub fn tls_keys(&self) -> Vec<PublicKey> {
        [Some(&self.tls), self.next_tls.as_ref()].into_iter().flatten().map(TlsKey::public_key).collect()
    }

    /// Makes the next key for TLS the current one and a new one the next. A key that is kept stays.
    ///
    /// The new key is on disk before the others move, so that no crash leaves the node without the keys that it registered.
    ///
    /// Source: go/common/identity/identity.go, `RotateCertificates`.
    pub fn rotate_tls(&mut self) -> Result<(), IdentityError> {
        let Some(next) = self.next_tls.clone() else { return Ok(()) };
        let path = |name: &str| self.datadir.join(name);
        let new = TlsKey::from_seed(&seed());
        write(&path(TLS_EPHEMERAL_NEW_KEY_FILE), new.to_pem().as_bytes(), KEY_FILE_MODE)?;
        for (from, to) in [(TLS_EPHEMERAL_NEXT_KEY_FILE, TLS_EPHEMERAL_KEY_FILE), (TLS_EPHEMERAL_NEW_KEY_FILE, TLS_EPHEMERAL_NEXT_KEY_FILE)]
        {
            let to = path(to);
            fs::rename(path(from), &to).map_err(|e| fail(&to, e))?;
        }
        self.tls = next;
        self.next_tls = Some(new);
        Ok(())
    }
}

fn fail(path: &Path, reason: impl ToString) -> IdentityError {
    IdentityError { path: path.to_owned(), reason: reason.to_string() }
}

fn write(path: &Path, bytes: &[u8], mode: u32) -> Result<(), IdentityError> {
    files::replace(path, bytes, mode).map_err(|e| fail(path, e))
}

/// A secret file's text; none if there is no such file.
fn secret(path: &Path) -> Result<Option<Zeroizing<String>>, IdentityError> {
    match files::read_secret(path) {
        Ok(text) => Ok(Some(text)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(fail(path, e)),
    }
}

/// A key, whose public part is noted in a file beside.
///
/// Source: go/common/identity/identity.go, `doLoadOrGenerate`; go/common/crypto/signature/signature.go, `LoadPEM`.
fn signer(datadir: &Path, keys: &dyn Factory, role: SignerRole) -> Result<Arc<dyn Signer>, IdentityError> {
    let signer = keys.load_or_generate(role).map_err(|e| fail(datadir, e))?;
    if let Some(name) = role.public_key_file() {
        let path = datadir.join(name);
        match fs::read_to_string(&path) {
            Ok(text) => {
                let found = PublicKey::from_pem(&text).map_err(|e| fail(&path, e))?;
                if found != signer.public_key() {
                    return Err(fail(&path, format_args!("expected the signer's {role} key {}, found {found}", signer.public_key())));
                }
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => write(&path, signer.public_key().to_pem().as_bytes(), PUBLIC_FILE_MODE)?,
            Err(e) => return Err(fail(&path, e)),
        }
    }
    Ok(signer)
}

fn tls_key(path: &Path) -> Result<Option<TlsKey>, IdentityError> {
    secret(path)?.map(|text| TlsKey::from_pem(&text).map_err(|e| fail(path, e))).transpose()
}

fn tls_key_or_new(path: &Path) -> Result<TlsKey, IdentityError> {
    if let Some(key) = tls_key(path)? {
        return Ok(key);
    }
    let key = TlsKey::from_seed(&seed());
    write(path, key.to_pem().as_bytes(), KEY_FILE_MODE)?;
    Ok(key)
}

/// A key for TLS that is kept, with its certificate beside it.
///
/// Source: go/common/crypto/tls/cert.go, `LoadOrGenerate`.
pub(crate) fn kept_tls_key(path: &Path, certificate: &Path, name: &str) -> Result<TlsKey, IdentityError> {
    if let Some(key) = tls_key(path)? {
        return Ok(key);
    }
    let key = tls_key_or_new(path)?;
    let text = key.certificate(name).map_err(|e| fail(certificate, e))?.pem();
    write(certificate, text.as_bytes(), PUBLIC_FILE_MODE)?;
    Ok(key)
}

/// Source: go/common/crypto/pvss/s11n.go, `Scalar.LoadOrGeneratePEM`.
fn beacon(path: &Path) -> Result<Scalar, IdentityError> {
    if let Some(text) = secret(path)? {
        let bytes = Zeroizing::new(pem::decode(SCALAR_PEM, &text).map_err(|e| fail(path, e))?);
        return Scalar::from_slice(&bytes).ok_or_else(|| fail(path, "expected a scalar of 32 bytes below the group's order"));
    }
    let scalar = Scalar::generate(&mut entropy);
    let bytes = Zeroizing::new(scalar.to_bytes().ok_or_else(|| fail(path, "expected a scalar, found none"))?);
    write(path, Zeroizing::new(pem::encode(SCALAR_PEM, bytes.as_slice())).as_bytes(), KEY_FILE_MODE)?;
    Ok(scalar)
}

#[cfg(test)]
mod tests {
    use oasis_primitives::signature::MemorySigner;

    use super::*;

    #[test]
    fn keys_are_made_once() {
        let dir = tempfile::tempdir().unwrap();
        let first = Identity::load_or_generate(dir.path()).unwrap();
        let again = Identity::load_or_generate(dir.path()).unwrap();
        assert_eq!(first.node.public_key(), again.node.public_key());
        assert_eq!(first.tls_keys(), again.tls_keys());
        assert_eq!(first.tls_keys().len(), 2);
        assert_eq!(first.beacon.to_bytes(), again.beacon.to_bytes());
        let names = fs::read_dir(dir.path()).unwrap().count();
        assert_eq!(names, 6 + 1 + 2 + 2);
    }

    #[test]
    fn rotation_moves_the_next_key_up() {
        let dir = tempfile::tempdir().unwrap();
        let mut identity = Identity::load_or_generate(dir.path()).unwrap();
        let before = identity.tls_keys();
        identity.rotate_tls().unwrap();
        let after = identity.tls_keys();
        assert_eq!(before[1], after[0]);
        assert_ne!(before[1], after[1]);
        assert_eq!(Identity::load_or_generate(dir.path()).unwrap().tls_keys(), after);
    }

    #[test]
    fn a_public_key_of_another_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        Identity::load_or_generate(dir.path()).unwrap();
        let other = MemorySigner::for_test("other").public_key();
        fs::write(dir.path().join("p2p_pub.pem"), other.to_pem()).unwrap();
        assert!(Identity::load_or_generate(dir.path()).err().unwrap().to_string().contains("p2p_pub.pem"));
    }
}
