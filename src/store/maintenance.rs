//! Looking after a store: checking it and copying it.
//!
//! A check reads everything and changes nothing. A backup is one consistent file, taken while
//! others read and write; it gets its name only once it is complete and synced.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use aws_lc_rs::digest;
use futures::TryStreamExt;
use sqlx::{Row, SqliteConnection};
use tempfile::NamedTempFile;
use uuid::Uuid;

use super::error::{Error, Result};
use super::seal::Binding;
use super::{Options, Store, body, files, migrations};

/// One thing that was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What was checked, in a word.
    pub name: &'static str,
    /// Whether it is in order.
    pub passed: bool,
    /// What was found.
    pub detail: String,
    /// What would repair it.
    pub fix: Option<Fix>,
}

/// What repairs a failed check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fix {
    /// Recover the store: salvage it or restore a backup.
    Recover,
    /// Take away the permissions of others.
    Restrict(PathBuf),
    /// Put the right key file back.
    RestoreKey(PathBuf),
    /// Free disk space.
    FreeSpace,
    /// Use a newer version of the program.
    Upgrade,
}

/// A finished backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backup {
    /// The file.
    pub path: PathBuf,
    /// Its size in bytes.
    pub size: u64,
    /// Its SHA-256 in hexadecimal.
    pub sha256: String,
}

impl Check {
    fn passed(name: &'static str, detail: impl Into<String>) -> Self {
        Self {
            name,
            passed: true,
            detail: detail.into(),
            fix: None,
        }
    }

    fn failed(name: &'static str, detail: impl Into<String>, fix: Option<Fix>) -> Self {
        Self {
            name,
            passed: false,
            detail: detail.into(),
            fix,
        }
    }

    /// Passes without findings, fails with the first of them otherwise.
    fn of(name: &'static str, fine: String, found: &[String], fix: Fix) -> Self {
        match found {
            [] => Self::passed(name, fine),
            [one] => Self::failed(name, one, Some(fix)),
            [first, rest @ ..] => {
                let detail = format!("{first} (and {} more)", rest.len());
                Self::failed(name, detail, Some(fix))
            }
        }
    }

    fn error(name: &'static str, error: &Error, options: &Options) -> Self {
        let fix = match error {
            Error::Damaged { .. } => Some(Fix::Recover),
            Error::Newer { .. } => Some(Fix::Upgrade),
            Error::Full { .. } => Some(Fix::FreeSpace),
            Error::KeyMissing { .. } | Error::KeyWrong { .. } | Error::KeyMalformed { .. } => {
                Some(Fix::RestoreKey(options.key_path.clone()))
            }
            Error::KeyExposed { key, .. } => Some(Fix::Restrict(key.clone())),
            _ => None,
        };
        let mut detail = error.to_string();
        let mut source = std::error::Error::source(error);
        while let Some(cause) = source {
            detail = format!("{detail}: {cause}");
            source = cause.source();
        }
        Self::failed(name, detail, fix)
    }
}

/// Checks a store from its permissions to its last document. Never fails: what could not be
/// checked is a failed check.
pub async fn check(options: &Options) -> Vec<Check> {
    let mut checks = vec![permissions(options)];
    let store = match Store::open_read_only(options.clone()).await {
        Ok(store) => store,
        Err(Error::Missing { .. }) => {
            checks.push(match migrations::refuse_remains(options) {
                Ok(()) => Check::passed("store", "there is none yet"),
                Err(error) => Check::error("store", &error, options),
            });
            return checks;
        }
        Err(Error::Older { found, known, .. }) => {
            let detail = format!("has format {found}; the next change migrates it to {known}");
            checks.push(Check::passed("store", detail));
            return checks;
        }
        Err(error) => {
            checks.push(Check::error("store", &error, options));
            return checks;
        }
    };
    let format = options.newest();
    checks.push(Check::passed("store", format!("opens, format {format}")));
    for (name, result) in [
        ("integrity", store.check_integrity().await),
        ("references", store.check_references().await),
        ("versions", store.check_versions().await),
        ("documents", store.check_documents().await),
        ("operations", store.check_operations().await),
        ("secrets", store.check_secrets().await),
    ] {
        checks.push(result.unwrap_or_else(|error| Check::error(name, &error, options)));
    }
    if let Some(opened) = store.connection.into_inner() {
        super::close_untouched(options, opened.connection).await;
    }
    checks
}

