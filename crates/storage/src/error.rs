//! What can go wrong in a node database.

use std::path::{Path, PathBuf};

use oasis_mkvs::Root;

/// An error of a node database.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The engine or the file system failed.
    #[error("database {}: {message}", path.display())]
    Engine {
        /// The database's directory.
        path: PathBuf,
        /// What the engine says.
        message: String,
    },
    /// The database is damaged; it has to be restored from a checkpoint or a backup.
    #[error("database {} is damaged: {what}", path.display())]
    Damaged {
        /// The database's directory.
        path: PathBuf,
        /// Which record and what is wrong with it.
        what: String,
    },
    /// The database has a format that this version of the program does not know.
    #[error("database {} has format {found}, this program reads format {expected}", path.display())]
    WrongFormat {
        /// The database's directory.
        path: PathBuf,
        /// The format known.
        expected: u32,
        /// The format found.
        found: u32,
    },
    /// The database belongs to another chain.
    #[error("database {} is of chain context {found}, not {expected}", path.display())]
    WrongContext {
        /// The database's directory.
        path: PathBuf,
        /// The chain context wanted.
        expected: String,
        /// The chain context in the database.
        found: String,
    },
    /// A tree failed.
    #[error(transparent)]
    Tree(#[from] oasis_mkvs::Error),
    /// Source: go/storage/mkvs/db/api/api.go, `ErrNotFinalized`.
    #[error("mkvs: version is not yet finalized")]
    NotFinalized,
    /// Source: go/storage/mkvs/db/api/api.go, `ErrAlreadyFinalized`.
    #[error("mkvs: version has already been finalized")]
    AlreadyFinalized,
    /// Source: go/storage/mkvs/db/api/api.go, `ErrVersionNotFound`.
    #[error("mkvs: version not found")]
    VersionNotFound,
    /// Source: go/storage/mkvs/db/api/api.go, `ErrRootNotFound`.
    #[error("mkvs: root not found")]
    RootNotFound(Root),
    /// Source: go/storage/mkvs/db/api/api.go, `ErrRootMustFollowOld`.
    #[error("mkvs: root must follow old root")]
    RootMustFollowOld,
    /// Source: go/storage/mkvs/db/api/api.go, `ErrBadNamespace`.
    #[error("mkvs: bad namespace")]
    BadNamespace,
    /// Source: go/storage/mkvs/db/api/api.go, `ErrNotEarliest`.
    #[error("mkvs: version is not the earliest version")]
    NotEarliest,
    /// Source: go/storage/mkvs/db/api/api.go, `ErrMultipartInProgress`.
    #[error("mkvs: multipart already in progress")]
    MultipartInProgress,
    /// Source: go/storage/mkvs/db/api/api.go, `ErrInvalidMultipartVersion`.
    #[error("mkvs: operation called with different version than current multipart version")]
    InvalidMultipartVersion,
    /// The latest version cannot be pruned.
    #[error("mkvs: the latest version cannot be pruned")]
    LatestVersion,
    /// More than one root of a type was to be finalized.
    #[error("mkvs: more than one root of type {0} in a version")]
    SeveralRoots(oasis_mkvs::RootType),
}

impl Error {
    /// The module name of the original's errors.
    pub const MODULE: &str = "storage/mkvs/db";

    /// The original's code, if the error has one.
    ///
    /// Source: go/storage/mkvs/db/api/api.go.
    pub fn code(&self) -> Option<u32> {
        Some(match self {
            Self::Tree(oasis_mkvs::Error::NodeNotFound(_)) => 1,
            Self::NotFinalized => 3,
            Self::AlreadyFinalized => 4,
            Self::VersionNotFound => 5,
            Self::RootNotFound(_) => 8,
            Self::RootMustFollowOld => 9,
            Self::BadNamespace => 10,
            Self::NotEarliest => 11,
            Self::MultipartInProgress => 13,
            Self::InvalidMultipartVersion => 14,
            _ => return None,
        })
    }

    pub(crate) fn damaged(path: &Path, what: impl Into<String>) -> Self {
        Self::Damaged { path: path.to_owned(), what: what.into() }
    }

    pub(crate) fn engine(path: &Path, message: impl ToString) -> Self {
        Self::Engine { path: path.to_owned(), message: message.to_string() }
    }
}
