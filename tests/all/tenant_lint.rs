//! `tenant lint`: hubs and forms against real tables and all their rows.

use serde_json::Value;

use crate::support::{
    Run, Sandbox,
    databases::{Database, Engine, PASSWORD},
};

const FORM: &str = "apiVersion: operator.lynq.sh/v1
kind: LynqForm
metadata: {name: web}
spec:
  hubId: shop
  configMaps:
    - id: settings
      nameTemplate: '{{ .uid }}-settings'
      labelsTemplate: {plan: '{{ .plan }}'}
      spec: {apiVersion: v1, kind: ConfigMap, data: {seats: '{{ .seats }}'}}
";

struct Tenants {
    sandbox: Sandbox,
    database: Database,
}

impl Tenants {
    /// With a table, a hub that maps columns, and a form.
    fn new(engine: Engine, table: &str, columns: &str, form: &str) -> Self {
        let sandbox = Sandbox::new();
        let database = Database::new(engine, sandbox.folder());
        database.execute(table);
        sandbox.write("crm/hub.yaml", database.hub("tenants", "", columns));
        sandbox.write("crm/form.yaml", form);
        Self { sandbox, database }
    }

    fn lint(&self, more: &[&str]) -> Run {
        let mut command = self.sandbox.command(["tenant", "lint", "crm"]);
        command.args(more).env("DB_PASSWORD", PASSWORD);
        self.sandbox.finish(&mut command, None)
    }
}

/// The findings: place, rule, message.
fn findings(run: &Run) -> Vec<String> {
    let findings = run.json()["findings"].as_array().cloned().expect("a list");
    let findings = findings.iter().map(|finding| {
        let text = |key: &str| finding[key].as_str().unwrap_or_default();
        let place = format!("{}:{}:{}", text("file"), finding["line"], finding["column"]);
        format!(
            "{place} {} {}: {}",
            text("severity"),
            text("rule"),
            text("message")
        )
    });
    findings.collect()
}

const TABLE: &str =
    "CREATE TABLE tenants (id VARCHAR(60), active VARCHAR(10), plan VARCHAR(60), seats INT)";
const COLUMNS: &str = "plan: plan, seats: seats";

#[test]
fn what_is_right_is_valid_on_every_engine() {
    for engine in Engine::ALL {
        println!("{engine:?}");
        let tenants = Tenants::new(engine, TABLE, COLUMNS, FORM);
        tenants
            .database
            .execute("INSERT INTO tenants VALUES ('acme', '1', 'free', 5), ('bolt', '0', NULL, 1)");
        let run = tenants.lint(&["-o", "json"]).succeeds();
        let report = run.json();
        assert_eq!(report["valid"], true, "{run}");
        assert_eq!(report["rows"]["active"], 1, "{run}");
        assert_eq!(
            report["checked"],
            serde_json::json!(["LynqHub/shop", "LynqForm/web"])
        );
        let run = tenants.lint(&["--strict"]).succeeds();
        let said = "shop is valid: LynqHub/shop, LynqForm/web with 2 rows checked, 0 findings\n";
        assert_eq!(run.stdout, said, "{run}");
    }
}