fn permissions(options: &Options) -> Check {
    let path = &options.path;
    let mut exposed = Vec::new();
    for path in [
        files::folder(path).to_owned(),
        path.clone(),
        files::with_suffix(path, "-wal"),
        files::with_suffix(path, "-shm"),
        options.key_path.clone(),
    ] {
        if let Ok(found) = std::fs::metadata(&path)
            && let Some(mode) = files::exposed(&found)
        {
            exposed.push((path, mode));
        }
    }
    match exposed.into_iter().next() {
        None => Check::passed("permissions", "only the owner has access"),
        Some((path, mode)) => Check::failed(
            "permissions",
            format!("{} has mode {mode:04o}: others have access", path.display()),
            Some(Fix::Restrict(path)),
        ),
    }
}

impl Store {
    /// Copies the store into one file while it stays in use. An existing file is replaced only if
    /// `replace` is set.
    pub async fn backup(&self, to: &Path, replace: bool) -> Result<Backup> {
        let to = std::path::absolute(to).map_err(|error| Error::file(to, "write", error))?;
        if self.is_own_file(&to) || (!replace && files::exists(&to)) {
            return Err(Error::Exists { path: to });
        }
        let mut reading = self.read().await?;
        vacuum_into(&self.options, reading.connection(), &to, replace).await
    }

    /// Tells whether a path is one of the files that make up this store.
    fn is_own_file(&self, path: &Path) -> bool {
        let place = |path: &Path| {
            let folder = files::folder(path);
            let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
            folder.join(path.file_name().unwrap_or_default())
        };
        let (path, store) = (place(path), place(&self.options.path));
        let own = ["", "-wal", "-shm", "-journal", ".lock"];
        own.iter()
            .any(|suffix| path == files::with_suffix(&store, suffix))
            || path == place(&self.options.key_path)
    }

    async fn check_integrity(&self) -> Result<Check> {
        let mut reading = self.read().await?;
        let found = integrity(reading.connection())
            .await
            .map_err(self.failed("check the integrity"))?;
        let fine = "every page and index is sound".to_owned();
        Ok(Check::of("integrity", fine, &found, Fix::Recover))
    }

    async fn check_references(&self) -> Result<Check> {
        let failed = self.failed("check the references");
        let mut reading = self.read().await?;
        let rows = sqlx::query("PRAGMA foreign_key_check")
            .fetch_all(reading.connection())
            .await
            .map_err(&failed)?;
        let mut found = Vec::new();
        for row in rows {
            let from: String = row.try_get(0).map_err(&failed)?;
            let to: String = row.try_get(2).map_err(&failed)?;
            found.push(format!("a row of {from} refers to a missing row of {to}"));
        }
        let fine = "every reference has its target".to_owned();
        Ok(Check::of("references", fine, &found, Fix::Recover))
    }

    async fn check_versions(&self) -> Result<Check> {
        let failed = self.failed("check the versions");
        let mut reading = self.read().await?;
        let rows = sqlx::query(
            "SELECT d.name FROM design AS d LEFT JOIN design_version AS v \
             ON v.design = d.id AND v.version = d.version \
             WHERE v.row IS NULL OR v.name <> d.name OR v.sequence <> \
             (SELECT max(sequence) FROM design_version WHERE design = d.id) ORDER BY d.name",
        )
        .fetch_all(reading.connection())
        .await
        .map_err(&failed)?;
        let mut found = Vec::new();
        for row in rows {
            let name: String = row.try_get(0).map_err(&failed)?;
            found.push(format!("design {name:?} does not agree with its versions"));
        }
        let count: i64 = sqlx::query("SELECT count(*) FROM design")
            .fetch_one(reading.connection())
            .await
            .and_then(|row| row.try_get(0))
            .map_err(&failed)?;
        let fine = match count {
            1 => "1 design agrees with its versions".to_owned(),
            count => format!("{count} designs agree with their versions"),
        };
        Ok(Check::of("versions", fine, &found, Fix::Recover))
    }

    async fn check_documents(&self) -> Result<Check> {
        let failed = self.failed("check the documents");
        let mut reading = self.read().await?;
        let mut found = Vec::new();
        let mut count = 0u64;
        let mut rows = sqlx::query(
            "SELECT name, version, form, size, hash, body FROM design_version ORDER BY row",
        )
        .fetch(reading.connection());
        while let Some(row) = rows.try_next().await.map_err(&failed)? {
            let name: String = row.try_get(0).map_err(&failed)?;
            let version: String = row.try_get(1).map_err(&failed)?;
            let form = row.try_get(2).map_err(&failed)?;
            let size: i64 = row.try_get(3).map_err(&failed)?;
            let hash = row.try_get(4).map_err(&failed)?;
            let packed = row.try_get(5).map_err(&failed)?;
            let size = u64::try_from(size).unwrap_or(0);
            if let Err(what) = body::unpack_aside(packed, size, form, Some(hash)).await? {
                found.push(format!("design {name:?} version {version:?} {what}"));
            }
            count += 1;
        }
        let fine = format!("{count} documents can be read");
        Ok(Check::of("documents", fine, &found, Fix::Recover))
    }

