//! Bringing back a store that cannot be read any more.
//!
//! Works on copies until the replacement is complete, then moves the damaged files aside and puts
//! it in their place; nothing is deleted. Salvage reads row by row by every way into a table (its
//! tree and its indexes) and takes what decompresses and matches its digest. Designs are rebuilt
//! from their versions. It knows the current format; an older store that is damaged needs the
//! version of the program that wrote it.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use futures::TryStreamExt;
use sqlx::{Connection, Row, SqliteConnection};
use uuid::Uuid;

use super::error::{Error, Result};
use super::files::{self, Lock};
use super::migrations::{self, APPLICATION_ID};
use super::{Options, attach, body, maintenance, settings};

/// Row numbers beyond the last known one that are tried when a table cannot be walked.
const PROBED: i64 = 1_000;
/// The most row numbers that are tried.
const PROBED_IN_ALL: i64 = 200_000;

/// What to rebuild a store from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecoverFrom {
    /// Whatever can still be read of it.
    Salvage,
    /// A backup file.
    Backup(PathBuf),
}

/// What a recovery did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovered {
    /// Where the damaged files are now.
    pub moved: Vec<PathBuf>,
    /// What the store holds again, by table.
    pub tables: Vec<Salvaged>,
}

/// What became of one table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Salvaged {
    /// The table: "design", "`design_version`", "operation".
    pub table: &'static str,
    /// How many of its rows are there again.
    pub recovered: u64,
    /// How many rows are known to have existed and could not be read.
    pub lost: u64,
}

/// Rebuilds a store, from what is left of it or from a backup. No process may have it open.
pub async fn recover(options: &Options, from: &RecoverFrom) -> Result<Recovered> {
    let path = &options.path;
    let lock = Lock::alone(path)?;
    let stamp = files::stamp((options.clock)());
    if !files::exists(path)
        && let Some(staged) = unfinished(path)
    {
        let moved = swap(path, &staged, &stamp)?;
        let tables = count(options, path).await?;
        return Ok(Recovered { moved, tables });
    }
    let file = files::temporary_beside(path, "recovered")?;
    let lost = match from {
        RecoverFrom::Backup(backup) => {
            restore(options, backup, file.path()).await?;
            Vec::new()
        }
        RecoverFrom::Salvage => salvage(options, file.path()).await?,
    };
    let mut tables = count(options, file.path()).await?;
    for (table, lost) in tables.iter_mut().zip(lost) {
        table.lost = lost;
    }
    for suffix in ["-wal", "-shm"] {
        remove(&files::with_suffix(file.path(), suffix))?;
    }
    let staged = files::free_name(&files::with_suffix(path, &format!(".recovered-{stamp}")));
    if !files::publish(file, &staged, false)? {
        return Err(Error::Exists { path: staged });
    }
    let moved = swap(path, &staged, &stamp)?;
    drop(lock);
    Ok(Recovered { moved, tables })
}

/// Returns the replacement that an interrupted recovery left without its name.
pub(super) fn unfinished(path: &Path) -> Option<PathBuf> {
    let mut prefix = path.file_name()?.to_owned();
    prefix.push(".recovered-");
    let prefix = prefix.to_string_lossy().into_owned();
    let mut found: Vec<_> = fs::read_dir(files::folder(path))
        .ok()?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with(&prefix)
        })
        .collect();
    found.sort();
    found.pop()
}

/// Moves the damaged files aside and gives the replacement their name. The database goes first:
/// should this be interrupted, its absence shows that there is something to finish.
fn swap(path: &Path, staged: &Path, stamp: &str) -> Result<Vec<PathBuf>> {
    let aside = files::free_name(&files::with_suffix(path, &format!(".damaged-{stamp}")));
    let mut moved = Vec::new();
    for suffix in ["", "-wal", "-shm"] {
        let from = files::with_suffix(path, suffix);
        let to = files::with_suffix(&aside, suffix);
        match fs::rename(&from, &to) {
            Ok(()) => moved.push(to),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(Error::file(&from, "move", error)),
        }
    }
    files::sync_folder(path)?;
    fs::rename(staged, path).map_err(|error| Error::file(staged, "rename", error))?;
    files::sync_folder(path)?;
    Ok(moved)
}

