//! One connection, whatever database it is to: it is opened, reads, and is given back or dropped.

use std::{fmt, io, ops::ControlFlow, path::Path, sync::Arc, time::Duration};

use futures::TryStreamExt;
use jiff::Timestamp;
use sqlx::{
    AssertSqlSafe, Connection as _, MySqlConnection, PgConnection, Row as _, SqliteConnection,
    raw_sql,
};
use tokio::{
    sync::OwnedSemaphorePermit,
    time::{Instant, timeout_at},
};
use weft_domain::tenant::hub::{Pool as Limits, Source, Table};

use super::{Column, Credentials, Error, Problem, mysql, postgresql, sqlite};
use crate::{
    api::tenant::{TlsReport, Verified},
    secret::Secret,
};

/// The cells of a row; none is NULL.
pub(super) type Cells<'a> = [Option<&'a [u8]>];

/// Hands a row on, and says whether more are wanted.
pub(super) type OnRow<'a> = dyn FnMut(&Cells<'_>) -> ControlFlow<()> + Send + 'a;

/// How a database is reached. Cheap to clone, and shows no credentials.
#[derive(Clone)]
pub(super) struct Target(Arc<Inner>);

struct Inner {
    address: String,
    limits: Limits,
    connect_timeout: Duration,
    query_timeout: Duration,
    /// What must not show, though a server or a library may repeat it.
    secrets: Vec<Secret>,
    options: Options,
}

#[expect(
    clippy::large_enum_variant,
    reason = "there is one for a database, on the heap"
)]
enum Options {
    MySql(mysql::Options),
    PostgreSql(postgresql::Options),
    Sqlite(sqlite::Options),
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Target({})", self.0.address)
    }
}

/// A session with a server.
pub(super) enum Session {
    /// With MySQL or MariaDB.
    MySql(MySqlConnection),
    /// With PostgreSQL, and what of its certificate was verified; none is no TLS.
    PostgreSql(PgConnection, Option<Verified>),
    /// With a file.
    Sqlite(SqliteConnection),
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Session")
    }
}

impl Target {
    pub(super) fn new(source: &Source, credentials: &Credentials, folder: &Path) -> Self {
        let secrets = credentials.all();
        let inner = match source {
            Source::MySql(server) | Source::PostgreSql(server) => {
                let engine = source.engine();
                let host = if server.host.contains(':') {
                    format!("[{}]", server.host)
                } else {
                    server.host.clone()
                };
                let (user, port, database) = (&server.username, server.port, &server.database);
                let address = format!("{engine}://{user}@{host}:{port}/{database}");
                let options = match source {
                    Source::MySql(_) => Options::MySql(mysql::Options::new(server, credentials)),
                    _ => Options::PostgreSql(postgresql::Options::new(server, credentials)),
                };
                Inner {
                    address,
                    limits: server.pool,
                    connect_timeout: server.connect_timeout,
                    query_timeout: server.query_timeout,
                    secrets,
                    options,
                }
            }
            Source::Sqlite(file) => {
                let path = folder.join(&file.path);
                let address = format!("sqlite:{}", path.display());
                Inner {
                    options: Options::Sqlite(sqlite::Options::new(&path)),
                    address,
                    limits: Limits::default(),
                    connect_timeout: Duration::from_secs(5),
                    query_timeout: file.query_timeout,
                    secrets,
                }
            }
        };
        Self(Arc::new(inner))
    }

    pub(super) fn address(&self) -> &str {
        &self.0.address
    }

    pub(super) fn limits(&self) -> Limits {
        self.0.limits
    }

    pub(super) fn connect_timeout(&self) -> Duration {
        self.0.connect_timeout
    }

    pub(super) fn fail(&self, problem: Problem) -> Error {
        Error {
            address: self.0.address.clone(),
            problem,
        }
    }

