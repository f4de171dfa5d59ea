//! MySQL and MariaDB.
//!
//! Values come over the text protocol, which needs no prepared statements. The session is in UTC and
//! utf8mb4, which sqlx sets when it connects; nothing else is set, the time limit of statements apart.

use std::time::Duration;

use jiff::Timestamp;
use sqlx::{
    AssertSqlSafe, ConnectOptions, Executor as _, Row as _,
    error::DatabaseError,
    mysql::{MySqlConnectOptions, MySqlDatabaseError, MySqlRow, MySqlSslMode},
};
use weft_domain::tenant::hub::{Engine, Server, Table, TlsMode, quoted};

use crate::{api::tenant::Verified, secret::Secret};

use super::{
    Column, Credentials, LARGEST, changed_since,
    connection::{Failure, Meaning, Session},
};

/// Tells the version.
pub(super) const VERSION: &str = "SELECT VERSION()";

/// Tells the protocol of TLS, empty without.
pub(super) const TLS: &str = "SHOW SESSION STATUS LIKE 'Ssl_version'";

/// Begins a snapshot, and tells the time.
pub(super) const BEGIN: [&str; 3] = [
    "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ",
    "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
    "SELECT DATE_FORMAT(UTC_TIMESTAMP(6), '%Y-%m-%dT%H:%i:%s.%fZ')",
];

/// How a server is reached.
pub(super) struct Options {
    options: MySqlConnectOptions,
    mode: TlsMode,
}

impl Options {
    pub(super) fn new(server: &Server, credentials: &Credentials) -> Self {
        let is_socket = server.host.starts_with('/');
        // A socket of this machine has no TLS, whatever is preferred.
        let mode = match server.tls.mode {
            TlsMode::Allow | TlsMode::Prefer if is_socket => TlsMode::Disable,
            mode => mode,
        };
        let mut options = MySqlConnectOptions::new()
            .host(&server.host)
            .port(server.port)
            .username(&server.username)
            .database(&server.database)
            .ssl_mode(match mode {
                TlsMode::Disable => MySqlSslMode::Disabled,
                TlsMode::Allow | TlsMode::Prefer => MySqlSslMode::Preferred,
                TlsMode::Require => MySqlSslMode::Required,
                TlsMode::VerifyCa => MySqlSslMode::VerifyCa,
                TlsMode::VerifyFull => MySqlSslMode::VerifyIdentity,
            })
            .pipes_as_concat(false)
            .no_engine_substitution(false)
            .statement_cache_capacity(0)
            .disable_statement_logging();
        if is_socket {
            options = options.socket(&server.host);
        }
        // sqlx would prove an empty password, which servers take for a wrong one.
        let password = credentials.password.as_ref().map(Secret::expose);
        if let Some(password) = password.filter(|password| !password.is_empty()) {
            options = options.password(password);
        }
        if let Some(root) = &credentials.root {
            options = options.ssl_ca_from_pem(root.expose().as_bytes().to_vec());
        }
        if let (Some(certificate), Some(key)) = (&credentials.certificate, &credentials.key) {
            options = options
                .ssl_client_cert_from_pem(certificate.expose())
                .ssl_client_key_from_pem(key.expose());
        }
        Self { options, mode }
    }

    /// What is verified of a server's certificate, where there is TLS.
    pub(super) fn verified(&self) -> Verified {
        match self.mode {
            TlsMode::VerifyCa => Verified::Authority,
            TlsMode::VerifyFull => Verified::Host,
            _ => Verified::Nothing,
        }
    }

    pub(super) async fn connect(&self, query_timeout: Duration) -> Result<Session, Failure> {
        let mut connection = self.options.connect().await?;
        // The server ends what nobody waits for any more; each of the two knows one of these.
        let (seconds, millis) = (query_timeout.as_secs_f64(), query_timeout.as_millis());
        for setting in [
            format!("SET SESSION max_statement_time = {seconds}"),
            format!("SET SESSION max_execution_time = {millis}"),
        ] {
            match connection
                .execute(sqlx::raw_sql(AssertSqlSafe(setting)))
                .await
            {
                Ok(_) => break,
                Err(sqlx::Error::Database(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(Session::MySql(connection))
    }
}

/// The bytes of a cell; none is NULL.
pub(super) fn cell(row: &MySqlRow, index: usize) -> Result<Option<&[u8]>, sqlx::Error> {
    row.try_get_unchecked(index)
}

pub(super) fn version(text: &str) -> String {
    let number = text.split('-').next().unwrap_or_default();
    let name = if text.contains("MariaDB") {
        "MariaDB"
    } else {
        "MySQL"
    };
    format!("{name} {number}")
}

pub(super) fn meaning(error: &(dyn DatabaseError + 'static)) -> Meaning {
    let number = error
        .try_downcast_ref::<MySqlDatabaseError>()
        .map_or(0, MySqlDatabaseError::number);
    match number {
        1044 | 1045 | 1130 | 1142 | 1143 | 1227 | 1251 | 1698 | 2061 | 3118 | 3955 => {
            Meaning::Denied
        }
        1049 => Meaning::NoDatabase,
        1146 => Meaning::NoTable,
        1969 | 3024 => Meaning::Late,
        1040 | 1053 | 1129 | 1203 | 1226 | 1317 | 1927 => Meaning::Away,
        _ => Meaning::Other,
    }
}

pub(super) fn columns(table: &Table) -> String {
    format!("SHOW COLUMNS FROM {}", table.quoted(Engine::MySql))
}

/// The types whose values may be over the limit. All others are shorter than that.
const LONG: [&str; 5] = ["mediumtext", "longtext", "mediumblob", "longblob", "json"];

pub(super) fn select(
    table: &Table,
    columns: &[Column],
    since: Option<(&str, Timestamp)>,
) -> String {
    let cells: Vec<String> = columns
        .iter()
        .map(|Column { name, type_name }| {
            let name = quoted(name, Engine::MySql);
            if LONG.iter().any(|long| type_name.starts_with(long)) {
                format!("LEFT({name}, {})", LARGEST + 1)
            } else {
                name
            }
        })
        .collect();
    // NULL comes first, and the empty text next.
    let order: Vec<String> = columns
        .iter()
        .take(2)
        .map(|column| format!("CAST({} AS BINARY)", quoted(&column.name, Engine::MySql)))
        .collect();
    format!(
        "SELECT {} FROM {}{} ORDER BY {}",
        cells.join(", "),
        table.quoted(Engine::MySql),
        changed_since(Engine::MySql, since),
        order.join(", "),
    )
}
