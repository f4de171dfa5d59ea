//! `tenant test-connection`, and the reading of rows beneath it: one suite over MariaDB, PostgreSQL and
//! `SQLite`, against real servers.

use std::{
    ops::ControlFlow,
    time::{Duration, Instant},
};

use serde_json::Value;
use weft_domain::{
    path::Path,
    resource::Origin,
    tenant::hub::{Hub, Mappings},
    yaml,
};
use weftctl::{
    secret::Secret,
    service::tenant::datasource::{Credentials, Datasource, Error, Fault, Problem, Row, Since},
};

use crate::support::{
    Place, Run, Sandbox,
    databases::{Database, Engine, PASSWORD, Server, certificates},
    tools,
};

/// Runs what waits for a database.
fn wait<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build();
    runtime.expect("a runtime").block_on(work)
}

fn hub(text: &str) -> Hub {
    let value = yaml::parse_one(text, &yaml::Limits::STREAM).expect("YAML");
    let origin = Origin {
        file: "hub.yaml".into(),
        line: Some(1),
        inside: Path::root(),
        part: None,
    };
    let (hub, findings) = Hub::read(&value, &origin);
    hub.unwrap_or_else(|| panic!("{findings:?}\n{text}"))
}

/// A datasource of a hub, as the user `reader`.
fn open(hub: &Hub) -> Datasource {
    let credentials = Credentials {
        password: Some(Secret::new(PASSWORD)),
        ..Credentials::default()
    };
    Datasource::open(&hub.source, &credentials, std::path::Path::new("/"))
}

async fn read(database: &Datasource, mappings: &Mappings) -> Result<Vec<Row>, Error> {
    let mut rows = Vec::new();
    database
        .rows(mappings, |row| {
            rows.push(row);
            ControlFlow::Continue(())
        })
        .await?;
    Ok(rows)
}

/// All rows of a table, as texts.
#[track_caller]
fn rows(database: &Database, table: &str, columns: &str) -> Vec<Row> {
    let hub = hub(&database.hub(table, "", columns));
    wait(read(&open(&hub), &hub.mappings)).expect("rows")
}

#[track_caller]
fn values(database: &Database, table: &str, columns: &str) -> Vec<Vec<String>> {
    let rows = rows(database, table, columns).into_iter();
    rows.map(|row| {
        assert_eq!(row.fault, None);
        row.values
    })
    .collect()
}

/// A database for each engine, with some statements run in it.
fn each(statements: impl Fn(Engine) -> String, work: impl Fn(&Database)) {
    for engine in Engine::ALL {
        let folder = tempfile::tempdir().expect("a folder");
        let database = Database::new(engine, folder.path());
        database.execute(&statements(engine));
        println!("{engine:?}");
        work(&database);
    }
}

/// The command on a hub.
fn test_connection(hub: &str, more: &[&str]) -> Run {
    let sandbox = Sandbox::new();
    sandbox.write("hub.yaml", hub);
    run_in(&sandbox, more)
}

fn run_in(sandbox: &Sandbox, more: &[&str]) -> Run {
    let mut command = sandbox.command(["tenant", "test-connection", "hub.yaml"]);
    command.args(more).env("DB_PASSWORD", PASSWORD);
    let run = sandbox.finish(&mut command, None);
    assert!(
        !run.stdout.contains(PASSWORD) && !run.stderr.contains(PASSWORD),
        "{run}"
    );
    run
}

fn counts(run: &Run) -> [u64; 4] {
    let rows = &run.json()["items"][0]["rows"];
    ["total", "active", "inactive", "invalid"].map(|name| rows[name].as_u64().expect("a count"))
}

const TENANTS: &str = "CREATE TABLE tenants (id VARCHAR(40), active VARCHAR(10), plan VARCHAR(10)); \
                       INSERT INTO tenants VALUES ('b', '1', 'big'), ('a', '0', NULL), ('', '1', 'x'), \
                       ('d', '1', 'y'), ('d', '0', 'z')";

// The command

#[test]
fn tenant_test_connection_shows_the_server_the_columns_and_the_rows() {
    each(
        |_| TENANTS.to_owned(),
        |database| {
            let hub = database.hub("tenants", "", "plan: plan, size: plan");
            let run = test_connection(&hub, &["-o", "json"]).succeeds();
            assert_eq!(counts(&run), [5, 1, 1, 3]);
            let test = &run.json()["items"][0];
            let version = test["version"].as_str().expect("a version");
            let name = match database.engine {
                Engine::MariaDb => "MariaDB 1",
                Engine::PostgreSql => "PostgreSQL 1",
                Engine::Sqlite => "SQLite 3",
            };
            assert!(version.starts_with(name), "{version}");
            let columns: Vec<(&str, &Value)> = test["columns"]
                .as_array()
                .expect("columns")
                .iter()
                .map(|column| {
                    (
                        column["name"].as_str().expect("a name"),
                        &column["mappedBy"],
                    )
                })
                .collect();
            assert_eq!(
                columns,
                [
                    ("id", &serde_json::json!(["uid"])),
                    ("active", &serde_json::json!(["activate"])),
                    ("plan", &serde_json::json!(["plan", "size"])),
                ]
            );
            let problems = test["rows"]["problems"].as_array().expect("problems");
            assert_eq!(problems[0]["message"], "column \"id\" is empty");
            assert_eq!(problems[1]["uid"], "d");
            let tls = &test["tls"];
            match database.engine {
                Engine::Sqlite => assert!(tls.is_null()),
                _ => assert_eq!(
                    (&tls["protocol"], &tls["verified"]),
                    (&"TLSv1.3".into(), &"nothing".into())
                ),
            }
        },
    );
}

