//! Hubs and forms that do not go together.

use std::sync::Arc;

use super::*;
use crate::resource::{Origin, Part};
use crate::yaml;

const HUB: &str = "apiVersion: operator.lynq.sh/v1
kind: LynqHub
metadata: {name: crm}
spec:
  source: {type: sqlite, sqlite: {path: crm.db, table: tenants}}
  valueMappings: {uid: id, activate: active}
  extraValueMappings: {plan: plan_name, seats: seats}
";

fn origin() -> Origin {
    Origin {
        file: "crm.yaml".into(),
        line: Some(1),
        inside: Path::root(),
        part: None,
    }
}

fn hub(text: &str) -> Hub {
    let value = yaml::parse_one(text, &yaml::Limits::STREAM).unwrap();
    let (hub, findings) = Hub::read(&value, &origin());
    hub.unwrap_or_else(|| panic!("{findings:?}"))
}

/// A form with one `ConfigMap`, whose name and data are given.
fn form(name: &str, data: &str) -> Form {
    let text = format!(
        "apiVersion: operator.lynq.sh/v1\nkind: LynqForm\nmetadata: {{name: web}}\nspec:\n  hubId: crm\n  \
         configMaps:\n  - id: settings\n    nameTemplate: '{name}'\n    spec: {{apiVersion: v1, kind: ConfigMap, \
         data: {{a: '{data}'}}}}\n"
    );
    let value = yaml::parse_one(&text, &yaml::Limits::STREAM).unwrap();
    let read = Form::read(&value, &origin()).pop().unwrap();
    read.form.unwrap_or_else(|| panic!("{:?}", read.findings))
}

fn shown(findings: &[Finding]) -> Vec<String> {
    let shown = findings.iter().map(|finding| {
        let path = finding.path.as_deref().unwrap_or_default();
        let severity = match finding.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        format!("{severity} {} {path}: {}", finding.rule, finding.message)
    });
    shown.collect()
}

#[test]
fn templates_may_use_what_the_hub_maps_and_nothing_else() {
    let hub = hub(HUB);
    let all = form("{{ .uid }}-{{ .templateRef }}", "{{ .plan }}/{{ .seats }}");
    assert_eq!(shown(&lint(&hub, &[all], true)), [""; 0]);
    let wrong = form(
        "{{ .host }}",
        "{{ .plans }}{{ .seats }}{{ if .seats }}{{ .x }}{{ end }}",
    );
    let findings = lint(&hub, &[wrong], true);
    let known = "uid, activate, hubId, templateRef, plan, seats";
    assert_eq!(
        shown(&findings),
        [
            format!("error unknown-variable spec.configMaps[0].nameTemplate: no column fills \"host\"; there are {known}"),
            format!("error unknown-variable spec.configMaps[0].spec.data.a: no column fills \"plans\"; there are {known}"),
            format!("warning unknown-variable spec.configMaps[0].spec.data.a: no column fills \"x\"; there are {known}"),
            "warning unused-mapping spec.extraValueMappings.plan: no template uses \"plan\", and its column is read nevertheless".to_owned(),
        ]
    );
    let hints: Vec<&str> = findings.iter().filter_map(|f| f.hint.as_deref()).collect();
    assert_eq!(hints[1], "did you mean \"plan\"?");
    assert_eq!(
        hints[2],
        "map a column to it: extraValueMappings: {x: COLUMN}"
    );
}

#[test]
fn what_may_be_used_is_not_called_unused() {
    let hub = hub(HUB);
    let whole = form("{{ .uid }}", "{{ toJson . }}");
    assert_eq!(shown(&lint(&hub, &[whole], true)), [""; 0]);
    // Another form that can't be read may use it.
    let one = form("{{ .uid }}", "x");
    assert_eq!(shown(&lint(&hub, &[one], false)), [""; 0]);
    let none = shown(&lint(&hub, &[], true));
    assert_eq!(none.len(), 1, "{none:?}");
    assert!(
        none[0].starts_with("warning unknown-hub metadata.name: no form"),
        "{none:?}"
    );
}

#[test]
fn old_hosts_are_variables_where_they_are_mapped() {
    let hub = hub(&HUB.replace("active}", "active, hostOrUrl: url}"));
    let uses = form("{{ .host }}", "{{ .plan }}{{ .seats }}");
    assert_eq!(shown(&lint(&hub, &[uses], true)), [""; 0]);
    let unused = form("{{ .uid }}", "{{ .plan }}{{ .seats }}");
    let found = shown(&lint(&hub, &[unused], true));
    assert!(
        found[0].contains("spec.valueMappings.hostOrUrl: no template uses"),
        "{found:?}"
    );
}

#[test]
fn a_missing_column_is_found_wherever_it_is_mapped() {
    let hub = hub(&HUB.replace("seats: seats", "seats: plan_name"));
    let found = missing_column(&hub, "plan_name", Some("plan"));
    assert_eq!(
        shown(&found),
        [
            "error missing-column spec.extraValueMappings.plan: the table tenants has no column \"plan_name\"",
            "error missing-column spec.extraValueMappings.seats: the table tenants has no column \"plan_name\"",
        ]
    );
    assert_eq!(found[0].hint.as_deref(), Some("did you mean \"plan\"?"));
}

