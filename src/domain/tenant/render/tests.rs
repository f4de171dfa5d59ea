//! Forms and rows, and what they make.

use std::sync::Arc;

use serde_json::json;

use super::*;
use crate::check::Finding;
use crate::yaml::{self, Limits};

/// The time stands still.
struct Fixed;

impl Source for Fixed {
    fn now(&mut self) -> (i64, u32) {
        (1_700_000_000, 0)
    }

    fn fill(&mut self, bytes: &mut [u8]) {
        bytes.fill(7);
    }
}

fn origin() -> Origin {
    Origin {
        file: Arc::from("form.yaml"),
        line: Some(1),
        inside: Path::root(),
        part: None,
    }
}

fn read(lists: &str) -> (Option<Form>, Vec<Finding>) {
    let text = format!(
        "apiVersion: operator.lynq.sh/v1\nkind: LynqForm\nmetadata: {{name: web}}\nspec:\n  hubId: crm\n{lists}"
    );
    let document = yaml::parse_one(&text, &Limits::STREAM).unwrap();
    let read = Form::read(&document, &origin()).pop().unwrap();
    (read.form, read.findings)
}

fn form(lists: &str) -> Form {
    let (form, findings) = read(lists);
    assert_eq!(shown(&findings), [""; 0]);
    form.unwrap()
}

fn shown(findings: &[Finding]) -> Vec<String> {
    let shown = findings.iter().map(|finding| {
        let path = finding.path.as_deref().unwrap_or_default();
        format!("{path}: {} ({})", finding.message, finding.rule)
    });
    shown.collect()
}

fn row(uid: &str, extra: &[(&str, &str)]) -> Row {
    let extra = extra.iter();
    Row {
        uid: uid.to_owned(),
        activate: "1".to_owned(),
        host_or_url: None,
        extra: extra
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
    }
}

fn make(form: Form, rows: Vec<Read>) -> Made {
    let setting = Setting {
        hub: "crm",
        namespace: "tenants",
        scope: &|_, kind| Some(kind != "Namespace"),
    };
    made(&[form], rows, setting, &mut Fixed)
}

fn problems(made: &Made) -> Vec<String> {
    made.problems.iter().map(ToString::to_string).collect()
}

const SETTINGS: &str = "  configMaps:
  - id: settings
    nameTemplate: '{{ .uid }}-settings'
    labelsTemplate: {tenant: '{{ .uid }}'}
    annotationsTemplate: {plan: '{{ .plan | default \"free\" }}'}
    spec:
      apiVersion: v1
      kind: ConfigMap
      metadata: {labels: {app: shop, tenant: none}, annotations: {team: web}}
      data: {seats: '{{ .seats | int }}', plan: '{{ .plan }}', nested: '{{ upper .uid }}!'}
";

#[test]
fn an_entry_becomes_an_object_with_its_place_in_the_set() {
    let rows = vec![Ok(row("acme", &[("plan", ""), ("seats", "5")]))];
    let made = make(form(SETTINGS), rows);
    assert_eq!(problems(&made), [""; 0]);
    let (object, origin) = &made.objects[0];
    assert_eq!(
        *object,
        json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "labels": {"app": "shop", "tenant": "acme"},
                "annotations": {
                    "team": "web",
                    "plan": "free",
                    "weftctl.dev/form": "web",
                    "weftctl.dev/row": "acme",
                    "weftctl.dev/entry": "settings",
                },
                "name": "acme-settings",
            },
            "data": {"seats": "5", "plan": "", "nested": "ACME!"},
        })
    );
    assert_eq!(origin.inside.to_string(), "spec.configMaps[0].spec");
}