#[test]
fn columns_that_are_missing_or_of_no_use_are_found_on_every_engine() {
    for engine in Engine::ALL {
        println!("{engine:?}");
        let bytes = match engine {
            Engine::PostgreSql => "BYTEA",
            _ => "BLOB",
        };
        let table = format!(
            "CREATE TABLE tenants (id VARCHAR(60), active DATE, plan VARCHAR(60), seats {bytes})"
        );
        let tenants = Tenants::new(engine, &table, "plan: plam, seats: seats, more: plan", FORM);
        let run = tenants.lint(&["-o", "json"]).fails(1, "");
        let found = findings(&run);
        let has = |parts: &[&str]| {
            let has = found
                .iter()
                .any(|found| parts.iter().all(|part| found.contains(part)));
            assert!(has, "{parts:?}\n{found:#?}");
        };
        has(&[
            "error missing-column",
            "the table tenants has no column \"plam\"",
        ]);
        has(&[
            "warning unfit-column",
            "\"seats\"",
            "whose values are bytes",
        ]);
        has(&[
            "warning unfit-column",
            "\"active\"",
            "no row will ever be active",
        ]);
        has(&["warning unused-mapping", "\"more\""]);
        assert_eq!(found.len(), 4, "{found:#?}");
        assert_eq!(run.json()["rows"], Value::Null);
        // Without the database only the last is known.
        let run = tenants.lint(&["-o", "json", "--offline"]).succeeds();
        assert_eq!(findings(&run).len(), 1, "{run}");
        tenants.lint(&["--offline", "--strict"]).fails(1, "");
    }
}

#[test]
fn what_templates_make_of_rows_is_said_with_the_row_and_the_line() {
    let tenants = Tenants::new(Engine::Sqlite, TABLE, COLUMNS, FORM);
    tenants.database.execute(
        "INSERT INTO tenants VALUES ('Acme_Inc', '1', 'free', 5), ('bolt', '1', 'not a label', 1), \
         ('crux', '1', 'a', 1), ('crux', '1', 'a', 1), ('', '1', 'a', 1), ('dash', 'active', 'a', 1)",
    );
    let run = tenants.lint(&["-o", "json"]).fails(1, "");
    let found = findings(&run);
    let expected = [
        "crm/form.yaml:8:21 error invalid-name: row \"Acme_Inc\": ",
        "crm/form.yaml:9:30 error invalid-label: row \"bolt\": ",
    ];
    for part in expected {
        assert!(
            found.iter().any(|found| found.starts_with(part)),
            "{part}\n{found:#?}"
        );
    }
    for part in [
        "row \"crux\": 2 rows have this uid",
        "row \"\": it has no uid",
        "says \"active\", which is neither yes nor no",
    ] {
        assert!(
            found.iter().any(|found| found.contains(part)),
            "{part}\n{found:#?}"
        );
    }
    assert_eq!(found.len(), 5, "{found:#?}");
    assert_eq!(run.json()["rows"]["invalid"], 3, "{run}");
    let junit = tenants.lint(&["-o", "junit"]).fails(1, "");
    assert!(
        junit.stdout.contains("tests=\"2\" failures=\"2\""),
        "{junit}"
    );
    let sarif = tenants.lint(&["-o", "sarif"]).fails(1, "");
    let sarif = sarif.json();
    assert_eq!(
        sarif["runs"][0]["results"].as_array().map(Vec::len),
        Some(5),
        "{sarif}"
    );
}

#[test]
fn variables_that_no_column_fills_are_said_once_and_not_for_every_row() {
    let form = FORM.replace(
        "{{ .seats }}",
        "{{ .seat }}{{ if .plan }}{{ .host }}{{ end }}",
    );
    let tenants = Tenants::new(Engine::Sqlite, TABLE, COLUMNS, &form);
    tenants
        .database
        .execute("INSERT INTO tenants VALUES ('acme', '1', 'free', 5), ('bolt', '1', 'free', 1)");
    let run = tenants.lint(&["-o", "json"]).fails(1, "");
    let found = findings(&run);
    let start = "crm/form.yaml:10:61";
    let known = "there are uid, activate, hubId, templateRef, plan, seats";
    assert_eq!(
        found[1],
        format!("{start} error unknown-variable: no column fills \"seat\"; {known}"),
        "{found:#?}"
    );
    assert_eq!(
        found[0],
        format!("{start} warning unknown-variable: no column fills \"host\"; {known}")
    );
    assert!(
        found[2].contains("unused-mapping: no template uses \"seats\""),
        "{found:#?}"
    );
    assert_eq!(found.len(), 3, "{found:#?}");
    assert!(
        tenants
            .lint(&[])
            .fails(1, "")
            .stdout
            .contains("  hint: did you mean \"seats\"?\n")
    );
}

