use std::time::Duration;

use super::{Engine, Hub, Reference, Source, Table, TlsMode, quoted};
use crate::check::{Finding, Severity};
use crate::path::Path;
use crate::resource::Origin;
use crate::yaml;

fn read(text: &str) -> (Option<Hub>, Vec<Finding>) {
    let value = yaml::parse_one(text, &yaml::Limits::STREAM).unwrap();
    assert!(Hub::is_hub(&value));
    let origin = Origin {
        file: "hub.yaml".into(),
        line: Some(1),
        inside: Path::root(),
        part: None,
    };
    Hub::read(&value, &origin)
}

/// A hub with further lines in the block of its database, whose type these lines follow.
fn hub(source: &str) -> String {
    format!(
        "apiVersion: operator.lynq.sh/v1\nkind: LynqHub\nmetadata: {{name: shop}}\nspec:\n  source:\n{source}\n  \
         valueMappings: {{uid: id, activate: active}}\n"
    )
}

fn mysql(more: &str) -> String {
    hub(&format!(
        "    type: mysql\n    mysql: {{host: db, username: reader, database: shop, table: tenants{more}}}"
    ))
}

fn postgresql(more: &str) -> String {
    hub(&format!(
        "    type: postgresql\n    postgresql: {{host: db, username: reader, database: shop, table: tenants{more}}}"
    ))
}

/// The findings as `path: message [hint]`.
fn problems(text: &str) -> Vec<String> {
    let (hub, findings) = read(text);
    let is_broken = findings.iter().any(|f| f.severity == Severity::Error);
    assert_eq!(hub.is_none(), is_broken, "{findings:?}");
    let shown = |finding: Finding| {
        assert_eq!(finding.file.as_deref(), Some("hub.yaml"));
        let hint = finding.hint.map(|hint| format!(" [{hint}]"));
        let path = finding.path.unwrap_or_default();
        format!("{path}: {}{}", finding.message, hint.unwrap_or_default())
    };
    findings.into_iter().map(shown).collect()
}

fn server(text: &str) -> super::Server {
    match read(text) {
        (Some(hub), findings) => {
            assert_eq!(findings, []);
            match hub.source {
                Source::MySql(server) | Source::PostgreSql(server) => server,
                Source::Sqlite(_) => panic!("a file"),
            }
        }
        (None, findings) => panic!("{findings:?}"),
    }
}

#[test]
fn a_hub_is_read_under_its_old_and_its_new_name() {
    let new = mysql(", passwordRef: {name: db, key: password}");
    let old = new
        .replace("operator.lynq.sh", "operator.kubernetes-tenants.org")
        .replace("LynqHub", "TenantRegistry");
    let set = new
        .replace("operator.lynq.sh", "weftctl.dev")
        .replace("LynqHub", "TenantSet");
    let (hub, findings) = read(&new);
    assert_eq!(findings, []);
    let hub = hub.unwrap();
    for (text, kind) in [
        (old, "TenantRegistry"),
        (format!("{set}  forms: {{}}\n"), "TenantSet"),
    ] {
        let (other, findings) = read(&text);
        assert_eq!(findings, []);
        let expected = Hub {
            subject: format!("{kind}/shop"),
            ..hub.clone()
        };
        assert_eq!(other, Some(expected));
    }
    // Forms in a hub of another kind are of no use.
    let (_, findings) = read(&format!("{new}  forms: {{}}\n"));
    assert_eq!(findings[0].message, "unknown field \"forms\"");
    assert_eq!(hub.sync_interval, Duration::from_secs(30));
    assert_eq!(hub.mappings.columns(), ["id", "active"]);
    let Source::MySql(server) = &hub.source else {
        panic!("{:?}", hub.source)
    };
    assert_eq!((server.port, server.tls.mode), (3306, TlsMode::Prefer));
    assert_eq!((server.pool.max_open, server.pool.max_idle), (25, 5));
    assert_eq!(server.connect_timeout, Duration::from_secs(5));
    assert_eq!(server.query_timeout, Duration::from_secs(30));
    let password = Reference::Secret {
        name: "db".into(),
        key: "password".into(),
    };
    assert_eq!(hub.source.credentials(), [&password]);
}

