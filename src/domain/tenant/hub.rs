//! A hub: where the rows are, how the database is reached, and what the columns mean.
//!
//! It is read from one manifest: a `LynqHub` or, under its old name, a `TenantRegistry`; or a `TenantSet`,
//! our own, which says the same and has its forms in it. What is wrong with it comes back as findings,
//! each with its field; a hub with an error is not used.
//!
//! Beside the operator's own fields it may say `postgresql` and `sqlite` for the type of its source,
//! how TLS is done (`sslMode`, `sslRootCertRef`, `sslCertRef`, `sslKeyRef`), how many connections are
//! kept, how long things may take, and which column says when a row was last changed.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde_json::Value;

use super::fields::{self, Fields, Found, Head};
use super::operator::OPERATORS;

use crate::check::{Finding, Rule};
use crate::resource::Origin;

/// What [`Hub::is_hub`] knows: group and version, kind.
const KINDS: [(&str, &str); 3] = [
    (OPERATORS[0].api_version, OPERATORS[0].hub),
    (OPERATORS[1].api_version, OPERATORS[1].hub),
    TENANT_SET,
];

/// A hub with its forms in one manifest.
pub(super) const TENANT_SET: (&str, &str) = ("weftctl.dev/v1", "TenantSet");

/// The field of a `TenantSet` with the forms, by name.
pub(super) const FORMS: &str = "forms";

/// Where rows come from, and what their columns mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hub {
    /// Its name.
    pub name: String,
    /// Its namespace, in which its Secrets are, too; none where the manifest names none.
    pub namespace: Option<String>,
    /// How often the rows are read.
    pub sync_interval: Duration,
    /// How often all rows are compared, when only changed ones are read in between.
    pub full_interval: Option<Duration>,
    /// The database.
    pub source: Source,
    /// What the columns mean.
    pub mappings: Mappings,
    /// The column that says when a row was last changed.
    pub updated_at: Option<UpdatedAt>,
    /// What findings call it, such as `LynqHub/crm`.
    pub subject: String,
    /// Where it was read.
    pub origin: Origin,
}

/// A column that says when a row was last changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpdatedAt {
    /// The column.
    pub column: String,
    /// How much earlier than the last read a change still counts as new: for clocks that differ, and for
    /// transactions that were open.
    pub overlap: Duration,
}

/// A database with the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// MySQL or MariaDB.
    MySql(Server),
    /// PostgreSQL.
    PostgreSql(Server),
    /// A file of `SQLite`.
    Sqlite(File),
}

impl Source {
    /// Returns the type, as a hub names it.
    pub const fn engine(&self) -> Engine {
        match self {
            Self::MySql(_) => Engine::MySql,
            Self::PostgreSql(_) => Engine::PostgreSql,
            Self::Sqlite(_) => Engine::Sqlite,
        }
    }

    /// Returns the table or view.
    pub const fn table(&self) -> &Table {
        match self {
            Self::MySql(server) | Self::PostgreSql(server) => &server.table,
            Self::Sqlite(file) => &file.table,
        }
    }

    /// Lists the credentials that are needed to reach it.
    pub fn credentials(&self) -> Vec<&Reference> {
        match self {
            Self::MySql(server) | Self::PostgreSql(server) => {
                let tls = &server.tls;
                let all = [&server.password, &tls.root, &tls.certificate, &tls.key];
                all.into_iter().flatten().collect()
            }
            Self::Sqlite(_) => Vec::new(),
        }
    }
}

/// The kinds of databases.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    serde::Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Engine {
    /// MySQL or MariaDB.
    MySql,
    /// PostgreSQL.
    PostgreSql,
    /// `SQLite`.
    Sqlite,
}

impl Engine {
    const ALL: [Self; 3] = [Self::MySql, Self::PostgreSql, Self::Sqlite];