#[test]
fn tenant_test_connection_reads_as_a_table() {
    let folder = tempfile::tempdir().expect("a folder");
    let database = Database::new(Engine::Sqlite, folder.path());
    database.execute(TENANTS);
    let run = test_connection(&database.hub("tenants", "", "plan: plan"), &[]).succeeds();
    for line in [
        "tenants  5     1       1         3        ",
        "tenants  plan    VARCHAR(10)  plan",
        "tenants  1    -    column \"id\" is empty",
        "tenants  5    d    another row has the same uid",
    ] {
        assert!(run.stdout.contains(line), "{line}\n{run}");
    }
    assert!(run.stderr.contains("3 rows can't be used"), "{run}");
}

#[test]
fn a_status_that_says_neither_gets_the_view_that_translates_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let database = Database::new(Engine::Sqlite, folder.path());
    database.execute(
        "CREATE TABLE t (id TEXT, active TEXT); INSERT INTO t VALUES ('a', 'active'), ('b', 'trial')",
    );
    let run = test_connection(&database.hub("t", "", ""), &[]).succeeds();
    for part in [
        "column \"active\" says \"active\" and \"trial\"",
        "CASE WHEN active = 'active' THEN 1 ELSE 0 END AS is_active FROM t",
    ] {
        assert!(run.stderr.contains(part), "{run}");
    }
}

#[test]
fn what_is_missing_is_named_and_has_its_exit_code() {
    each(
        |_| TENANTS.to_owned(),
        |database| {
            let hub = database.hub("tenants", "", "plan: plann, size: nothing_like_it");
            let run = test_connection(&hub, &["-o", "json"]).fails(5, "E0704");
            assert!(run.stderr.contains("plann") && run.stderr.contains("nothing_like_it"));
            assert!(run.stderr.contains("did you mean \\\"plan\\\"?"), "{run}");
            let test = &run.json()["items"][0];
            assert!(test["rows"].is_null());
            let missing = test["columns"].as_array().expect("columns").iter();
            assert_eq!(missing.filter(|column| column["found"] == false).count(), 2);
            let run = test_connection(&database.hub("tenant", "", ""), &[]).fails(5, "E0703");
            assert!(
                run.stderr.contains("there is no table or view \"tenant\""),
                "{run}"
            );
            let hub = database.hub("tenants", "", "");
            let hub = match database.engine {
                Engine::Sqlite => hub.replace("rows.db", "other.db"),
                _ => hub.replace(&database.name, "no_such_database"),
            };
            test_connection(&hub, &[]).fails(5, "E0703");
        },
    );
}

#[test]
fn a_wrong_hub_is_refused_with_line_and_near_miss() {
    let text = "apiVersion: operator.lynq.sh/v1\nkind: LynqHub\nmetadata: {name: shop}\nspec:\n  source:\n    \
                type: sqlite\n    sqlite:\n      pth: a.db\n      table: t\n  valueMappings: {uid: id, activate: a}\n";
    let run = test_connection(text, &[]).fails(10, "E0707");
    assert!(run.stderr.contains("unknown field \"pth\""), "{run}");
    assert!(run.stderr.contains("hub.yaml:8:7"), "{run}");
    assert!(run.stderr.contains("did you mean \"path\"?"), "{run}");
    let run = test_connection("apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n", &[]);
    run.fails(10, "E0106");
}

#[test]
fn a_password_is_read_from_a_file_beside_the_hub_and_its_absence_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let database = Database::new(Engine::PostgreSql, folder.path());
    database.execute(TENANTS);
    let sandbox = Sandbox::new();
    let hub = database.hub("tenants", "passwordRef: {file: secret.txt}", "");
    sandbox.write("hub.yaml", hub);
    let run = run_in(&sandbox, &[]).fails(4, "E0708");
    assert!(run.stderr.contains("secret.txt"), "{run}");
    sandbox.write("secret.txt", format!("{PASSWORD}\n"));
    run_in(&sandbox, &[]).succeeds();
    let hub = database.hub("tenants", "passwordRef: {env: NO_SUCH_VARIABLE}", "");
    let run = test_connection(&hub, &[]).fails(4, "E0708");
    assert!(run.stderr.contains("NO_SUCH_VARIABLE"), "{run}");
}

// Rows

#[test]
fn exactly_the_listed_texts_switch_rows_on_in_every_database() {
    let texts = [
        "1", "true", "TRUE", "True", "yes", "YES", "Yes", "0", "false", "", "on", "t", "Y",
        "active", "2", " 1",
    ];
    each(
        |_| {
            let rows = texts.iter().enumerate();
            let rows: Vec<String> = rows
                .map(|(at, text)| format!("('r{at}', '{text}')"))
                .collect();
            format!(
                "CREATE TABLE t (id VARCHAR(40), active VARCHAR(10)); INSERT INTO t VALUES {}, ('null', NULL); \
                 CREATE TABLE b (id VARCHAR(40), active BOOLEAN); \
                 INSERT INTO b VALUES ('a', TRUE), ('b', FALSE), ('c', NULL)",
                rows.join(", ")
            )
        },
        |database| {
            let run = test_connection(&database.hub("t", "", ""), &["-o", "json"]).succeeds();
            assert_eq!(counts(&run), [17, 7, 10, 0]);
            // The server's own booleans are among them.
            let run = test_connection(&database.hub("b", "", ""), &["-o", "json"]).succeeds();
            assert_eq!(counts(&run), [3, 1, 2, 0]);
        },
    );
}

#[test]
fn rows_come_in_the_order_of_their_uids_and_null_is_empty() {
    each(
        |_| {
            "CREATE TABLE t (id VARCHAR(10), active INT, x VARCHAR(10)); INSERT INTO t VALUES ('b', 1, NULL), \
             ('B', 1, 'x'), ('a', NULL, ''), (NULL, 1, 'null'), ('', 1, 'empty'), ('10', 1, ''), ('9', 1, ''); \
             CREATE TABLE none (id INT, active INT)"
                .to_owned()
        },
        |database| {
            let rows = values(database, "t", "x: x");
            let uids: Vec<&str> = rows.iter().map(|row| row[0].as_str()).collect();
            assert_eq!(uids, ["", "", "10", "9", "B", "a", "b"]);
            assert_eq!((rows[5][1].as_str(), rows[6][2].as_str()), ("", ""));
            assert_eq!(values(database, "none", ""), Vec::<Vec<String>>::new());
            let run = test_connection(&database.hub("none", "", ""), &["-o", "json"]).succeeds();
            assert_eq!(counts(&run), [0, 0, 0, 0]);
        },
    );
}