/// Copies a backup after making sure that it is a sound store.
async fn restore(options: &Options, backup: &Path, to: &Path) -> Result<()> {
    if !files::exists(backup) {
        return Err(Error::Missing {
            path: backup.to_owned(),
        });
    }
    copy(backup, to)?;
    // Whatever is wrong with the copy is wrong with the backup.
    let there = Options {
        path: backup.to_owned(),
        ..options.clone()
    };
    let failed = |source| Error::database(backup, "read the backup", options.busy_timeout, source);
    let (mut connection, header) = attach(&settings(options, to)).await.map_err(failed)?;
    super::check_header(&there, header)?;
    let found = maintenance::integrity(&mut connection)
        .await
        .map_err(failed)?;
    if let Some(first) = found.into_iter().next() {
        return Err(Error::Damaged {
            path: backup.to_owned(),
            detail: first,
        });
    }
    migrations::use_log(options, &mut connection).await?;
    connection.close().await.map_err(failed)
}

/// Counts what a store holds.
async fn count(options: &Options, path: &Path) -> Result<Vec<Salvaged>> {
    let failed =
        |source| Error::database(path, "count what there is", options.busy_timeout, source);
    let mut connection = super::connect(options, path).await.map_err(failed)?;
    let row = sqlx::query(
        "SELECT (SELECT count(*) FROM design), (SELECT count(*) FROM design_version), \
         (SELECT count(*) FROM operation)",
    )
    .fetch_one(&mut connection)
    .await
    .map_err(failed)?;
    let mut counts = Vec::new();
    for (column, table) in ["design", "design_version", "operation"]
        .into_iter()
        .enumerate()
    {
        let count: i64 = row.try_get(column).map_err(failed)?;
        counts.push(Salvaged {
            table,
            recovered: u64::try_from(count).unwrap_or(0),
            lost: 0,
        });
    }
    connection.close().await.map_err(failed)?;
    Ok(counts)
}

/// Builds a new store at `to` from what can be read; returns the rows lost, by table.
async fn salvage(options: &Options, to: &Path) -> Result<Vec<u64>> {
    let path = &options.path;
    if !files::exists(path) && !files::exists(&files::with_suffix(path, "-wal")) {
        return Err(Error::Missing { path: path.clone() });
    }
    let scratch = tempfile::Builder::new()
        .prefix(".weft.salvage-")
        .tempdir_in(files::folder(path))
        .map_err(|error| Error::file(path, "create a copy of", error))?;
    let copied = scratch.path().join("weft.db");
    migrations::build(options, to).await?;
    let source = reopen(options, &copied).await?;
    let failed = |source| Error::database(to, "salvage the store", options.busy_timeout, source);
    let mut target = super::connect(options, to).await.map_err(failed)?;
    sqlx::raw_sql("BEGIN IMMEDIATE; PRAGMA defer_foreign_keys = ON")
        .execute(&mut target)
        .await
        .map_err(failed)?;
    let lost = match source {
        None => Vec::new(),
        Some(mut source) => {
            let lost = transfer(&mut source, &mut target).await.map_err(failed)?;
            let _ = source.close().await;
            lost
        }
    };
    sqlx::raw_sql("COMMIT")
        .execute(&mut target)
        .await
        .map_err(failed)?;
    target.close().await.map_err(failed)?;
    Ok(lost)
}