#[test]
fn typed_values_keep_their_type_where_texts_are_not_demanded() {
    let text = "  deployments:
  - id: app
    nameTemplate: '{{ .uid }}'
    spec:
      apiVersion: apps/v1
      kind: Deployment
      metadata: {labels: {seats: '{{ .seats | int }}'}}
      spec:
        replicas: '{{ .seats | int }}'
        paused: '{{ .paused | bool }}'
        selector: {matchLabels: {seats: '{{ .seats | int }}'}}
        template: {spec: {nodeSelector: {seats: '{{ .seats | int }}'}, containers: [{args: [['{{ .seats }}m']], cpu: '{{ .seats | float }}'}]}}
";
    let rows = vec![Ok(row("acme", &[("seats", "5"), ("paused", "yes")]))];
    let made = make(form(text), rows);
    assert_eq!(problems(&made), [""; 0]);
    let object = &made.objects[0].0;
    let at = |pointer: &str| object.pointer(pointer).unwrap().clone();
    assert_eq!(at("/spec/replicas"), json!(5));
    assert_eq!(at("/spec/paused"), json!(true));
    for pointer in [
        "/metadata/labels/seats",
        "/spec/selector/matchLabels/seats",
        "/spec/template/spec/nodeSelector/seats",
    ] {
        assert_eq!(at(pointer), json!("5"), "{pointer}");
    }
    // The operator leaves lists in lists alone.
    assert_eq!(at("/spec/template/spec/containers/0/args/0/0"), json!("5m"));
    assert_eq!(at("/spec/template/spec/containers/0/cpu"), json!(5.0));
}

#[test]
fn a_value_that_looks_like_a_template_stays_as_it_is() {
    let rows = vec![Ok(row("acme", &[("plan", "{{ .uid }}"), ("seats", "1")]))];
    let made = make(form(SETTINGS), rows);
    assert_eq!(made.objects[0].0["data"]["plan"], "{{ .uid }}");
    assert_eq!(
        made.objects[0].0["metadata"]["annotations"]["plan"],
        "{{ .uid }}"
    );
}

#[test]
fn what_is_wrong_with_a_row_concerns_that_row_alone() {
    let row_of = |uid: &str, activate: &str| {
        let mut row = row(uid, &[("plan", "pro"), ("seats", "1")]);
        activate.clone_into(&mut row.activate);
        Ok(row)
    };
    let rows = vec![
        row_of("b", "1"),
        row_of("a", "yes"),
        row_of("off", "0"),
        row_of("twice", "1"),
        row_of("twice", "0"),
        row_of("", "1"),
        row_of("", "0"),
        Err(("bad".to_owned(), "its cell plan is no UTF-8".to_owned())),
        Ok(row("short", &[("plan", "pro")])),
    ];
    let made = make(form(SETTINGS), rows);
    let names = made.objects.iter();
    let names: Vec<&Value> = names
        .map(|(object, _)| &object["metadata"]["name"])
        .collect();
    assert_eq!(names, ["a-settings", "b-settings"]);
    assert_eq!(
        problems(&made),
        [
            "row \"\": it has no uid, by which its objects would be known",
            "row \"bad\": its cell plan is no UTF-8",
            "row \"twice\": 2 rows have this uid",
            "row \"short\", web/settings, spec.configMaps[0].spec.data.seats: line 1, column 4: there is \
             no \"seats\"; there are activate, hubId, plan, templateRef, uid",
        ]
    );
    let counts = (
        made.rows.read,
        made.rows.active,
        made.rows.inactive,
        made.rows.invalid,
    );
    assert_eq!(counts, (9, 3, 2, 4));
    let part = |row: &str| Part {
        form: "web".to_owned(),
        row: row.to_owned(),
        entry: "settings".to_owned(),
    };
    for row in ["bad", "twice", "short"] {
        assert!(made.withheld.why(&part(row)).is_some(), "{row}");
    }
    for row in ["a", "off", "gone"] {
        assert_eq!(made.withheld.why(&part(row)), None, "{row}");
    }
}

const CHAIN: &str = "  secrets:
  - id: key
    nameTemplate: '{{ .uid }}-key'
    spec: {apiVersion: v1, kind: Secret, stringData: {key: '{{ .key }}'}}
  configMaps:
  - id: settings
    dependIds: [key, space]
    nameTemplate: '{{ .uid }}'
    targetNamespace: t-{{ .uid }}
    spec: {apiVersion: v1, kind: ConfigMap}
  - id: brave
    dependIds: [settings]
    skipOnDependencyFailure: false
    nameTemplate: '{{ .uid }}-brave'
    spec: {apiVersion: v1, kind: ConfigMap}
  namespaces:
  - id: space
    nameTemplate: t-{{ .uid }}
    spec: {apiVersion: v1, kind: Namespace}
