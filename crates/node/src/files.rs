//! Files that are replaced whole, and files that only their owner may read.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::Path,
};

/// Permission bits that others than the owner would have.
const OTHERS: u32 = 0o077;

/// Puts a file in place of another: after a crash there is the old one or the new one, whole.
pub fn replace(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let new = path.with_file_name(name);
    let _ = fs::remove_file(&new);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&new)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    match path.parent() {
        Some(parent) => File::open(parent)?.sync_all(),
        None => Ok(()),
    }
}

/// Reads a file with a secret, and refuses one that others may read.
///
/// Source: go/common/crypto/signature/signers/file/file_signer.go, `Load`.
pub fn read_secret(path: &Path) -> io::Result<zeroize::Zeroizing<String>> {
    let mode = fs::metadata(path)?.permissions().mode();
    if mode & OTHERS != 0 {
        let text =
            format!("expected a file that only its owner may read (0600), found {:04o}; run: chmod 600 {}", mode & 0o7777, path.display());
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, text));
    }
    fs::read_to_string(path).map(zeroize::Zeroizing::new)
}

/// Makes a directory that only its owner may enter, or finds that there is one.
///
/// Source: go/common/common.go, `Mkdir`.
pub fn make_private_directory(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    match fs::metadata(path) {
        Ok(found) if !found.is_dir() => Err(io::Error::new(io::ErrorKind::NotADirectory, "expected a directory, found a file")),
        Ok(found) if found.permissions().mode() & OTHERS != 0 => {
            let mode = found.permissions().mode() & 0o7777;
            let text =
                format!("expected a directory that only its owner may enter (0700), found {mode:04o}; run: chmod 700 {}", path.display());
            Err(io::Error::new(io::ErrorKind::PermissionDenied, text))
        }
        Ok(_) => Ok(()),
        Err(_) => fs::DirBuilder::new().recursive(true).mode(0o700).create(path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        replace(&path, b"one", 0o600).unwrap();
        replace(&path, b"two", 0o600).unwrap();
        assert_eq!(*read_secret(&path).unwrap(), "two");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_secret_that_others_may_read_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        replace(&path, b"secret", 0o644).unwrap();
        assert!(read_secret(&path).unwrap_err().to_string().contains("chmod 600"));
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        assert!(make_private_directory(dir.path()).unwrap_err().to_string().contains("chmod 700"));
    }
}
