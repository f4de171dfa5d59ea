//! Files and folders of the store: private from the first moment, complete or absent.
//!
//! Modes are given at creation, never changed afterwards. The database file itself is never
//! opened here while a store of this process may have it open: closing any descriptor of a file
//! drops the locks that `SQLite` holds on it in this process (POSIX advisory locks).

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use tempfile::NamedTempFile;

use super::Intent;
use super::error::{Error, Result};

/// Returns the folder that a file is in.
pub(super) fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Returns the path with something appended to its file name.
pub(super) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Returns the time in a form for file names, sortable and without colons.
pub(super) fn stamp(now: Timestamp) -> String {
    now.strftime("%Y%m%dT%H%M%SZ").to_string()
}

/// Returns the first of `path`, `path-2`, `path-3`, … that is free together with its log.
pub(super) fn free_name(path: &Path) -> PathBuf {
    let free = |path: &Path| !exists(path) && !exists(&with_suffix(path, "-wal"));
    if free(path) {
        return path.to_owned();
    }
    (2..u32::MAX)
        .map(|n| with_suffix(path, &format!("-{n}")))
        .find(|path| free(path))
        .unwrap_or_else(|| path.to_owned())
}

/// Tells whether something is there, without following links.
pub(super) fn exists(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

/// Returns the size of a file, 0 if there is none.
pub(super) fn size(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |found| found.len())
}

/// Creates the folder and its parents as 0700, unless they exist.
pub(super) fn create_private_folder(path: &Path) -> Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
        .create(path)
        .map_err(|source| Error::file(path, "create", source))
}

/// Creates an empty 0600 file under a new name beside `path`.
pub(super) fn temporary_beside(path: &Path, purpose: &str) -> Result<NamedTempFile> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    tempfile::Builder::new()
        .prefix(&format!(".{name}.{purpose}-"))
        .tempfile_in(folder(path))
        .map_err(|source| Error::file(path, "create", source))
}

/// Gives a finished file its name and makes both last. Returns false, and leaves what is there
/// alone, if the name is taken and `replace` is not set.
pub(super) fn publish(temporary: NamedTempFile, path: &Path, replace: bool) -> Result<bool> {
    let failed = |source| Error::file(path, "write", source);
    temporary.as_file().sync_all().map_err(failed)?;
    let published = if replace {
        temporary.persist(path)
    } else {
        temporary.persist_noclobber(path)
    };
    match published {
        Ok(_) => {}
        Err(taken) if !replace && taken.error.kind() == io::ErrorKind::AlreadyExists => {
            return Ok(false);
        }
        Err(error) => return Err(failed(error.error)),
    }
    sync_folder(path)?;
    Ok(true)
}

/// Makes the names in the folder of `path` last.
pub(super) fn sync_folder(path: &Path) -> Result<()> {
    if cfg!(unix) {
        let folder = folder(path);
        File::open(folder)
            .and_then(|opened| opened.sync_all())
            .map_err(|source| Error::file(folder, "sync", source))?;
    }
    Ok(())
}

/// Returns the permission bits, `None` where there are none.
#[cfg_attr(
    unix,
    expect(clippy::unnecessary_wraps, reason = "none on other systems")
)]
pub(super) fn mode(found: &fs::Metadata) -> Option<u32> {
    #[cfg(unix)]
    {
        Some(std::os::unix::fs::PermissionsExt::mode(&found.permissions()) & 0o7777)
    }
    #[cfg(not(unix))]
    {
        let _ = found;
        None
    }
}

/// Returns the permission bits if somebody beside the owner has any.
pub(super) fn exposed(found: &fs::Metadata) -> Option<u32> {
    mode(found).filter(|mode| mode & 0o077 != 0)
}

/// Tells whether the disk that `path` is on has no room for another 64 KiB.
pub(super) fn is_full(path: &Path) -> bool {
    let written = tempfile::tempfile_in(folder(path)).and_then(|mut probe| {
        probe.write_all(&vec![0; 65_536])?;
        probe.sync_data()
    });
    matches!(written, Err(error) if matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    ))
}

/// Says why `path` cannot be written.
pub(super) fn why_read_only(path: &Path) -> String {
    if let Err(error) = tempfile::tempfile_in(folder(path)) {
        return match error.kind() {
            io::ErrorKind::ReadOnlyFilesystem => "read-only file system".to_owned(),
            io::ErrorKind::PermissionDenied => {
                format!("no permission to write to {}", folder(path).display())
            }
            _ => error.to_string(),
        };
    }
    match fs::metadata(path) {
        Ok(found) => match mode(&found) {
            Some(mode) => format!("no permission to write to a file of mode {mode:04o}"),
            None => "the file is marked read-only".to_owned(),
        },
        Err(error) => error.to_string(),
    }
}

/// Holds the lock file of a store: shared while it is open, alone while it is replaced.
///
/// `SQLite` guards every read and write by itself; this lock only keeps `recover` from replacing
/// the file under a process that has it open. The system drops it when its process ends.
#[derive(Debug)]
pub(super) struct Lock(#[expect(dead_code, reason = "held, never read")] Option<File>);

impl Lock {
    /// Waits for the shared lock. Where no lock file can be made (read-only), does without.
    pub(super) async fn shared(store: &Path, intent: Intent, wait: Duration) -> Result<Self> {
        let path = with_suffix(store, ".lock");
        let Some(file) = open_lock(&path, intent) else {
            return Ok(Self(None));
        };
        let started = std::time::Instant::now();
        loop {
            match file.try_lock_shared() {
                Ok(()) => return Ok(Self(Some(file))),
                Err(TryLockError::Error(_)) => return Ok(Self(None)),
                Err(TryLockError::WouldBlock) if started.elapsed() < wait => {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                Err(TryLockError::WouldBlock) => {
                    return Err(Error::Busy {
                        path: store.to_owned(),
                        waited: wait,
                    });
                }
            }
        }
    }

    /// Takes the lock alone, at once or not at all.
    pub(super) fn alone(store: &Path) -> Result<Self> {
        let path = with_suffix(store, ".lock");
        let Some(file) = open_lock(&path, Intent::Write) else {
            return Ok(Self(None));
        };
        match file.try_lock() {
            Ok(()) => Ok(Self(Some(file))),
            Err(TryLockError::Error(_)) => Ok(Self(None)),
            Err(TryLockError::WouldBlock) => Err(Error::Busy {
                path: store.to_owned(),
                waited: Duration::ZERO,
            }),
        }
    }
}

fn open_lock(path: &Path, intent: Intent) -> Option<File> {
    if intent == Intent::Read {
        return File::open(path).ok();
    }
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).or_else(|_| File::open(path)).ok()
}