";

#[test]
fn dependencies_are_named_as_the_engine_knows_them() {
    let made = make(form(CHAIN), vec![Ok(row("acme", &[("key", "k")]))]);
    let depends_on = |index: usize| {
        let object: &Value = &made.objects[index].0;
        object["metadata"]["annotations"]["weftctl.dev/depends-on"].clone()
    };
    assert_eq!(depends_on(0), "Secret/tenants/acme-key,Namespace/t-acme");
    assert_eq!(depends_on(1), "ConfigMap/t-acme/acme");
    let brave = &made.objects[1].0["metadata"]["annotations"];
    assert_eq!(brave["weftctl.dev/on-dependency-failure"], "Proceed");
}

#[test]
fn what_depends_on_what_cannot_be_made_is_withheld_unless_it_proceeds() {
    let made = make(form(CHAIN), vec![Ok(row("acme", &[]))]);
    let names = made.objects.iter();
    let names: Vec<&Value> = names
        .map(|(object, _)| &object["metadata"]["name"])
        .collect();
    assert_eq!(names, ["acme-brave", "t-acme"]);
    let settings = Part {
        form: "web".to_owned(),
        row: "acme".to_owned(),
        entry: "settings".to_owned(),
    };
    let why = made.withheld.why(&settings);
    assert_eq!(why, Some("it depends on key, which cannot be made"));
}

#[test]
fn policies_become_annotations() {
    let text = "  manifests:
  - id: all
    creationPolicy: Once
    deletionPolicy: Retain
    conflictPolicy: Force
    patchStrategy: merge
    skipOnDependencyFailure: false
    waitForReady: false
    timeoutSeconds: 90
    ignoreFields: [$.spec.replicas, 'spec.list[*].x']
    spec: {apiVersion: v1, kind: ConfigMap, metadata: {name: a}}
  - id: none
    creationPolicy: WhenNeeded
    conflictPolicy: Stuck
    patchStrategy: apply
    skipOnDependencyFailure: true
    waitForReady: true
    spec: {apiVersion: v1, kind: ConfigMap, metadata: {name: b}}
";
    let made = make(form(text), vec![Ok(row("acme", &[]))]);
    let annotations = |index: usize| {
        let object: &Value = &made.objects[index].0;
        let annotations = object["metadata"]["annotations"]
            .as_object()
            .unwrap()
            .iter();
        let annotations = annotations.map(|(key, value)| {
            let key = key.trim_start_matches("weftctl.dev/");
            format!("{key}: {}", value.as_str().unwrap())
        });
        annotations.collect::<Vec<_>>()
    };
    let place =
        |entry: &str| ["form: web", "row: acme", &format!("entry: {entry}")].map(str::to_owned);
    let mut expected: Vec<String> = [
        "creation-policy: Once",
        "deletion-policy: Retain",
        "conflict-policy: Force",
        "adopt: true",
        "patch-strategy: merge",
        "on-dependency-failure: Proceed",
        "wait: false",
        "deadline: 90s",
        "ignore-fields: $.spec.replicas,spec.list[*].x",
    ]
    .map(str::to_owned)
    .into();
    expected.extend(place("all"));
    assert_eq!(annotations(0), expected);
    assert_eq!(annotations(1), place("none"));
}