#[test]
fn everything_that_a_hub_may_say_is_read() {
    let text = "apiVersion: operator.lynq.sh/v1\nkind: LynqHub\n\
                metadata: {name: shop, namespace: tenants}\nspec:\n  source:\n    type: postgresql\n    \
                syncInterval: 5m\n    updatedAtColumn: changed\n    updatedAtOverlap: 2m\n    \
                fullInterval: 1h\n    postgresql:\n      host: db\n      port: 6432\n      username: r\n      \
                passwordRef: {env: PASSWORD}\n      database: d\n      schema: s\n      table: t\n      \
                sslMode: verify-full\n      sslRootCertRef: {name: ca, key: ca.crt, kind: ConfigMap}\n      \
                sslCertRef: {file: client.crt}\n      sslKeyRef: {name: client, key: tls.key}\n      \
                maxOpenConns: 3\n      maxIdleConns: 9\n      connMaxLifetime: 1m\n      \
                connectTimeout: 1s\n      queryTimeout: 2s\n  \
                valueMappings: {uid: id, activate: active}\n  \
                extraValueMappings: {plan: tier, size: tier, name: id}\n";
    let (hub, findings) = read(text);
    assert_eq!(findings, []);
    let hub = hub.unwrap();
    assert_eq!(hub.namespace.as_deref(), Some("tenants"));
    assert_eq!(hub.mappings.columns(), ["id", "active", "tier"]);
    assert_eq!(hub.full_interval, Some(Duration::from_hours(1)));
    let updated_at = hub.updated_at.unwrap();
    assert_eq!(
        (updated_at.column.as_str(), updated_at.overlap),
        ("changed", Duration::from_mins(2))
    );
    let Source::PostgreSql(server) = hub.source else {
        panic!("{:?}", hub.source)
    };
    assert_eq!(server.table.quoted(Engine::PostgreSql), "\"s\".\"t\"");
    assert_eq!(server.tls.mode, TlsMode::VerifyFull);
    assert_eq!(server.password, Some(Reference::Env("PASSWORD".into())));
    // No more are kept than there may be.
    assert_eq!((server.pool.max_open, server.pool.max_idle), (3, 3));
    let root = Reference::ConfigMap {
        name: "ca".into(),
        key: "ca.crt".into(),
    };
    assert_eq!(server.tls.root, Some(root));
}

#[track_caller]
fn check(cases: &[(String, &[&str])]) {
    for (text, expected) in cases {
        assert_eq!(problems(text), *expected, "{text}");
    }
}

#[test]
fn each_mistake_is_named_with_its_field() {
    let cases: &[(String, &[&str])] = &[
        (
            mysql(", hots: x, port: 0"),
            &[
                "spec.source.mysql.port: 0 is not a whole number from 1 to 65535",
                "spec.source.mysql.hots: unknown field \"hots\" [did you mean \"host\"?]",
            ],
        ),
        (
            hub("    type: mysql\n    mysql: {host: '', port: '1', username: r, table: t}"),
            &[
                "spec.source.mysql.host: host is empty",
                "spec.source.mysql.port: expected a number, found a text",
                "spec.source.mysql: missing field \"database\"",
            ],
        ),
        (
            hub("    type: mysqll\n    mysql: {}"),
            &[
                "spec.source.type: \"mysqll\" is not allowed, only mysql, postgresql, sqlite [did you mean \
               \"mysql\"?]",
            ],
        ),
        (
            hub("    type: sqlite\n    sqlite: {path: a.db, table: t}\n    mysql: {}"),
            &["spec.source.mysql: the type is sqlite, so mysql is never read"],
        ),
        (
            hub(
                "    type: sqlite\n    syncInterval: 1h30m\n    sqlite: {path: a.db, table: a.b.c}",
            ),
            &[
                "spec.source.syncInterval: \"1h30m\" is not a number of s, m or h, such as 30s",
                "spec.source.sqlite.table: a table is NAME or SCHEMA.NAME; quote a name that has a dot",
            ],
        ),
        (
            hub("    type: sqlite\n    fullInterval: 1h\n    sqlite: {path: a.db, table: t}"),
            &[
                "spec.source.fullInterval: fullInterval says something of updatedAtColumn, which is not given",
            ],
        ),
    ];
    check(cases);
}