    /// Opens a session, TLS and authentication included.
    pub(super) async fn connect(&self, deadline: Instant) -> Result<Session, Error> {
        let connecting = async {
            match &self.0.options {
                Options::MySql(options) => options.connect(self.0.query_timeout).await,
                Options::PostgreSql(options) => options.connect().await,
                Options::Sqlite(options) => options.connect().await,
            }
        };
        match timeout_at(deadline, connecting).await {
            Ok(Ok(session)) => Ok(session),
            Ok(Err(failure)) => Err(self.fail(match failure {
                Failure::Problem(problem) => problem,
                Failure::Sqlx(error) => self.problem(&error, Phase::Connecting),
            })),
            Err(_) => Err(self.fail(Problem::ConnectTimeout {
                after: self.0.connect_timeout,
            })),
        }
    }

    /// What an error of sqlx means.
    fn problem(&self, error: &sqlx::Error, phase: Phase) -> Problem {
        let cause = self.masked(&error_text(error));
        match error {
            sqlx::Error::Tls(_) => Problem::Untrusted { cause },
            // The TLS library's own errors come in this coat.
            sqlx::Error::Io(io) if io.kind() == io::ErrorKind::InvalidData => {
                Problem::Untrusted { cause }
            }
            sqlx::Error::Configuration(_) => Problem::Unusable { cause },
            sqlx::Error::Database(refusal) => {
                let meant = match &self.0.options {
                    Options::MySql(_) => mysql::meaning(refusal.as_ref()),
                    Options::PostgreSql(_) => postgresql::meaning(refusal.as_ref()),
                    Options::Sqlite(_) => sqlite::meaning(refusal.as_ref()),
                };
                match meant {
                    Meaning::Denied => Problem::Denied { cause },
                    Meaning::NoDatabase => Problem::Database { cause },
                    Meaning::NoTable => Problem::Table { table: cause },
                    Meaning::Late => Problem::QueryTimeout {
                        after: self.0.query_timeout,
                    },
                    Meaning::Away if phase == Phase::Reading => Problem::BrokenOff { cause },
                    Meaning::Away => Problem::Unreachable { cause },
                    Meaning::Other => Problem::Refused { cause },
                }
            }
            _ if phase == Phase::Reading => Problem::BrokenOff { cause },
            _ => Problem::Unreachable { cause },
        }
    }

    /// A text of the server, which may repeat what it was sent.
    fn masked(&self, text: &str) -> String {
        let secrets = self.0.secrets.iter().map(Secret::expose);
        let secrets = secrets.filter(|secret| !secret.is_empty());
        secrets.fold(text.to_owned(), |text, secret| text.replace(secret, "••••"))
    }
}

/// The innermost words of an error: sqlx puts its own around them.
fn error_text(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Io(error) => error.to_string(),
        sqlx::Error::Tls(error) | sqlx::Error::Configuration(error) => error.to_string(),
        sqlx::Error::Database(error) => error.message().to_owned(),
        other => other.to_string(),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Connecting,
    Reading,
}

/// What a server's error means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// The user may not.
    Denied,
    /// There is no such database.
    NoDatabase,
    /// There is no such table or view.
    NoTable,
    /// It took too long.
    Late,
    /// The server goes, or has no room.
    Away,
    /// Something else.
    Other,
}

/// Why there is no session.
pub(super) enum Failure {
    /// Something that is known already.
    Problem(Problem),
    /// Something that sqlx says.
    Sqlx(sqlx::Error),
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        Self::Sqlx(error)
    }
}

/// An open connection, which counts as one until it is dropped.
#[derive(Debug)]
pub(super) struct Connection {
    session: Session,
    target: Target,
    since: Instant,
    permit: OwnedSemaphorePermit,
}

/// Why rows stopped coming.
enum Stopped {
    Late,
    Failed(sqlx::Error),
}

impl From<sqlx::Error> for Stopped {
    fn from(error: sqlx::Error) -> Self {
        Self::Failed(error)
    }
}