    async fn check_operations(&self) -> Result<Check> {
        let failed = self.failed("check the operations");
        let mut reading = self.read().await?;
        let mut found = Vec::new();
        let mut count = 0u64;
        let mut rows = sqlx::query("SELECT id, size, outcome FROM operation ORDER BY row")
            .fetch(reading.connection());
        while let Some(row) = rows.try_next().await.map_err(&failed)? {
            let id: String = row.try_get(0).map_err(&failed)?;
            let size: i64 = row.try_get(1).map_err(&failed)?;
            let packed = row.try_get(2).map_err(&failed)?;
            let size = u64::try_from(size).unwrap_or(0);
            if let Err(what) = body::unpack_aside(packed, size, String::new(), None).await? {
                found.push(format!("the outcome of operation {id} {what}"));
            }
            count += 1;
        }
        let fine = format!("{count} operations can be read");
        Ok(Check::of("operations", fine, &found, Fix::Recover))
    }

    async fn check_secrets(&self) -> Result<Check> {
        let failed = self.failed("check the secrets");
        let mut reading = self.read().await?;
        let count: i64 =
            sqlx::query("SELECT count(*) FROM design_version WHERE sealed IS NOT NULL")
                .fetch_one(reading.connection())
                .await
                .and_then(|row| row.try_get(0))
                .map_err(&failed)?;
        if count == 0 {
            return Ok(Check::passed("secrets", "nothing is sealed"));
        }
        let key = self.key_to_open(reading.connection()).await?;
        let mut found = Vec::new();
        let mut rows = sqlx::query(
            "SELECT design, version, sealed FROM design_version WHERE sealed IS NOT NULL \
             ORDER BY row",
        )
        .fetch(reading.connection());
        while let Some(row) = rows.try_next().await.map_err(&failed)? {
            let design: Uuid = self.uuid(&row, 0)?;
            let version: &str = row.try_get(1).map_err(&failed)?;
            let sealed: &[u8] = row.try_get(2).map_err(&failed)?;
            if let Err(error) = key.open(&Binding { design, version }, sealed) {
                found.push(error.to_string());
            }
        }
        let fine = format!("{count} sealed sets of secrets open");
        Ok(Check::of("secrets", fine, &found, Fix::Recover))
    }
}

/// Returns what `SQLite` finds wrong with the file.
pub(super) async fn integrity(connection: &mut SqliteConnection) -> sqlx::Result<Vec<String>> {
    let rows = sqlx::query("PRAGMA integrity_check(20)")
        .fetch_all(connection)
        .await?;
    let mut found = Vec::new();
    for row in rows {
        let line: String = row.try_get(0)?;
        if line != "ok" {
            found.push(line);
        }
    }
    Ok(found)
}

/// Writes a consistent copy of the database to `to`.
pub(super) async fn vacuum_into(
    options: &Options,
    connection: &mut SqliteConnection,
    to: &Path,
    replace: bool,
) -> Result<Backup> {
    let failed = |source| {
        match Error::database(
            &options.path,
            "back up the store",
            options.busy_timeout,
            source,
        ) {
            // The copy is what grew.
            Error::Full { attempting, .. } => Error::Full {
                path: to.to_owned(),
                attempting,
            },
            error => error,
        }
    };
    let file = files::temporary_beside(to, "new")?;
    let name = file.path().to_str().ok_or_else(|| {
        let error = io::Error::new(io::ErrorKind::InvalidInput, "its name is not Unicode");
        Error::file(to, "write", error)
    })?;
    sqlx::query("VACUUM INTO ?")
        .bind(name)
        .execute(connection)
        .await
        .map_err(failed)?;
    let summed = digest_of(&file).map_err(|source| Error::file(to, "read", source));
    let (size, sha256) = summed?;
    if !files::publish(file, to, replace)? {
        return Err(Error::Exists {
            path: to.to_owned(),
        });
    }
    Ok(Backup {
        path: to.to_owned(),
        size,
        sha256,
    })
}

fn digest_of(file: &NamedTempFile) -> io::Result<(u64, String)> {
    let mut file: File = file.reopen()?;
    let mut context = digest::Context::new(&digest::SHA256);
    let mut buffer = vec![0; 64 * 1024];
    let mut size = 0;
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        context.update(&buffer[..read]);
        size += read as u64;
    }
    let digits = context
        .finish()
        .as_ref()
        .iter()
        .fold(String::new(), |mut text, byte| {
            use std::fmt::Write;
            let _ = write!(text, "{byte:02x}");
            text
        });
    Ok((size, digits))
}
