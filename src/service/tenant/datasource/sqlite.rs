//! `SQLite`.

use std::{path::Path, time::Duration};

use jiff::Timestamp;
use sqlx::{
    ConnectOptions, Row as _, SqliteConnection,
    error::DatabaseError,
    sqlite::{SqliteConnectOptions, SqliteRow},
};
use tokio::time::Instant;
use weft_domain::tenant::hub::{Engine, Table, quoted};

use super::{
    Column, LARGEST,
    connection::{Failure, Meaning, Session},
};

/// Tells the version.
pub(super) const VERSION: &str = "SELECT sqlite_version()";

/// Begins a snapshot, and tells the time.
pub(super) const BEGIN: [&str; 2] = ["BEGIN", "SELECT strftime('%Y-%m-%dT%H:%M:%fZ', 'now')"];

/// How a file is opened: to be read, and never made.
pub(super) struct Options(SqliteConnectOptions);

impl Options {
    pub(super) fn new(path: &Path) -> Self {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .read_only(true)
            .create_if_missing(false)
            .busy_timeout(Duration::from_secs(5))
            .row_buffer_size(16)
            .disable_statement_logging();
        Self(options)
    }

    pub(super) async fn connect(&self) -> Result<Session, Failure> {
        Ok(Session::Sqlite(self.0.connect().await?))
    }
}

/// Ends what the connection does at a time: nothing else interrupts a statement that computes.
pub(super) async fn until(
    connection: &mut SqliteConnection,
    deadline: Instant,
) -> Result<(), sqlx::Error> {
    let mut handle = connection.lock_handle().await?;
    handle.set_progress_handler(10_000, move || Instant::now() < deadline);
    Ok(())
}

/// The bytes of a cell; none is NULL.
pub(super) fn cell(row: &SqliteRow, index: usize) -> Result<Option<&[u8]>, sqlx::Error> {
    row.try_get_unchecked(index)
}

pub(super) fn version(text: &str) -> String {
    format!("SQLite {text}")
}

pub(super) fn meaning(error: &(dyn DatabaseError + 'static)) -> Meaning {
    let code = error.code().and_then(|code| code.parse::<u32>().ok());
    // The low byte is the kind, the others say more.
    match code.map(|code| code & 0xff) {
        Some(3 | 23) => Meaning::Denied,
        Some(5 | 6 | 10) => Meaning::Away,
        Some(9) => Meaning::Late,
        Some(14 | 26) => Meaning::NoDatabase,
        _ => Meaning::Other,
    }
}

pub(super) fn columns(table: &Table) -> String {
    let literal = |text: &str| format!("'{}'", text.replace('\'', "''"));
    let name = literal(&table.name);
    let arguments = match &table.schema {
        Some(schema) => format!("{name}, {}", literal(schema)),
        None => name,
    };
    format!("SELECT name, type FROM pragma_table_xinfo({arguments}) WHERE hidden <> 1 ORDER BY cid")
}

pub(super) fn select(
    table: &Table,
    columns: &[Column],
    since: Option<(&str, Timestamp)>,
) -> String {
    // A name in double quotes that is no column would be a text; behind the table's name it is one.
    let column = |name: &str| format!("t.{}", quoted(name, Engine::Sqlite));
    let cells: Vec<String> = columns
        .iter()
        .map(|Column { name, .. }| {
            let name = column(name);
            // The length is that in the file, where a character may take twice the bytes.
            format!(
                "CASE WHEN length(CAST({name} AS BLOB)) > {} THEN zeroblob({}) ELSE CAST({name} AS TEXT) END",
                2 * LARGEST,
                LARGEST + 1,
            )
        })
        .collect();
    let order: Vec<String> = columns
        .iter()
        .take(2)
        .map(|Column { name, .. }| format!("CAST({} AS TEXT) COLLATE BINARY", column(name)))
        .collect();
    let condition = since.map(|(name, time)| {
        let (name, seconds) = (column(name), time.as_second());
        format!(
            " WHERE CASE typeof({name}) WHEN 'integer' THEN {name} >= {seconds} WHEN 'real' THEN {name} >= \
             julianday({seconds}, 'unixepoch') ELSE coalesce(julianday({name}) >= julianday({seconds}, \
             'unixepoch'), 1) END"
        )
    });
    format!(
        "SELECT {} FROM {} AS t{} ORDER BY {}",
        cells.join(", "),
        table.quoted(Engine::Sqlite),
        condition.unwrap_or_default(),
        order.join(", "),
    )
}
