//! The policies of entries, and what the operator that they come from gets wrong.

use serde_json::{Value, json};

use super::{Tenants, actions, counts};
use crate::support::{Place, databases::Engine};

/// A form of some entries, in YAML's flow style by their lists.
fn form(lists: &[(&str, &[&str])]) -> String {
    named("app", lists)
}

fn named(name: &str, lists: &[(&str, &[&str])]) -> String {
    let mut text = format!(
        "apiVersion: operator.lynq.sh/v1\nkind: LynqForm\nmetadata: {{name: {name}}}\nspec:\n  hubId: shop\n"
    );
    for (list, entries) in lists {
        text += &format!("  {list}:\n");
        for entry in *entries {
            text += &format!("    - {entry}\n");
        }
    }
    text
}

/// An entry that makes a ConfigMap `UID-ID`.
fn map(id: &str, more: &str, data: &str) -> String {
    format!(
        "{{id: {id}, nameTemplate: '{{{{ .uid }}}}-{id}', {more}, spec: {{apiVersion: v1, kind: ConfigMap, data: {{{data}}}}}}}"
    )
}

/// An entry that the API server refuses, and nobody before it, unless the plan is `None`.
const REFUSED: &str = "{id: refused, nameTemplate: '{{ .uid }}-refused', spec: {apiVersion: v1, kind: Service, \
     spec: {clusterIP: '{{ .plan }}', ports: [{port: 80}]}}}";

/// Has somebody else change an object.
fn by_hand(place: &Place, kind: &str, name: &str, patch: &Value) {
    let patch = patch.to_string();
    place.change(
        &[
            "patch",
            kind,
            name,
            "--type=merge",
            "--field-manager=hand",
            "-p",
            &patch,
        ],
        "",
    );
}

fn one(forms: &str) -> Tenants {
    let tenants = Tenants::new(Engine::Sqlite, forms);
    tenants.insert(&[("acme", "free")]);
    tenants
}

fn data(tenants: &Tenants, name: &str) -> Value {
    tenants.value("configmap", name, "/data")
}