    /// Returns the value of `source.type`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::MySql => "mysql",
            Self::PostgreSql => "postgresql",
            Self::Sqlite => "sqlite",
        }
    }

    /// Returns the character around a name that is quoted; in the name it is doubled.
    pub const fn quote(self) -> char {
        match self {
            Self::MySql => '`',
            Self::PostgreSql | Self::Sqlite => '"',
        }
    }

    /// Whether `Name` and `name` are one column.
    pub const fn ignores_case(self) -> bool {
        matches!(self, Self::MySql | Self::Sqlite)
    }

    const fn port(self) -> u16 {
        match self {
            Self::PostgreSql => 5432,
            Self::MySql | Self::Sqlite => 3306,
        }
    }
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A database server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Its host name or address; a path is that of a socket.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Who reads.
    pub username: String,
    /// Where the password is; none means an empty one.
    pub password: Option<Reference>,
    /// The database.
    pub database: String,
    /// The table or view.
    pub table: Table,
    /// How the connection is protected.
    pub tls: Tls,
    /// How many connections there are.
    pub pool: Pool,
    /// How long a connection may take, TLS and authentication included.
    pub connect_timeout: Duration,
    /// How long a statement may take, from its sending to its last row.
    pub query_timeout: Duration,
}

/// A database file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Its path, relative to the file of the hub.
    pub path: String,
    /// The table or view.
    pub table: Table,
    /// How long a statement may take, from its start to its last row.
    pub query_timeout: Duration,
}

/// How a connection is protected.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tls {
    /// What is demanded of the connection.
    pub mode: TlsMode,
    /// Where the certificates of the authority are, as PEM: no other authority is trusted.
    pub root: Option<Reference>,
    /// Where our certificate is, as PEM.
    pub certificate: Option<Reference>,
    /// Where the key of our certificate is, as PEM.
    pub key: Option<Reference>,
}

/// What is demanded of a connection: the modes of libpq, of which MySQL has all but `allow`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TlsMode {
    /// Never TLS.
    Disable,
    /// TLS when the server wants it.
    Allow,
    /// TLS when the server has it.
    #[default]
    Prefer,
    /// TLS; with an authority given, its signature is demanded, too, by PostgreSQL.
    Require,
    /// TLS, with a certificate of the authority.
    VerifyCa,
    /// TLS, with a certificate of the authority for this host.
    VerifyFull,
}

impl TlsMode {
    const POSTGRESQL: [(&str, Self); 6] = [
        ("disable", Self::Disable),
        ("allow", Self::Allow),
        ("prefer", Self::Prefer),
        ("require", Self::Require),
        ("verify-ca", Self::VerifyCa),
        ("verify-full", Self::VerifyFull),
    ];
    const MYSQL: [(&str, Self); 5] = [
        ("disabled", Self::Disable),
        ("preferred", Self::Prefer),
        ("required", Self::Require),
        ("verify-ca", Self::VerifyCa),
        ("verify-identity", Self::VerifyFull),
    ];

    const fn of(engine: Engine) -> &'static [(&'static str, Self)] {
        match engine {
            Engine::PostgreSql => &Self::POSTGRESQL,
            Engine::MySql | Engine::Sqlite => &Self::MYSQL,
        }
    }
}

/// How many connections there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pool {
    /// At most, at a time.
    pub max_open: usize,
    /// At most, while nothing is read.
    pub max_idle: usize,
    /// How old a connection may become.
    pub max_lifetime: Duration,
}

impl Default for Pool {
    fn default() -> Self {
        Self {
            max_open: 25,
            max_idle: 5,
            max_lifetime: Duration::from_mins(5),
        }
    }
}

/// Where a credential is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reference {
    /// A key of a Secret in the hub's namespace.
    Secret {
        /// The name of the Secret.
        name: String,
        /// The key in it.
        key: String,
    },
    /// A key of a `ConfigMap` in the hub's namespace.
    ConfigMap {
        /// The name of the `ConfigMap`.
        name: String,
        /// The key in it.
        key: String,
    },
    /// A file, relative to that of the hub.
    File(String),
    /// An environment variable.
    Env(String),
}

impl Reference {
    /// Whether a cluster has to be asked.
    pub const fn is_in_cluster(&self) -> bool {
        matches!(self, Self::Secret { .. } | Self::ConfigMap { .. })
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Secret { name, key } => write!(f, "key {key:?} of Secret/{name}"),
            Self::ConfigMap { name, key } => write!(f, "key {key:?} of ConfigMap/{name}"),
            Self::File(path) => write!(f, "file {path:?}"),
            Self::Env(name) => write!(f, "environment variable {name}"),
        }
    }
}

/// The name of a table or view, with that of its schema or database if one is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// The schema, or the database of MySQL.
    pub schema: Option<String>,
    /// The name.
    pub name: String,
}

