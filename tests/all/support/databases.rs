//! Real database servers on loopback, with TLS: MariaDB and PostgreSQL of Debian's packages, and files
//! of `SQLite`. Each server is started at most once and shared; a test has a database of its own.
//!
//! A server is the child of a shell that reads our pipe: that closes when this process ends, however it
//! ends, and the shell ends the server then.

use std::{
    io::Write,
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

/// The kinds of databases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    MariaDb,
    PostgreSql,
    Sqlite,
}

impl Engine {
    pub const ALL: [Self; 3] = [Self::MariaDb, Self::PostgreSql, Self::Sqlite];

    /// The value of `source.type`.
    pub fn name(self) -> &'static str {
        match self {
            Self::MariaDb => "mysql",
            Self::PostgreSql => "postgresql",
            Self::Sqlite => "sqlite",
        }
    }

    /// A name in quotes.
    pub fn quoted(self, name: &str) -> String {
        match self {
            Self::MariaDb => format!("`{}`", name.replace('`', "``")),
            _ => format!("\"{}\"", name.replace('"', "\"\"")),
        }
    }
}

/// The password of the user `reader`.
pub const PASSWORD: &str = "s3cret-canary";

/// Certificates: `ca.pem` signed `server.pem` (for the name `localhost`, not for its address) and
/// `client.pem` (of the user `certified`); `other.pem` is another authority.
pub fn certificates() -> &'static Path {
    static FOLDER: OnceLock<tempfile::TempDir> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::write(
            folder.path().join("openssl.cnf"),
            "[req]\ndistinguished_name = name\nprompt = no\n[name]\nCN = test\n\
             [ca]\nbasicConstraints = critical, CA:TRUE\nkeyUsage = critical, keyCertSign\n\
             subjectKeyIdentifier = hash\n\
             [leaf]\nbasicConstraints = critical, CA:FALSE\nkeyUsage = critical, digitalSignature\n\
             extendedKeyUsage = serverAuth, clientAuth\nsubjectAltName = DNS:localhost\n",
        )
        .expect("a file");
        let openssl = |arguments: &str| {
            let output = Command::new("openssl")
                .args(arguments.split(' '))
                .current_dir(folder.path())
                .output()
                .expect("openssl");
            assert!(output.status.success(), "openssl {arguments}: {output:?}");
        };
        let common = "req -x509 -config openssl.cnf -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes \
                      -days 30";
        for name in ["ca", "other"] {
            openssl(&format!(
                "{common} -extensions ca -subj /CN={name} -keyout {name}.key -out {name}.pem"
            ));
        }
        for (name, subject) in [("server", "localhost"), ("client", "certified")] {
            openssl(&format!(
                "{common} -extensions leaf -subj /CN={subject} -CA ca.pem -CAkey ca.key -keyout {name}.key -out \
                 {name}.pem"
            ));
        }
        folder
    });
    folder.path()
}

/// A running server.
pub struct Server {
    pub engine: Engine,
    pub port: u16,
    /// Where it keeps everything; it goes with the server.
    folder: PathBuf,
    /// Its end is the server's.
    _running: (Child, ChildStdin),
}

