//! What can go wrong with the store, as data.
//!
//! `SQLite`'s result codes become variants that a reader can act on; what the database said stays
//! as the source. No variant carries secret bytes.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use uuid::Uuid;

use super::files;

/// The result of a store function.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A design that an abbreviated name could mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Its id.
    pub id: Uuid,
    /// Its name, or for an operation its kind.
    pub name: String,
}

/// Why the store did not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or folder of the store could not be used.
    #[error("cannot {attempting} {}", path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What was attempted, as a verb: "create", "read".
        attempting: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// There is no store, and this call does not create one.
    #[error("there is no store at {}", path.display())]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The file is a database, but not one of this program.
    #[error("{} is a database of another program (application id {application_id:#x})", path.display())]
    Foreign {
        /// The database file.
        path: PathBuf,
        /// The application id in its header.
        application_id: i64,
    },
    /// A newer version of the program wrote this store; it was left untouched.
    #[error("{} has format {found}, this version knows up to {known}", path.display())]
    Newer {
        /// The database file.
        path: PathBuf,
        /// The format of the file.
        found: i64,
        /// The newest format known here.
        known: i64,
    },
    /// The store needs a migration, which a read-only call does not do.
    #[error("{} has format {found} and must be migrated to {known} before it can be read", path.display())]
    Older {
        /// The database file.
        path: PathBuf,
        /// The format of the file.
        found: i64,
        /// The format needed here.
        known: i64,
    },
    /// The file is damaged; it was left untouched.
    #[error("{} is damaged: {detail}", path.display())]
    Damaged {
        /// The damaged file.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// The disk (or a quota) is full; what was there before is intact.
    #[error("no space left to {attempting} in {}", path.display())]
    Full {
        /// The file that could not grow.
        path: PathBuf,
        /// What was attempted.
        attempting: &'static str,
    },
    /// The store can be read, but not written.
    #[error("cannot {attempting}: {} is read-only: {reason}", path.display())]
    ReadOnly {
        /// The database file.
        path: PathBuf,
        /// What was attempted.
        attempting: &'static str,
        /// Why it is read-only.
        reason: String,
    },
    /// Another process kept the store busy for the whole wait. `SQLite` does not say which.
    #[error("{} is in use by another process; waited {} s", path.display(), waited.as_secs())]
    Busy {
        /// The database file.
        path: PathBuf,
        /// How long was waited.
        waited: Duration,
    },
    /// Another use within this process holds a table.
    #[error("cannot {attempting}: a table of {} is locked within this process", path.display())]
    Locked {
        /// The database file.
        path: PathBuf,
        /// What was attempted.
        attempting: &'static str,
    },
    /// The database refused for a reason without a variant of its own.
    #[error("cannot {attempting} in {}", path.display())]
    Database {
        /// The database file.
        path: PathBuf,
        /// What was attempted.
        attempting: &'static str,
        /// `SQLite`'s extended result code.
        code: Option<i32>,
        /// What the library said.
        source: Box<sqlx::Error>,
    },
    /// Nothing has this name or id.
    #[error("no {noun} named {key:?}")]
    NotFound {
        /// "design" or "operation".
        noun: &'static str,
        /// What was asked for.
        key: String,
        /// Names that are spelled alike, nearest first.
        near: Vec<String>,
    },
    /// An abbreviated id means several things.
    #[error("{key:?} means {} {noun}s", candidates.len())]
    Ambiguous {
        /// "design" or "operation".
        noun: &'static str,
        /// What was asked for.
        key: String,
        /// What it could mean.
        candidates: Vec<Candidate>,
    },
    /// The design has no such version.
    #[error("design {name:?} has no version {version:?}")]
    NoSuchVersion {
        /// The design.
        name: String,
        /// The version asked for.
        version: String,
        /// The versions that exist, newest first.
        known: Vec<String>,
    },
    /// The version exists with other content.
    #[error("design {name:?} already has a version {version:?} with other content")]
    VersionExists {
        /// The design.
        name: String,
        /// The version.
        version: String,
    },
    /// The id belongs to another design or operation.
    #[error("{noun} id {id} is taken")]
    IdTaken {
        /// "design" or "operation".
        noun: &'static str,
        /// The id.
        id: Uuid,
    },
    /// A document is over the size limit.
    #[error("{name:?} has {size} bytes, more than the limit of {limit}")]
    TooLarge {
        /// The design or operation.
        name: String,
        /// Its size as JSON.
        size: u64,
        /// The limit.
        limit: u64,
    },
    /// A document is nested too deeply to be read back.
    #[error("{name:?} is nested more than {limit} levels deep")]
    TooDeep {
        /// The design or operation.
        name: String,
        /// The limit.
        limit: usize,
    },
    /// The key of sealed data is gone.
    #[error("the key file {} is missing; the secrets in {} cannot be read without it", key.display(), store.display())]
    KeyMissing {
        /// The key file.
        key: PathBuf,
        /// The database file.
        store: PathBuf,
    },
    /// The key is not the one that sealed the data.
    #[error("the key file {} is not the one that sealed the secrets in {}", key.display(), store.display())]
    KeyWrong {
        /// The key file.
        key: PathBuf,
        /// The database file.
        store: PathBuf,
    },
    /// Others may read the key file.
    #[error("the key file {} has mode {mode:04o}; others may use it (fix: chmod 600 {})", key.display(), key.display())]
    KeyExposed {
        /// The key file.
        key: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The key file does not hold a key.
    #[error("the key file {} has {size} bytes instead of 32", key.display())]
    KeyMalformed {
        /// The key file.
        key: PathBuf,
        /// Its size.
        size: u64,
    },
    /// A sealed blob does not open: it was changed or belongs to another row.
    #[error(
        "the secrets of design {design} version {version:?} do not open: changed, or moved from another row"
    )]
    Sealed {
        /// The design.
        design: Uuid,
        /// The version.
        version: String,
    },
    /// The cryptographic library refused to work.
    #[error("cannot {attempting}: the cryptographic library failed")]
    Crypto {
        /// What was attempted.
        attempting: &'static str,
    },
    /// The target exists and must not be overwritten.
    #[error("{} exists already", path.display())]
    Exists {
        /// The target.
        path: PathBuf,
    },
    /// The runtime shut down in the middle of a call.
    #[error("interrupted while trying to {attempting}")]
    Interrupted {
        /// What was attempted.
        attempting: &'static str,
    },
}