/// Opens a copy of the damaged store in the best way there is: as it is, with a first page that
/// is known to be good, and so without the log. `None` if nothing works.
async fn reopen(options: &Options, copied: &Path) -> Result<Option<SqliteConnection>> {
    for attempt in [
        Repair::Nothing,
        Repair::FirstPage,
        Repair::FirstPageWithoutLog,
    ] {
        copy(&options.path, copied)?;
        if attempt != Repair::Nothing {
            graft(options, copied).await?;
        }
        if attempt == Repair::FirstPageWithoutLog {
            remove(&files::with_suffix(copied, "-wal"))?;
        }
        let Ok((mut connection, header)) = attach(&settings(options, copied)).await else {
            continue;
        };
        let tables = sqlx::query(
            "SELECT count(*) FROM sqlite_schema WHERE type = 'table' \
             AND name IN ('meta', 'design', 'design_version', 'operation')",
        )
        .fetch_one(&mut connection)
        .await
        .and_then(|row| row.try_get::<i64, _>(0));
        match tables {
            Ok(4) if header.format > options.newest() => {
                return Err(Error::Newer {
                    path: options.path.clone(),
                    found: header.format,
                    known: options.newest(),
                });
            }
            Ok(4) => return Ok(Some(connection)),
            // Readable to the last page and not ours: there is nothing to salvage here.
            // An empty file is nobody's.
            Ok(_)
                if header.application_id != APPLICATION_ID
                    && attempt == Repair::Nothing
                    && files::size(&options.path) > 0 =>
            {
                return Err(Error::Foreign {
                    path: options.path.clone(),
                    application_id: header.application_id,
                });
            }
            _ => {
                let _ = connection.close().await;
            }
        }
    }
    Ok(None)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Repair {
    Nothing,
    FirstPage,
    FirstPageWithoutLog,
}

/// Replaces the first page of a copy, which holds the header and the schema, by that of a new
/// store: stores of one format have the same.
async fn graft(options: &Options, copied: &Path) -> Result<()> {
    let fresh = files::temporary_beside(copied, "fresh")?;
    migrations::build(options, fresh.path()).await?;
    let failed = |error| Error::file(copied, "repair a copy of", error);
    let mut page = [0; 4096];
    File::open(fresh.path())
        .and_then(|mut file| file.read_exact(&mut page))
        .map_err(failed)?;
    let size = files::size(copied).div_ceil(page.len() as u64);
    let pages = u32::try_from(size).unwrap_or(u32::MAX);
    // The size of the database in pages (sqlite.org/fileformat2.html#in_header_database_size).
    page[28..32].copy_from_slice(&pages.to_be_bytes());
    let mut file = OpenOptions::new()
        .write(true)
        .open(copied)
        .map_err(failed)?;
    file.rewind()
        .and_then(|()| file.write_all(&page))
        .map_err(failed)
}

/// Copies a database and its log into private files.
fn copy(from: &Path, to: &Path) -> Result<()> {
    remove(&files::with_suffix(to, "-shm"))?;
    for suffix in ["", "-wal"] {
        let (from, to) = (
            files::with_suffix(from, suffix),
            files::with_suffix(to, suffix),
        );
        let mut source = match File::open(&from) {
            Ok(source) => source,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                remove(&to)?;
                continue;
            }
            Err(error) => return Err(Error::file(&from, "read", error)),
        };
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options
            .open(&to)
            .and_then(|mut target| io::copy(&mut source, &mut target))
            .map_err(|error| Error::file(&to, "write", error))?;
    }
    Ok(())
}

/// Removes a temporary file of ours.
fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(Error::file(path, "remove", error))
        }
        _ => Ok(()),
    }
}

/// Carries over what can be read. Errors are those of the target.
async fn transfer(
    source: &mut SqliteConnection,
    target: &mut SqliteConnection,
) -> sqlx::Result<Vec<u64>> {
    let key = sqlx::query("SELECT value FROM meta WHERE name = 'key'")
        .fetch_optional(&mut *source)
        .await
        .ok()
        .flatten()
        .and_then(|row| row.try_get::<Vec<u8>, _>(0).ok());
    if let Some(key) = key {
        sqlx::query("INSERT INTO meta (name, value) VALUES ('key', ?)")
            .bind(key)
            .execute(&mut *target)
            .await?;
    }
    let versions = rows(source, &VERSIONS).await;
    let mut lost_versions = 0;
    for row in &versions.tried {
        match carry_version(source, target, *row).await? {
            Carried::Lost if versions.known.contains(row) => lost_versions += 1,
            Carried::Yes | Carried::Lost => {}
        }
    }
    sqlx::raw_sql(
        "INSERT OR IGNORE INTO design (id, name, version, form, origin, components, kinds, \
         secrets, created_at, updated_at) \
         SELECT v.design, v.name, v.version, v.form, v.origin, v.components, v.kinds, \
         v.sealed IS NOT NULL, \
         (SELECT min(created_at) FROM design_version WHERE design = v.design), v.created_at \
         FROM design_version AS v WHERE v.sequence = \
         (SELECT max(sequence) FROM design_version WHERE design = v.design); \
         DELETE FROM design_version WHERE design NOT IN (SELECT id FROM design)",
    )
    .execute(&mut *target)
    .await?;
    let lost_designs = carry_design_dates(source, target).await?;
    let operations = rows(source, &OPERATIONS).await;
    let mut lost_operations = 0;
    for row in &operations.tried {
        match carry_operation(source, target, *row).await? {
            Carried::Lost if operations.known.contains(row) => lost_operations += 1,
            Carried::Yes | Carried::Lost => {}
        }
    }
    Ok(vec![lost_designs, lost_versions, lost_operations])
}

enum Carried {
    Yes,
    Lost,
}

/// The ways into a table.
struct Table {
    walks: &'static [&'static str],
}

