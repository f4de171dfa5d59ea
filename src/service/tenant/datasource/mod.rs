//! Reads rows from MySQL, MariaDB, PostgreSQL and `SQLite`.
//!
//! **A value is the text that the server itself makes of it**: `::text` of PostgreSQL, so that booleans
//! are `true` and `false`; the text protocol of MySQL and MariaDB; `CAST(… AS TEXT)` of `SQLite`. NULL is
//! the empty text. Sessions are in UTC. Nothing is converted here.
//!
//! A read is one snapshot on one connection, without prepared statements. It gives its rows one by one,
//! ordered by the bytes of uid, then of activate, so that two reads of the same rows are the same. (Rows
//! that are alike in both are duplicates.) What is wrong with one cell (no UTF-8, too large) is wrong with
//! its row only; what cuts a read short is an error, and never a shorter result.
//!
//! What sqlx can't do, and what that means here:
//!
//! * SCRAM without channel binding (`SCRAM-SHA-256-PLUS`); TLS with `verify-full` protects as well.
//! * MySQL's `mysql_clear_password` is refused, with TLS, too.
//! * The variables `PGSSLCERT`, `PGSSLKEY` and `PGOPTIONS` of libpq count where a hub says nothing else.
//! * A cell is held whole before its size is known, so statements cut off what is too large.

mod connection;
mod error;
mod mysql;
mod pool;
mod postgresql;
mod sqlite;

use std::{ops::ControlFlow, path::Path, time::Duration};

use jiff::Timestamp;
use tokio::time::Instant;
use weft_domain::{
    near,
    tenant::hub::{Engine, Mappings, Source, quoted},
};

pub use error::{Error, Problem};

use crate::{api::tenant::TlsReport, secret::Secret};
use connection::{Cells, Connection};
use pool::Pool;

/// The largest cell, and the largest row.
pub const LARGEST: usize = 1 << 20;

/// What a database asks of whoever reads it.
#[derive(Debug, Clone, Default)]
pub struct Credentials {
    /// The password; none is an empty one.
    pub password: Option<Secret>,
    /// The certificates of the authority, PEM.
    pub root: Option<Secret>,
    /// Our certificate, PEM.
    pub certificate: Option<Secret>,
    /// Its key, PEM.
    pub key: Option<Secret>,
}

impl Credentials {
    fn all(&self) -> Vec<Secret> {
        let all = [&self.password, &self.root, &self.certificate, &self.key];
        all.into_iter().flatten().cloned().collect()
    }
}

/// A database with its table, whose connections are kept.
#[derive(Debug)]
pub struct Datasource {
    source: Source,
    pool: Pool,
}

/// What is known of a database before its rows are read.
#[derive(Debug, Clone)]
pub struct Probe {
    /// The server and its version, such as `PostgreSQL 15.9`.
    pub version: String,
    /// How the connection is protected; none is not at all.
    pub tls: Option<TlsReport>,
    /// The columns of the table, in its order.
    pub columns: Vec<Column>,
    /// The columns that a hub maps and the table doesn't have.
    pub missing: Vec<Missing>,
}

/// A column of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its type, as the database writes it.
    pub type_name: String,
}

/// A column that isn't there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// The name that the hub has for it.
    pub column: String,
    /// A column that is there and has nearly that name.
    pub near: Option<String>,
}

/// A row, as texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The values, in the order of [`Mappings::columns`]; that of a bad cell is empty.
    pub values: Vec<String>,
    /// What is wrong with it, if anything is.
    pub fault: Option<Fault>,
}

/// Why a row can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// A cell is no text.
    #[error("column {column:?} is not UTF-8")]
    Encoding {
        /// The column.
        column: String,
    },
    /// A cell is too large.
    #[error("column {column:?} is larger than {LARGEST} bytes")]
    Cell {
        /// The column.
        column: String,
    },
    /// All cells together are too large.
    #[error("the row is larger than {LARGEST} bytes")]
    Row,
}

impl Row {
    /// Returns the value of a column, by its place in [`Mappings::columns`].
    fn value(&self, columns: &[&str], column: &str) -> &str {
        let place = columns.iter().position(|found| *found == column);
        let value = place.and_then(|place| self.values.get(place));
        value.map_or("", String::as_str)
    }

