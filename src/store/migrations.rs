//! The format of the store and how an older one becomes the current one.
//!
//! Migrations are numbered; the number is `SQLite`'s `user_version`. All that are missing run in
//! one transaction (with one each, another process could come between two of them), after the
//! store was copied beside itself: of several that arrive at once exactly one migrates, the others
//! wait and find it done. A new store is made complete under another name and then given its own,
//! so a half-made one is never seen.

use std::time::Duration;

use sqlx::{Connection, SqliteConnection};

use super::error::{Error, Result};
use super::{Header, Options, files, header, maintenance};

/// "WEFT": marks the file as ours in its header.
pub(super) const APPLICATION_ID: i64 = 0x5745_4654;

/// One step from the format before to `version`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Migration {
    pub(super) version: i64,
    pub(super) sql: &'static str,
}

/// All steps, in order.
pub(super) const MIGRATIONS: &[Migration] = &[Migration {
    version: 1,
    sql: include_str!("migrations/0001_initial.sql"),
}];

/// Returns the newest format of a list of migrations.
pub(super) fn newest(migrations: &[Migration]) -> i64 {
    migrations.last().map_or(0, |migration| migration.version)
}

/// Creates the store unless somebody else is quicker.
pub(super) async fn create(options: &Options) -> Result<()> {
    let path = &options.path;
    refuse_remains(options)?;
    files::create_private_folder(files::folder(path))?;
    let file = files::temporary_beside(path, "new")?;
    let log = files::with_suffix(file.path(), "-wal");
    let built = build(options, file.path()).await;
    // Closing merged the log; after a failure it may still be there.
    for leftover in [log, files::with_suffix(file.path(), "-shm")] {
        match std::fs::remove_file(&leftover) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(Error::file(&leftover, "remove", error));
            }
            _ => {}
        }
    }
    built?;
    // Taken meanwhile: the other one is as good as ours.
    files::publish(file, path, false)?;
    Ok(())
}

/// Brings an empty file to the current format.
pub(super) async fn build(options: &Options, path: &std::path::Path) -> Result<()> {
    let failed = |source| Error::database(path, "create the store", options.busy_timeout, source);
    let mut connection = super::connect(options, path).await.map_err(failed)?;
    sqlx::raw_sql("PRAGMA journal_mode = WAL")
        .execute(&mut connection)
        .await
        .map_err(failed)?;
    for migration in options.migrations {
        apply(&mut connection, migration).await.map_err(failed)?;
    }
    connection.close().await.map_err(failed)
}

/// A missing database with parts of one around it is not a fresh start.
pub(super) fn refuse_remains(options: &Options) -> Result<()> {
    let path = &options.path;
    let log = files::with_suffix(path, "-wal");
    let damaged = |detail: String| Error::Damaged {
        path: path.clone(),
        detail,
    };
    if files::size(&log) > 0 {
        return Err(damaged(format!(
            "the database file is missing, but its log {} is there",
            log.display()
        )));
    }
    match super::recover::unfinished(path) {
        Some(recovered) => Err(damaged(format!(
            "a recovery was interrupted before {} got its name",
            recovered.display()
        ))),
        None => Ok(()),
    }
}

/// Brings an existing, older store to the current format.
pub(super) async fn migrate(options: &Options, connection: &mut SqliteConnection) -> Result<()> {
    let path = &options.path;
    let failed = |source| Error::database(path, "migrate the store", options.busy_timeout, source);
    let run = async |connection: &mut SqliteConnection, statement: &'static str| {
        sqlx::raw_sql(statement)
            .execute(connection)
            .await
            .map_err(failed)
    };
    // Holding the right to write, nobody else can be migrating.
    run(connection, "BEGIN IMMEDIATE").await?;
    let Header { format, .. } = header(connection).await.map_err(failed)?;
    let mut missing = options.migrations.iter().filter(|m| m.version > format);
    let Some(first) = missing.next() else {
        run(connection, "ROLLBACK").await?;
        return Ok(());
    };
    backup(options, format).await?;
    for migration in std::iter::once(first).chain(missing) {
        step(connection, migration).await.map_err(failed)?;
    }
    run(connection, "COMMIT").await?;
    Ok(())
}

/// Copies the store beside itself. Another connection does it, as `VACUUM INTO` cannot run within
/// the transaction that keeps other writers out.
async fn backup(options: &Options, format: i64) -> Result<()> {
    let stamp = files::stamp((options.clock)());
    let target = files::free_name(&files::with_suffix(
        &options.path,
        &format!(".backup-{format}-{stamp}"),
    ));
    let failed = |source| {
        Error::database(
            &options.path,
            "open the store for a backup",
            options.busy_timeout,
            source,
        )
    };
    let mut reader = super::connect(options, &options.path)
        .await
        .map_err(failed)?;
    maintenance::vacuum_into(options, &mut reader, &target, false).await?;
    reader.close().await.map_err(failed)
}

async fn apply(connection: &mut SqliteConnection, migration: &Migration) -> sqlx::Result<()> {
    sqlx::raw_sql("BEGIN IMMEDIATE")
        .execute(&mut *connection)
        .await?;
    step(connection, migration).await?;
    sqlx::raw_sql("COMMIT").execute(connection).await?;
    Ok(())
}

async fn step(connection: &mut SqliteConnection, migration: &Migration) -> sqlx::Result<()> {
    sqlx::raw_sql(migration.sql)
        .execute(&mut *connection)
        .await?;
    let number = format!(
        "PRAGMA user_version = {}; PRAGMA application_id = {APPLICATION_ID}",
        migration.version
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(number))
        .execute(connection)
        .await?;
    Ok(())
}

/// Puts the database into write-ahead mode, which a restored copy may have lost. `SQLite` does not
/// wait by itself for the lock that this needs.
pub(super) async fn use_log(options: &Options, connection: &mut SqliteConnection) -> Result<()> {
    let started = std::time::Instant::now();
    loop {
        let error = match sqlx::raw_sql("PRAGMA journal_mode = WAL")
            .execute(&mut *connection)
            .await
        {
            Ok(_) => return Ok(()),
            Err(error) => Error::database(
                &options.path,
                "turn on the write-ahead log",
                options.busy_timeout,
                error,
            ),
        };
        if !matches!(error, Error::Busy { .. }) || started.elapsed() > options.busy_timeout {
            return Err(error);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