#[test]
fn broken_forms_and_forms_of_no_hub_are_among_the_findings() {
    let others = "---
apiVersion: operator.lynq.sh/v1
kind: LynqForm
metadata: {name: lost}
spec: {hubId: ship}
---
apiVersion: operator.lynq.sh/v1
kind: LynqForm
metadata: {name: round}
spec:
  hubId: shop
  configMaps:
    - {id: a, dependIds: [b], nameTemplate: a, spec: {apiVersion: v1, kind: ConfigMap}}
    - {id: b, dependIds: [a], nameTemplate: b, spec: {apiVersion: v1, kind: ConfigMap}}
";
    let tenants = Tenants::new(Engine::Sqlite, TABLE, COLUMNS, &format!("{FORM}{others}"));
    let run = tenants.lint(&["-o", "json"]).fails(1, "");
    let found = findings(&run);
    assert_eq!(
        found,
        [
            "crm/form.yaml:15:15 error unknown-hub: there is no hub \"ship\", only shop",
            "crm/form.yaml:23:26 error dependency-cycle: depends on itself: a → b → a",
        ]
    );
}

#[test]
fn a_database_that_is_away_hides_nothing_that_is_known_without_it() {
    let form = FORM.replace("{{ .plan }}", "{{ .plans }}");
    let tenants = Tenants::new(Engine::Sqlite, TABLE, COLUMNS, &form);
    let hub = tenants.database.hub("nowhere", "", COLUMNS);
    tenants.sandbox.write("crm/hub.yaml", hub);
    let run = tenants.lint(&["-o", "json"]);
    assert_ne!(run.code, Some(0), "{run}");
    assert_eq!(
        run.json()["failures"].as_array().map(Vec::len),
        Some(1),
        "{run}"
    );
    assert_eq!(findings(&run).len(), 2, "{run}");
}

#[test]
fn without_the_database_nothing_is_asked_of_its_credentials() {
    let tenants = Tenants::new(Engine::PostgreSql, TABLE, COLUMNS, FORM);
    let lint = |more: &[&str]| {
        let mut command = tenants
            .sandbox
            .command(["tenant", "lint", "crm", "-o", "json"]);
        tenants.sandbox.finish(command.args(more), None)
    };
    lint(&["--offline", "--strict"]).succeeds();
    // Else it is said that they are missing, beside what is known without them.
    let run = lint(&[]);
    assert_ne!(run.code, Some(0), "{run}");
    assert!(run.stderr.contains("DB_PASSWORD is not set"), "{run}");
    assert_eq!(run.json()["valid"], false, "{run}");
    assert_eq!(findings(&run).len(), 0, "{run}");
}

#[test]
fn a_conditional_variable_that_some_row_needs_is_an_error_of_that_row() {
    let form = FORM.replace(
        "{{ .seats }}",
        "{{ .seats }}{{ if .plan }}{{ .host }}{{ end }}",
    );
    let tenants = Tenants::new(Engine::Sqlite, TABLE, COLUMNS, &form);
    tenants
        .database
        .execute("INSERT INTO tenants VALUES ('acme', '1', '', 5)");
    tenants.lint(&[]).succeeds();
    tenants
        .database
        .execute("INSERT INTO tenants VALUES ('bolt', '1', 'free', 5)");
    let run = tenants.lint(&["-o", "json"]).fails(1, "");
    let found = findings(&run);
    assert!(
        found
            .iter()
            .any(|found| found.contains("error invalid-row: row \"bolt\"")),
        "{found:#?}"
    );
}