    /// Returns the text that names the row.
    pub fn uid<'a>(&'a self, mappings: &Mappings) -> &'a str {
        self.value(&mappings.columns(), &mappings.uid)
    }

    /// Returns the text that says whether the row counts.
    pub fn activate<'a>(&'a self, mappings: &Mappings) -> &'a str {
        self.value(&mappings.columns(), &mappings.activate)
    }

    /// Lists the variables of the templates with their values.
    pub fn variables<'a>(&'a self, mappings: &'a Mappings) -> Vec<(&'a str, &'a str)> {
        let columns = mappings.columns();
        let variables = mappings.variables().into_iter();
        variables
            .map(|(variable, column)| (variable, self.value(&columns, column)))
            .collect()
    }
}

/// Uid and activate of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// The text that names the row.
    pub uid: String,
    /// The text that says whether it counts.
    pub activate: String,
    /// What is wrong with either.
    pub fault: Option<Fault>,
}

/// What is read since when.
#[derive(Debug, Clone, Copy)]
pub struct Since<'a> {
    /// The column that says when a row was last changed.
    pub column: &'a str,
    /// The time of the last read, as that told it.
    pub time: Timestamp,
    /// How much earlier a change still counts as new.
    pub overlap: Duration,
}

impl Datasource {
    /// Prepares to read; nothing is connected yet. The path of a `SQLite` file is taken from `folder`.
    pub fn open(source: &Source, credentials: &Credentials, folder: &Path) -> Self {
        Self {
            pool: Pool::new(connection::Target::new(source, credentials, folder)),
            source: source.clone(),
        }
    }

    /// Returns where the database is, as messages name it.
    pub fn address(&self) -> &str {
        self.pool.target().address()
    }

    /// Looks at the server and the table.
    ///
    /// # Errors
    /// When they can't be reached, or there is no such table. Missing columns are part of the answer.
    pub async fn probe(&self, mappings: &Mappings) -> Result<Probe, Error> {
        let mut connection = self.pool.get().await?;
        let deadline = self.deadline();
        let version = connection.version(deadline).await?;
        let tls = connection.tls(deadline).await?;
        let columns = connection.columns(self.source.table(), deadline).await?;
        self.pool.put(connection);
        let missing = missing(&columns, mappings.columns(), self.source.engine());
        Ok(Probe {
            version,
            tls,
            columns,
            missing,
        })
    }

    /// Reads the rows, and hands each on, until there are no more or nobody wants more. Returns the
    /// database's time at which they were so.
    ///
    /// # Errors
    /// When the rows can't be read to their end; what was handed on until then is not all.
    pub async fn rows(
        &self,
        mappings: &Mappings,
        mut on_row: impl FnMut(Row) -> ControlFlow<()> + Send,
    ) -> Result<Timestamp, Error> {
        let columns = mappings.columns();
        let mut connection = self.pool.get().await?;
        let deadline = self.deadline();
        let now = connection.begin(deadline).await?;
        let known = self.known(&mut connection, &columns, deadline).await?;
        let statement = connection.select(self.source.table(), &known, None);
        let flow = connection
            .read(statement, deadline, &mut |cells| {
                on_row(row(&columns, cells))
            })
            .await?;
        // What nobody wants is not waited for: the connection goes.
        if flow.is_continue() {
            connection.commit(deadline).await?;
            self.pool.put(connection);
        }
        Ok(now)
    }

