//! What the program remembers, in one `SQLite` file that several processes use at once.
//!
//! A write is one transaction, synced before it is acknowledged; `SQLite`'s own locks order the
//! writers of all processes. One connection per handle, because a command opens the store, asks
//! once and leaves. Secrets are sealed before they reach the database. What cannot be read is
//! reported and left alone; only `recover` moves anything, and nothing here deletes a store.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use sqlx::sqlite::{SqliteConnectOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, Row, SqliteConnection};
use tokio::sync::{Mutex, MutexGuard};

mod body;
mod design;
mod error;
mod files;
mod maintenance;
mod migrations;
mod operation;
mod recover;
mod seal;
#[cfg(test)]
mod tests;

pub use design::{
    DesignList, DesignRecord, DesignSummary, ListDesigns, NewDesign, NewVersion, Outcome, Saved,
    Sort, VersionSummary,
};
pub use error::{Candidate, Error, Result};
pub use maintenance::{Backup, Check, Fix, check};
pub use operation::{KEPT as OPERATIONS_KEPT, OperationRecord, OperationState, OperationSummary};
pub use recover::{RecoverFrom, Recovered, Salvaged, recover};
pub use seal::SecretBytes;

use error::Failure;
use files::Lock;
use migrations::{APPLICATION_ID, MIGRATIONS, Migration};
use seal::Key;

/// Tells the time.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Where a store is and how it is used.
#[derive(Clone)]
pub struct Options {
    /// The database file.
    pub path: PathBuf,
    /// The key file, made when the first secret is stored.
    pub key_path: PathBuf,
    /// Tells the time that records are stamped with.
    pub clock: Clock,
    /// How long to wait for another process that writes.
    pub busy_timeout: Duration,
    /// The largest document to accept, in bytes of JSON.
    pub document_limit: u64,
    migrations: &'static [Migration],
}

impl Options {
    /// Returns the options for a store at `path` with its key at `key_path`.
    pub fn new(path: impl Into<PathBuf>, key_path: impl Into<PathBuf>, clock: Clock) -> Self {
        let path = path.into();
        Self {
            // Absolute: SQLite would read a relative "file:…" as a URI.
            path: std::path::absolute(&path).unwrap_or(path),
            key_path: key_path.into(),
            clock,
            busy_timeout: Duration::from_secs(10),
            document_limit: 64 * 1024 * 1024,
            migrations: MIGRATIONS,
        }
    }

    fn newest(&self) -> i64 {
        migrations::newest(self.migrations)
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("path", &self.path)
            .field("key_path", &self.key_path)
            .field("busy_timeout", &self.busy_timeout)
            .field("document_limit", &self.document_limit)
            .finish_non_exhaustive()
    }
}

/// An open store.
///
/// Its functions may be called from several tasks; they take turns. Dropping a call before it is
/// done undoes it, unless it was already committed.
#[derive(Debug)]
pub struct Store {
    options: Options,
    intent: Intent,
    connection: Mutex<Option<Opened>>,
    key: OnceLock<Key>,
    /// Given back by `close`.
    lock: std::sync::Mutex<Option<Lock>>,
}

/// What a handle was opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Intent {
    Write,
    Read,
}

/// A connection and what it is good for.
#[derive(Debug)]
struct Opened {
    connection: SqliteConnection,
    /// Why it cannot write, if it cannot.
    obstacle: Option<Obstacle>,
}

#[derive(Debug, Clone)]
enum Obstacle {
    /// The handle was opened for reading.
    Intent,
    Full,
    ReadOnly(String),
}

impl Obstacle {
    fn refuse(&self, path: &Path, attempting: &'static str) -> Error {
        let path = path.to_owned();
        let reason = match self {
            Self::Full => return Error::Full { path, attempting },
            Self::ReadOnly(reason) => reason.clone(),
            Self::Intent => "it was opened for reading only".to_owned(),
        };
        Error::ReadOnly {
            path,
            attempting,
            reason,
        }
    }
}

/// What the header of a database says.
#[derive(Debug, Clone, Copy)]
struct Header {
    application_id: i64,
    format: i64,
    has_log: bool,
}

impl Store {
    /// Opens the store, creates it if there is none, migrates it if it is older.
    ///
    /// Where the file system does not let us write, the store still opens for reading, and each
    /// write then says why it cannot.
    pub async fn open(options: Options) -> Result<Self> {
        Self::with(options, Intent::Write).await
    }

    /// Opens an existing store for reading: creates and migrates nothing.
    pub async fn open_read_only(options: Options) -> Result<Self> {
        Self::with(options, Intent::Read).await
    }