const DESIGNS: Table = Table {
    walks: &[
        "SELECT row FROM design NOT INDEXED ORDER BY row",
        "SELECT row FROM design NOT INDEXED ORDER BY row DESC",
        "SELECT row FROM design INDEXED BY sqlite_autoindex_design_1 ORDER BY id",
        "SELECT row FROM design INDEXED BY sqlite_autoindex_design_1 ORDER BY id DESC",
        "SELECT row FROM design INDEXED BY sqlite_autoindex_design_2 ORDER BY name",
        "SELECT row FROM design INDEXED BY sqlite_autoindex_design_2 ORDER BY name DESC",
    ],
};

const VERSIONS: Table = Table {
    walks: &[
        "SELECT row FROM design_version NOT INDEXED ORDER BY row",
        "SELECT row FROM design_version NOT INDEXED ORDER BY row DESC",
        "SELECT row FROM design_version INDEXED BY sqlite_autoindex_design_version_1 \
         ORDER BY design, version",
        "SELECT row FROM design_version INDEXED BY sqlite_autoindex_design_version_1 \
         ORDER BY design DESC, version DESC",
        "SELECT row FROM design_version INDEXED BY sqlite_autoindex_design_version_2 \
         ORDER BY design, sequence",
        "SELECT row FROM design_version INDEXED BY sqlite_autoindex_design_version_2 \
         ORDER BY design DESC, sequence DESC",
    ],
};

const OPERATIONS: Table = Table {
    walks: &[
        "SELECT row FROM operation NOT INDEXED ORDER BY row",
        "SELECT row FROM operation NOT INDEXED ORDER BY row DESC",
        "SELECT row FROM operation INDEXED BY sqlite_autoindex_operation_1 ORDER BY id",
        "SELECT row FROM operation INDEXED BY sqlite_autoindex_operation_1 ORDER BY id DESC",
    ],
};

/// The row numbers of a table.
struct Rows {
    /// Those seen in its tree or an index.
    known: BTreeSet<i64>,
    /// Those worth reading: where the tree cannot be walked to its end, the gaps too.
    tried: BTreeSet<i64>,
}

async fn rows(source: &mut SqliteConnection, table: &Table) -> Rows {
    let mut known = BTreeSet::<i64>::new();
    let mut whole = true;
    for walk in table.walks {
        let mut rows = sqlx::query(*walk).fetch(&mut *source);
        loop {
            match rows.try_next().await {
                Ok(Some(row)) => {
                    if let Ok(number) = row.try_get(0) {
                        known.insert(number);
                    }
                }
                Ok(None) => break,
                Err(_) => {
                    whole = false;
                    break;
                }
            }
        }
    }
    let mut tried = known.clone();
    if !whole {
        let last = known.last().copied().unwrap_or(0).saturating_add(PROBED);
        tried.extend(1..=last.min(PROBED_IN_ALL));
    }
    Rows { known, tried }
}