impl Table {
    /// Reads `name`, `schema.name` or either in quotes: what stands in quotes is one name, dots
    /// included, and a doubled quote in it stands for one.
    ///
    /// # Errors
    /// What is wrong with it, as a fragment.
    pub fn read(text: &str, engine: Engine) -> Result<Self, &'static str> {
        let mut names = vec![String::new()];
        let mut characters = text.chars().peekable();
        let mut is_quoted = false;
        while let Some(character) = characters.next() {
            let Some(name) = names.last_mut() else { break };
            match character {
                '\0' => return Err("a name has no zero byte"),
                '.' => {
                    is_quoted = false;
                    names.push(String::new());
                }
                _ if character == engine.quote() && name.is_empty() && !is_quoted => {
                    is_quoted = true;
                    loop {
                        match characters.next() {
                            None => return Err("a quoted name does not end"),
                            Some(found) if found != character => name.push(found),
                            Some(_) if characters.peek() == Some(&character) => {
                                characters.next();
                                name.push(character);
                            }
                            Some(_) => break,
                        }
                    }
                }
                _ if is_quoted => return Err("something follows a quoted name"),
                _ => name.push(character),
            }
        }
        if names.iter().any(String::is_empty) {
            return Err("a name is empty");
        }
        let name = names.pop().unwrap_or_default();
        match names.len() {
            0 => Ok(Self { schema: None, name }),
            1 => Ok(Self {
                schema: names.pop(),
                name,
            }),
            _ => Err("a table is NAME or SCHEMA.NAME; quote a name that has a dot"),
        }
    }

    /// Returns the name in quotes, for a statement.
    pub fn quoted(&self, engine: Engine) -> String {
        match &self.schema {
            Some(schema) => format!("{}.{}", quoted(schema, engine), quoted(&self.name, engine)),
            None => quoted(&self.name, engine),
        }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.schema {
            Some(schema) => write!(f, "{schema}.{}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

/// Returns a name in quotes, for a statement.
pub fn quoted(name: &str, engine: Engine) -> String {
    let quote = engine.quote();
    let mut text = String::with_capacity(name.len() + 2);
    text.push(quote);
    for character in name.chars() {
        if character == quote {
            text.push(quote);
        }
        text.push(character);
    }
    text.push(quote);
    text
}

/// What the columns mean.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mappings {
    /// The column that names a row.
    pub uid: String,
    /// The column that says whether a row counts.
    pub activate: String,
    /// The column with a host or an address; deprecated.
    pub host_or_url: Option<String>,
    /// Further columns, by the variable of the templates that they fill. Two may share a column.
    pub extra: BTreeMap<String, String>,
}

impl Mappings {
    /// Lists the columns that are read, each once: uid and activate first, which may be one.
    pub fn columns(&self) -> Vec<&str> {
        let mut columns: Vec<&str> = Vec::new();
        for (_, column) in self.variables() {
            if !columns.contains(&column) {
                columns.push(column);
            }
        }
        columns
    }

    /// Lists the variables of the templates, each with its column. An extra one with the name of a
    /// variable that is always there takes its place.
    pub fn variables(&self) -> Vec<(&str, &str)> {
        let built_in = [
            ("uid", Some(self.uid.as_str())),
            ("activate", Some(self.activate.as_str())),
            ("hostOrUrl", self.host_or_url.as_deref()),
        ];
        let built_in = built_in.into_iter();
        let built_in = built_in.filter_map(|(variable, column)| Some((variable, column?)));
        let extra = self.extra.iter();
        built_in
            .chain(extra.map(|(variable, column)| (variable.as_str(), column.as_str())))
            .collect()
    }
}

impl Hub {
    /// Whether a manifest is a hub, or means to be one.
    pub fn is_hub(object: &Value) -> bool {
        let kind = object.get("kind").and_then(Value::as_str);
        KINDS.iter().any(|(_, known)| kind == Some(known))
    }

    /// Reads a hub. There is none if one of the findings is an error.
    pub fn read(object: &Value, origin: &Origin) -> (Option<Self>, Vec<Finding>) {
        let mut found = Found::new(object, origin);
        let hub = read(object, origin, &mut found);
        found.sound(hub)
    }
}

fn read(object: &Value, origin: &Origin, found: &mut Found<'_>) -> Option<Hub> {
    let kind = object.get("kind").and_then(Value::as_str);
    let (expected, _) = KINDS.iter().find(|(_, known)| kind == Some(known))?;
    let Head {
        name,
        namespace,
        mut spec,
    } = fields::head(object, expected, found)?;
    let source = spec.object("source", found, true);
    let values = spec.object("valueMappings", found, true);
    let extra = spec.object("extraValueMappings", found, false);
    if kind == Some(TENANT_SET.1) {
        spec.get(FORMS);
    }
    spec.end(found);
    let mappings = values.map(|values| mappings(values, extra, found));
    let mut source = source?;
    let sync_interval = source
        .text("syncInterval", found)
        .and_then(|text| found.interval(&source.path.join("syncInterval"), &text));
    let full_interval = source.duration("fullInterval", found);
    let column = source.text("updatedAtColumn", found);
    let overlap = source.duration("updatedAtOverlap", found);
    if column.is_none() {
        let only = [
            ("updatedAtOverlap", overlap.is_some()),
            ("fullInterval", full_interval.is_some()),
        ];
        for (field, _) in only.into_iter().filter(|(_, given)| *given) {
            let message = format!("{field} says something of updatedAtColumn, which is not given");
            found.add(Rule::InvalidValue, source.path.join(field), message);
        }
    }
    let database = database(&mut source, found);
    source.end(found);
    Some(Hub {
        name: name?,
        namespace,
        sync_interval: sync_interval.unwrap_or(Duration::from_secs(30)),
        full_interval,
        source: database?,
        mappings: mappings?,
        updated_at: column.map(|column| UpdatedAt {
            column,
            overlap: overlap.unwrap_or(Duration::from_mins(1)),
        }),
        subject: found.subject.clone(),
        origin: origin.clone(),
    })
}

fn mappings(mut values: Fields<'_>, extra: Option<Fields<'_>>, found: &mut Found<'_>) -> Mappings {
    let uid = values.required("uid", found).unwrap_or_default();
    let activate = values.required("activate", found).unwrap_or_default();
    let host_or_url = values.text("hostOrUrl", found);
    if let Some(column) = &host_or_url {
        let message = "hostOrUrl is deprecated, and will not be read from 1.3.0 on";
        let hint = format!(
            "map the column yourself, extraValueMappings: {{hostOrUrl: {column:?}}}, and write \
             {{{{ .hostOrUrl | toHost }}}} for {{{{ .host }}}}"
        );
        found.add_with(
            Rule::Deprecated,
            values.path.join("hostOrUrl"),
            message.to_owned(),
            Some(hint),
        );
    }
    values.end(found);
    let mut columns = BTreeMap::new();
    if let Some(mut extra) = extra {
        let variables: Vec<&str> = extra.map.keys().map(String::as_str).collect();
        for variable in variables {
            if let Some(column) = extra.required(variable, found) {
                columns.insert(variable.to_owned(), column);
            }
        }
    }
    Mappings {
        uid,
        activate,
        host_or_url,
        extra: columns,
    }
}

/// Reads the block of the database's type; others may not be there.
fn database(source: &mut Fields<'_>, found: &mut Found<'_>) -> Option<Source> {
    let word = source.required("type", found);
    let engine = word.as_ref().and_then(|name| {
        let known = Engine::ALL.into_iter().find(|engine| engine.name() == name);
        if known.is_none() {
            let names = Engine::ALL.map(Engine::name);
            found.not_one_of(source.path.join("type"), name, &names);
        }
        known
    });
    let mut block = None;
    for other in Engine::ALL {
        if Some(other) == engine {
            block = source.object(other.name(), found, true);
        } else if source.get(other.name()).is_some()
            && let Some(engine) = engine
        {
            let message = format!("the type is {engine}, so {other} is never read");
            found.add(Rule::UnknownField, source.path.join(other.name()), message);
        }
    }
    let (engine, mut block) = (engine?, block?);
    let database = match engine {
        Engine::Sqlite => file(&mut block, found).map(Source::Sqlite),
        Engine::MySql => server(&mut block, engine, found).map(Source::MySql),
        Engine::PostgreSql => server(&mut block, engine, found).map(Source::PostgreSql),
    };
    block.end(found);
    database
}

fn file(fields: &mut Fields<'_>, found: &mut Found<'_>) -> Option<File> {
    let path = fields.required("path", found);
    let table = table(fields, Engine::Sqlite, found);
    let query_timeout = fields.duration("queryTimeout", found);
    Some(File {
        path: path?,
        table: table?,
        query_timeout: query_timeout.unwrap_or(QUERY_TIMEOUT),
    })
}

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const QUERY_TIMEOUT: Duration = Duration::from_secs(30);

fn server(fields: &mut Fields<'_>, engine: Engine, found: &mut Found<'_>) -> Option<Server> {
    let host = fields.required("host", found);
    let port = fields.number("port", 1..=65_535, found);
    let port = port.and_then(|port| u16::try_from(port).ok());
    let username = fields.required("username", found);
    let password = fields.reference("passwordRef", false, found);
    let database = fields.required("database", found);
    let table = table(fields, engine, found);
    let tls = tls(fields, engine, found);
    let default = Pool::default();
    let count = |number: Option<u64>, default| {
        number.map_or(default, |number| usize::try_from(number).unwrap_or(default))
    };
    let max_open = count(
        fields.number("maxOpenConns", 1..=10_000, found),
        default.max_open,
    );
    let max_idle = count(
        fields.number("maxIdleConns", 0..=10_000, found),
        default.max_idle,
    );
    let max_lifetime = fields.duration("connMaxLifetime", found);
    let connect_timeout = fields.duration("connectTimeout", found);
    let query_timeout = fields.duration("queryTimeout", found);
    Some(Server {
        host: host?,
        port: port.unwrap_or(engine.port()),
        username: username?,
        password,
        database: database?,
        table: table?,
        tls,
        pool: Pool {
            max_open,
            max_idle: max_idle.min(max_open),
            max_lifetime: max_lifetime.unwrap_or(default.max_lifetime),
        },
        connect_timeout: connect_timeout.unwrap_or(CONNECT_TIMEOUT),
        query_timeout: query_timeout.unwrap_or(QUERY_TIMEOUT),
    })
}

fn table(fields: &mut Fields<'_>, engine: Engine, found: &mut Found<'_>) -> Option<Table> {
    let text = fields.required("table", found);
    let schema = match engine {
        Engine::PostgreSql => fields.text("schema", found),
        Engine::MySql | Engine::Sqlite => None,
    };
    let place = fields.path.join("table");
    let mut table = match Table::read(&text?, engine) {
        Ok(table) => table,
        Err(problem) => {
            found.add(Rule::InvalidValue, place, problem.to_owned());
            return None;
        }
    };
    if schema.is_some() {
        if let Some(other) = &table.schema {
            let message = format!("the table names the schema {other:?}, and so does schema");
            found.add(Rule::InvalidValue, place, message);
        }
        table.schema = schema;
    }
    Some(table)
}

fn tls(fields: &mut Fields<'_>, engine: Engine, found: &mut Found<'_>) -> Tls {
    let root = fields.reference("sslRootCertRef", true, found);
    let certificate = fields.reference("sslCertRef", true, found);
    let key = fields.reference("sslKeyRef", true, found);
    let word = fields.text("sslMode", found);
    let place = fields.path.join("sslMode");
    let known = TlsMode::of(engine);
    let mode = match &word {
        Some(name) => known.iter().find(|(known, _)| known == name),
        None => None,
    };
    let mode = match (mode, &word) {
        (Some((_, mode)), _) => *mode,
        (None, Some(name)) => {
            let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
            found.not_one_of(place.clone(), name, &names);
            TlsMode::default()
        }
        // As MySQL's own client: who names an authority wants it to count.
        (None, None) if engine == Engine::MySql && root.is_some() => TlsMode::VerifyCa,
        (None, None) => TlsMode::default(),
    };
    if matches!(mode, TlsMode::VerifyCa | TlsMode::VerifyFull) && root.is_none() {
        let name = word.as_deref().unwrap_or_default();
        found.add_with(
            Rule::InvalidValue,
            place,
            format!("{name} verifies by an authority, and none is given"),
            Some("name its certificate with sslRootCertRef".to_owned()),
        );
    }
    let pair = [
        ("sslCertRef", certificate.is_some()),
        ("sslKeyRef", key.is_some()),
    ];
    if let [(given, true), (other, false)] | [(other, false), (given, true)] = pair {
        let message = format!("{given} goes together with {other}, which is not given");
        found.add(Rule::InvalidValue, fields.path.join(given), message);
    }
    Tls {
        mode,
        root,
        certificate,
        key,
    }
}

#[cfg(test)]
mod tests;