#[test]
fn views_schemas_and_odd_names_are_read() {
    let odd = "we`ird \"ta.ble'; --\\";
    each(
        |engine| {
            let (table, column) = (engine.quoted(odd), engine.quoted("co`l\"umn'.\\ x"));
            let schema = match engine {
                Engine::PostgreSql => {
                    "CREATE SCHEMA \"Other\"; GRANT USAGE ON SCHEMA \"Other\" TO public; CREATE VIEW \"Other\".v AS \
                     SELECT id, active FROM t"
                }
                _ => "SELECT 1",
            };
            format!(
                "CREATE TABLE t (id VARCHAR(10), active INT, status VARCHAR(10)); INSERT INTO t VALUES ('a', 1, \
                 'on'); CREATE VIEW v AS SELECT id, CASE WHEN status = 'on' THEN 1 ELSE 0 END AS active FROM t; \
                 CREATE TABLE {table} (id VARCHAR(10), active INT, {column} VARCHAR(10)); INSERT INTO {table} VALUES \
                 ('o', 1, 'odd'); {schema}"
            )
        },
        |database| {
            let engine = database.engine;
            assert_eq!(values(database, "v", ""), [["a", "1"]]);
            let quoted = engine.quoted(odd);
            let column = "x: \"co`l\\\"umn'.\\\\ x\", y: \"co`l\\\"umn'.\\\\ x\"";
            // Two variables share the column, which is read once.
            assert_eq!(values(database, &quoted, column), [["o", "1", "odd"]]);
            match engine {
                Engine::PostgreSql => {
                    assert_eq!(values(database, "Other.v", ""), [["a", "1"]]);
                    let hub = hub(&database.hub("v", "schema: Other", ""));
                    let rows = wait(read(&open(&hub), &hub.mappings)).expect("rows");
                    assert_eq!(rows.len(), 1);
                }
                Engine::MariaDb => {
                    let table = format!("{}.v", database.name);
                    assert_eq!(values(database, &table, ""), [["a", "1"]]);
                }
                Engine::Sqlite => assert_eq!(values(database, "main.v", ""), [["a", "1"]]),
            }
        },
    );
}

#[test]
fn variables_take_their_values_from_the_columns_that_they_map() {
    let folder = tempfile::tempdir().expect("a folder");
    let database = Database::new(Engine::Sqlite, folder.path());
    database.execute(TENANTS);
    let hub = hub(&database.hub("tenants", "", "plan: plan, size: plan, name: id"));
    let rows = wait(read(&open(&hub), &hub.mappings)).expect("rows");
    let row = rows.last().expect("a row");
    assert_eq!(row.values, ["d", "1", "y"]);
    assert_eq!(
        row.variables(&hub.mappings),
        [
            ("uid", "d"),
            ("activate", "1"),
            ("name", "d"),
            ("plan", "y"),
            ("size", "y")
        ]
    );
}

/// Reads one row with a column of each type, and compares each text.
fn types(engine: Engine, before: &str, table: &[(&str, &str, &str)]) {
    let folder = tempfile::tempdir().expect("a folder");
    let database = Database::new(engine, folder.path());
    let columns = table.iter().enumerate();
    let columns: Vec<String> = columns
        .map(|(at, (name, ..))| format!("c{at} {name} NULL"))
        .collect();
    let literals: Vec<&str> = table.iter().map(|(_, literal, _)| *literal).collect();
    database.execute(&format!(
        "{before}; CREATE TABLE t (id INT, active INT, {}); INSERT INTO t VALUES (1, 1, {}); \
         INSERT INTO t (id, active) VALUES (2, 1)",
        columns.join(", "),
        literals.join(", ")
    ));
    // Zeros keep the order of the names that of the numbers.
    let mapped: Vec<String> = (0..table.len())
        .map(|at| format!("v{at:03}: c{at}"))
        .collect();
    let rows = values(&database, "t", &mapped.join(", "));
    for ((name, literal, expected), found) in table.iter().zip(&rows[0][2..]) {
        assert_eq!(found, expected, "{name} {literal}");
    }
    // NULL of every type is empty, but where a type has none.
    for ((name, ..), found) in table.iter().zip(&rows[1][2..]) {
        assert!(found.is_empty(), "{name} {found:?}");
    }
}