async fn carry_version(
    source: &mut SqliteConnection,
    target: &mut SqliteConnection,
    number: i64,
) -> sqlx::Result<Carried> {
    let Some(version) = read_version(source, number).await else {
        return Ok(Carried::Lost);
    };
    let inserted = sqlx::query(
        "INSERT OR IGNORE INTO design_version (design, version, sequence, name, form, origin, \
         components, kinds, created_at, size, hash, sealed, body) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(version.design)
    .bind(version.version)
    .bind(version.sequence)
    .bind(version.name)
    .bind(version.form)
    .bind(version.origin)
    .bind(version.components)
    .bind(version.kinds)
    .bind(version.created_at)
    .bind(version.size)
    .bind(version.hash)
    .bind(version.sealed)
    .bind(version.packed)
    .execute(target)
    .await?;
    Ok(if inserted.rows_affected() == 1 {
        Carried::Yes
    } else {
        Carried::Lost
    })
}

/// A row of `design_version` whose document was read and matched its digest.
#[expect(clippy::struct_field_names, reason = "the column is called so")]
struct Version {
    design: String,
    version: String,
    sequence: i64,
    name: String,
    form: String,
    origin: String,
    components: i64,
    kinds: String,
    created_at: i64,
    size: i64,
    hash: Vec<u8>,
    sealed: Option<Vec<u8>>,
    packed: Vec<u8>,
}

async fn read_version(source: &mut SqliteConnection, number: i64) -> Option<Version> {
    let row = sqlx::query(
        "SELECT design, version, sequence, name, form, origin, components, kinds, created_at, \
         size, hash, sealed, body FROM design_version NOT INDEXED WHERE row = ?",
    )
    .bind(number)
    .fetch_optional(source)
    .await
    .ok()??;
    let version = Version {
        design: row.try_get(0).ok()?,
        version: row.try_get(1).ok()?,
        sequence: row.try_get(2).ok()?,
        name: row.try_get(3).ok()?,
        form: row.try_get(4).ok()?,
        origin: row.try_get(5).ok()?,
        components: row.try_get(6).ok()?,
        kinds: row.try_get(7).ok()?,
        created_at: row.try_get(8).ok()?,
        size: row.try_get(9).ok()?,
        hash: row.try_get(10).ok()?,
        sealed: row.try_get(11).ok()?,
        packed: row.try_get(12).ok()?,
    };
    version.design.parse::<Uuid>().ok()?;
    jiff::Timestamp::from_microsecond(version.created_at).ok()?;
    u32::try_from(version.components).ok()?;
    u32::try_from(version.sequence).ok()?;
    let kinds: std::collections::BTreeMap<String, u32> =
        serde_json::from_str(&version.kinds).ok()?;
    drop(kinds);
    let size = u64::try_from(version.size).ok()?;
    body::unpack(&version.packed, size, Some((&version.form, &version.hash))).ok()?;
    Some(version)
}

/// Gives rebuilt designs the date of their creation, as far as it can be read; returns how many
/// designs are known and not there.
async fn carry_design_dates(
    source: &mut SqliteConnection,
    target: &mut SqliteConnection,
) -> sqlx::Result<u64> {
    let designs = rows(source, &DESIGNS).await;
    for number in &designs.tried {
        let row = sqlx::query("SELECT id, created_at FROM design NOT INDEXED WHERE row = ?")
            .bind(number)
            .fetch_optional(&mut *source)
            .await;
        let Ok(Some(row)) = row else { continue };
        let (Ok(id), Ok(at)) = (row.try_get::<String, _>(0), row.try_get::<i64, _>(1)) else {
            continue;
        };
        if jiff::Timestamp::from_microsecond(at).is_ok() {
            sqlx::query("UPDATE design SET created_at = ? WHERE id = ?")
                .bind(at)
                .bind(id)
                .execute(&mut *target)
                .await?;
        }
    }
    let there: i64 = sqlx::query("SELECT count(*) FROM design")
        .fetch_one(&mut *target)
        .await?
        .try_get(0)?;
    let there = u64::try_from(there).unwrap_or(0);
    Ok((designs.known.len() as u64).saturating_sub(there))
}

async fn carry_operation(
    source: &mut SqliteConnection,
    target: &mut SqliteConnection,
    number: i64,
) -> sqlx::Result<Carried> {
    let read = sqlx::query(
        "SELECT id, kind, state, started_at, finished_at, request, size, outcome \
         FROM operation NOT INDEXED WHERE row = ?",
    )
    .bind(number)
    .fetch_optional(source)
    .await;
    let Ok(Some(row)) = read else {
        return Ok(Carried::Lost);
    };
    let parts = || {
        let text = |column: usize| row.try_get::<String, _>(column);
        let whole = |column: usize| row.try_get::<i64, _>(column);
        let packed: Vec<u8> = row.try_get(7)?;
        Ok::<_, sqlx::Error>((
            [text(0)?, text(1)?, text(2)?, text(5)?],
            [whole(3)?, whole(4)?, whole(6)?],
            packed,
        ))
    };
    let Ok(([id, kind, state, request], [started, finished, size], packed)) = parts() else {
        return Ok(Carried::Lost);
    };
    let sound = u64::try_from(size).is_ok_and(|size| body::unpack(&packed, size, None).is_ok())
        && super::operation::OperationState::parse(&state).is_some()
        && id.parse::<Uuid>().is_ok();
    if !sound {
        return Ok(Carried::Lost);
    }
    // The row number is kept: it is the order.
    let inserted = sqlx::query(
        "INSERT OR IGNORE INTO operation (row, id, kind, state, started_at, finished_at, \
         request, size, outcome) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(number)
    .bind(id)
    .bind(kind)
    .bind(state)
    .bind(started)
    .bind(finished)
    .bind(request)
    .bind(size)
    .bind(packed)
    .execute(target)
    .await?;
    Ok(if inserted.rows_affected() == 1 {
        Carried::Yes
    } else {
        Carried::Lost
    })
}