#[test]
fn what_is_wrong_with_a_form_is_said_with_its_place() {
    let text = "  rollout: {maxSkew: -1, progressDeadlineSeconds: 5}
  services:
  - id: a
    dependIds: [b, nobody]
    creationPolicy: Onec
    ignoreFields: ['spec..x']
    spec: {apiVersion: v1, kind: Service, metadata: {name: '{{ .uid'}, spec: {x: '{{ nosuch .uid }}'}}
  deployment: []
  configMaps:
  - id: b
    dependIds: [a]
    annotationsTemplate: {at: '{{ now }}'}
    waitForReady: 'no'
    spec: {kind: ConfigMap}
  - id: a
    spec: {apiVersion: v1, kind: ConfigMap}
  - id: c
    spec: text
  - {}
";
    let (form, findings) = read(text);
    assert!(form.is_none());
    assert_eq!(
        shown(&findings),
        [
            "spec.rollout.maxSkew: -1 is not a whole number from 0 to 1000000 (invalid-value)",
            "spec.rollout.progressDeadlineSeconds: 5 is not a whole number from 60 to 3600 (invalid-value)",
            "spec.services[0].creationPolicy: \"Onec\" is not allowed, only WhenNeeded, Once (invalid-value)",
            "spec.services[0].ignoreFields[0]: \"spec..x\" is not a path of fields to ignore, such as \
             spec.replicas (invalid-value)",
            "spec.services[0].spec.metadata.name: line 1, column 1: unclosed action (invalid-template)",
            "spec.services[0].spec.spec.x: line 1, column 4: function \"nosuch\" not defined \
             (invalid-template)",
            "spec.configMaps[0].waitForReady: expected true or false, found a text (wrong-type)",
            "spec.configMaps[0].spec: missing field \"apiVersion\" (missing-field)",
            "spec.configMaps[0].annotationsTemplate.at: yields something else each time, by now, so that \
             the object changes with every pass (not-deterministic)",
            "spec.configMaps[2].spec: expected an object, found a text (wrong-type)",
            "spec.configMaps[3]: missing field \"id\" (missing-field)",
            "spec.configMaps[3]: missing field \"spec\" (missing-field)",
            "spec.deployment: unknown field \"deployment\" (unknown-field)",
            "spec.configMaps[1].id: the id \"a\" is that of spec.services[0], too (duplicate-identity)",
            "spec.services[0].dependIds[1]: depends on \"nobody\", which the form does not have \
             (unknown-dependency)",
            "spec.services[0].dependIds: depends on itself: a → b → a (dependency-cycle)",
        ]
    );
}

#[test]
fn a_set_has_its_forms_in_it() {
    let text = "apiVersion: weftctl.dev/v1
kind: TenantSet
metadata: {name: crm, namespace: tenants}
spec:
  source: {type: sqlite, sqlite: {path: crm.db, table: tenants}}
  valueMappings: {uid: id, activate: active}
  forms:
    web:
      rollout: {maxSkew: 2}
      resources:
        - id: settings
          nameTemplate: '{{ .uid }}-{{ .templateRef }}'
          spec: {apiVersion: v1, kind: ConfigMap, data: {hub: '{{ .hubId }}'}}
    broken:
      resources: [{id: a, spec: {kind: ConfigMap}}]
      deployments: []
    empty:
";
    let document = yaml::parse_one(text, &Limits::STREAM).unwrap();
    assert!(Form::is_form(&document));
    let read = Form::read(&document, &origin());
    let found: Vec<_> = read
        .iter()
        .map(|read| (read.name.as_str(), shown(&read.findings)))
        .collect();
    let broken = vec![
        "spec.forms.broken.resources[0].spec: missing field \"apiVersion\" (missing-field)"
            .to_owned(),
        "spec.forms.broken.deployments: unknown field \"deployments\" (unknown-field)".to_owned(),
    ];
    let empty = vec!["spec.forms: missing field \"empty\" (missing-field)".to_owned()];
    assert_eq!(
        found,
        [("web", vec![]), ("broken", broken), ("empty", empty)]
    );
    let form = read.into_iter().next().unwrap().form.unwrap();
    assert_eq!(form.rollout.max_skew, Some(2));
    assert_eq!(
        (form.hub.as_str(), form.namespace.as_deref()),
        ("crm", Some("tenants"))
    );
    let made = make(form, vec![Ok(row("acme", &[]))]);
    let (object, origin) = &made.objects[0];
    assert_eq!(object["metadata"]["name"], "acme-web");
    assert_eq!(object["data"]["hub"], "crm");
    assert_eq!(
        origin.inside.to_string(),
        "spec.forms.web.resources[0].spec"
    );
}

#[test]
fn a_form_without_its_hub_says_which_ones_there_are() {
    let form = form(SETTINGS);
    let finding = form.without_hub(["crn", "shop"].into_iter());
    assert_eq!(finding.message, "there is no hub \"crm\", only crn, shop");
    assert_eq!(finding.path.as_deref(), Some("spec.hubId"));
    assert_eq!(finding.hint.as_deref(), Some("did you mean \"crn\"?"));
}