#[test]
fn every_type_of_mariadb_has_its_text() {
    types(
        Engine::MariaDb,
        "SET time_zone = '+02:00'",
        &[
            ("BOOLEAN", "TRUE", "1"),
            ("TINYINT", "-128", "-128"),
            ("SMALLINT UNSIGNED", "65535", "65535"),
            ("MEDIUMINT", "-8388608", "-8388608"),
            ("INT", "-42", "-42"),
            ("INT(6) ZEROFILL", "42", "000042"),
            (
                "BIGINT UNSIGNED",
                "18446744073709551615",
                "18446744073709551615",
            ),
            ("DECIMAL(10,3)", "1.5", "1.500"),
            (
                "DECIMAL(38,0)",
                "12345678901234567890123456789012345678",
                "12345678901234567890123456789012345678",
            ),
            ("FLOAT", "1.5", "1.5"),
            ("DOUBLE", "1e20", "1e20"),
            ("DOUBLE", "0.1", "0.1"),
            ("BIT(1)", "b'1'", "\u{1}"),
            ("BIT(8)", "b'01000001'", "A"),
            ("DATE", "'2026-01-02'", "2026-01-02"),
            ("DATETIME", "'2026-01-02 03:04:05'", "2026-01-02 03:04:05"),
            (
                "DATETIME(6)",
                "'2026-01-02 03:04:05.123456'",
                "2026-01-02 03:04:05.123456",
            ),
            ("TIMESTAMP", "'2026-01-02 03:04:05'", "2026-01-02 01:04:05"),
            ("TIME", "'-26:03:04'", "-26:03:04"),
            ("YEAR", "2026", "2026"),
            ("CHAR(5)", "'a'", "a"),
            ("VARCHAR(20) CHARACTER SET latin1", "'grün'", "grün"),
            ("VARCHAR(20)", "'日本 🎉'", "日本 🎉"),
            ("TINYTEXT", "'tiny'", "tiny"),
            ("TEXT", "'text'", "text"),
            ("MEDIUMTEXT", "'medium'", "medium"),
            ("LONGTEXT CHARACTER SET latin1", "'größe'", "größe"),
            ("BINARY(3)", "'abc'", "abc"),
            ("VARBINARY(5)", "'ab'", "ab"),
            ("TINYBLOB", "'t'", "t"),
            ("BLOB", "'b'", "b"),
            ("MEDIUMBLOB", "'m'", "m"),
            ("LONGBLOB", "'a\\0b'", "a\0b"),
            ("ENUM('small', 'big')", "'big'", "big"),
            ("SET('a', 'b', 'c')", "'c,a'", "a,c"),
            ("JSON", "'{\"a\": [1, 2]}'", "{\"a\": [1, 2]}"),
            (
                "UUID",
                "'123e4567-e89b-12d3-a456-426655440000'",
                "123e4567-e89b-12d3-a456-426655440000",
            ),
            ("INET6", "'2001:db8::1'", "2001:db8::1"),
            ("INET4", "'10.0.0.1'", "10.0.0.1"),
        ],
    );
}

#[test]
fn every_type_of_postgresql_has_its_text() {
    types(
        Engine::PostgreSql,
        "CREATE TYPE size AS ENUM ('small', 'big'); CREATE TYPE pair AS (a int, b text); \
         CREATE DOMAIN plan AS text CHECK (value <> ''); SET timezone = '+2'; SET datestyle = 'German'",
        &[
            ("boolean", "true", "true"),
            ("boolean", "false", "false"),
            ("smallint", "-32768", "-32768"),
            ("integer", "42", "42"),
            ("bigint", "9223372036854775807", "9223372036854775807"),
            ("numeric(10,3)", "1.5", "1.500"),
            ("numeric", "1.10", "1.10"),
            ("real", "0.1", "0.1"),
            ("double precision", "1e20", "1e+20"),
            ("double precision", "'NaN'", "NaN"),
            ("money", "1.5", "$1.50"),
            ("char(5)", "'a'", "a"),
            ("varchar(20)", "'grün'", "grün"),
            ("text", "'日本 🎉'", "日本 🎉"),
            ("name", "'n'", "n"),
            ("\"char\"", "'c'", "c"),
            ("bytea", "'\\x00ff'", "\\x00ff"),
            ("date", "'2026-01-02'", "2026-01-02"),
            ("time", "'03:04:05'", "03:04:05"),
            ("timetz", "'03:04:05+02'", "03:04:05+02"),
            (
                "timestamp",
                "'2026-01-02 03:04:05.5'",
                "2026-01-02 03:04:05.5",
            ),
            (
                "timestamptz",
                "'2026-01-02 03:04:05+02'",
                "2026-01-02 01:04:05+00",
            ),
            ("interval", "'1 day 2 hours'", "1 day 02:00:00"),
            (
                "uuid",
                "'123e4567-e89b-12d3-a456-426655440000'",
                "123e4567-e89b-12d3-a456-426655440000",
            ),
            ("json", "'{\"b\": 1,  \"a\": 2}'", "{\"b\": 1,  \"a\": 2}"),
            ("jsonb", "'{\"b\": 1,  \"a\": 2}'", "{\"a\": 2, \"b\": 1}"),
            ("jsonpath", "'$.a'", "$.\"a\""),
            ("xml", "'<a/>'", "<a/>"),
            ("inet", "'10.0.0.1'", "10.0.0.1/32"),
            ("cidr", "'10.0.0.0/8'", "10.0.0.0/8"),
            ("macaddr", "'08:00:2b:01:02:03'", "08:00:2b:01:02:03"),
            (
                "macaddr8",
                "'08:00:2b:01:02:03:04:05'",
                "08:00:2b:01:02:03:04:05",
            ),
            ("bit(3)", "B'101'", "101"),
            ("varbit", "B'10'", "10"),
            ("int[]", "'{1,NULL,3}'", "{1,NULL,3}"),
            ("text[]", "ARRAY['a b', 'c']", "{\"a b\",c}"),
            ("point", "'(1,2)'", "(1,2)"),
            ("line", "'{1,2,3}'", "{1,2,3}"),
            ("lseg", "'[(0,0),(1,1)]'", "[(0,0),(1,1)]"),
            ("box", "'(1,1),(0,0)'", "(1,1),(0,0)"),
            ("path", "'[(0,0),(1,1)]'", "[(0,0),(1,1)]"),
            ("polygon", "'((0,0),(1,1))'", "((0,0),(1,1))"),
            ("circle", "'<(0,0),1>'", "<(0,0),1>"),
            ("tsvector", "'b a'", "'a' 'b'"),
            ("tsquery", "'a & b'", "'a' & 'b'"),
            ("int4range", "'[1,2]'", "[1,3)"),
            ("int4multirange", "'{[1,2]}'", "{[1,3)}"),
            (
                "daterange",
                "'[2026-01-01,2026-01-02]'",
                "[2026-01-01,2026-01-03)",
            ),
            ("oid", "42", "42"),
            ("regclass", "'pg_class'", "pg_class"),
            ("pg_lsn", "'16/B374D848'", "16/B374D848"),
            ("size", "'big'", "big"),
            ("pair", "ROW(1, 'x y')", "(1,\"x y\")"),
            ("plan", "'p'", "p"),
        ],
    );
}

