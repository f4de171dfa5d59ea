//! `design`

use std::{
    io::{BufRead, BufReader},
    process::Stdio,
};

use crate::support::{SHOP, Sandbox, server};

#[test]
fn import_says_what_it_stored_and_leaves_the_same_alone() {
    let sandbox = Sandbox::new();
    sandbox.write("shop.yaml", SHOP);
    let first = sandbox.run(["design", "import", "shop.yaml"]);
    insta::assert_snapshot!(first.transcript(), @r"
exit 0
--- stdout
imported design shop, version 0.0.1, 7 components from Kubernetes Manifest
");
    let second = sandbox.run(["design", "import", "shop.yaml"]);
    insta::assert_snapshot!(second.transcript(), @r"
exit 0
--- stdout
unchanged design shop, version 0.0.1, 7 components from Kubernetes Manifest
");
    sandbox.write("shop.yaml", SHOP.replace("web:1.4.2", "web:1.4.3"));
    let third = sandbox.run(["design", "import", "shop.yaml"]);
    insta::assert_snapshot!(third.transcript(), @r"
exit 0
--- stdout
updated design shop, version 0.0.2, 7 components from Kubernetes Manifest
");
    let diff = sandbox.run(["design", "diff", "shop", "--version", "0.0.1..0.0.2"]);
    insta::assert_snapshot!(diff.transcript(), @r#"
exit 1
--- stdout
~ apps/Deployment/shop/web
    ~ spec.template.spec.containers[name=web].image: "registry.example/web:1.4.2" -> "registry.example/web:1.4.3"
--- stderr
shop 0.0.1 and shop 0.0.2: 1 changed resource
"#);
}

#[test]
fn deploy_prints_the_plan_without_a_cluster() {
    let sandbox = Sandbox::new();
    sandbox.write("shop.yaml", SHOP);
    let plan = sandbox.run(["design", "deploy", "shop.yaml", "--dry-run=client"]);
    insta::assert_snapshot!(plan.transcript(), @r"
exit 0
--- stdout
LEVEL  ACTION   KIND            NAMESPACE  NAME   WAITS FOR
1      created  Namespace       -          shop   -
2      created  ServiceAccount  shop       web    Namespace/shop Active
2      created  ConfigMap       shop       web    Namespace/shop Active
2      created  Service         shop       cache  Namespace/shop Active
2      created  Service         shop       web    Namespace/shop Active
3      created  Deployment      shop       web    Namespace/shop Active
3      created  StatefulSet     shop       cache  Namespace/shop Active
--- stderr
plan of shop: 7 created (dry run)
");
    assert!(!sandbox.home().exists(), "a dry run leaves no trace");
}

#[test]
fn validate_points_at_the_misspelt_field() {
    let sandbox = Sandbox::new();
    sandbox.write("shop.yaml", SHOP.replace("replicas: 2", "replica: 2"));
    let run = sandbox.run(["design", "validate", "shop.yaml"]);
    insta::assert_snapshot!(run.transcript(), @r#"
exit 1
--- stdout
error: shop.yaml:41:3: unknown field "replica", did you mean "replicas"? (apps/Deployment/shop/web, spec.replica)
shop is not valid: 7 resources checked against kubernetes v1.35.4, 1 finding
"#);
}

#[test]
fn list_watch_prints_a_document_for_each_change_and_ends_with_its_signal() {
    let sandbox = Sandbox::with_shop();
    let mut command = sandbox.command(["design", "list", "--watch"]);
    let mut child = command.stdout(Stdio::piped()).spawn().expect("it starts");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let mut names = || {
        let line = lines.next().expect("a line").expect("text");
        let list: serde_json::Value = serde_json::from_str(&line).expect("a document");
        assert_eq!(list["kind"], "DesignList");
        let items = list["items"].as_array().expect("a list").iter();
        let names: Vec<_> = items.map(|item| item["name"].to_string()).collect();
        names.join(" ")
    };
    assert_eq!(names(), "\"shop\"");
    sandbox
        .run(["design", "import", "shop.yaml", "--name", "till"])
        .succeeds();
    assert_eq!(names(), "\"shop\" \"till\"");
    sandbox
        .run(["design", "delete", "shop", "--yes"])
        .succeeds();
    assert_eq!(names(), "\"till\"");
    server::signal(child.id(), "INT");
    assert_eq!(child.wait().expect("it ends").code(), Some(130));
}

#[test]
fn the_limits_of_texts_are_raised_by_the_flags_that_their_errors_name() {
    let sandbox = Sandbox::new();
    let objects = SHOP.split("---").count().to_string();
    sandbox.write("shop.yaml", SHOP);
    let cases = [
        ("--max-document-size", "100", "1MiB"),
        ("--max-nodes", "5", "1000"),
        ("--max-documents", "2", objects.as_str()),
    ];
    for (flag, low, high) in cases {
        let refused = sandbox
            .run(["design", "validate", "shop.yaml", flag, low])
            .fails(10, "E0102");
        assert!(refused.stderr.contains(flag), "{refused}");
        sandbox
            .run(["design", "validate", "shop.yaml", flag, high])
            .succeeds();
    }
}

#[test]
fn a_design_may_hold_components_that_are_no_whole_objects_yet() {
    let sandbox = Sandbox::new();
    let design = "schemaVersion: designs.meshery.io/v1beta3\nname: draft\ncomponents:\n- displayName: queue\n  \
                  component: {kind: Queue, version: acme.example/v1}\n  configuration: {spec: {}}\n";
    sandbox.write("draft.yaml", design);
    sandbox.run(["design", "import", "draft.yaml"]).succeeds();
    sandbox
        .run(["design", "deploy", "draft", "--dry-run=client"])
        .fails(10, "E0116");
}

/// Objects of one name in a `List`, and what a list item's own line is.
const TWICE: &str = "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: ConfigMap\n  metadata:\n    name: a\n\
- apiVersion: v1\n  kind: ConfigMap\n  metadata:\n    namespace: default\n    name: a\n";

#[test]
fn what_is_there_twice_is_shown_at_both_places() {
    let sandbox = Sandbox::new();
    sandbox.write("list.yaml", TWICE);
    let run = sandbox.run(["design", "validate", "list.yaml"]);
    insta::assert_snapshot!(run.transcript(), @r"
exit 1
--- stdout
error: list.yaml:12:11: ConfigMap/default/a is defined twice, the first time at list.yaml:7:11 (ConfigMap/default/a, metadata.name)
  hint: remove or rename one of the two
list is not valid: 1 resource checked against kubernetes v1.35.4, 1 finding
");
    // Import judges with the same default namespace, so that it stores nothing that a deploy refuses.
    sandbox
        .run(["design", "import", "list.yaml"])
        .fails(10, "E0107");
    assert!(!sandbox.home().exists(), "a refused import makes no store");
    sandbox
        .run(["design", "validate", "list.yaml", "-n", "other"])
        .succeeds();
}

#[test]
fn a_finding_about_a_stored_design_has_no_line() {
    let sandbox = Sandbox::new();
    sandbox.write("shop.yaml", SHOP.replace("replicas: 2", "replica: 2"));
    sandbox.run(["design", "import", "shop.yaml"]).succeeds();
    let run = sandbox.run(["design", "validate", "shop"]).ends(1);
    let first = run.stdout.lines().next().expect("a finding");
    assert_eq!(
        first,
        "error: shop 0.0.1: unknown field \"replica\", did you mean \"replicas\"? (apps/Deployment/shop/web, spec.replica)"
    );
}

#[test]
fn every_verb_renders_a_chart_for_the_namespace_that_is_asked_for() {
    use std::os::unix::fs::PermissionsExt as _;
    let sandbox = Sandbox::new();
    sandbox.write(
        "chart/Chart.yaml",
        "apiVersion: v2\nname: c\nversion: 1.0.0\n",
    );
    let helm = sandbox.write(
        "bin/helm",
        "#!/bin/sh\nfor a; do case $a in --namespace=*) n=${a#*=};; esac; done\n\
         printf 'apiVersion: v1\\nkind: ConfigMap\\nmetadata: {name: for-%s}\\n' $n\n",
    );
    std::fs::set_permissions(&helm, std::fs::Permissions::from_mode(0o755)).expect("a mode");
    let run = |arguments: &[&str]| {
        let mut command = sandbox.command(arguments);
        let path = std::env::var("PATH").unwrap_or_default();
        command.env("PATH", format!("{}:{path}", sandbox.path("bin").display()));
        sandbox.finish(&mut command, None).succeeds().stdout
    };
    for verb in [
        &["render"][..],
        &["export", "--as", "manifest", "--to", "-"],
        &["validate", "-o", "name"],
        &["deploy", "--dry-run=client", "-o", "name"],
        &["view"],
        &["import", "--dry-run=client", "-o", "jsonpath={.notes}"],
    ] {
        let arguments = [&["design"], verb, &["-f", "./chart", "-n", "blue"]].concat();
        let found = run(&arguments);
        assert!(
            verb[0] == "import" || found.contains("for-blue"),
            "{verb:?}: {found}"
        );
    }
    run(&["config", "set", "namespace", "green"]);
    assert!(run(&["design", "render", "./chart"]).contains("for-green"));
}

#[test]
fn every_verb_says_what_was_left_out() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "app/compose.yaml",
        "services:\n  web:\n    image: nginx:${TAG}\n    env_file: [gone.env]\n    network_mode: host\n",
    );
    sandbox.write("app/gone.env", "A=1\n");
    sandbox.write(
        "app/.env",
        "# what is released\nMAJOR=1 # of nginx\nTAG=\"${MAJOR}.27\"\n",
    );
    let note = "warning: .env: 2 variables read from it\n";
    for verb in [
        &["import", "./app"][..],
        &["validate", "./app"],
        &["render", "./app"],
        &["view", "./app"],
        &["deploy", "./app", "--dry-run=client"],
        &["export", "./app", "--to", "-"],
        &["diff", "./app", "app"],
    ] {
        let run = sandbox.run([&["design"], verb].concat()).succeeds();
        assert!(run.stderr.contains(note), "{run}");
    }
    let rendered = sandbox
        .run(["design", "render", "./app", "-o", "json"])
        .succeeds();
    assert!(rendered.stdout.contains("nginx:1.27"), "{rendered}");
    assert!(
        rendered.json()["notes"]
            .as_array()
            .is_some_and(|notes| !notes.is_empty())
    );
}

#[test]
fn an_unchanged_import_and_a_dry_run_leave_no_operation() {
    let sandbox = Sandbox::with_shop();
    sandbox.run(["design", "import", "shop.yaml"]).succeeds();
    sandbox
        .run([
            "design",
            "import",
            "shop.yaml",
            "--name",
            "b",
            "--dry-run=client",
        ])
        .succeeds();
    sandbox.write("bad.yaml", "apiVersion: v1\nkind: ConfigMap\n");
    sandbox
        .run(["design", "import", "bad.yaml"])
        .fails(10, "E0108");
    let list = sandbox
        .run(["system", "operation", "list", "-o", "json"])
        .succeeds()
        .json();
    let items = list["items"].as_array().expect("a list");
    assert_eq!(items.len(), 2, "{list}");
    let failed = items.iter().find(|item| item["state"] == "failed");
    let error = failed
        .and_then(|item| item["error"].as_str())
        .unwrap_or_default();
    assert!(error.contains("metadata.name is missing"), "{list}");
}

#[test]
fn versions_go_on_from_the_highest_and_a_step_back_is_told() {
    let sandbox = Sandbox::new();
    let import = |version: &str, text: &str| {
        let design = format!(
            "schemaVersion: designs.meshery.io/v1beta3\nname: d\nversion: {version}\ncomponents:\n- displayName: a\n  \
             component: {{kind: ConfigMap, version: v1}}\n  configuration: {{metadata: {{name: a}}, data: {{k: \"{text}\"}}}}\n"
        );
        sandbox.write("d.yaml", design);
        sandbox.run(["design", "import", "d.yaml"]).succeeds()
    };
    assert!(import("0.0.5", "one").stdout.contains("version 0.0.5"));
    let back = import("0.0.4", "two");
    assert!(back.stdout.contains("version 0.0.6"), "{back}");
    assert_eq!(
        back.stderr,
        "warning: the source says version 0.0.4, which is before 0.0.5: taken as 0.0.6\n"
    );
    assert!(import("0.0.6", "three").stdout.contains("version 0.0.7"));
    assert!(import("0.0.9", "four").stdout.contains("version 0.0.9"));
    let view = sandbox.run([
        "design",
        "view",
        "d",
        "-o",
        "jsonpath={.versions[*].version}",
    ]);
    assert_eq!(view.succeeds().stdout, "0.0.5 0.0.6 0.0.7 0.0.9");
}

#[test]
fn lists_by_time_begin_with_the_oldest() {
    let sandbox = Sandbox::new();
    let import = |name: &str, text: &str, now: &str| {
        sandbox.write(
            "a.yaml",
            format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {text}}}\n"),
        );
        let mut command = sandbox.command(["design", "import", "a.yaml", "--name", name]);
        sandbox
            .finish(command.env("WEFT_TEST_NOW", now), None)
            .succeeds();
    };
    import("late", "a", "2026-01-02T00:00:00Z");
    import("early", "a", "2026-01-01T00:00:00Z");
    import("early", "b", "2026-01-03T00:00:00Z");
    let list = |key: &str| {
        let run = sandbox.run(["design", "list", "-o", "name", "--sort-by", key]);
        run.succeeds().stdout
    };
    assert_eq!(list("created"), "design/early\ndesign/late\n");
    assert_eq!(list("updated"), "design/late\ndesign/early\n");
}

#[test]
fn strict_makes_errors_of_warnings_in_every_report() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "pod.yaml",
        "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec:\n  containers: [{name: a, image: x}]\n  \
         volumes: [{name: v, configMap: {name: gone}}]\n",
    );
    sandbox.write(
        "map.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}\n",
    );
    for (report, word) in [
        ("junit", "failures=\"1\""),
        ("sarif", "\"level\": \"error\""),
    ] {
        let arguments = ["design", "validate", "./pod.yaml", "-o", report];
        let lax = sandbox.run(arguments).succeeds();
        assert!(!lax.stdout.contains(word), "{lax}");
        let strict = sandbox.run(arguments.iter().chain(&["--strict"])).ends(1);
        assert!(strict.stdout.contains(word), "{strict}");
    }
}

#[test]
fn a_role_reference_may_leave_its_group_to_the_server() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "bind.yaml",
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRoleBinding\nmetadata: {name: a}\n\
         roleRef: {kind: ClusterRole, name: view}\nsubjects: []\n",
    );
    sandbox.run(["design", "validate", "bind.yaml"]).succeeds();
}