#[test]
fn types_are_held_against_what_columns_are_for() {
    let mysql = HUB.replace(
        "type: sqlite, sqlite: {path: crm.db, table: tenants}",
        "type: mysql, mysql: {host: h, username: u, database: d, table: tenants}",
    );
    let (mysql, sqlite) = (hub(&mysql), hub(HUB));
    let postgresql = hub(&HUB.replace(
        "type: sqlite, sqlite: {path: crm.db, table: tenants}",
        "type: postgresql, postgresql: {host: h, username: u, database: d, table: tenants}",
    ));
    let cases = [
        (&mysql, "ID", "varchar(60)", ""),
        (&mysql, "ID", "double", "uid"),
        (&postgresql, "ID", "double precision", ""),
        (&postgresql, "id", "double precision", "uid"),
        (&sqlite, "id", "BLOB", "uid"),
        (&mysql, "active", "tinyint(1)", ""),
        (&mysql, "active", "bit(1)", "activate"),
        (&postgresql, "active", "bit(1)", ""),
        (&postgresql, "active", "boolean", ""),
        (
            &postgresql,
            "active",
            "timestamp with time zone",
            "activate",
        ),
        (&postgresql, "active", "text[]", "activate"),
        (&postgresql, "plan_name", "jsonb", ""),
        (&postgresql, "plan_name", "bytea", "plan"),
        (&mysql, "plan_name", "longblob", "plan"),
        (&mysql, "other", "longblob", ""),
    ];
    for (hub, column, type_name, expected) in cases {
        let found = column_type(hub, column, type_name);
        let fields = found
            .iter()
            .filter_map(|finding| finding.place.segments().last()?.key());
        let fields: Vec<&str> = fields.collect();
        assert_eq!(fields.join(" "), expected, "{column} {type_name}");
    }
}

#[test]
fn what_several_rows_have_in_common_is_said_once() {
    let (hub, forms) = (hub(HUB), [form("{{ .uid }}", "{{ .plans }}")]);
    let problem = |row: &str, form: &str, field: &[&str], message: &str| RowProblem {
        row: row.to_owned(),
        form: form.to_owned(),
        entry: String::new(),
        field: String::new(),
        file: String::new(),
        message: message.to_owned(),
        place: field.iter().map(|key| Segment::from(*key)).collect(),
        missing: None,
    };
    let of_object = |row: &str, message: &str, path: &[&str]| {
        let part = Part {
            form: "web".to_owned(),
            row: row.to_owned(),
            entry: "settings".to_owned(),
        };
        let origin = Origin {
            part: Some(Arc::new(part)),
            ..origin()
        };
        Finding::new(Rule::InvalidName, message)
            .subject("ConfigMap/a/b")
            .from(&origin)
            .at(path)
    };
    let data = Path::from(vec![
        "spec".into(),
        "configMaps".into(),
        0.into(),
        "spec".into(),
        "data".into(),
        "a".into(),
    ]);
    let mut said = problem("a", "web", &[], "there is no plans");
    said.place = data;
    said.missing = Some("plans".to_owned());
    // Another fault of the same text is another thing.
    let other = RowProblem {
        missing: None,
        message: "fail: no".to_owned(),
        ..said.clone()
    };
    let findings = of_rows(
        &hub,
        &forms,
        &[
            problem("a", "", &[], "2 rows have this uid"),
            said,
            other,
            problem("a", "web", &["spec"], "int: no number"),
            problem("b", "web", &["spec"], "int: no number"),
            problem("c", "web", &["spec"], "int: no number"),
        ],
        &[
            of_object("A_b", "\"A_b\" is no name", &["metadata", "name"]),
            of_object("a", "unknown field", &["spec", "x"]),
            of_object("b", "unknown field", &["spec", "x"]),
        ],
    );
    assert_eq!(
        shown(&findings),
        [
            "error invalid-row spec.valueMappings.uid: row \"a\": 2 rows have this uid",
            "error invalid-row spec.configMaps[0].spec.data.a: row \"a\": fail: no",
            "error invalid-row spec: row \"a\": int: no number; so it is with 2 more rows",
            "error invalid-name spec.configMaps[0].nameTemplate: row \"A_b\": \"A_b\" is no name",
            "error invalid-name spec.configMaps[0].spec.spec.x: row \"a\": unknown field; so it is with 1 more row",
        ]
    );
    let subjects: Vec<_> = findings
        .iter()
        .map(|finding| finding.resource.as_deref())
        .collect();
    assert_eq!(
        subjects,
        [
            Some("LynqHub/crm"),
            Some("LynqForm/web"),
            Some("LynqForm/web"),
            Some("LynqForm/web"),
            Some("LynqForm/web")
        ]
    );
}

#[test]
fn of_what_is_wrong_at_one_place_only_so_much_is_told() {
    let (hub, forms) = (hub(HUB), [form("{{ .uid }}", "x")]);
    let problems: Vec<RowProblem> = (0..1000)
        .map(|number| RowProblem {
            row: format!("row-{number}"),
            form: "web".to_owned(),
            entry: "settings".to_owned(),
            field: String::new(),
            file: String::new(),
            message: format!("atoi: {number}x is no number"),
            place: Path::root(),
            missing: None,
        })
        .collect();
    let findings = of_rows(&hub, &forms, &problems, &[]);
    assert_eq!(findings.len(), TOLD);
    let last = &findings[TOLD - 1].message;
    let expected = "row \"row-19\": atoi: 19x is no number; so it is with 980 more rows";
    assert_eq!(last, expected);
}