/// Reads the rows of a statement over the protocol without prepared statements. A server that always
/// has something to say is late all the same.
macro_rules! stream {
    ($connection:expr, $cell:path, $statement:expr, $deadline:expr, $on_row:expr) => {{
        let mut rows = raw_sql(AssertSqlSafe($statement)).fetch($connection);
        loop {
            let Ok(next) = timeout_at($deadline, rows.try_next()).await else {
                break Err(Stopped::Late);
            };
            let row = match next {
                Err(error) => break Err(Stopped::Failed(error)),
                Ok(None) => break Ok(ControlFlow::Continue(())),
                Ok(Some(_)) if Instant::now() >= $deadline => break Err(Stopped::Late),
                Ok(Some(row)) => row,
            };
            let cells = (0..row.len()).map(|index| $cell(&row, index));
            let cells = match cells.collect::<Result<Vec<_>, sqlx::Error>>() {
                Ok(cells) => cells,
                Err(error) => break Err(Stopped::Failed(error)),
            };
            if $on_row(&cells).is_break() {
                break Ok(ControlFlow::Break(()));
            }
        }
    }};
}

impl Connection {
    pub(super) fn new(
        session: Session,
        target: Target,
        since: Instant,
        permit: OwnedSemaphorePermit,
    ) -> Self {
        Self {
            session,
            target,
            since,
            permit,
        }
    }

    pub(super) fn into_permit(self) -> OwnedSemaphorePermit {
        self.permit
    }

    pub(super) fn into_parts(self) -> (Session, Instant) {
        (self.session, self.since)
    }

    pub(super) fn fail(&self, problem: Problem) -> Error {
        self.target.fail(problem)
    }

    /// Whether the server still answers.
    pub(super) async fn is_alive(&mut self, deadline: Instant) -> bool {
        let ping = async {
            match &mut self.session {
                Session::MySql(connection) => connection.ping().await,
                Session::PostgreSql(connection, _) => connection.ping().await,
                Session::Sqlite(connection) => connection.ping().await,
            }
        };
        matches!(timeout_at(deadline, ping).await, Ok(Ok(())))
    }

    /// Reads the rows of a statement, and tells whether it was to their end.
    pub(super) async fn read(
        &mut self,
        statement: String,
        deadline: Instant,
        on_row: &mut OnRow<'_>,
    ) -> Result<ControlFlow<()>, Error> {
        let read = match &mut self.session {
            Session::MySql(connection) => {
                stream!(connection, mysql::cell, statement, deadline, on_row)
            }
            Session::PostgreSql(connection, _) => {
                stream!(connection, postgresql::cell, statement, deadline, on_row)
            }
            Session::Sqlite(connection) => match sqlite::until(connection, deadline).await {
                Ok(()) => stream!(connection, sqlite::cell, statement, deadline, on_row),
                Err(error) => Err(Stopped::Failed(error)),
            },
        };
        read.map_err(|stopped| {
            self.target.fail(match stopped {
                Stopped::Late => Problem::QueryTimeout {
                    after: self.target.0.query_timeout,
                },
                Stopped::Failed(error) => self.target.problem(&error, Phase::Reading),
            })
        })
    }