#[test]
fn every_storage_class_of_sqlite_has_its_text() {
    types(
        Engine::Sqlite,
        "SELECT 1",
        &[
            ("INTEGER", "42", "42"),
            ("INTEGER", "-9223372036854775808", "-9223372036854775808"),
            ("REAL", "1.5", "1.5"),
            ("REAL", "2", "2.0"),
            ("REAL", "1e20", "1.0e+20"),
            ("NUMERIC", "2.0", "2"),
            ("BOOLEAN", "TRUE", "1"),
            ("TEXT", "'日本 🎉'", "日本 🎉"),
            ("TEXT", "42", "42"),
            ("TEXT", "'a' || char(0) || 'b'", "a\0b"),
            ("BLOB", "x'616263'", "abc"),
            ("DATETIME", "'2026-01-02 03:04:05'", "2026-01-02 03:04:05"),
            ("JSON", "'{\"a\": 1}'", "{\"a\": 1}"),
        ],
    );
}

#[test]
fn a_bad_cell_is_its_rows_problem_and_no_others() {
    each(
        |engine| {
            let (text, bytes, one, large) = match engine {
                Engine::MariaDb => ("LONGTEXT", "LONGBLOB", "x'61ff62'", "REPEAT('x', 1048577)"),
                Engine::PostgreSql => ("text", "text", "NULL", "repeat('x', 1048577)"),
                Engine::Sqlite => ("TEXT", "BLOB", "x'61ff62'", "printf('%.*c', 1048577, 'x')"),
            };
            let fits = large.replace("1048577", "1048000");
            let half = large.replace("1048577", "600000");
            format!(
                "CREATE TABLE t (id VARCHAR(10), active INT, a {text}, b {bytes}); INSERT INTO t VALUES \
                 ('1', 1, 'fine', 'fine'), ('2', 1, {large}, ''), ('3', 1, {fits}, ''), ('4', 1, {half}, {half}), \
                 ('5', 1, '', {one}), ('6', 1, 'tab\tline\nbell\u{7}esc\u{1b}[0m\u{202e}', '')"
            )
        },
        |database| {
            let found = rows(database, "t", "a: a, b: b");
            let faults: Vec<Option<Fault>> = found.iter().map(|row| row.fault.clone()).collect();
            let encoding = Fault::Encoding { column: "b".into() };
            // PostgreSQL has no such text.
            let encoding = (database.engine != Engine::PostgreSql).then_some(encoding);
            let cell = Some(Fault::Cell { column: "a".into() });
            assert_eq!(faults, [None, cell, None, Some(Fault::Row), encoding, None]);
            assert_eq!(found[2].values[2].len(), 1_048_000);
            assert_eq!(
                found[5].values[2],
                "tab\tline\nbell\u{7}esc\u{1b}[0m\u{202e}"
            );
            let run = test_connection(&database.hub("t", "", "a: a, b: b"), &[]).succeeds();
            assert!(!run.stdout.contains('\u{1b}'));
        },
    );
}

#[test]
fn changes_are_all_pairs_and_the_rows_since() {
    each(
        |engine| {
            let moment = match engine {
                Engine::MariaDb => "DATETIME",
                Engine::PostgreSql => "timestamptz",
                Engine::Sqlite => "TEXT",
            };
            format!(
                "CREATE TABLE t (id VARCHAR(10), active INT, x VARCHAR(10), changed {moment}); INSERT INTO t VALUES \
                 ('old', 1, 'a', '2026-01-01 00:00:00'), ('within', 1, 'b', '2026-01-02 00:00:00'), \
                 ('new', 0, 'c', '2026-01-02 00:10:00'), ('unknown', 1, 'd', NULL)"
            )
        },
        |database| {
            let hub = hub(&database.hub("t", "", "x: x"));
            let (mut pairs, mut rows) = (Vec::new(), Vec::new());
            let since = Since {
                column: "changed",
                time: "2026-01-02T00:01:00Z".parse().expect("a time"),
                overlap: Duration::from_mins(1),
            };
            let source = open(&hub);
            let now = wait(source.changed(
                &hub.mappings,
                since,
                |pair| pairs.push((pair.uid, pair.activate)),
                |row| rows.push(row.values),
            ));
            let apart = now.expect("changes").as_second() - jiff::Timestamp::now().as_second();
            assert!(apart.abs() < 60, "{apart}");
            let pairs: Vec<(&str, &str)> = pairs
                .iter()
                .map(|(u, a)| (u.as_str(), a.as_str()))
                .collect();
            assert_eq!(
                pairs,
                [
                    ("new", "0"),
                    ("old", "1"),
                    ("unknown", "1"),
                    ("within", "1")
                ]
            );
            assert_eq!(
                rows,
                [
                    ["new", "0", "c"],
                    ["unknown", "1", "d"],
                    ["within", "1", "b"]
                ]
            );
        },
    );
}

// Connections