impl Server {
    /// The shared one, with TLS.
    pub fn shared(engine: Engine) -> &'static Self {
        static MARIADB: OnceLock<Server> = OnceLock::new();
        static POSTGRESQL: OnceLock<Server> = OnceLock::new();
        match engine {
            Engine::MariaDb => MARIADB.get_or_init(|| Self::start(engine, true)),
            Engine::PostgreSql => POSTGRESQL.get_or_init(|| Self::start(engine, true)),
            Engine::Sqlite => panic!("a file has no server"),
        }
    }

    /// The shared one without TLS.
    pub fn plain(engine: Engine) -> &'static Self {
        static MARIADB: OnceLock<Server> = OnceLock::new();
        static POSTGRESQL: OnceLock<Server> = OnceLock::new();
        match engine {
            Engine::MariaDb => MARIADB.get_or_init(|| Self::start(engine, false)),
            Engine::PostgreSql => POSTGRESQL.get_or_init(|| Self::start(engine, false)),
            Engine::Sqlite => panic!("a file has no server"),
        }
    }

    /// One for a test that stops or kills it.
    pub fn own(engine: Engine) -> Self {
        Self::start(engine, true)
    }

    fn start(engine: Engine, tls: bool) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder").keep();
        for entry in std::fs::read_dir(certificates()).expect("the certificates") {
            let entry = entry.expect("a certificate");
            std::fs::copy(entry.path(), folder.join(entry.file_name())).expect("a copy");
        }
        let port = free_port();
        let command = match engine {
            Engine::MariaDb => mariadb(&folder, port, tls),
            Engine::PostgreSql => postgresql(&folder, port, tls),
            Engine::Sqlite => panic!("a file has no server"),
        };
        // A test may have stopped the server, or the processes below it.
        let script = "\"$@\" >\"$FOLDER/server.log\" 2>&1 & pid=$!; cat >/dev/null; \
                      pkill -CONT -P $pid; kill -CONT $pid; kill -INT $pid; kill -TERM $pid; \
                      { sleep 10; kill -KILL $pid; } & guard=$!; wait $pid; kill $guard; rm -rf \"$FOLDER\"";
        let mut child = Command::new("sh")
            .args(["-c", script, "sh"])
            .args(command)
            .env("FOLDER", &folder)
            .stdin(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("a shell");
        let pipe = child.stdin.take().expect("a pipe");
        let server = Self {
            engine,
            port,
            folder,
            _running: (child, pipe),
        };
        server.wait();
        server.execute(
            "",
            match engine {
                Engine::MariaDb => {
                    "CREATE USER reader@'%' IDENTIFIED BY 's3cret-canary'; GRANT SELECT ON *.* TO reader@'%'; \
                     CREATE USER secure@'%' IDENTIFIED BY 's3cret-canary' REQUIRE SSL; \
                     GRANT SELECT ON *.* TO secure@'%'; \
                     CREATE USER certified@'%' REQUIRE X509; GRANT SELECT ON *.* TO certified@'%'"
                }
                _ => {
                    "CREATE ROLE reader LOGIN PASSWORD 's3cret-canary'; \
                     CREATE ROLE clear LOGIN PASSWORD 's3cret-canary'; CREATE ROLE secure LOGIN PASSWORD \
                     's3cret-canary'; CREATE ROLE open LOGIN PASSWORD 's3cret-canary'; CREATE ROLE certified LOGIN; \
                     SET password_encryption = 'md5'; CREATE ROLE old LOGIN PASSWORD 's3cret-canary'"
                }
            },
        );
        server
    }

    fn wait(&self) {
        let until = Instant::now() + Duration::from_mins(2);
        loop {
            let reached = TcpStream::connect(("127.0.0.1", self.port)).is_ok()
                && self.try_execute("", "SELECT 1").is_ok();
            if reached {
                return;
            }
            let log = || std::fs::read_to_string(self.folder.join("server.log"));
            assert!(Instant::now() < until, "no server: {:?}", log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// The process id of the server.
    pub fn pid(&self) -> u32 {
        let file = match self.engine {
            Engine::MariaDb => "server.pid",
            _ => "data/postmaster.pid",
        };
        let text = std::fs::read_to_string(self.folder.join(file)).expect("a pid file");
        text.lines()
            .next()
            .and_then(|pid| pid.trim().parse().ok())
            .expect("a pid")
    }

    /// Runs statements as the administrator.
    ///
    /// # Panics
    /// When one fails.
    #[track_caller]
    pub fn execute(&self, database: &str, statements: &str) -> String {
        match self.try_execute(database, statements) {
            Ok(output) => output,
            Err(output) => panic!("{statements:.500}: {output}"),
        }
    }

    fn try_execute(&self, database: &str, statements: &str) -> Result<String, String> {
        let mut command = match self.engine {
            Engine::MariaDb => {
                let mut command = Command::new("mariadb");
                command.args([
                    "--no-defaults",
                    "--default-character-set=utf8mb4",
                    "-N",
                    "-B",
                    "-uroot",
                ]);
                command.arg(format!("--socket={}", self.folder.join("socket").display()));
                command.arg(database);
                command
            }
            _ => {
                let mut command = Command::new("psql");
                command.args([
                    "-X",
                    "-q",
                    "-A",
                    "-t",
                    "-v",
                    "ON_ERROR_STOP=1",
                    "-U",
                    "postgres",
                    "-d",
                ]);
                command.arg(if database.is_empty() {
                    "postgres"
                } else {
                    database
                });
                command.args(["-p", &self.port.to_string(), "-h"]);
                command.arg(&self.folder);
                command
            }
        };
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the client of the database: run ./tests/run, which installs it");
        let mut pipe = child.stdin.take().expect("a pipe");
        let text = statements.to_owned();
        let writer = std::thread::spawn(move || drop(pipe.write_all(text.as_bytes())));
        let output = child.wait_with_output().expect("the client ends");
        writer.join().expect("the writer ends");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        match output.status.success() {
            true => Ok(text(&output.stdout)),
            false => Err(text(&output.stderr)),
        }
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    listener.local_addr().expect("an address").port()
}

fn is_root() -> bool {
    let output = Command::new("id").arg("-u").output().expect("id");
    output.stdout == b"0\n"
}

#[track_caller]
fn run(command: &[String]) {
    let output = Command::new(&command[0])
        .args(&command[1..])
        .output()
        .expect("a program of the database: run ./tests/run, which installs it");
    assert!(output.status.success(), "{command:?}: {output:?}");
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

fn mariadb(folder: &Path, port: u16, tls: bool) -> Vec<String> {
    let at = folder.display();
    let user = if is_root() { "--user=root" } else { "" };
    run(&words(&format!(
        "mariadb-install-db --no-defaults --auth-root-authentication-method=normal --skip-test-db \
         --datadir={at}/data {user}"
    )));
    let tls = match tls {
        true => {
            format!("--ssl-ca={at}/ca.pem --ssl-cert={at}/server.pem --ssl-key={at}/server.key")
        }
        false => "--skip-ssl".to_owned(),
    };
    words(&format!(
        "mariadbd --no-defaults --datadir={at}/data --socket={at}/socket --pid-file={at}/server.pid \
         --bind-address=127.0.0.1 --port={port} --skip-name-resolve --innodb-buffer-pool-size=32M \
         --innodb-log-file-size=32M --innodb-flush-log-at-trx-commit=0 --sync-binlog=0 \
         --max-allowed-packet=64M --skip-innodb-doublewrite {tls} {user}"
    ))
}

/// Where Debian has the programs of the server.
fn postgresql_programs() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql");
    let versions = versions.expect("PostgreSQL is installed: run ./tests/run");
    let folders = versions
        .filter_map(Result::ok)
        .map(|entry| entry.path().join("bin"));
    let mut folders: Vec<PathBuf> = folders.filter(|bin| bin.join("initdb").exists()).collect();
    folders.sort();
    folders.pop().expect("initdb: run ./tests/run")
}

fn postgresql(folder: &Path, port: u16, tls: bool) -> Vec<String> {
    let at = folder.display();
    let programs = postgresql_programs();
    // The server refuses to run as root.
    let who = if is_root() {
        run(&words(&format!("chown -R postgres {at}")));
        "setpriv --reuid=postgres --regid=postgres --clear-groups --"
    } else {
        ""
    };
    let programs = programs.display();
    run(&words(&format!("chmod 600 {at}/server.key")));
    run(&words(&format!(
        "{who} {programs}/initdb -A trust -U postgres -E UTF8 --locale=C.UTF-8 --no-sync -D {at}/data"
    )));
    // Who may come in how, in this order.
    let rules = "local all all trust\n\
                 hostssl all certified all cert\n\
                 hostssl all secure all scram-sha-256\n\
                 hostnossl all secure all reject\n\
                 hostssl all open all reject\n\
                 hostnossl all open all scram-sha-256\n\
                 host all clear all password\n\
                 host all old all md5\n\
                 host all all all scram-sha-256\n";
    let rules = match tls {
        true => rules.to_owned(),
        false => "local all all trust\nhost all all all scram-sha-256\n".to_owned(),
    };
    std::fs::write(folder.join("data/pg_hba.conf"), rules).expect("a file");
    let tls = match tls {
        true => format!(
            "-c ssl=on -c ssl_cert_file={at}/server.pem -c ssl_key_file={at}/server.key -c ssl_ca_file={at}/ca.pem"
        ),
        false => String::new(),
    };
    words(&format!(
        "{who} {programs}/postgres -D {at}/data -k {at} -p {port} -c listen_addresses=127.0.0.1 -c fsync=off \
         -c max_connections=40 {tls}"
    ))
}

/// A database of its own for one test.
pub struct Database {
    pub engine: Engine,
    /// Its name, or the path of its file.
    pub name: String,
    server: Option<&'static Server>,
}

impl Database {
    /// An empty one; a file is in the given folder.
    pub fn new(engine: Engine, folder: &Path) -> Self {
        match engine {
            Engine::Sqlite => Self {
                engine,
                name: folder.join("rows.db").display().to_string(),
                server: None,
            },
            _ => Self::on(Server::shared(engine)),
        }
    }

    /// An empty one on a server.
    pub fn on(server: &'static Server) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("test_{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let charset = match server.engine {
            Engine::MariaDb => "CHARACTER SET utf8mb4",
            _ => "",
        };
        server.execute("", &format!("CREATE DATABASE {name} {charset}"));
        if server.engine == Engine::PostgreSql {
            let grants = "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO public";
            server.execute(&name, grants);
        }
        Self {
            engine: server.engine,
            name,
            server: Some(server),
        }
    }

    /// Runs statements as the administrator.
    #[track_caller]
    pub fn execute(&self, statements: &str) {
        match self.server {
            Some(server) => _ = server.execute(&self.name, statements),
            None => sqlite(&self.name, statements),
        }
    }

    /// A hub for a table. `more` are further fields of the block of the database, and `columns` the
    /// extra mappings, both in YAML's flow style.
    pub fn hub(&self, table: &str, more: &str, columns: &str) -> String {
        let engine = self.engine.name();
        let table = serde_json::to_string(table).expect("a text");
        let block = match self.server {
            Some(server) => {
                let given = |field: &str| match more.contains(field) {
                    true => String::new(),
                    false => match field {
                        "host:" => "host: localhost, ".to_owned(),
                        "username:" => "username: reader, ".to_owned(),
                        _ => "passwordRef: {env: DB_PASSWORD}, ".to_owned(),
                    },
                };
                let fields: String = ["host:", "username:", "passwordRef:"].map(given).concat();
                format!(
                    "{{{fields}port: {}, database: {}, table: {table}, {more}}}",
                    server.port, self.name
                )
            }
            None => format!("{{path: {}, table: {table}, {more}}}", self.name),
        };
        format!(
            "apiVersion: operator.lynq.sh/v1\nkind: LynqHub\nmetadata: {{name: shop}}\nspec:\n  source: {{type: \
             {engine}, {engine}: {block}}}\n  valueMappings: {{uid: id, activate: active}}\n  \
             extraValueMappings: {{{columns}}}\n"
        )
    }
}

/// Runs statements on a file, which is made where it isn't.
#[track_caller]
fn sqlite(path: &str, statements: &str) {
    use sqlx::{AssertSqlSafe, ConnectOptions, Connection, sqlite::SqliteConnectOptions};
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.expect("a runtime").block_on(async {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true);
        let mut connection = options.connect().await.expect("a file");
        let run = sqlx::raw_sql(AssertSqlSafe(statements.to_owned())).execute(&mut connection);
        if let Err(error) = run.await {
            panic!("{statements:.500}: {error}");
        }
        connection.close().await.expect("it closes");
    });
}