fn failures(run: &crate::support::Run) -> Vec<String> {
    let failures = run.json()["failures"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let texts = failures
        .iter()
        .map(|failure| failure["message"].as_str().unwrap_or_default().to_owned());
    texts.collect()
}

// Dependencies and readiness

#[test]
fn what_depends_on_a_failure_is_skipped_and_everything_else_goes_on() {
    let tenants = Tenants::new(
        Engine::Sqlite,
        &form(&[
            ("services", &[REFUSED]),
            (
                "configMaps",
                &[
                    &map("after", "dependIds: [refused]", "k: v"),
                    &map("later", "dependIds: [after]", "k: v"),
                    &map(
                        "anyway",
                        "dependIds: [refused], skipOnDependencyFailure: false",
                        "k: v",
                    ),
                    &map("beside", "creationPolicy: WhenNeeded", "k: v"),
                ],
            ),
        ]),
    );
    tenants.insert(&[("acme", "free"), ("bolt", "None")]);
    let run = tenants.run(&["apply", "-o", "json"]).fails(9, "E0521");
    assert_eq!(
        tenants.maps(),
        [
            "acme-anyway",
            "acme-beside",
            "bolt-after",
            "bolt-anyway",
            "bolt-beside",
            "bolt-later"
        ],
        "{run}"
    );
    let actions = actions(&run);
    for skipped in ["acme-after", "acme-later"] {
        assert!(
            actions.contains(&format!("skipped configmaps/{skipped}")),
            "{run}"
        );
    }
    assert!(
        actions.contains(&"failed services/acme-refused".to_owned()),
        "{run}"
    );
    // Mended, it goes on by itself.
    tenants.database.execute("UPDATE tenants SET plan = 'None'");
    tenants.run(&["apply"]).succeeds();
    assert_eq!(tenants.maps().len(), 8);
}

#[test]
fn dependents_wait_until_it_is_ready_or_its_time_is_over() {
    let deployment = |wait: &str| {
        format!(
            "{{id: web, nameTemplate: '{{{{ .uid }}}}-web', {wait}, spec: {{apiVersion: apps/v1, kind: Deployment, spec: \
             {{selector: {{matchLabels: {{app: web}}}}, template: {{metadata: {{labels: {{app: web}}}}, spec: \
             {{containers: [{{name: c, image: i}}]}}}}}}}}}}"
        )
    };
    let after = map("after", "dependIds: [web]", "k: v");
    // Nobody makes pods here.
    let tenants = one(&form(&[
        ("deployments", &[&deployment("timeoutSeconds: 1")]),
        ("configMaps", &[&after]),
    ]));
    let begun = std::time::Instant::now();
    let run = tenants.run(&["apply"]).fails(7, "E0518");
    assert!(begun.elapsed().as_secs() < 20, "{run}");
    assert_eq!(tenants.maps(), [""; 0], "{run}");
    // However old it is by now, its time begins with each run: nothing is over the instant it is looked at.
    tenants.run(&["apply"]).fails(7, "E0518");
    tenants.forms(&form(&[
        ("deployments", &[&deployment("waitForReady: false")]),
        ("configMaps", &[&after]),
    ]));
    tenants.run(&["apply"]).succeeds();
    assert_eq!(tenants.maps(), ["acme-after"]);
}

#[test]
fn none_of_none_is_ready() {
    let workload = |kind: &str| {
        format!(
            "{{id: '{kind}', nameTemplate: '{{{{ .uid }}}}-none', spec: {{apiVersion: apps/v1, kind: {kind}, spec: {{replicas: 0, \
             serviceName: none, selector: {{matchLabels: {{app: none}}}}, template: {{metadata: {{labels: {{app: none}}}}, \
             spec: {{containers: [{{name: c, image: i}}]}}}}}}}}}}"
        )
    };
    let (deployment, set) = (
        workload("Deployment").replace("serviceName: none, ", ""),
        workload("StatefulSet"),
    );
    let tenants = Tenants::with_nodes(&form(&[
        ("deployments", &[&deployment]),
        ("statefulSets", &[&set]),
    ]));
    tenants.insert(&[("acme", "free")]);
    let run = tenants
        .run(&["apply", "-o", "json", "--timeout", "60s"])
        .succeeds();
    let resources = run.json()["resources"].as_array().cloned().expect("a list");
    assert!(resources.iter().all(|r| r["ready"] == json!(true)), "{run}");
}

#[test]
fn a_circle_or_an_unknown_dependency_is_named_before_anything_is_written() {
    let tenants = one(&form(&[(
        "configMaps",
        &[
            &map("a", "dependIds: [b]", "k: v"),
            &map("b", "dependIds: [a]", "k: v"),
        ],
    )]));
    let run = tenants.run(&["apply"]).fails(10, "E0710");
    assert!(run.stderr.contains("a → b → a"), "{run}");
    tenants.forms(&form(&[(
        "configMaps",
        &[&map("a", "dependIds: [bee]", "k: v")],
    )]));
    let run = tenants.run(&["apply"]).fails(10, "E0710");
    assert!(run.stderr.contains("\"bee\""), "{run}");
    assert_eq!(tenants.maps(), [""; 0]);
}

// Namespaces and tracking

#[test]
fn objects_in_namespaces_of_their_own_are_followed_and_pruned() {
    let tenants = Tenants::with_nodes("");
    let space = &tenants.place.namespace;
    tenants.forms(&form(&[
        (
            "namespaces",
            &[&format!("{{id: space, nameTemplate: '{{{{ .uid }}}}-{space}', spec: {{apiVersion: v1, kind: Namespace}}}}")],
        ),
        (
            "configMaps",
            &[&map("settings", &format!("targetNamespace: '{{{{ .uid }}}}-{space}', dependIds: [space]"), "k: '{{ .plan }}'")],
        ),
    ]));
    tenants.insert(&[("acme", "free"), ("bolt", "free")]);
    tenants.run(&["apply"]).succeeds();
    let map_there = |uid: &str| {
        let list = tenants
            .place
            .server
            .kubectl(&["get", "configmaps", "-A", "-o", "name"], "");
        list.contains(&format!("{uid}-settings"))
    };
    assert!(map_there("bolt"));
    tenants.run(&["plan"]).ends(0);
    tenants
        .database
        .execute("UPDATE tenants SET active = 'no' WHERE id = 'bolt'");
    let run = tenants
        .run(&["apply", "--yes", "-o", "json", "--timeout", "60s"])
        .succeeds();
    assert_eq!(run.json()["summary"]["pruned"], 2, "{run}");
    let spaces = tenants
        .place
        .server
        .kubectl(&["get", "namespaces", "-o", "name"], "");
    assert!(!spaces.contains(&format!("bolt-{space}")), "{spaces}");
    assert!(spaces.contains(&format!("acme-{space}")), "{spaces}");
}

#[test]
fn kinds_without_a_namespace_and_every_other_kind_are_pruned_too() {
    let tenants = Tenants::with_nodes("");
    let space = tenants.place.namespace.clone();
    let entry = |id: &str, api: &str, kind: &str, rest: &str| {
        format!(
            "{{id: {id}, nameTemplate: '{{{{ .uid }}}}-{space}', spec: {{apiVersion: {api}, kind: {kind}, {rest}}}}}"
        )
    };
    let all = form(&[
        ("podDisruptionBudgets", &[&entry("pdb", "policy/v1", "PodDisruptionBudget", "spec: {selector: {matchLabels: {a: b}}, minAvailable: 0}")]),
        ("networkPolicies", &[&entry("policy", "networking.k8s.io/v1", "NetworkPolicy", "spec: {podSelector: {}}")]),
        ("horizontalPodAutoscalers", &[&entry("hpa", "autoscaling/v2", "HorizontalPodAutoscaler", "spec: {maxReplicas: 2, scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: x}}").replace("spec: {apiVersion: autoscaling", "waitForReady: false, spec: {apiVersion: autoscaling")]),
        ("manifests", &[&entry("role", "rbac.authorization.k8s.io/v1", "ClusterRole", "rules: []"), &entry("class", "scheduling.k8s.io/v1", "PriorityClass", "value: 1")]),
        ("configMaps", &[&map("stays", "creationPolicy: WhenNeeded", "k: v")]),
    ]);
    tenants.forms(&all);
    tenants.insert(&[("acme", "free")]);
    let run = tenants.run(&["apply", "-o", "json"]).succeeds();
    assert_eq!(run.json()["summary"]["created"], 6, "{run}");
    // Out of the form, out of the cluster.
    tenants.forms(&form(&[(
        "configMaps",
        &[&map("stays", "creationPolicy: WhenNeeded", "k: v")],
    )]));
    let run = tenants.run(&["apply", "--yes", "-o", "json"]).succeeds();
    assert_eq!(run.json()["summary"]["pruned"], 5, "{run}");
    let left = tenants
        .place
        .server
        .kubectl(&["get", "clusterroles,priorityclasses", "-o", "name"], "");
    assert!(!left.contains(&format!("acme-{space}")), "{left}");
    for kind in ["poddisruptionbudget", "networkpolicy", "hpa"] {
        assert_eq!(tenants.place.names(kind), [""; 0], "{kind}");
    }
    assert_eq!(tenants.maps(), ["acme-stays"]);
}

#[test]
fn a_form_that_is_taken_away_loses_only_its_own_objects() {
    let both = [
        named(
            "one",
            &[(
                "configMaps",
                &[&map("one", "creationPolicy: WhenNeeded", "k: v")],
            )],
        ),
        named(
            "two",
            &[(
                "configMaps",
                &[&map("two", "creationPolicy: WhenNeeded", "k: v")],
            )],
        ),
    ];
    let tenants = Tenants::new(Engine::Sqlite, &both.join("---\n"));
    tenants.insert(&[("acme", "free"), ("bolt", "free")]);
    tenants.run(&["apply"]).succeeds();
    tenants.forms(&both[0]);
    // Every row loses something.
    tenants.run(&["apply", "--yes"]).fails(12, "E0712");
    tenants
        .run(&["apply", "--yes", "--max-delete", "100%"])
        .succeeds();
    assert_eq!(tenants.maps(), ["acme-one", "bolt-one"]);
}

#[test]
fn a_broken_form_keeps_what_it_has_and_the_others_go_on() {
    let good = named(
        "one",
        &[(
            "configMaps",
            &[&map(
                "one",
                "creationPolicy: WhenNeeded",
                "k: '{{ .plan }}'",
            )],
        )],
    );
    let other = named(
        "two",
        &[(
            "configMaps",
            &[&map("two", "creationPolicy: WhenNeeded", "k: v")],
        )],
    );
    let tenants = one(&format!("{good}---\n{other}"));
    tenants.run(&["apply"]).succeeds();
    let broken = other.replace("k: v", "k: '{{ .plan'");
    tenants.forms(&format!("{good}---\n{broken}"));
    tenants.database.execute("UPDATE tenants SET plan = 'big'");
    let run = tenants.run(&["apply", "-o", "json"]).fails(9, "E0710");
    assert_eq!(tenants.maps(), ["acme-one", "acme-two"], "{run}");
    assert_eq!(data(&tenants, "acme-one"), json!({"k": "big"}));
}

// Creation and deletion

#[test]
fn what_is_created_once_is_left_alone_and_made_again_when_it_is_gone() {
    let tenants = one(&form(&[(
        "configMaps",
        &[&map("once", "creationPolicy: Once", "k: '{{ .plan }}'")],
    )]));
    tenants.run(&["apply"]).succeeds();
    tenants.database.execute("UPDATE tenants SET plan = 'big'");
    by_hand(
        &tenants.place,
        "configmap",
        "acme-once",
        &json!({"data": {"hand": "made"}}),
    );
    tenants.step(&[], &[]);
    assert_eq!(
        data(&tenants, "acme-once"),
        json!({"k": "free", "hand": "made"})
    );
    tenants
        .place
        .change(&["delete", "configmap", "acme-once"], "");
    tenants.step(&[], &["created configmaps/acme-once"]);
    assert_eq!(data(&tenants, "acme-once"), json!({"k": "big"}));
}

#[test]
fn what_is_retained_outlives_its_row_and_is_taken_back_with_it() {
    let tenants = one(&form(&[(
        "configMaps",
        &[
            &map("kept", "deletionPolicy: Retain", "k: '{{ .plan }}'"),
            &map("goes", "deletionPolicy: Delete", "k: v"),
        ],
    )]));
    tenants.run(&["apply"]).succeeds();
    let uid = tenants.value("configmap", "acme-kept", "/metadata/uid");
    tenants.database.execute("UPDATE tenants SET active = '0'");
    tenants
        .run(&["apply", "--yes", "--max-delete", "1"])
        .succeeds();
    assert_eq!(tenants.maps(), ["acme-kept"]);
    assert_eq!(
        tenants.value("configmap", "acme-kept", "/metadata/ownerReferences"),
        Value::Null
    );
    let orphaned = || {
        let maps = ["get", "configmap", "-l", "weftctl.dev/orphaned=true"];
        let found = tenants.place.kubectl(&maps)["items"].clone();
        let found = found.as_array().cloned().unwrap_or_default().into_iter();
        let reason =
            |map: Value| map["metadata"]["annotations"]["weftctl.dev/orphaned-reason"].clone();
        found.map(reason).collect::<Vec<_>>()
    };
    assert_eq!(orphaned(), ["RowGone"]);
    let at = tenants.value(
        "configmap",
        "acme-kept",
        "/metadata/annotations/weftctl.dev~1orphaned-at",
    );
    let at = at
        .as_str()
        .expect("a time")
        .parse::<jiff::Timestamp>()
        .expect("a time");
    assert!(at <= jiff::Timestamp::now());
    tenants.run(&["plan"]).ends(0);
    tenants
        .database
        .execute("UPDATE tenants SET active = '1', plan = 'back'");
    tenants.run(&["apply"]).succeeds();
    assert_eq!(tenants.maps(), ["acme-goes", "acme-kept"]);
    assert_eq!(data(&tenants, "acme-kept"), json!({"k": "back"}));
    assert_eq!(
        tenants.value("configmap", "acme-kept", "/metadata/uid"),
        uid
    );
    // The marks are gone.
    assert_eq!(orphaned(), [] as [Value; 0]);
    let left = tenants
        .value("configmap", "acme-kept", "/metadata")
        .to_string();
    assert!(
        !left.contains("orphaned") && !left.contains("retained-by"),
        "{left}"
    );
    // An entry that is gone orphans its object, too.
    tenants.forms(&form(&[(
        "configMaps",
        &[&map("goes", "deletionPolicy: Delete", "k: v")],
    )]));
    tenants.run(&["apply", "--yes"]).succeeds();
    assert_eq!(orphaned(), ["RemovedFromForm"]);
}

#[test]
fn what_was_created_once_and_retained_comes_back_as_it_is() {
    let tenants = one(&form(&[(
        "configMaps",
        &[
            &map(
                "kept",
                "creationPolicy: Once, deletionPolicy: Retain",
                "k: '{{ .plan }}'",
            ),
            &map("goes", "deletionPolicy: Delete", "k: v"),
        ],
    )]));
    tenants.run(&["apply"]).succeeds();
    let rotated = json!({"data": {"k": "rotated"}});
    by_hand(&tenants.place, "configmap", "acme-kept", &rotated);
    tenants.database.execute("UPDATE tenants SET active = '0'");
    tenants
        .run(&["apply", "--yes", "--max-delete", "1"])
        .succeeds();
    assert_eq!(tenants.maps(), ["acme-kept"]);
    tenants
        .database
        .execute("UPDATE tenants SET active = '1', plan = 'back'");
    let back = [
        "adopted configmaps/acme-kept",
        "created configmaps/acme-goes",
    ];
    tenants.step(&[], &back);
    assert_eq!(data(&tenants, "acme-kept"), json!({"k": "rotated"}));
    let metadata = tenants
        .value("configmap", "acme-kept", "/metadata")
        .to_string();
    assert!(
        metadata.contains("applyset.kubernetes.io/part-of") && !metadata.contains("orphaned"),
        "{metadata}"
    );
    // It still goes its own way, and is let go of again.
    by_hand(
        &tenants.place,
        "configmap",
        "acme-kept",
        &json!({"data": {"k": "again"}}),
    );
    tenants.run(&["plan"]).ends(0);
    tenants.database.execute("UPDATE tenants SET active = '0'");
    tenants
        .run(&["apply", "--yes", "--max-delete", "1"])
        .succeeds();
    assert_eq!(data(&tenants, "acme-kept"), json!({"k": "again"}));
}

#[test]
fn a_deletion_that_is_held_up_is_remembered_until_it_is_done() {
    let tenants = one(&form(&[(
        "configMaps",
        &[&map("held", "deletionPolicy: Delete", "k: v")],
    )]));
    tenants.run(&["apply"]).succeeds();
    by_hand(
        &tenants.place,
        "configmap",
        "acme-held",
        &json!({"metadata": {"finalizers": ["test.dev/hold"]}}),
    );
    tenants.database.execute("UPDATE tenants SET active = '0'");
    let arguments = ["apply", "--yes", "--max-delete", "1", "--timeout", "2s"];
    let run = tenants.run(&arguments).fails(7, "E0519");
    assert!(run.stderr.contains("test.dev/hold"), "{run}");
    by_hand(
        &tenants.place,
        "configmap",
        "acme-held",
        &json!({"metadata": {"finalizers": null}}),
    );
    tenants.run(&arguments).succeeds();
    tenants.run(&["plan"]).ends(0);
    assert_eq!(tenants.maps(), [""; 0]);
}

// Writing

#[test]
fn a_foreign_field_survives_apply_and_merge_and_not_replace() {
    let entry = |strategy: &str| {
        map(
            strategy,
            &format!("patchStrategy: {strategy}"),
            "k: '{{ .plan }}'",
        )
    };
    let tenants = one(&form(&[(
        "configMaps",
        &[&entry("apply"), &entry("merge"), &entry("replace")],
    )]));
    tenants.run(&["apply"]).succeeds();
    for strategy in ["apply", "merge", "replace"] {
        let name = format!("acme-{strategy}");
        by_hand(
            &tenants.place,
            "configmap",
            &name,
            &json!({"data": {"foreign": "f"}}),
        );
    }
    tenants.database.execute("UPDATE tenants SET plan = 'big'");
    tenants.run(&["apply"]).succeeds();
    let both = json!({"k": "big", "foreign": "f"});
    assert_eq!(data(&tenants, "acme-apply"), both);
    assert_eq!(data(&tenants, "acme-merge"), both);
    assert_eq!(data(&tenants, "acme-replace"), json!({"k": "big"}));
    tenants.run(&["plan"]).ends(0);
}

#[test]
fn a_conflict_stops_its_object_only_and_force_takes_the_field() {
    let tenants = one(&form(&[(
        "configMaps",
        &[
            &map("stuck", "conflictPolicy: Stuck", "k: '{{ .plan }}'"),
            &map("force", "conflictPolicy: Force", "k: '{{ .plan }}'"),
            &map("other", "creationPolicy: WhenNeeded", "k: '{{ .plan }}'"),
        ],
    )]));
    tenants.run(&["apply"]).succeeds();
    for name in ["acme-stuck", "acme-force"] {
        by_hand(
            &tenants.place,
            "configmap",
            name,
            &json!({"data": {"k": "hand"}}),
        );
    }
    tenants.database.execute("UPDATE tenants SET plan = 'big'");
    let plan = tenants.run(&["plan", "-o", "json"]);
    let run = tenants.run(&["apply", "-o", "json"]).fails(9, "E0513");
    let said = failures(&run).join("\n");
    assert!(
        said.contains("acme-stuck") && run.stdout.contains("hand"),
        "{run}"
    );
    assert!(
        actions(&plan).contains(&"failed configmaps/acme-stuck".to_owned()),
        "{plan}"
    );
    let values =
        ["acme-stuck", "acme-force", "acme-other"].map(|name| data(&tenants, name)["k"].clone());
    assert_eq!(values, [json!("hand"), json!("big"), json!("big")]);
    // Once the obstacle is gone, it goes on by itself.
    tenants
        .place
        .change(&["delete", "configmap", "acme-stuck"], "");
    tenants.run(&["apply"]).succeeds();
    assert_eq!(data(&tenants, "acme-stuck"), json!({"k": "big"}));
}

#[test]
fn an_object_of_a_stranger_is_not_touched_whatever_the_strategy() {
    let entry = |strategy: &str| map(strategy, &format!("patchStrategy: {strategy}"), "k: v");
    let tenants = one(&form(&[(
        "configMaps",
        &[&entry("apply"), &entry("merge"), &entry("replace")],
    )]));
    tenants.insert(&[("bolt", "free")]);
    for strategy in ["apply", "merge", "replace"] {
        tenants.place.change(
            &[
                "create",
                "configmap",
                &format!("acme-{strategy}"),
                "--from-literal=of=stranger",
            ],
            "",
        );
    }
    let run = tenants.run(&["apply", "-o", "json"]).fails(9, "E0511");
    assert_eq!(failures(&run).len(), 3, "{run}");
    for strategy in ["apply", "merge", "replace"] {
        assert_eq!(
            data(&tenants, &format!("acme-{strategy}")),
            json!({"of": "stranger"})
        );
        assert_eq!(
            data(&tenants, &format!("bolt-{strategy}")),
            json!({"k": "v"})
        );
    }
    tenants.run(&["apply", "--adopt"]).succeeds();
    assert_eq!(
        data(&tenants, "acme-apply"),
        json!({"k": "v", "of": "stranger"})
    );
}

#[test]
fn ignored_fields_belong_to_others_each_element_by_itself() {
    let container = |name: &str| {
        format!(
            "{{name: {name}, image: 'i:{{{{ .plan }}}}', resources: {{requests: {{cpu: 1m}}}}}}"
        )
    };
    let deployment = format!(
        "{{id: web, nameTemplate: '{{{{ .uid }}}}-web', waitForReady: false, ignoreFields: ['$.spec.replicas', \
         '$.spec.template.spec.containers[*].resources'], spec: {{apiVersion: apps/v1, kind: Deployment, spec: {{replicas: 1, \
         selector: {{matchLabels: {{app: web}}}}, template: {{metadata: {{labels: {{app: web}}}}, spec: {{containers: [{}, \
         {}]}}}}}}}}}}",
        container("a"),
        container("b")
    );
    let tenants = one(&form(&[("deployments", &[&deployment])]));
    tenants.run(&["apply"]).succeeds();
    let cpu = |name: &str, cpu: &str| json!({"name": name, "image": "i:free", "resources": {"requests": {"cpu": cpu}}});
    by_hand(
        &tenants.place,
        "deployment",
        "acme-web",
        &json!({"spec": {"replicas": 7, "template": {"spec": {"containers": [cpu("a", "2m"), cpu("b", "3m")]}}}}),
    );
    tenants.run(&["plan"]).ends(0);
    tenants.database.execute("UPDATE tenants SET plan = 'big'");
    tenants.run(&["apply", "--force-conflicts"]).succeeds();
    let value = |pointer: &str| tenants.value("deployment", "acme-web", pointer);
    assert_eq!(value("/spec/replicas"), json!(7));
    for (place, cpu) in [(0, "2m"), (1, "3m")] {
        let at = format!("/spec/template/spec/containers/{place}");
        assert_eq!(value(&format!("{at}/image")), json!("i:big"));
        assert_eq!(value(&format!("{at}/resources/requests/cpu")), json!(cpu));
    }
}

#[test]
fn drift_by_hand_is_seen_and_mended_at_once() {
    let tenants = one(&form(&[(
        "configMaps",
        &[&map(
            "settings",
            "conflictPolicy: Force",
            "k: '{{ .plan }}'",
        )],
    )]));
    tenants.run(&["apply"]).succeeds();
    by_hand(
        &tenants.place,
        "configmap",
        "acme-settings",
        &json!({"data": {"k": "hand"}}),
    );
    tenants.step(&[], &["configured configmaps/acme-settings"]);
    tenants
        .place
        .change(&["delete", "configmap", "acme-settings"], "");
    tenants.step(&[], &["created configmaps/acme-settings"]);
    assert_eq!(data(&tenants, "acme-settings"), json!({"k": "free"}));
}

// Rendering

#[test]
fn metadata_of_the_object_and_of_its_templates_come_together() {
    let entry = "{id: settings, nameTemplate: '{{ .uid }}-settings', labelsTemplate: {tenant: '{{ .uid }}', both: template}, \
                 annotationsTemplate: {plan: '{{ .plan }}'}, spec: {apiVersion: v1, kind: ConfigMap, \
                 metadata: {labels: {mine: '1', both: body}, annotations: {note: 'of {{ .uid }}'}}, data: {k: v}}}";
    let tenants = one(&form(&[("configMaps", &[entry])]));
    tenants.run(&["apply"]).succeeds();
    let metadata = tenants.value("configmap", "acme-settings", "/metadata");
    let labels = &metadata["labels"];
    assert_eq!(
        [&labels["tenant"], &labels["mine"], &labels["both"]],
        ["acme", "1", "template"],
        "{metadata}"
    );
    let annotations = &metadata["annotations"];
    assert_eq!(
        [&annotations["plan"], &annotations["note"]],
        ["free", "of acme"],
        "{metadata}"
    );
}

#[test]
fn lists_in_lists_are_rendered_and_numbers_stay_numbers() {
    let entry = "{id: hpa, nameTemplate: '{{ .uid }}-hpa', waitForReady: false, spec: {apiVersion: autoscaling/v2, \
                 kind: HorizontalPodAutoscaler, spec: {maxReplicas: '{{ int .seats }}', \
                 scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: '{{ .uid }}'}}}}";
    let settings = map(
        "settings",
        "creationPolicy: WhenNeeded",
        "seats: '{{ .seats }}'",
    );
    let tenants = one(&form(&[
        ("horizontalPodAutoscalers", &[entry]),
        ("configMaps", &[&settings]),
    ]));
    tenants.run(&["apply"]).succeeds();
    assert_eq!(
        tenants.value("hpa", "acme-hpa", "/spec/maxReplicas"),
        json!(5)
    );
    assert_eq!(data(&tenants, "acme-settings"), json!({"seats": "5"}));
}

#[test]
fn rows_that_cannot_be_used_keep_what_they_have_and_the_others_go_on() {
    let tenants = Tenants::new(
        Engine::Sqlite,
        &form(&[(
            "configMaps",
            &[&map(
                "settings",
                "creationPolicy: WhenNeeded",
                "k: '{{ .plan }}'",
            )],
        )]),
    );
    tenants.insert(&[("acme", "free"), ("bolt", "free"), ("crux", "free")]);
    tenants.run(&["apply"]).succeeds();
    // A second row of the same uid, one without, one whose name is no name, and a change of a good one.
    tenants.insert(&[("acme", "other"), ("", "x"), ("Not A Name", "x")]);
    tenants
        .database
        .execute("UPDATE tenants SET plan = 'big' WHERE id = 'bolt'");
    let run = tenants.run(&["apply", "-o", "json"]).fails(9, "E0711");
    assert_eq!(counts(&run), [6, 3, 0, 3], "{run}");
    assert_eq!(
        tenants.maps(),
        ["acme-settings", "bolt-settings", "crux-settings"]
    );
    assert_eq!(data(&tenants, "acme-settings"), json!({"k": "free"}));
    assert_eq!(data(&tenants, "bolt-settings"), json!({"k": "big"}));
    let said = failures(&run).join("\n");
    for part in ["2 rows have this uid", "it has no uid", "Not A Name"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    // A template that a row breaks concerns that row.
    tenants
        .database
        .execute("DELETE FROM tenants WHERE plan IN ('other', 'x')");
    tenants.forms(&form(&[(
        "configMaps",
        &[&map(
            "settings",
            "creationPolicy: WhenNeeded",
            "k: '{{ if eq .uid \"crux\" }}{{ fail .plan }}{{ end }}new'",
        )],
    )]));
    let run = tenants.run(&["apply", "-o", "json"]).fails(9, "E0711");
    assert!(run.stderr.contains("crux"), "{run}");
    let values =
        ["acme", "bolt", "crux"].map(|uid| data(&tenants, &format!("{uid}-settings"))["k"].clone());
    assert_eq!(values, [json!("new"), json!("new"), json!("free")]);
}