impl Error {
    /// Turns a failed file operation into the variant that fits it.
    pub(super) fn file(path: &Path, attempting: &'static str, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                Self::Full { path, attempting }
            }
            io::ErrorKind::ReadOnlyFilesystem => Self::ReadOnly {
                path,
                attempting,
                reason: "read-only file system".to_owned(),
            },
            _ => Self::File {
                path,
                attempting,
                source,
            },
        }
    }

    /// Turns what `SQLite` said into the variant that fits it.
    pub(super) fn database(
        path: &Path,
        attempting: &'static str,
        waited: Duration,
        source: sqlx::Error,
    ) -> Self {
        let code = code(&source);
        let damaged = |detail: String| Self::Damaged {
            path: path.to_owned(),
            detail,
        };
        match Failure::of(&source) {
            Failure::Busy => Self::Busy {
                path: path.to_owned(),
                waited,
            },
            Failure::Locked => Self::Locked {
                path: path.to_owned(),
                attempting,
            },
            Failure::Damaged => damaged(message(source)),
            Failure::Full => Self::Full {
                path: path.to_owned(),
                attempting,
            },
            Failure::ReadOnly => Self::ReadOnly {
                path: path.to_owned(),
                attempting,
                reason: files::why_read_only(path),
            },
            Failure::Access if files::is_full(path) => Self::Full {
                path: path.to_owned(),
                attempting,
            },
            Failure::Access | Failure::Other => match source {
                sqlx::Error::Io(source) => Self::file(path, attempting, source),
                source => Self::Database {
                    path: path.to_owned(),
                    attempting,
                    code,
                    source: Box::new(source),
                },
            },
        }
    }
}

/// What kind of trouble a result code of `SQLite` tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Failure {
    Busy,
    Locked,
    Damaged,
    Full,
    ReadOnly,
    /// The file, its folder or its log could not be opened or written: read-only, full, or broken.
    Access,
    Other,
}

impl Failure {
    pub(super) fn of(error: &sqlx::Error) -> Self {
        // A value of the wrong type in a STRICT table was not put there by us.
        if let sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) = error {
            return Self::Damaged;
        }
        let Some(code) = code(error) else {
            return Self::Other;
        };
        match code {
            // SQLITE_IOERR_SHORT_READ, SQLITE_IOERR_CORRUPTFS
            522 | 8458 => return Self::Damaged,
            // SQLITE_READONLY_DBMOVED: the file was replaced under an open handle.
            1032 => return Self::Other,
            _ => {}
        }
        // The low byte is the primary code (sqlite.org/rescode.html).
        match code & 0xff {
            5 => Self::Busy,
            6 => Self::Locked,
            8 => Self::ReadOnly,
            10 | 14 => Self::Access,
            11 | 26 => Self::Damaged,
            13 => Self::Full,
            _ => Self::Other,
        }
    }
}

fn code(error: &sqlx::Error) -> Option<i32> {
    error.as_database_error()?.code()?.parse().ok()
}

fn message(error: sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(error) => error.message().to_owned(),
        error => error.to_string(),
    }
}