    /// Reads uid and activate of all rows, and the rows that were changed since a time; those, too, of
    /// which it isn't known when they were. Returns the database's time at which that was so.
    ///
    /// # Errors
    /// As [`Datasource::rows`].
    pub async fn changed(
        &self,
        mappings: &Mappings,
        since: Since<'_>,
        mut on_pair: impl FnMut(Pair) + Send,
        mut on_row: impl FnMut(Row) + Send,
    ) -> Result<Timestamp, Error> {
        let columns = mappings.columns();
        let pair = [mappings.uid.as_str(), mappings.activate.as_str()];
        let mut connection = self.pool.get().await?;
        let deadline = self.deadline();
        let now = connection.begin(deadline).await?;
        let mut wanted = columns.clone();
        wanted.push(since.column);
        let known = self.known(&mut connection, &wanted, deadline).await?;
        let (rows, changed) = known.split_at(columns.len());
        let place = |name| columns.iter().position(|column| *column == name);
        let identity: Vec<Column> = pair
            .iter()
            .filter_map(|name| rows.get(place(*name)?).cloned())
            .collect();
        let from = since.time.checked_sub(since.overlap);
        let from = from.unwrap_or(Timestamp::UNIX_EPOCH);
        let since = changed.first().map(|column| (column.name.as_str(), from));
        let table = self.source.table();
        let pairs = connection.select(table, &identity, None);
        connection
            .read_all(pairs, deadline, &mut |cells| {
                let Row { values, fault } = row(&pair, cells);
                let mut values = values.into_iter();
                on_pair(Pair {
                    uid: values.next().unwrap_or_default(),
                    activate: values.next().unwrap_or_default(),
                    fault,
                });
            })
            .await?;
        let rows = connection.select(table, rows, since);
        connection
            .read_all(rows, deadline, &mut |cells| on_row(row(&columns, cells)))
            .await?;
        connection.commit(deadline).await?;
        self.pool.put(connection);
        Ok(now)
    }

    /// The columns with their types.
    async fn known(
        &self,
        connection: &mut Connection,
        columns: &[&str],
        deadline: Instant,
    ) -> Result<Vec<Column>, Error> {
        let there = connection.columns(self.source.table(), deadline).await?;
        let engine = self.source.engine();
        let missing = missing(&there, columns.to_vec(), engine);
        if !missing.is_empty() {
            return Err(connection.fail(Problem::Columns {
                table: self.source.table().to_string(),
                missing,
            }));
        }
        let found = columns.iter().filter_map(|name| find(&there, name, engine));
        Ok(found.cloned().collect())
    }

    fn deadline(&self) -> Instant {
        let limit = match &self.source {
            Source::MySql(server) | Source::PostgreSql(server) => server.query_timeout,
            Source::Sqlite(file) => file.query_timeout,
        };
        Instant::now() + limit
    }
}

/// The condition that a server's rows were changed since a time, or don't say when; none is all rows.
/// Without a zone: a column that has one takes the session's, which is UTC.
fn changed_since(engine: Engine, since: Option<(&str, Timestamp)>) -> String {
    let condition = since.map(|(name, time)| {
        let (name, time) = (quoted(name, engine), time.strftime("%Y-%m-%d %H:%M:%S%.6f"));
        format!(" WHERE {name} IS NULL OR {name} >= '{time}'")
    });
    condition.unwrap_or_default()
}

fn find<'a>(columns: &'a [Column], name: &str, engine: Engine) -> Option<&'a Column> {
    let exact = columns.iter().find(|column| column.name == name);
    exact.or_else(|| {
        let mut columns = columns.iter().filter(|_| engine.ignores_case());
        columns.find(|column| column.name.to_lowercase() == name.to_lowercase())
    })
}

fn missing(columns: &[Column], wanted: Vec<&str>, engine: Engine) -> Vec<Missing> {
    let absent = wanted
        .into_iter()
        .filter(|name| find(columns, name, engine).is_none());
    absent
        .map(|name| {
            let names = columns.iter().map(|column| column.name.as_str());
            Missing {
                column: name.to_owned(),
                near: near::nearest(name, names).map(str::to_owned),
            }
        })
        .collect()
}

/// The texts of a row, or what is wrong with it.
fn row(columns: &[&str], cells: &Cells<'_>) -> Row {
    let mut fault = None;
    let mut size = 0;
    let mut values: Vec<String> = Vec::with_capacity(columns.len());
    for (column, cell) in columns.iter().zip(cells) {
        let cell = cell.unwrap_or_default();
        size += cell.len();
        let column = || (*column).to_owned();
        let text = if cell.len() > LARGEST {
            Err(Fault::Cell { column: column() })
        } else if size > LARGEST {
            Err(Fault::Row)
        } else {
            std::str::from_utf8(cell).map_err(|_| Fault::Encoding { column: column() })
        };
        values.push(match text {
            Ok(text) => text.to_owned(),
            Err(found) => {
                fault.get_or_insert(found);
                String::new()
            }
        });
    }
    Row { values, fault }
}