    async fn with(options: Options, intent: Intent) -> Result<Self> {
        let path = &options.path;
        let folder = files::folder(path);
        if intent == Intent::Write && !files::exists(folder) {
            files::create_private_folder(folder)?;
        }
        // Before looking at the file: a recovery may just be replacing it.
        let lock = Lock::shared(path, intent, options.busy_timeout).await?;
        match path.symlink_metadata() {
            Ok(_) => {}
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(Error::file(path, "open", error));
            }
            Err(_) if intent == Intent::Read => {
                return Err(Error::Missing { path: path.clone() });
            }
            Err(_) => migrations::create(&options).await?,
        }
        let opened = open(&options, intent).await?;
        Ok(Self {
            options,
            intent,
            connection: Mutex::new(Some(opened)),
            key: OnceLock::new(),
            lock: std::sync::Mutex::new(Some(lock)),
        })
    }

    /// Closes the store and merges its log. A handle that is merely dropped loses nothing, but the
    /// next process to open the store has to read the log again.
    pub async fn close(&self) -> Result<()> {
        let closed = match self.connection.lock().await.take() {
            Some(opened) => opened.connection.close().await.map_err(|source| {
                Error::database(
                    &self.options.path,
                    "close the store",
                    self.options.busy_timeout,
                    source,
                )
            }),
            None => Ok(()),
        };
        let mut lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        lock.take();
        closed
    }

    /// Returns the options that the store was opened with.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// Returns the current time in the precision that the store keeps.
    fn now(&self) -> Timestamp {
        let now = (self.options.clock)();
        Timestamp::from_microsecond(now.as_microsecond()).unwrap_or(now)
    }

    /// Returns a function that says what was attempted when the database failed.
    fn failed(&self, attempting: &'static str) -> impl Fn(sqlx::Error) -> Error {
        let Options {
            path, busy_timeout, ..
        } = &self.options;
        move |source| Error::database(path, attempting, *busy_timeout, source)
    }

    /// Takes the connection to read with.
    async fn read(&self) -> Result<Reading<'_>> {
        let mut guard = self.connection.lock().await;
        if guard.is_none() {
            *guard = Some(open(&self.options, self.intent).await?);
        }
        Ok(Reading(guard))
    }

    /// Starts a write transaction: from here on no other process writes.
    async fn write(&self, attempting: &'static str) -> Result<Writing<'_>> {
        let mut guard = self.connection.lock().await;
        // The obstacle may be gone by now.
        if matches!(
            &*guard,
            Some(Opened {
                obstacle: Some(Obstacle::Full | Obstacle::ReadOnly(_)),
                ..
            })
        ) {
            *guard = None;
        }
        if guard.is_none() {
            *guard = Some(open(&self.options, self.intent).await?);
        }
        let obstacle = guard.as_ref().and_then(|opened| opened.obstacle.as_ref());
        if let Some(obstacle) = obstacle {
            return Err(obstacle.refuse(&self.options.path, attempting));
        }
        let mut writing = Writing {
            store: self,
            guard,
            attempting,
            open: true,
        };
        writing.run("BEGIN IMMEDIATE").await?;
        Ok(writing)
    }
}

/// The connection, for reading.
struct Reading<'a>(MutexGuard<'a, Option<Opened>>);

impl Reading<'_> {
    fn connection(&mut self) -> &mut SqliteConnection {
        connection(&mut self.0)
    }
}

/// A write transaction.
///
/// Dropped before its end (an error, a cancelled call) it gives up the connection: closing it
/// undoes the transaction whatever state it is in, and the next call opens another.
struct Writing<'a> {
    store: &'a Store,
    guard: MutexGuard<'a, Option<Opened>>,
    attempting: &'static str,
    open: bool,
}

impl Writing<'_> {
    fn connection(&mut self) -> &mut SqliteConnection {
        connection(&mut self.guard)
    }

    /// Makes what was written last.
    async fn commit(mut self) -> Result<()> {
        self.run("COMMIT").await?;
        self.open = false;
        Ok(())
    }

    /// Ends a transaction that wrote nothing.
    async fn abandon(mut self) -> Result<()> {
        self.run("ROLLBACK").await?;
        self.open = false;
        Ok(())
    }

    async fn run(&mut self, statement: &'static str) -> Result<()> {
        let store = self.store;
        let failed = store.failed(self.attempting);
        sqlx::query(statement)
            .execute(self.connection())
            .await
            .map_err(failed)?;
        Ok(())
    }
}

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        if self.open {
            *self.guard = None;
        }
    }
}

fn connection(slot: &mut Option<Opened>) -> &mut SqliteConnection {
    let opened = slot
        .as_mut()
        .expect("read() and write() put a connection there");
    &mut opened.connection
}