#[test]
fn schemas_stand_beside_other_objects_and_in_model_archives() {
    let sandbox = Sandbox::new();
    let crd = "apiVersion: v1\nkind: Namespace\nmetadata: {name: acme}\n---\napiVersion: apiextensions.k8s.io/v1\n\
               kind: CustomResourceDefinition\nmetadata: {name: queues.acme.example}\nspec:\n  group: acme.example\n  \
               scope: Namespaced\n  names: {kind: Queue, plural: queues}\n  versions:\n  - name: v1\n    served: true\n    \
               storage: true\n    schema: {openAPIV3Schema: {type: object, properties: {spec: {type: object, properties: {size: {type: integer}}}}}}\n";
    sandbox.write("crds/all.yaml", crd);
    sandbox.write(
        "queue.yaml",
        "apiVersion: acme.example/v1\nkind: Queue\nmetadata: {name: q}\nspec: {size: x}\n",
    );
    let validate = ["design", "validate", "queue.yaml", "--schema-dir", "crds"];
    let run = sandbox.run(validate).ends(1);
    assert!(run.stdout.contains("queue.yaml:4:14: "), "{run}");
    sandbox.write("crds/all.yaml", format!("{crd}---\nkind: [\n"));
    let run = sandbox.run(validate).fails(10, "E0100");
    assert!(run.stderr.contains("crds/all.yaml:"), "{run}");
    let large = validate.iter().chain(&["--max-input-size", "100"]);
    sandbox.run(large).fails(10, "E0102");
}