#[test]
fn connections_are_kept_and_never_more_than_allowed() {
    for engine in [Engine::MariaDb, Engine::PostgreSql] {
        let folder = tempfile::tempdir().expect("a folder");
        let database = Database::new(engine, folder.path());
        database.execute(TENANTS);
        let hub = hub(&database.hub("tenants", "maxOpenConns: 3, maxIdleConns: 2", ""));
        let source = open(&hub);
        let open = || {
            let statement = match engine {
                Engine::MariaDb => format!(
                    "SELECT COUNT(*) FROM information_schema.processlist WHERE user = 'reader' AND db = '{}'",
                    database.name
                ),
                _ => format!(
                    "SELECT count(*) FROM pg_stat_activity WHERE usename = 'reader' AND datname = '{}'",
                    database.name
                ),
            };
            let text = Server::shared(engine).execute("", &statement);
            text.trim().parse::<usize>().expect("a number")
        };
        wait(async {
            for _ in 0..3 {
                let reads: Vec<_> = (0..8).map(|_| read(&source, &hub.mappings)).collect();
                for rows in futures::future::join_all(reads).await {
                    assert_eq!(rows.expect("rows").len(), 5);
                }
                assert!((1..=3).contains(&open()), "{engine:?}: {}", open());
            }
            // What isn't kept goes at once.
            let until = Instant::now() + Duration::from_secs(10);
            while open() > 2 {
                assert!(Instant::now() < until, "{engine:?}: {}", open());
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
    }
}

#[test]
fn a_wrong_password_is_refused_and_never_shown() {
    for engine in [Engine::MariaDb, Engine::PostgreSql] {
        let folder = tempfile::tempdir().expect("a folder");
        let database = Database::new(engine, folder.path());
        database.execute(TENANTS);
        let sandbox = Sandbox::new();
        sandbox.write("hub.yaml", database.hub("tenants", "", ""));
        let mut command = sandbox.command(["tenant", "test-connection", "hub.yaml", "-vv"]);
        command.env("DB_PASSWORD", "wr0ng-canary");
        let run = sandbox.finish(&mut command, None).fails(4, "E0702");
        assert!(!run.stderr.contains("wr0ng-canary"), "{run}");
        let run = test_connection(&database.hub("tenants", "username: nobody", ""), &[]);
        run.fails(4, "E0702");
    }
}

/// What a mode makes of a server: the protocol's presence and what is verified, or an error's code.
#[track_caller]
fn reached(server: &'static Server, more: &str) -> String {
    let database = Database::on(server);
    database.execute(TENANTS);
    let sandbox = Sandbox::new();
    for file in ["ca.pem", "other.pem", "client.pem", "client.key"] {
        let text = std::fs::read(certificates().join(file)).expect("a certificate");
        sandbox.write(file, text);
    }
    sandbox.write("hub.yaml", database.hub("tenants", more, ""));
    let run = run_in(&sandbox, &["-o", "json"]);
    if run.code == Some(0) {
        let tls = &run.json()["items"][0]["tls"];
        return match tls["protocol"].as_str() {
            Some(protocol) => {
                assert_eq!(protocol, "TLSv1.3");
                tls["verified"].as_str().expect("a word").to_owned()
            }
            None => "open".to_owned(),
        };
    }
    let error: Value = serde_json::from_str(run.stderr.lines().last().unwrap_or_default())
        .or_else(|_| serde_json::from_str(&run.stderr[run.stderr.find('{').unwrap_or(0)..]))
        .unwrap_or_else(|error| panic!("{error}: {run}"));
    error["code"].as_str().expect("a code").to_owned()
}

/// Tries each mode against each certificate. Columns: the server's certificate is of the authority;
/// of another one; of the authority for another host; the server has no TLS.
fn modes(engine: Engine, table: &[(&str, [&str; 4])]) {
    for (mode, expected) in table {
        let cases = [
            (Server::shared(engine), "ca.pem", "localhost"),
            (Server::shared(engine), "other.pem", "localhost"),
            (Server::shared(engine), "ca.pem", "127.0.0.1"),
            (Server::plain(engine), "ca.pem", "localhost"),
        ];
        for ((server, root, host), expected) in cases.into_iter().zip(expected) {
            let more = format!("host: {host}, sslMode: {mode}, sslRootCertRef: {{file: {root}}}");
            assert_eq!(
                reached(server, &more),
                *expected,
                "{engine:?} {mode} {root} {host}"
            );
        }
    }
}

#[test]
fn the_modes_of_postgresql_are_those_of_libpq() {
    modes(
        Engine::PostgreSql,
        &[
            ("disable", ["open", "open", "open", "open"]),
            ("allow", ["open", "open", "open", "open"]),
            ("prefer", ["authority", "open", "authority", "open"]),
            ("require", ["authority", "E0701", "authority", "E0701"]),
            ("verify-ca", ["authority", "E0701", "authority", "E0701"]),
            ("verify-full", ["host", "E0701", "E0701", "E0701"]),
        ],
    );
    // Without an authority nothing is verified.
    for (mode, expected) in [("prefer", "nothing"), ("require", "nothing")] {
        let more = format!("sslMode: {mode}");
        assert_eq!(reached(Server::shared(Engine::PostgreSql), &more), expected);
    }
    // Who the server wants with TLS only gets it in the mode `allow`, and the reverse.
    let of = |user: &str, mode: &str| {
        let more = format!("username: {user}, sslMode: {mode}");
        reached(Server::shared(Engine::PostgreSql), &more)
    };
    assert_eq!(of("secure", "disable"), "E0702");
    assert_eq!(of("secure", "allow"), "nothing");
    assert_eq!(of("open", "require"), "E0702");
    assert_eq!(of("open", "prefer"), "open");
}

#[test]
fn the_modes_of_mariadb_are_those_of_mysql() {
    modes(
        Engine::MariaDb,
        &[
            ("disabled", ["open", "open", "open", "open"]),
            ("preferred", ["nothing", "nothing", "nothing", "open"]),
            ("required", ["nothing", "nothing", "nothing", "E0701"]),
            ("verify-ca", ["authority", "E0701", "authority", "E0701"]),
            ("verify-identity", ["host", "E0701", "E0701", "E0701"]),
        ],
    );
    let secure = "username: secure, sslMode: disabled";
    assert_eq!(reached(Server::shared(Engine::MariaDb), secure), "E0702");
    let secure = "username: secure, sslMode: required";
    assert_eq!(reached(Server::shared(Engine::MariaDb), secure), "nothing");
}

#[test]
fn a_client_certificate_lets_in_who_has_no_password() {
    for (engine, mode) in [
        (Engine::MariaDb, "verify-identity"),
        (Engine::PostgreSql, "verify-full"),
    ] {
        let server = Server::shared(engine);
        let root = format!(
            "username: certified, passwordRef: null, sslMode: {mode}, sslRootCertRef: {{file: ca.pem}}"
        );
        let pair = "sslCertRef: {file: client.pem}, sslKeyRef: {file: client.key}";
        assert_eq!(
            reached(server, &format!("{root}, {pair}")),
            "host",
            "{engine:?}"
        );
        assert_eq!(reached(server, &root), "E0702", "{engine:?}");
    }
}

#[test]
fn passwords_are_proved_as_the_server_wants_and_clear_ones_only_under_tls() {
    let of = |user: &str, mode: &str| {
        let more = format!("username: {user}, sslMode: {mode}");
        reached(Server::shared(Engine::PostgreSql), &more)
    };
    // SCRAM-SHA-256, md5, and the password as it is.
    for user in ["reader", "old", "clear"] {
        assert_eq!(of(user, "require"), "nothing", "{user}");
    }
    for user in ["reader", "old"] {
        assert_eq!(of(user, "disable"), "open", "{user}");
    }
    assert_eq!(of("clear", "disable"), "E0701");
}

// Faults

const MANY: usize = 100_000;

/// A view of many rows, which are made when they are read.
fn many(engine: Engine, width: usize) -> String {
    match engine {
        Engine::MariaDb => format!(
            "CREATE VIEW many AS SELECT seq AS id, 1 AS active, REPEAT('x', {width}) AS pad FROM seq_1_to_{MANY}"
        ),
        Engine::PostgreSql => format!(
            "CREATE VIEW many AS SELECT id, 1 AS active, repeat('x', {width}) AS pad FROM \
             generate_series(1, {MANY}) AS id"
        ),
        Engine::Sqlite => format!(
            "CREATE VIEW many AS WITH RECURSIVE s(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM s WHERE id < {MANY}) \
             SELECT id, 1 AS active, printf('%.*c', {width}, 'x') AS pad FROM s"
        ),
    }
}

#[test]
fn many_rows_are_read_in_little_memory() {
    each(
        |engine| many(engine, 1000),
        |database| {
            let sandbox = Sandbox::new();
            sandbox.write(
                "hub.yaml",
                database.hub("many", "queryTimeout: 2m", "pad: pad"),
            );
            // 100 MB of rows, with less than that for everything.
            let script = "ulimit -d 81920; exec \"$@\"";
            let program = [
                "-c",
                script,
                "sh",
                crate::support::WEFTCTL,
                "tenant",
                "test-connection",
            ];
            let mut command = sandbox.command_of("sh", program);
            command
                .args(["hub.yaml", "-o", "json"])
                .env("DB_PASSWORD", PASSWORD);
            let run = sandbox.finish(&mut command, None).succeeds();
            let many = MANY as u64;
            assert_eq!(counts(&run), [many, many, 0, 0]);
        },
    );
}

#[test]
fn a_statement_that_takes_too_long_is_given_up() {
    each(
        |engine| match engine {
            Engine::MariaDb => "CREATE VIEW slow AS SELECT SLEEP(60) AS id, 1 AS active".to_owned(),
            Engine::PostgreSql => {
                "CREATE VIEW slow AS SELECT pg_sleep(60)::text AS id, 1 AS active".to_owned()
            }
            Engine::Sqlite => many(engine, 1)
                .replace("many", "slow")
                .replace("100000", "1000000000"),
        },
        |database| {
            let began = Instant::now();
            let run = test_connection(&database.hub("slow", "queryTimeout: 500ms", ""), &[]);
            let run = run.fails(7, "E0705");
            assert!(run.stderr.contains("queryTimeout"), "{run}");
            assert!(began.elapsed() < Duration::from_secs(20));
        },
    );
}

/// Reads many rows, does something to the server in the middle, and returns how that ends.
fn disturbed(
    server: &Server,
    name: &str,
    mut disturb: impl FnMut() + Send,
) -> (usize, Error, Duration) {
    let text = format!(
        "apiVersion: operator.lynq.sh/v1\nkind: LynqHub\nmetadata: {{name: shop}}\nspec:\n  source: {{type: {0}, \
         {0}: {{host: localhost, port: {1}, username: reader, database: {name}, table: many, queryTimeout: 8s, \
         maxIdleConns: 1}}}}\n  valueMappings: {{uid: id, activate: active}}\n  extraValueMappings: {{pad: pad}}\n",
        server.engine.name(),
        server.port
    );
    let hub = hub(&text);
    let source = open(&hub);
    let mut count = 0;
    let began = Instant::now();
    let outcome = wait(source.rows(&hub.mappings, |_| {
        count += 1;
        if count == 1000 {
            disturb();
        }
        ControlFlow::Continue(())
    }));
    (count, outcome.expect_err("a broken read"), began.elapsed())
}

#[test]
fn a_read_whose_connection_is_ended_by_the_server_is_an_error() {
    for engine in [Engine::MariaDb, Engine::PostgreSql] {
        let folder = tempfile::tempdir().expect("a folder");
        let database = Database::new(engine, folder.path());
        database.execute(&many(engine, 1000));
        let server = Server::shared(engine);
        let name = database.name.clone();
        let (count, error, _) = disturbed(server, &name, || {
            let statement = match engine {
                Engine::MariaDb => {
                    let list = format!(
                        "SELECT id FROM information_schema.processlist WHERE user = 'reader' AND db = '{name}'"
                    );
                    let id = server.execute("", &list);
                    format!("KILL {}", id.trim())
                }
                _ => format!(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'reader' AND datname = \
                     '{name}'"
                ),
            };
            server.execute("", &statement);
        });
        assert!((1000..MANY).contains(&count), "{engine:?}: {count}");
        assert!(
            matches!(error.problem, Problem::BrokenOff { .. }),
            "{engine:?}: {error:?}"
        );
    }
}

#[test]
fn a_server_that_stops_answering_or_dies_in_the_middle_is_an_error_in_time() {
    for engine in [Engine::MariaDb, Engine::PostgreSql] {
        for signal in ["STOP", "KILL"] {
            let server = Server::own(engine);
            server.execute("", "CREATE DATABASE faults");
            server.execute("faults", &many(engine, 1000));
            if engine == Engine::PostgreSql {
                server.execute("faults", "GRANT SELECT ON many TO public");
            }
            let pid = server.pid().to_string();
            let (count, error, took) = disturbed(&server, "faults", || {
                // A session of PostgreSQL is a process of its own, below the server's.
                let children = ["-P", &pid, ""];
                if engine == Engine::PostgreSql {
                    let mut command = std::process::Command::new("pkill");
                    command.arg(format!("-{signal}")).args(&children[..2]);
                    assert!(command.status().expect("pkill").success());
                }
                let mut command = std::process::Command::new("kill");
                let status = command.args(["-s", signal, &pid]).status();
                assert!(status.expect("kill").success());
            });
            assert!(
                (1000..MANY).contains(&count),
                "{engine:?} {signal}: {count}"
            );
            assert!(
                took < Duration::from_secs(60),
                "{engine:?} {signal}: {took:?}"
            );
            match (signal, &error.problem) {
                ("STOP", Problem::QueryTimeout { .. }) | ("KILL", Problem::BrokenOff { .. }) => {}
                other => panic!("{engine:?}: {other:?}"),
            }
        }
    }
}

#[test]
fn nobody_at_the_address_is_an_error_of_its_own() {
    for (engine, port) in [("mysql", 1), ("postgresql", 1)] {
        let hub = format!(
            "apiVersion: operator.lynq.sh/v1\nkind: LynqHub\nmetadata: {{name: shop}}\nspec:\n  source: {{type: \
             {engine}, {engine}: {{host: 127.0.0.1, port: {port}, username: r, database: d, table: t}}}}\n  \
             valueMappings: {{uid: id, activate: active}}\n"
        );
        let run = test_connection(&hub, &[]).fails(8, "E0700");
        assert!(run.stderr.contains("127.0.0.1:1/d"), "{run}");
        // One that accepts and says nothing.
        let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = silent.local_addr().expect("an address").port();
        let hub = hub.replace("port: 1,", &format!("port: {port}, connectTimeout: 300ms,"));
        let run = test_connection(&hub, &[]).fails(8, "E0700");
        assert!(run.stderr.contains("did not answer within 300ms"), "{run}");
    }
}

// Where passwords come from, and how they are proved

#[test]
fn caching_sha2_passwords_are_proved_in_full_over_tls_and_by_rsa_and_then_by_hash() {
    use std::{
        io::{BufRead, BufReader},
        process::{Command, Stdio},
    };
    for mode in ["required", "disabled"] {
        let mut child = Command::new(tools::tools().join("mysql-server"))
            .arg(PASSWORD)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("mysql-server: run ./tests/tools");
        let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let port = lines.next().expect("a line").expect("text");
        let hub = format!(
            "apiVersion: operator.lynq.sh/v1\nkind: LynqHub\nmetadata: {{name: shop}}\nspec:\n  source: {{type: mysql, \
             mysql: {{host: localhost, port: {port}, username: reader, passwordRef: {{env: DB_PASSWORD}}, database: \
             d, table: t, sslMode: {mode}}}}}\n  valueMappings: {{uid: id, activate: active}}\n"
        );
        for _ in 0..2 {
            let run = test_connection(&hub, &["-o", "json"]).succeeds();
            assert_eq!(counts(&run), [1, 1, 0, 0]);
            assert_eq!(run.json()["items"][0]["version"], "MySQL 8.0.40");
        }
        let sandbox = Sandbox::new();
        sandbox.write("hub.yaml", &hub);
        let mut command = sandbox.command(["tenant", "test-connection", "hub.yaml"]);
        command.env("DB_PASSWORD", "wrong");
        sandbox.finish(&mut command, None).fails(4, "E0702");
        drop(child.stdin.take());
        child.wait().expect("it ends");
        let shown: Vec<String> = lines.map(|line| line.expect("text")).collect();
        assert_eq!(shown, ["full authentication"], "{mode}");
    }
}

#[test]
fn a_password_is_read_from_a_secret_of_the_cluster() {
    let place = Place::new();
    let folder = tempfile::tempdir().expect("a folder");
    let database = Database::new(Engine::PostgreSql, folder.path());
    database.execute(TENANTS);
    let namespace = place.namespace.as_str();
    let literal = format!("--from-literal=password={PASSWORD}");
    let create = [
        "-n", namespace, "create", "secret", "generic", "db", &literal,
    ];
    place.server.kubectl(&create, "");
    let run = |reference: &str, more: &[&str]| {
        let hub = database.hub("tenants", &format!("passwordRef: {{{reference}}}"), "");
        place.sandbox.write("hub.yaml", hub);
        let mut command = place
            .sandbox
            .command(["tenant", "test-connection", "hub.yaml"]);
        command
            .args(["--context", "sandbox", "-n", namespace])
            .args(more);
        command.env("KUBECONFIG", &place.server.kubeconfig);
        place.sandbox.finish(&mut command, None)
    };
    let found = run("name: db, key: password", &["-o", "json"]).succeeds();
    assert_eq!(counts(&found), [5, 1, 1, 3]);
    assert!(!found.stdout.contains(PASSWORD) && !found.stderr.contains(PASSWORD));
    let wrong = run("name: db, key: pasword", &[]).fails(4, "E0708");
    assert!(
        wrong.stderr.contains("did you mean \"password\"?"),
        "{wrong}"
    );
    run("name: other, key: password", &[]).fails(5, "E0520");
}

#[test]
fn over_a_server_the_callers_password_and_paths_count() {
    let folder = tempfile::tempdir().expect("a folder");
    let database = Database::new(Engine::MariaDb, folder.path());
    database.execute(TENANTS);
    let sandbox = Sandbox::new();
    sandbox.write("hub.yaml", database.hub("tenants", "", ""));
    sandbox.start_server();
    let run = run_in(&sandbox, &["--server", "local", "-o", "json"]).succeeds();
    assert_eq!(counts(&run), [5, 1, 1, 3]);
    let file = Database::new(Engine::Sqlite, sandbox.folder());
    file.execute(TENANTS);
    let hub = file.hub("tenants", "", "").replace(&file.name, "rows.db");
    sandbox.write("hub.yaml", hub);
    let run = run_in(&sandbox, &["--server", "local", "-o", "json"]).succeeds();
    assert_eq!(counts(&run), [5, 1, 1, 3]);
}