#[test]
fn each_mistake_about_safety_and_each_deprecation_is_named() {
    let cases: &[(String, &[&str])] = &[
        (
            mysql(", sslMode: verify-full"),
            &[
                "spec.source.mysql.sslMode: \"verify-full\" is not allowed, only disabled, preferred, required, \
               verify-ca, verify-identity",
            ],
        ),
        (
            postgresql(", sslMode: verify-full"),
            &[
                "spec.source.postgresql.sslMode: verify-full verifies by an authority, and none is given [name \
               its certificate with sslRootCertRef]",
            ],
        ),
        (
            postgresql(", sslCertRef: {file: a}, schema: a, table: b.c")
                .replace("table: tenants, ", ""),
            &[
                "spec.source.postgresql.table: the table names the schema \"b\", and so does schema",
                "spec.source.postgresql.sslCertRef: sslCertRef goes together with sslKeyRef, which is not given",
            ],
        ),
        (
            mysql(", passwordRef: {name: a, file: b}"),
            &[
                "spec.source.mysql.passwordRef: passwordRef names one place: {name, key}, {file: PATH} or \
               {env: NAME}",
            ],
        ),
        (
            mysql(", passwordRef: {name: a}"),
            &["spec.source.mysql.passwordRef: missing field \"key\""],
        ),
        (
            // A password is no setting.
            mysql(", passwordRef: {name: a, key: b, kind: ConfigMap}"),
            &["spec.source.mysql.passwordRef.kind: unknown field \"kind\""],
        ),
        (
            mysql("").replace("/v1\n", "/v2\n"),
            &["apiVersion: LynqHub is read in operator.lynq.sh/v1, not in \"operator.lynq.sh/v2\""],
        ),
        (
            mysql("").replace("activate: active", "hostOrUrl: host"),
            &[
                "spec.valueMappings: missing field \"activate\"",
                "spec.valueMappings.hostOrUrl: hostOrUrl is deprecated, and will not be read from 1.3.0 on [map \
                 the column yourself, extraValueMappings: {hostOrUrl: \"host\"}, and write {{ .hostOrUrl | toHost \
                 }} for {{ .host }}]",
            ],
        ),
        (
            "kind: LynqHub\napiVersion: operator.lynq.sh/v1\nmetadata: {name: a}\nspce: {}".into(),
            &[
                ": missing field \"spec\"",
                "spce: unknown field \"spce\" [did you mean \"spec\"?]",
            ],
        ),
    ];
    check(cases);
}

#[test]
fn a_deprecated_field_is_read_all_the_same() {
    let text = mysql("").replace("activate: active", "activate: active, hostOrUrl: host");
    let (hub, findings) = read(&text);
    assert_eq!(findings.len(), 1);
    let mappings = hub.unwrap().mappings;
    assert_eq!(mappings.columns(), ["id", "active", "host"]);
}

#[test]
fn an_authority_alone_makes_mysql_verify_and_postgresql_not() {
    let root = ", sslRootCertRef: {file: ca.pem}";
    assert_eq!(server(&mysql(root)).tls.mode, TlsMode::VerifyCa);
    assert_eq!(server(&postgresql(root)).tls.mode, TlsMode::Prefer);
}

#[test]
fn names_are_taken_apart_and_quoted() {
    let table = |text| Table::read(text, Engine::PostgreSql);
    let cases = [
        ("tenants", "\"tenants\""),
        ("a.b", "\"a\".\"b\""),
        ("\"a.b\"", "\"a.b\""),
        ("\"a\"\"b\".c", "\"a\"\"b\".\"c\""),
        ("we ird'; drop", "\"we ird'; drop\""),
        ("a`b", "\"a`b\""),
        ("mid\"dle", "\"mid\"\"dle\""),
    ];
    for (text, expected) in cases {
        let table = table(text).unwrap();
        assert_eq!(table.quoted(Engine::PostgreSql), expected, "{text}");
    }
    for text in [
        "", ".", "a.", ".a", "a.b.c", "\"a", "\"a\"b", "\"\"", "a\0b",
    ] {
        assert!(table(text).is_err(), "{text:?}");
    }
    assert_eq!(quoted("a`b", Engine::MySql), "`a``b`");
    let table = Table::read("shop.`ten``ants`", Engine::MySql).unwrap();
    assert_eq!(table.quoted(Engine::MySql), "`shop`.`ten``ants`");
}