    /// Reads all rows of a statement.
    pub(super) async fn read_all(
        &mut self,
        statement: String,
        deadline: Instant,
        on_row: &mut (dyn FnMut(&Cells<'_>) + Send),
    ) -> Result<(), Error> {
        let mut on_row = |cells: &Cells<'_>| {
            on_row(cells);
            ControlFlow::Continue(())
        };
        self.read(statement, deadline, &mut on_row).await.map(drop)
    }

    /// The rows of a small result.
    async fn table(&mut self, statement: String, deadline: Instant) -> Result<Vec<Texts>, Error> {
        let mut rows = Vec::new();
        self.read_all(statement, deadline, &mut |cells| {
            let text = |cell: Option<&[u8]>| {
                String::from_utf8_lossy(cell.unwrap_or_default()).into_owned()
            };
            let mut cells = cells.iter().map(|cell| text(*cell));
            rows.push((
                cells.next().unwrap_or_default(),
                cells.next().unwrap_or_default(),
            ));
        })
        .await?;
        Ok(rows)
    }

    async fn text(&mut self, statement: String, deadline: Instant) -> Result<String, Error> {
        let mut rows = self.table(statement, deadline).await?;
        Ok(rows.pop().map(|(first, _)| first).unwrap_or_default())
    }

    /// The server and its version.
    pub(super) async fn version(&mut self, deadline: Instant) -> Result<String, Error> {
        let (statement, named): (_, fn(&str) -> String) = match &self.session {
            Session::MySql(_) => (mysql::VERSION, mysql::version),
            Session::PostgreSql(..) => (postgresql::VERSION, postgresql::version),
            Session::Sqlite(_) => (sqlite::VERSION, sqlite::version),
        };
        Ok(named(&self.text(statement.to_owned(), deadline).await?))
    }

    /// How the connection is protected.
    pub(super) async fn tls(&mut self, deadline: Instant) -> Result<Option<TlsReport>, Error> {
        let protocol = |text: String| (!text.is_empty()).then_some(text);
        match (&self.session, &self.target.0.options) {
            (Session::MySql(_), Options::MySql(options)) => {
                let verified = options.verified();
                let rows = self.table(mysql::TLS.to_owned(), deadline).await?;
                let used = rows.into_iter().next().and_then(|(_, used)| protocol(used));
                Ok(used.map(|used| TlsReport {
                    protocol: Some(used),
                    verified,
                }))
            }
            (Session::PostgreSql(_, Some(verified)), _) => {
                let verified = *verified;
                let used = self.text(postgresql::TLS.to_owned(), deadline).await?;
                Ok(Some(TlsReport {
                    // A pooler in between has another connection to tell of.
                    protocol: protocol(used),
                    verified,
                }))
            }
            _ => Ok(None),
        }
    }

    /// The columns of a table or view.
    pub(super) async fn columns(
        &mut self,
        table: &Table,
        deadline: Instant,
    ) -> Result<Vec<Column>, Error> {
        let statement = match &self.session {
            Session::MySql(_) => mysql::columns(table),
            Session::PostgreSql(..) => postgresql::columns(table),
            Session::Sqlite(_) => sqlite::columns(table),
        };
        let rows = match self.table(statement, deadline).await {
            Err(error) if matches!(error.problem, Problem::Table { .. }) => Vec::new(),
            rows => rows?,
        };
        if rows.is_empty() {
            return Err(self.fail(Problem::Table {
                table: table.to_string(),
            }));
        }
        let column = |(name, type_name)| Column { name, type_name };
        Ok(rows.into_iter().map(column).collect())
    }

    /// The statement that reads columns of a table: all rows, or those that were changed since.
    pub(super) fn select(
        &self,
        table: &Table,
        columns: &[Column],
        since: Option<(&str, Timestamp)>,
    ) -> String {
        match &self.session {
            Session::MySql(_) => mysql::select(table, columns, since),
            Session::PostgreSql(..) => postgresql::select(table, columns, since),
            Session::Sqlite(_) => sqlite::select(table, columns, since),
        }
    }

    /// Begins a snapshot, and tells the database's time.
    pub(super) async fn begin(&mut self, deadline: Instant) -> Result<Timestamp, Error> {
        let statements = match &self.session {
            Session::MySql(_) => mysql::BEGIN.map(str::to_owned).to_vec(),
            Session::PostgreSql(..) => postgresql::begin(self.target.0.query_timeout),
            Session::Sqlite(_) => sqlite::BEGIN.map(str::to_owned).to_vec(),
        };
        let mut now = String::new();
        for statement in statements {
            now = self.text(statement, deadline).await?;
        }
        now.parse().map_err(|_| {
            self.fail(Problem::Refused {
                cause: format!("{now:?} is no time"),
            })
        })
    }

    /// Ends a snapshot.
    pub(super) async fn commit(&mut self, deadline: Instant) -> Result<(), Error> {
        self.text("COMMIT".to_owned(), deadline).await.map(drop)
    }
}

type Texts = (String, String);