/// Opens the file in the best way that the file system allows.
async fn open(options: &Options, intent: Intent) -> Result<Opened> {
    let path = &options.path;
    if files::size(path) == 0 {
        // A store gets its name only once it is complete.
        return Err(Error::Damaged {
            path: path.clone(),
            detail: "the file is empty".to_owned(),
        });
    }
    let base = match intent {
        Intent::Write => settings(options, path),
        // Not SQLITE_OPEN_READONLY: that would leave the files of the log behind.
        Intent::Read => settings(options, path).pragma("query_only", "ON"),
    };
    match attach(&base).await {
        Ok((connection, header)) => return settle(options, intent, connection, header).await,
        Err(source) if !hinders_writing(&source) => return Err(opening(options, source)),
        Err(_) => {}
    }
    let obstacle = match intent {
        Intent::Read => Obstacle::Intent,
        Intent::Write if files::is_full(path) => Obstacle::Full,
        Intent::Write => Obstacle::ReadOnly(files::why_read_only(path)),
    };
    let read_only = base.read_only(true);
    let attached = match attach(&read_only).await {
        // Where not even the index of the log can be made, the file alone can be read if there is
        // nothing in the log.
        Err(source) if hinders_writing(&source) => {
            if files::size(&files::with_suffix(path, "-wal")) > 0 {
                return Err(obstacle.refuse(path, "read the log beside the store"));
            }
            attach(&read_only.immutable(true)).await
        }
        attached => attached,
    };
    let (connection, header) = attached.map_err(|source| opening(options, source))?;
    check_format(options, Intent::Read, header)?;
    Ok(Opened {
        connection,
        obstacle: Some(obstacle),
    })
}

/// Accepts, refuses or migrates what was opened.
async fn settle(
    options: &Options,
    intent: Intent,
    mut connection: SqliteConnection,
    header: Header,
) -> Result<Opened> {
    if let Err(refused) = check_format(options, intent, header) {
        close_untouched(options, connection).await;
        return Err(refused);
    }
    if intent == Intent::Read {
        return Ok(Opened {
            connection,
            obstacle: Some(Obstacle::Intent),
        });
    }
    if !header.has_log {
        migrations::use_log(options, &mut connection).await?;
    }
    if header.format < options.newest() {
        migrations::migrate(options, &mut connection).await?;
    }
    Ok(Opened {
        connection,
        obstacle: None,
    })
}

fn check_format(options: &Options, intent: Intent, header: Header) -> Result<()> {
    check_header(options, header)?;
    let (found, known) = (header.format, options.newest());
    if intent == Intent::Read && found < known {
        return Err(Error::Older {
            path: options.path.clone(),
            found,
            known,
        });
    }
    Ok(())
}

fn check_header(options: &Options, header: Header) -> Result<()> {
    let path = || options.path.clone();
    let (found, known) = (header.format, options.newest());
    if header.application_id != APPLICATION_ID {
        return Err(Error::Foreign {
            path: path(),
            application_id: header.application_id,
        });
    }
    if found > known {
        return Err(Error::Newer {
            path: path(),
            found,
            known,
        });
    }
    Ok(())
}

/// Closes a connection without merging the log into the file, which the last one to close does
/// otherwise: one that may only read is made to outlive it.
async fn close_untouched(options: &Options, connection: SqliteConnection) {
    let last = if files::size(&files::with_suffix(&options.path, "-wal")) > 0 {
        let read_only = settings(options, &options.path).read_only(true);
        attach(&read_only).await.ok()
    } else {
        None
    };
    // Nothing was written: an error while closing says nothing that matters.
    let _ = connection.close().await;
    if let Some((last, _)) = last {
        let _ = last.close().await;
    }
}

fn opening(options: &Options, source: sqlx::Error) -> Error {
    Error::database(
        &options.path,
        "open the store",
        options.busy_timeout,
        source,
    )
}

/// Tells whether an attempt to open for writing may have failed only because of the writing.
fn hinders_writing(error: &sqlx::Error) -> bool {
    matches!(
        Failure::of(error),
        Failure::ReadOnly | Failure::Full | Failure::Access
    )
}

/// Connects and reads the header, which proves that the file can be used.
async fn attach(settings: &SqliteConnectOptions) -> sqlx::Result<(SqliteConnection, Header)> {
    let mut connection = settings.connect().await?;
    match header(&mut connection).await {
        Ok(header) => Ok((connection, header)),
        Err(error) => {
            // So that the file is let go before the caller looks at it again.
            let _ = connection.close().await;
            Err(error)
        }
    }
}

async fn header(connection: &mut SqliteConnection) -> sqlx::Result<Header> {
    let row = sqlx::query(
        "SELECT a.application_id, u.user_version, j.journal_mode \
         FROM pragma_application_id AS a, pragma_user_version AS u, pragma_journal_mode AS j",
    )
    .fetch_one(connection)
    .await?;
    let mode: String = row.try_get(2)?;
    Ok(Header {
        application_id: row.try_get(0)?,
        format: row.try_get(1)?,
        has_log: mode == "wal",
    })
}

/// Opens a connection to a file that is known to exist.
async fn connect(options: &Options, path: &Path) -> sqlx::Result<SqliteConnection> {
    settings(options, path).connect().await
}

fn settings(options: &Options, path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .foreign_keys(true)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(options.busy_timeout)
        // Sorting never spills to a file in a folder that others can look into.
        .pragma("temp_store", "MEMORY")
        // Rows come from a thread of their own; fewer hand-overs make long lists quicker.
        .row_buffer_size(512)
        .disable_statement_logging()
}
