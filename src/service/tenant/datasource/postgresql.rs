//! PostgreSQL.
//!
//! Only the simple protocol is spoken, and all settings of a read live in its transaction, so that a
//! pooler such as PgBouncer may stand in between in any of its modes.

use std::{fmt::Write as _, io, time::Duration};

use jiff::Timestamp;
use sqlx::{
    ConnectOptions, PgConnection, Row as _, ValueRef as _,
    error::DatabaseError,
    postgres::{PgConnectOptions, PgRow, PgSslMode},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use weft_domain::tenant::hub::{Engine, Server, Table, TlsMode, quoted};

use super::{
    Column, Credentials, LARGEST, Problem, changed_since,
    connection::{Failure, Meaning, Session},
};
use crate::api::tenant::Verified;

/// Tells the version.
pub(super) const VERSION: &str = "SHOW server_version";

/// Tells the protocol of TLS.
pub(super) const TLS: &str =
    "SELECT version FROM pg_catalog.pg_stat_ssl WHERE pid = pg_catalog.pg_backend_pid()";

/// How a server is reached.
pub(super) struct Options {
    base: PgConnectOptions,
    server: Server,
    has_root: bool,
    has_password: bool,
}

/// One way to connect: without TLS, or with it and what is verified then.
type Attempt = Option<Verified>;

impl Options {
    pub(super) fn new(server: &Server, credentials: &Credentials) -> Self {
        let password = credentials.password.as_ref();
        let mut base = PgConnectOptions::new_without_pgpass()
            .host(&server.host)
            .port(server.port)
            .username(&server.username)
            // Said even when it is empty: libpq's variable would count else.
            .password(password.map_or("", |password| password.expose()))
            .database(&server.database)
            .application_name("weftctl")
            // Poolers refuse it at the start of a session.
            .extra_float_digits(None)
            .statement_cache_capacity(0)
            .disable_statement_logging();
        if let Some(root) = &credentials.root {
            base = base.ssl_root_cert_from_pem(root.expose().as_bytes().to_vec());
        }
        if let (Some(certificate), Some(key)) = (&credentials.certificate, &credentials.key) {
            base = base
                .ssl_client_cert_from_pem(certificate.expose())
                .ssl_client_key_from_pem(key.expose());
        }
        Self {
            base,
            has_root: credentials.root.is_some(),
            has_password: password.is_some_and(|password| !password.expose().is_empty()),
            server: server.clone(),
        }
    }

    /// The ways to connect, in their order, as libpq has them: with an authority at hand, TLS is always
    /// verified by it.
    fn attempts(&self) -> Vec<Attempt> {
        if self.is_socket() {
            return vec![None];
        }
        let weakest = Some(if self.has_root {
            Verified::Authority
        } else {
            Verified::Nothing
        });
        match self.server.tls.mode {
            TlsMode::Disable => vec![None],
            TlsMode::Allow => vec![None, weakest],
            TlsMode::Prefer => vec![weakest, None],
            TlsMode::Require => vec![weakest],
            TlsMode::VerifyCa => vec![Some(Verified::Authority)],
            TlsMode::VerifyFull => vec![Some(Verified::Host)],
        }
    }

    fn is_socket(&self) -> bool {
        self.server.host.starts_with('/')
    }

    /// Connects in the first way that works. The failure of the last one counts.
    pub(super) async fn connect(&self) -> Result<Session, Failure> {
        let mut last = None;
        for attempt in self.attempts() {
            match self.attempt(attempt).await {
                Ok(connection) => return Ok(Session::PostgreSql(connection, attempt)),
                Err(failure) if may_try_another(&failure) => last = Some(failure),
                Err(failure) => return Err(failure),
            }
        }
        Err(last.unwrap_or_else(|| {
            Failure::Problem(Problem::Unusable {
                cause: "no way to connect".to_owned(),
            })
        }))
    }

    async fn attempt(&self, attempt: Attempt) -> Result<PgConnection, Failure> {
        if attempt.is_none() && self.has_password && !self.is_socket() {
            let wanted = self.asked_authentication().await;
            if wanted.map_err(sqlx::Error::Io)? == Some(CLEARTEXT) {
                return Err(Failure::Problem(Problem::Cleartext));
            }
        }
        let mode = match attempt {
            None => PgSslMode::Disable,
            Some(Verified::Nothing) => PgSslMode::Require,
            Some(Verified::Authority) => PgSslMode::VerifyCa,
            Some(Verified::Host) => PgSslMode::VerifyFull,
        };
        Ok(self.base.clone().ssl_mode(mode).connect().await?)
    }

    /// Asks how the server would have the user proved, without proving anything: sqlx would give the
    /// password away in clear text.
    async fn asked_authentication(&self) -> io::Result<Option<u32>> {
        let server = &self.server;
        let mut stream = TcpStream::connect((server.host.as_str(), server.port)).await?;
        let mut body = 196_608_u32.to_be_bytes().to_vec();
        for text in ["user", &server.username, "database", &server.database, ""] {
            body.extend_from_slice(text.as_bytes());
            body.push(0);
        }
        let length = u32::try_from(body.len() + 4).map_err(io::Error::other)?;
        stream.write_all(&length.to_be_bytes()).await?;
        stream.write_all(&body).await?;
        let mut head = [0; 9];
        match stream.read_exact(&mut head).await {
            Ok(_) if head[0] == b'R' => Ok(Some(u32::from_be_bytes([
                head[5], head[6], head[7], head[8],
            ]))),
            // What it says against us, it will say again.
            Ok(_) => Ok(None),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// The kind of authentication that wants the password as it is.
const CLEARTEXT: u32 = 3;

/// Whether libpq would try the other way, too: the server refused this one, or its TLS failed.
fn may_try_another(failure: &Failure) -> bool {
    match failure {
        Failure::Problem(problem) => matches!(problem, Problem::Cleartext),
        Failure::Sqlx(sqlx::Error::Io(error)) => matches!(
            error.kind(),
            io::ErrorKind::InvalidData
                | io::ErrorKind::UnexpectedEof
                | io::ErrorKind::ConnectionReset
        ),
        Failure::Sqlx(error) => matches!(error, sqlx::Error::Tls(_) | sqlx::Error::Database(_)),
    }
}

/// The bytes of a cell; none is NULL.
pub(super) fn cell(row: &PgRow, index: usize) -> Result<Option<&[u8]>, sqlx::Error> {
    let value = row.try_get_raw(index)?;
    if value.is_null() {
        return Ok(None);
    }
    value.as_bytes().map(Some).map_err(sqlx::Error::Decode)
}

pub(super) fn version(text: &str) -> String {
    let number = text.split(' ').next().unwrap_or_default();
    format!("PostgreSQL {number}")
}

pub(super) fn meaning(error: &(dyn DatabaseError + 'static)) -> Meaning {
    let code = error.code().unwrap_or_default();
    match code.as_ref() {
        "42501" => Meaning::Denied,
        "3D000" => Meaning::NoDatabase,
        "42P01" => Meaning::NoTable,
        "57014" => Meaning::Late,
        "53300" | "57P01" | "57P02" | "57P03" | "57P05" => Meaning::Away,
        code if code.starts_with("28") => Meaning::Denied,
        code if code.starts_with("08") => Meaning::Away,
        _ => Meaning::Other,
    }
}

/// Begins a snapshot in which every setting that shapes a text is known, and tells the time.
pub(super) fn begin(query_timeout: Duration) -> Vec<String> {
    let limit = query_timeout.as_millis().clamp(1, 2_147_483_647);
    let mut text = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY".to_owned();
    let limit = limit.to_string();
    let settings = [
        ("statement_timeout", limit.as_str()),
        ("timezone", "UTC"),
        ("datestyle", "ISO, MDY"),
        ("intervalstyle", "postgres"),
        ("bytea_output", "hex"),
        ("extra_float_digits", "1"),
    ];
    for (name, value) in settings {
        let _ = write!(text, "; SET LOCAL {name} = '{value}'");
    }
    vec![
        text,
        "SELECT pg_catalog.to_char(pg_catalog.timezone('UTC', pg_catalog.now()), \
         'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"
            .to_owned(),
    ]
}

/// A text as a literal, whatever the server thinks of backslashes.
fn literal(text: &str) -> String {
    format!("E'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

pub(super) fn columns(table: &Table) -> String {
    let name = literal(&table.quoted(Engine::PostgreSql));
    format!(
        "SELECT a.attname::pg_catalog.text, pg_catalog.format_type(a.atttypid, a.atttypmod) FROM \
         pg_catalog.pg_attribute AS a WHERE a.attrelid = pg_catalog.to_regclass({name}) AND a.attnum > 0 AND \
         NOT a.attisdropped ORDER BY a.attnum"
    )
}

pub(super) fn select(
    table: &Table,
    columns: &[Column],
    since: Option<(&str, Timestamp)>,
) -> String {
    let mut cells = String::new();
    let mut order = Vec::new();
    for (index, Column { name, .. }) in columns.iter().enumerate() {
        let name = quoted(name, Engine::PostgreSql);
        let gap = if index == 0 { "" } else { ", " };
        let limit = LARGEST + 1;
        let _ = write!(
            cells,
            "{gap}pg_catalog.left({name}::pg_catalog.text, {limit}) AS c{index}"
        );
        if index < 2 {
            order.push(format!("COALESCE(c{index}, '') COLLATE pg_catalog.\"C\""));
        }
    }
    format!(
        "SELECT * FROM (SELECT {cells} FROM {}{}) AS t ORDER BY {}",
        table.quoted(Engine::PostgreSql),
        changed_since(Engine::PostgreSql, since),
        order.join(", "),
    )
}