#[test]
fn schemas_of_custom_resources_say_what_is_wrong_with_what_rows_make() {
    let form = FORM.replace("configMaps:", "manifests:").replace(
        "spec: {apiVersion: v1, kind: ConfigMap, data: {seats: '{{ .seats }}'}}",
        "spec: {apiVersion: example.com/v1, kind: Plan, spec: {seats: '{{ .seats | int }}'}}",
    );
    let tenants = Tenants::new(Engine::Sqlite, TABLE, COLUMNS, &form);
    tenants
        .database
        .execute("INSERT INTO tenants VALUES ('acme', '1', 'free', 5), ('bolt', '1', 'free', 1)");
    // Without its schema nobody knows the kind.
    let run = tenants.lint(&["-o", "json"]).succeeds();
    assert!(findings(&run)[0].contains("warning unknown-kind"), "{run}");
    let definition = |scope: &str, limit: u64| {
        format!(
            "apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {{name: plans.example.com}}
spec:
  group: example.com
  names: {{kind: Plan, plural: plans}}
  scope: {scope}
  versions:
    - name: v1
      served: true
      storage: true
      schema:
        openAPIV3Schema:
          type: object
          properties: {{spec: {{type: object, properties: {{seats: {{type: integer, maximum: {limit}}}}}}}}}
"
        )
    };
    for scope in ["Namespaced", "Cluster"] {
        tenants
            .sandbox
            .write("crds/plan.yaml", definition(scope, 9));
        let run = tenants
            .lint(&["--schema-dir", "crds", "-o", "json"])
            .succeeds();
        assert_eq!(findings(&run), [""; 0], "{run}");
    }
    tenants
        .sandbox
        .write("crds/plan.yaml", definition("Namespaced", 4));
    let run = tenants
        .lint(&["--schema-dir", "crds", "-o", "json"])
        .fails(1, "");
    let found = findings(&run);
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(found[0].contains("error invalid-value"), "{found:#?}");
    assert!(found[0].contains("acme"), "{found:#?}");
}

#[test]
fn sets_of_one_folder_are_checked_each_by_itself() {
    let sandbox = Sandbox::new();
    let database = Database::new(Engine::Sqlite, sandbox.folder());
    database.execute(TABLE);
    database.execute("INSERT INTO tenants VALUES ('acme', '1', 'free', 5)");
    let set = |name: &str, label: &str| {
        format!(
            "apiVersion: weftctl.dev/v1
kind: TenantSet
metadata: {{name: {name}}}
spec:
  source: {{type: sqlite, sqlite: {{path: {}, table: tenants}}}}
  valueMappings: {{uid: id, activate: active}}
  extraValueMappings: {{plan: plan}}
  forms:
    web:
      resources:
        - id: settings
          nameTemplate: '{{{{ .uid }}}}-{name}'
          {label}
          spec: {{apiVersion: v1, kind: ConfigMap, data: {{plan: '{{{{ .plan }}}}'}}}}
",
            database.name
        )
    };
    sandbox.write("crm/good.yaml", set("good", "waitForReady: true"));
    sandbox.write("crm/bad.yaml", set("bad", "dependsOn: [x]"));
    let run = |arguments: &[&str]| sandbox.run(["tenant"].iter().chain(arguments));
    let report = run(&["lint", "crm", "--hub", "good", "--strict", "-o", "json"]).succeeds();
    assert_eq!(
        report.json()["checked"],
        serde_json::json!(["TenantSet/good"]),
        "{report}"
    );
    let report = run(&["lint", "crm", "--hub", "bad", "-o", "json"]).fails(1, "");
    assert_eq!(
        findings(&report),
        ["crm/bad.yaml:13:11 error unknown-field: unknown field \"dependsOn\""]
    );
    let made = run(&["render", "crm", "--hub", "good", "-o", "json"]).succeeds();
    assert_eq!(
        made.json()["items"][0]["metadata"]["name"],
        "acme-good",
        "{made}"
    );
    run(&["render", "crm"]).fails(2, "name one of \"bad\", \"good\" with --hub");
    let test = run(&["test-connection", "crm", "-o", "json"]).succeeds();
    assert_eq!(
        test.json()["items"].as_array().map(Vec::len),
        Some(2),
        "{test}"
    );
}
